//! The focal loss.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use kd_core::loss::mean_over_valid;

/// Computes the mean over valid points of `−(1 − p)^γ log p`, p the probability of the point's class: points that are sure
/// and right count little, so a sea of easy background does not drown the rest.
///
/// # Shapes
/// `logits` `[batch, class, …spatial]`, softmax over two classes or more; one channel z counts as `(0, z)`. `classes`
/// `[batch, 1, …spatial]` with values from 0 to below the number of classes. `mask` `[batch, 1, …spatial]`. To `[1]`.
///
/// # Policy
/// The divisor is the number of valid points, not of foreground ones. γ = 0 is the cross-entropy; no class weights (`α`).
/// Nothing valid gives 0 with gradient 0.
///
/// # Panics
/// When shapes do not fit.
///
/// # Source
/// Lin et al. 2017, arXiv 1708.02002, equation 4.
///
/// # Deviations
/// A softmax instead of one sigmoid a class; the divisor in the source is the number of foreground anchors.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_segment::loss::focal;
/// let device = Device::flex();
/// let logits = Tensor::<3>::from_data([[[3f32.ln()]]], &device); // foreground ¾
/// let classes = Tensor::<3, Int>::from_data([[[1]]], &device);
/// let loss = focal(logits, classes, None, 2.0).into_scalar::<f32>();
/// assert!((loss - 0.25f32.powi(2) * (4f32 / 3.0).ln()).abs() < 1e-6);
/// ```
pub fn focal<const R: usize>(
    logits: Tensor<R>,
    classes: Tensor<R, Int>,
    mask: Option<Tensor<R>>,
    gamma: f64,
) -> Tensor<1> {
    let logits = if logits.dims()[1] == 1 { Tensor::cat(vec![logits.zeros_like(), logits], 1) } else { logits };
    let log_p = log_softmax(logits, 1).gather(1, classes);
    let loss = if gamma > 0.0 {
        // Of a sure point rounding may make 1 − p a hair negative, and a power of that is no number.
        let rest = log_p.clone().exp().neg().add_scalar(1.0).clamp_min(0.0);
        rest.powf_scalar(gamma) * log_p.neg()
    } else {
        log_p.neg()
    };
    let mask = mask.map(|mask| mask.inner().cast(loss.dtype()));
    mean_over_valid(loss, mask)
}
