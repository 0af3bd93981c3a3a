//! The five networks whose training steps and inference are timed beside their peers.
//!
//! Classifiers are the product's own; the dense ones are plain networks on the product's operators, written the same way
//! in `peers/networks.py`.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_classify::{Architecture, Classifier, NetworkDesign, Stem};
use kd_core::Network;
use kd_kernels::extension::Window;
use kd_kernels::nn::{BatchNorm, Conv, Conv2d, ConvConfig, InstanceNorm, concatenate, conv_norm, max_pool, upsample};
use kd_kernels::{Activation, Upsampling};

/// One of the networks, with the batch that it is timed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// ResNet-18 with the small stem, 64 × 1 × 28².
    ResNet18,
    /// U-Net of depth 4 and 16 base channels, batch norm, 8 × 1 × 128².
    UNet,
    /// 3D U-Net of depth 3 and 16 base channels, instance norm, 2 × 1 × 32×48×32.
    UNet3d,
    /// Mobile net of full width with the small stem, 64 × 1 × 28².
    Mobile,
    /// DnCNN, 17 layers of 64 channels, 16 × 1 × 64².
    DnCnn,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::ResNet18, Self::UNet, Self::UNet3d, Self::Mobile, Self::DnCnn];

    /// The name on the command line and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResNet18 => "resnet-18",
            Self::UNet => "u-net",
            Self::UNet3d => "u-net-3d",
            Self::Mobile => "mobile",
            Self::DnCnn => "dncnn",
        }
    }
}

/// A classifier's design, small stem, one channel in, two classes.
///
/// # Panics
/// Never: the designs are sound.
#[must_use]
pub fn classifier(architecture: Architecture, device: &Device) -> Classifier {
    let mut design = NetworkDesign::new(architecture, Stem::Small);
    design.multiplier = (architecture == Architecture::Mobile).then_some(1.0);
    design.spec(1, 2).expect("a sound design").init(device)
}

fn conv<const AXES: usize>(channels: [usize; 2]) -> ConvConfig<AXES> {
    ConvConfig::same(channels, 3)
}

/// Two convolutions with their norms.
#[derive(Module, Debug)]
pub struct Double<const RANK: usize> {
    conv1: Conv<RANK>,
    bn1: Option<BatchNorm>,
    in1: Option<InstanceNorm>,
    conv2: Conv<RANK>,
    bn2: Option<BatchNorm>,
    in2: Option<InstanceNorm>,
}

impl<const RANK: usize> Double<RANK> {
    fn forward(&self, input: Tensor<RANK>) -> Tensor<RANK> {
        let layer = |conv: &Conv<RANK>, batch: &Option<BatchNorm>, instance: &Option<InstanceNorm>, input| match (
            batch, instance,
        ) {
            (Some(norm), _) => conv_norm(conv, norm, input, Activation::Relu),
            (None, Some(norm)) => norm.forward_with(conv.forward(input), Activation::LeakyRelu(0.01)),
            (None, None) => conv.forward_relu(input),
        };
        layer(&self.conv2, &self.bn2, &self.in2, layer(&self.conv1, &self.bn1, &self.in1, input))
    }
}

/// A U-Net: two convolutions a level, max pooling down, nearest upsampling and concatenation up, a 1×1 head.
#[derive(Module, Debug)]
pub struct UNet<const RANK: usize> {
    down: Vec<Double<RANK>>,
    up: Vec<Double<RANK>>,
    head: Conv<RANK>,
}

