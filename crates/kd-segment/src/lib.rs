//! Segmentation: one class a pixel or voxel, in 2D and 3D.
//!
//! Says to the trainer what a batch, a hard-label loss and a good answer are; holds the networks of teacher and
//! student, the way from patches to a whole volume, and the scores of a case.

pub mod loss;

mod augment;
mod inference;
mod network;
mod object_score;
mod score;
mod task;

pub use augment::{Augmentation, AugmentationError};
pub use inference::{InferenceError, Keep, Segmented, SlidingWindow, Weighting, clean_up, grow_objects};
pub use network::{Block, ConvBlock, Cost, Layer, NetworkDesign, NetworkError, NetworkSpec, Norm, UNet};
pub use object_score::{ObjectMetric, judge_objects};
pub use score::{CaseScores, Metric, judge_case};
pub use task::{Labels, SegmentTask, Tally, named_classes};
