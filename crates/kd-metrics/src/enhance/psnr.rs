//! Peak signal-to-noise ratio.

use super::error::mean_squared_error;
use super::images::{ImagePair, check_range};
use crate::undefined::Score;

/// Peak signal-to-noise ratio `10 log₁₀(range² / MSE)` in dB, higher is better.
///
/// # Policy
/// `range` is the range the intensities can take (255, 1, the width of the window in HU), stated by the caller and never
/// read off the image. Identical images give infinity, so a mean over such a case is infinite: report how many there are.
/// No border is left out, no offset is added to the error.
///
/// # Errors
/// A range that is not finite and above zero; as [`mean_squared_error`].
///
/// # Source
/// scikit-image `peak_signal_noise_ratio(data_range=range)`.
///
/// # Deviations
/// BasicSR adds 1e-8 to the error in one of its two versions, so that identical images give a number.
///
/// # Example
/// ```
/// # use kd_metrics::{ImagePair, psnr};
/// let pair = ImagePair::plane([1, 2], &[1.0, 2.0], &[0.0, 1.0])?;
/// assert_eq!(psnr(&pair, 100.0)?, 40.0);
/// let itself = ImagePair::plane([1, 2], &[0.0, 1.0], &[0.0, 1.0])?;
/// assert_eq!(psnr(&itself, 100.0)?, f64::INFINITY);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn psnr(pair: &ImagePair<'_>, range: f64) -> Score {
    check_range(range)?;
    // As a difference: the square of a range near the end of `f64` is no number.
    mean_squared_error(pair).map(|error| 20.0 * range.log10() - 10.0 * error.log10())
}
