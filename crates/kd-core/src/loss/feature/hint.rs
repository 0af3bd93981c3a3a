//! Features matched as they are: hints, and features generated from what a mask has left of the student's.

use burn::tensor::Tensor;

use super::{FeatureLoss, Pairing, Taps};
use crate::loss::{Beside, reduce::total};

/// Computes half the squared distance of the features, summed over channels and positions, mean over samples.
///
/// `(1/N) Σ_n ½‖F_t − F_s‖²`. Put the paper's regressor, a [`Projection`](super::Projection), on the student's side.
///
/// # Shapes
/// Equal shapes; see [`FeatureLoss`].
///
/// # Policy
/// The divisor is the paper's, samples alone: the loss grows with map size and channels. A sample without a valid
/// position is not counted.
///
/// # Source
/// Romero et al. 2015, "FitNets", arXiv 1412.6550, equation 3.
///
/// # Deviations
/// One stage beside the other terms rather than a stage before them.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::{FeatureLoss, FitNetHint};
///
/// let device = Device::flex();
/// let student = Tensor::<2>::from_data([[1.0, 3.0], [0.0, 0.0]], &device);
/// assert_eq!(FitNetHint.forward(student.clone(), student.zeros_like(), None).into_scalar::<f32>(), 2.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FitNetHint;

impl<const D: usize> FeatureLoss<D> for FitNetHint {
    fn name(&self) -> &'static str {
        "hint"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Shape
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        squared_distance(Taps::new(self, student, beside)).mul_scalar(0.5)
    }
}

/// Computes the squared distance of generated features, summed over channels and positions, mean over samples.
///
/// `(1/N) Σ_n ‖F_t − G(M ⊙ F_s)‖²`: the student's side is what [`MaskedGeneration`](super::MaskedGeneration) gives.
///
/// # Shapes
/// Equal shapes; see [`FeatureLoss`].
///
/// # Policy
/// The divisor is the paper's, samples alone. Which positions the student must fill in is drawn by the caller; the mask
/// here says which count.
///
/// # Source
/// Yang et al. 2022, "Masked Generative Distillation", arXiv 2205.01529, equation 4.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::{FeatureLoss, GeneratedFeatures};
///
/// let generated = Tensor::<2>::from_data([[1.0, 3.0]], &Device::flex());
/// let value = GeneratedFeatures.forward(generated.clone(), generated.zeros_like(), None);
/// assert_eq!(value.into_scalar::<f32>(), 10.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratedFeatures;

impl<const D: usize> FeatureLoss<D> for GeneratedFeatures {
    fn name(&self) -> &'static str {
        "mgd"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Shape
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        squared_distance(Taps::new(self, student, beside))
    }
}

fn squared_distance(taps: Taps) -> Tensor<1> {
    let samples = taps.samples();
    let gap = taps.student - taps.teacher;
    total(gap.clone() * gap * taps.weight) / samples
}
