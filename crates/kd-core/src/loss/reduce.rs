//! From a loss per position to one number: the mean over what is valid.
//!
//! Sums run per sample first and over the batch last. A single sum over a large tensor would be cut into pieces by
//! threads on the CPU backend, and then its last bits could change from run to run.

use burn::tensor::Tensor;

/// Averages a loss map over its valid positions: Σ m·ℓ / Σ m.
///
/// # Shapes
/// `loss_map` is `[batch, 1, …spatial]` with the classes already summed; `mask` the same or with spatial axes of
/// length 1. The result has shape `[1]`.
///
/// # Policy
/// Without a mask every position is valid. Pixels, not images, are averaged: an image with more valid pixels weighs
/// more. A mask without a valid position gives exactly 0, with gradient 0.
///
/// # Panics
/// When `mask` cannot be expanded to the shape of `loss_map`.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::mean_over_valid;
///
/// let device = Device::flex();
/// let losses = Tensor::<2>::from_data([[2.0], [4.0], [9.0]], &device);
/// let mask = Tensor::<2>::from_data([[1.0], [1.0], [0.0]], &device);
/// assert_eq!(mean_over_valid(losses, Some(mask)).into_scalar::<f32>(), 3.0);
/// ```
pub fn mean_over_valid<const D: usize>(loss_map: Tensor<D>, mask: Option<Tensor<D>>) -> Tensor<1> {
    match mask {
        None => {
            let positions: usize = loss_map.dims().iter().product();
            // As a product: Burn's gradient of a division by a scalar takes the reciprocal in single precision.
            total(loss_map).mul_scalar(1.0 / positions as f64)
        }
        Some(mask) => {
            let mask = mask.expand(loss_map.dims());
            ratio_or_zero(total(loss_map * mask.clone()), total(mask))
        }
    }
}

/// Numerator over denominator, and 0 where the denominator is 0 (the numerator is 0 there as well).
pub(super) fn ratio_or_zero(numerator: Tensor<1>, denominator: Tensor<1>) -> Tensor<1> {
    let nothing_valid = denominator.clone().equal_elem(0.0);
    numerator / denominator.mask_fill(nothing_valid, 1.0)
}

/// Sum of everything, per sample first.
pub(super) fn total<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let dims = tensor.dims();
    let per_sample = dims[1..].iter().product::<usize>();
    tensor.reshape([dims[0], per_sample]).sum_dim(1).sum()
}
