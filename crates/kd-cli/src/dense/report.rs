//! Report of a dense task: runs whatever is not finished yet, and writes record, pages, pictures and package.

use std::time::Instant;

use anyhow::{Context as _, Result};
use burn::tensor::Tensor;
use kd_core::{Network, State};
use kd_data::Manifest;
use kd_data::prepare::DenseRequest;
use kd_data::store::{StagedFolder, write_atomic};
use kd_metrics::Grouping;
use kd_report::{Exhibit, Role, TIMING_SCHEMA, Timing, html, json, markdown};

use super::record::{self, Evidence, StudentEvidence};
use super::stages::{self, Of, Scored};
use super::{DensePrepared, DenseTask};
use crate::host;
use crate::package::Provenance;
use crate::stage::compare::role;
use crate::stage::members::Members;
use crate::stage::record::Measured;
use crate::stage::report::Reported;
use crate::stage::taught::Taught;
use crate::stage::training::{Epoch, FinishedRun};
use crate::stage::{Context, identity};

/// Forward passes of one sample for a latency figure, after a warm-up.
const LATENCY_RUNS: usize = 20;
/// Cases shown on the page.
const CASES_SHOWN: usize = 4;

/// A finished student on its way into a package.
pub(crate) struct Finished<'a, S, N> {
    pub(crate) student: &'a super::Sized<S, N>,
    pub(crate) arm: &'a str,
    pub(crate) seed: u64,
    pub(crate) run: &'a FinishedRun,
    pub(crate) teacher: &'a str,
    pub(crate) teacher_hash: &'a str,
}

/// What a package says of its experiment.
pub(crate) struct PackFacts<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) recipe: &'a str,
    pub(crate) recipe_toml: &'a str,
    pub(crate) preparation_hash: &'a str,
    pub(crate) preparation: &'a DenseRequest,
    pub(crate) intended_use: &'a str,
}

impl PackFacts<'_> {
    /// Where a student came from.
    pub(crate) fn provenance<S, N>(&self, student: &Finished<'_, S, N>) -> Provenance {
        Provenance {
            recipe: self.recipe.to_owned(),
            recipe_toml: self.recipe_toml.to_owned(),
            arm: student.arm.to_owned(),
            seed: student.seed,
            chosen_epoch: student.run.facts.chosen_epoch,
            dataset: self.manifest.name.to_string(),
            dataset_license: self.manifest.license.spdx.clone(),
            dataset_citation: self.manifest.citation.text.clone(),
            preparation_hash: self.preparation_hash.to_owned(),
            teacher: student.teacher.to_owned(),
            teacher_hash: student.teacher_hash.to_owned(),
            weights_hash: student.run.facts.chosen_hash.clone(),
            revision: host::revision().into(),
            program: format!("kd {}", env!("CARGO_PKG_VERSION")),
        }
    }
}

/// Runs whatever is not finished yet, and reports.
pub(super) fn run<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepare: impl Fn() -> Result<DensePrepared<T::Cases>>,
) -> Result<Reported> {
    let start = Instant::now();
    let experiment = context.experiment;
    let prepared = context.timed("prepare", prepare)?;
    let grouping = Grouping::new(&prepared.subjects[..prepared.learned])?;
    let teacher = context.timed("teach", || stages::teach(context, &prepared))?;
    let soft = context.timed("label", || stages::label(context, &prepared, &teacher))?;
    let runs = context.timed("learn", || {
        let of_student = |student| {
            let arms = experiment.arms.iter();
            arms.map(|arm| stages::learn(context, &prepared, &teacher, &soft, (student, arm)))
                .collect::<Result<Vec<_>>>()
        };
        experiment.students.iter().map(of_student).collect::<Result<Vec<_>>>()
    })?;
    let evidence = context.timed("score", || {
        let scored = stages::score_teacher(context, &prepared, &grouping, &teacher.members)?;
        let mut students = Vec::new();
        for (student, arms) in experiment.students.iter().zip(runs) {
            let measured = measure(context, &student.spec, &arms[0][0].chosen)?;
            let arms = experiment.arms.iter().zip(arms).map(|(arm, runs)| {
                let title = format!("{} {}", student.name, arm.name);
                let scored =
                    runs.iter().map(|run| stages::score(context, &prepared, &grouping, (&student.spec, run, &title)));
                let scored = scored.collect::<Result<Vec<Scored>>>()?;
                Ok((runs, scored))
            });
            students.push(StudentEvidence { measured, arms: arms.collect::<Result<Vec<_>>>()? });
        }
        Ok(Evidence {
            teacher: scored,
            teacher_measured: measure_teacher(context, &teacher.members)?,
            teacher_hash_after: teacher.live.hash_now(),
            students,
        })
    })?;
    teacher.live.verify_frozen()?;
    let folder = context.timed("report", || write(context, &prepared, &grouping, &teacher, &evidence, start))?;
    let text = kd_data::text::read_text(&folder.join("record.json"))?;
    let record = json::read_record(&text)?;
    Ok(Reported { folder, summary: kd_report::table::terminal(&record), record: text })
}

