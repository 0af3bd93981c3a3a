//! A recipe: one experiment as a TOML file, read strictly and checked before anything is computed.
//!
//! Text becomes [`Recipe`] (keys and types, an unknown key is an error), and together with a manifest it becomes an
//! [`Experiment`]: heads, networks, losses and plans that are known to fit each other.

mod arm;
mod catalog;
mod enhance;
mod experiment;
mod experts;
mod head;
mod overrides;
pub(crate) mod plan;
mod segment;
mod terms;

use std::collections::BTreeMap;

use kd_classify::NetworkDesign;
use kd_core::loss::Value;
use serde::{Deserialize, Serialize};

pub(crate) use arm::{Arm, Shown};
pub(crate) use catalog::{AnySource, load, parse_any};
pub(crate) use enhance::{EnhanceRecipe, HardTerm};
pub(crate) use experiment::{Experiment, Student, taps_of};
pub(crate) use experts::Expert;
pub(crate) use head::HeadKind;
pub(crate) use segment::SegmentRecipe;
pub(crate) use terms::{ArmTerm, TASK};

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
    /// Share of the training samples, drawn by whole subjects, that anybody learns from: teacher, students, statistics;
    /// absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) train_fraction: Option<f64>,
    /// Seed of that draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) train_seed: Option<u64>,
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
    /// So many teachers, from one seed after the other, that answer as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) members: Option<usize>,
    /// How much the answer of each counts; absent for equal shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member_weights: Option<Vec<f64>>,
    /// Teachers that know some of the classes each, by name; they answer together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) experts: Option<Vec<Vec<String>>>,
    /// A finished student that teaches as it is: a link of a chain. It was made from the same data, split and preparation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// Trained weights to start from, with torchvision's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weights: Option<String>,
    /// `require` takes the head of the file too, `replace` draws a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weights_head: Option<String>,
    /// Whether students see its logits divided by a temperature that is fitted on the validation split.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) calibrate: bool,
    /// Folds of training subjects for cross-fitting: each answer comes from a teacher that never saw the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) folds: Option<usize>,
    /// Seed of their draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fold_seed: Option<u64>,
    /// Absent where a package teaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) train: Option<TrainTable>,
}

/// How training subjects are divided for cross-fitting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Folding {
    pub(crate) count: usize,
    pub(crate) seed: u64,
}

impl<N> TeacherTable<N> {
    /// The smoothing of its labels, 0 for none.
    pub(crate) fn smoothing(&self) -> f64 {
        self.train.as_ref().and_then(|train| train.label_smoothing).unwrap_or(0.0)
    }

    /// A weight for each member, checked; one for a teacher by itself.
    pub(crate) fn weights_of_members(&self) -> anyhow::Result<Vec<f64>> {
        let (key, told, several) = match (&self.members, &self.experts) {
            (Some(_), Some(_)) => {
                anyhow::bail!("`teacher.experts` is set beside `teacher.members`, expected one of them")
            }
            (members, None) => ("members", "is", *members),
            (None, Some(experts)) => ("experts", "lists", Some(experts.len())),
        };
        let members = several.unwrap_or(1);
        if several.is_some_and(|members| !(2..=100).contains(&members)) {
            anyhow::bail!(
                "`teacher.{key}` {told} {members}, expected 2 to 100\nhint: leave it out for a teacher by itself"
            );
        }
        let idle = [
            ("folds", self.folds.is_some()),
            ("package", self.package.is_some()),
            ("weights", self.weights.is_some() && self.experts.is_some()),
        ];
        if let Some((other, _)) = idle.iter().find(|(_, is_set)| *is_set && several.is_some()) {
            anyhow::bail!("`teacher.{key}` is set beside `teacher.{other}`, expected one of them");
        }
        let weights = self.member_weights.clone().unwrap_or_else(|| vec![1.0; members]);
        if weights.len() != members || !weights.iter().all(|weight| weight.is_finite() && *weight > 0.0) {
            anyhow::bail!(
                "`teacher.member_weights` is {weights:?}, expected a number above 0 for each of {members} members"
            );
        }
        Ok(weights)
    }

    /// The same where an answer is not one class of several for an image.
    pub(crate) fn weights_without_experts(&self) -> anyhow::Result<Vec<f64>> {
        if self.experts.is_some() {
            anyhow::bail!(
                "`teacher.experts` is for classification with a softmax head\nhint: teachers of different structures can answer together through a file, `answers` of an arm"
            );
        }
        self.weights_of_members()
    }

    /// The folds, checked.
    pub(crate) fn folding(&self) -> anyhow::Result<Option<Folding>> {
        match (self.folds, self.fold_seed) {
            (None, None) => Ok(None),
            (None, Some(_)) => anyhow::bail!("`teacher.fold_seed` is set without `teacher.folds`"),
            (Some(count), seed) if count >= 2 => Ok(Some(Folding { count, seed: seed.unwrap_or(0) })),
            (Some(count), _) => anyhow::bail!("`teacher.folds` is {count}, expected 2 or more"),
        }
    }
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
    /// Learns from the run itself instead of the recipe's teacher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) teacher: Option<WithoutTeacher>,
    /// Learns from somebody else's answers in an npz file, arrays named by sample ids, instead of the recipe's teacher's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answers: Option<String>,
    /// Learns from soft labels of the samples whose labels are hidden, too; reported apart.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) unlabelled: bool,
    /// Learns from the teacher that saw the samples although the recipe has folds: the comparison that shows what they do.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) in_sample: bool,
    /// Other arms that this one is compared with, beside the lone student and the control.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) against: Vec<String>,
    pub(crate) term: Vec<TermTable>,
}

/// What the distillation terms of an arm look at where it has no teacher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WithoutTeacher {
    /// The student's own answer and features.
    Itself,
    /// The running average of its weights, `student.train.ema`.
    Average,
    /// A second student that learns beside it.
    Peer,
}

impl WithoutTeacher {
    /// As a recipe writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Itself => "itself",
            Self::Average => "average",
            Self::Peer => "peer",
        }
    }
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
    /// A share of the gradient instead of a weight, which is found anew in each epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) share: Option<f64>,
    /// A published setting by name: weight, parameters and ramp together, translated to what is divided by here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) published: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Where a loss on features looks: a tap of the student's network and one of the teacher's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) student_tap: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) teacher_tap: Option<String>,
    /// The student's tap at which an early exit answers in place of the student.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exit: Option<String>,
    /// Epochs over which the weight rises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ramp_epochs: Option<usize>,
    /// `linear` (where nothing is said) or `sigmoid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ramp_shape: Option<RampShape>,
    /// The first and the last epoch in which the term counts, from 1; all of them where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) epochs: Option<[usize; 2]>,
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
