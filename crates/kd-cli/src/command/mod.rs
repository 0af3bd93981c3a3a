//! One file a command.

pub(crate) mod data;
pub(crate) mod devices;
pub(crate) mod inspect;
pub(crate) mod losses;
pub(crate) mod metrics;
pub(crate) mod predict;
pub(crate) mod run;
