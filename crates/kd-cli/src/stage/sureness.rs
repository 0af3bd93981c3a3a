//! How sure a teacher is of the samples that students learn from: near one-hot answers teach what the labels say already.

use anyhow::Result;
use kd_classify::score::probabilities;
use kd_core::{Head, Temperature};
use kd_data::store::SoftStore;
use kd_image::{SampleId, SoftTargetSource};
use kd_report::Fact;

use super::Context;
use super::answers::SoftLabels;
use super::taught::Taught;

/// A probability at which an answer says no more than a label.
const SURE: f64 = 0.99;
/// The share of such answers above which a teacher is called one that has memorised its samples.
const MEMORISED: f64 = 0.9;

/// How sure answers are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sureness {
    /// Mean of the largest probability: over classes, or of a label and its absence.
    pub(crate) mean: f64,
    /// Share of answers whose largest probability is at least [`SURE`].
    pub(crate) sure: f64,
}

impl Sureness {
    /// Of raw answers, divided by a temperature where there is one; none for answers that are not finite.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    fn of(head: Head, logits: &[f32], calibration: Option<Temperature>) -> Option<Self> {
        let divisor = calibration.map_or(1.0, Temperature::get);
        let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit) / divisor).collect();
        let probabilities = probabilities(head, &logits).ok()?;
        let largest: Vec<f64> = match head {
            Head::MultiLabel { .. } => probabilities.iter().map(|p| p.max(1.0 - p)).collect(),
            _ => {
                let classes = probabilities.len() / (logits.len() / head.n_outputs());
                probabilities.chunks_exact(classes).map(|row| row.iter().copied().fold(0.0, f64::max)).collect()
            }
        };
        let n = largest.len() as f64;
        (n > 0.0).then(|| Self {
            mean: largest.iter().sum::<f64>() / n,
            sure: largest.iter().filter(|&&p| p >= SURE).count() as f64 / n,
        })
    }

    fn text(self) -> String {
        format!("largest probability {:.3} on average, {:.0} % at {SURE} or more", self.mean, 100.0 * self.sure)
    }
}

/// Facts about the soft labels that arms learn from; a teacher that has memorised its samples is warned of.
pub(crate) fn facts(context: &Context<'_>, teacher: &Taught<4, 2>, soft: &SoftLabels) -> Result<Vec<Fact>> {
    let experiment = context.experiment;
    let crossed = teacher.cross_fitted.as_ref().and_then(|(_, calibration)| *calibration);
    let kinds = [
        ("Soft labels of the teacher that saw the samples", soft.in_sample.as_ref(), teacher.calibration),
        ("Soft labels by folds", soft.cross_fitted.as_ref(), crossed),
    ];
    let mut facts = Vec::new();
    if let Some(folding) = experiment.folding {
        let value = format!(
            "{} teachers, each of which learned from all subjects but those that it answers for (seed {})",
            folding.count, folding.seed
        );
        facts.push(Fact { name: "Cross-fitting".into(), value });
    }
    for (name, store, calibration) in kinds {
        let Some(store) = store else { continue };
        let Some(sureness) = Sureness::of(experiment.head, &first_view(store)?, calibration) else { continue };
        facts.push(Fact { name: name.into(), value: sureness.text() });
        if sureness.sure > MEMORISED {
            let hint = match experiment.folding {
                None => "hint: `teacher.folds = 5` lets each sample be answered for by a teacher that never saw it",
                Some(_) => "hint: fewer teacher epochs, `teacher.train.patience`, or `teacher.calibrate = true`",
            };
            let text = sureness.text();
            context.out.note(format!("warning: {name} are almost one-hot ({text}) and teach little\n{hint}"));
        }
    }
    Ok(facts)
}

/// Stored answers to the first view of every sample.
fn first_view(store: &SoftStore) -> Result<Vec<f32>> {
    let width = store.n_values();
    let mut values = vec![0.0; width * store.samples().len()];
    for (sample, row) in store.samples().iter().zip(values.chunks_exact_mut(width)) {
        store.read(&SampleId::new(sample)?, 0, row)?;
    }
    Ok(values)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "shares of few samples")]
mod tests {
    use super::*;

    #[test]
    fn one_hot_answers_are_sure_and_a_temperature_takes_that_away() {
        let logits = [12.0, 0.0, 0.0, 0.0, 12.0, 0.0];
        let head = Head::Softmax { classes: 3 };
        let raw = Sureness::of(head, &logits, None).unwrap();
        assert!(raw.sure == 1.0 && raw.mean > 0.999, "{raw:?}");
        let cooled = Sureness::of(head, &logits, Some(Temperature::new(12.0).unwrap())).unwrap();
        assert!(cooled.sure == 0.0 && (cooled.mean - 1f64.exp() / (1f64.exp() + 2.0)).abs() < 1e-9, "{cooled:?}");
    }

    #[test]
    fn a_sure_no_is_as_sure_as_a_sure_yes() {
        let of = |head, logits: &[f32]| Sureness::of(head, logits, None).unwrap();
        let (no, yes) = (of(Head::OneChannel, &[-9.0]), of(Head::OneChannel, &[9.0]));
        assert!((no.mean - yes.mean).abs() < 1e-12 && no.sure == yes.sure, "{no:?} {yes:?}");
        assert_eq!(of(Head::MultiLabel { labels: 2 }, &[-9.0, 0.0]).sure, 0.5);
    }
}
