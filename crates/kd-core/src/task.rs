//! What a task tells the trainer: how samples become tensors, what the hard-label loss is, and how answers are judged
//! on the validation split.

use burn::tensor::{Device, Int, Tensor};
use kd_image::{Sample, SampleId, SourceError};

use crate::train::Measure;

/// Why a batch could not be made or judged.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A sample does not fit the task.
    #[error("sample `{sample}` {reason}")]
    Sample {
        /// Its id.
        sample: String,
        /// What is wrong, as the rest of a sentence.
        reason: String,
    },
    /// The answers of the network do not fit the task.
    #[error("network answers have {found} values a sample, expected {expected} for a {head} head")]
    Outputs {
        /// Values a sample expected by the head.
        expected: usize,
        /// Values found.
        found: usize,
        /// The head's name.
        head: &'static str,
    },
    /// Reading a sample failed.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// A batch on the plain device: input, what the task needs to judge an answer, and whose images these are.
#[derive(Debug, Clone)]
pub struct Batch<T, const I: usize> {
    /// `[batch, channel, (depth,) height, width]`.
    pub input: Tensor<I>,
    /// Labels in whatever form the task's loss takes.
    pub target: T,
    /// Samples in batch order: stored soft labels are looked up by them.
    pub ids: Vec<SampleId>,
}

/// A task on images of `D` spatial axes, with network inputs of rank `I` and answers of rank `O`.
pub trait Task<const D: usize, const I: usize, const O: usize>: Send + Sync {
    /// The answer that comes with one sample: one for the whole image, a label map, another image.
    type Answer: Send;
    /// Labels of one batch.
    type Target: Clone + Send;
    /// Answers and labels gathered over a split.
    type Tally: Default + Send;

    /// Makes a batch. `view` is the numbered augmentation of a training batch; `None` leaves images as they are.
    ///
    /// The same sample and view give the same input, whatever the batch, arm or seed: stored soft labels rely on it.
    ///
    /// # Errors
    /// [`TaskError::Sample`] for a sample whose channels, size or label do not fit.
    fn batch(
        &self,
        samples: Vec<Sample<D, Self::Answer>>,
        view: Option<u32>,
        device: &Device,
    ) -> Result<Batch<Self::Target, I>, TaskError>;

    /// The hard-label loss, shape `[1]`: mean over labelled samples; `smoothing` is the share of the target spread
    /// evenly over classes.
    fn loss(&self, raw: Tensor<O>, target: &Self::Target, smoothing: f64) -> Tensor<1>;

    /// Which samples or pixels distillation terms may look at; `None` means all.
    fn mask(&self, target: &Self::Target) -> Option<Tensor<O>>;

    /// The truth as an answer like the network's, where it is one: the true image of a restoration; none otherwise.
    fn truth(&self, _target: &Self::Target) -> Option<Tensor<O>> {
        None
    }

    /// Hard class labels for the distillation losses that need them, `[batch, 1, …spatial]`, negative where there is
    /// none. `None` for heads whose labels are no classes (multi-label, ordinal), and for tasks without labels.
    fn class_labels(&self, _target: &Self::Target) -> Option<Tensor<O, Int>> {
        None
    }

    /// Adds a batch of answers to a tally.
    ///
    /// # Errors
    /// [`TaskError::Outputs`] when the answers do not fit the head.
    fn gather(&self, tally: &mut Self::Tally, raw: Tensor<O>, target: &Self::Target) -> Result<(), TaskError>;

    /// Judges a tally: the measures among which a recipe chooses epochs.
    fn judge(&self, tally: &Self::Tally) -> Vec<Measure>;
}
