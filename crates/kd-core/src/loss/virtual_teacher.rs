//! A teacher made up from the label alone: the control for "did the teacher's knowledge help, or only softness?"

use burn::tensor::Tensor;

use super::{
    Beside, DistillLoss, HintonKd, LossError,
    hinton::check_softmax,
    operands::{Flat, Operands},
    reduce::mean_over_valid,
};
use crate::temperature::Temperature;

/// Computes Hinton's loss against a made-up teacher that gives the label probability a and shares the rest evenly.
///
/// `τ²·mean_valid( KL(softmax(z_v / τ) ‖ softmax(z_s / τ)) )` with `z_v = ln a` at the label and `ln((1−a)/(K−1))`
/// elsewhere. The true teacher's logits are not looked at.
///
/// # Shapes
/// As in [`DistillLoss`]: at least 2 classes, labels `[batch, 1, …spatial]`.
///
/// # Policy
/// A control arm: a distillation loss that does no better than this one has carried no knowledge of the teacher. It is
/// label smoothing at a temperature. A position without a label is left out.
///
/// # Panics
/// When shapes differ, labels are missing or the class axis is 1.
///
/// # Source
/// Yuan et al. 2020, "Revisiting Knowledge Distillation via Label Smoothing Regularization", arXiv 1909.11723,
/// section 4.2 (Tf-KD with a regularising teacher).
///
/// # Deviations
/// The made-up teacher is softened as a teacher is, through its logits; the published code divides its probabilities by
/// τ and softens those.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::{Temperature, loss::{Beside, DistillLoss, VirtualTeacher}};
///
/// let device = Device::flex();
/// let student = Tensor::<2>::from_data([[0.0, 0.0, 0.0]], &device);
/// let label = Tensor::<2, Int>::from_data([[1]], &device);
/// let loss = VirtualTeacher::new(Temperature::new(1.0)?, 0.8)?;
/// let beside = Beside::new(student.clone()).with_labels(Some(label));
/// let value = loss.evaluate(student, beside).into_scalar::<f32>();
/// assert!((value - (0.8 * 2.4f32.ln() + 0.2 * 0.3f32.ln())).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VirtualTeacher {
    temperature: Temperature,
    probability: f64,
}

impl VirtualTeacher {
    /// Makes the loss; `probability` is a.
    ///
    /// # Errors
    /// [`LossError::Number`] unless 0 < a < 1.
    pub fn new(temperature: Temperature, probability: f64) -> Result<Self, LossError> {
        if probability > 0.0 && probability < 1.0 {
            return Ok(Self { temperature, probability });
        }
        let expected = "above 0 and below 1";
        Err(LossError::Number { loss: "virtual-teacher", what: "probability", expected, found: probability })
    }
}

impl<const D: usize> DistillLoss<D> for VirtualTeacher {
    fn name(&self) -> &'static str {
        "virtual-teacher"
    }

    fn needs_labels(&self) -> bool {
        true
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_softmax("virtual-teacher", student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let flat = Operands::new(self, student_logits, beside).flat();
        let classes = flat.student.dims()[1];
        let is_target = flat.one_hot(classes);
        let Flat { student, teacher, weight, .. } = flat;
        let other = ((1.0 - self.probability) / (classes - 1) as f64).ln();
        let teacher = teacher.full_like(other).mask_fill(is_target, self.probability.ln());
        let divergence = HintonKd::divergence(student, teacher, 1.0 / self.temperature.get());
        mean_over_valid(divergence, Some(weight)).mul_scalar(self.temperature.squared())
    }
}
