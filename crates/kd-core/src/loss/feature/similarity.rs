//! Similarity-preserving distillation: samples that look alike to the teacher look alike to the student.

use burn::tensor::Tensor;

use super::{FeatureLoss, Pairing, Taps};
use crate::loss::{Beside, correlation::unit, reduce::total};

/// Computes the squared distance of the row-normalised Gram matrices over samples, divided by N².
///
/// `(1/N²)‖G_s − G_t‖²_F`, `G = A Aᵀ` with one row of A per sample (channels and positions), rows of G divided by their
/// Euclidean norm.
///
/// # Shapes
/// Equal batch; channels and map size may differ; see [`FeatureLoss`].
///
/// # Policy
/// The divisor is the paper's; the loss depends on the batch. N counts samples with a valid position. A mask that is not
/// one number per sample must fit both maps.
///
/// # Source
/// Tung and Mori 2019, arXiv 1907.09682, equations 1 to 4.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::{FeatureLoss, SimilarityPreserving};
///
/// let device = Device::flex();
/// let apart = Tensor::<2>::from_data([[1.0, 0.0], [0.0, 1.0]], &device); // G = identity
/// let alike = Tensor::<2>::from_data([[1.0, 0.0], [1.0, 0.0]], &device); // G = √½ everywhere
/// let value = SimilarityPreserving.forward(apart, alike, None).into_scalar::<f32>();
/// let half = 0.5f32.sqrt();
/// assert!((value - (2.0 * (1.0 - half).powi(2) + 2.0 * 0.5) / 4.0).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimilarityPreserving;

impl<const D: usize> FeatureLoss<D> for SimilarityPreserving {
    fn name(&self) -> &'static str {
        "similarity-preserving"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Batch
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let taps = Taps::new(self, student, beside);
        let samples = taps.samples();
        let gram = |features: Tensor<3>, weight: Tensor<3>| {
            let [batch, channels, positions] = features.dims();
            let rows = (features * weight.sqrt()).reshape([batch, channels * positions]);
            unit(rows.clone().matmul(rows.transpose()), 1)
        };
        let gap = gram(taps.student, taps.weight) - gram(taps.teacher, taps.teacher_weight);
        total(gap.clone() * gap) / (samples.clone() * samples)
    }
}
