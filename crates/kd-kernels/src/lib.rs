//! The operators that training and inference spend their time in, for plain CPUs.
//!
//! Slices in, slices out, no tensor library: [`conv`](conv()) and its gradients, [`norm`](norm()) and its gradient.
//! [`extension`] hands them to Burn: every other backend and every other number type goes on with the stock operators.

mod choice;
mod conv;
mod divergence;
mod elementwise;
pub mod extension;
mod memory;
pub mod nn;
mod norm;
mod optimizer;
mod pool;
mod scratch_space;
mod shared;
mod simd;
mod upsample;

pub use choice::{Kernels, UnknownKernels, VARIABLE};
pub use conv::{ConvShape, ShapeError, conv, conv_input_gradient, weight_gradient as conv_weight_gradient};
pub use memory::keep_freed_memory;
pub use norm::{Activation, NormError, NormGradients, NormShape, Normed, Statistics, norm, norm_gradient};
pub use optimizer::{AdamWStep, MomentumStep};
pub use pool::{PoolError, PoolShape, max_pool, max_pool_gradient};
pub use simd::{Isa, peak_gflops};
pub use upsample::{UpsampleError, Upsampling, upsample, upsample_gradient};
