//! Residual networks: ResNet-18/34 (basic blocks), ResNet-50 (bottlenecks) and thin ones with fewer stages.
//!
//! Fields carry torchvision's names, so the paths of trained weights need next to no translation.

use burn::module::Module;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use kd_core::Watch;
use kd_kernels::Activation;
use kd_kernels::nn::{BatchNorm, Conv2d, add_relu, conv_norm};

use super::layer::{ConvShape, global_average};
use super::spec::Stem;
use super::walk::Walk;

/// What a residual network is made of, resolved from a spec.
#[derive(Debug, Clone)]
pub(crate) struct ResNetPlan {
    pub(crate) stem: Stem,
    pub(crate) in_channels: usize,
    /// Channels of the stem and of the first stage's 3×3 convolutions; each stage doubles them.
    pub(crate) width: usize,
    /// Blocks of each stage, one to four stages.
    pub(crate) blocks: Vec<usize>,
    pub(crate) bottleneck: bool,
    pub(crate) outputs: usize,
}

/// Channels of one block: in, inside, out, and the stride that it takes.
#[derive(Debug, Clone, Copy)]
struct BlockShape {
    input: usize,
    inner: usize,
    output: usize,
    stride: usize,
    bottleneck: bool,
}

impl BlockShape {
    /// The convolutions of the main path. A bottleneck's stride sits in its 3×3, as torchvision has it.
    fn convs(self) -> Vec<ConvShape> {
        let Self { input, inner, output, stride, bottleneck } = self;
        if bottleneck {
            vec![
                ConvShape::new([input, inner], 1, 1),
                ConvShape::new([inner, inner], 3, stride),
                ConvShape::new([inner, output], 1, 1),
            ]
        } else {
            vec![ConvShape::new([input, inner], 3, stride), ConvShape::new([inner, output], 3, 1)]
        }
    }

    /// The projection of the identity path, where the shapes differ.
    fn projection(self) -> Option<ConvShape> {
        (self.stride != 1 || self.input != self.output)
            .then(|| ConvShape::new([self.input, self.output], 1, self.stride))
    }
}

impl ResNetPlan {
    fn stem_conv(&self) -> ConvShape {
        let channels = [self.in_channels, self.width];
        match self.stem {
            Stem::Small => ConvShape::new(channels, 3, 1),
            Stem::ImageNet => ConvShape::new(channels, 7, 2),
        }
    }

    fn stages(&self) -> Vec<Vec<BlockShape>> {
        let expansion = if self.bottleneck { 4 } else { 1 };
        let mut input = self.width;
        let mut stages = Vec::with_capacity(self.blocks.len());
        for (stage, &blocks) in self.blocks.iter().enumerate() {
            let inner = self.width << stage;
            let output = inner * expansion;
            let mut shapes = Vec::with_capacity(blocks);
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                shapes.push(BlockShape { input, inner, output, stride, bottleneck: self.bottleneck });
                input = output;
            }
            stages.push(shapes);
        }
        stages
    }

    fn features(&self) -> usize {
        (self.width << (self.blocks.len() - 1)) * if self.bottleneck { 4 } else { 1 }
    }

    pub(crate) fn init(&self, device: &Device) -> ResNet {
        let mut stages = self
            .stages()
            .into_iter()
            .map(|stage| stage.into_iter().map(|shape| ResidualBlock::init(shape, device)).collect());
        let mut next = || stages.next().unwrap_or_default();
        ResNet {
            conv1: self.stem_conv().init(device),
            bn1: BatchNorm::init(self.width, device),
            maxpool: match self.stem {
                Stem::Small => None,
                Stem::ImageNet => {
                    let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
                    Some(MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_padding(padding).init())
                }
            },
            layer1: next(),
            layer2: next(),
            layer3: next(),
            layer4: next(),
            fc: LinearConfig::new(self.features(), self.outputs).init(device),
        }
    }

    pub(crate) fn walk(&self, walk: &mut Walk) {
        walk.conv(self.stem_conv());
        walk.norm();
        if self.stem == Stem::ImageNet {
            walk.max_pool(3, 2, 1);
        }
        for shape in self.stages().into_iter().flatten() {
            let before = walk.shape();
            if let Some(projection) = shape.projection() {
                walk.conv(projection);
                walk.norm();
            }
            walk.return_to(before);
            for conv in shape.convs() {
                walk.conv(conv);
                walk.norm();
            }
        }
        walk.adaptive_average([1, 1]);
        walk.linear(self.outputs);
    }
}

