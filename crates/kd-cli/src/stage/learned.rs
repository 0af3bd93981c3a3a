//! What learning was worth on the validation split, without a look at the test split.

use serde::Serialize;

use super::training::FinishedRun;

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
