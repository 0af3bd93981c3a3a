//! The run record: all evidence of an experiment, in the form that reports are made of.

use std::time::Instant;

use anyhow::Result;
use burn::tensor::Tensor;
use kd_classify::Metric;
use kd_core::train::EpochRecord;
use kd_core::{Network, Weight};
use kd_image::Split;
use kd_metrics::{Better, Grouping, Score, Undefined};
use kd_report::{
    Arm as ReportArm, Curves, Fact, NetworkFacts, Role, RunRecord, SCHEMA, SeedMetric, SeedResult, StudentGroup, Task,
    Teacher as ReportTeacher, Term, TermCurve, Value,
};

use super::Context;
use super::compare::{Compared, Comparison, Found, adjust, role, too_few_draws};
use super::evidence::{self, Statistics, of_score};
use super::facts::{AGREEMENT, dataset, definitions, protocol, provenance};
use super::learn::ArmRuns;
use super::prepare::Prepared;
use super::score::{Scored, Truth};
use super::taught::Taught;
use super::training::FinishedRun;
use crate::recipe::{Arm, ArmTerm, TASK, TeacherTable};

/// What was measured of a network beside its answers.
pub(crate) struct Measured {
    pub(crate) file_bytes: u64,
    pub(crate) latency_p50_ms: f64,
    pub(crate) latency_p95_ms: f64,
}

impl Measured {
    /// Times a network on one input `runs` times, after some that do not count.
    pub(crate) fn of<const I: usize, const O: usize>(
        network: &impl Network<I, O>,
        input: &Tensor<I>,
        file_bytes: usize,
        (runs, uncounted): (usize, usize),
    ) -> Self {
        let mut times: Vec<f64> = (0..runs + uncounted)
            .map(|_| {
                let start = Instant::now();
                let _answer = network.forward(input.clone()).into_data();
                1e3 * start.elapsed().as_secs_f64()
            })
            .skip(uncounted)
            .collect();
        times.sort_by(f64::total_cmp);
        Self { file_bytes: file_bytes as u64, latency_p50_ms: times[runs / 2], latency_p95_ms: times[runs * 95 / 100] }
    }
}

/// One student size: its arms, each with runs and judged answers in the order of the seeds.
pub(crate) struct StudentEvidence {
    pub(crate) measured: Measured,
    pub(crate) arms: Vec<(ArmRuns, Vec<Scored>)>,
}

/// Everything that an experiment has produced.
pub(crate) struct Evidence {
    pub(crate) teacher: Vec<Scored>,
    pub(crate) teacher_measured: Measured,
    pub(crate) teacher_hash_after: String,
    /// What is known of the soft labels.
    pub(crate) soft_labels: Vec<Fact>,
    pub(crate) students: Vec<StudentEvidence>,
}

/// Assembles the record.
pub(crate) fn assemble(
    context: &Context<'_>,
    prepared: &Prepared,
    truth: &Truth,
    teacher: &Taught<4, 2>,
    evidence: &Evidence,
) -> Result<RunRecord> {
    let experiment = context.experiment;
    let statistics = Statistics::of(experiment)?;
    let grouping = Grouping::new(&prepared.subjects(Split::Test))?;
    let maker = Maker { context, truth, statistics, grouping: &grouping, teacher: &evidence.teacher };
    let (members, seed) = (&teacher.members.runs, experiment.teacher.plan.seed);
    let mut teacher_arm = maker.arm("teacher", Role::Teacher, None, &[seed], &members[..1], &evidence.teacher);
    teacher_arm.terms = vec![task_term(1.0)];
    teacher_arm.curves = (seed..).zip(members).filter_map(|(seed, run)| curves(seed, run)).collect();
    let mut students = Vec::new();
    let mut found = Found::default();
    for (student, of_student) in experiment.students.iter().zip(&evidence.students) {
        let arms = experiment.arms.iter().zip(&of_student.arms).map(|(arm, (runs, scored))| {
            let mut reported = maker.arm(&arm.name, role(arm), arm.note.clone(), context.seeds, &runs.runs, scored);
            reported.terms = terms(arm);
            reported
        });
        students.push(StudentGroup {
            name: student.name.clone(),
            network: network_facts(
                &student.spec.to_string(),
                student.cost.parameters,
                student.cost.multiply_adds,
                &of_student.measured,
            ),
            arms: arms.collect(),
        });
        let comparison = Comparison {
            student: &student.name,
            arms: &experiment.arms,
            seeds: context.seeds.len(),
            grouping: &grouping,
            statistics,
        };
        for metric in std::iter::once(experiment.primary).chain(experiment.secondary.iter().copied()) {
            let compared = Compared {
                name: metric.name(),
                better: if metric.higher_is_better() { Better::Higher } else { Better::Lower },
                is_primary: metric == experiment.primary,
            };
            let of_arm =
                |arm: usize, seed: usize, draw: &[usize]| of_student.arms[arm].1[seed].test.value(metric, Some(draw));
            let of_teacher = |draw: &[usize]| evidence.teacher[0].test.value(metric, Some(draw));
            comparison.add(compared, &of_arm, &of_teacher, &mut found);
        }
    }
    adjust(&mut found.differences)?;
    let few = too_few_draws(&found.differences, experiment.recipe.score.resamples);
    let protocol =
        protocol(context, prepared)?.into_iter().chain(evidence.soft_labels.iter().cloned()).chain(few).collect();
    let (differences, gaps) = found.gaps_of(&experiment.recipe.score.package.arm);
    Ok(RunRecord {
        schema: SCHEMA,
        title: experiment.recipe.title.clone(),
        task: Task::Classify,
        provenance: provenance(context, &experiment.name, &experiment.text),
        dataset: dataset(context, prepared)?,
        protocol,
        metrics: definitions(experiment),
        primary_metric: experiment.primary.name().into(),
        baselines: Vec::new(),
        teacher: ReportTeacher {
            network: network_facts(
                &experiment.teacher.spec.to_string(),
                experiment.teacher.sum(|cost| cost.parameters),
                experiment.teacher.sum(|cost| cost.multiply_adds),
                &evidence.teacher_measured,
            ),
            origin: origin(&experiment.recipe.teacher, teacher),
            hash_before: teacher.hash.clone(),
            hash_after: evidence.teacher_hash_after.clone(),
            arm: teacher_arm,
        },
        students,
        differences,
        gaps,
    })
}

