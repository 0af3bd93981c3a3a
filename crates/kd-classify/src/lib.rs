//! Image classification: networks and what they cost, batches and views, the hard-label loss, and the numbers that are
//! reported.
//!
//! The crate opens no file and prints nothing: images and weights come in as values, networks answer raw logits.

pub mod cost;
pub mod network;
pub mod pretrained;
pub mod score;

mod augment;
mod task;

pub use augment::{Augmentation, AugmentationError};
pub use cost::{Cost, cost};
pub use network::{Architecture, Classifier, NetworkDesign, NetworkError, NetworkSpec, Stem};
pub use pretrained::{HeadPolicy, NamedTensors, PretrainedError, StemChannels, load_pretrained, torchvision_name};
pub use score::Metric;
pub use task::{ClassWeights, ClassifyTask, Labels, Tally};
