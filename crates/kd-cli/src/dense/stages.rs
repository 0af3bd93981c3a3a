//! Teach, label, learn and score of a dense task.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use kd_core::train::{Guide, Plan, Views};
use kd_core::{Committee, Objective, State, Teacher, Term};
use kd_data::format::{NpyValue, Npz, StoredArray, write_npz};
use kd_data::store::{SoftKey, SoftStore, StagedFolder};
use kd_image::{SampleSource as _, Split, Target};
use kd_metrics::Grouping;
use rayon::prelude::*;
use serde::Serialize;

use super::{CaseTable, CaseValues, DenseExperiment, DensePrepared, DenseTask, Sized};
use crate::progress::Progress;
use crate::recipe::{Arm, TermTable, WithoutTeacher};
use crate::stage::answers::{self, Asking, SoftLabels};
use crate::stage::folds::{LeftOut, cross_fit, divide};
use crate::stage::given::{self, Given};
use crate::stage::members::Members;
use crate::stage::taught::{Taught, TeacherRuns};
use crate::stage::training::{self, Epoch, FinishedRun, Job};
use crate::stage::{Context, Stopped, chain, identity};

/// Samples that the teacher answers at once.
const ANSWER_BATCH: usize = 16;
const FILE: &str = "answers.npz";

/// The experiment of a task, in every function below.
pub(super) type Of<T, const D: usize, const I: usize> =
    DenseExperiment<T, <T as DenseTask<D, I>>::Spec, <T as DenseTask<D, I>>::Design>;

#[derive(Serialize)]
struct RunIdentity<'a, N> {
    prepared: &'a str,
    teacher: Option<&'a str>,
    network: &'a N,
    plan: &'a Plan,
    smoothing: f64,
    terms: Vec<&'a TermTable>,
    task: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    without_teacher: Option<WithoutTeacher>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<LeftOut>,
}

/// Folder name of the run of a teacher that follows `plan`, or of that of a fold.
fn teacher_id<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    package: Option<&State>,
    (plan, left_out): (&Plan, Option<LeftOut>),
) -> Result<String> {
    let experiment = context.experiment;
    identity(
        "dense teacher",
        &RunIdentity {
            prepared: prepared.store.identity(),
            teacher: None,
            without_teacher: None,
            network: &experiment.teacher.design,
            plan,
            smoothing: experiment.smoothing,
            terms: Vec::new(),
            task: experiment.task.identity(),
            package: package.map(State::hash),
            left_out,
        },
    )
}

/// Folder names of the runs that the teacher is made of.
pub(super) fn runs<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
) -> Result<TeacherRuns> {
    let (experiment, package) = (context.experiment, packaged(context, prepared)?);
    TeacherRuns::of(&experiment.teacher_plan, experiment.members.len(), experiment.folding, |_, plan, left_out| {
        teacher_id(context, prepared, package.as_ref(), (plan, left_out))
    })
}

/// Of the package that teaches, where the recipe names one.
fn packaged<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
) -> Result<Option<State>> {
    let experiment = context.experiment;
    let weights = |package| chain::weights(package, &experiment.teacher.design, prepared.store.identity());
    experiment.package.as_ref().map(|package| weights(package)).transpose()
}

/// Trains the teacher, and those of the folds, or opens them.
pub(super) fn teach<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
) -> Result<Taught<I, I>> {
    let experiment = context.experiment;
    let package = packaged(context, prepared)?;
    let id_of = |plan: &Plan, left_out| teacher_id(context, prepared, package.as_ref(), (plan, left_out));
    let train = prepared.split::<D, T::Answer>(Split::Train);
    let job = Job {
        id: id_of(&experiment.teacher_plan, None)?,
        title: format!("teacher {}", experiment.teacher.name),
        task: experiment.task.training(),
        objective: &Objective::new(vec![Term::task(experiment.smoothing)])?,
        guide: Guide::Nobody,
        train: &train,
        val: &prepared.split::<D, T::Answer>(Split::Val),
        plan: &experiment.teacher_plan,
        initial: None,
    };
    let init = |device: &burn::tensor::Device| experiment.task.init(&experiment.teacher.spec, device);
    let members = match &package {
        Some(weights) => Members::of_one(training::take_over(context, job.id.clone(), weights)?),
        None => {
            let joined = (experiment.members.as_slice(), experiment.task.averaging());
            Members::train(context, &job, joined, |plan| id_of(plan, None), init)?
        }
    };
    let live = members.live(|_| init(&context.device.device))?;
    let hash = live.hash().to_owned();
    let cross_fitted = match experiment.folding {
        None => None,
        Some(folding) => {
            // Which classes a mask holds is not known before it is read: nothing is kept in proportion.
            let one_for_all = Target::Labels(Vec::new());
            let samples = (0..train.len()).map(|index| (train.id(index), train.subject(index), &one_for_all));
            let folds = divide(samples, folding)?;
            let of_fold = |left_out| id_of(&experiment.teacher_plan, Some(left_out));
            Some((cross_fit(context, &job, (folding, &folds), of_fold, init)?, None))
        }
    };
    Ok(Taught { members, live, hash, calibration: None, cross_fitted })
}