macro_rules! unet {
    ($axes:literal, $rank:literal, $batch:expr) => {
        impl UNet<$rank> {
            /// A network of one channel in and two classes.
            #[must_use]
            pub fn init(depth: usize, base: usize, device: &Device) -> Self {
                let double = |input: usize, output: usize| Double {
                    conv1: conv::<$axes>([input, output]).init(device),
                    bn1: $batch.then(|| BatchNorm::init(output, device)),
                    in1: (!$batch).then(|| InstanceNorm::init(output, device)),
                    conv2: conv::<$axes>([output, output]).init(device),
                    bn2: $batch.then(|| BatchNorm::init(output, device)),
                    in2: (!$batch).then(|| InstanceNorm::init(output, device)),
                };
                let width = |level: usize| base << level;
                Self {
                    down: (0..=depth)
                        .map(|level| double(if level == 0 { 1 } else { width(level - 1) }, width(level)))
                        .collect(),
                    up: (0..depth).rev().map(|level| double(width(level) + width(level + 1), width(level))).collect(),
                    head: ConvConfig::<$axes> { bias: true, ..ConvConfig::same([base, 2], 1) }.init(device),
                }
            }
        }
    };
}

unet!(2, 4, true);
unet!(3, 5, false);

impl<const RANK: usize> Network<RANK, RANK> for UNet<RANK> {
    fn forward(&self, input: Tensor<RANK>) -> Tensor<RANK> {
        let halves = Window { kernel: [2; 3], stride: [2; 3], padding: [0; 3] };
        let mut skips = Vec::new();
        let mut features = input;
        for (level, block) in self.down.iter().enumerate() {
            if level > 0 {
                features = max_pool(features, halves);
            }
            features = block.forward(features);
            skips.push(features.clone());
        }
        skips.pop();
        for (block, skip) in self.up.iter().zip(skips.into_iter().rev()) {
            features = block.forward(concatenate(skip, upsample(features, Upsampling::Nearest)));
        }
        self.head.forward(features)
    }
}

/// A denoiser: convolutions with batch norm between a first and a last plain one; the answer is the noise.
#[derive(Module, Debug)]
pub struct DnCnn {
    first: Conv2d,
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    last: Conv2d,
}

impl DnCnn {
    /// A network of one channel.
    #[must_use]
    pub fn init(layers: usize, width: usize, device: &Device) -> Self {
        Self {
            first: ConvConfig::<2> { bias: true, ..conv([1, width]) }.init(device),
            convs: (2..layers).map(|_| conv::<2>([width, width]).init(device)).collect(),
            norms: (2..layers).map(|_| BatchNorm::init(width, device)).collect(),
            last: conv::<2>([width, 1]).init(device),
        }
    }
}

impl Network<4, 4> for DnCnn {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let features =
            self.convs.iter().zip(&self.norms).fold(self.first.forward_relu(input), |features, (conv, norm)| {
                conv_norm(conv, norm, features, Activation::Relu)
            });
        self.last.forward(features)
    }
}

/// The networks by family, for a program that runs one.
pub enum Built {
    /// Classifiers.
    Classifier(Box<Classifier>, [usize; 4]),
    /// The 2D U-Net.
    UNet(Box<UNet<4>>, [usize; 4]),
    /// The 3D U-Net.
    UNet3d(Box<UNet<5>>, [usize; 5]),
    /// The denoiser.
    DnCnn(Box<DnCnn>, [usize; 4]),
}

impl Family {
    /// The network and the shape of its batch.
    #[must_use]
    pub fn build(self, device: &Device) -> Built {
        match self {
            Self::ResNet18 => Built::Classifier(Box::new(classifier(Architecture::ResNet18, device)), [64, 1, 28, 28]),
            Self::Mobile => Built::Classifier(Box::new(classifier(Architecture::Mobile, device)), [64, 1, 28, 28]),
            Self::UNet => Built::UNet(Box::new(UNet::<4>::init(4, 16, device)), [8, 1, 128, 128]),
            Self::UNet3d => Built::UNet3d(Box::new(UNet::<5>::init(3, 16, device)), [2, 1, 32, 48, 32]),
            Self::DnCnn => Built::DnCnn(Box::new(DnCnn::init(17, 64, device)), [16, 1, 64, 64]),
        }
    }
}
