//! Metrics of restored images: how far the intensities are off, how much of the structure is there, what became of the noise.
//!
//! The same images give numbers ten decibels apart under two protocols, so range, window, variant and border are arguments
//! here, and [`EnhanceMetric::protocol`](crate::EnhanceMetric::protocol) writes them out beside the number.

pub(crate) mod edges;
pub(crate) mod error;
pub(crate) mod fidelity;
pub(crate) mod filter;
pub(crate) mod images;
pub(crate) mod multi_scale;
pub(crate) mod noise;
pub(crate) mod protocol;
pub(crate) mod psnr;
pub(crate) mod regions;
pub(crate) mod ssim;
