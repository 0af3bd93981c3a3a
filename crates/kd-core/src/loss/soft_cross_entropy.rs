//! Cross-entropy against the teacher's probabilities: Hinton's gradient on a curve with another floor.

use burn::tensor::{Tensor, activation::log_softmax};

use super::{Beside, DistillLoss, LossError, hinton::check_softmax, operands::Operands, reduce::mean_over_valid};
use crate::temperature::Temperature;

/// Computes τ² times the cross-entropy of the student's softened softmax against the teacher's.
///
/// `−τ² · mean_valid( Σ_k p_t,k · log p_s,k )` with `log p = log_softmax(z / τ)` over the class axis: summed over
/// classes, divided by the number of valid samples or pixels.
///
/// # Shapes
/// As in [`DistillLoss`]: raw logits of equal shape, class axis 1 with at least 2 classes, mask `[batch, 1, …spatial]`.
///
/// # Policy
/// The factor τ² is always applied. The floor is not 0 but τ² times the mean entropy of the softened teacher, because
/// the loss is [`HintonKd`](super::HintonKd) plus that entropy. Gradients are equal; never put the two on one plot. An
/// all-zero mask gives 0.
///
/// # Panics
/// When shapes differ or the class axis is 1.
///
/// # Source
/// Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2 ("soft targets").
///
/// # Deviations
/// None for `[batch, class]`; for maps the mean runs over valid pixels, which the source does not treat.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Temperature, loss::{DistillLoss, SoftCrossEntropy}};
///
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_data([[0.0, 0.0]], &device);
/// let loss = SoftCrossEntropy::new(Temperature::new(1.0)?);
/// let floor = loss.forward(logits.clone(), logits, None).into_scalar::<f32>();
/// assert!((floor - 2f32.ln()).abs() < 1e-6); // entropy of a fair coin, not 0
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoftCrossEntropy {
    temperature: Temperature,
}

impl SoftCrossEntropy {
    /// Makes the loss for one temperature, which softens both sides.
    #[must_use]
    pub fn new(temperature: Temperature) -> Self {
        Self { temperature }
    }
}

impl<const D: usize> DistillLoss<D> for SoftCrossEntropy {
    fn name(&self) -> &'static str {
        "soft-cross-entropy"
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_softmax("soft-cross-entropy", student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let operands = Operands::new(self, student_logits, beside);
        let Operands { student, teacher, mask, .. } = operands.softened(self.temperature);
        let log_p_student = log_softmax(student, 1);
        let p_teacher = log_softmax(teacher, 1).exp();
        let cross_entropy = (p_teacher * log_p_student).sum_dim(1).neg();
        mean_over_valid(cross_entropy, mask).mul_scalar(self.temperature.squared())
    }
}