fn origin(table: &TeacherTable, teacher: &Taught<4, 2>) -> String {
    let mut origin = origin_of(table.package.as_ref(), teacher.members.runs.len());
    if let Some(experts) = &table.experts {
        let known: Vec<String> = experts.iter().map(|known| known.join(", ")).collect();
        origin += &format!(", each of some classes: {}", known.join("; "));
    }
    if let Some(file) = &table.weights {
        origin += &format!(", starting from {}", file_name(file));
    }
    if let Some(temperature) = teacher.calibration {
        origin += &format!("; students saw its logits divided by {:.4}, fitted on validation", temperature.get());
    }
    origin
}

/// Where a teacher of any task comes from.
pub(crate) fn origin_of(package: Option<&String>, members: usize) -> String {
    match package {
        None if members > 1 => format!("{members} networks trained in this experiment that answer as one"),
        None => "trained in this experiment".to_owned(),
        Some(package) => format!("a finished student, {}", file_name(package)),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

pub(crate) fn task_term(weight: f64) -> Term {
    Term { name: "task".into(), weight, is_share: false, temperature: None, source: "labels".into(), epochs: None }
}

pub(crate) fn terms(arm: &Arm) -> Vec<Term> {
    let reported = |term: &ArmTerm| {
        let (weight, is_share) = match term.weight {
            Weight::Fixed(weight) => (weight, false),
            Weight::Share(share) => (share, true),
        };
        let exits = |source: String| match &term.table.exit {
            None => source,
            Some(tap) => format!("{source}, exit at {tap}"),
        };
        let (name, epochs) =
            (term.table.name().to_owned(), term.table.epochs.map(|range| range.map(|epoch| epoch as u64)));
        if term.table.loss == TASK {
            let smoothed = || format!("labels, smoothed by {}", term.smoothing);
            let source = if term.smoothing > 0.0 { smoothed() } else { "labels".into() };
            return Term { name, is_share, source: exits(source), epochs, ..task_term(weight) };
        }
        let temperature = match term.parameters.0.get("temperature") {
            Some(kd_core::loss::Value::Number(temperature)) => Some(*temperature),
            _ => None,
        };
        let source = match (&arm.answers, arm.without_teacher) {
            _ if term.against_truth => "truth".to_owned(),
            (Some(file), _) => format!("answers in {}", file_name(file)),
            (None, Some(without)) => without.name().to_owned(),
            (None, None) => "teacher".to_owned(),
        };
        Term { name, weight, is_share, temperature, source: exits(source), epochs }
    };
    arm.terms.iter().map(reported).collect()
}

pub(crate) fn network_facts(name: &str, parameters: u64, multiply_adds: u64, measured: &Measured) -> NetworkFacts {
    NetworkFacts {
        name: name.into(),
        parameters,
        multiply_adds,
        file_bytes: measured.file_bytes,
        latency_p50_ms: Some(measured.latency_p50_ms),
        latency_p95_ms: Some(measured.latency_p95_ms),
        peak_memory_bytes: None,
    }
}

struct Maker<'a> {
    context: &'a Context<'a>,
    truth: &'a Truth,
    statistics: Statistics,
    grouping: &'a Grouping,
    teacher: &'a [Scored],
}

impl Maker<'_> {
    fn arm(
        &self,
        name: &str,
        role: Role,
        note: Option<String>,
        seeds: &[u64],
        runs: &[FinishedRun],
        scored: &[Scored],
    ) -> ReportArm {
        let experiment = self.context.experiment;
        let classes = &self.context.manifest.classes;
        let per_seed = seeds.iter().zip(scored).map(|(&seed, one)| SeedResult {
            seed,
            metrics: Metric::of_head(experiment.head)
                .iter()
                .map(|&metric| SeedMetric {
                    name: metric.name().into(),
                    last: of_score(one.test_last.value(metric, None)),
                    chosen: of_score(one.test.value(metric, None)),
                })
                .collect(),
        });
        let agreement = (role != Role::Teacher).then(|| {
            let teacher = &self.teacher[0];
            let statistic = move |seed: usize, draw: &[usize]| agreement(teacher, &scored[seed], draw);
            evidence::over_seeds(AGREEMENT, scored.len(), self.grouping, self.statistics, &statistic)
        });
        ReportArm {
            name: name.into(),
            role,
            note,
            seeds: seeds.to_vec(),
            terms: Vec::new(),
            per_seed: per_seed.collect(),
            metrics: evidence::metrics(experiment.head, scored, self.grouping, self.statistics),
            per_subgroup: Vec::new(),
            per_class: evidence::per_class(experiment, classes, scored, self.truth, self.grouping, self.statistics),
            confusion: evidence::confusion(scored),
            roc: evidence::roc(classes, scored, self.grouping, self.statistics),
            reliability: evidence::reliability_of(experiment.head, scored),
            calibration: Some(evidence::calibration(experiment, scored, self.truth)),
            operating_point: evidence::operating_point(experiment, scored, self.grouping, self.statistics),
            teacher_agreement: agreement,
            curves: seeds.iter().zip(runs).filter_map(|(&seed, run)| curves(seed, run)).collect(),
        }
    }
}