/// Stored answers for numbered views, of every teacher that an arm learns from; none where views are fresh and teachers
/// have to answer live.
pub(super) fn label<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    teacher: &Taught<I, I>,
) -> Result<SoftLabels> {
    let experiment = context.experiment;
    let Views::Numbered { count } = experiment.views else { return Ok(SoftLabels::default()) };
    let [_, answer] = experiment.task.shapes();
    let stored = |name: &str, teacher: &dyn Teacher<I, I>, folds: Option<String>| {
        let asking = Asking {
            name,
            task: experiment.task.training(),
            source: &prepared.split::<D, T::Answer>(Split::Train),
            teacher,
            key: SoftKey { teacher: teacher.hash().to_owned(), folds, ..key(context, prepared, count)? },
            n_values: answer.iter().product(),
            element: experiment.task.soft_element(),
            at_once: ANSWER_BATCH,
        };
        asking.stored(context)
    };
    let given = |file: &str| given(context, prepared, file);
    SoftLabels::ask(&experiment.arms, &experiment.teacher.name, teacher.teachers(), stored, given)
}

/// Somebody else's answers, checked and stored. A view moves the points, so each has an answer of its own.
pub(super) fn given<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    file: &str,
) -> Result<Arc<SoftStore>> {
    let experiment = context.experiment;
    let source = prepared.split::<D, T::Answer>(Split::Train);
    let [_, answer] = experiment.task.shapes();
    let given = Given {
        ids: (0..source.len()).map(|index| source.id(index).clone()).collect(),
        shape: answer[1..].to_vec(),
        for_all_views: false,
        key: key(context, prepared, given::views(experiment.views)?)?,
        element: experiment.task.soft_element(),
    };
    given.stored(context, file)
}

/// What stored answers to so many views belong to, but for whose they are.
pub(super) fn key<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    n_views: u32,
) -> Result<SoftKey> {
    let augmentation = context.experiment.task.identity();
    answers::key(&prepared.split_hash, prepared.store.identity(), &augmentation, n_views)
}

/// Folder name of a student's run.
pub(super) fn student_id<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    teacher_hash: &str,
    (student, arm, seed): (&Sized<T::Spec, T::Design>, &Arm, u64),
) -> Result<String> {
    let experiment = context.experiment;
    identity(
        "dense student",
        &RunIdentity {
            prepared: prepared.store.identity(),
            teacher: arm.is_taught().then_some(teacher_hash),
            without_teacher: arm.without_teacher,
            network: &student.design,
            plan: &Plan { seed, ..experiment.student_plan.clone() },
            smoothing: 0.0,
            terms: arm.terms.iter().map(|term| &term.table).collect(),
            task: experiment.task.identity(),
            package: None,
            left_out: None,
        },
    )
}

/// Trains, or opens, all seeds of one student size and arm.
pub(super) fn learn<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    teacher: &Taught<I, I>,
    soft: &SoftLabels,
    (student, arm): (&Sized<T::Spec, T::Design>, &Arm),
) -> Result<Vec<FinishedRun>> {
    let experiment = context.experiment;
    let objective = experiment.objective::<D, I>(arm)?;
    let [_, shape] = experiment.task.shapes();
    let lesson = teacher.lesson(arm, soft)?;
    let hash = lesson.hash();
    let device = context.device.device.clone().autodiff();
    lesson.with(context, shape, |asked| {
        let of_seed = |&seed: &u64| {
            let plan = Plan { seed, ..experiment.student_plan.clone() };
            let job = Job {
                id: student_id(context, prepared, &hash, (student, arm, seed))?,
                title: format!("{} {} seed {seed}", student.name, arm.name),
                task: experiment.task.training(),
                objective: &objective,
                guide: arm.guide(asked),
                train: &prepared.split::<D, T::Answer>(Split::Train),
                val: &prepared.split::<D, T::Answer>(Split::Val),
                plan: &plan,
                initial: None,
            };
            training::run(context, &job, experiment.task.init(&student.spec, &device))
        };
        context.seeds.iter().map(of_seed).collect()
    })
}

