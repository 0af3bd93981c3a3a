//! Times, kept apart from the record.
//!
//! Two runs with the same seed on the same machine give the same record; their times differ. So times have a file of
//! their own (`timing.json`) and nothing that is compared byte for byte holds one.

use serde::{Deserialize, Serialize};

/// Version of the layout of [`Timing`].
pub const TIMING_SCHEMA: u32 = 1;

/// How long a run took, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Always [`TIMING_SCHEMA`].
    pub schema: u32,
    /// Wall-clock seconds of the whole run.
    pub total_seconds: f64,
    /// Threads in use.
    pub threads: u32,
    /// Peak resident memory of the process in bytes, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Stages in the order in which they ran.
    pub stages: Vec<StageTime>,
    /// Training of each arm and seed.
    pub arms: Vec<ArmTime>,
}

/// Wall-clock time of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageTime {
    /// Stage, such as `prepare`.
    pub name: String,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Training time of one arm and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmTime {
    /// Student group; empty for the teacher.
    pub student: String,
    /// Arm name.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// Wall-clock seconds of training.
    pub seconds: f64,
}
