//! One way of learning, the same for all tasks: named terms, and the objective made of them.

use anyhow::{Context, Result, bail};
use kd_core::loss::{DistillLoss, LossError, Parameters, Sizes};
use kd_core::{Objective, Term, TermKind};

use super::ArmTable;
use super::terms::{ArmTerm, TASK, term_of};

/// One way of learning, checked.
pub(crate) struct Arm {
    pub(crate) name: String,
    pub(crate) note: Option<String>,
    pub(crate) unlabelled: bool,
    pub(crate) terms: Vec<ArmTerm>,
}

impl Arm {
    /// Reads an arm; `sizes` translate published weights.
    pub(crate) fn new(table: &ArmTable, sizes: Sizes) -> Result<Self> {
        let terms = table
            .term
            .iter()
            .map(|term| term_of(term, sizes).with_context(|| format!("arm `{}`, term `{}`", table.name, term.name())))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { name: table.name.clone(), note: table.note.clone(), unlabelled: table.unlabelled, terms })
    }

    /// Whether any term looks at a teacher.
    pub(crate) fn distills(&self) -> bool {
        self.terms.iter().any(|term| term.table.loss != TASK && !term.against_truth)
    }

    /// Refuses terms that are measured from the truth, for tasks whose truth is no answer.
    pub(crate) fn without_truth(self) -> Result<Self> {
        match self.terms.iter().find(|term| term.against_truth) {
            None => Ok(self),
            Some(term) => bail!(
                "arm `{}`, term `{}`: `against` = \"truth\" is for restoration, where the truth is an image\nhint: use \
                 the term `task`",
                self.name,
                term.table.name()
            ),
        }
    }

    /// Builds the objective anew (losses are not copied), each distillation loss through `build`.
    pub(crate) fn objective<const O: usize>(
        &self,
        build: impl Fn(&str, &Parameters) -> Result<Box<dyn DistillLoss<O>>, LossError>,
    ) -> Result<Objective<O>> {
        let terms = self.terms.iter().map(|term| {
            let kind = if term.table.loss == TASK {
                TermKind::Task { smoothing: term.smoothing }
            } else if term.against_truth {
                TermKind::Truth(build(&term.table.loss, &term.parameters)?)
            } else {
                TermKind::Distill(build(&term.table.loss, &term.parameters)?)
            };
            Ok(Term { name: term.table.name().to_owned(), weight: term.weight, ramp: term.ramp, kind })
        });
        let terms = terms.collect::<Result<Vec<_>>>().with_context(|| format!("arm `{}`", self.name))?;
        Objective::new(terms).with_context(|| format!("arm `{}`", self.name))
    }
}
