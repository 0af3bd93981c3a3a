//! Teach, label, learn and score of a dense task.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use kd_core::train::{Plan, Views};
use kd_core::{LiveTeacher, Objective, Ramp, State, Teacher, Term, TermKind};
use kd_data::format::{NpyValue, Npz, StoredArray, write_npz};
use kd_data::store::{SoftKey, SoftStore, StagedFolder};
use kd_image::Split;
use kd_metrics::Grouping;
use rayon::prelude::*;
use serde::Serialize;

use super::{CaseTable, CaseValues, DenseExperiment, DensePrepared, DenseTask, Sized, report};
use crate::args::Stage;
use crate::progress::Progress;
use crate::recipe::{Arm, TermTable};
use crate::stage::answers::{AnsweringTeacher, Asking};
use crate::stage::learned::{Learned, Lessons};
use crate::stage::training::{self, FinishedRun, Job};
use crate::stage::{Context, Stopped, identity};

/// Samples that the teacher answers at once.
const ANSWER_BATCH: usize = 16;
const FILE: &str = "answers.npz";

/// The experiment of a task, in every function below.
pub(super) type Of<T, const D: usize, const I: usize> =
    DenseExperiment<T, <T as DenseTask<D, I>>::Spec, <T as DenseTask<D, I>>::Design>;

/// The trained teacher.
pub(super) struct Taught<N> {
    pub(super) run: FinishedRun,
    pub(super) live: LiveTeacher<N>,
    pub(super) hash: String,
}

#[derive(Serialize)]
struct RunIdentity<'a, N> {
    prepared: &'a str,
    teacher: Option<&'a str>,
    network: &'a N,
    plan: &'a Plan,
    smoothing: f64,
    terms: Vec<&'a TermTable>,
    task: String,
}

/// Folder name of the teacher's run.
pub(super) fn teacher_id<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
) -> Result<String> {
    let experiment = context.experiment;
    identity(
        "dense teacher",
        &RunIdentity {
            prepared: prepared.store.identity(),
            teacher: None,
            network: &experiment.teacher.design,
            plan: &experiment.teacher_plan,
            smoothing: experiment.smoothing,
            terms: Vec::new(),
            task: experiment.task.identity(),
        },
    )
}

/// Trains the teacher, or opens it.
pub(super) fn teach<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
) -> Result<Taught<T::Network>> {
    let experiment = context.experiment;
    let device = context.device.device.clone().autodiff();
    let kind = TermKind::Task { smoothing: experiment.smoothing };
    let term = Term { name: "task".into(), weight: 1.0, ramp: Ramp::None, kind };
    let job = Job {
        id: teacher_id(context, prepared)?,
        title: format!("teacher {}", experiment.teacher.name),
        task: experiment.task.training(),
        objective: &Objective::new(vec![term])?,
        teacher: None,
        train: &prepared.split::<D, T::Answer>(Split::Train),
        val: &prepared.split::<D, T::Answer>(Split::Val),
        plan: &experiment.teacher_plan,
        initial: None,
    };
    let run = training::run(context, &job, experiment.task.init(&experiment.teacher.spec, &device))?;
    let fresh = experiment.task.init(&experiment.teacher.spec, &context.device.device);
    let live = LiveTeacher::new::<I, I>(&run.chosen.load_into(fresh)?);
    let hash = Teacher::<I, I>::hash(&live).to_owned();
    Ok(Taught { run, live, hash })
}

/// Stored answers for numbered views; none where views are fresh and the teacher has to answer live.
pub(super) fn label<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    teacher: &Taught<T::Network>,
) -> Result<Option<Arc<SoftStore>>> {
    let experiment = context.experiment;
    let Views::Numbered { count } = experiment.views else { return Ok(None) };
    if !experiment.arms.iter().any(Arm::distills) {
        return Ok(None);
    }
    let [_, answer] = experiment.task.shapes();
    let asking = Asking {
        name: &experiment.teacher.name,
        task: experiment.task.training(),
        source: &prepared.split::<D, T::Answer>(Split::Train),
        teacher: &teacher.live,
        key: SoftKey {
            data: prepared.split_hash.clone(),
            preparation: prepared.store.identity().to_owned(),
            teacher: teacher.hash.clone(),
            view_policy: identity("views", &experiment.task.identity())?,
            n_views: count,
            folds: None,
        },
        n_values: answer.iter().product(),
        element: experiment.task.soft_element(),
        at_once: ANSWER_BATCH,
    };
    asking.stored(context).map(Some)
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
            teacher: arm.distills().then_some(teacher_hash),
            network: &student.design,
            plan: &Plan { seed, ..experiment.student_plan.clone() },
            smoothing: 0.0,
            terms: arm.terms.iter().map(|term| &term.table).collect(),
            task: experiment.task.identity(),
        },
    )
}

