//! PKD: features matched up to location and scale per channel, which makes different architectures comparable.

use burn::tensor::Tensor;

use super::{FeatureLoss, Pairing, Taps};
use crate::loss::{Beside, correlation::correlation, reduce::total};

/// Computes one minus Pearson's correlation over batch and positions, mean over channels.
///
/// `(1/C) Σ_c [1 − ρ_c]`; ρ_c runs over all valid positions of all samples of channel c. It equals half the mean squared
/// distance of features that are standardised per channel.
///
/// # Shapes
/// Equal shapes; see [`FeatureLoss`].
///
/// # Policy
/// The divisor is the paper's. Depends on the batch. A channel that is constant on one side counts as uncorrelated, 1.
/// With a mask that hides everything the loss is 0.
///
/// # Source
/// Cao et al. 2022, "PKD", arXiv 2207.02039, equations 2 to 5.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::{FeatureLoss, PearsonFeatures};
///
/// let device = Device::flex();
/// let student = Tensor::<2>::from_data([[0.0], [1.0], [2.0]], &device);
/// let falling = student.clone().mul_scalar(-3.0).add_scalar(7.0);
/// assert!((PearsonFeatures.forward(student, falling, None).into_scalar::<f32>() - 2.0).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PearsonFeatures;

impl<const D: usize> FeatureLoss<D> for PearsonFeatures {
    fn name(&self) -> &'static str {
        "pkd"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Shape
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let Taps { student, teacher, weight, .. } = Taps::new(self, student, beside);
        let [batch, channels, positions] = student.dims();
        let rows = |features: Tensor<3>| features.swap_dims(0, 1).reshape([channels, batch * positions]);
        let weight = weight.reshape([1, batch * positions]);
        let anything_valid = total(weight.clone()).greater_elem(0.0).float().cast(weight.dtype());
        let apart = correlation(rows(student), rows(teacher), &weight).neg().add_scalar(1.0);
        total(apart).mul_scalar(1.0 / channels as f64) * anything_valid
    }
}
