//! Distillation that looks harder at the border between classes, where segmentations disagree.

use burn::tensor::Tensor;

use super::{BernoulliKd, Beside, DistillLoss, HintonKd, LossError, PixelWeights, Weighted};
use crate::{head::Head, temperature::Temperature};

/// Computes Hinton's or the Bernoulli loss as a weighted mean in which pixels near another class count more.
///
/// `τ² · Σ w_i·KL_i / Σ w_i` over valid pixels: `w = factor` where a labelled pixel of another class lies within
/// `radius` steps along every axis, 1 elsewhere. Softmax heads take Hinton's divergence, one channel Bernoulli's.
///
/// # Shapes
/// Dense logits `[batch, class, …spatial]`, labels `[batch, 1, …spatial]`.
///
/// # Policy
/// The window is a square or a cube in pixels, not in millimetres. `factor = 1` is the loss without weights. A pixel
/// without a label is left out, and makes no border.
///
/// # Panics
/// When shapes differ or labels are missing.
///
/// # Source
/// Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2, for the divergence.
///
/// # Deviations
/// Published boundary losses differ; the rule for the weights is ours.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::{Head, Temperature, loss::{Beside, BoundaryKd, DistillLoss}};
///
/// let device = Device::flex();
/// // Only the pixel far from the border differs: it has 1 of the 3 + 3 + 1 shares of weight.
/// let student = Tensor::<3>::from_data([[[0.0, 0.0, 0.0]]], &device);
/// let teacher = Tensor::<3>::from_data([[[0.0, 0.0, 3f32.ln()]]], &device);
/// let labels = Tensor::<3, Int>::from_data([[[1, 0, 0]]], &device);
/// let loss = BoundaryKd::new(Temperature::new(1.0)?, Head::OneChannel, 1, 3.0)?;
/// let value = loss.evaluate(student, Beside::new(teacher).with_labels(Some(labels))).into_scalar::<f32>();
/// assert!((value - 0.13081 / 7.0).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BoundaryKd<const D: usize> {
    weighted: Weighted<D>,
}

impl<const D: usize> BoundaryKd<D> {
    /// Makes the loss for a head.
    ///
    /// # Errors
    /// [`LossError::Number`] for a radius of 0 or a factor that is not finite and above 0.
    pub fn new(temperature: Temperature, head: Head, radius: usize, factor: f64) -> Result<Self, LossError> {
        let refuse = |what, expected, found| Err(LossError::Number { loss: "boundary", what, expected, found });
        if radius == 0 {
            return refuse("radius", "at least 1", 0.0);
        }
        if !(factor.is_finite() && factor > 0.0) {
            return refuse("factor", "a finite number above 0", factor);
        }
        let inner: Box<dyn DistillLoss<D>> = if head.is_bernoulli() {
            Box::new(BernoulliKd::new(temperature))
        } else {
            Box::new(HintonKd::new(temperature))
        };
        Ok(Self { weighted: Weighted::new(inner, PixelWeights::Boundary { radius, factor }) })
    }
}

impl<const D: usize> DistillLoss<D> for BoundaryKd<D> {
    fn name(&self) -> &'static str {
        "boundary"
    }

    fn needs_labels(&self) -> bool {
        true
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        if student.len() < 3 {
            return Err(LossError::Rank { found: student.to_vec() });
        }
        self.weighted.check(student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        self.weighted.evaluate(student_logits, beside)
    }
}
