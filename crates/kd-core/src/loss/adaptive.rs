//! A temperature of its own for every sample or pixel, chosen by how sure the teacher is there.
//!
//! A teacher that is sure hides what it knows of the other classes behind one large logit and has to be softened more
//! than one that is not.

use burn::tensor::{Tensor, activation::log_softmax};

use super::{
    Beside, DistillLoss, HintonKd, LossError,
    hinton::check_softmax,
    operands::{Flat, Operands},
    reduce::mean_over_valid,
};
use crate::temperature::Temperature;

/// What "sure" means: 0 for an even distribution, 1 for a certain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// `1 − H(p) / ln K`, the entropy of the whole answer.
    Entropy,
    /// `(max p − 1/K) / (1 − 1/K)`, the largest probability alone.
    Confidence,
}

/// Computes Hinton's loss with a temperature per position, between `lowest` and `highest` by the teacher's certainty.
///
/// `mean_valid( τ_i² · KL(softmax(z_t/τ_i) ‖ softmax(z_s/τ_i)) )` with `τ_i = lowest + (highest − lowest)·c_i`, where
/// `c_i` is the [`Certainty`] of the teacher's unsoftened softmax at position i.
///
/// # Shapes
/// As in [`DistillLoss`]: at least 2 classes.
///
/// # Policy
/// Both sides share τ_i, and τ_i² stands inside the mean, so every position's gradient keeps its size. The student has no
/// part in the choice, and no gradient goes through it. `lowest = highest` is [`HintonKd`].
///
/// # Panics
/// When shapes differ or the class axis is 1.
///
/// # Source
/// Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2, for the loss.
///
/// # Deviations
/// The linear rule from certainty to temperature is ours; published rules differ among themselves.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Temperature, loss::{AdaptiveHinton, Certainty, DistillLoss, HintonKd}};
///
/// let device = Device::flex();
/// let student = Tensor::<2>::from_data([[0.0, 1.0]], &device);
/// let undecided = Tensor::<2>::from_data([[0.0, 0.0]], &device); // certainty 0: the lowest temperature
/// let (low, high) = (Temperature::new(2.0)?, Temperature::new(6.0)?);
/// let adaptive = AdaptiveHinton::new(Certainty::Entropy, low, high);
/// let found = adaptive.forward(student.clone(), undecided.clone(), None).into_scalar::<f32>();
/// let expected = HintonKd::new(low).forward(student, undecided, None).into_scalar::<f32>();
/// assert!((found - expected).abs() < 1e-6);
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveHinton {
    certainty: Certainty,
    lowest: Temperature,
    highest: Temperature,
}

impl AdaptiveHinton {
    /// Makes the loss; `highest` may be below `lowest`, which softens an unsure teacher more.
    #[must_use]
    pub fn new(certainty: Certainty, lowest: Temperature, highest: Temperature) -> Self {
        Self { certainty, lowest, highest }
    }

    /// τ of every position, `[batch, 1, position]`, from raw teacher logits.
    fn temperatures(&self, teacher: Tensor<3>) -> Tensor<3> {
        let classes = teacher.dims()[1] as f64;
        let log_p = log_softmax(teacher, 1);
        let p = log_p.clone().exp();
        let certainty = match self.certainty {
            Certainty::Entropy => (p * log_p).sum_dim(1).mul_scalar(1.0 / classes.ln()).add_scalar(1.0),
            Certainty::Confidence => p.max_dim(1).add_scalar(-1.0 / classes).mul_scalar(classes / (classes - 1.0)),
        };
        let (lowest, highest) = (self.lowest.get(), self.highest.get());
        certainty.clamp(0.0, 1.0).mul_scalar(highest - lowest).add_scalar(lowest)
    }
}

impl<const D: usize> DistillLoss<D> for AdaptiveHinton {
    fn name(&self) -> &'static str {
        "adaptive-hinton"
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_softmax("adaptive-hinton", student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let Flat { student, teacher, weight, .. } = Operands::new(self, student_logits, beside).flat();
        let tau = self.temperatures(teacher.clone());
        let divergence = HintonKd::divergence(student / tau.clone(), teacher / tau.clone(), 1.0);
        mean_over_valid(divergence * tau.clone() * tau, Some(weight))
    }
}
