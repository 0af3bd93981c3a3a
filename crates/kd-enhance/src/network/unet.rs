//! A small U-Net that answers a correction: a wide view at little work, for noise and artefacts that are not local.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_core::Watch;
use kd_kernels::Upsampling;
use kd_kernels::extension::Window;
use kd_kernels::nn::{Conv2d, concatenate, max_pool, upsample};

use super::layer::{ConvLayer, ConvShape};
use super::spec::Norm;
use super::walk::Walk;

const HALVES: Window = Window { kernel: [2; 3], stride: [2; 3], padding: [0; 3] };

/// What a U-Net is made of, resolved from a spec.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UNetPlan {
    pub(crate) channels: usize,
    /// Channels at full resolution; each level doubles them.
    pub(crate) width: usize,
    /// Poolings.
    pub(crate) depth: usize,
    pub(crate) norm: Norm,
}

impl UNetPlan {
    fn width_of(self, level: usize) -> usize {
        self.width << level
    }

    /// Input and output channels of each level, downwards from the image.
    fn down(self) -> impl Iterator<Item = [usize; 2]> {
        (0..=self.depth)
            .map(move |level| [if level == 0 { self.channels } else { self.width_of(level - 1) }, self.width_of(level)])
    }

    /// Input and output channels of each level, upwards to the image.
    fn up(self) -> impl Iterator<Item = [usize; 2]> {
        (0..self.depth).rev().map(move |level| [self.width_of(level) + self.width_of(level + 1), self.width_of(level)])
    }

    fn residual(self) -> ConvShape {
        ConvShape::new([self.width, self.channels], 1)
    }

    /// Points of the coarsest grid lie this many pixels apart.
    pub(crate) fn stride(self) -> usize {
        1 << self.depth
    }

    /// Pixels that an answer sees around it: two convolutions a level downwards and upwards, and at each level up to one
    /// point of the next for the windows of pooling and upsampling.
    pub(crate) fn reach(self) -> usize {
        let pair = |level: usize| 2 << level;
        let convolutions: usize = (0..=self.depth).map(pair).chain((0..self.depth).map(pair)).sum();
        convolutions + 2 * (self.stride() - 1)
    }

    pub(crate) fn init(self, device: &Device) -> UNet {
        let level = |[input, output]: [usize; 2]| UNetLevel {
            first: ConvLayer::init([input, output], self.norm, device),
            second: ConvLayer::init([output; 2], self.norm, device),
        };
        UNet {
            down: self.down().map(level).collect(),
            up: self.up().map(level).collect(),
            residual: self.residual().init(device),
        }
    }

    pub(crate) fn walk(self, walk: &mut Walk) {
        let (size, padded) = (walk.size, walk.size.map(|side| side.next_multiple_of(self.stride())));
        let mut go_to = |level: usize, [input, output]: [usize; 2]| {
            walk.reshape(input, padded.map(|side| side >> level));
            ConvLayer::walk([input, output], self.norm, walk);
            ConvLayer::walk([output; 2], self.norm, walk);
        };
        self.down().enumerate().for_each(|(level, shape)| go_to(level, shape));
        self.up().enumerate().for_each(|(turn, shape)| go_to(self.depth - 1 - turn, shape));
        walk.conv(self.residual());
        walk.reshape(self.channels, size);
    }
}

/// Two 3×3 convolutions a level, max pooling down, nearest upsampling and concatenation up; a 1×1 convolution answers
/// what is added to the input.
///
/// # Shapes
/// `[batch, channel, height, width]` to the same, of any size: one that the poolings do not divide gets zeros below and
/// on the right, which are cut off again.
///
/// # Source
/// Ronneberger, Fischer, Brox (2015), "U-Net", figure 1; the sum with the input: Jin et al. (2017), "Deep Convolutional
/// Neural Network for Inverse Problems in Imaging", section III-B.
///
/// # Deviations
/// Convolutions keep the size, and upsampling is followed by a convolution instead of a transposed one.
#[derive(Module, Debug)]
pub struct UNet {
    /// Levels from the image to the coarsest grid.
    pub down: Vec<UNetLevel>,
    /// Levels back to the image.
    pub up: Vec<UNetLevel>,
    /// The last convolution, which answers what is added to the input.
    pub residual: Conv2d,
}

/// Two convolutions of one level.
#[derive(Module, Debug)]
pub struct UNetLevel {
    /// The first.
    pub first: ConvLayer,
    /// The second.
    pub second: ConvLayer,
}

impl UNetLevel {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.second.forward(self.first.forward(input))
    }
}

impl UNet {
    pub(crate) fn forward(&self, images: Tensor<4>, watch: &mut Watch<4>) -> Tensor<4> {
        let [_, _, height, width] = images.dims();
        let mut features = self.padded(images.clone());
        let mut shortcuts = Vec::new();
        for (level, block) in self.down.iter().enumerate() {
            if level > 0 {
                shortcuts.push(features.clone());
                features = max_pool(features, HALVES);
            }
            features = block.forward(features);
            watch.see(format_args!("down{level}"), &features);
        }
        for block in &self.up {
            let shortcut = shortcuts.pop().expect("as many levels up as down");
            features = block.forward(concatenate(shortcut, upsample(features, Upsampling::Nearest)));
            watch.see(format_args!("up{}", shortcuts.len()), &features);
        }
        let correction = self.residual.forward(features);
        images + correction.narrow(2, 0, height).narrow(3, 0, width)
    }

    /// Zeros below and on the right, up to a size that all poolings divide.
    fn padded(&self, images: Tensor<4>) -> Tensor<4> {
        let stride = 1 << self.up.len();
        (2..4).fold(images, |images, axis| {
            let mut missing = images.dims();
            missing[axis] = missing[axis].next_multiple_of(stride) - missing[axis];
            if missing[axis] == 0 {
                return images;
            }
            let zeros = Tensor::zeros(missing, &images.device());
            Tensor::cat(vec![images, zeros], axis)
        })
    }
}
