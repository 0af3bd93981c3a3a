//! A depthwise-separable network with a width multiplier, the smallest kind of student.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use kd_core::Watch;

use super::layer::{ConvNorm, ConvShape, global_average};
use super::spec::Stem;
use super::walk::Walk;

/// Channels of the stem before the multiplier.
const STEM_CHANNELS: usize = 32;

/// Output channels of each stage before the multiplier; from the second on a stage halves the image.
const STAGE_CHANNELS: [usize; 5] = [64, 128, 256, 512, 1024];

/// Separable blocks of each stage in the paper's network.
pub(crate) const PAPER_BLOCKS: [usize; 5] = [1, 2, 2, 6, 2];

/// No layer gets thinner than this.
const LEAST_CHANNELS: usize = 8;

/// What a mobile network is made of, resolved from a spec.
#[derive(Debug, Clone)]
pub(crate) struct MobilePlan {
    pub(crate) stem: Stem,
    pub(crate) in_channels: usize,
    pub(crate) multiplier: f64,
    /// Blocks of each stage, one to five stages.
    pub(crate) blocks: Vec<usize>,
    pub(crate) outputs: usize,
}

impl MobilePlan {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "channels are at most 1024 and the multiplier is checked to be positive and at most 4"
    )]
    fn scaled(&self, channels: usize) -> usize {
        ((channels as f64 * self.multiplier) as usize).max(LEAST_CHANNELS)
    }

    fn stem_conv(&self) -> ConvShape {
        let stride = match self.stem {
            Stem::Small => 1,
            Stem::ImageNet => 2,
        };
        ConvShape::new([self.in_channels, self.scaled(STEM_CHANNELS)], 3, stride)
    }

    /// The depthwise and the pointwise convolution of each block.
    fn separable(&self) -> Vec<[ConvShape; 2]> {
        let mut input = self.scaled(STEM_CHANNELS);
        let mut shapes = Vec::new();
        for (stage, &blocks) in self.blocks.iter().enumerate() {
            let output = self.scaled(STAGE_CHANNELS[stage]);
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                shapes.push([ConvShape::depthwise(input, 3, stride), ConvShape::new([input, output], 1, 1)]);
                input = output;
            }
        }
        shapes
    }

    pub(crate) fn init(&self, device: &Device) -> Mobile {
        let block = |[depthwise, pointwise]: [ConvShape; 2]| SeparableBlock {
            depthwise: ConvNorm::init(depthwise, device),
            pointwise: ConvNorm::init(pointwise, device),
        };
        let features = self.scaled(STAGE_CHANNELS[self.blocks.len() - 1]);
        Mobile {
            stem: ConvNorm::init(self.stem_conv(), device),
            blocks: self.separable().into_iter().map(block).collect(),
            fc: LinearConfig::new(features, self.outputs).init(device),
        }
    }

    pub(crate) fn walk(&self, walk: &mut Walk) {
        ConvNorm::walk(self.stem_conv(), walk);
        for shape in self.separable().into_iter().flatten() {
            ConvNorm::walk(shape, walk);
        }
        walk.adaptive_average([1, 1]);
        walk.linear(self.outputs);
    }
}

/// A stem, separable blocks, global average and one linear layer.
///
/// # Shapes
/// `[batch, channel, height, width]` to logits `[batch, output]`.
///
/// # Policy
/// Channels are the paper's times the multiplier, rounded down, and never below 8.
///
/// # Source
/// Howard et al. (2017), "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", table 1.
///
/// # Deviations
/// The small stem has stride 1, so that a 28-pixel image still has 2×2 pixels at the end. The last depthwise
/// convolution has stride 1; the paper's table prints 2, which its own output sizes contradict. No dropout.
#[derive(Module, Debug)]
pub struct Mobile {
    /// The full convolution at the start.
    pub stem: ConvNorm,
    /// All separable blocks in order.
    pub blocks: Vec<SeparableBlock>,
    /// The head.
    pub fc: Linear,
}

impl Mobile {
    pub(crate) fn forward(&self, images: Tensor<4>, watch: &mut Watch<4>) -> Tensor<2> {
        let mut features = self.stem.forward(images);
        watch.see("stem", &features);
        for (place, block) in self.blocks.iter().enumerate() {
            features = block.pointwise.forward(block.depthwise.forward(features));
            watch.see(format_args!("block{}", place + 1), &features);
        }
        self.fc.forward(global_average(features, watch))
    }
}

/// A 3×3 convolution of each channel by itself, then a 1×1 convolution across channels.
#[derive(Module, Debug)]
pub struct SeparableBlock {
    /// One kernel per channel; takes the block's stride.
    pub depthwise: ConvNorm,
    /// Mixes the channels.
    pub pointwise: ConvNorm,
}
