//! The training loop and its parts.
//!
//! One function, [`fit`], trains teachers, lone students and distilled students alike: an arm differs from another in
//! its [`Objective`](crate::Objective) and in nothing else. Order, views and initial parameters are functions of seeds
//! and numbers, so a checkpoint has no generator to save, and a run that was killed ends in the same bytes as one that
//! was not.

mod average;
mod checkpoint;
mod error;
mod event;
mod fit;
mod guide;
mod learner;
mod optimizer;
mod order;
mod plan;
mod schedule;
mod work;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use error::TrainError;
pub use event::{EpochRecord, Event, Measure, Sink, TermRecord};
pub use fit::{Fit, Outcome, Stop, fit};
pub use guide::Guide;
pub use order::{batches, epoch_order};
pub use plan::{EarlyStop, OptimizerPlan, Plan, PlanError, Views};
pub use schedule::{Decay, Schedule};
