//! Layers with Burn's parameter names, so that trained weights load and save as before, on this crate's operators.

mod conv;
mod divergence;
mod norm;
mod resize;
mod step;

pub use conv::{Conv, Conv2d, Conv3d, ConvConfig};
pub use divergence::softmax_divergence;
pub use norm::{BatchNorm, ConvNormAct, InstanceNorm, conv_norm};
pub use resize::{max_pool, upsample};
pub use step::{adamw_step, momentum_step};

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::extension::KernelOps;

/// `max(left + right, 0)`, as a residual block ends, in one pass.
///
/// # Panics
/// When the shapes differ.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// let device = Device::flex();
/// let left = Tensor::<2>::from_floats([[1.0, -3.0]], &device);
/// let right = Tensor::<2>::from_floats([[0.5, 2.0]], &device);
/// let sum: Vec<f32> = kd_kernels::nn::add_relu(left, right).into_data().try_to_vec().unwrap_or_default();
/// assert_eq!(sum, [1.5, 0.0]);
/// ```
#[must_use]
pub fn add_relu<const RANK: usize>(left: Tensor<RANK>, right: Tensor<RANK>) -> Tensor<RANK> {
    assert_eq!(left.dims(), right.dims(), "add_relu: expected two tensors of one shape");
    Tensor::from_dispatch(<Dispatch as KernelOps>::add_relu(left.into_dispatch(), right.into_dispatch()))
}

/// Two tensors one behind the other along the channels, as a decoder takes its skip connection.
///
/// # Panics
/// When the shapes differ elsewhere.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// let device = Device::flex();
/// let [left, right] = [1.0, 2.0].map(|value| Tensor::<4>::full([1, 1, 1, 2], value, &device));
/// let both: Vec<f32> = kd_kernels::nn::concatenate(left, right).into_data().try_to_vec().unwrap_or_default();
/// assert_eq!(both, [1.0, 1.0, 2.0, 2.0]);
/// ```
#[must_use]
pub fn concatenate<const RANK: usize>(left: Tensor<RANK>, right: Tensor<RANK>) -> Tensor<RANK> {
    let (mut expected, found) = (left.dims(), right.dims());
    expected[1] = found[1];
    assert_eq!(expected, found, "concatenate: expected tensors that differ in channels alone");
    Tensor::from_dispatch(<Dispatch as KernelOps>::concatenate(left.into_dispatch(), right.into_dispatch()))
}
