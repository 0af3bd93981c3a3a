//! What a reader measures in a region: the shift of the mean, and contrast against noise.

use super::images::{ImagePair, check_intensities, varies, within_numbers};
use crate::classify::rates::mean;
use crate::undefined::{Score, Undefined, check_length};

/// Mean of prediction minus truth in a region, in the unit of the image (HU, for a CT); 0 is best.
///
/// # Shapes
/// `region` as the images: which points belong to it.
///
/// # Policy
/// Signed: positive means that the restored image is too bright. Every point of the region counts the same.
///
/// # Errors
/// A region of another length, or without points.
///
/// # Source
/// Difference of the region's means, the accuracy of CT numbers in the sense of ACR phantom tests.
///
/// # Example
/// ```
/// # use kd_metrics::{ImagePair, region_bias};
/// let pair = ImagePair::plane([1, 3], &[1.0, 5.0, 9.0], &[0.0, 2.0, 0.0])?;
/// assert_eq!(region_bias(&pair, &[true, true, false])?, 2.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn region_bias(pair: &ImagePair<'_>, region: &[bool]) -> Score {
    check_length("region", pair.truth().len(), region.len())?;
    let differences: Vec<f64> = pair
        .prediction()
        .iter()
        .zip(pair.truth())
        .zip(region)
        .filter(|(_, inside)| **inside)
        .map(|((p, t), _)| p - t)
        .collect();
    within_numbers(mean(&differences).map_err(|_| Undefined::EmptyMask { which: "region" })?)
}

/// Contrast-to-noise ratio of one image: `|mean of target − mean of background| / s of background`.
///
/// # Shapes
/// All three of one length; the regions say which points belong to them.
///
/// # Policy
/// Noise is the sample standard deviation (`n − 1`) of the background region alone, so the background has to be uniform
/// tissue. Compare the restored image's value with the reference's; alone it rises with every blur.
///
/// # Errors
/// Regions of another length, a target without points, a background of fewer than two points or without variance, an
/// intensity that is NaN or infinite.
///
/// # Source
/// Textbook definition (Bushberg et al., The Essential Physics of Medical Imaging).
///
/// # Example
/// ```
/// # use kd_metrics::contrast_to_noise;
/// let image = [10.0, 1.0, 3.0, 10.0];
/// let cnr = contrast_to_noise(&image, &[true, false, false, true], &[false, true, true, false])?;
/// assert_eq!(cnr, 8.0 / 2.0_f64.sqrt());
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn contrast_to_noise(image: &[f64], target: &[bool], background: &[bool]) -> Score {
    check_intensities("intensity", image)?;
    let inside = |what: &'static str, region: &[bool]| -> Result<Vec<f64>, Undefined> {
        check_length(what, image.len(), region.len())?;
        Ok(image.iter().zip(region).filter(|(_, inside)| **inside).map(|(&value, _)| value).collect())
    };
    let (target, background) = (inside("target", target)?, inside("background", background)?);
    let target_mean = mean(&target).map_err(|_| Undefined::EmptyMask { which: "target" })?;
    if background.len() < 2 {
        return Err(Undefined::NotEnough { what: "points in the background", expected: 2, found: background.len() });
    }
    let background_mean = mean(&background)?;
    if !varies(&background, &background) {
        return Err(Undefined::ZeroVariance { what: "background" });
    }
    let squares: f64 = background.iter().map(|value| (value - background_mean).powi(2)).sum();
    let noise = (squares / (background.len() - 1) as f64).sqrt();
    within_numbers((target_mean - background_mean).abs() / noise)
}
