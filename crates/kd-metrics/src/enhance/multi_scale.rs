//! Structural similarity over five scales.

use super::images::{ImagePair, check_range, within_numbers};
use super::ssim::{ssim_and_structure, too_small};
use crate::undefined::{Score, Undefined};

/// Weight of each scale, the finest first, as published.
const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// Points along an axis of which the coarsest of five scales still has a window's 11.
const SMALLEST: usize = 161;

/// Multi-scale structural similarity: `SSIM₅^w₅ · Π_{j<5} CS_j^w_j`, at most 1, higher is better.
///
/// # Policy
/// `CS` is the mean of the contrast and structure part, SSIM the mean of all; both with the reference window of
/// [`SsimVariant::Reference`](crate::SsimVariant::Reference) on every scale. Weights .0448, .2856, .3001, .2363, .1333 from fine
/// to coarse (their sum is 1.0001, as published). The next scale is the mean over 2 × 2 points (2 × 2 × 2 in a volume);
/// the last row of an odd number stands for itself. `range` as in [`ssim`](crate::ssim).
///
/// # Errors
/// A range that is not finite and above zero; an axis of fewer than 161 points, for then the coarsest scale has no room
/// for a window; a negative mean on some scale, of which a power has no value.
///
/// # Source
/// Wang, Simoncelli and Bovik 2003, equation 7, and their program.
///
/// # Example
/// ```
/// # use kd_metrics::{ImagePair, Undefined, ms_ssim};
/// let image: Vec<f64> = (0..161 * 170).map(|i| f64::from(i % 251)).collect();
/// let itself = ImagePair::plane([161, 170], &image, &image)?;
/// assert!((ms_ssim(&itself, 255.0)? - 1.0).abs() < 1e-12);
/// let small = ImagePair::plane([160, 2], &image[..320], &image[..320])?;
/// assert!(matches!(ms_ssim(&small, 255.0), Err(Undefined::NotEnough { expected: 161, found: 2, .. })));
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn ms_ssim(pair: &ImagePair<'_>, range: f64) -> Score {
    check_range(range)?;
    if pair.shape().iter().any(|&points| points < SMALLEST) {
        return Err(too_small(pair.shape(), SMALLEST));
    }
    let mut coarser: Option<ImagePair<'static>> = None;
    let mut product = 1.0;
    for (scale, weight) in WEIGHTS.into_iter().enumerate() {
        if scale > 0 {
            coarser = Some(half(coarser.as_ref().unwrap_or(pair)));
        }
        let [whole, structure] = ssim_and_structure(coarser.as_ref().unwrap_or(pair), range)?;
        let factor = within_numbers(if scale + 1 == WEIGHTS.len() { whole } else { structure })?;
        if factor < 0.0 {
            return Err(Undefined::NegativeStructure { scale: scale + 1, found: factor });
        }
        product *= factor.powf(weight);
    }
    Ok(product)
}

fn half(pair: &ImagePair<'_>) -> ImagePair<'static> {
    let (shape, axes) = (pair.shape3(), pair.axes());
    let coarse = [if axes == 3 { shape[0].div_ceil(2) } else { 1 }, shape[1].div_ceil(2), shape[2].div_ceil(2)];
    let of = |image: &[f64]| {
        let mut out = Vec::with_capacity(coarse.iter().product());
        for z in 0..coarse[0] {
            for y in 0..coarse[1] {
                let at = |axis: usize, place: usize, step: usize| (2 * place + step).min(shape[axis] - 1);
                let line = |a: usize, b: usize| {
                    let depth = if axes == 3 { at(0, z, a) } else { z };
                    &image[(depth * shape[1] + at(1, y, b)) * shape[2]..][..shape[2]]
                };
                let lines = [line(0, 0), line(0, 1), line(1, 0), line(1, 1)];
                let lines = if axes == 3 { &lines[..] } else { &lines[..2] };
                for x in 0..coarse[2] {
                    let (left, right) = (2 * x, at(2, x, 1));
                    let sum: f64 = lines.iter().map(|line| line[left] + line[right]).sum();
                    out.push(sum / (2 * lines.len()) as f64);
                }
            }
        }
        out
    };
    ImagePair::of_checked(coarse, axes, of(pair.prediction()).into(), of(pair.truth()).into())
}
