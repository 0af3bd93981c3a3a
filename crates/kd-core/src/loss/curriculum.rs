//! A temperature that is learned against the student: it moves to make the loss larger, slowly at first.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation::log_softmax, activation::sigmoid};

use super::{
    Beside, DistillLoss, HintonKd, LossError, hinton::check_softmax, operands::Operands, reduce::mean_over_valid,
};
use crate::temperature::Temperature;

/// Computes Hinton's loss with a learned temperature whose gradient is reversed.
///
/// `τ² · mean_valid( KL(softmax(z_t/τ) ‖ softmax(z_s/τ)) )`, `τ = start + range·σ(θ)`. The student descends; θ gets the
/// gradient times −λ and so ascends under the same optimiser.
///
/// # Shapes
/// As in [`DistillLoss`](super::DistillLoss): raw logits with at least 2 classes.
///
/// # Policy
/// With start 1, range 20 and θ = 1, as published, the first temperature is 15.62. λ goes from 0 to 1 along half a cosine
/// over the first epochs ([`reversal`](Self::reversal)). τ never leaves start to start + range. θ must reach the optimiser
/// and is no part of the exported student.
///
/// # Panics
/// When shapes differ or the class axis is 1.
///
/// # Source
/// Li et al. 2023, "Curriculum Temperature for Knowledge Distillation", arXiv 2211.16231, equations 3 to 7.
///
/// # Deviations
/// The global form only, one θ; not the one per instance.
///
/// # Example
/// ```
/// use burn::tensor::Device;
/// use kd_core::loss::CurriculumTemperature;
///
/// let curriculum = CurriculumTemperature::new(&Device::flex());
/// assert!((curriculum.temperature() - 15.62).abs() < 5e-3);
/// assert_eq!([0, 10].map(|epoch| CurriculumTemperature::reversal(epoch, 10)), [0.0, 1.0]);
/// ```
#[derive(Module, Debug)]
pub struct CurriculumTemperature {
    theta: Param<Tensor<1>>,
    start: f64,
    range: f64,
}

impl CurriculumTemperature {
    /// The published start: θ = 1 between 1 and 21.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        Self { theta: Param::from_tensor(Tensor::ones([1], device)), start: 1.0, range: 20.0 }
    }

    /// The temperature as it stands.
    #[must_use]
    pub fn temperature(&self) -> f64 {
        let theta = f64::from(self.theta.val().inner().into_scalar::<f32>());
        self.start + self.range / (1.0 + (-theta).exp())
    }

    /// λ in an epoch, counted from 0: half a cosine from 0 to 1 over `epochs`, then 1.
    #[must_use]
    pub fn reversal(epoch: usize, epochs: usize) -> f64 {
        if epoch >= epochs {
            return 1.0;
        }
        0.5 - 0.5 * (std::f64::consts::PI * epoch as f64 / epochs as f64).cos()
    }

    /// Computes the loss, shape `[1]`; `reversal` is λ.
    pub fn forward<const D: usize>(&self, student_logits: Tensor<D>, beside: Beside<D>, reversal: f64) -> Tensor<1> {
        // The shape rules of Hinton's loss; its own temperature is not used.
        let rules = HintonKd::new(Temperature::new(1.0).expect("1 is a temperature"));
        let Operands { student, teacher, mask, .. } = Operands::new(&rules, student_logits, beside);
        let theta = self.theta.val().cast(student.dtype());
        // The value of θ with −λ times its gradient.
        let reversed = theta.clone().detach().mul_scalar(1.0 + reversal) - theta.mul_scalar(reversal);
        let tau = sigmoid(reversed).mul_scalar(self.range).add_scalar(self.start);
        let over = tau.clone().reshape([1; D]);
        let log_s = log_softmax(student / over.clone(), 1);
        let log_t = log_softmax(teacher / over, 1);
        let divergence = (log_t.clone().exp() * (log_t - log_s)).sum_dim(1);
        mean_over_valid(divergence, mask) * tau.clone() * tau
    }
}

/// [`CurriculumTemperature`] as a term: Hinton's loss with the temperature that the trainer learns beside the student.
///
/// `τ² · mean_valid( KL(softmax(z_t/τ) ‖ softmax(z_s/τ)) )`, τ from [`Beside::learned`], λ from the epoch.
///
/// # Shapes
/// As in [`DistillLoss`]: at least 2 classes.
///
/// # Policy
/// λ is [`CurriculumTemperature::reversal`] over `reversal_epochs`. Where no temperature stands beside it, as in a look at
/// the loss alone, the first one is taken.
///
/// # Panics
/// When shapes differ or the class axis is 1.
///
/// # Source
/// Li et al. 2023, "Curriculum Temperature for Knowledge Distillation", arXiv 2211.16231, equations 3 to 7; 10 epochs of
/// 240 in its code.
///
/// # Deviations
/// As [`CurriculumTemperature`].
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::{Beside, CurriculumKd, CurriculumTemperature, DistillLoss};
///
/// let device = Device::flex();
/// let (student, teacher) = (Tensor::<2>::from_data([[1.0, 0.0]], &device), Tensor::<2>::from_data([[0.0, 2.0]], &device));
/// let loss = CurriculumKd::new(10);
/// let learned = Some(CurriculumTemperature::new(&device));
/// let found = loss.evaluate(student.clone(), Beside::new(teacher.clone()).with_learned(learned)).into_scalar::<f32>();
/// assert_eq!(found, loss.forward(student, teacher, None).into_scalar::<f32>());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurriculumKd {
    reversal_epochs: usize,
}

impl CurriculumKd {
    /// Makes the loss; λ is 1 from `reversal_epochs` on.
    #[must_use]
    pub fn new(reversal_epochs: usize) -> Self {
        Self { reversal_epochs }
    }
}

impl<const D: usize> DistillLoss<D> for CurriculumKd {
    fn name(&self) -> &'static str {
        "curriculum"
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_softmax("curriculum", student, teacher, mask)
    }

    fn learns_temperature(&self) -> bool {
        true
    }

    fn evaluate(&self, student_logits: Tensor<D>, mut beside: Beside<D>) -> Tensor<1> {
        let learned = beside.learned.take().unwrap_or_else(|| CurriculumTemperature::new(&student_logits.device()));
        let reversal = CurriculumTemperature::reversal(beside.epoch, self.reversal_epochs);
        learned.forward(student_logits, beside, reversal)
    }
}
