//! The hard-label loss of segmentation: a weighted sum of named parts.

mod boundary;
mod dice;
mod focal;
mod generalized_dice;
mod hard;
mod sums;
mod tversky;

pub use boundary::{boundary, signed_distances};
pub use dice::soft_dice;
pub use focal::focal;
pub use generalized_dice::generalized_dice;
pub use hard::{FocalPart, HardLoss, HardLossError, TverskyPart};
pub use tversky::tversky;

pub(crate) use hard::Truth;
