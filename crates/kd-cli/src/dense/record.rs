//! The run record of a dense task.

use anyhow::Result;
use kd_data::store::DenseEntry;
use kd_image::Split;
use kd_metrics::{Better, Grouping, Score};
use kd_report::{
    Arm as ReportArm, Baseline, ClassCount, ClassRow, DatasetFacts, Direction, Fact, Metric as Reported,
    MetricDefinition, Role, RunRecord, SCHEMA, SeedMetric, SeedResult, SplitFacts, StudentGroup, SubgroupRow,
    Task as ReportTask, Teacher as ReportTeacher,
};

use super::experiment::Scoring;
use super::stages::{Of, Scored};
use super::{CaseTable, DensePrepared, DenseTask, MetricFacts, Subgroup, cases};
use crate::stage::Context;
use crate::stage::compare::{Compared, Comparison, Found, adjust, role, too_few_draws};
use crate::stage::evidence::{Statistics, of_score, over_seeds};
use crate::stage::facts::{leak_findings, provenance, shared_protocol};
use crate::stage::record::{Measured, curves, network_facts, origin_of, task_term, terms};
use crate::stage::taught::Taught;
use crate::stage::training::FinishedRun;

/// One student size: its arms, each with runs and judged answers in the order of the seeds.
pub(super) struct StudentEvidence {
    pub(super) measured: Measured,
    pub(super) arms: Vec<(Vec<FinishedRun>, Vec<Scored>)>,
}

/// Everything that an experiment has produced.
pub(super) struct Evidence {
    pub(super) teacher: Scored,
    pub(super) teacher_measured: Measured,
    pub(super) teacher_hash_after: String,
    pub(super) students: Vec<StudentEvidence>,
}

/// Assembles the record.
pub(super) fn assemble<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    task: ReportTask,
    prepared: &DensePrepared<T::Cases>,
    grouping: &Grouping,
    teacher: &Taught<I, I>,
    evidence: &Evidence,
) -> Result<RunRecord> {
    let experiment = context.experiment;
    let scoring = &experiment.scoring;
    let statistics = Statistics::new(&scoring.method, scoring.resamples, scoring.level, scoring.seed)?;
    let (parts, part_metrics) = (experiment.task.parts(), experiment.task.part_metrics(&scoring.metrics));
    let sorts = prepared.sorts()?;
    let maker = Maker { scoring, parts: &parts, part_metrics, sorts: &sorts, statistics, grouping };
    let teacher_scored = std::slice::from_ref(&evidence.teacher);
    let (members, seed) = (&teacher.members.runs, experiment.teacher_plan.seed);
    let mut teacher_arm = maker.arm(("teacher", Role::Teacher), &[seed], (&members[..1], teacher_scored), None);
    teacher_arm.terms = vec![task_term(1.0)];
    teacher_arm.curves = (seed..).zip(members).filter_map(|(seed, run)| curves(seed, run)).collect();
    let (mut students, mut found) = (Vec::new(), Found::default());
    for (student, of_student) in experiment.students.iter().zip(&evidence.students) {
        let alone = experiment.arms.iter().position(|arm| role(arm) == Role::Alone);
        let arms = experiment.arms.iter().zip(&of_student.arms).enumerate().map(|(place, (arm, (runs, scored)))| {
            let alone = alone.filter(|alone| *alone != place).map(|alone| of_student.arms[alone].1.as_slice());
            let mut reported = maker.arm((&arm.name, role(arm)), context.seeds, (runs, scored), alone);
            reported.note.clone_from(&arm.note);
            reported.terms = terms(arm);
            reported
        });
        let spec = student.spec.to_string();
        students.push(StudentGroup {
            name: student.name.clone(),
            network: network_facts(&spec, student.parameters, student.multiply_adds, &of_student.measured),
            arms: arms.collect(),
        });
        let comparison = Comparison {
            student: &student.name,
            arms: &experiment.arms,
            seeds: context.seeds.len(),
            grouping,
            statistics,
        };
        for &metric in std::iter::once(&scoring.primary).chain(&scoring.secondary) {
            let facts = &scoring.metrics[metric];
            let compared = Compared {
                name: &facts.name,
                better: if facts.higher_is_better { Better::Higher } else { Better::Lower },
                is_primary: metric == scoring.primary,
            };
            let of_arm = |arm: usize, seed: usize, draw: &[usize]| of_student.arms[arm].1[seed].test.mean(metric, draw);
            comparison.add(compared, &of_arm, &|draw| evidence.teacher.test.mean(metric, draw), &mut found);
        }
    }
    adjust(&mut found.differences)?;
    let baselines = experiment.task.do_nothing(prepared, grouping)?.map(|(name, table)| maker.baseline(name, &table));
    let spec = experiment.teacher.spec.to_string();
    let (parameters, multiply_adds) = (experiment.teacher.parameters, experiment.teacher.multiply_adds);
    let count = members.len() as u64;
    let intervals = (scoring.level, scoring.resamples, scoring.seed);
    let mut protocol = shared_protocol(&experiment.student_plan, experiment.views, context.seeds, intervals);
    protocol.push(Fact { name: "Means".into(), value: cases::policy() });
    let held_out = sorts.iter().filter(|sort| sort.held_out);
    let held_out: Vec<String> = held_out.map(|sort| format!("{} ({} images)", sort.name, sort.cases.len())).collect();
    if !held_out.is_empty() {
        let value = format!("{}: tested on, never learned from, in no mean but their own", held_out.join(", "));
        protocol.push(Fact { name: "Held out".into(), value });
    }
    protocol.extend(experiment.task.protocol());
    protocol.extend(too_few_draws(&found.differences, scoring.resamples));
    let (differences, gaps) = found.gaps_of(&experiment.scoring.package.arm);
    Ok(RunRecord {
        schema: SCHEMA,
        title: experiment.title.clone(),
        task,
        provenance: provenance(context, &experiment.name, &experiment.text),
        dataset: dataset(context, prepared)?,
        protocol,
        metrics: definitions(&scoring.metrics, part_metrics),
        primary_metric: scoring.metrics[scoring.primary].name.clone(),
        baselines: baselines.into_iter().collect(),
        teacher: ReportTeacher {
            network: network_facts(&spec, parameters * count, multiply_adds * count, &evidence.teacher_measured),
            origin: origin_of(experiment.package.as_ref(), members.len()),
            hash_before: teacher.hash.clone(),
            hash_after: evidence.teacher_hash_after.clone(),
            arm: teacher_arm,
        },
        students,
        differences,
        gaps,
    })
}

