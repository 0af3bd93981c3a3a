//! The facts of a record: which metrics, which data, which protocol, which machine.

use std::collections::BTreeSet;

use anyhow::Result;
use kd_classify::Metric;
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

pub(super) fn provenance(context: &Context<'_>) -> Provenance {
    let facts = host::facts();
    Provenance {
        recipe: context.experiment.name.clone(),
        recipe_toml: context.experiment.text.clone(),
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
    let leaks = &prepared.leaks;
    let policy = context.experiment.leak_policy.name();
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
    Ok(DatasetFacts {
        name: manifest.name.to_string(),
        license: manifest.license.spdx.clone(),
        citation: manifest.citation.text.clone(),
        hash: manifest.content_hash(),
        split_hash: prepared.split_hash.clone(),
        preparation_hash: prepared.store.identity().to_owned(),
        classes: manifest.classes.clone(),
        splits: splits.collect(),
        leaks: findings,
        unit_of_independence: data.unit.clone(),
        claim_limit: data.claim_limit.clone(),
    })
}

pub(super) fn protocol(context: &Context<'_>, prepared: &Prepared) -> Result<Vec<Fact>> {
    let experiment = context.experiment;
    let plan = &experiment.student_plan;
    let fact = |name: &str, value: String| Fact { name: name.into(), value };
    let mut facts = vec![
        fact("Budget of every student arm", format!("{} epochs, batches of {}", plan.epochs, plan.batch_size)),
        fact("Optimizer", format!("{:?}", plan.optimizer)),
        fact("Learning rate", format!("{:?}", plan.schedule)),
        fact("Epoch chosen by", format!("best validation {}; the last epoch is reported too", plan.select)),
        fact("Views", format!("{:?}, shared by all arms and seeds", experiment.views)),
        fact("Seeds", format!("{:?}", context.seeds)),
        fact(
            "Intervals",
            format!(
                "{:.0} %, {} draws, seed {}",
                100.0 * experiment.recipe.score.level,
                experiment.recipe.score.resamples,
                experiment.recipe.score.seed
            ),
        ),
    ];
    if let Some((images, subjects)) = labelled_counts(context, prepared)? {
        facts.push(fact("Labels that students see", format!("{images} training images of {subjects} subjects")));
    }
    Ok(facts)
}
