//! Edge preservation: does the restored image change where the reference does.

use super::images::{ImagePair, varies, within_numbers};
use super::ssim::too_small;
use crate::undefined::{Score, Undefined};

/// Edge preservation index: correlation of the Laplacians of the two images, −1..1, higher is better.
///
/// # Policy
/// The Laplacian is the sum of second differences along the axes (4 neighbours on a plane, 6 in a volume), in steps of the grid
/// and not in mm, at points that have all their neighbours. Blur lowers it, and so does noise; an offset or a factor of the
/// intensities does not, so it stands beside an error, never alone.
///
/// # Errors
/// An axis of fewer than three points; an image whose Laplacian is the same everywhere, but for rounding (a ramp).
///
/// # Source
/// Sattar et al. 1997, Image enhancement based on a nonlinear multiscale method (there with a 3 × 3 high-pass filter).
///
/// # Example
/// ```
/// # use kd_metrics::{ImagePair, edge_preservation};
/// let truth: Vec<f64> = (0..30).map(|i| f64::from(i * i % 7)).collect();
/// let turned: Vec<f64> = truth.iter().map(|value| 5.0 - 2.0 * value).collect();
/// assert!((edge_preservation(&ImagePair::plane([5, 6], &truth, &truth)?)? - 1.0).abs() < 1e-12);
/// assert!((edge_preservation(&ImagePair::plane([5, 6], &turned, &truth)?)? + 1.0).abs() < 1e-12);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn edge_preservation(pair: &ImagePair<'_>) -> Score {
    if pair.shape().iter().any(|&points| points < 3) {
        return Err(too_small(pair.shape(), 3));
    }
    let (p, t) = (laplacian(pair, pair.prediction()), laplacian(pair, pair.truth()));
    for (laplacian, image, what) in
        [(&p, pair.prediction(), "Laplacian of the prediction"), (&t, pair.truth(), "Laplacian of the truth")]
    {
        if !varies(laplacian, image) {
            return Err(Undefined::ZeroVariance { what });
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (p_mean, t_mean) = (mean(&p), mean(&t));
    let (mut pp, mut tt, mut pt) = (0.0, 0.0, 0.0);
    for (p, t) in p.iter().zip(&t) {
        let (p, t) = (p - p_mean, t - t_mean);
        pp += p * p;
        tt += t * t;
        pt += p * t;
    }
    within_numbers(pt / (pp.sqrt() * tt.sqrt()))
}

/// At inner points only.
fn laplacian(pair: &ImagePair<'_>, image: &[f64]) -> Vec<f64> {
    let [depth, height, width] = pair.shape3();
    let inner = |points: usize| 1..points - 1;
    let depths = if pair.axes() == 3 { inner(depth) } else { 0..depth };
    let strides = [width * height, width, 1];
    let mut out = Vec::new();
    for z in depths {
        for y in inner(height) {
            for x in inner(width) {
                let at = (z * height + y) * width + x;
                let neighbours = strides[3 - pair.axes()..].iter().map(|&step| image[at - step] + image[at + step]);
                out.push(neighbours.sum::<f64>() - 2.0 * pair.axes() as f64 * image[at]);
            }
        }
    }
    out
}
