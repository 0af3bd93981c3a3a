//! Decoupled distillation: how sure the teacher is, and what it says about the other classes, weighted apart.
//!
//! In Hinton's loss the second part is multiplied by the teacher's doubt, so a sure teacher teaches little of it.

use burn::tensor::Tensor;

use super::{
    Beside, DistillLoss, LossError,
    operands::{Operands, check_shapes},
    reduce::mean_over_valid,
    target::{shares_of_others, split},
};
use crate::temperature::Temperature;

/// Computes τ² times the weighted sum of target-class and non-target-class divergence.
///
/// `τ² · mean_valid( α·TCKD + β·NCKD )` with `p = softmax(z / τ)` and label y. TCKD is the divergence between
/// `(p_y, 1 − p_y)` of teacher and student; NCKD the divergence between their distributions over the classes other than
/// y, renormalised. Both are summed over classes and divided by the number of valid samples or pixels.
///
/// # Shapes
/// As in [`DistillLoss`]: at least 3 classes, labels `[batch, 1, …spatial]`.
///
/// # Policy
/// α and β have no default. `KL = TCKD + (1 − p_t,y)·NCKD`, so Hinton's loss is this one with β replaced by the
/// teacher's doubt. A position without a label is left out. The published warm-up is the term's ramp.
///
/// # Panics
/// When shapes differ, labels are missing or there are fewer than 3 classes: with two, NCKD is 0 for any student.
///
/// # Source
/// Zhao et al. 2022, "Decoupled Knowledge Distillation", arXiv 2203.08679, equations 5 to 7 and 10.
///
/// # Deviations
/// The logarithm of the others' share is a log-sum-exp, not the logarithm of a sum of probabilities.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::{Temperature, loss::{Beside, DistillLoss, Dkd}};
///
/// let device = Device::flex();
/// let student = Tensor::<2>::from_data([[0.0, 0.0, 0.0]], &device);
/// let teacher = Tensor::<2>::from_data([[0.0, 3f32.ln(), 0.0]], &device); // probabilities .2 .6 .2
/// let label = Tensor::<2, Int>::from_data([[0]], &device);
/// let loss = Dkd::new(Temperature::new(1.0)?, 1.0, 2.0);
/// let value = loss.evaluate(student, Beside::new(teacher).with_labels(Some(label))).into_scalar::<f32>();
/// let tckd = 0.2 * (0.2f32 * 3.0).ln() + 0.8 * (0.8f32 * 1.5).ln();
/// let nckd = 0.75 * (0.75f32 * 2.0).ln() + 0.25 * (0.25f32 * 2.0).ln();
/// assert!((value - (tckd + 2.0 * nckd)).abs() < 1e-6);
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dkd {
    temperature: Temperature,
    alpha: f64,
    beta: f64,
}

impl Dkd {
    /// Makes the loss; `alpha` weighs the target part, `beta` the non-target part.
    #[must_use]
    pub fn new(temperature: Temperature, alpha: f64, beta: f64) -> Self {
        Self { temperature, alpha, beta }
    }
}

impl<const D: usize> DistillLoss<D> for Dkd {
    fn name(&self) -> &'static str {
        "dkd"
    }

    fn needs_labels(&self) -> bool {
        true
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_three("dkd", student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let flat = Operands::new(self, student_logits, beside).softened(self.temperature).flat();
        let is_target = flat.one_hot(flat.student.dims()[1]);
        let student = split(flat.student, &is_target);
        let teacher = split(flat.teacher, &is_target);
        let among = shares_of_others(&teacher, &is_target) * (teacher.among_others - student.among_others);
        let target = teacher.target.clone().exp() * (teacher.target - student.target)
            + teacher.others.clone().exp() * (teacher.others - student.others);
        let loss_map = target.mul_scalar(self.alpha) + among.sum_dim(1).mul_scalar(self.beta);
        mean_over_valid(loss_map, Some(flat.weight)).mul_scalar(self.temperature.squared())
    }
}

/// The shape rules, and at least three classes.
pub(super) fn check_three(
    loss: &'static str,
    student: &[usize],
    teacher: &[usize],
    mask: Option<&[usize]>,
) -> Result<(), LossError> {
    check_shapes(student, teacher, mask)?;
    if student[1] < 3 { Err(LossError::FewerThanThree { loss, found: student[1] }) } else { Ok(()) }
}
