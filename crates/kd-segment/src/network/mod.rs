//! U-Nets in two and three dimensions: designs as a recipe writes them, and networks made of them.

mod design;
mod unet;

pub use design::{Block, Cost, NetworkDesign, NetworkError, NetworkSpec, Norm};
pub use unet::{ConvBlock, Layer, UNet};