struct Maker<'a> {
    scoring: &'a Scoring,
    parts: &'a [String],
    part_metrics: &'a [MetricFacts],
    sorts: &'a [Subgroup],
    statistics: Statistics,
    grouping: &'a Grouping,
}

impl Maker<'_> {
    fn over(&self, metric: usize, seeds: usize, of: &(dyn Fn(usize, &[usize]) -> Score + Sync)) -> Reported {
        over_seeds(&self.scoring.metrics[metric].name, seeds, self.grouping, self.statistics, of)
    }

    /// The scores of each part, by the table of each seed.
    fn parts(&self, tables: &[&CaseTable]) -> Vec<ClassRow> {
        let part = |(part, name): (usize, &String)| ClassRow {
            class: name.clone(),
            n: tables.first().map_or(0, |table| table.counted(part, 0)) as u64,
            metrics: self
                .part_metrics
                .iter()
                .enumerate()
                .map(|(metric, facts)| {
                    let of = |seed: usize, draw: &[usize]| tables[seed].mean_of_part(part, metric, draw);
                    over_seeds(&facts.name, tables.len(), self.grouping, self.statistics, &of)
                })
                .collect(),
        };
        self.parts.iter().enumerate().map(part).collect()
    }

    /// An arm from its runs and judged answers; `alone` are those of the student alone, in the order of the same seeds.
    fn arm(
        &self,
        (name, role): (&str, Role),
        seeds: &[u64],
        (runs, scored): (&[FinishedRun], &[Scored]),
        alone: Option<&[Scored]>,
    ) -> ReportArm {
        let all: Vec<usize> = (0..self.grouping.samples()).collect();
        let places = 0..self.scoring.metrics.len();
        let per_seed = seeds.iter().zip(scored).map(|(&seed, one)| SeedResult {
            seed,
            metrics: places
                .clone()
                .map(|metric| SeedMetric {
                    name: self.scoring.metrics[metric].name.clone(),
                    last: of_score(one.test_last.mean(metric, &all)),
                    chosen: of_score(one.test.mean(metric, &all)),
                })
                .collect(),
        });
        let whole = |metric: usize| self.over(metric, scored.len(), &|seed, draw| scored[seed].test.mean(metric, draw));
        let tables: Vec<&CaseTable> = scored.iter().map(|one| &one.test).collect();
        ReportArm {
            name: name.into(),
            role,
            note: None,
            seeds: seeds.to_vec(),
            terms: Vec::new(),
            per_seed: per_seed.collect(),
            metrics: places.clone().map(whole).collect(),
            per_class: self.parts(&tables),
            per_subgroup: self.sorts.iter().map(|sort| self.subgroup(sort, scored, alone)).collect(),
            confusion: None,
            roc: None,
            reliability: None,
            calibration: None,
            operating_point: None,
            teacher_agreement: None,
            curves: seeds.iter().zip(runs).filter_map(|(&seed, run)| curves(seed, run)).collect(),
        }
    }

    fn subgroup(&self, sort: &Subgroup, scored: &[Scored], alone: Option<&[Scored]>) -> SubgroupRow {
        let tables = |scored: &[Scored]| -> Vec<CaseTable> {
            scored.iter().map(|one| one.test.of_cases(&sort.cases, &sort.grouping)).collect()
        };
        let own = tables(scored);
        let over = |metric: usize, of: &(dyn Fn(usize, &[usize]) -> Score + Sync)| {
            over_seeds(&self.scoring.metrics[metric].name, own.len(), &sort.grouping, self.statistics, of)
        };
        let shown = std::iter::once(&self.scoring.primary).chain(&self.scoring.secondary);
        let primary = self.scoring.primary;
        SubgroupRow {
            subgroup: sort.name.clone(),
            held_out: sort.held_out,
            n: sort.cases.len() as u64,
            metrics: shown.map(|&metric| over(metric, &|seed, draw| own[seed].mean(metric, draw))).collect(),
            minus_alone: alone.map(tables).map(|alone| {
                over(primary, &|seed, draw| Ok(own[seed].mean(primary, draw)? - alone[seed].mean(primary, draw)?))
            }),
        }
    }

    fn baseline(&self, name: String, table: &CaseTable) -> Baseline {
        let whole = |metric: usize| self.over(metric, 1, &|_, draw| table.mean(metric, draw));
        let metrics = (0..self.scoring.metrics.len()).map(whole).collect();
        Baseline { name, metrics, per_class: self.parts(&[table]) }
    }
}

