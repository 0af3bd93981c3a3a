//! Classification networks, from a recipe's table to a Burn module.
//!
//! [`NetworkDesign`] is what a recipe says, [`NetworkSpec`] is the same after the checks and with the data's channel
//! and output counts, [`Classifier`] is the module. Every network is written twice, side by side in its file: as layers
//! that compute and as a walk over shapes that counts; tests hold the two together. All of them use ReLU and answer raw
//! logits, so that a student exports without surprises.

mod classifier;
mod error;
mod layer;
mod mobile;
mod resnet;
mod spec;
mod vgg;
mod walk;

pub use classifier::Classifier;
pub use error::NetworkError;
pub use layer::ConvNorm;
pub use mobile::{Mobile, SeparableBlock};
pub use resnet::{Downsample, ResNet, ResidualBlock};
pub use spec::{Architecture, NetworkDesign, NetworkSpec, Stem};
pub use vgg::{ConvUnit, Vgg, VggClassifier};

pub(crate) use vgg::torchvision_index;
