//! From a trained network to the label map of a whole image, whatever its size.

mod clean_up;
mod error;
mod grow;
mod plan;
mod slab;
mod window;

pub use clean_up::{Keep, clean_up};
pub use error::InferenceError;
pub use grow::grow_objects;
pub use plan::Weighting;
pub use window::{Segmented, SlidingWindow};
