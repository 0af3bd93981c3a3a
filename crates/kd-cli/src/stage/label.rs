//! Teach and label: the teacher is trained once, then answers every view of every training sample once.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use kd_classify::{Classifier, HeadPolicy, StemChannels, load_pretrained};
use kd_core::train::Views;
use kd_core::{
    CalibratedTeacher, LiveTeacher, Objective, Ramp, State, Teacher, Temperature, Term, TermKind, initialize,
};
use kd_data::format::read_weights;
use kd_data::store::{Element, SoftKey, SoftStore};
use kd_image::Split;
use serde::Serialize;

use super::answers::Asking;
use super::prepare::Prepared;
use super::training::{self, FinishedRun, Job};
use super::{Context, calibrate, identity};

/// Samples that the teacher answers at once.
const ANSWER_BATCH: usize = 128;

#[derive(Serialize)]
struct TeacherIdentity<'a> {
    prepared: &'a str,
    network: &'a kd_classify::NetworkDesign,
    head: &'a crate::package::HeadKind,
    plan: &'a kd_core::train::Plan,
    smoothing: f64,
    class_weights: &'a Option<Vec<f64>>,
    augment: &'a toml::Table,
    initial: Option<String>,
}

/// The trained teacher.
pub(crate) struct TaughtTeacher {
    pub(crate) run: FinishedRun,
    pub(crate) live: LiveTeacher<Classifier>,
    pub(crate) hash: String,
    /// Divides its answers before students see them, where the recipe asks for it.
    pub(crate) calibration: Option<Temperature>,
}

impl TaughtTeacher {
    /// Hash of what students learn from: the network, and the temperature that its answers are divided by.
    pub(crate) fn lesson_hash(&self) -> String {
        let calibrated = |t| CalibratedTeacher::<4, 2>::hash_of(&self.hash, t);
        self.calibration.map_or_else(|| self.hash.clone(), calibrated)
    }
}

/// Trains the teacher, or opens it.
pub(crate) fn teach(context: &Context<'_>, prepared: &Prepared) -> Result<TaughtTeacher> {
    let experiment = context.experiment;
    let teacher = &experiment.teacher;
    let device = context.device.device.clone().autodiff();
    let network = teacher.spec.init(&device);
    let initial = match &teacher.weights {
        None => None,
        Some((file, with_head)) => Some(pretrained(context, file, *with_head)?),
    };
    let id = teacher_identity(context, prepared, initial.as_ref())?;
    let term = Term {
        name: "task".into(),
        weight: 1.0,
        ramp: Ramp::None,
        kind: TermKind::Task { smoothing: teacher.smoothing },
    };
    let job = Job {
        id,
        title: format!("teacher {}", teacher.name),
        task: &experiment.task,
        objective: &Objective::new(vec![term])?,
        teacher: None,
        train: &prepared.split(Split::Train),
        val: &prepared.split(Split::Val),
        plan: &teacher.plan,
        initial: initial.as_ref(),
    };
    let run = training::run(context, &job, network)?;
    let network = run.chosen.load_into(teacher.spec.init(&context.device.device))?;
    let live = LiveTeacher::new::<4, 2>(&network);
    let hash = Teacher::<4, 2>::hash(&live).to_owned();
    let calibration = match experiment.recipe.teacher.calibrate {
        true => Some(calibrate::run(context, prepared, &teacher.spec, &run.chosen)?),
        false => None,
    };
    if let Some(temperature) = calibration {
        context.out.note(format!("teacher calibrated on validation: T = {:.3}", temperature.get()));
    }
    Ok(TaughtTeacher { run, live, hash, calibration })
}

/// Folder name of the teacher's run.
pub(crate) fn teach_id(context: &Context<'_>, prepared: &Prepared) -> Result<String> {
    let initial = match &context.experiment.teacher.weights {
        None => None,
        Some((file, with_head)) => Some(pretrained(context, file, *with_head)?),
    };
    teacher_identity(context, prepared, initial.as_ref())
}

fn teacher_identity(context: &Context<'_>, prepared: &Prepared, initial: Option<&State>) -> Result<String> {
    let experiment = context.experiment;
    let teacher = &experiment.teacher;
    identity(
        "teacher",
        &TeacherIdentity {
            prepared: prepared.store.identity(),
            network: teacher.spec.design(),
            head: &experiment.recipe.data.head,
            plan: &teacher.plan,
            smoothing: teacher.smoothing,
            class_weights: &experiment.recipe.data.class_weights,
            augment: &experiment.recipe.augment,
            initial: initial.map(State::hash),
        },
    )
}

fn pretrained(context: &Context<'_>, file: &str, with_head: bool) -> Result<State> {
    let teacher = &context.experiment.teacher;
    let weights = read_weights(std::path::Path::new(file))?;
    let named = weights.tensors.into_iter().map(|(name, tensor)| (name, (tensor.shape, tensor.values))).collect();
    let head = if with_head { HeadPolicy::Require } else { HeadPolicy::Replace };
    let fresh = initialize(teacher.spec.init(&context.device.device), teacher.plan.seed);
    let filled = load_pretrained(&teacher.spec, fresh, &named, head, StemChannels::Require)
        .with_context(|| format!("`teacher.weights` = \"{file}\""))?;
    Ok(State::of(&filled))
}

/// Key of the stored answers of a teacher.
fn key(context: &Context<'_>, prepared: &Prepared, teacher_hash: &str, n_views: u32) -> Result<SoftKey> {
    Ok(SoftKey {
        data: prepared.split_hash.clone(),
        preparation: prepared.store.identity().to_owned(),
        teacher: teacher_hash.to_owned(),
        view_policy: identity("views", &context.experiment.recipe.augment)?,
        n_views,
        folds: None,
    })
}

/// Stored answers for numbered views; none where views are fresh and the teacher has to answer live.
pub(crate) fn label(
    context: &Context<'_>,
    prepared: &Prepared,
    teacher: &TaughtTeacher,
) -> Result<Option<Arc<SoftStore>>> {
    let Views::Numbered { count } = context.experiment.views else { return Ok(None) };
    let asking = Asking {
        name: &context.experiment.teacher.name,
        task: &context.experiment.task,
        source: &prepared.split(Split::Train),
        teacher: &teacher.live,
        key: key(context, prepared, &teacher.hash, count)?,
        n_values: context.experiment.head.n_outputs(),
        element: Element::F32,
        at_once: ANSWER_BATCH,
    };
    asking.stored(context).map(Some)
}