/// Latency of one sample, and the size of the weights as a file.
fn measure<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    spec: &T::Spec,
    state: &State,
) -> Result<Measured> {
    let network = state.load_into(context.experiment.task.init(spec, &context.device.device))?;
    Ok(latency(context, &network, state.to_bytes().len()))
}

/// The same of the teacher's members as one.
fn measure_teacher<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    members: &Members,
) -> Result<Measured> {
    Ok(latency(context, &stages::committee(context, members, Epoch::Chosen)?, members.file_bytes()))
}

fn latency<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    network: &impl Network<I, I>,
    bytes: usize,
) -> Measured {
    let [shape, _] = context.experiment.task.shapes();
    let input = Tensor::<I>::zeros(shape, &context.device.device);
    Measured::of(network, &input, bytes, (LATENCY_RUNS, 3))
}

fn write<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    grouping: &Grouping,
    teacher: &Taught<I, I>,
    evidence: &Evidence,
    start: Instant,
) -> Result<std::path::PathBuf> {
    let experiment = context.experiment;
    let arms = evidence.students.iter().flat_map(|student| &student.arms);
    let runs: Vec<&str> = arms.flat_map(|(runs, _)| runs.iter().map(|run| run.id.as_str())).collect();
    let version = (host::revision(), host::dirty());
    let id = identity("report", &(&experiment.text, &teacher.members.id()?, &runs, version, &context.device.name))?;
    let folder = context.root.reports().join(format!("{}-{}", experiment.name, &id[..12]));
    if folder.is_dir() {
        return Ok(folder);
    }
    let kind = experiment.task.kind();
    let record = record::assemble(context, kind, prepared, grouping, teacher, evidence)?;
    let timing = Timing {
        schema: TIMING_SCHEMA,
        total_seconds: start.elapsed().as_secs_f64(),
        threads: u32::try_from(std::thread::available_parallelism().map_or(1, usize::from))?,
        peak_memory_bytes: host::peak_memory_bytes(),
        stages: context.times.borrow().clone(),
        arms: Vec::new(),
    };
    let exhibits = exhibits(context, prepared, evidence)?;
    let staged = StagedFolder::create(&folder)?;
    let files = [
        ("report.html", html::report(&record, &timing, &[], &exhibits)),
        ("report.md", markdown::report(&record)),
        ("record.json", json::write_record(&record)?),
        ("arms.csv", kd_report::csv::arms(&record)),
        ("curves.csv", kd_report::csv::curves(&record)),
        ("cases.csv", cases(context, prepared, evidence)),
        ("timing.json", json::write_timing(&timing)?),
    ];
    for (name, text) in files {
        write_atomic(&staged.path().join(name), text.as_bytes())?;
    }
    let student = finished(context, teacher, evidence)?;
    let facts = PackFacts {
        manifest: context.manifest,
        recipe: &experiment.name,
        recipe_toml: &experiment.text,
        preparation_hash: prepared.store.identity(),
        preparation: &experiment.request,
        intended_use: &experiment.scoring.package.intended_use,
    };
    experiment.task.pack(&student, &facts, staged.path())?;
    staged.commit()?;
    Ok(folder)
}

/// Places of the student and the arm that the recipe packs.
fn packed<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
) -> Result<(usize, usize)> {
    let experiment = context.experiment;
    let wanted = &experiment.scoring.package;
    let student = experiment.students.iter().position(|student| student.name == wanted.student);
    let arm = experiment.arms.iter().position(|arm| arm.name == wanted.arm);
    student.zip(arm).context("the recipe's package names a student and an arm")
}

