//! The layers that all networks share, each with the one padding rule of this crate: half the kernel on every side.

use burn::module::Module;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use kd_core::Watch;
use kd_kernels::Activation;
use kd_kernels::nn::{BatchNorm, Conv2d, ConvConfig, conv_norm};

use super::walk::Walk;

/// A square convolution, as a shape: what the module and the walk are both made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvShape {
    pub(crate) channels: [usize; 2],
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) groups: usize,
    pub(crate) bias: bool,
}

impl ConvShape {
    /// A convolution without bias, as it stands before a batch norm that would cancel it.
    pub(crate) fn new(channels: [usize; 2], kernel: usize, stride: usize) -> Self {
        Self { channels, kernel, stride, groups: 1, bias: false }
    }

    pub(crate) fn with_bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// One kernel per channel.
    pub(crate) fn depthwise(channels: usize, kernel: usize, stride: usize) -> Self {
        Self { groups: channels, ..Self::new([channels, channels], kernel, stride) }
    }

    pub(crate) fn init(self, device: &Device) -> Conv2d {
        let Self { channels, kernel, stride, groups, bias } = self;
        ConvConfig::<2> { stride: [stride; 2], groups, bias, ..ConvConfig::same(channels, kernel) }.init(device)
    }
}

/// Convolution, batch norm, ReLU.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// The convolution, without bias.
    pub conv: Conv2d,
    /// The norm over its output channels.
    pub bn: BatchNorm,
}

impl ConvNorm {
    pub(crate) fn init(shape: ConvShape, device: &Device) -> Self {
        Self { conv: shape.init(device), bn: BatchNorm::init(shape.channels[1], device) }
    }

    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        conv_norm(&self.conv, &self.bn, input, Activation::Relu)
    }

    pub(crate) fn walk(shape: ConvShape, walk: &mut Walk) {
        walk.conv(shape);
        walk.norm();
    }
}

/// Mean over the image: `[batch, channel, height, width]` to `[batch, channel]`.
pub(crate) fn global_average(input: Tensor<4>, watch: &mut Watch<4>) -> Tensor<2> {
    let pooled = adaptive_avg_pool2d(input, [1, 1]);
    watch.see("pooled", &pooled);
    pooled.flatten(1, 3)
}
