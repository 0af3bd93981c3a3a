//! One file a command.

pub(crate) mod convert;
pub(crate) mod data;
mod deidentify;
mod describe;
pub(crate) mod devices;
mod import;
pub(crate) mod inspect;
pub(crate) mod losses;
pub(crate) mod metrics;
pub(crate) mod predict;
mod propose;
pub(crate) mod run;
pub(crate) mod sweep;
