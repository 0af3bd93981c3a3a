//! `--dry-run` of a dense task: what it would take, from one measured step of every network.

use anyhow::Result;
use kd_core::train::{Plan, Views};
use kd_image::Split;

use super::stages::{self, Of, student_id};
use super::{DensePrepared, DenseTask, Sized};
use crate::recipe::Arm;
use crate::stage::Context;
use crate::stage::answers::SoftLabels;
use crate::stage::dry_run::{Forecast, Load, Step, labelled, measure, training};
use crate::stage::members::of_members;

/// Measures one step of every network and adds up.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(crate) fn run<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
) -> Result<Forecast> {
    let experiment = context.experiment;
    let n_train = prepared.store.positions(Split::Train).len();
    let [input, answer] = experiment.task.shapes();
    let load = |network: &Sized<T::Spec, T::Design>, plan: &Plan| {
        let mut shape = input;
        shape[0] = plan.batch_size;
        let init = |device: &burn::tensor::Device| experiment.task.init(&network.spec, device);
        let (step_seconds, forward_seconds) = measure(&context.device.device, init, shape);
        let bytes = 4 * network.parameters;
        // A network learns on patches and is counted on whole samples; work goes with the points.
        let points: usize = input[2..].iter().product();
        let multiply_adds = network.multiply_adds * points as u64 / network.points as u64;
        (Load { multiply_adds, bytes, step_seconds }, forward_seconds)
    };
    let mut steps = Vec::new();
    let runs = stages::runs(context, prepared)?;
    // A dry run opens a teacher that is there, and trains nothing.
    let taught = runs.are_finished(context).then(|| stages::teach(context, prepared)).transpose()?;
    let (teaching, forward_seconds) = load(&experiment.teacher, &experiment.teacher_plan);
    for (member, id) in runs.members.iter().enumerate() {
        let name = format!("teach {}{}", experiment.teacher.name, of_members(member, runs.members.len()));
        steps.push(training(context, name, id, n_train, &experiment.teacher_plan, &teaching));
    }
    for (fold, id) in runs.folds.iter().enumerate() {
        let name = format!("teach {} without fold {} of {}", experiment.teacher.name, fold + 1, runs.folds.len());
        let n_others = n_train - n_train / runs.folds.len();
        steps.push(training(context, name, id, n_others, &experiment.teacher_plan, &teaching));
    }
    if let Views::Numbered { count } = experiment.views
        && experiment.arms.iter().any(Arm::asks_teacher)
    {
        let samples = n_train as f64 * f64::from(count);
        let asked = samples * runs.members.len() as f64;
        steps.push(Step {
            name: format!("label {count} views"),
            state: labelled(context, &experiment.arms, taught.as_ref(), &stages::key(context, prepared, count)?),
            optimizer_steps: 0,
            tflop: 2.0 * asked * teaching.multiply_adds as f64 / 1e12,
            seconds: forward_seconds * asked / experiment.teacher_plan.batch_size as f64,
            // Two bytes a value.
            disk_bytes: 2 * samples as u64 * answer.iter().product::<usize>() as u64,
        });
    }
    for student in &experiment.students {
        let plan = &experiment.student_plan;
        let (learning, _) = load(student, plan);
        for arm in &experiment.arms {
            // A finished teacher's hash names the runs that learned from it; before that no such run can exist.
            let nothing_stored = SoftLabels::default();
            let lesson =
                taught.as_ref().map(|teacher| teacher.lesson(arm, &nothing_stored).map(|lesson| lesson.hash()));
            let lesson = lesson.transpose()?;
            let hash = lesson.as_ref().unwrap_or(&runs.members[0]);
            for &seed in context.seeds {
                let id = student_id(context, prepared, hash, (student, arm, seed))?;
                let name = format!("learn {} {} seed {seed}", student.name, arm.name);
                steps.push(training(context, name, &id, n_train, plan, &learning.times(arm.learners())));
            }
        }
    }
    Ok(Forecast::of(steps))
}
