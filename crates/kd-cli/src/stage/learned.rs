//! What learning was worth on the validation split, without a look at the test split.

use anyhow::Result;
use serde::Serialize;

use super::training::FinishedRun;
use crate::output::Output;
use crate::recipe::Arm;

/// The runs of one student size and arm, as the validation split saw them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Learned {
    pub(crate) student: String,
    pub(crate) arm: String,
    /// The measure that epochs are chosen by.
    pub(crate) measure: String,
    pub(crate) higher_is_better: bool,
    /// Its value at the chosen epoch, in the order of the seeds.
    pub(crate) values: Vec<f64>,
    /// Optimizer steps of all runs together.
    pub(crate) steps: usize,
}

impl Learned {
    pub(crate) fn of(student: &str, arm: &str, select: &str, runs: &[FinishedRun]) -> Self {
        let measures = || {
            let chosen = |run: &FinishedRun| run.facts.history.iter().rfind(|epoch| epoch.chosen).cloned();
            runs.iter().filter_map(chosen).flat_map(|epoch| epoch.validation).filter(|measure| measure.name == select)
        };
        Self {
            student: student.to_owned(),
            arm: arm.to_owned(),
            measure: select.to_owned(),
            higher_is_better: measures().next().is_none_or(|measure| measure.higher_is_better),
            values: measures().filter_map(|measure| measure.value).collect(),
            steps: runs.iter().map(|run| run.facts.steps).sum(),
        }
    }

    /// Mean over the seeds; none without a value.
    #[expect(clippy::cast_precision_loss, reason = "seeds are few")]
    pub(crate) fn mean(&self) -> Option<f64> {
        (!self.values.is_empty()).then(|| self.values.iter().sum::<f64>() / self.values.len() as f64)
    }
}

/// The students of an experiment, whatever they are made of, and the arms that they learn by.
pub(crate) struct Lessons<'a, S> {
    pub(crate) students: &'a [S],
    pub(crate) arms: &'a [Arm],
    /// The measure that epochs are chosen by.
    pub(crate) select: &'a str,
    pub(crate) out: &'a Output,
}

impl<S> Lessons<'_, S> {
    /// Every student by every arm that `only` takes, one after the other; `learn` trains or opens all their seeds.
    pub(crate) fn each(
        &self,
        only: &dyn Fn(&Arm) -> bool,
        name: impl Fn(&S) -> &str,
        learn: impl Fn(&S, &Arm) -> Result<Vec<FinishedRun>>,
    ) -> Result<Vec<Learned>> {
        let mut learned = Vec::new();
        for student in self.students {
            for arm in self.arms.iter().filter(|arm| only(arm)) {
                let runs = learn(student, arm)?;
                self.out.note(format!("{} {}: {} seeds are ready", name(student), arm.name, runs.len()));
                learned.push(Learned::of(name(student), &arm.name, self.select, &runs));
            }
        }
        Ok(learned)
    }
}
