//! The operators as Burn sees them: a backend extension whose default bodies are the stock operators.
//!
//! Flex, on `f32`, runs this crate's own; every other backend and number type goes on as before. Gradients are written
//! once, for any backend, from the operators below.

mod autodiff;
mod flex;
mod stock;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::ops::ConvOptions;

use crate::norm::{Activation, Statistics};
use crate::optimizer::{AdamWStep, MomentumStep};
use crate::upsample::Upsampling;

/// How a kernel moves over its input; a 2D convolution has ones (padding: zeros) on the first axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Input points from one output point to the next: planes, rows, columns.
    pub stride: [usize; 3],
    /// Zeros on both sides of each axis.
    pub padding: [usize; 3],
    /// Input points from one tap to the next.
    pub dilation: [usize; 3],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Geometry {
    /// Of a 2D convolution: rows, columns.
    #[must_use]
    pub const fn flat(stride: [usize; 2], padding: [usize; 2], dilation: [usize; 2], groups: usize) -> Self {
        Self {
            stride: [1, stride[0], stride[1]],
            padding: [0, padding[0], padding[1]],
            dilation: [1, dilation[0], dilation[1]],
            groups,
        }
    }

    fn options_2d(self) -> ConvOptions<2> {
        let Self { stride: [_, rows, columns], padding: [_, above, left], dilation: [_, down, across], groups } = self;
        ConvOptions::new([rows, columns], [above, left], [down, across], groups)
    }

    fn options_3d(self) -> ConvOptions<3> {
        ConvOptions::new(self.stride, self.padding, self.dilation, self.groups)
    }
}

/// A norm and what follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormOptions {
    /// Which numbers share a mean and a variance.
    pub statistics: Statistics,
    /// Added to the variance.
    pub epsilon: f64,
    /// What follows in the same pass.
    pub activation: Activation,
}

/// A window of pooling; a 2D one has ones (padding: 0) on the first axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Points along each axis.
    pub kernel: [usize; 3],
    /// Input points from one window to the next.
    pub stride: [usize; 3],
    /// Points on both sides that have no number.
    pub padding: [usize; 3],
}

/// The operators. Tensors are `[batch, channel, …]` with two or three axes behind the channel.
///
/// Shapes that do not fit are refused by the modules of [`nn`](crate::nn), whose business it is to call these.
#[backend_extension(
    Flex,
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "cuda", feature = "vulkan")),
    Autodiff,
)]
pub trait KernelOps: Backend {
    /// A convolution; with `relu`, negative results become 0.
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        geometry: Geometry,
        relu: bool,
    ) -> FloatTensor<Self> {
        stock::convolve::<Self>(input, weight, None, geometry, relu)
    }

    /// A convolution with a bias, `[channel]`.
    fn convolve_biased(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        relu: bool,
    ) -> FloatTensor<Self> {
        stock::convolve::<Self>(input, weight, Some(bias), geometry, relu)
    }

    /// The gradient of a convolution (without `relu`) by its input.
    fn convolve_input_gradient(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        stock::convolve_input_gradient::<Self>(input, weight, output_gradient, geometry)
    }

    /// The gradient of a convolution (without `relu`) by its weight.
    fn convolve_weight_gradient(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        stock::convolve_weight_gradient::<Self>(input, weight, output_gradient, geometry)
    }

    /// The gradient of a convolution (without `relu`) by its bias: `[channel]`.
    fn convolve_bias_gradient(output_gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        stock::convolve_bias_gradient::<Self>(output_gradient)
    }

    /// A norm by the statistics of its input, and those: output, means, biased variances.
    fn normalise(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: NormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        stock::normalise::<Self>(input, gamma, beta, options)
    }

    /// The gradients of [`normalise`](Self::normalise) by input, gamma and beta.
    fn normalise_gradient(
        input: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        options: NormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        stock::normalise_gradient::<Self>(input, output_gradient, gamma, beta, [mean, variance], options)
    }

    /// The largest number of each window, padding aside.
    fn max_pool(input: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        stock::max_pool::<Self>(input, window)
    }

    /// The gradient of [`max_pool`](Self::max_pool).
    fn max_pool_gradient(
        input: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self> {
        stock::max_pool_gradient::<Self>(input, output_gradient, window)
    }

    /// Twice as many points along every axis behind the channel.
    fn upsample(input: FloatTensor<Self>, how: Upsampling) -> FloatTensor<Self> {
        stock::upsample::<Self>(input, how)
    }

    /// The gradient of [`upsample`](Self::upsample); `input` gives the shape.
    fn upsample_gradient(
        input: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        how: Upsampling,
    ) -> FloatTensor<Self> {
        stock::upsample_gradient::<Self>(input, output_gradient, how)
    }

    /// Two tensors one behind the other along the channels.
    fn concatenate(left: FloatTensor<Self>, right: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_cat(vec![left, right], 1)
    }

    /// The first `channels` channels, and the others.
    fn part(both: FloatTensor<Self>, channels: usize) -> (FloatTensor<Self>, FloatTensor<Self>) {
        stock::part::<Self>(both, channels)
    }

    /// The sum of two tensors of one shape, negative results replaced by 0.
    fn add_relu(left: FloatTensor<Self>, right: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::relu(Self::float_add(left, right))
    }

    /// A step of gradient descent with momentum: weight and momentum after it. Not differentiable.
    fn momentum_step(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        momentum: FloatTensor<Self>,
        step: MomentumStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        stock::momentum_step::<Self>(weight, gradient, momentum, step)
    }

    /// A step of AdamW: weight, mean gradient and mean squared gradient after it. Not differentiable.
    fn adamw_step(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        square: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        stock::adamw_step::<Self>([weight, gradient, mean, square], step)
    }

    /// The divergence of the student's softmax over the channels from the teacher's, `[batch, 1, …]`, of logits that are
    /// multiplied by `factor` first. Differentiable by the student alone.
    fn softmax_divergence(student: FloatTensor<Self>, teacher: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        stock::softmax_divergence::<Self>(student, teacher, factor)
    }

    /// Gradient of [`softmax_divergence`](Self::softmax_divergence) by the student. Not differentiable.
    fn softmax_divergence_gradient(
        student: FloatTensor<Self>,
        teacher: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        factor: f64,
    ) -> FloatTensor<Self> {
        stock::softmax_divergence_gradient::<Self>(student, teacher, output_gradient, factor)
    }

    /// A gradient where the output of a ReLU is above 0, else 0.
    fn relu_gradient(output: FloatTensor<Self>, output_gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::relu_backward(output, output_gradient)
    }
}

#[cfg(feature = "ndarray")]
#[expect(deprecated, reason = "kept for comparisons")]
impl KernelOps for burn::backend::NdArray {}

// CUDA and Vulkan are one backend under two names.
#[cfg(feature = "cuda")]
impl KernelOps for burn::backend::Cuda {}
#[cfg(all(feature = "vulkan", not(feature = "cuda")))]
impl KernelOps for burn::backend::Wgpu {}
