//! Errors in the unit of the image: mean squared, root mean squared, mean absolute.

use super::images::{ImagePair, sums_over, within_numbers};
use crate::undefined::Score;

/// Mean squared error `1/n Σ (p − t)²`, in the squared unit of the image, lower is better.
///
/// # Policy
/// Over all points of the image or volume, no border left out.
///
/// # Errors
/// Intensities so large that their square is no number.
///
/// # Source
/// Textbook definition; scikit-image `mean_squared_error`.
///
/// # Example
/// ```
/// # use kd_metrics::{ImagePair, mean_squared_error};
/// let pair = ImagePair::plane([1, 2], &[1.0, 5.0], &[0.0, 2.0])?;
/// assert_eq!(mean_squared_error(&pair)?, 5.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn mean_squared_error(pair: &ImagePair<'_>) -> Score {
    within_numbers(pair.squared_error() / pair.truth().len() as f64)
}

/// Root of the mean squared error, in the unit of the image (HU, for a CT), lower is better.
///
/// # Policy
/// As [`mean_squared_error`]: the root of the mean over all points, not the mean of roots per slice.
///
/// # Errors
/// As [`mean_squared_error`].
///
/// # Source
/// Textbook definition.
///
/// # Example
/// ```
/// # use kd_metrics::{ImagePair, root_mean_squared_error};
/// let pair = ImagePair::plane([1, 2], &[1.0, 7.0], &[0.0, 0.0])?;
/// assert_eq!(root_mean_squared_error(&pair)?, 5.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn root_mean_squared_error(pair: &ImagePair<'_>) -> Score {
    mean_squared_error(pair).map(f64::sqrt)
}

/// Mean absolute error `1/n Σ |p − t|`, in the unit of the image, lower is better.
///
/// # Policy
/// Over all points, no border left out.
///
/// # Errors
/// Intensities so large that their sum is no number.
///
/// # Source
/// Textbook definition.
///
/// # Example
/// ```
/// # use kd_metrics::{ImagePair, mean_absolute_error};
/// let pair = ImagePair::plane([1, 2], &[-1.0, 7.0], &[0.0, 0.0])?;
/// assert_eq!(mean_absolute_error(&pair)?, 4.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn mean_absolute_error(pair: &ImagePair<'_>) -> Score {
    let [sum] = sums_over(pair.prediction(), pair.truth(), |p, t| [(p - t).abs()]);
    within_numbers(sum / pair.truth().len() as f64)
}
