//! Multi-level logit distillation: predictions, and the relations between samples and between classes, at several
//! temperatures.

use burn::tensor::{Tensor, activation::log_softmax};

use super::{
    Beside, DistillLoss, LossError,
    hinton::check_softmax,
    operands::{Flat, Operands},
    reduce::{mean_over_valid, ratio_or_zero, total},
};
use crate::temperature::Temperature;

/// Computes, summed over temperatures, Hinton's loss plus the distance of the Gram matrices over samples and over
/// classes.
///
/// For each whole τ from `lowest` to `highest`, with `P = softmax(z / τ)`, `[sample, class]`:
/// `τ²·mean_valid(KL) + (1/N)‖P_s P_sᵀ − P_t P_tᵀ‖²_F + (1/K)‖P_sᵀ P_s − P_tᵀ P_t‖²_F`.
///
/// # Shapes
/// Pooled logits `[batch, class]` with at least 2 classes: the matrix over samples is N × N.
///
/// # Policy
/// The two relation terms keep their paper's divisors (valid samples, classes) and have no τ². Both depend on the batch
/// size; the one over classes grows with its square.
///
/// # Panics
/// When shapes differ, on dense logits, or when the class axis is 1.
///
/// # Source
/// Jin, Wang, Lin 2023, "Multi-Level Logit Distillation", CVPR, equations 3, 6 and 8; the published code has the
/// temperatures 2 to 6.
///
/// # Deviations
/// One view instead of a weak and a strong one; no mask by confidence, which in the published code selects nothing.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::{DistillLoss, MultiLevel};
///
/// let device = Device::flex();
/// let even = Tensor::<2>::from_data([[0.0, 0.0]], &device);
/// let sure = Tensor::<2>::from_data([[90.0, 0.0]], &device);
/// // One sample, τ = 1: KL = ln 2, (½ − 1)² over samples, (¾² + ¼² + ¼² + ¼²)/2 over classes.
/// let value = MultiLevel::new(1, 1)?.forward(even, sure, None).into_scalar::<f32>();
/// assert!((value - (2f32.ln() + 0.25 + 0.375)).abs() < 1e-5);
/// # Ok::<(), kd_core::loss::LossError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultiLevel {
    lowest: u32,
    highest: u32,
}

impl MultiLevel {
    /// Makes the loss for the whole temperatures from `lowest` to `highest`, both included.
    ///
    /// # Errors
    /// [`LossError::Number`] unless 1 ≤ lowest ≤ highest ≤ 100.
    pub fn new(lowest: u32, highest: u32) -> Result<Self, LossError> {
        if lowest >= 1 && lowest <= highest && f64::from(highest) <= Temperature::MAX {
            return Ok(Self { lowest, highest });
        }
        let (what, found) = if lowest >= 1 { ("highest", highest) } else { ("lowest", lowest) };
        let expected = "whole, with 1 ≤ lowest ≤ highest ≤ 100";
        Err(LossError::Number { loss: "multi-level", what, expected, found: f64::from(found) })
    }
}

impl<const D: usize> DistillLoss<D> for MultiLevel {
    fn name(&self) -> &'static str {
        "multi-level"
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        if student.len() > 2 {
            return Err(LossError::Rank { found: student.to_vec() });
        }
        check_softmax("multi-level", student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let Flat { student, teacher, weight, .. } = Operands::new(self, student_logits, beside).flat();
        let [batch, classes, _] = student.dims();
        let (student, teacher) = (student.reshape([batch, classes]), teacher.reshape([batch, classes]));
        let weight = weight.reshape([batch, 1]);
        // Weights enter both matrices as copies of a sample would.
        let root = weight.clone().sqrt();
        let levels = (self.lowest..=self.highest).map(|tau| {
            let soft = |logits: &Tensor<2>| log_softmax(logits.clone().mul_scalar(1.0 / f64::from(tau)), 1);
            let (log_s, log_t) = (soft(&student), soft(&teacher));
            let (s, t) = (log_s.clone().exp(), log_t.clone().exp());
            let divergence = mean_over_valid((t.clone() * (log_t - log_s)).sum_dim(1), Some(weight.clone()));
            let (s, t) = (s * root.clone(), t * root.clone());
            let samples = s.clone().matmul(s.clone().transpose()) - t.clone().matmul(t.clone().transpose());
            let samples = ratio_or_zero(total(samples.clone() * samples), total(weight.clone()));
            let between = s.clone().transpose().matmul(s) - t.clone().transpose().matmul(t);
            let between = total(between.clone() * between).mul_scalar(1.0 / classes as f64);
            divergence.mul_scalar(f64::from(tau * tau)) + samples + between
        });
        levels.reduce(|a, b| a + b).expect("lowest is at most highest")
    }
}
