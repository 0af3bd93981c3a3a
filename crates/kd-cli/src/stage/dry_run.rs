//! `--dry-run`: what an experiment would take, from one measured step of every network.

use std::time::Instant;

use anyhow::Result;
use burn::tensor::{Device, Tensor};
use kd_classify::Cost;
use kd_core::train::{Plan, Views};
use kd_core::{Network, initialize};
use kd_data::store::SoftKey;
use kd_image::{SampleSource, Split};
use serde::Serialize;

use super::answers::{SoftLabels, are_stored};
use super::experts::OfClasses;
use super::learn::run_id;
use super::members::of_members;
use super::prepare::{self, Prepared};
use super::taught::Taught;
use super::training::{is_begun, is_finished};
use super::{Context, label};
use crate::host;
use crate::recipe::Arm;

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

impl Forecast {
    /// Adds up.
    pub(crate) fn of(steps: Vec<Step>) -> Self {
        Self {
            tflop: steps.iter().map(|step| step.tflop).sum(),
            seconds: steps.iter().filter(|step| step.state != "finished").map(|step| step.seconds).sum(),
            disk_bytes: steps.iter().map(|step| step.disk_bytes).sum(),
            peak_memory_bytes: host::peak_memory_bytes(),
            steps,
        }
    }
}

/// Measures one step of every network and adds up.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(crate) fn run(context: &Context<'_>) -> Result<Forecast> {
    let experiment = context.experiment;
    let prepared = prepare::run(context)?;
    let n_train = prepared.split(Split::Train).len();
    let teacher = &experiment.teacher;
    let mut steps = Vec::new();
    let runs = label::runs(context, &prepared)?;
    // A dry run opens a teacher that is there, and trains nothing.
    let taught = runs.are_finished(context).then(|| label::teach(context, &prepared)).transpose()?;
    let shape = |plan: &Plan| {
        let [height, width] = experiment.prepare.size;
        [plan.batch_size, experiment.prepare.channels, height, width]
    };
    let (step_seconds, forward_seconds) =
        measure(&context.device.device, |device| teacher.spec.init(device), shape(&teacher.plan));
    let load = |cost: &Cost, step_seconds: f64| Load {
        multiply_adds: cost.multiply_adds,
        bytes: cost.f32_bytes,
        step_seconds,
    };
    let teaching = load(&teacher.cost, step_seconds);
    for (member, id) in runs.members.iter().enumerate() {
        let name = format!("teach {}{}", teacher.name, of_members(member, runs.members.len()));
        let train = prepared.split(Split::Train);
        let seen = teacher.expert(member).map_or(n_train, |expert| OfClasses::of(&train, expert).len());
        steps.push(training(context, name, id, seen, &teacher.plan, &teaching));
    }
    for (fold, id) in runs.folds.iter().enumerate() {
        let name = format!("teach {} without fold {} of {}", teacher.name, fold + 1, runs.folds.len());
        let n_others = n_train - n_train / runs.folds.len();
        steps.push(training(context, name, id, n_others, &teacher.plan, &teaching));
    }
    if let Views::Numbered { count } = experiment.views {
        let images = n_train as f64 * f64::from(count);
        let asked = images * runs.members.len() as f64;
        steps.push(Step {
            name: format!("label {count} views"),
            state: labelled(context, &experiment.arms, taught.as_ref(), &label::key(context, &prepared, count)?),
            optimizer_steps: 0,
            tflop: 2.0 * asked * teacher.cost.multiply_adds as f64 / 1e12,
            seconds: forward_seconds * asked / teacher.plan.batch_size as f64,
            disk_bytes: (images * 4.0) as u64 * experiment.head.n_outputs() as u64,
        });
    }
    for student in &experiment.students {
        let plan = &experiment.student_plan;
        let (step_seconds, _) = measure(&context.device.device, |device| student.spec.init(device), shape(plan));
        let learning = load(&student.cost, step_seconds);
        for arm in &experiment.arms {
            // A finished teacher's hash names the runs that learned from it; before that no such run can exist.
            let nothing_stored = SoftLabels::default();
            let lesson =
                taught.as_ref().map(|teacher| teacher.lesson(arm, &nothing_stored).map(|lesson| lesson.hash()));
            let lesson = lesson.transpose()?;
            let teacher_hash = lesson.as_ref().unwrap_or(&runs.members[0]);
            for &seed in context.seeds {
                let id = run_id(context, &prepared, teacher_hash, student, arm, seed)?;
                let name = format!("learn {} {} seed {seed}", student.name, arm.name);
                let n_samples = seen(context, &prepared, arm.unlabelled)?;
                steps.push(training(context, name, &id, n_samples, plan, &learning.times(arm.learners())));
            }
        }
    }
    Ok(Forecast::of(steps))
}

/// The state of the label stage: without a finished teacher there are no answers.
pub(crate) fn labelled<E, const I: usize, const O: usize>(
    context: &Context<'_, E>,
    arms: &[Arm],
    taught: Option<&Taught<I, O>>,
    key: &SoftKey,
) -> &'static str {
    let is_stored = taught.is_some_and(|taught| are_stored(context, arms, taught.teachers(), key));
    if is_stored { "finished" } else { "to do" }
}

fn seen(context: &Context<'_>, prepared: &Prepared, unlabelled: bool) -> Result<usize> {
    let all = prepared.split(Split::Train).len();
    let labelled = super::learn::labelled_counts(context, prepared)?;
    Ok(if unlabelled { all } else { labelled.map_or(all, |(images, _)| images) })
}

/// What one step of a network takes.
pub(crate) struct Load {
    /// Of a forward pass of one sample.
    pub(crate) multiply_adds: u64,
    /// Of its parameters.
    pub(crate) bytes: u64,
    /// Of a training step at the plan's batch size.
    pub(crate) step_seconds: f64,
}

impl Load {
    /// Of so many networks that learn together; one of them is kept.
    #[expect(clippy::cast_precision_loss, reason = "one or two")]
    pub(crate) fn times(&self, learners: usize) -> Self {
        Self {
            multiply_adds: self.multiply_adds * learners as u64,
            bytes: self.bytes,
            step_seconds: self.step_seconds * learners as f64,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(crate) fn training<E>(
    context: &Context<'_, E>,
    name: String,
    id: &str,
    n_samples: usize,
    plan: &Plan,
    load: &Load,
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
        tflop: 2.0 * STEP_OVER_FORWARD * images * load.multiply_adds as f64 / 1e12,
        seconds: load.step_seconds * images / plan.batch_size as f64,
        disk_bytes: 2 * load.bytes,
    }
}

/// Seconds of one training step and of one forward pass on a batch of `shape`.
pub(crate) fn measure<N: Network<I, O>, const I: usize, const O: usize>(
    plain: &Device,
    init: impl Fn(&Device) -> N,
    shape: [usize; I],
) -> (f64, f64) {
    let tracked: Device = plain.clone().autodiff();
    let network = initialize(init(&tracked), 0);
    let step = || {
        let start = Instant::now();
        let raw = network.forward(Tensor::from_inner(Tensor::<I>::ones(shape, plain)));
        let loss = raw.powf_scalar(2.0).mean();
        let _gradients = loss.backward();
        start.elapsed().as_secs_f64()
    };
    // The first touches memory for the first time.
    let _warm = step();
    let step_seconds = step();
    let network = initialize(init(plain), 0);
    let start = Instant::now();
    let _answers = network.forward(Tensor::<I>::ones(shape, plain)).into_data();
    (step_seconds, start.elapsed().as_secs_f64())
}
