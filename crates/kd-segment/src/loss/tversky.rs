//! The Tversky loss.

use burn::tensor::Tensor;

use super::sums::{Sums, mean_shortfall};

/// Computes 1 − the mean over foreground classes of `TP / (TP + α FP + β FN)` with `TP = Σ p t`, `FP = Σ p (1 − t)`,
/// `FN = Σ (1 − p) t`: β above α asks for small structures to be found at the price of false alarms.
///
/// # Shapes
/// As [`soft_dice`](super::soft_dice).
///
/// # Policy
/// As [`soft_dice`](super::soft_dice), which it is for α = β = ½: background left out, sums over the batch, classes that the
/// truth does not show left out of the mean.
///
/// # Panics
/// When shapes do not fit.
///
/// # Source
/// Salehi, Erdogmus and Gholipour 2017, arXiv 1706.05721, equation 3 (there for one class).
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_segment::loss::tversky;
/// let device = Device::flex();
/// let probabilities = Tensor::<3>::from_data([[[0.4, 0.75], [0.6, 0.25]]], &device);
/// let truth = Tensor::<3>::from_data([[[0.0, 1.0], [1.0, 0.0]]], &device);
/// // TP .6, FP .25, FN .4.
/// let loss = tversky(probabilities, truth, None, 0.3, 0.7).into_scalar::<f32>();
/// assert!((loss - (1.0 - 0.6 / (0.6 + 0.3 * 0.25 + 0.7 * 0.4))).abs() < 1e-6);
/// ```
pub fn tversky<const R: usize>(
    probabilities: Tensor<R>,
    truth: Tensor<R>,
    mask: Option<Tensor<R>>,
    alpha: f64,
    beta: f64,
) -> Tensor<1> {
    let Sums { both, named, found } = Sums::new("Tversky", probabilities, truth, mask).foreground();
    let shown = found.clone().greater_elem(0.0).float().cast(found.dtype());
    let divisor = both.clone().mul_scalar(1.0 - alpha - beta) + named.mul_scalar(alpha) + found.mul_scalar(beta);
    mean_shortfall(both, divisor, shown)
}
