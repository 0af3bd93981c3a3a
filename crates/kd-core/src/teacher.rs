//! Who answers for the teacher: a live network, or stored answers.
//!
//! A teacher's tensors live on the plain device. Mixed into a loss with the student's they are constants, so no
//! gradient can reach them; batch normalisation there uses stored statistics. [`Teacher::verify_frozen`] proves after
//! training that nothing moved.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use kd_image::{SampleId, SoftTargetSource, SourceError};

use crate::state::hash_texts;
use crate::{Network, State, Watch};

/// Why a teacher did not answer.
#[derive(Debug, thiserror::Error)]
pub enum TeacherError {
    /// The answers of somebody else.
    #[error(
        "soft labels come from teacher {found}, expected {expected}\nhint: run `kd label` for this recipe again, or name the teacher that made them"
    )]
    OtherTeacher {
        /// Hash of the teacher that the recipe names.
        expected: String,
        /// Hash that the store holds.
        found: String,
    },
    /// Answers of another width than the student's.
    #[error(
        "teacher answers have {found} values a sample, the student has {expected}\nhint: teacher and student need the same head"
    )]
    Width {
        /// Values a sample of the student.
        expected: usize,
        /// Values a sample of the teacher.
        found: usize,
    },
    /// The teacher's numbers changed during training.
    #[error("teacher changed during training: hash was {before}, is {after}")]
    Moved {
        /// Hash before.
        before: String,
        /// Hash after.
        after: String,
    },
    /// A cross-fitted teacher that is none, or folds that nobody answers for.
    #[error("{members} teachers for {folds} folds, expected at least two, and one for each fold")]
    Folds {
        /// Teachers given.
        members: usize,
        /// Folds that the plan names.
        folds: usize,
    },
    /// A sample that no fold holds.
    #[error(
        "sample `{sample}` is in no fold, expected a teacher that is known not to have seen it\nhint: cross-fitted answers exist for training samples only"
    )]
    NoFold {
        /// The sample.
        sample: String,
    },
    /// Features asked of a teacher that gives none.
    #[error(
        "this teacher gives answers and no features, expected a live network\nhint: losses at taps need the teacher's network; stored answers have none"
    )]
    NoFeatures,
    /// Reading stored answers failed.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Answers batches with raw logits or intensities, on the plain device.
pub trait Teacher<const I: usize, const O: usize>: Send + Sync {
    /// SHA-256 of the teacher's parameters and statistics.
    fn hash(&self) -> &str;

    /// Whether it answers any view. Stored answers exist only for the views that were asked.
    fn answers_fresh_views(&self) -> bool;

    /// Answers a batch: `input` on the plain device, the samples in it, and their view.
    ///
    /// # Errors
    /// [`TeacherError::Source`] when a stored answer is missing.
    fn answer(&self, input: &Tensor<I>, ids: &[SampleId], view: u32) -> Result<Tensor<O>, TeacherError>;

    /// As [`answer`](Self::answer), with the features at some of its taps.
    ///
    /// # Errors
    /// [`TeacherError::NoFeatures`] of a teacher that gives answers alone, as stored ones do.
    fn answer_watched(
        &self,
        input: &Tensor<I>,
        ids: &[SampleId],
        view: u32,
        watch: &mut Watch<I>,
    ) -> Result<Tensor<O>, TeacherError> {
        let _ = (input, ids, view, watch);
        Err(TeacherError::NoFeatures)
    }

    /// The hash, computed anew.
    fn hash_now(&self) -> String;

    /// Checks that the teacher is what it was at the start.
    ///
    /// # Errors
    /// [`TeacherError::Moved`].
    fn verify_frozen(&self) -> Result<(), TeacherError> {
        let (before, after) = (self.hash().to_owned(), self.hash_now());
        if before == after { Ok(()) } else { Err(TeacherError::Moved { before, after }) }
    }
}

/// A network that answers each batch as it comes.
pub struct LiveTeacher<N> {
    network: N,
    hash: String,
}

impl<N> LiveTeacher<N> {
    /// Freezes a network: a copy on the plain device, in evaluation mode.
    pub fn new<const I: usize, const O: usize>(network: &N) -> Self
    where
        N: Network<I, O>,
    {
        let network = network.valid();
        let hash = hash_of::<N, I, O>(&network);
        Self { network, hash }
    }

    /// The frozen network.
    pub fn network(&self) -> &N {
        &self.network
    }
}

/// Of a network's numbers, and of whatever else decides its answers.
fn hash_of<N: Network<I, O>, const I: usize, const O: usize>(network: &N) -> String {
    let (numbers, constants) = (State::of(network).hash(), network.constants());
    if constants.is_empty() { numbers } else { hash_texts([numbers, constants].into_iter()) }
}

impl<N: Network<I, O>, const I: usize, const O: usize> Teacher<I, O> for LiveTeacher<N> {
    fn hash(&self) -> &str {
        &self.hash
    }

    fn answers_fresh_views(&self) -> bool {
        true
    }

    fn answer(&self, input: &Tensor<I>, _ids: &[SampleId], _view: u32) -> Result<Tensor<O>, TeacherError> {
        Ok(self.network.forward(input.clone().inner()))
    }

    fn answer_watched(
        &self,
        input: &Tensor<I>,
        _ids: &[SampleId],
        _view: u32,
        watch: &mut Watch<I>,
    ) -> Result<Tensor<O>, TeacherError> {
        Ok(self.network.forward_watched(input.clone().inner(), watch))
    }

    fn hash_now(&self) -> String {
        hash_of::<N, I, O>(&self.network)
    }
}

/// Answers that were stored earlier, by sample and view.
pub struct CachedTeacher<const O: usize> {
    source: Arc<dyn SoftTargetSource>,
    shape: [usize; O],
    device: Device,
}

impl<const O: usize> CachedTeacher<O> {
    /// Takes stored answers of the teacher with hash `expected`.
    ///
    /// `shape` is the shape of an answer to a batch of one, `[1, class, …]`; `device` is the plain device.
    ///
    /// # Errors
    /// [`TeacherError::OtherTeacher`] when the store was filled by another teacher, [`TeacherError::Width`] when its
    /// answers have another number of values.
    pub fn new(
        source: Arc<dyn SoftTargetSource>,
        expected: &str,
        shape: [usize; O],
        device: &Device,
    ) -> Result<Self, TeacherError> {
        if source.teacher_hash() != expected {
            return Err(TeacherError::OtherTeacher { expected: expected.into(), found: source.teacher_hash().into() });
        }
        let width = shape[1..].iter().product();
        if source.n_values() != width {
            return Err(TeacherError::Width { expected: width, found: source.n_values() });
        }
        Ok(Self { source, shape, device: device.clone().inner() })
    }
}

impl<const I: usize, const O: usize> Teacher<I, O> for CachedTeacher<O> {
    fn hash(&self) -> &str {
        self.source.teacher_hash()
    }

    fn answers_fresh_views(&self) -> bool {
        false
    }

    fn answer(&self, _input: &Tensor<I>, ids: &[SampleId], view: u32) -> Result<Tensor<O>, TeacherError> {
        let width = self.source.n_values();
        let mut values = vec![0.0; width * ids.len()];
        for (id, row) in ids.iter().zip(values.chunks_exact_mut(width)) {
            self.source.read(id, view, row)?;
        }
        let mut shape = self.shape;
        shape[0] = ids.len();
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    fn hash_now(&self) -> String {
        self.source.teacher_hash().to_owned()
    }
}
