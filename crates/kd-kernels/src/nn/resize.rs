//! Half and twice the size: what an encoder and a decoder do between their convolutions.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::extension::{KernelOps, Window};
use crate::upsample::Upsampling;

/// The largest number of each window along the axes behind the channel; in a 2D tensor the first of three sizes counts
/// for nothing.
///
/// # Panics
/// When the tensor has another rank than 4 or 5, or is smaller than the window.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_kernels::extension::Window;
/// let halves = Window { kernel: [2; 3], stride: [2; 3], padding: [0; 3] };
/// let input = Tensor::<4>::from_floats([[[[1.0, 2.0], [7.0, 3.0]]]], &Device::flex());
/// let pooled: Vec<f32> = kd_kernels::nn::max_pool(input, halves).into_data().try_to_vec().unwrap_or_default();
/// assert_eq!(pooled, [7.0]);
/// ```
#[must_use]
pub fn max_pool<const RANK: usize>(input: Tensor<RANK>, window: Window) -> Tensor<RANK> {
    let sizes = input.dims();
    assert!(RANK == 4 || RANK == 5, "max pool: input {sizes:?}, expected 4 or 5 axes");
    let mut window = window;
    if RANK == 4 {
        (window.kernel[0], window.stride[0], window.padding[0]) = (1, 1, 0);
    }
    for axis in 2..RANK {
        let of_window = axis + 3 - RANK;
        let (kernel, padding) = (window.kernel[of_window], window.padding[of_window]);
        assert!(
            kernel > 0 && window.stride[of_window] > 0 && padding <= kernel / 2 && kernel <= sizes[axis] + 2 * padding,
            "max pool: input {sizes:?} does not fit {window:?} on axis {axis}"
        );
    }
    Tensor::from_dispatch(<Dispatch as KernelOps>::max_pool(input.into_dispatch(), window))
}

/// Twice as many points along every axis behind the channel.
///
/// # Panics
/// When the tensor has another rank than 4 or 5.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_kernels::{Upsampling, nn::upsample};
/// let input = Tensor::<4>::from_floats([[[[1.0, 5.0]]]], &Device::flex());
/// let doubled: Vec<f32> = upsample(input, Upsampling::Linear).into_data().try_to_vec().unwrap_or_default();
/// assert_eq!(doubled, [1.0, 2.0, 4.0, 5.0, 1.0, 2.0, 4.0, 5.0]);
/// ```
#[must_use]
pub fn upsample<const RANK: usize>(input: Tensor<RANK>, how: Upsampling) -> Tensor<RANK> {
    assert!(RANK == 4 || RANK == 5, "upsample: input {:?}, expected 4 or 5 axes", input.dims());
    Tensor::from_dispatch(<Dispatch as KernelOps>::upsample(input.into_dispatch(), how))
}
