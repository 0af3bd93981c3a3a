//! The layers that all networks share, each with the one padding rule of this crate: zeros, half the kernel on every
//! side, so that every convolution keeps the size of the image.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_kernels::Activation;
use kd_kernels::nn::{BatchNorm, Conv2d, ConvConfig, conv_norm};

use super::spec::Norm;
use super::walk::Walk;

/// A square convolution of stride 1, as a shape: what the module and the walk are both made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvShape {
    pub(crate) channels: [usize; 2],
    pub(crate) kernel: usize,
    pub(crate) bias: bool,
}

impl ConvShape {
    /// A convolution with bias.
    pub(crate) fn new(channels: [usize; 2], kernel: usize) -> Self {
        Self { channels, kernel, bias: true }
    }

    pub(crate) fn init(self, device: &Device) -> Conv2d {
        let Self { channels, kernel, bias } = self;
        ConvConfig::<2> { bias, ..ConvConfig::same(channels, kernel) }.init(device)
    }
}

/// Convolution, batch norm where the design has it, ReLU.
#[derive(Module, Debug)]
pub struct ConvLayer {
    /// The convolution; its bias stands where no norm follows.
    pub conv: Conv2d,
    /// The norm over its output channels.
    pub norm: Option<BatchNorm>,
}

impl ConvLayer {
    pub(crate) fn init(channels: [usize; 2], norm: Norm, device: &Device) -> Self {
        let with_norm = norm == Norm::Batch;
        Self {
            conv: ConvShape { bias: !with_norm, ..ConvShape::new(channels, 3) }.init(device),
            norm: with_norm.then(|| BatchNorm::init(channels[1], device)),
        }
    }

    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            Some(norm) => conv_norm(&self.conv, norm, input, Activation::Relu),
            None => self.conv.forward_relu(input),
        }
    }

    pub(crate) fn walk(channels: [usize; 2], norm: Norm, walk: &mut Walk) {
        walk.conv(ConvShape { bias: norm == Norm::None, ..ConvShape::new(channels, 3) });
        if norm == Norm::Batch {
            walk.norm();
        }
    }
}
