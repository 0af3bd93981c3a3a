//! Generalised Dice.

use burn::tensor::Tensor;

use super::sums::Sums;

/// Computes `1 − 2 Σ_c w_c Σ p t / Σ_c w_c Σ (p + t)` with `w_c = 1 / (Σ t)²`: a class of ten points weighs what one of ten
/// thousand does.
///
/// # Shapes
/// `probabilities` and `truth` `[batch, class, …spatial]` of equal shape, the background first. `mask`
/// `[batch, 1, …spatial]`. To `[1]`.
///
/// # Policy
/// - The background is one of the classes, as in the source.
/// - Sums run over the whole batch. A class that the truth does not show in the batch has weight 0, not infinity.
/// - Nothing valid gives 0 with gradient 0.
///
/// # Panics
/// When shapes do not fit.
///
/// # Source
/// Sudre et al. 2017, arXiv 1707.03237, section 2.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_segment::loss::generalized_dice;
/// let device = Device::flex();
/// // Three points, the last one foreground: weights 1/4 and 1.
/// let probabilities = Tensor::<3>::from_data([[[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]], &device);
/// let truth = Tensor::<3>::from_data([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]], &device);
/// let loss = generalized_dice(probabilities, truth, None).into_scalar::<f32>();
/// let by_hand = 1.0 - 2.0 * (1.5 / 4.0 + 1.0) / (3.5 / 4.0 + 2.5);
/// assert!((loss - by_hand).abs() < 1e-6);
/// ```
pub fn generalized_dice<const R: usize>(
    probabilities: Tensor<R>,
    truth: Tensor<R>,
    mask: Option<Tensor<R>>,
) -> Tensor<1> {
    let sums = Sums::new("generalised Dice", probabilities, truth, mask);
    let shown = sums.shown();
    let absent = shown.clone().equal_elem(0.0);
    let weights = shown.clone() / sums.found.clone().mask_fill(absent, 1.0).square();
    let overlap = (sums.both * weights.clone()).sum().mul_scalar(2.0);
    let all = ((sums.named + sums.found) * weights).sum();
    let nothing = shown.clone().sum().equal_elem(0.0);
    let share = overlap / all.mask_fill(nothing.clone(), 1.0);
    share.neg().add_scalar(1.0).mask_fill(nothing, 0.0)
}
