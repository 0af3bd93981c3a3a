//! Which numbers enhancement reports, and how images become them.
//!
//! Every metric has one name, one policy and one definition here, and no number without the range it was measured by;
//! curves, tables and the choice of an epoch refer to it by name. The arithmetic is kd-metrics'.

mod metric;
mod protocol;
mod regions;
mod scored;

pub use metric::Metric;
pub use protocol::{OutsideRange, RangeError, ScoreRange};
pub use regions::{Region, RegionError, RegionMetric};
pub use scored::{ScoreError, ScoredImages, untouched};
