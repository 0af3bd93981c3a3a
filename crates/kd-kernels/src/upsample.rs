//! Maps of twice the size along each of the last two or three axes, and the gradient.
//!
//! Axis by axis: each pass doubles one axis of a map that is still small.

use rayon::prelude::*;

use crate::scratch_space::with_scratch;
use crate::shared::written;

/// How the new points come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Upsampling {
    /// Each number twice along each axis.
    Nearest,
    /// Three parts of the nearer, one of the farther neighbour along each axis, edges repeated: bilinear or trilinear
    /// interpolation between centres of points (`align_corners = false`).
    Linear,
}

/// Why nothing can be upsampled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpsampleError {
    /// A size of 0, or none to double.
    #[error("upsampling of {maps} maps of {sizes:?} points, expected sizes from 1")]
    Zero {
        /// Maps given.
        maps: usize,
        /// Points along each axis.
        sizes: Vec<usize>,
    },
    /// An operand of another length.
    #[error("{what} holds {found} numbers, expected {expected}")]
    Length {
        /// Which operand.
        what: &'static str,
        /// Numbers that the shape asks for.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
}

fn check(maps: usize, sizes: &[usize], what: &'static str, found: usize, times: usize) -> Result<usize, UpsampleError> {
    let zero = || UpsampleError::Zero { maps, sizes: sizes.to_vec() };
    if maps == 0 || sizes.is_empty() || sizes.contains(&0) {
        return Err(zero());
    }
    let points = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size)).ok_or_else(zero)?;
    let expected = points.checked_mul(times).and_then(|product| product.checked_mul(maps)).ok_or_else(zero)?;
    if found == expected { Ok(points) } else { Err(UpsampleError::Length { what, expected, found }) }
}

/// Maps of twice the size along every axis.
///
/// # Shapes
/// `input` `[maps, …sizes]` with any number of axes; the result has twice each of `sizes`.
///
/// # Errors
/// [`UpsampleError`] for sizes of 0 and an input of another length.
///
/// # Example
/// ```
/// use kd_kernels::{Upsampling, upsample};
/// assert_eq!(upsample(Upsampling::Nearest, 1, &[2], &[1.0, 5.0])?, [1.0, 1.0, 5.0, 5.0]);
/// assert_eq!(upsample(Upsampling::Linear, 1, &[2], &[1.0, 5.0])?, [1.0, 2.0, 4.0, 5.0]);
/// # Ok::<(), kd_kernels::UpsampleError>(())
/// ```
pub fn upsample(how: Upsampling, maps: usize, sizes: &[usize], input: &[f32]) -> Result<Vec<f32>, UpsampleError> {
    let points = check(maps, sizes, "input", input.len(), 1)?;
    let doubled = points << sizes.len();
    Ok(mapwise([maps, doubled], input, points, |to, from| {
        with_scratch(2 * doubled, |space| {
            let (mut source, mut target) = space.split_at_mut(doubled);
            source[..points].copy_from_slice(from);
            let mut len = points;
            // The slowest axis first: the passes over the fast ones are the long ones and go through memory in order.
            for axis in 0..sizes.len() {
                let inner: usize = sizes[axis + 1..].iter().product();
                let to = if axis + 1 == sizes.len() { &mut *to } else { &mut target[..2 * len] };
                let rows = source[..len].chunks_exact(sizes[axis] * inner);
                for (from, to) in rows.zip(to.chunks_exact_mut(2 * sizes[axis] * inner)) {
                    double(how, from, to, inner);
                }
                len *= 2;
                std::mem::swap(&mut source, &mut target);
            }
        });
    }))
}

/// One map of `to_points` for each of `from_points` numbers.
fn mapwise(
    [maps, to_points]: [usize; 2],
    source: &[f32],
    from_points: usize,
    work: impl Fn(&mut [f32], &[f32]) + Sync,
) -> Vec<f32> {
    // SAFETY: every map is written whole by its task.
    #[expect(unsafe_code, reason = "the maps are written whole")]
    unsafe {
        written(maps * to_points, |target| {
            source.par_chunks_exact(from_points).enumerate().for_each(|(map, from)| {
                // SAFETY: this task alone writes this map.
                work(target.zeros(map * to_points, to_points), from);
            });
        })
    }
}

