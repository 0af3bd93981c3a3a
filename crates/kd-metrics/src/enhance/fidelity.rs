//! Visual information fidelity in the pixel domain.

use super::filter::{Images, Window, halved, sum_of_local};
use super::images::{ImagePair, check_range, within_numbers};
use super::ssim::too_small;
use crate::undefined::{Score, Undefined};

/// Points along an axis of which the coarsest of the four scales still has a window's 3.
const SMALLEST: usize = 41;

/// Variances below this count as none, as in the authors' program.
const TINY: f64 = 1e-10;

/// Variance of the noise of the eye, for intensities in 0..255.
const NOISE: f64 = 2.0;

/// Visual information fidelity, pixel domain (VIFp): the information about the scene in the restored image, over that in the
/// reference. 0 and up, 1 for identical images; above 1 where contrast was raised without noise.
///
/// # Policy
/// Four scales with Gaussian windows of 17, 9, 5 and 3 points and σ of a fifth of that, only where the window fits; a coarser
/// scale is the image filtered with its window, then every second point. Information is summed over scales before the
/// division. Intensities are multiplied by 255 / `range`, because the noise of the eye (variance 2) is meant for that
/// range; an offset changes nothing. A volume is scored slice by slice along its depth, and the mean is taken.
///
/// # Errors
/// A range that is not finite and above zero; a plane smaller than 41 points along an axis; a reference without any
/// variance (in one slice, of a volume).
///
/// # Source
/// Sheikh and Bovik 2006, equation 14, in the pixel-domain form of the authors' program `vifp_mscale`.
///
/// # Example
/// ```
/// # use kd_metrics::{ImagePair, vif};
/// let truth: Vec<f64> = (0..41 * 43).map(|i| f64::from(i * i % 251)).collect();
/// let faint: Vec<f64> = truth.iter().map(|value| 0.5 * value).collect();
/// assert!((vif(&ImagePair::plane([41, 43], &truth, &truth)?, 255.0)? - 1.0).abs() < 1e-6);
/// assert!(vif(&ImagePair::plane([41, 43], &faint, &truth)?, 255.0)? < 0.9);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn vif(pair: &ImagePair<'_>, range: f64) -> Score {
    check_range(range)?;
    let [depth, height, width] = pair.shape3();
    if height.min(width) < SMALLEST {
        return Err(too_small(&[height, width], SMALLEST));
    }
    let slices = pair.prediction().chunks_exact(height * width).zip(pair.truth().chunks_exact(height * width));
    let mut sum = 0.0;
    for (prediction, truth) in slices {
        sum += of_plane([height, width], prediction, truth, 255.0 / range)?;
    }
    Ok(sum / depth as f64)
}

fn of_plane(shape: [usize; 2], prediction: &[f64], truth: &[f64], scale: f64) -> Score {
    // The offset goes, so that variances keep their digits.
    let offset = truth.iter().sum::<f64>() / truth.len() as f64;
    let scaled = |image: &[f64]| image.iter().map(|value| (value - offset) * scale).collect::<Vec<f64>>();
    let (mut x, mut y, mut shape) = (scaled(prediction), scaled(truth), shape);
    let (mut kept, mut all) = (0.0, 0.0);
    for length in [17, 9, 5, 3] {
        let window = Window::gaussian(length, length as f64 / 5.0);
        if length < 17 {
            (_, x) = halved(shape, &x, &window);
            (shape, y) = halved(shape, &y, &window);
        }
        let images = Images { shape: [1, shape[0], shape[1]], axes: 2, x: &x, y: &y };
        let found = sum_of_local(images, &window, |x, y| [x, y, x * x, y * y, x * y], information);
        let ([kept_here, all_here], _) = found.ok_or_else(|| too_small(&shape, length))?;
        kept += kept_here;
        all += all_here;
    }
    if all == 0.0 { Err(Undefined::ZeroVariance { what: "reference image" }) } else { within_numbers(kept / all) }
}

/// Information about the scene that one place of the restored image and of the reference has.
fn information([x, y, xx, yy, xy]: [f64; 5]) -> [f64; 2] {
    let (restored, reference) = ((xx - x * x).max(0.0), (yy - y * y).max(0.0));
    let covariance = xy - x * y;
    if reference < TINY {
        return [0.0, 0.0];
    }
    let mut gain = covariance / (reference + TINY);
    let mut noise = restored - gain * covariance;
    if restored < TINY {
        (gain, noise) = (0.0, 0.0);
    }
    if gain < 0.0 {
        (gain, noise) = (0.0, restored);
    }
    let kept = 1.0 + gain * gain * reference / (noise.max(TINY) + NOISE);
    [kept.log10(), (1.0 + reference / NOISE).log10()]
}
