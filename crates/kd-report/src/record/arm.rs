//! Arms: what was trained, with which loss terms and seeds, and how it scored.

use super::curves::Curves;
use super::evidence::{Calibration, ClassRow, Confusion, Metric, OperatingPoint, Reliability, RocBand, SubgroupRow};
use crate::value::Value;
use serde::{Deserialize, Serialize};

/// The part that an arm plays in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The large network.
    Teacher,
    /// The student that learned from the labels only.
    Alone,
    /// The student with label smoothing (restoration: with the truth as teacher): what softness alone gives.
    Control,
    /// The student that learned from the teacher.
    Distilled,
    /// An arm outside the equal-budget comparison, reported apart.
    Extra,
}

impl Role {
    /// The role in one word, for tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Teacher => "teacher",
            Self::Alone => "alone",
            Self::Control => "control",
            Self::Distilled => "distilled",
            Self::Extra => "apart",
        }
    }
}

/// Size and cost of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFacts {
    /// Network name with its variant.
    pub name: String,
    /// Trainable parameters.
    pub parameters: u64,
    /// Multiply-adds of one forward pass of one image.
    pub multiply_adds: u64,
    /// Size of the package file in bytes.
    pub file_bytes: u64,
    /// Median latency of one image in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p50_ms: Option<f64>,
    /// 95th percentile of the latency of one image in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p95_ms: Option<f64>,
    /// Peak memory of inference in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
}

/// The teacher: its network, the proof that it did not move, and its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teacher {
    /// Size and cost.
    pub network: NetworkFacts,
    /// Where its weights come from, such as "trained in this run".
    pub origin: String,
    /// Hash of parameters and statistics before any student learned.
    pub hash_before: String,
    /// The same hash afterwards; equal to `hash_before` where the teacher stayed frozen.
    pub hash_after: String,
    /// Its scores; role [`Role::Teacher`].
    pub arm: Arm,
}

/// One student size with all arms that were trained at that size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudentGroup {
    /// Name of the size, unique in the record.
    pub name: String,
    /// Size and cost, the same for all arms.
    pub network: NetworkFacts,
    /// Arms in the order alone, control, distilled, extra.
    pub arms: Vec<Arm>,
}

impl StudentGroup {
    /// The first arm with this role.
    pub fn first(&self, role: Role) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.role == role)
    }
}

/// Scores of something that is no network: the image left as it is, or interpolated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// What is done.
    pub name: String,
    /// Scores with intervals.
    pub metrics: Vec<Metric>,
    /// Scores of each part of the images, where parts are scored by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_class: Vec<ClassRow>,
}

/// One way of training one network, over several seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Name, unique within its student group.
    pub name: String,
    /// Part in the comparison.
    pub role: Role,
    /// What a reader must know about this arm, such as "also sees the unlabeled images".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Seeds, in order.
    pub seeds: Vec<u64>,
    /// Loss terms.
    pub terms: Vec<Term>,
    /// Scores of each seed, in the order of `seeds`.
    pub per_seed: Vec<SeedResult>,
    /// Scores over all seeds, with intervals.
    pub metrics: Vec<Metric>,
    /// Scores of each class.
    pub per_class: Vec<ClassRow>,
    /// Scores of each sort of images, where the data set tells sorts apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_subgroup: Vec<SubgroupRow>,
    /// Confusion matrix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// ROC curve with its band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roc: Option<RocBand>,
    /// Reliability bins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reliability: Option<Reliability>,
    /// Temperature scaling, before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Decision threshold with what it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating_point: Option<OperatingPoint>,
    /// Share of test images on which arm and teacher name the same class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher_agreement: Option<Metric>,
    /// Training curves of each seed.
    pub curves: Vec<Curves>,
}

impl Arm {
    /// The score with this name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// Smallest and largest chosen value over the seeds; none where no seed has a finite one.
    pub fn seed_range(&self, metric: &str) -> Option<(f64, f64)> {
        let values = self.per_seed.iter().filter_map(|seed| seed.metric(metric)?.chosen.finite());
        values.fold(None, |range, value| match range {
            None => Some((value, value)),
            Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
        })
    }
}

/// One weighted term of the objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Name of the loss, as the catalogue has it.
    pub name: String,
    /// Weight in the objective.
    pub weight: f64,
    /// Whether `weight` is the share of the gradient that the term is given, by a factor that is found in each epoch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_share: bool,
    /// Temperature, where the loss has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// What it learns from: "labels", "teacher, cached".
    pub source: String,
    /// The first and the last epoch in which it counts, from 1; absent where it counts in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<[u64; 2]>,
}

/// Scores of one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedResult {
    /// Seed.
    pub seed: u64,
    /// Scores.
    pub metrics: Vec<SeedMetric>,
}

impl SeedResult {
    /// The score with this name.
    pub fn metric(&self, name: &str) -> Option<&SeedMetric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}

/// One score of one seed: at the last epoch and at the epoch chosen on validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedMetric {
    /// Metric name.
    pub name: String,
    /// Value of the last epoch.
    pub last: Value,
    /// Value of the chosen epoch.
    pub chosen: Value,
}