/// The student that the recipe names, of the seed with the best validation measure; of equal seeds the first.
fn finished<'a, T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &'a Context<'_, Of<T, D, I>>,
    teacher: &'a Taught<I, I>,
    evidence: &'a Evidence,
) -> Result<Finished<'a, T::Spec, T::Design>> {
    let experiment = context.experiment;
    let (student, arm) = packed(context)?;
    let (runs, _) = &evidence.students[student].arms[arm];
    let measured = |run: &FinishedRun| {
        let epoch = &run.facts.history[run.facts.chosen_epoch];
        let select = &experiment.student_plan.select;
        let measure = epoch.validation.iter().find(|measure| measure.name == *select);
        let sign = |better: bool| if better { 1.0 } else { -1.0 };
        measure.and_then(|one| Some(sign(one.higher_is_better) * one.value?)).unwrap_or(f64::MIN)
    };
    let best = (0..runs.len()).max_by(|&a, &b| measured(&runs[a]).total_cmp(&measured(&runs[b])).then(b.cmp(&a)));
    let best = best.context("an arm has at least one seed")?;
    Ok(Finished {
        student: &experiment.students[student],
        arm: &experiment.arms[arm].name,
        seed: context.seeds[best],
        run: &runs[best],
        teacher: &experiment.teacher.name,
        teacher_hash: &teacher.hash,
    })
}

/// The worst test cases of the packed student under the teacher, the lone student and the distilled one.
fn exhibits<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    evidence: &Evidence,
) -> Result<Vec<Exhibit>> {
    let experiment = context.experiment;
    let (student, arm) = packed(context)?;
    let arms = &evidence.students[student].arms;
    let alone = experiment.arms.iter().position(|arm| role(arm) == Role::Alone);
    let (metric, facts) = (experiment.scoring.primary, &experiment.scoring.metrics[experiment.scoring.primary]);
    let shown = &arms[arm].1[0];
    let sign = if facts.higher_is_better { 1.0 } else { -1.0 };
    let mut order: Vec<(usize, f64)> = (0..prepared.subjects.len())
        .filter_map(|case| Some((case, sign * shown.test.value(metric, case).as_ref().ok()?)))
        .collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let middle = order.get(order.len() / 2).copied();
    order.truncate(CASES_SHOWN - 1);
    order.extend(middle);
    let number = |scored: &Scored, case: usize| match scored.test.value(metric, case) {
        Ok(value) => format!("{value:.*}", usize::from(facts.decimals)),
        Err(_) => "undefined".into(),
    };
    let mut exhibits = Vec::new();
    for (place, (case, _)) in order.into_iter().enumerate() {
        let mut looks: Vec<(String, &Scored)> = vec![("teacher".into(), &evidence.teacher)];
        looks.extend(alone.filter(|alone| *alone != arm).map(|alone| ("alone".to_owned(), &arms[alone].1[0])));
        looks.push((experiment.arms[arm].name.clone(), shown));
        let answers = looks.iter().map(|(name, scored)| Ok((name.clone(), scored.answer(case)?)));
        let mut exhibit = experiment.task.picture(prepared, case, &answers.collect::<Result<Vec<_>>>()?)?;
        let numbers = looks.iter().map(|(name, scored)| format!("{name} {}", number(scored, case)));
        exhibit.title = if place + 1 < CASES_SHOWN {
            format!("Case {}: one of the worst of {}", place + 1, experiment.arms[arm].name)
        } else {
            format!("Case {}: one in the middle", place + 1)
        };
        exhibit.caption = format!(
            "{}: {} ({}, seed {}). {}",
            facts.label,
            numbers.collect::<Vec<_>>().join(", "),
            experiment.students[student].name,
            context.seeds[0],
            exhibit.caption
        );
        exhibits.push(exhibit);
    }
    Ok(exhibits)
}

/// Every test case under every arm and seed, under running numbers that stand for nothing outside of the table.
fn cases<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
    evidence: &Evidence,
) -> String {
    let experiment = context.experiment;
    let mut text = String::from("case,student,arm,seed,metric,value,undefined\n");
    let mut rows = |student: &str, arm: &str, seed: u64, scored: &Scored| {
        for case in 0..prepared.subjects.len() {
            for (metric, facts) in experiment.scoring.metrics.iter().enumerate() {
                let (value, reason) = match scored.test.value(metric, case) {
                    Ok(value) => (value.to_string(), String::new()),
                    Err(reason) => (String::new(), reason.to_string().replace([',', '\n', '"'], " ")),
                };
                text += &format!("{},{student},{arm},{seed},{},{value},{reason}\n", case + 1, facts.name);
            }
        }
    };
    rows("", "teacher", experiment.teacher_plan.seed, &evidence.teacher);
    for (student, of_student) in experiment.students.iter().zip(&evidence.students) {
        for (arm, (_, scored)) in experiment.arms.iter().zip(&of_student.arms) {
            for (&seed, one) in context.seeds.iter().zip(scored) {
                rows(&student.name, &arm.name, seed, one);
            }
        }
    }
    text
}
