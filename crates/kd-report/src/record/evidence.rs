//! Evidence: scores with intervals, curves over thresholds, paired differences, and the gap.

use crate::value::Value;
use serde::{Deserialize, Serialize};

/// Which way a metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

impl Direction {
    /// 1 where more is better, else -1: a difference times this is a gain.
    pub fn sign(self) -> f64 {
        match self {
            Self::Higher => 1.0,
            Self::Lower => -1.0,
        }
    }
}

/// What a metric is and which policy it follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricDefinition {
    /// Name by which values refer to it.
    pub name: String,
    /// Label for people, such as "AUROC".
    pub label: String,
    /// Everything that changes the number: averaging, bins, empty cases.
    pub policy: String,
    /// What it measures, in a sentence.
    pub definition: String,
    /// Which way it improves.
    pub direction: Direction,
    /// Unit; empty for a share.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Digits after the point when shown.
    pub decimals: u8,
}

/// A score with its 95 % interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Name of a [`MetricDefinition`].
    pub name: String,
    /// Value.
    pub value: Value,
    /// Lower end of the interval.
    pub low: Value,
    /// Upper end of the interval.
    pub high: Value,
    /// Independent units behind it.
    pub n: u64,
    /// How the interval was made, such as "BCa bootstrap over subjects".
    pub method: String,
}

/// Scores of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRow {
    /// Class name.
    pub class: String,
    /// Test images of this class.
    pub n: u64,
    /// Scores.
    pub metrics: Vec<Metric>,
}

/// Scores of one sort of images, such as one stain or scanner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubgroupRow {
    /// Its name.
    pub subgroup: String,
    /// Whether nothing of it was learned from. It is then not part of the other numbers either.
    pub held_out: bool,
    /// Test images of it.
    pub n: u64,
    /// Scores.
    pub metrics: Vec<Metric>,
    /// Difference to the student alone in the primary metric, paired; of the other arms of a student.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minus_alone: Option<Metric>,
}

/// Counts by true class (row) and predicted class (column).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// What was counted, such as "sum over 3 seeds" or "seed 0".
    pub label: String,
    /// `[truth][predicted]`, in the order of the dataset's classes.
    pub counts: Vec<Vec<u64>>,
}

/// A ROC curve on a grid, with its pointwise 95 % band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocBand {
    /// What the curve is about, such as "pneumonia against normal".
    pub label: String,
    /// False-positive rate, ascending, 0..1.
    pub fpr: Vec<f64>,
    /// Mean true-positive rate.
    pub tpr: Vec<f64>,
    /// Lower end of the band.
    pub low: Vec<f64>,
    /// Upper end of the band.
    pub high: Vec<f64>,
    /// How the band was made.
    pub method: String,
}

/// Stated confidence against observed frequency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// How the bins were cut.
    pub policy: String,
    /// Bins, ascending.
    pub bins: Vec<ReliabilityBin>,
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReliabilityBin {
    /// Predictions in it.
    pub n: u64,
    /// Mean stated probability, 0..1.
    pub confidence: f64,
    /// Observed frequency, 0..1.
    pub frequency: f64,
}

/// Temperature scaling and what it did to the calibration error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Split on which the temperature was fitted.
    pub fitted_on: String,
    /// The temperature; its mean over seeds where there are several.
    pub temperature: Value,
    /// Expected calibration error before.
    pub ece_before: Value,
    /// Expected calibration error after.
    pub ece_after: Value,
}

/// A decision threshold and what it gives on the test split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// Rule that chose it.
    pub rule: String,
    /// Split on which it was chosen.
    pub chosen_on: String,
    /// The threshold on the positive class's probability.
    pub threshold: Value,
    /// Sensitivity there.
    pub sensitivity: Metric,
    /// Specificity there.
    pub specificity: Metric,
}

/// The paired difference `a` minus `b` of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Student group.
    pub student: String,
    /// Arm from which is subtracted.
    pub a: String,
    /// Arm that is subtracted.
    pub b: String,
    /// Metric name.
    pub metric: String,
    /// `a` minus `b`.
    pub value: Value,
    /// Lower end of the 95 % interval.
    pub low: Value,
    /// Upper end of the 95 % interval.
    pub high: Value,
    /// Two-sided p value.
    pub p: Value,
    /// The p value after Holm's correction over the family.
    pub p_holm: Value,
    /// How interval and p value were made.
    pub method: String,
}

/// Share of the teacher–student gap that a distilled arm recovered: (distilled − alone) / (teacher − alone).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Student group.
    pub student: String,
    /// Distilled arm.
    pub arm: String,
    /// Metric name.
    pub metric: String,
    /// Teacher minus alone, in the metric's own direction.
    pub gap: Value,
    /// Lower end of its 95 % interval.
    pub gap_low: Value,
    /// Upper end of its 95 % interval.
    pub gap_high: Value,
    /// The recovered share; undefined where the gap's interval holds 0.
    pub recovered: Value,
    /// Lower end of its 95 % interval.
    pub recovered_low: Value,
    /// Upper end of its 95 % interval.
    pub recovered_high: Value,
    /// How the intervals were made.
    pub method: String,
}
