//! Max pooling over up to three axes, and its gradient.
//!
//! The gradient finds each window's largest number again instead of keeping indices: the input is kept anyway.

use rayon::prelude::*;

use crate::scratch_space::with_scratch;
use crate::shared::written;
use crate::simd::{Isa, Work, on};

/// Why nothing can be pooled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// A size of 0.
    #[error("pooling has {what} 0, expected at least 1")]
    Zero {
        /// Which size.
        what: &'static str,
    },
    /// A window that can lie in the padding alone.
    #[error("pooling has padding {padding} on axis {axis}, expected at most half of the window of {kernel}")]
    Padding {
        /// The axis, slowest first.
        axis: usize,
        /// Points of padding on both sides.
        padding: usize,
        /// Points of the window.
        kernel: usize,
    },
    /// An input smaller than the window.
    #[error("pooling has {padded} points with padding on axis {axis}, expected at least {kernel}")]
    Reach {
        /// The axis, slowest first.
        axis: usize,
        /// Points of the window.
        kernel: usize,
        /// Points of the input with its padding.
        padded: usize,
    },
    /// More numbers than can be counted.
    #[error("pooling has sizes whose product overflows")]
    TooLarge,
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

/// Sizes of a pooling, slowest axis first; a 2D one has one plane and ones (padding: 0) on the first axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolShape {
    /// Samples times channels.
    pub maps: usize,
    /// Points of the input along each axis.
    pub input: [usize; 3],
    /// Points of the window.
    pub kernel: [usize; 3],
    /// Input points from one window to the next.
    pub stride: [usize; 3],
    /// Points on both sides that belong to windows but have no number.
    pub padding: [usize; 3],
}

impl PoolShape {
    /// Checks the sizes and gives those of the output: whole windows only.
    ///
    /// # Errors
    /// Every variant of [`PoolError`] but `Length`.
    pub fn output(&self) -> Result<[usize; 3], PoolError> {
        for (what, sizes) in [("input points", self.input), ("window points", self.kernel), ("stride", self.stride)] {
            if sizes.contains(&0) {
                return Err(PoolError::Zero { what });
            }
        }
        if self.maps == 0 {
            return Err(PoolError::Zero { what: "maps" });
        }
        let mut output = [0; 3];
        for (axis, points) in output.iter_mut().enumerate() {
            let (kernel, padding) = (self.kernel[axis], self.padding[axis]);
            if padding > kernel / 2 {
                return Err(PoolError::Padding { axis, padding, kernel });
            }
            let padded = self.input[axis].checked_add(2 * padding).ok_or(PoolError::TooLarge)?;
            if padded < kernel {
                return Err(PoolError::Reach { axis, kernel, padded });
            }
            *points = (padded - kernel) / self.stride[axis] + 1;
        }
        let count = self.input.iter().try_fold(self.maps, |product, &size| product.checked_mul(size));
        count.filter(|&count| count <= isize::MAX.unsigned_abs()).ok_or(PoolError::TooLarge)?;
        Ok(output)
    }

    fn points(&self) -> usize {
        self.input.iter().product()
    }

    fn check(&self, input: usize) -> Result<[usize; 3], PoolError> {
        let output = self.output()?;
        let expected = self.maps * self.points();
        if input == expected { Ok(output) } else { Err(PoolError::Length { what: "input", expected, found: input }) }
    }

    /// Whether windows are pairs of columns and do not overlap along the other axes either.
    fn halves_columns(&self) -> bool {
        (self.kernel[2], self.stride[2], self.padding[2]) == (2, 2, 0)
            && (0..2).all(|axis| self.stride[axis] >= self.kernel[axis] && self.padding[axis] == 0)
    }

    /// Input points of a window along one axis.
    #[inline(always)]
    fn window(&self, axis: usize, at: usize) -> std::ops::Range<usize> {
        let first = at * self.stride[axis];
        let padding = self.padding[axis];
        first.saturating_sub(padding)..(first + self.kernel[axis] - padding).min(self.input[axis])
    }
}

