//! Logit standardisation: a transform that other losses take, not a loss of its own.
//!
//! It takes location and scale off both sides, so the student follows the teacher's order and proportions and keeps a
//! confidence of its own.

use burn::tensor::Tensor;

use super::{Beside, DistillLoss, LossError, dkd::check_three, operands::blank_invalid};

/// ε of the published code, here in squares under the root.
const EPSILON: f64 = 1e-7;

/// Takes the mean of a position's logits off and divides by their standard deviation.
///
/// `(z − z̄) / √(s² + ε²)` over the class axis, s² with divisor K − 1, ε = 10⁻⁷.
///
/// # Shapes
/// `[batch, class, …spatial]` to the same.
///
/// # Source
/// Sun et al. 2024, "Logit Standardization in Knowledge Distillation", arXiv 2403.01427, equation 10 and algorithm 1.
///
/// # Deviations
/// ε stands inside the root, so that the gradient at equal logits is finite.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::standardize;
///
/// let logits = Tensor::<2>::from_data([[1.0, 2.0, 3.0]], &Device::flex()); // mean 2, standard deviation 1
/// let found = standardize(logits).into_data().convert::<f32>().try_into_vec::<f32>().unwrap();
/// assert!((found[0] + 1.0).abs() < 1e-6 && found[1].abs() < 1e-6 && (found[2] - 1.0).abs() < 1e-6);
/// ```
#[must_use]
pub fn standardize<const D: usize>(logits: Tensor<D>) -> Tensor<D> {
    let degrees = logits.dims()[1].saturating_sub(1).max(1);
    let centered = logits.clone() - logits.mean_dim(1);
    let variance = (centered.clone() * centered.clone()).sum_dim(1).mul_scalar(1.0 / degrees as f64);
    centered / variance.add_scalar(EPSILON * EPSILON).sqrt()
}

/// Standardises the logits of both sides before a loss sees them.
///
/// # Policy
/// The hard-label loss beside it must see raw logits, and does: it is another term. Adding a constant to a side's logits
/// or multiplying them by a positive number changes nothing, up to ε.
///
/// # Panics
/// As the inner loss, and with fewer than 3 classes: two logits become (±0.71, ∓0.71) whatever they were.
///
/// # Source
/// Sun et al. 2024, arXiv 2403.01427, algorithm 1.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Temperature, loss::{DistillLoss, HintonKd, Standardized}};
///
/// let device = Device::flex();
/// let student = Tensor::<2>::from_data([[1.0, 2.0, 4.0]], &device);
/// let teacher = student.clone().mul_scalar(5.0).add_scalar(-7.0);
/// let loss = Standardized::new(Box::new(HintonKd::new(Temperature::new(2.0)?)));
/// assert!(loss.forward(student, teacher, None).into_scalar::<f32>().abs() < 1e-6);
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug)]
pub struct Standardized<const D: usize> {
    inner: Box<dyn DistillLoss<D>>,
}

impl<const D: usize> Standardized<D> {
    /// Wraps a loss.
    #[must_use]
    pub fn new(inner: Box<dyn DistillLoss<D>>) -> Self {
        Self { inner }
    }
}

impl<const D: usize> DistillLoss<D> for Standardized<D> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn learns_temperature(&self) -> bool {
        self.inner.learns_temperature()
    }

    fn needs_labels(&self) -> bool {
        self.inner.needs_labels()
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_three("logit standardisation", student, teacher, mask)?;
        self.inner.check(student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let mask_dims = beside.mask.as_ref().map(Tensor::dims);
        let mask = mask_dims.as_ref().map(<[usize; D]>::as_slice);
        if let Err(error) = self.check(&student_logits.dims(), &beside.teacher.dims(), mask) {
            panic!("{}: {error}", self.name());
        }
        // Blanked before as well as inside: the gradient of a standard deviation turns a NaN times 0 into a NaN.
        let blanked = |logits: Tensor<D>| match &beside.mask {
            Some(mask) => blank_invalid(logits, &mask.clone().inner()),
            None => logits,
        };
        let student = standardize(blanked(student_logits));
        let teacher = standardize(blanked(beside.teacher.clone().inner().cast(student.dtype())));
        self.inner.evaluate(student, Beside { teacher, ..beside })
    }
}