/// A residual network with one to four stages, global average and one linear layer.
///
/// # Shapes
/// `[batch, channel, height, width]` to logits `[batch, output]`.
///
/// # Source
/// He et al. (2016), "Deep Residual Learning for Image Recognition", table 1.
///
/// # Deviations
/// A bottleneck takes its stride in the 3×3 convolution (torchvision's layout), not in the first 1×1. The small stem is a
/// single 3×3 convolution of stride 1 without pooling, as networks for 32-pixel images have it.
#[derive(Module, Debug)]
pub struct ResNet {
    /// The stem's convolution.
    pub conv1: Conv2d,
    /// The stem's norm.
    pub bn1: BatchNorm,
    /// Pooling of the ImageNet stem; the small stem has none.
    pub maxpool: Option<MaxPool2d>,
    /// First stage, at the stem's resolution.
    pub layer1: Vec<ResidualBlock>,
    /// Second stage, at half of it; empty where the design has fewer stages.
    pub layer2: Vec<ResidualBlock>,
    /// Third stage.
    pub layer3: Vec<ResidualBlock>,
    /// Fourth stage.
    pub layer4: Vec<ResidualBlock>,
    /// The head.
    pub fc: Linear,
}

impl ResNet {
    pub(crate) fn forward(&self, images: Tensor<4>, watch: &mut Watch<4>) -> Tensor<2> {
        let mut features = conv_norm(&self.conv1, &self.bn1, images, Activation::Relu);
        watch.see("stem", &features);
        if let Some(pool) = &self.maxpool {
            features = pool.forward(features);
        }
        for (place, stage) in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().enumerate() {
            features = stage.iter().fold(features, |features, block| block.forward(features));
            if !stage.is_empty() {
                watch.see(format_args!("layer{}", place + 1), &features);
            }
        }
        self.fc.forward(global_average(features, watch))
    }
}

/// A basic block (two 3×3 convolutions) or, with the third pair, a bottleneck (1×1, 3×3, 1×1).
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// First convolution.
    pub conv1: Conv2d,
    /// Its norm.
    pub bn1: BatchNorm,
    /// Second convolution.
    pub conv2: Conv2d,
    /// Its norm.
    pub bn2: BatchNorm,
    /// Third convolution, of a bottleneck.
    pub conv3: Option<Conv2d>,
    /// Its norm.
    pub bn3: Option<BatchNorm>,
    /// Projection of the identity path, where the shapes differ.
    pub downsample: Option<Downsample>,
}

impl ResidualBlock {
    fn init(shape: BlockShape, device: &Device) -> Self {
        let convs = shape.convs();
        let conv = |index: usize| convs[index].init(device);
        let bn = |index: usize| BatchNorm::init(convs[index].channels[1], device);
        Self {
            conv1: conv(0),
            bn1: bn(0),
            conv2: conv(1),
            bn2: bn(1),
            conv3: shape.bottleneck.then(|| conv(2)),
            bn3: shape.bottleneck.then(|| bn(2)),
            downsample: shape.projection().map(|projection| Downsample {
                conv: projection.init(device),
                bn: BatchNorm::init(projection.channels[1], device),
            }),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let identity = match &self.downsample {
            Some(projection) => conv_norm(&projection.conv, &projection.bn, input.clone(), Activation::None),
            None => input.clone(),
        };
        let features = conv_norm(&self.conv1, &self.bn1, input, Activation::Relu);
        let features = if let (Some(conv3), Some(bn3)) = (&self.conv3, &self.bn3) {
            let features = conv_norm(&self.conv2, &self.bn2, features, Activation::Relu);
            conv_norm(conv3, bn3, features, Activation::None)
        } else {
            conv_norm(&self.conv2, &self.bn2, features, Activation::None)
        };
        add_relu(features, identity)
    }
}

/// A 1×1 convolution and its norm, without ReLU.
#[derive(Module, Debug)]
pub struct Downsample {
    /// The projection.
    pub conv: Conv2d,
    /// Its norm.
    pub bn: BatchNorm,
}
