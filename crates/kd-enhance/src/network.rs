//! Restoration networks, from a recipe's table to a Burn module.
//!
//! [`NetworkDesign`] is what a recipe says, [`NetworkSpec`] is the same after the checks and with the data's channels,
//! [`Restorer`] is the module. Every network is written twice, side by side in its file: as layers that compute and as a
//! walk over shapes that counts; tests hold the two together.
//!
//! All of them add something to their input (interpolated, where the answer is finer), and the layer that makes the
//! addition is called `residual`: [`kd_core::initialize`] starts it at 0, so training starts at doing nothing. All take
//! images of any size, use ReLU and answer raw intensities, so that a student exports without surprises.

mod dncnn;
mod edsr;
mod error;
mod layer;
mod red_cnn;
mod restorer;
mod spec;
mod unet;
mod walk;

pub use dncnn::DnCnn;
pub use edsr::{Edsr, EdsrBlock};
pub use error::NetworkError;
pub use layer::ConvLayer;
pub use red_cnn::RedCnn;
pub use restorer::Restorer;
pub use spec::{Architecture, NetworkDesign, NetworkSpec, Norm};
pub use unet::{UNet, UNetLevel};
