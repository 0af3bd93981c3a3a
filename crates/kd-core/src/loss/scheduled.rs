//! A temperature that changes with the epoch: soft answers first, sharper ones later, or the other way round.

use burn::tensor::Tensor;

use super::{Beside, DistillLoss, HintonKd, LossError, hinton::check_softmax};
use crate::temperature::TemperatureSchedule;

/// Computes Hinton's loss with the temperature that a schedule gives for the epoch.
///
/// `τ(e)² · mean_valid( KL(softmax(z_t/τ(e)) ‖ softmax(z_s/τ(e))) )`.
///
/// # Shapes
/// As in [`DistillLoss`]: at least 2 classes.
///
/// # Policy
/// The epoch comes with [`Beside::epoch`], counted from 0. τ² follows the epoch's τ.
///
/// # Panics
/// When shapes differ or the class axis is 1.
///
/// # Source
/// Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2; falling temperatures: Jafari et al. 2021, "Annealing
/// Knowledge Distillation", arXiv 2104.07163, section 3.
///
/// # Deviations
/// Jafari et al. anneal a regression on logits; here only the idea of a temperature that falls is taken.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Temperature, TemperatureSchedule};
/// use kd_core::loss::{Beside, DistillLoss, HintonKd, ScheduledHinton};
///
/// let device = Device::flex();
/// let student = Tensor::<2>::from_data([[0.0, 1.0]], &device);
/// let teacher = Tensor::<2>::from_data([[2.0, 0.0]], &device);
/// let (start, end) = (Temperature::new(8.0)?, Temperature::new(2.0)?);
/// let loss = ScheduledHinton::new(TemperatureSchedule::Linear { start, end, epochs: 4 });
/// let found = loss.evaluate(student.clone(), Beside::new(teacher.clone()).at_epoch(9)).into_scalar::<f32>();
/// assert_eq!(found, HintonKd::new(end).forward(student, teacher, None).into_scalar::<f32>());
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScheduledHinton {
    schedule: TemperatureSchedule,
}

impl ScheduledHinton {
    /// Makes the loss.
    #[must_use]
    pub fn new(schedule: TemperatureSchedule) -> Self {
        Self { schedule }
    }
}

impl<const D: usize> DistillLoss<D> for ScheduledHinton {
    fn name(&self) -> &'static str {
        "scheduled-hinton"
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_softmax("scheduled-hinton", student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        HintonKd::new(self.schedule.at(beside.epoch)).evaluate(student_logits, beside)
    }
}