/// The largest number of each window.
///
/// # Shapes
/// `input` `[maps, planes, rows, columns]`; the result as [`PoolShape::output`] says.
///
/// # Policy
/// Padding has no number. A NaN is larger than everything.
///
/// # Errors
/// [`PoolError`] for sizes that make no pooling, and an input of another length.
///
/// # Example
/// ```
/// use kd_kernels::{Isa, PoolShape, max_pool};
/// let shape = PoolShape { maps: 1, input: [1, 2, 2], kernel: [1, 2, 2], stride: [1, 2, 2], padding: [0; 3] };
/// assert_eq!(max_pool(Isa::best(), &shape, &[1.0, 4.0, 2.0, 3.0])?, [4.0]);
/// # Ok::<(), kd_kernels::PoolError>(())
/// ```
pub fn max_pool(isa: Isa, shape: &PoolShape, input: &[f32]) -> Result<Vec<f32>, PoolError> {
    let output = shape.check(input.len())?;
    let points: usize = output.iter().product();
    // SAFETY: every map is written whole by its task.
    #[expect(unsafe_code, reason = "the output is written whole")]
    Ok(unsafe {
        written(shape.maps * points, |target| {
            input.par_chunks_exact(shape.points()).enumerate().for_each(|(map, input)| {
                // SAFETY: this task alone writes this map.
                let to = target.stretch(map * points, points);
                on(isa, Largest { shape, output, input, to });
            });
        })
    })
}

/// One map.
struct Largest<'a> {
    shape: &'a PoolShape,
    output: [usize; 3],
    input: &'a [f32],
    to: &'a mut [std::mem::MaybeUninit<f32>],
}

/// The larger of two numbers, the first where they are equal; NaN where one is.
#[inline(always)]
fn larger(first: f32, second: f32) -> f32 {
    if second > first || second.is_nan() { second } else { first }
}

impl Work for Largest<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { shape, output: [_, rows, columns], input, to } = self;
        let [_, input_rows, input_columns] = shape.input;
        let pairs = (shape.kernel[2], shape.stride[2], shape.padding[2]) == (2, 2, 0);
        for (line, to) in to.chunks_exact_mut(columns).enumerate() {
            let mut first = true;
            for plane in shape.window(0, line / rows) {
                for row in shape.window(1, line % rows) {
                    let from = &input[(plane * input_rows + row) * input_columns..][..input_columns];
                    let found = |column: usize| {
                        let window = &from[shape.window(2, column)];
                        window.iter().copied().reduce(larger).unwrap_or(f32::NEG_INFINITY)
                    };
                    let pair = |pair: &[f32; 2]| larger(pair[0], pair[1]);
                    if first {
                        if pairs {
                            to.iter_mut().zip(from.as_chunks::<2>().0).for_each(|(to, from)| _ = to.write(pair(from)));
                        } else {
                            to.iter_mut().enumerate().for_each(|(column, to)| _ = to.write(found(column)));
                        }
                        first = false;
                        continue;
                    }
                    // SAFETY: the first row of the window has written all of them.
                    #[expect(unsafe_code, reason = "numbers that were written")]
                    let to = unsafe { &mut *(std::ptr::from_mut(to) as *mut [f32]) };
                    if pairs {
                        for (to, from) in to.iter_mut().zip(from.as_chunks::<2>().0) {
                            *to = larger(*to, pair(from));
                        }
                    } else {
                        for (column, to) in to.iter_mut().enumerate() {
                            *to = larger(*to, found(column));
                        }
                    }
                }
            }
        }
    }
}

