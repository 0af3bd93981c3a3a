//! The facts of a record: which metrics, which data, which protocol, which machine.

use std::collections::BTreeSet;

use anyhow::Result;
use kd_classify::Metric;
use kd_core::train::{Plan, Views};
use kd_data::leak::LeakReport;
use kd_image::{SampleSource, Split};
use kd_report::{
    ClassCount, DatasetFacts, Direction, Fact, Host, LeakFinding, MetricDefinition, Provenance, SplitFacts,
};

use super::learn::labelled_counts;
use super::prepare::Prepared;
use super::{Context, evidence};
use crate::host;
use crate::recipe::Experiment;

/// Name of the share of images on which student and teacher agree.
pub(super) const AGREEMENT: &str = "agreement";

pub(super) fn definitions(experiment: &Experiment) -> Vec<MetricDefinition> {
    let head = experiment.head;
    let rates = [Metric::Sensitivity, Metric::Specificity, Metric::Precision, Metric::F1];
    let known = Metric::of_head(head);
    let extra = rates.into_iter().filter(|metric| !known.contains(metric));
    let mut definitions: Vec<MetricDefinition> = known
        .iter()
        .copied()
        .chain(extra)
        .map(|metric| MetricDefinition {
            name: metric.name().into(),
            label: metric.label().into(),
            policy: metric.policy(head),
            definition: metric.definition().into(),
            direction: if metric.higher_is_better() { Direction::Higher } else { Direction::Lower },
            unit: String::new(),
            decimals: 3,
        })
        .collect();
    definitions.push(MetricDefinition {
        name: AGREEMENT.into(),
        label: "Agreement with the teacher".into(),
        policy: "same class, or the same set of labels".into(),
        definition: "share of test images on which student and teacher name the same".into(),
        direction: Direction::Higher,
        unit: String::new(),
        decimals: 3,
    });
    definitions
}

pub(crate) fn provenance<E>(context: &Context<'_, E>, recipe: &str, text: &str) -> Provenance {
    let facts = host::facts();
    Provenance {
        recipe: recipe.to_owned(),
        recipe_toml: text.to_owned(),
        command: context.command.to_owned(),
        revision: host::revision().into(),
        dirty: host::dirty(),
        created: host::today(),
        device: context.device.name.clone(),
        host: Host {
            cpu: facts.cpu,
            cores: facts.cores,
            memory_bytes: facts.memory_bytes.unwrap_or(0),
            os: facts.os,
            rustc: host::rustc().into(),
            burn: host::BURN.into(),
            operators: host::operators(&context.device.name),
        },
    }
}

pub(super) fn dataset(context: &Context<'_>, prepared: &Prepared) -> Result<DatasetFacts> {
    let (manifest, data) = (context.manifest, &context.experiment.recipe.data);
    let splits = Split::ALL.into_iter().map(|split| {
        let source = prepared.split(split);
        let subjects: BTreeSet<&str> = (0..source.len()).map(|index| source.subject(index).as_str()).collect();
        let classes = manifest.classes.iter().enumerate().map(|(class, name)| ClassCount {
            class: name.clone(),
            images: (0..source.len()).filter(|&index| evidence::shows(source.target(index), class)).count() as u64,
        });
        SplitFacts {
            name: split.name().into(),
            images: source.len() as u64,
            subjects: subjects.len() as u64,
            classes: classes.collect(),
        }
    });
    Ok(DatasetFacts {
        name: manifest.name.to_string(),
        license: manifest.license.spdx.clone(),
        citation: manifest.citation.text.clone(),
        hash: manifest.content_hash(),
        split_hash: prepared.split_hash.clone(),
        preparation_hash: prepared.store.identity().to_owned(),
        classes: manifest.classes.clone(),
        splits: splits.collect(),
        leaks: leak_findings(&prepared.leaks, context.experiment.leak_policy.name()),
        unit_of_independence: data.unit.clone(),
        claim_limit: data.claim_limit.clone(),
    })
}

/// What the leak check found, as a report has it.
pub(crate) fn leak_findings(leaks: &LeakReport, policy: &str) -> Vec<LeakFinding> {
    let mut findings = Vec::new();
    for (kind, pairs) in [("same subject", leaks.shared_subjects), ("same pixels", leaks.shared_images)] {
        let found = [
            ("train and val", pairs.train_val, leaks.dropped.train),
            ("train and test", pairs.train_test, leaks.dropped.train),
            ("val and test", pairs.val_test, leaks.dropped.val),
        ];
        findings.extend(found.into_iter().filter(|(_, images, _)| *images > 0).map(|(between, images, dropped)| {
            LeakFinding {
                kind: kind.into(),
                between: between.into(),
                images: images as u64,
                dropped: dropped as u64,
                policy: policy.into(),
            }
        }));
    }
    findings
}

/// The protocol of one task: what all share.
pub(crate) fn shared_protocol(
    plan: &Plan,
    views: Views,
    seeds: &[u64],
    (level, resamples, seed): (f64, usize, u64),
) -> Vec<Fact> {
    let fact = |name: &str, value: String| Fact { name: name.into(), value };
    vec![
        fact("Budget of every student arm", format!("{} epochs, batches of {}", plan.epochs, plan.batch_size)),
        fact("Optimizer", format!("{:?}", plan.optimizer)),
        fact("Learning rate", format!("{:?}", plan.schedule)),
        fact("Epoch chosen by", format!("best validation {}; the last epoch is reported too", plan.select)),
        fact("Views", format!("{views:?}, shared by all arms and seeds")),
        fact("Seeds", format!("{seeds:?}")),
        fact("Intervals", format!("{:.0} %, {resamples} draws, seed {seed}", 100.0 * level)),
    ]
}

pub(super) fn protocol(context: &Context<'_>, prepared: &Prepared) -> Result<Vec<Fact>> {
    let experiment = context.experiment;
    let score = &experiment.recipe.score;
    let intervals = (score.level, score.resamples, score.seed);
    let mut facts = shared_protocol(&experiment.student_plan, experiment.views, context.seeds, intervals);
    if let Some((images, subjects)) = labelled_counts(context, prepared)? {
        let value = format!("{images} training images of {subjects} subjects");
        facts.push(Fact { name: "Labels that students see".into(), value });
    }
    Ok(facts)
}
