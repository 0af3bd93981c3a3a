//! Calibrate: the temperature that makes a teacher's validation answers honest, where a recipe asks for it.

use anyhow::{Context as _, Result};
use kd_classify::NetworkSpec;
use kd_core::{State, Temperature};
use kd_image::Split;

use super::prepare::Prepared;
use super::score::{Truth, answer};
use super::{Context, evidence};

/// Fits the temperature of a network on the validation split.
pub(crate) fn run(
    context: &Context<'_>,
    prepared: &Prepared,
    spec: &NetworkSpec,
    state: &State,
) -> Result<Temperature> {
    let logits = answer(context, &prepared.split(Split::Val), spec, state)?;
    let fitted = evidence::temperature(context.experiment.head, &logits, &Truth::of(prepared).val).with_context(|| {
        format!(
            "`teacher.calibrate`: no temperature can be fitted on the {} validation samples\nhint: set `teacher.calibrate = false`, or hold out more validation subjects",
            logits.len() / context.experiment.head.n_outputs()
        )
    })?;
    // What is searched lies within the bounds of a temperature.
    Ok(Temperature::new(fitted)?)
}
