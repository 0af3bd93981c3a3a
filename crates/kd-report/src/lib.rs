//! A run record goes in, text comes out.
//!
//! [`RunRecord`] is the one description of a finished distillation run: where its numbers come from, what was compared
//! with what, and every number with its interval and its policy. Everything a person reads (HTML page, Markdown, CSV,
//! terminal table, comparison with an older run) is a pure function of it, so that no two of them can disagree.
//!
//! The crate opens no file, prints nothing and depends on no other crate of the workspace: producers fill the record,
//! the store writes the text. Times lie apart in [`Timing`], because they differ between two runs that are otherwise
//! equal byte for byte; pictures lie apart in [`ErrorImage`] and [`Exhibit`], because a record holds no pixels.
//!
//! | module | gives |
//! |---|---|
//! | [`json`] | `record.json` and `timing.json`, strict on reading |
//! | [`html`] | `report.html`, one page that needs no network and no script |
//! | [`markdown`] | `report.md` |
//! | [`csv`] | `arms.csv`, `curves.csv` |
//! | [`table`] | the summary for the terminal |
//! | [`verdict`] | the headline sentence, computed |
//! | [`compare`] | two records against each other, with a noise threshold |

pub mod compare;
pub mod csv;
pub mod html;
pub mod json;
pub mod markdown;
pub mod table;
pub mod verdict;

mod check;
mod error_image;
mod exhibit;
mod facts;
mod number;
mod record;
mod svg;
mod timing;
mod value;

pub use error_image::ErrorImage;
pub use exhibit::{Exhibit, Panel};
pub use json::RecordError;
pub use record::{
    Arm, Baseline, Calibration, ClassCount, ClassRow, Confusion, Curves, DatasetFacts, Difference, Direction, Fact,
    Gap, Host, LeakFinding, Metric, MetricDefinition, NetworkFacts, OperatingPoint, Provenance, Reliability,
    ReliabilityBin, RocBand, Role, RunRecord, SCHEMA, SeedMetric, SeedResult, SplitFacts, StudentGroup, SubgroupRow,
    Task, Teacher, Term, TermCurve,
};
pub use timing::{ArmTime, StageTime, TIMING_SCHEMA, Timing};
pub use value::Value;
