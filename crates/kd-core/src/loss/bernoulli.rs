//! Distillation for heads whose logits are yes/no questions: one channel, several labels, cumulative ordinal logits.
//!
//! A softmax loss is silent on one channel, and the sigmoid options of published code sum only the positive half of the
//! divergence, which rewards a student for saying yes everywhere. Both halves stand here.

use burn::tensor::{
    Tensor,
    activation::{sigmoid, softplus_with_threshold},
};

use super::{Beside, DistillLoss, operands::Operands, reduce::mean_over_valid};
use crate::temperature::Temperature;

/// Computes τ² times the Kullback–Leibler divergence between the Bernoulli distributions of teacher and student.
///
/// `τ² · mean_valid( Σ_l [ q·log(q/p) + (1−q)·log((1−q)/(1−p)) ] )` with `q = σ(z_t/τ)` and `p = σ(z_s/τ)`: summed over
/// channels, divided by the number of valid samples or pixels. The logarithms are differences of softplus values, each
/// half keeping its own small numbers, so nothing overflows or cancels. Its gradient with respect to a student logit is
/// `τ·(p − q)` over the number of valid positions.
///
/// # Shapes
/// As in [`DistillLoss`]: raw logits of equal shape, one per channel on axis 1, mask `[batch, 1, …spatial]`.
///
/// # Policy
/// The factor τ² is always applied. Channels are summed, not averaged: with 14 labels the loss is that of 14 one-channel
/// heads together. 0 is reached at equal logits. An all-zero mask gives 0.
///
/// # Panics
/// When shapes differ.
///
/// # Source
/// The divergence of Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2, for two outcomes: it equals
/// [`HintonKd`](super::HintonKd) on the logits `(z, 0)`. For an ordinal head the channels are the cumulative logits
/// `P(class > k)`; their divergences are summed as if independent.
///
/// # Deviations
/// The source has no form for several labels or ordered classes; the sum over channels is ours.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Temperature, loss::{BernoulliKd, DistillLoss}};
///
/// let device = Device::flex();
/// let student_logits = Tensor::<2>::from_data([[0.0]], &device); // p = 1/2
/// let teacher_logits = Tensor::<2>::from_data([[3f32.ln()]], &device); // q = 3/4
/// let loss = BernoulliKd::new(Temperature::new(1.0)?);
/// let value = loss.forward(student_logits, teacher_logits, None).into_scalar::<f32>();
/// assert!((value - 0.13081).abs() < 1e-5);
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BernoulliKd {
    temperature: Temperature,
}

impl BernoulliKd {
    /// Makes the loss for one temperature, which softens both sides.
    #[must_use]
    pub fn new(temperature: Temperature) -> Self {
        Self { temperature }
    }
}

impl<const D: usize> DistillLoss<D> for BernoulliKd {
    fn name(&self) -> &'static str {
        "bernoulli"
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let operands = Operands::new(self, student_logits, beside);
        let Operands { student, teacher, mask, .. } = operands.softened(self.temperature);
        let positive = softplus(student.clone().neg()) - softplus(teacher.clone().neg()); // log q − log p
        let negative = softplus(student) - softplus(teacher.clone()); // log(1−q) − log(1−p)
        let divergence = sigmoid(teacher.clone()) * positive + sigmoid(teacher.neg()) * negative;
        mean_over_valid(divergence.sum_dim(1), mask).mul_scalar(self.temperature.squared())
    }
}

/// `log(1 + eˣ)`. Burn's default switches to x at 20, which is two parts in 10⁹ off: visible in `f64`.
pub(super) fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    softplus_with_threshold(x, 1.0, 40.0)
}
