//! Normalised distillation: the label's class weighted by the teacher's trust, and the other classes among themselves.

use burn::tensor::{Tensor, activation::log_softmax};

use super::{
    Beside, DistillLoss, LossError,
    dkd::check_three,
    operands::Operands,
    reduce::mean_over_valid,
    target::{shares_of_others, split},
};
use crate::temperature::Temperature;

/// Computes the target term without temperature plus γτ² times the cross-entropy among the other classes.
///
/// `mean_valid( −p_t,y · log p_s,y − γ·τ² · Σ_{k≠y} p̂_t,k · log p̂_s,k )`: `p = softmax(z)` in the first term; `p̂` is
/// the softmax of `z / τ` over the classes other than the label y.
///
/// # Shapes
/// As in [`DistillLoss`]: at least 3 classes, labels `[batch, 1, …spatial]`.
///
/// # Policy
/// γ has no default. The first term has no temperature and no τ². Neither value nor gradient is 0 where student and
/// teacher agree: the first term still pulls the label's probability to 1, and the second has the entropy of the
/// teacher as floor. A position without a label is left out.
///
/// # Panics
/// When shapes differ, labels are missing or there are fewer than 3 classes.
///
/// # Source
/// Yang et al. 2023, "From Knowledge Distillation to Self-Knowledge Distillation", arXiv 2303.13005, equation 8.
///
/// # Deviations
/// None for `[batch, class]`; for maps the mean runs over valid pixels.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::{Temperature, loss::{Beside, DistillLoss, Nkd}};
///
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_data([[0.0, 0.0, 0.0]], &device);
/// let label = Tensor::<2, Int>::from_data([[0]], &device);
/// let loss = Nkd::new(Temperature::new(1.0)?, 1.5);
/// let value = loss.evaluate(logits.clone(), Beside::new(logits).with_labels(Some(label))).into_scalar::<f32>();
/// assert!((value - (3f32.ln() / 3.0 + 1.5 * 2f32.ln())).abs() < 1e-6);
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nkd {
    temperature: Temperature,
    gamma: f64,
}

impl Nkd {
    /// Makes the loss; `gamma` weighs the non-target part.
    #[must_use]
    pub fn new(temperature: Temperature, gamma: f64) -> Self {
        Self { temperature, gamma }
    }
}

impl<const D: usize> DistillLoss<D> for Nkd {
    fn name(&self) -> &'static str {
        "nkd"
    }

    fn needs_labels(&self) -> bool {
        true
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_three("nkd", student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let flat = Operands::new(self, student_logits, beside).flat();
        let is_target = flat.one_hot(flat.student.dims()[1]);
        let of_target =
            |logits: Tensor<3>| log_softmax(logits, 1).mask_fill(is_target.clone().bool_not(), 0.0).sum_dim(1);
        let target = of_target(flat.teacher.clone()).exp() * of_target(flat.student.clone());
        let softened = |logits: Tensor<3>| split(logits.mul_scalar(1.0 / self.temperature.get()), &is_target);
        let (student, teacher) = (softened(flat.student), softened(flat.teacher));
        let others = (shares_of_others(&teacher, &is_target) * student.among_others).sum_dim(1);
        let loss_map = target + others.mul_scalar(self.gamma * self.temperature.squared());
        mean_over_valid(loss_map.neg(), Some(flat.weight))
    }
}