fn agreement(teacher: &Scored, student: &Scored, draw: &[usize]) -> Score {
    let (teacher, student) = (answers(teacher, draw), answers(student, draw));
    if teacher.is_empty() {
        return Err(Undefined::NoSamples);
    }
    let same = teacher.iter().zip(&student).filter(|(a, b)| a == b).count();
    #[expect(clippy::cast_precision_loss, reason = "counts of samples")]
    Ok(same as f64 / teacher.len() as f64)
}

/// The class (or the set of labels, as bits in words) that is named for each sample of a draw.
fn answers(scored: &Scored, draw: &[usize]) -> Vec<Vec<bool>> {
    match scored.test.predictions() {
        kd_metrics::Predictions::Binary(binary) => draw.iter().map(|&i| vec![binary.positive()[i] > 0.5]).collect(),
        kd_metrics::Predictions::Multiclass(classes) => {
            let predicted = classes.predicted();
            draw.iter().map(|&i| (0..classes.classes()).map(|class| class == predicted[i]).collect()).collect()
        }
        kd_metrics::Predictions::MultiLabel(labels) => {
            let flat = labels.flattened();
            let n = labels.labels();
            draw.iter().map(|&i| flat.positive()[i * n..(i + 1) * n].iter().map(|p| *p > 0.5).collect()).collect()
        }
    }
}

/// How a run went; none for weights that were taken over.
pub(crate) fn curves(seed: u64, run: &FinishedRun) -> Option<Curves> {
    let history = &run.facts.history;
    if history.is_empty() {
        return None;
    }
    let names: Vec<String> =
        history.first().map_or_else(Vec::new, |epoch| epoch.terms.iter().map(|term| term.name.clone()).collect());
    let column = |pick: &dyn Fn(&EpochRecord) -> f64| history.iter().map(|epoch| Value::from(pick(epoch))).collect();
    let followed = history.first().and_then(|epoch| epoch.validation.first()).map_or("none", |measure| &measure.name);
    Some(Curves {
        seed,
        learning_rate: history.iter().map(|epoch| epoch.learning_rate).collect(),
        terms: names
            .iter()
            .enumerate()
            .map(|(idx, name)| TermCurve {
                name: name.clone(),
                loss: column(&|epoch| epoch.terms[idx].value),
                gradient_share: column(&|epoch| epoch.terms[idx].gradient_share),
                weight: history.iter().filter_map(|epoch| epoch.terms[idx].weight).map(Value::from).collect(),
                temperature: history.iter().filter_map(|epoch| epoch.terms[idx].temperature).map(Value::from).collect(),
            })
            .collect(),
        validation_metric: followed.to_owned(),
        validation: history
            .iter()
            .map(|epoch| match epoch.validation.first().and_then(|measure| measure.value) {
                Some(value) => Value::from(value),
                None => Value::undefined("undefined on the validation split"),
            })
            .collect(),
        chosen_epoch: u32::try_from(run.facts.chosen_epoch + 1).unwrap_or(u32::MAX),
    })
}
