//! A recipe: one experiment as a TOML file, read strictly and checked before anything is computed.
//!
//! Text becomes [`Recipe`] (keys and types, an unknown key is an error), and together with a manifest it becomes an
//! [`Experiment`]: heads, networks, losses and plans that are known to fit each other.

mod arm;
mod catalog;
mod enhance;
mod experiment;
mod overrides;
pub(crate) mod plan;
mod segment;
mod terms;

use std::collections::BTreeMap;

use kd_classify::NetworkDesign;
use kd_core::loss::Value;
use serde::{Deserialize, Serialize};

pub(crate) use arm::Arm;
pub(crate) use catalog::{AnySource, load};
pub(crate) use enhance::{EnhanceRecipe, HardTerm};
pub(crate) use experiment::{Experiment, Student};
pub(crate) use segment::SegmentRecipe;

use crate::package::HeadKind;

/// A recipe's text, as it stands after overrides, and what it says.
#[derive(Debug, Clone)]
pub(crate) struct Source<R = Recipe> {
    /// File name without its ending.
    pub(crate) name: String,
    /// The text, overrides applied.
    pub(crate) text: String,
    /// Its contents.
    pub(crate) recipe: R,
}

/// What all tasks share; data, networks and scores have tables of their own in each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe<D = Data, N = NetworkDesign, S = ScoreTable> {
    pub(crate) title: String,
    pub(crate) task: TaskKind,
    pub(crate) data: D,
    pub(crate) augment: toml::Table,
    pub(crate) teacher: TeacherTable<N>,
    pub(crate) student: StudentTable<N>,
    pub(crate) arm: Vec<ArmTable>,
    pub(crate) score: S,
}

/// Which task a recipe, or a package, is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TaskKind {
    #[default]
    Classify,
    Segment,
    Enhance,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Data {
    /// A name of the catalogue or of an import, or a path to a `dataset.toml`.
    pub(crate) name: String,
    pub(crate) head: HeadKind,
    pub(crate) size: [usize; 2],
    pub(crate) channels: usize,
    /// `stop`, or `drop-from-train`.
    pub(crate) leak_policy: String,
    /// What counts as independent, in words: patient, source image.
    pub(crate) unit: String,
    /// What may not be claimed from these data, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claim_limit: Option<String>,
    /// Factor of each class (or label) in the hard-label loss; absent for equal ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) class_weights: Option<Vec<f64>>,
    /// Share of the training labels that students see, drawn by whole subjects; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label_fraction: Option<f64>,
    /// Seed of that draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label_seed: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeacherTable<N = NetworkDesign> {
    pub(crate) name: String,
    pub(crate) network: N,
    /// Trained weights to start from, with torchvision's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weights: Option<String>,
    /// `require` takes the head of the file too, `replace` draws a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weights_head: Option<String>,
    /// Whether students see its logits divided by a temperature that is fitted on the validation split.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) calibrate: bool,
    pub(crate) train: TrainTable,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StudentTable<N = NetworkDesign> {
    pub(crate) seeds: Vec<u64>,
    pub(crate) size: Vec<SizeTable<N>>,
    pub(crate) train: TrainTable,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SizeTable<N = NetworkDesign> {
    pub(crate) name: String,
    pub(crate) network: N,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainTable {
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    #[serde(default = "one")]
    pub(crate) accumulation: usize,
    pub(crate) optimizer: OptimizerTable,
    pub(crate) learning_rate: f64,
    /// Share of all steps.
    pub(crate) warmup: f64,
    pub(crate) decay: DecayTable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clip_norm: Option<f64>,
    /// Decay of an average of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ema: Option<f64>,
    /// Epochs without improvement before training stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) patience: Option<usize>,
    /// The validation measure that chooses the epoch.
    pub(crate) select: String,
    /// Of the teacher only: students' smoothing stands in their terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label_smoothing: Option<f64>,
    /// Of the teacher only: students have `student.seeds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
}

fn one() -> usize {
    1
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum OptimizerTable {
    Sgd {
        momentum: f64,
        weight_decay: f64,
        #[serde(default)]
        nesterov: bool,
    },
    #[serde(rename = "adamw")]
    AdamW {
        weight_decay: f64,
        #[serde(default = "beta1")]
        beta1: f64,
        #[serde(default = "beta2")]
        beta2: f64,
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

fn epsilon() -> f64 {
    1e-8
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum DecayTable {
    Constant,
    Cosine { floor: f64 },
    Step { at: Vec<f64>, factor: f64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArmTable {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    /// Learns from soft labels of the samples whose labels are hidden, too; reported apart.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) unlabelled: bool,
    pub(crate) term: Vec<TermTable>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// `loss`, `weight` or `published`, and whatever the loss takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TermTable {
    pub(crate) loss: String,
    /// Absent where a published setting gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weight: Option<f64>,
    /// A published setting by name: weight, parameters and ramp together, translated to what is divided by here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) published: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Epochs over which the weight rises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ramp_epochs: Option<usize>,
    /// `linear` (where nothing is said) or `sigmoid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ramp_shape: Option<RampShape>,
    #[serde(flatten)]
    pub(crate) parameters: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RampShape {
    Linear,
    Sigmoid,
}

impl TermTable {
    /// Its name in curves and overrides.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.loss)
    }

    /// A parameter as the loss catalogue takes it.
    pub(crate) fn value(value: &toml::Value) -> Option<Value> {
        match value {
            toml::Value::Float(number) => Some(Value::Number(*number)),
            #[expect(clippy::cast_precision_loss, reason = "parameters are small")]
            toml::Value::Integer(number) => Some(Value::Number(*number as f64)),
            toml::Value::Boolean(flag) => Some(Value::Flag(*flag)),
            toml::Value::String(text) => Some(Value::Text(text.clone())),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScoreTable {
    /// The metric of the headline.
    pub(crate) primary: String,
    /// Metrics whose paired differences are reported beside it.
    pub(crate) secondary: Vec<String>,
    pub(crate) resamples: usize,
    pub(crate) level: f64,
    /// `bca` or `percentile`.
    pub(crate) method: String,
    pub(crate) seed: u64,
    /// `youden`, `half`, or a table with `sensitivity` or `specificity`; for two classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operating_point: Option<OperatingPointTable>,
    /// Which student is packed.
    pub(crate) package: PackageTable,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum OperatingPointTable {
    Youden,
    Half,
    Sensitivity(f64),
    Specificity(f64),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackageTable {
    pub(crate) student: String,
    pub(crate) arm: String,
    /// Who should use it for what, in words.
    pub(crate) intended_use: String,
}
