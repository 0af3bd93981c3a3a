//! One image with its names and its answer, and the two doors through which a trainer reads them.
//!
//! The traits live here, below everything that uses them: the files behind them are kd-data's business, and a trainer
//! or a test can be fed from memory.

use crate::{Image, SampleId, SubjectId, Target};

/// One prepared image, its names and its answer: a [`Target`] for a whole image, a label map or another image where
/// each point has an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<const D: usize, A = Target> {
    /// Unique in its data set.
    pub id: SampleId,
    /// Who or what it was taken from.
    pub subject: SubjectId,
    /// Pixels, geometry and intensity meaning.
    pub image: Image<D>,
    /// The answer.
    pub target: A,
}

/// Why a sample or a soft label could not be given.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No such position.
    #[error("sample {index} asked for, expected less than {len}")]
    Index {
        /// The position asked for.
        index: usize,
        /// How many samples there are.
        len: usize,
    },
    /// The store holds no answer for this sample and view.
    #[error("no soft label for sample `{sample}` in view {view}\nhint: run `kd label` for this recipe again")]
    NoSoftLabel {
        /// The sample asked for.
        sample: String,
        /// The view asked for.
        view: u32,
    },
    /// The room given does not fit the answer.
    #[error("soft labels hold {expected} values a sample, room was given for {found}")]
    Width {
        /// Values a sample in the store.
        expected: usize,
        /// Room given.
        found: usize,
    },
    /// Reading failed; the text names the file.
    #[error("{0}")]
    Read(String),
}

/// An ordered collection of samples.
pub trait SampleSource<const D: usize, A = Target>: Send + Sync {
    /// How many samples there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a sample; `index` is below [`len`](Self::len).
    fn id(&self, index: usize) -> &SampleId;

    /// The subject of a sample; `index` is below [`len`](Self::len).
    fn subject(&self, index: usize) -> &SubjectId;

    /// Reads a sample.
    ///
    /// # Errors
    /// [`SourceError::Index`] past the end, [`SourceError::Read`] when the store behind it fails.
    fn read(&self, index: usize) -> Result<Sample<D, A>, SourceError>;

    /// Reads a sample in a numbered view: sources that hold several inputs for one answer (noise drawn anew) give
    /// another one for each; all others give the same.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn read_view(&self, index: usize, _view: u32) -> Result<Sample<D, A>, SourceError> {
        self.read(index)
    }
}

/// A teacher's stored answers: raw logits or intensities, by sample and view.
pub trait SoftTargetSource: Send + Sync {
    /// Which teacher answered: the hash of its parameters and statistics.
    fn teacher_hash(&self) -> &str;

    /// Values in one answer.
    fn n_values(&self) -> usize;

    /// How many numbered views each sample has an answer for.
    fn n_views(&self) -> u32;

    /// Reads one answer into `values`.
    ///
    /// # Errors
    /// [`SourceError::NoSoftLabel`] for a sample or view that was never answered, [`SourceError::Width`] when `values`
    /// has another length, [`SourceError::Read`] when the store behind it fails.
    fn read(&self, sample: &SampleId, view: u32, values: &mut [f32]) -> Result<(), SourceError>;
}
