//! Distillation itself: temperature, losses, teachers, objectives and the training loop.
//!
//! Works on Burn tensors and on samples that somebody else has read: it opens no file and prints nothing. Checkpoints
//! leave and enter as bytes, progress leaves as events to a [`train::Sink`]. A task crate (classification,
//! segmentation, enhancement) says through [`Task`] how samples become tensors and what a good answer is; everything
//! else is the same for all tasks and all arms of an experiment, which is what makes the arms comparable.
//!
//! The teacher is frozen in two ways: its tensors live on the plain device, so no gradient can reach them, and a hash
//! of its parameters and statistics is compared before and after.

pub mod loss;
pub mod train;

mod adaptors;
mod calibrated;
mod committee;
mod cross_fitted;
mod exit;
mod experts;
mod head;
mod initialize;
mod network;
mod objective;
mod seed;
mod state;
mod task;
mod teacher;
mod temperature;
mod watch;
mod weight;

pub use adaptors::{Adaptors, TapsError};
pub use calibrated::CalibratedTeacher;
pub use committee::{Averaging, Committee, CommitteeError};
pub use cross_fitted::CrossFittedTeacher;
pub use exit::ExitHead;
pub use experts::{Expertise, ExpertiseError};
pub use head::{Head, HeadError};
pub use initialize::initialize;
pub use network::Network;
pub use objective::{Objective, ObjectiveError, Parts, Seen, Term, TermKind};
pub use seed::{Purpose, peer_seed, stream};
pub use state::{State, StateError, Values};
pub use task::{Batch, Task, TaskError};
pub use teacher::{CachedTeacher, LiveTeacher, Teacher, TeacherError};
pub use temperature::{Temperature, TemperatureError, TemperatureSchedule};
pub use watch::Watch;
pub use weight::{Ramp, Weight};