/// Doubles the first axis of `[points, inner]`.
fn double(how: Upsampling, from: &[f32], to: &mut [f32], inner: usize) {
    let last = from.len() / inner - 1;
    if inner == 1 {
        for (at, to) in to.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let here = from[at];
            *to = match how {
                Upsampling::Nearest => [here, here],
                Upsampling::Linear => {
                    let (before, after) = (from[at.saturating_sub(1)], from[(at + 1).min(last)]);
                    [0.25 * before + 0.75 * here, 0.75 * here + 0.25 * after]
                }
            };
        }
        return;
    }
    for (at, to) in to.chunks_exact_mut(2 * inner).enumerate() {
        let row = |at: usize| &from[at * inner..][..inner];
        let (first, second) = to.split_at_mut(inner);
        match how {
            Upsampling::Nearest => {
                first.copy_from_slice(row(at));
                second.copy_from_slice(row(at));
            }
            Upsampling::Linear => {
                let neighbours = row(at.saturating_sub(1)).iter().zip(row((at + 1).min(last)));
                let rows = row(at).iter().zip(neighbours);
                for ((first, second), (&here, (&before, &after))) in first.iter_mut().zip(second).zip(rows) {
                    *first = 0.25 * before + 0.75 * here;
                    *second = 0.75 * here + 0.25 * after;
                }
            }
        }
    }
}

/// The gradient of [`upsample`] by its input.
///
/// # Shapes
/// `sizes` are those of the input of [`upsample`]; `output_gradient` has twice each.
///
/// # Errors
/// As [`upsample`].
///
/// # Example
/// ```
/// use kd_kernels::{Upsampling, upsample_gradient};
/// assert_eq!(upsample_gradient(Upsampling::Nearest, 1, &[2], &[1.0, 2.0, 3.0, 4.0])?, [3.0, 7.0]);
/// # Ok::<(), kd_kernels::UpsampleError>(())
/// ```
pub fn upsample_gradient(
    how: Upsampling,
    maps: usize,
    sizes: &[usize],
    output_gradient: &[f32],
) -> Result<Vec<f32>, UpsampleError> {
    let points = check(maps, sizes, "output gradient", output_gradient.len(), 1 << sizes.len().min(16))?;
    let doubled = points << sizes.len();
    Ok(mapwise([maps, points], output_gradient, doubled, |to, from| {
        with_scratch(doubled + doubled / 2, |space| {
            let (mut source, mut target) = space.split_at_mut(doubled);
            source.copy_from_slice(from);
            let mut len = doubled;
            // The passes of `upsample`, in reverse.
            for axis in (0..sizes.len()).rev() {
                let inner: usize = sizes[axis + 1..].iter().product();
                let to = if axis == 0 { &mut *to } else { &mut target[..len / 2] };
                let rows = source[..len].chunks_exact(2 * sizes[axis] * inner);
                for (from, to) in rows.zip(to.chunks_exact_mut(sizes[axis] * inner)) {
                    halve(how, from, to, inner);
                }
                len /= 2;
                std::mem::swap(&mut source, &mut target);
            }
        });
    }))
}

/// The gradient of [`double`].
fn halve(how: Upsampling, from: &[f32], to: &mut [f32], inner: usize) {
    let last = to.len() / inner - 1;
    if inner == 1 && how == Upsampling::Nearest {
        for (to, [first, second]) in to.iter_mut().zip(from.as_chunks::<2>().0) {
            *to = first + second;
        }
        return;
    }
    for (at, to) in to.chunks_exact_mut(inner).enumerate() {
        let row = |at: usize| &from[at * inner..][..inner];
        let pair = row(2 * at).iter().zip(row(2 * at + 1));
        match how {
            Upsampling::Nearest => {
                for (to, (&first, &second)) in to.iter_mut().zip(pair) {
                    *to = first + second;
                }
            }
            Upsampling::Linear => {
                // At an edge the point is its own neighbour.
                let before = row(if at == 0 { 0 } else { 2 * at - 1 });
                let after = row(if at == last { 2 * last + 1 } else { 2 * at + 2 });
                let neighbours = before.iter().zip(after);
                for (to, ((&first, &second), (&before, &after))) in to.iter_mut().zip(pair.zip(neighbours)) {
                    *to = 0.75 * (first + second) + 0.25 * (before + after);
                }
            }
        }
    }
}