/// Trains, or opens, all seeds of one student size and arm.
pub(super) fn learn<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    teacher: &Taught<T::Network>,
    soft: Option<&Arc<SoftStore>>,
    (student, arm): (&Sized<T::Spec, T::Design>, &Arm),
) -> Result<Vec<FinishedRun>> {
    let experiment = context.experiment;
    let objective = experiment.objective::<D, I>(arm)?;
    let [_, shape] = experiment.task.shapes();
    let answering = AnsweringTeacher::new(context, (&teacher.live, teacher.hash.as_str()), soft, shape)?;
    let device = context.device.device.clone().autodiff();
    let of_seed = |&seed: &u64| {
        let plan = Plan { seed, ..experiment.student_plan.clone() };
        let job = Job {
            id: student_id(context, prepared, &teacher.hash, (student, arm, seed))?,
            title: format!("{} {} seed {seed}", student.name, arm.name),
            task: experiment.task.training(),
            objective: &objective,
            teacher: arm.distills().then_some(answering.as_teacher::<I>()),
            train: &prepared.split::<D, T::Answer>(Split::Train),
            val: &prepared.split::<D, T::Answer>(Split::Val),
            plan: &plan,
            initial: None,
        };
        training::run(context, &job, experiment.task.init(&student.spec, &device))
    };
    context.seeds.iter().map(of_seed).collect()
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
    let task = &context.experiment.task;
    let n_cases = prepared.subjects.len();
    let folder = context.root.scores().join(&run.id);
    if !folder.is_dir() {
        let mut progress = Progress::new(context.out, &format!("answers of {title}"), 2 * n_cases as u64);
        let mut arrays: Vec<(String, NpyValue)> = Vec::new();
        for (epoch, state) in [("chosen", &run.chosen), ("last", &run.last)] {
            let network = state.load_into(task.init(spec, &context.device.device))?;
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

/// Hash of the teacher's numbers now.
pub(super) fn hash_now<N, const I: usize>(teacher: &Taught<N>) -> String
where
    N: kd_core::Network<I, I>,
{
    State::of(teacher.live.network()).hash()
}

/// Walks an experiment up to `stage`.
pub(crate) fn walk<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    stage: Stage,
    prepare: impl Fn() -> Result<DensePrepared<T::Cases>>,
) -> Result<()> {
    let out = context.out;
    if matches!(stage, Stage::Score | Stage::Report | Stage::Run) {
        let reported = report::run(context, prepare)?;
        if out.is_json() {
            let record: serde_json::Value = serde_json::from_str(&reported.record)?;
            out.json(&record)?;
        } else {
            out.data(&reported.summary);
            out.data(format!("report: {}", reported.folder.join("report.html").display()));
        }
        return Ok(());
    }
    let prepared = prepare()?;
    let counts = Split::ALL.map(|split| format!("{} {split}", prepared.store.positions(split).len())).join(", ");
    out.note(format!("prepared {} ({counts})", &prepared.store.identity()[..12]));
    if stage == Stage::Prepare {
        return Ok(());
    }
    let teacher = teach(context, &prepared)?;
    out.note(format!("teacher {} is ready", &teacher.hash[..12]));
    if stage == Stage::Teach {
        return Ok(());
    }
    let soft = label(context, &prepared, &teacher)?;
    if stage == Stage::Label {
        return Ok(());
    }
    learn_each(context, &prepared, &teacher, soft.as_ref(), &|_| true)?;
    Ok(())
}

/// Learns some arms, and gives what they are worth on the validation split.
pub(crate) fn learn_arms<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    only: &dyn Fn(&Arm) -> bool,
    prepare: impl Fn() -> Result<DensePrepared<T::Cases>>,
) -> Result<Vec<Learned>> {
    let prepared = prepare()?;
    let teacher = teach(context, &prepared)?;
    let soft = label(context, &prepared, &teacher)?;
    learn_each(context, &prepared, &teacher, soft.as_ref(), only)
}

fn learn_each<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    teacher: &Taught<T::Network>,
    soft: Option<&Arc<SoftStore>>,
    only: &dyn Fn(&Arm) -> bool,
) -> Result<Vec<Learned>> {
    let experiment = context.experiment;
    let select = &experiment.student_plan.select;
    let lessons = Lessons { students: &experiment.students, arms: &experiment.arms, select, out: context.out };
    lessons.each(only, |student| &student.name, |student, arm| learn(context, prepared, teacher, soft, (student, arm)))
}
