//! What is trained beside the student and left behind with the run.

use burn::module::Module;

use crate::ExitHead;
use crate::loss::CurriculumTemperature;
use crate::loss::feature::{Adaptor, TapError};

/// What an objective's terms learn beside the student: adaptors of features and temperatures by the terms' places, and the
/// heads of early exits, one for each tap that has any. Trained with the student, and no part of it.
#[derive(Module, Debug, Default)]
pub struct Adaptors {
    pub(crate) adaptors: Vec<Option<Adaptor>>,
    pub(crate) temperatures: Vec<Option<CurriculumTemperature>>,
    pub(crate) exits: Vec<ExitHead>,
}

impl Adaptors {
    pub(crate) fn of(&self, place: usize) -> Option<&Adaptor> {
        self.adaptors.get(place).and_then(Option::as_ref)
    }

    /// The learned temperature of a term, where it has one.
    #[must_use]
    pub fn temperature(&self, place: usize) -> Option<&CurriculumTemperature> {
        self.temperatures.get(place).and_then(Option::as_ref)
    }
}

/// Why terms on features do not fit the networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TapsError {
    /// A tap that a network does not have.
    #[error("term `{term}` names tap `{tap}`, which the {whose} does not have, expected one of {known}")]
    Unknown {
        /// The term.
        term: String,
        /// `student` or `teacher`.
        whose: &'static str,
        /// The tap.
        tap: String,
        /// The taps that there are, with their shapes for a batch of one.
        known: String,
    },
    /// A pair that does not fit.
    #[error("term `{term}`: {source}")]
    Pair {
        /// The term.
        term: String,
        /// What does not fit.
        source: TapError,
    },
    /// An exit at a tap whose grid does not divide the answer's.
    #[error(
        "term `{term}` has an exit at {tap}, whose grid does not divide that of the answer, {answer:?}\nhint: choose a tap behind which sizes are doubled"
    )]
    Exit {
        /// The term.
        term: String,
        /// The tap, with its shape.
        tap: String,
        /// Spatial axes of the answer.
        answer: Vec<usize>,
    },
    /// An exit of a term that looks at features.
    #[error("term `{term}` looks at features and has an exit, expected an exit only where a term looks at answers")]
    ExitOfFeatures {
        /// The term.
        term: String,
    },
}