/// Of the metrics of a case, and of those that only its parts have.
fn definitions(metrics: &[MetricFacts], of_parts: &[MetricFacts]) -> Vec<MetricDefinition> {
    let definition = |metric: &MetricFacts| MetricDefinition {
        name: metric.name.clone(),
        label: metric.label.clone(),
        policy: metric.policy.clone(),
        definition: metric.definition.clone(),
        direction: if metric.higher_is_better { Direction::Higher } else { Direction::Lower },
        unit: metric.unit.clone(),
        decimals: metric.decimals,
    };
    let of_parts_alone = of_parts.iter().filter(|part| !metrics.iter().any(|metric| metric.name == part.name));
    metrics.iter().chain(of_parts_alone).map(definition).collect()
}

fn dataset<T: DenseTask<D, I>, const D: usize, const I: usize>(
    context: &Context<'_, Of<T, D, I>>,
    prepared: &DensePrepared<T::Cases>,
) -> Result<DatasetFacts> {
    let (manifest, experiment) = (context.manifest, context.experiment);
    let facts = |name: &str, split: Split, held_out: bool, classes: Vec<ClassCount>| {
        let is_here = |entry: &&DenseEntry| entry.split == split && prepared.held_out.contains(&entry.case) == held_out;
        let entries = prepared.store.entries().iter().filter(is_here);
        let subjects: std::collections::BTreeSet<&str> = entries.clone().map(|entry| entry.subject.as_str()).collect();
        let (images, subjects) = (entries.count() as u64, subjects.len() as u64);
        SplitFacts { name: name.into(), images, subjects, classes }
    };
    let of_split = |split: Split| -> Result<SplitFacts> {
        let counts = experiment.task.class_counts(prepared, split)?;
        let classes = manifest.classes.iter().zip(counts);
        let classes = classes.map(|(class, images)| ClassCount { class: class.clone(), images }).collect();
        Ok(facts(split.name(), split, false, classes))
    };
    let mut splits = Split::ALL.into_iter().map(of_split).collect::<Result<Vec<_>>>()?;
    if !prepared.held_out.is_empty() {
        splits.push(facts("held out", Split::Test, true, Vec::new()));
    }
    Ok(DatasetFacts {
        name: manifest.name.to_string(),
        license: manifest.license.spdx.clone(),
        citation: manifest.citation.text.clone(),
        hash: manifest.content_hash(),
        split_hash: prepared.split_hash.clone(),
        preparation_hash: prepared.store.identity().to_owned(),
        classes: manifest.classes.clone(),
        splits,
        leaks: leak_findings(&prepared.leaks, experiment.leak_policy.name()),
        unit_of_independence: experiment.unit.clone(),
        claim_limit: experiment.claim_limit.clone(),
    })
}
