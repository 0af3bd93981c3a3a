//! The stages of an experiment, one file each. A stage reads the folders of earlier stages and writes its own, under a
//! name that is a hash of what went in; a finished folder is never touched again.

pub(crate) mod answers;
mod calibrate;
pub(crate) mod chain;
mod classify;
pub(crate) mod compare;
pub(crate) mod dry_run;
pub(crate) mod evidence;
mod experts;
pub(crate) mod facts;
pub(crate) mod folds;
pub(crate) mod given;
pub(crate) mod label;
pub(crate) mod learn;
pub(crate) mod learned;
pub(crate) mod members;
pub(crate) mod prepare;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod road;
pub(crate) mod score;
pub(crate) mod sureness;
pub(crate) mod taught;
pub(crate) mod training;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use kd_data::Root;
use kd_data::digest::sha256_hex;
use kd_data::manifest::Manifest;
use kd_report::StageTime;
use serde::Serialize;

use crate::device::DeviceChoice;
use crate::output::Output;
use crate::recipe::Experiment;

/// Raised by hand whenever training gives other numbers for the same recipe, so that old runs are left alone.
const CODE_SCHEMA: u32 = 1;

/// What every stage needs; `E` is the experiment of one task.
pub(crate) struct Context<'a, E = Experiment> {
    pub(crate) root: &'a Root,
    pub(crate) out: &'a Output,
    pub(crate) device: &'a DeviceChoice,
    pub(crate) experiment: &'a E,
    pub(crate) manifest: &'a Manifest,
    /// Seeds of the students.
    pub(crate) seeds: &'a [u64],
    /// The command line, for the record.
    pub(crate) command: &'a str,
    /// Set by Ctrl-C.
    pub(crate) stop: &'a Arc<AtomicBool>,
    /// Longest time between two checkpoints.
    pub(crate) checkpoint_every: Duration,
    /// How long each stage took.
    pub(crate) times: RefCell<Vec<StageTime>>,
}

impl<E> Context<'_, E> {
    /// Runs a stage and keeps its time.
    pub(crate) fn timed<T>(&self, name: &str, stage: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let start = Instant::now();
        let result = stage()?;
        self.times.borrow_mut().push(StageTime { name: name.to_owned(), seconds: start.elapsed().as_secs_f64() });
        Ok(result)
    }
}

/// A folder's name: a hash of a kind and of everything that decides the content.
pub(crate) fn identity(kind: &str, parts: &impl Serialize) -> anyhow::Result<String> {
    let text = serde_json::to_string(parts)?;
    Ok(sha256_hex(format!("{kind} {CODE_SCHEMA}\n{text}").as_bytes()))
}

/// Somebody pressed Ctrl-C: a checkpoint is written, and the same command goes on from it.
#[derive(Debug, thiserror::Error)]
#[error("stopped; everything finished so far is kept\nhint: run the same command again to go on from here")]
pub(crate) struct Stopped;
