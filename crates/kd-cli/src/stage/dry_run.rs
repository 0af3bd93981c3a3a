//! `--dry-run`: what an experiment would take, from one measured step of every network.

use std::time::Instant;

use anyhow::Result;
use burn::tensor::{Device, Tensor};
use kd_classify::{Cost, NetworkSpec};
use kd_core::train::{Plan, Views};
use kd_core::{Network, initialize};
use serde::Serialize;

use super::Context;
use super::label::{teach, teach_id};
use super::learn::run_id;
use super::prepare::{self, Prepared};
use super::training::{is_begun, is_finished};
use crate::host;
use kd_image::{SampleSource, Split};

/// Multiply-adds of a training step over those of a forward pass: forward, input gradient, weight gradient.
const STEP_OVER_FORWARD: f64 = 3.0;

/// One step of an experiment.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// `finished`, `begun` or `to do`.
    pub(crate) state: &'static str,
    pub(crate) optimizer_steps: usize,
    pub(crate) tflop: f64,
    pub(crate) seconds: f64,
    pub(crate) disk_bytes: u64,
}

/// What an experiment would take.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Forecast {
    pub(crate) steps: Vec<Step>,
    pub(crate) tflop: f64,
    pub(crate) seconds: f64,
    pub(crate) disk_bytes: u64,
    /// Largest resident size seen while a step of the largest network was measured.
    pub(crate) peak_memory_bytes: Option<u64>,
}

/// Measures one step of every network and adds up.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(crate) fn run(context: &Context<'_>) -> Result<Forecast> {
    let experiment = context.experiment;
    let prepared = prepare::run(context)?;
    let n_train = prepared.split(Split::Train).len();
    let teacher = &experiment.teacher;
    let mut steps = Vec::new();
    let teacher_id = teach_id(context, &prepared)?;
    // A finished teacher's hash names the runs that learned from it; before that no such run can exist.
    let teacher_hash =
        if is_finished(context, &teacher_id) { teach(context, &prepared)?.lesson_hash() } else { teacher_id.clone() };
    let (step_seconds, forward_seconds) = measure(context, &teacher.spec, &teacher.plan)?;
    steps.push(training(
        context,
        format!("teach {}", teacher.name),
        &teacher_id,
        n_train,
        &teacher.plan,
        &teacher.cost,
        step_seconds,
    ));
    if let Views::Numbered { count } = experiment.views {
        let images = n_train as f64 * f64::from(count);
        steps.push(Step {
            name: format!("label {count} views"),
            state: "to do",
            optimizer_steps: 0,
            tflop: 2.0 * images * teacher.cost.multiply_adds as f64 / 1e12,
            seconds: forward_seconds * images / teacher.plan.batch_size as f64,
            disk_bytes: (images * 4.0) as u64 * experiment.head.n_outputs() as u64,
        });
    }
    for student in &experiment.students {
        let (step_seconds, _) = measure(context, &student.spec, &experiment.student_plan)?;
        for arm in &experiment.arms {
            for &seed in context.seeds {
                let id = run_id(context, &prepared, &teacher_hash, student, arm, seed)?;
                let name = format!("learn {} {} seed {seed}", student.name, arm.name);
                steps.push(training(
                    context,
                    name,
                    &id,
                    seen(context, &prepared, arm.unlabelled)?,
                    &experiment.student_plan,
                    &student.cost,
                    step_seconds,
                ));
            }
        }
    }
    Ok(Forecast {
        tflop: steps.iter().map(|step| step.tflop).sum(),
        seconds: steps.iter().filter(|step| step.state != "finished").map(|step| step.seconds).sum(),
        disk_bytes: steps.iter().map(|step| step.disk_bytes).sum(),
        peak_memory_bytes: host::peak_memory_bytes(),
        steps,
    })
}

fn seen(context: &Context<'_>, prepared: &Prepared, unlabelled: bool) -> Result<usize> {
    let all = prepared.split(Split::Train).len();
    let labelled = super::learn::labelled_counts(context, prepared)?;
    Ok(if unlabelled { all } else { labelled.map_or(all, |(images, _)| images) })
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn training(
    context: &Context<'_>,
    name: String,
    id: &str,
    n_samples: usize,
    plan: &Plan,
    cost: &Cost,
    step_seconds: f64,
) -> Step {
    let batches = n_samples.div_ceil(plan.batch_size);
    let images = (plan.epochs * n_samples) as f64;
    Step {
        name,
        state: if is_finished(context, id) {
            "finished"
        } else if is_begun(context, id) {
            "begun"
        } else {
            "to do"
        },
        optimizer_steps: plan.epochs * batches.div_ceil(plan.accumulation),
        tflop: 2.0 * STEP_OVER_FORWARD * images * cost.multiply_adds as f64 / 1e12,
        seconds: step_seconds * images / plan.batch_size as f64,
        disk_bytes: 2 * cost.f32_bytes,
    }
}

/// Seconds of one training step and of one forward pass at the plan's batch size.
fn measure(context: &Context<'_>, spec: &NetworkSpec, plan: &Plan) -> Result<(f64, f64)> {
    let plain = &context.device.device;
    let [height, width] = context.experiment.prepare.size;
    let shape = [plan.batch_size, context.experiment.prepare.channels, height, width];
    let tracked: Device = plain.clone().autodiff();
    let network = initialize(spec.init(&tracked), 0);
    let step = || {
        let start = Instant::now();
        let raw = Network::<4, 2>::forward(&network, Tensor::from_inner(Tensor::<4>::ones(shape, plain)));
        let loss = raw.powf_scalar(2.0).mean();
        let _gradients = loss.backward();
        start.elapsed().as_secs_f64()
    };
    // The first touches memory for the first time.
    let _warm = step();
    let step_seconds = step();
    let network = initialize(spec.init(plain), 0);
    let start = Instant::now();
    let _answers = Network::<4, 2>::forward(&network, Tensor::<4>::ones(shape, plain)).into_data();
    Ok((step_seconds, start.elapsed().as_secs_f64()))
}
