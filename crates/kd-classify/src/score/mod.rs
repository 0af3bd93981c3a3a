//! Which numbers classification reports, and how logits and labels become them.
//!
//! Every metric has one name, one policy and one definition here; curves, tables and the choice of an epoch refer to
//! it by name. The arithmetic is kd-metrics'.

mod judged;
mod metric;

pub use judged::{JudgeError, Judged, probabilities};
pub use metric::Metric;
