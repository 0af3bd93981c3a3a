//! Teach and label: the teacher is trained once, or once for each fold, and its answers to every view of every training
//! sample are stored once.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use kd_classify::{HeadPolicy, StemChannels, load_pretrained};
use kd_core::train::{Guide, Plan, Views};
use kd_core::{Objective, State, Teacher, Term, initialize};
use kd_data::format::read_weights;
use kd_data::store::{Element, SoftKey, SoftStore};
use kd_image::{SampleSource, Split};
use serde::Serialize;

use super::answers::{self, Asking, SoftLabels};
use super::experts::OfClasses;
use super::folds::{LeftOut, cross_fit, divide};
use super::given::{self, Given};
use super::members::Members;
use super::prepare::Prepared;
use super::score::committee;
use super::taught::{Taught, TeacherRuns};
use super::training::{self, Epoch, Job};
use super::{Context, calibrate, chain, identity};

/// Samples that the teacher answers at once.
const ANSWER_BATCH: usize = 128;

#[derive(Serialize)]
struct TeacherIdentity<'a> {
    prepared: &'a str,
    network: &'a kd_classify::NetworkDesign,
    head: &'a crate::recipe::HeadKind,
    plan: &'a kd_core::train::Plan,
    smoothing: f64,
    class_weights: &'a Option<Vec<f64>>,
    augment: &'a toml::Table,
    initial: Option<String>,
    /// Of the package, where one teaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<LeftOut>,
    /// The classes of an expert.
    #[serde(skip_serializing_if = "Option::is_none")]
    expert: Option<&'a [usize]>,
}

/// What a teacher starts from, or is: both as a recipe names them.
struct Start {
    /// Trained weights.
    initial: Option<State>,
    /// A finished student.
    package: Option<State>,
}

impl Start {
    fn read(context: &Context<'_>, prepared: &Prepared) -> Result<Self> {
        let (teacher, table) = (&context.experiment.teacher, &context.experiment.recipe.teacher);
        let initial = teacher.weights.as_ref().map(|(file, with_head)| pretrained(context, file, *with_head));
        let package = table.package.as_ref();
        let package = package.map(|file| chain::weights(file, teacher.spec.design(), prepared.store.identity()));
        Ok(Self { initial: initial.transpose()?, package: package.transpose()? })
    }
}

/// Trains the teacher, and those of the folds, or opens them.
pub(crate) fn teach(context: &Context<'_>, prepared: &Prepared) -> Result<Taught<4, 2>> {
    let experiment = context.experiment;
    let teacher = &experiment.teacher;
    let start = Start::read(context, prepared)?;
    let id_of = |member, plan: &Plan, left_out| teacher_identity(context, prepared, &start, (member, plan), left_out);
    let (train, val) = (prepared.split(Split::Train), prepared.split(Split::Val));
    let job = Job {
        id: id_of(0, &teacher.plan, None)?,
        title: format!("teacher {}", teacher.name),
        task: &experiment.task,
        objective: &Objective::new(vec![Term::task(teacher.smoothing)])?,
        guide: Guide::Nobody,
        train: &train,
        val: &val,
        plan: &teacher.plan,
        initial: start.initial.as_ref(),
    };
    let members = match &start.package {
        Some(weights) => Members::of_one(training::take_over(context, job.id.clone(), weights)?),
        None => {
            let joined = (teacher.members.as_slice(), teacher.averaging(experiment.head));
            let first = &job;
            Members::each(&teacher.plan, joined, |member, plan, called| {
                let title = first.title.clone() + called;
                let job = Job { id: id_of(member, plan, None)?, title, plan, ..*first };
                let network = teacher.spec_of(member).init(&context.device.device.clone().autodiff());
                match teacher.expert(member) {
                    None => training::run(context, &job, network),
                    Some(expert) => {
                        let (train, val) = (OfClasses::of(&train, expert), OfClasses::of(&val, expert));
                        let job = Job { task: &expert.task, train: &train, val: &val, ..job };
                        training::run(context, &job, network)
                    }
                }
            })?
        }
    };
    let live = members.live(|member| teacher.spec_of(member).init(&context.device.device))?;
    let hash = live.hash().to_owned();
    let calibrates = experiment.recipe.teacher.calibrate;
    let calibrate_whole = || calibrate::run(context, prepared, &committee(context, &members, Epoch::Chosen)?);
    let calibration = calibrates.then(calibrate_whole).transpose()?;
    if let Some(temperature) = calibration {
        context.out.note(format!("teacher calibrated on validation: T = {:.3}", temperature.get()));
    }
    let cross_fitted = match experiment.folding {
        None => None,
        Some(folding) => {
            let samples = (0..train.len()).map(|index| (train.id(index), train.subject(index), train.target(index)));
            let folds = divide(samples, folding)?;
            let of_fold = |left_out| id_of(0, &teacher.plan, Some(left_out));
            let crossed = cross_fit(context, &job, (folding, &folds), of_fold, |device| teacher.spec.init(device))?;
            let calibration =
                calibrates.then(|| calibrate::cross_fitted(context, prepared, &crossed.teacher)).transpose()?;
            if let Some(temperature) = calibration {
                let temperature = temperature.get();
                context.out.note(format!("cross-fitted answers calibrated on training samples: T = {temperature:.3}"));
            }
            Some((crossed, calibration))
        }
    };
    Ok(Taught { members, live, hash, calibration, cross_fitted })
}

