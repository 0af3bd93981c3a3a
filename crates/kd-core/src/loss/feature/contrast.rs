//! Contrast within the batch: a sample's student embedding finds its own teacher embedding among all.

use burn::tensor::{Tensor, activation::log_softmax};

use super::{FeatureLoss, Pairing, Taps};
use crate::loss::{Beside, correlation::unit, reduce::mean_over_valid, target::ABSENT};
use crate::temperature::Temperature;

/// Computes the cross-entropy of recognising the own partner by cosine, both ways, mean over samples.
///
/// `−(1/2N) Σ_i [log softmax_j(s_i·t_j/τ)_i + log softmax_j(s_j·t_i/τ)_i]` with s and t of unit length.
///
/// # Shapes
/// Equal shapes (all axes of a sample are one vector); see [`FeatureLoss`]. Put a
/// [`Projection`](super::Projection) on the student's side.
///
/// # Policy
/// The floor is not 0, and agreement with the teacher does not make the gradient vanish: embeddings are pushed apart from
/// other samples'. Between 0 and ln N for aligned and for equal embeddings. The published τ is 0.07. Other samples of
/// the same class are taken as others.
///
/// # Source
/// Tian et al. 2020, "Contrastive Representation Distillation", arXiv 1910.10699; with the in-batch form of van den Oord
/// et al. 2018, arXiv 1807.03748, equation 4.
///
/// # Deviations
/// Negatives come from the batch, not from a memory of the data set; no constant is frozen from the first batch.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Temperature, loss::feature::{FeatureLoss, InBatchContrast}};
///
/// let equal = Tensor::<2>::from_data([[1.0, 0.0], [1.0, 0.0]], &Device::flex());
/// let loss = InBatchContrast::new(Temperature::new(0.07)?);
/// let value = loss.forward(equal.clone(), equal, None).into_scalar::<f32>();
/// assert!((value - 2f32.ln()).abs() < 1e-5); // nothing tells the two samples apart
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InBatchContrast {
    temperature: Temperature,
}

impl InBatchContrast {
    /// Makes the loss.
    #[must_use]
    pub fn new(temperature: Temperature) -> Self {
        Self { temperature }
    }
}

impl<const D: usize> FeatureLoss<D> for InBatchContrast {
    fn name(&self) -> &'static str {
        "in-batch-contrast"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Shape
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let taps = Taps::new(self, student, beside);
        let present = taps.present();
        let [batch, channels, positions] = taps.student.dims();
        let rows = |features: Tensor<3>| unit(features.reshape([batch, channels * positions]), 1);
        let cosines = rows(taps.student).matmul(rows(taps.teacher).transpose());
        let absent = present.clone().transpose().equal_elem(0.0).expand([batch, batch]);
        let own = Tensor::<2>::eye(batch, &present.device()).cast(present.dtype());
        let found = |similarity: Tensor<2>| {
            let log_p = log_softmax(similarity.mask_fill(absent.clone(), ABSENT), 1);
            (log_p * own.clone()).sum_dim(1)
        };
        let similarity = cosines.mul_scalar(1.0 / self.temperature.get());
        let both = found(similarity.clone()) + found(similarity.transpose());
        mean_over_valid(both.mul_scalar(-0.5), Some(present))
    }
}
