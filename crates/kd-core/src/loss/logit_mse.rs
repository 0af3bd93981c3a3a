//! Matching the logits themselves, without a softmax between.

use burn::tensor::Tensor;

use super::{Beside, DistillLoss, LossError, hinton::check_softmax, operands::Operands, operands::check_shapes};
use crate::loss::reduce::mean_over_valid;

/// Computes half the squared distance between the logits of student and teacher.
///
/// `mean_valid( ½ Σ_k (z_s,k − z_t,k)² )`: summed over classes, divided by the number of valid samples or pixels. With
/// `centered`, the mean of a position's logits over the classes is taken off each side first.
///
/// # Shapes
/// As in [`DistillLoss`]: raw logits of equal shape, class axis 1, mask `[batch, 1, …spatial]`; at least 2 classes if
/// centered.
///
/// # Policy
/// No temperature and no τ². `centered` must be chosen: without it a constant added to all logits, which no softmax can
/// see, is punished; with it that constant is free, and on independent labels it would be a wrong freedom. The scale
/// goes with the square of the logits, so a confident teacher weighs more. An all-zero mask gives 0.
///
/// # Panics
/// When shapes differ, or when centered and the class axis is 1, where every centered logit is 0.
///
/// # Source
/// Ba and Caruana 2014, arXiv 1312.6184, equation 1. Centering: Hinton, Vinyals, Dean 2015, arXiv 1503.02531,
/// section 2.1, whose high-temperature limit is this loss, centered, divided by the number of classes.
///
/// # Deviations
/// None for `[batch, class]`; for maps the mean runs over valid pixels.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::{DistillLoss, LogitMse};
///
/// let device = Device::flex();
/// let student_logits = Tensor::<2>::from_data([[1.0, 3.0]], &device);
/// let teacher_logits = Tensor::<2>::from_data([[0.0, 0.0]], &device);
/// let plain = LogitMse::new(false).forward(student_logits.clone(), teacher_logits.clone(), None);
/// let centered = LogitMse::new(true).forward(student_logits, teacher_logits, None);
/// assert_eq!(plain.into_scalar::<f32>(), 5.0); // ½ (1 + 9)
/// assert_eq!(centered.into_scalar::<f32>(), 1.0); // ½ (1 + 1)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogitMse {
    centered: bool,
}

impl LogitMse {
    /// Makes the loss; `centered` takes the mean over classes off both sides.
    #[must_use]
    pub fn new(centered: bool) -> Self {
        Self { centered }
    }
}

impl<const D: usize> DistillLoss<D> for LogitMse {
    fn name(&self) -> &'static str {
        "logit-mse"
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        if self.centered {
            check_softmax("logit-mse with centered = true", student, teacher, mask)
        } else {
            check_shapes(student, teacher, mask)
        }
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let Operands { student, teacher, mask, .. } = Operands::new(self, student_logits, beside);
        let mut difference = student - teacher;
        if self.centered {
            // Centering is linear: centering the difference is centering both sides.
            difference = difference.clone() - difference.mean_dim(1);
        }
        let half_square = (difference.clone() * difference).sum_dim(1).mul_scalar(0.5);
        mean_over_valid(half_square, mask)
    }
}
