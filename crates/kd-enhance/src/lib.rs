//! Enhancement: a better image from a worse one; denoising, low-dose CT, super-resolution.
//!
//! Says to the trainer what a batch, a loss against the true image and a good answer are; holds the networks of teacher
//! and student, the way from tiles to a whole image, and the scores of an image.
//!
//! The crate opens no file and prints nothing. Intensities come in as the caller prepared them (a share of a stated
//! range, standard deviations) and leave in the same unit.

pub mod cost;
pub mod network;
pub mod score;

mod pair;
mod task;
mod tiles;
mod views;

pub use cost::{Cost, cost};
pub use network::{Architecture, NetworkDesign, NetworkError, NetworkSpec, Norm, Restorer};
pub use pair::{PairError, check_pair};
pub use score::{
    Metric, OutsideRange, RangeError, Region, RegionError, RegionMetric, ScoreError, ScoreRange, ScoredImages,
};
pub use task::{EnhanceTask, Tally, TaskSetupError, Truth, Unit};
pub use tiles::{TileError, Tiling};
pub use views::{ViewError, Views};
