//! What a reader measures in a region: the shift of the mean, the noise that is left, and contrast against noise.

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
    within_numbers(differences(pair, region)?.1)
}

/// Standard deviation of prediction minus truth in a region, in the unit of the image; 0 is best.
///
/// # Shapes
/// `region` as the images: which points belong to it.
///
/// # Policy
/// Over all points of the region, divided by their number `n`: the squares of this and of [`region_bias`] add up to the
/// mean squared error of the region. What is left of structure that was blurred away counts as noise.
///
/// # Errors
/// A region of another length, or without points.
///
/// # Source
/// Textbook definition; noise against a known truth, where a phantom test takes a uniform area.
///
/// # Example
/// ```
/// # use kd_metrics::{ImagePair, region_noise};
/// let pair = ImagePair::plane([1, 3], &[1.0, 5.0, 9.0], &[0.0, 2.0, 0.0])?;
/// assert_eq!(region_noise(&pair, &[true, true, false])?, 1.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn region_noise(pair: &ImagePair<'_>, region: &[bool]) -> Score {
    let (differences, mean) = differences(pair, region)?;
    let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
    within_numbers((squares / differences.len() as f64).sqrt())
}

/// Prediction minus truth at each point of a region, and their mean.
fn differences(pair: &ImagePair<'_>, region: &[bool]) -> Result<(Vec<f64>, f64), Undefined> {
    check_length("region", pair.truth().len(), region.len())?;
    let points = pair.prediction().iter().zip(pair.truth()).zip(region).filter(|(_, inside)| **inside);
    let differences: Vec<f64> = points.map(|((p, t), _)| p - t).collect();
    let mean = mean(&differences).map_err(|_| Undefined::EmptyMask { which: "region" })?;
    Ok((differences, mean))
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
