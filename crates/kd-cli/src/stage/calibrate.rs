//! Calibrate: the temperature that makes a teacher's answers honest, where a recipe asks for it.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use kd_core::{Network, Teacher, Temperature};
use kd_data::store::PreparedSource;
use kd_image::{SampleSource, Split, Target};

use super::prepare::Prepared;
use super::score::{Truth, answer, answers};
use super::{Context, evidence};

/// Fits the temperature of a network on the validation split.
pub(crate) fn run(context: &Context<'_>, prepared: &Prepared, network: &impl Network<4, 2>) -> Result<Temperature> {
    let logits = answer(context, &prepared.split(Split::Val), network)?;
    fit(context, &logits, &Truth::of(prepared).val, "validation")
}

/// Fits the temperature of cross-fitted teachers on their answers to training samples, which none of them saw.
///
/// # Source
/// scikit-learn's `CalibratedClassifierCV(ensemble=False)` calibrates on out-of-fold predictions in the same way.
pub(crate) fn cross_fitted(
    context: &Context<'_>,
    prepared: &Prepared,
    teacher: &dyn Teacher<4, 2>,
) -> Result<Temperature> {
    let whole = prepared.split(Split::Train);
    let labelled =
        whole.positions().iter().enumerate().filter(|(index, _)| *whole.target(*index) != Target::Unlabelled);
    let positions = labelled.map(|(_, position)| *position).collect();
    let source = PreparedSource::of_positions(Arc::clone(&prepared.store), positions)?;
    let logits = answers(context, &source, |input, ids| Ok(teacher.answer(&input, ids, 0)?))?;
    let truth: Vec<Target> = (0..source.len()).map(|index| source.target(index).clone()).collect();
    fit(context, &logits, &truth, "training")
}

fn fit(context: &Context<'_>, logits: &[f32], truth: &[Target], split: &str) -> Result<Temperature> {
    let fitted = evidence::temperature(context.experiment.head, logits, truth).with_context(|| {
        format!(
            "`teacher.calibrate`: no temperature can be fitted on the {} {split} samples\nhint: set `teacher.calibrate = false`, or use more subjects",
            truth.len()
        )
    })?;
    // What is searched lies within the bounds of a temperature.
    Ok(Temperature::new(fitted)?)
}
