//! Learn: every student size, arm and seed, each a run of its own.

use std::sync::Arc;

use anyhow::Result;
use kd_core::train::Plan;
use kd_data::split::label_subset;
use kd_data::store::PreparedSource;
use kd_image::{Sample, SampleId, SampleSource, SourceError, Split, SubjectId, Target};
use serde::Serialize;

use super::answers::SoftLabels;
use super::prepare::Prepared;
use super::taught::Taught;
use super::training::{self, FinishedRun, Job};
use super::{Context, identity};
use crate::recipe::{Arm, Student, WithoutTeacher};

#[derive(Serialize)]
struct StudentIdentity<'a> {
    prepared: &'a str,
    teacher: Option<&'a str>,
    network: &'a kd_classify::NetworkDesign,
    head: &'a crate::recipe::HeadKind,
    plan: &'a Plan,
    terms: Vec<&'a crate::recipe::TermTable>,
    class_weights: &'a Option<Vec<f64>>,
    augment: &'a toml::Table,
    label_fraction: Option<f64>,
    label_seed: Option<u64>,
    unlabelled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    without_teacher: Option<WithoutTeacher>,
}

/// The runs of one student size and arm, in the order of the seeds.
pub(crate) struct ArmRuns {
    pub(crate) runs: Vec<FinishedRun>,
}

/// Which training samples a student sees with labels, or nothing where it sees all.
fn labelled(context: &Context<'_>, source: &PreparedSource) -> Result<Option<Vec<bool>>> {
    let data = &context.experiment.recipe.data;
    let Some(fraction) = data.label_fraction else { return Ok(None) };
    let samples: Vec<(&SubjectId, &Target)> =
        (0..source.len()).map(|index| (source.subject(index), source.target(index))).collect();
    Ok(Some(label_subset(&samples, fraction, data.label_seed.unwrap_or(0))?))
}

/// How many training images and subjects students see with labels.
pub(crate) fn labelled_counts(context: &Context<'_>, prepared: &Prepared) -> Result<Option<(usize, usize)>> {
    let source = prepared.split(Split::Train);
    Ok(labelled(context, &source)?.map(|seen| {
        let images = seen.iter().filter(|seen| **seen).count();
        let subjects: std::collections::BTreeSet<&str> = seen
            .iter()
            .enumerate()
            .filter(|(_, seen)| **seen)
            .map(|(index, _)| source.subject(index).as_str())
            .collect();
        (images, subjects.len())
    }))
}

/// Folder name of one run.
pub(crate) fn run_id(
    context: &Context<'_>,
    prepared: &Prepared,
    teacher_hash: &str,
    student: &Student,
    arm: &Arm,
    seed: u64,
) -> Result<String> {
    let experiment = context.experiment;
    let data = &experiment.recipe.data;
    identity(
        "student",
        &StudentIdentity {
            prepared: prepared.store.identity(),
            teacher: arm.is_taught().then_some(teacher_hash),
            without_teacher: arm.without_teacher,
            network: student.spec.design(),
            head: &data.head,
            plan: &Plan { seed, ..experiment.student_plan.clone() },
            terms: arm.terms.iter().map(|term| &term.table).collect(),
            class_weights: &data.class_weights,
            augment: &experiment.recipe.augment,
            label_fraction: data.label_fraction,
            label_seed: data.label_seed,
            unlabelled: arm.unlabelled,
        },
    )
}

/// Trains, or opens, all seeds of one student size and arm.
pub(crate) fn run(
    context: &Context<'_>,
    prepared: &Prepared,
    teacher: &Taught<4, 2>,
    soft: &SoftLabels,
    student: &Student,
    arm: &Arm,
) -> Result<ArmRuns> {
    let experiment = context.experiment;
    let whole = prepared.split(Split::Train);
    let train: Box<dyn SampleSource<2>> = match labelled(context, &whole)? {
        None => Box::new(whole),
        Some(seen) if arm.unlabelled => Box::new(PartlyLabelled { source: whole, seen }),
        Some(seen) => {
            let positions = whole.positions().iter().zip(&seen).filter(|(_, seen)| **seen).map(|(p, _)| *p).collect();
            Box::new(PreparedSource::of_positions(Arc::clone(&prepared.store), positions)?)
        }
    };
    let val = prepared.split(Split::Val);
    let objective = experiment.objective(arm)?;
    let shape = [1, experiment.head.n_outputs()];
    let lesson = teacher.lesson(arm, soft)?;
    let hash = lesson.hash();
    let device = context.device.device.clone().autodiff();
    let runs = lesson.with(context, shape, |asked| {
        let of_seed = |&seed: &u64| {
            let plan = Plan { seed, ..experiment.student_plan.clone() };
            let job = Job {
                id: run_id(context, prepared, &hash, student, arm, seed)?,
                title: format!("{} {} seed {seed}", student.name, arm.name),
                task: &experiment.task,
                objective: &objective,
                guide: arm.guide(asked),
                train: train.as_ref(),
                val: &val,
                plan: &plan,
                initial: None,
            };
            training::run(context, &job, student.spec.init(&device))
        };
        context.seeds.iter().map(of_seed).collect()
    })?;
    Ok(ArmRuns { runs })
}

/// A training split of which only some labels are shown.
struct PartlyLabelled {
    source: PreparedSource,
    seen: Vec<bool>,
}

impl SampleSource<2> for PartlyLabelled {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn id(&self, index: usize) -> &SampleId {
        self.source.id(index)
    }

    fn subject(&self, index: usize) -> &SubjectId {
        self.source.subject(index)
    }

    fn read(&self, index: usize) -> Result<Sample<2>, SourceError> {
        let mut sample = self.source.read(index)?;
        if !self.seen[index] {
            sample.target = Target::Unlabelled;
        }
        Ok(sample)
    }
}
