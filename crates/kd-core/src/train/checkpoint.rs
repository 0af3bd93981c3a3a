//! Everything that a killed run needs to go on as if nothing had happened, as bytes.
//!
//! One safetensors file: `model/…`, `adaptors/…`, `optimizer/…`, `average/…` and `best/…` arrays, those of a peer that learns
//! beside the student as `peer-model/…` and so on, and a JSON note with the place in the run. Random streams need no entry,
//! since they are derived from seeds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EpochRecord;
use super::learner::LearnerState;
use crate::state::{StateError, from_safetensors, to_safetensors};
use crate::{State, Values};

const NOTE: &str = "progress";
/// Before the names of a peer's sections.
const PEER: &str = "peer-";
const SCHEMA: u32 = 2;

/// Why a checkpoint was refused.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Its arrays cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its note cannot be read.
    #[error("checkpoint note cannot be read: {0}")]
    Note(String),
    /// Another version wrote it.
    #[error("checkpoint has schema {found}, expected {SCHEMA}\nhint: delete it, and the run starts anew")]
    Schema {
        /// The schema found.
        found: u32,
    },
    /// It belongs to another run.
    #[error(
        "checkpoint belongs to another run: {what} was {found}, expected {expected}\nhint: delete it, and the run starts anew, or give back the recipe that wrote it"
    )]
    OtherRun {
        /// What differs.
        what: &'static str,
        /// What this run has.
        expected: String,
        /// What the checkpoint has.
        found: String,
    },
}

/// The place in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub schema: u32,
    /// What this run is: a hash of plan, objective, data and teacher.
    pub run: String,
    /// Epoch in work, from 0.
    pub epoch: usize,
    /// Batches of it that are done.
    pub batch: usize,
    /// Optimiser steps taken.
    pub step: usize,
    /// Rate of the last step.
    pub learning_rate: f64,
    /// Sum of each term over the samples of this epoch so far, and how many samples that were.
    pub term_sums: Vec<f64>,
    pub n_samples: usize,
    /// Gradient norms of the terms in this epoch, as far as they have been seen above 0.
    pub gradient_norms: Vec<f64>,
    pub history: Vec<EpochRecord>,
    pub best: Option<f64>,
    pub best_epoch: usize,
    pub epochs_since_best: usize,
}

impl Progress {
    pub(super) fn start(run: String, n_terms: usize) -> Self {
        Self {
            schema: SCHEMA,
            run,
            epoch: 0,
            batch: 0,
            step: 0,
            learning_rate: 0.0,
            term_sums: vec![0.0; n_terms],
            n_samples: 0,
            gradient_norms: vec![0.0; n_terms],
            history: Vec::new(),
            best: None,
            best_epoch: 0,
            epochs_since_best: 0,
        }
    }
}

/// A run, frozen between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub(super) progress: Progress,
    pub(super) student: LearnerState,
    pub(super) peer: Option<LearnerState>,
    pub(super) average: BTreeMap<String, Values>,
    pub(super) best: BTreeMap<String, Values>,
}

impl Checkpoint {
    /// Writes the checkpoint; equal checkpoints give equal bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let of_peer = self.peer.iter().flat_map(|peer| peer.sections(PEER));
        let others = [("average".to_owned(), &self.average), ("best".to_owned(), &self.best)];
        let sections = self.student.sections("").into_iter().chain(of_peer).chain(others);
        let tensors = sections.flat_map(|(section, tensors)| {
            tensors.iter().map(move |(name, values)| (format!("{section}/{name}"), values))
        });
        let note = serde_json::to_string(&self.progress).expect("a note of numbers and texts can be written");
        to_safetensors(tensors, Some((NOTE.into(), note)))
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`] for bytes that are none, or another schema's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = |reason: &str| CheckpointError::Note(reason.into());
        let mut sections: BTreeMap<String, BTreeMap<String, Values>> = BTreeMap::new();
        for (path, values) in from_safetensors(bytes)? {
            let (section, name) = path.split_once('/').ok_or_else(|| note("an array has no section"))?;
            sections.entry(section.to_owned()).or_default().insert(name.to_owned(), values);
        }
        let (_, metadata) =
            safetensors::SafeTensors::read_metadata(bytes).map_err(|error| CheckpointError::Note(error.to_string()))?;
        let text =
            metadata.metadata().as_ref().and_then(|notes| notes.get(NOTE)).ok_or_else(|| note("it is missing"))?;
        let schema: Schema = serde_json::from_str(text).map_err(|error| CheckpointError::Note(error.to_string()))?;
        if schema.schema != SCHEMA {
            return Err(CheckpointError::Schema { found: schema.schema });
        }
        let progress = serde_json::from_str(text).map_err(|error| CheckpointError::Note(error.to_string()))?;
        let has_peer = sections.keys().any(|section| section.starts_with(PEER));
        let mut take = |section: &str| sections.remove(section).unwrap_or_default();
        let mut learner = |prefix: &str| LearnerState {
            model: State::from_tensors(take(&format!("{prefix}model"))),
            adaptors: State::from_tensors(take(&format!("{prefix}adaptors"))),
            optimizer: take(&format!("{prefix}optimizer")),
        };
        let (student, peer) = (learner(""), has_peer.then(|| learner(PEER)));
        Ok(Self { progress, student, peer, average: take("average"), best: take("best") })
    }
}

#[derive(Deserialize)]
struct Schema {
    schema: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let values = |value: f32| Values { shape: vec![1], values: vec![value] };
        let learner = |value: f32| LearnerState {
            model: State::from_tensors([("w".to_owned(), values(value))].into()),
            adaptors: State::from_tensors([("0.w".to_owned(), values(value + 1.0))].into()),
            optimizer: [("first/w".to_owned(), values(-0.0))].into(),
        };
        let mut progress = Progress::start("run".into(), 2);
        progress.term_sums = vec![0.1 + 0.2, 1.0 / 3.0];
        progress.best = Some(std::f64::consts::PI);
        Checkpoint {
            progress,
            student: learner(1.5),
            peer: Some(learner(4.5)),
            average: BTreeMap::new(),
            best: [("w".to_owned(), values(f32::MIN_POSITIVE))].into(),
        }
    }

    #[test]
    fn bytes_bring_back_every_bit() {
        let read = Checkpoint::from_bytes(&checkpoint().to_bytes()).unwrap();
        assert_eq!(read, checkpoint());
        assert_eq!(read.to_bytes(), checkpoint().to_bytes());
    }

    #[test]
    fn another_schema_is_refused() {
        let mut other = checkpoint();
        other.progress.schema = 9;
        assert!(matches!(Checkpoint::from_bytes(&other.to_bytes()), Err(CheckpointError::Schema { found: 9 })));
    }

    #[test]
    fn any_cut_is_refused() {
        let bytes = checkpoint().to_bytes();
        for len in 0..bytes.len() {
            assert!(Checkpoint::from_bytes(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
        }
    }
}