/// Folder names of the runs that the teacher is made of.
pub(crate) fn runs(context: &Context<'_>, prepared: &Prepared) -> Result<TeacherRuns> {
    let (experiment, start) = (context.experiment, Start::read(context, prepared)?);
    let teacher = &experiment.teacher;
    TeacherRuns::of(&teacher.plan, teacher.members.len(), experiment.folding, |member, plan, left_out| {
        teacher_identity(context, prepared, &start, (member, plan), left_out)
    })
}

fn teacher_identity(
    context: &Context<'_>,
    prepared: &Prepared,
    start: &Start,
    (member, plan): (usize, &Plan),
    left_out: Option<LeftOut>,
) -> Result<String> {
    let experiment = context.experiment;
    let teacher = &experiment.teacher;
    identity(
        "teacher",
        &TeacherIdentity {
            prepared: prepared.store.identity(),
            network: teacher.spec.design(),
            head: &experiment.recipe.data.head,
            plan,
            smoothing: teacher.smoothing,
            class_weights: &experiment.recipe.data.class_weights,
            augment: &experiment.recipe.augment,
            initial: start.initial.as_ref().map(State::hash),
            package: start.package.as_ref().map(State::hash),
            left_out,
            expert: teacher.expert(member).map(|expert| expert.classes.as_slice()),
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

/// Stored answers for numbered views, of every teacher that an arm learns from; none where views are fresh and teachers
/// have to answer live.
pub(crate) fn label(context: &Context<'_>, prepared: &Prepared, teacher: &Taught<4, 2>) -> Result<SoftLabels> {
    let experiment = context.experiment;
    let Views::Numbered { count } = experiment.views else { return Ok(SoftLabels::default()) };
    let stored = |name: &str, teacher: &dyn Teacher<4, 2>, folds: Option<String>| {
        let asking = Asking {
            name,
            task: &experiment.task,
            source: &prepared.split(Split::Train),
            teacher,
            key: SoftKey { teacher: teacher.hash().to_owned(), folds, ..key(context, prepared, count)? },
            n_values: experiment.head.n_outputs(),
            element: Element::F32,
            at_once: ANSWER_BATCH,
        };
        asking.stored(context)
    };
    let given = |file: &str| given(context, prepared, file);
    SoftLabels::ask(&experiment.arms, &experiment.teacher.name, teacher.teachers(), stored, given)
}

/// Somebody else's answers, checked and stored.
pub(crate) fn given(context: &Context<'_>, prepared: &Prepared, file: &str) -> Result<Arc<SoftStore>> {
    let experiment = context.experiment;
    let source = prepared.split(Split::Train);
    let given = Given {
        ids: (0..source.len()).map(|index| source.id(index).clone()).collect(),
        shape: vec![experiment.head.n_outputs()],
        for_all_views: true,
        key: key(context, prepared, given::views(experiment.views)?)?,
        element: Element::F32,
    };
    given.stored(context, file)
}

/// What stored answers to so many views belong to, but for whose they are.
pub(super) fn key(context: &Context<'_>, prepared: &Prepared, n_views: u32) -> Result<SoftKey> {
    answers::key(&prepared.split_hash, prepared.store.identity(), &context.experiment.recipe.augment, n_views)
}
