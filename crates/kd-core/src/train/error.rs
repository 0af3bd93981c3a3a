//! Why a run ended without a result.

use kd_image::SourceError;

use super::{CheckpointError, PlanError};
use crate::state::StateError;
use crate::{TaskError, TeacherError};

/// Why a run ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The objective does not fit the plan's epochs.
    #[error(transparent)]
    Objective(#[from] crate::ObjectiveError),
    /// A batch could not be made or judged.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A sample could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The teacher did not answer, or moved.
    #[error(transparent)]
    Teacher(#[from] TeacherError),
    /// Student and teacher answers do not fit.
    #[error(transparent)]
    Loss(#[from] crate::loss::LossError),
    /// The checkpoint is not this run's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint's numbers do not fit the network.
    #[error(transparent)]
    State(#[from] StateError),
    /// A split without samples.
    #[error("{split} split is empty, expected at least one sample")]
    Empty {
        /// Which one.
        split: &'static str,
    },
    /// A term on features does not fit the networks.
    #[error(transparent)]
    Taps(#[from] crate::TapsError),
    /// A term asks for the truth of a task whose truth is no answer.
    #[error(
        "term `{term}` is measured from the truth, expected a task whose truth is an answer, as in restoration\nhint: use the task's own loss"
    )]
    NoTruth {
        /// The term.
        term: String,
    },
    /// A distillation term without a teacher.
    #[error("term `{term}` needs a teacher, and none was given")]
    NoTeacher {
        /// The term.
        term: String,
    },
    /// The average as guide, and no average.
    #[error(
        "term `{term}` looks at the average of the student's weights, and the plan keeps none\nhint: set `ema`, the decay of the average"
    )]
    NoAverage {
        /// The term.
        term: String,
    },
    /// Fresh views with stored answers.
    #[error(
        "views are fresh every epoch, but the teacher's answers are stored for numbered views\nhint: set `views` to a number, or let the teacher answer live"
    )]
    FreshViews,
    /// A loss that is no number.
    #[error(
        "loss is {found} in epoch {epoch}, batch {batch} (terms: {terms})\nhint: lower the learning rate, or set `clip_norm`"
    )]
    Diverged {
        /// The weighted sum.
        found: f64,
        /// Epoch, from 1.
        epoch: usize,
        /// Batch, from 1.
        batch: usize,
        /// Each term with its value.
        terms: String,
    },
    /// A distillation term that does nothing.
    #[error(
        "distillation term `{term}` had no gradient at all in epoch {epoch}: the student learns nothing from it\nhint: the loss does not fit the head or the teacher's answers; `kd losses` shows which do"
    )]
    NoGradient {
        /// The term.
        term: String,
        /// Epoch, from 1.
        epoch: usize,
    },
    /// The measure that should choose the epoch does not exist.
    #[error("epochs are chosen by `{select}`, which validation does not measure; it measures {found}")]
    Select {
        /// The measure asked for.
        select: String,
        /// The measures there are.
        found: String,
    },
    /// The measure that should choose the epoch was never defined.
    #[error(
        "`{select}` was undefined in every epoch, so no epoch can be chosen\nhint: the validation split may hold one class only"
    )]
    NeverDefined {
        /// The measure.
        select: String,
    },
    /// The sink could not store a checkpoint.
    #[error("checkpoint was not stored: {0}")]
    Sink(String),
}