/// The gradient of [`max_pool`] by its input: each output's gradient goes to the first of its window's largest numbers.
///
/// # Shapes
/// `input` as for [`max_pool`], `output_gradient` as its result.
///
/// # Errors
/// As [`max_pool`].
///
/// # Example
/// ```
/// use kd_kernels::{Isa, PoolShape, max_pool_gradient};
/// let shape = PoolShape { maps: 1, input: [1, 1, 4], kernel: [1, 1, 2], stride: [1, 1, 2], padding: [0; 3] };
/// let gradient = max_pool_gradient(Isa::best(), &shape, &[1.0, 4.0, 2.0, 2.0], &[5.0, 7.0])?;
/// assert_eq!(gradient, [0.0, 5.0, 7.0, 0.0]);
/// # Ok::<(), kd_kernels::PoolError>(())
/// ```
pub fn max_pool_gradient(
    isa: Isa,
    shape: &PoolShape,
    input: &[f32],
    output_gradient: &[f32],
) -> Result<Vec<f32>, PoolError> {
    let [planes, rows, columns] = shape.check(input.len())?;
    let (from_points, points) = (shape.points(), planes * rows * columns);
    if output_gradient.len() != shape.maps * points {
        let (expected, found) = (shape.maps * points, output_gradient.len());
        return Err(PoolError::Length { what: "output gradient", expected, found });
    }
    // SAFETY: every map is written whole by its task.
    #[expect(unsafe_code, reason = "the gradient is written whole")]
    Ok(unsafe {
        written(input.len(), |target| {
            let maps = input.par_chunks_exact(from_points).zip(output_gradient.par_chunks_exact(points));
            maps.enumerate().for_each(|(map, (input, gradients))| {
                // SAFETY: this task alone writes this map.
                let to = target.zeros(map * from_points, from_points);
                if shape.halves_columns() {
                    with_scratch(2 * columns, |space| {
                        on(isa, Halved { shape, rows, columns, input, gradients, space, to });
                    });
                } else {
                    any_window(shape, [rows, columns], input, gradients, to);
                }
            });
        })
    })
}

/// One map of windows that may overlap.
fn any_window(shape: &PoolShape, [rows, columns]: [usize; 2], input: &[f32], gradients: &[f32], to: &mut [f32]) {
    let [_, input_rows, input_columns] = shape.input;
    for (line, gradients) in gradients.chunks_exact(columns).enumerate() {
        let (window_planes, window_rows) = (shape.window(0, line / rows), shape.window(1, line % rows));
        for (column, &gradient) in gradients.iter().enumerate() {
            let window_columns = shape.window(2, column);
            let mut place = (f32::NEG_INFINITY, None);
            for plane in window_planes.clone() {
                for row in window_rows.clone() {
                    let line = (plane * input_rows + row) * input_columns;
                    let first = line + window_columns.start;
                    for (at, &value) in (first..).zip(&input[first..line + window_columns.end]) {
                        if place.1.is_none() || value > place.0 || (value.is_nan() && !place.0.is_nan()) {
                            place = (value, Some(at));
                        }
                    }
                }
            }
            if let Some(at) = place.1 {
                to[at] += gradient;
            }
        }
    }
}

/// One map of windows of two columns that lie side by side; along the other axes they do not overlap either.
struct Halved<'a> {
    shape: &'a PoolShape,
    rows: usize,
    columns: usize,
    input: &'a [f32],
    gradients: &'a [f32],
    /// Room for two numbers a column.
    space: &'a mut [f32],
    to: &'a mut [f32],
}

impl Work for Halved<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::float_cmp, reason = "the largest number is one of those compared")]
    fn run(self) {
        let Self { shape, rows: rows_in_plane, columns, input, gradients, space, to } = self;
        let [_, input_rows, input_columns] = shape.input;
        let (largest, left) = space.split_at_mut(columns);
        for (line, gradients) in gradients.chunks_exact(columns).enumerate() {
            let lines = || {
                let rows = shape.window(1, line % rows_in_plane);
                let planes = shape.window(0, line / rows_in_plane);
                planes.flat_map(move |plane| rows.clone().map(move |row| (plane * input_rows + row) * input_columns))
            };
            largest.fill(f32::NEG_INFINITY);
            for at in lines() {
                for (largest, pair) in largest.iter_mut().zip(input[at..at + input_columns].as_chunks::<2>().0) {
                    *largest = larger(larger(*largest, pair[0]), pair[1]);
                }
            }
            // What has not found its place yet goes to the first number that is the largest one.
            left.copy_from_slice(gradients);
            for at in lines() {
                let pairs = input[at..at + input_columns].as_chunks::<2>().0;
                let places = to[at..at + input_columns].as_chunks_mut::<2>().0;
                for ((place, pair), (largest, left)) in places.iter_mut().zip(pairs).zip(largest.iter().zip(&mut *left))
                {
                    for (place, &value) in place.iter_mut().zip(pair) {
                        let here = value == *largest || value.is_nan();
                        *place = if here { *left } else { 0.0 };
                        *left = if here { 0.0 } else { *left };
                    }
                }
            }
        }
    }
}