/// One run on the test cases: at the chosen epoch and at the last one.
pub(super) struct Scored {
    pub(super) test: CaseTable,
    pub(super) test_last: CaseTable,
    /// The answers at the chosen epoch.
    answers: Npz,
}

impl Scored {
    /// The answer to a test case.
    pub(super) fn answer(&self, case: usize) -> Result<StoredArray> {
        Ok(self.answers.array(&array_name("chosen", case))?)
    }
}

fn array_name(epoch: &str, case: usize) -> String {
    format!("{epoch}_{case:05}")
}

/// Answers, or opens, one run, and judges it.
pub(super) fn score<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    grouping: &Grouping,
    (spec, run, title): (&T::Spec, &FinishedRun, &str),
) -> Result<Scored> {
    let (task, device) = (&context.experiment.task, &context.device.device);
    let network = |epoch| Ok(Committee::of_one(run.state(epoch).load_into(task.init(spec, device))?));
    answered(context, prepared, grouping, (&run.id, title), network)
}

/// Answers, or opens, the teacher's members as one, and judges them.
pub(super) fn score_teacher<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    grouping: &Grouping,
    members: &Members,
) -> Result<Scored> {
    let title = format!("teacher {}", context.experiment.teacher.name);
    let network = |epoch| committee(context, members, epoch);
    answered(context, prepared, grouping, (&members.id()?, &title), network)
}

/// The teacher's members as one network.
pub(super) fn committee<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    members: &Members,
    epoch: Epoch,
) -> Result<Committee<T::Network>> {
    let experiment = context.experiment;
    members.network::<_, I, I>(epoch, |_| experiment.task.init(&experiment.teacher.spec, &context.device.device))
}

/// Answers under a name, of a network with its numbers of an epoch.
fn answered<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    grouping: &Grouping,
    (id, title): (&str, &str),
    network: impl Fn(Epoch) -> Result<Committee<T::Network>>,
) -> Result<Scored> {
    let task = &context.experiment.task;
    let n_cases = prepared.subjects.len();
    let folder = context.root.scores().join(id);
    if !folder.is_dir() {
        let mut progress = Progress::new(context.out, &format!("answers of {title}"), 2 * n_cases as u64);
        let mut arrays: Vec<(String, NpyValue)> = Vec::new();
        for (epoch, of_epoch) in [("chosen", Epoch::Chosen), ("last", Epoch::Last)] {
            let network = network(of_epoch)?;
            for case in 0..n_cases {
                if context.stop.load(std::sync::atomic::Ordering::Relaxed) {
                    bail!(Stopped);
                }
                arrays.push((array_name(epoch, case), task.answer(&network, prepared, case, &context.device.device)?));
                progress.set(arrays.len() as u64, "");
            }
        }
        progress.clear();
        let named: Vec<(&str, NpyValue)> = arrays.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let staged = StagedFolder::create(&folder)?;
        write_npz(&staged.path().join(FILE), &named)?;
        staged.commit()?;
    }
    let answers = Npz::open(&folder.join(FILE))?;
    let table = |epoch: &str| -> Result<CaseTable> {
        let values: Vec<Result<CaseValues>> = (0..n_cases)
            .into_par_iter()
            .map(|case| task.judge(prepared, case, &answers.array(&array_name(epoch, case))?))
            .collect();
        let values = values.into_iter().collect::<Result<Vec<_>>>();
        let values = values.with_context(|| {
            format!("stored answers of {title}\nhint: delete the scores folder of this run and score again")
        })?;
        Ok(CaseTable::new(&values, grouping))
    };
    let (test, test_last) = (table("chosen")?, table("last")?);
    Ok(Scored { test, test_last, answers })
}
