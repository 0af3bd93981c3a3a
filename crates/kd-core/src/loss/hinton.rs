//! The original distillation loss, in the form that keeps its gradient's size when the temperature changes.

use burn::tensor::Tensor;
use kd_kernels::nn::softmax_divergence;

use super::{
    Beside, DistillLoss, LossError,
    operands::{Operands, check_shapes},
    reduce::mean_over_valid,
};
use crate::temperature::Temperature;

/// Computes τ² times the Kullback–Leibler divergence of the student's softened softmax from the teacher's.
///
/// `τ² · mean_valid( Σ_k p_t,k · (log p_t,k − log p_s,k) )` with `log p = log_softmax(z / τ)` over the class axis:
/// teacher first, summed over classes, divided by the number of valid samples or pixels. Its gradient with respect to
/// a student logit is `τ·(p_s − p_t)` over that number.
///
/// # Shapes
/// As in [`DistillLoss`]: raw logits of equal shape, class axis 1 with at least 2 classes, mask `[batch, 1, …spatial]`.
///
/// # Policy
/// The factor τ² is always applied. Adding a constant to all logits of a position, on either side, changes nothing. 0
/// is reached where the two softmaxes agree. An all-zero mask gives 0.
///
/// # Panics
/// When shapes differ or the class axis is 1: a softmax over one class is 1 and the loss 0 for any student.
///
/// # Source
/// Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2 and 2.1.
///
/// # Deviations
/// None for `[batch, class]`; for maps the mean runs over valid pixels, which the source does not treat.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Temperature, loss::{DistillLoss, HintonKd}};
///
/// let device = Device::flex();
/// let student_logits = Tensor::<2>::from_data([[0.0, 0.0]], &device);
/// let teacher_logits = Tensor::<2>::from_data([[3f32.ln(), 0.0]], &device); // probabilities 3/4, 1/4
///
/// let loss = HintonKd::new(Temperature::new(1.0)?);
/// let value = loss.forward(student_logits, teacher_logits, None).into_scalar::<f32>();
/// let by_hand = 0.75 * (0.75f32 / 0.5).ln() + 0.25 * (0.25f32 / 0.5).ln();
/// assert!((value - by_hand).abs() < 1e-6); // 0.13081
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HintonKd {
    temperature: Temperature,
}

impl HintonKd {
    /// Makes the loss for one temperature, which softens both sides.
    #[must_use]
    pub fn new(temperature: Temperature) -> Self {
        Self { temperature }
    }

    /// Divergence per position, summed over classes, of logits that are multiplied by `factor` first.
    pub(super) fn divergence<const D: usize>(student: Tensor<D>, teacher: Tensor<D>, factor: f64) -> Tensor<D> {
        softmax_divergence(student, teacher, factor)
    }
}

impl<const D: usize> DistillLoss<D> for HintonKd {
    fn name(&self) -> &'static str {
        "hinton"
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_softmax("hinton", student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let Operands { student, teacher, mask, .. } = Operands::new(self, student_logits, beside);
        let divergence = Self::divergence(student, teacher, 1.0 / self.temperature.get());
        mean_over_valid(divergence, mask).mul_scalar(self.temperature.squared())
    }
}

/// The shape rules, and at least two classes.
pub(super) fn check_softmax(
    loss: &'static str,
    student: &[usize],
    teacher: &[usize],
    mask: Option<&[usize]>,
) -> Result<(), LossError> {
    check_shapes(student, teacher, mask)?;
    if student[1] < 2 { Err(LossError::TooFewClasses { loss, found: student[1] }) } else { Ok(()) }
}
