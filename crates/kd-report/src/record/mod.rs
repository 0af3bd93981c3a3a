//! The run record: everything that a report says, and nothing that names a person.
//!
//! Strict on reading (an unknown field is an error) and versioned by [`SCHEMA`], because a record outlives the program
//! that wrote it. A metric's policy stands once, in [`MetricDefinition`]; values refer to it by name, so a number can't
//! lose its policy on the way into a table. Network facts stand once per student, since all arms of a student share
//! them by design.

mod arm;
mod curves;
mod dataset;
mod evidence;

pub use arm::{Arm, Baseline, NetworkFacts, Role, SeedMetric, SeedResult, StudentGroup, Teacher, Term};
pub use curves::{Curves, TermCurve};
pub use dataset::{ClassCount, DatasetFacts, LeakFinding, SplitFacts};
pub use evidence::{
    Calibration, ClassRow, Confusion, Difference, Direction, Gap, Metric, MetricDefinition, OperatingPoint,
    Reliability, ReliabilityBin, RocBand, SubgroupRow,
};

use serde::{Deserialize, Serialize};

/// Version of the layout of [`RunRecord`]; a record of another version is refused.
pub const SCHEMA: u32 = 1;

/// One finished run: its origin, its data, its arms and its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Title of the report.
    pub title: String,
    /// Which task was learned.
    pub task: Task,
    /// Where the numbers come from.
    pub provenance: Provenance,
    /// What was learned from and tested on.
    pub dataset: DatasetFacts,
    /// Further facts of the protocol, in the order in which they are shown: budget, optimizer, model choice.
    pub protocol: Vec<Fact>,
    /// Every metric in use: label, policy, direction. The order is the order of columns.
    pub metrics: Vec<MetricDefinition>,
    /// Name of the metric on which the headline rests; the recipe declares it before the run.
    pub primary_metric: String,
    /// What is reached without any network, such as by leaving the image as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<Baseline>,
    /// The teacher and its scores.
    pub teacher: Teacher,
    /// Student sizes, each with its arms.
    pub students: Vec<StudentGroup>,
    /// Paired differences between arms.
    pub differences: Vec<Difference>,
    /// Share of the teacher–student gap that was recovered, per student and distilled arm. Of several arms of one
    /// student, the first stands in the headline.
    pub gaps: Vec<Gap>,
}

impl RunRecord {
    /// The definition of a metric, by name.
    pub fn definition(&self, metric: &str) -> Option<&MetricDefinition> {
        self.metrics.iter().find(|definition| definition.name == metric)
    }

    /// Digits after the point for a metric; 3 where the record doesn't define it.
    pub(crate) fn decimals(&self, metric: &str) -> u8 {
        self.definition(metric).map_or(3, |definition| definition.decimals)
    }

    /// Label of a metric for people; its name where the record doesn't define it.
    pub(crate) fn label<'a>(&'a self, metric: &'a str) -> &'a str {
        self.definition(metric).map_or(metric, |definition| &definition.label)
    }

    /// The split named `test`, or the last one.
    pub(crate) fn test_split(&self) -> Option<&SplitFacts> {
        self.dataset.splits.iter().find(|split| split.name == "test").or(self.dataset.splits.last())
    }

    /// An arm of a student, or the teacher's by its own name.
    pub(crate) fn arm(&self, student: &str, arm: &str) -> Option<&Arm> {
        if arm == self.teacher.arm.name {
            return Some(&self.teacher.arm);
        }
        self.students.iter().find(|group| group.name == student)?.arms.iter().find(|one| one.name == arm)
    }

    /// The teacher (with no group) and then every arm of every student, in order.
    pub(crate) fn all_arms(&self) -> impl Iterator<Item = (Option<&StudentGroup>, &NetworkFacts, &Arm)> {
        std::iter::once((None, &self.teacher.network, &self.teacher.arm)).chain(
            self.students.iter().flat_map(|group| group.arms.iter().map(move |arm| (Some(group), &group.network, arm))),
        )
    }
}

/// What a network is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A class per image.
    Classify,
    /// A class per pixel.
    Segment,
    /// A better image from a worse one.
    Enhance,
}

impl Task {
    /// The task as a noun, for titles.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Classify => "classification",
            Self::Segment => "segmentation",
            Self::Enhance => "enhancement",
        }
    }
}

/// Where the numbers come from: enough to do it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Recipe name.
    pub recipe: String,
    /// Recipe text as it was run, overrides applied.
    pub recipe_toml: String,
    /// Exact command line.
    pub command: String,
    /// Revision of the source.
    pub revision: String,
    /// Whether the working tree had changes that no revision holds.
    pub dirty: bool,
    /// Date of the run, year-month-day.
    pub created: String,
    /// Device that trained.
    pub device: String,
    /// The machine.
    pub host: Host,
}

/// The machine and the tools.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Processor name.
    pub cpu: String,
    /// Cores in use.
    pub cores: u32,
    /// Main memory in bytes.
    pub memory_bytes: u64,
    /// Operating system.
    pub os: String,
    /// Compiler version.
    pub rustc: String,
    /// Burn version.
    pub burn: String,
    /// Whose operators computed, with their instruction set: `own avx-512`, or `stock` for Burn's.
    #[serde(default = "stock")]
    pub operators: String,
}

/// Records from before there were others.
fn stock() -> String {
    "stock".to_owned()
}

/// A named fact, shown as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// What it says.
    pub value: String,
}
