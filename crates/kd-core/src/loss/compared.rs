//! What stands beside the student's logits when a loss is evaluated.
//!
//! One value rather than a growing list of arguments: a loss takes from it what it needs, and a new kind of evidence
//! changes no loss that does not look at it.

use burn::tensor::{Int, Tensor};

use super::CurriculumTemperature;

/// The teacher's logits and everything else that a loss may compare with.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::loss::Beside;
///
/// let device = Device::flex();
/// let beside = Beside::new(Tensor::<2>::from_data([[1.0, 0.0, -1.0]], &device))
///     .with_labels(Some(Tensor::<2, Int>::from_data([[2]], &device)))
///     .at_epoch(3);
/// assert!(beside.mask.is_none() && beside.labels.is_some() && beside.epoch == 3);
/// ```
#[derive(Debug, Clone)]
pub struct Beside<const D: usize> {
    /// The teacher's raw logits (or features), `[batch, class, …spatial]`.
    pub teacher: Tensor<D>,
    /// How much each position counts, `[batch, 1, …spatial]`, spatial axes may be 1; `None` counts all alike.
    pub mask: Option<Tensor<D>>,
    /// Hard class labels, `[batch, 1, …spatial]`; a negative one means that there is none.
    pub labels: Option<Tensor<D, Int>>,
    /// The epoch, counted from 0, for losses that change with it.
    pub epoch: usize,
    /// The temperature that is learned beside the student, for a loss that has one.
    pub learned: Option<CurriculumTemperature>,
}

impl<const D: usize> Beside<D> {
    /// The teacher alone: every position valid, no labels, epoch 0.
    #[must_use]
    pub fn new(teacher: Tensor<D>) -> Self {
        Self { teacher, mask: None, labels: None, epoch: 0, learned: None }
    }

    /// Sets which positions count.
    #[must_use]
    pub fn with_mask(self, mask: Option<Tensor<D>>) -> Self {
        Self { mask, ..self }
    }

    /// Sets the hard labels.
    #[must_use]
    pub fn with_labels(self, labels: Option<Tensor<D, Int>>) -> Self {
        Self { labels, ..self }
    }

    /// Sets the learned temperature.
    #[must_use]
    pub fn with_learned(self, learned: Option<CurriculumTemperature>) -> Self {
        Self { learned, ..self }
    }

    /// Sets the epoch.
    #[must_use]
    pub fn at_epoch(self, epoch: usize) -> Self {
        Self { epoch, ..self }
    }
}
