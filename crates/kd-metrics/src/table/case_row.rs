//! The scores of one case (and class) by name.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::number::Number;
use crate::undefined::{Score, Undefined};

/// One row of a table's cases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseRow {
    /// The case.
    pub case: String,
    /// Its subject.
    pub subject: String,
    /// The class; none where there are no classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What the scores are of, where a case has several images: `prediction` or `do_nothing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<&'static str>,
    /// Scores by name, none for those without a value.
    #[serde(flatten)]
    pub scores: BTreeMap<&'static str, Option<Number>>,
    /// Why a score has no value, by name.
    pub undefined: BTreeMap<&'static str, String>,
}

impl CaseRow {
    pub(super) fn new(case: &str, subject: &str) -> Self {
        Self {
            case: case.into(),
            subject: subject.into(),
            class: None,
            of: None,
            scores: BTreeMap::new(),
            undefined: BTreeMap::new(),
        }
    }

    pub(super) fn with<'a>(mut self, scores: impl Iterator<Item = (&'static str, &'a Score)>) -> Self {
        for (name, score) in scores {
            self.scores.insert(name, score.as_ref().ok().copied().map(Number::new));
            if let Err(reason) = score {
                self.undefined.insert(name, reason.to_string());
            }
        }
        self
    }
}

/// The cases of a table so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Cases {
    ids: Vec<String>,
    subjects: Vec<String>,
    seen: BTreeSet<String>,
}

impl Cases {
    /// Refuses a case that is there already: it would count twice.
    pub(super) fn check_new(&self, id: &str) -> Result<(), Undefined> {
        if self.seen.contains(id) { Err(Undefined::DuplicateCase { id: id.into() }) } else { Ok(()) }
    }

    pub(super) fn add(&mut self, id: &str, subject: &str) {
        self.seen.insert(id.into());
        self.ids.push(id.into());
        self.subjects.push(subject.into());
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn id(&self, case: usize) -> &str {
        &self.ids[case]
    }

    pub(super) fn subjects(&self) -> &[String] {
        &self.subjects
    }

    pub(super) fn row(&self, case: usize) -> CaseRow {
        CaseRow::new(&self.ids[case], &self.subjects[case])
    }
}
