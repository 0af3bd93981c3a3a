//! Tables of case scores: what `kd metrics segment` and `kd metrics enhance` say of anybody's cases, ready to be written.
//!
//! Cases are added one at a time and only their scores are kept, so a folder of volumes needs the memory of one. Opening files
//! is the caller's. Every table carries the protocol it was made by, states for every mean how many cases it is over and how
//! many had no value, and holds the scores of each case.

pub(crate) mod aggregate;
pub(crate) mod case_row;
pub(crate) mod enhance;
pub(crate) mod number;
pub(crate) mod protocol;
pub(crate) mod segment;
