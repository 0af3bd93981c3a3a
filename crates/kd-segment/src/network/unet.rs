//! The U-Net: two layers a level, max pooling down, nearest upsampling and concatenation up, a 1×1 head.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_core::{Network, Watch};
use kd_kernels::extension::Window;
use kd_kernels::nn::{BatchNorm, Conv, ConvConfig, InstanceNorm, add_relu, concatenate, conv_norm, max_pool, upsample};
use kd_kernels::{Activation, Upsampling};

use super::design::{Block, NetworkSpec, Norm};

/// Slope of the leaky ReLU behind instance norms.
const SLOPE: f32 = 0.01;

/// A convolution with its norm.
#[derive(Module, Debug)]
pub struct Layer<const RANK: usize> {
    conv: Conv<RANK>,
    batch: Option<BatchNorm>,
    instance: Option<InstanceNorm>,
}

impl<const RANK: usize> Layer<RANK> {
    fn new(conv: Conv<RANK>, channels: usize, norm: Norm, device: &Device) -> Self {
        Self {
            conv,
            batch: (norm == Norm::Batch).then(|| BatchNorm::init(channels, device)),
            instance: (norm == Norm::Instance).then(|| InstanceNorm::init(channels, device)),
        }
    }

    fn forward(&self, input: Tensor<RANK>, is_active: bool) -> Tensor<RANK> {
        match (&self.batch, &self.instance) {
            (Some(norm), _) => {
                let activation = if is_active { Activation::Relu } else { Activation::None };
                conv_norm(&self.conv, norm, input, activation)
            }
            (None, Some(norm)) => {
                let activation = if is_active { Activation::LeakyRelu(SLOPE) } else { Activation::None };
                norm.forward_with(self.conv.forward(input), activation)
            }
            (None, None) => self.conv.forward(input),
        }
    }
}

/// What stands at one level.
#[derive(Module, Debug)]
pub struct ConvBlock<const RANK: usize> {
    /// Two layers, or two pairs of a depthwise layer and a 1×1 one.
    layers: Vec<Layer<RANK>>,
    /// Of a residual block whose channels change.
    shortcut: Option<Layer<RANK>>,
    is_residual: bool,
    is_depthwise: bool,
}

impl<const RANK: usize> ConvBlock<RANK> {
    fn forward(&self, input: Tensor<RANK>) -> Tensor<RANK> {
        let last = self.layers.len() - 1;
        let mut features = input.clone();
        for (place, layer) in self.layers.iter().enumerate() {
            // A depthwise layer is followed by its 1×1 one without an activation between them.
            let is_active = if self.is_depthwise { place % 2 == 1 } else { !(self.is_residual && place == last) };
            features = layer.forward(features, is_active);
        }
        if !self.is_residual {
            return features;
        }
        let input = match &self.shortcut {
            Some(shortcut) => shortcut.forward(input, false),
            None => input,
        };
        add_relu(features, input)
    }
}

/// A U-Net on batches of rank `RANK`: raw answers at the resolution of the input.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::Network;
/// use kd_segment::{Block, NetworkDesign, Norm};
/// let device = Device::flex();
/// let spec = NetworkDesign::new(4, 2, Block::Residual, Norm::Instance).spec::<3>(1, 3)?;
/// spec.check_input([8, 12, 4])?;
/// let network = kd_core::initialize(spec.init(&device), 0);
/// let logits = network.forward(Tensor::ones([2, 1, 8, 12, 4], &device));
/// assert_eq!(logits.dims(), [2, 3, 8, 12, 4]);
/// # Ok::<(), kd_segment::NetworkError>(())
/// ```
#[derive(Module, Debug)]
pub struct UNet<const RANK: usize> {
    down: Vec<ConvBlock<RANK>>,
    up: Vec<ConvBlock<RANK>>,
    head: Conv<RANK>,
}

macro_rules! init {
    ($axes:literal, $rank:literal) => {
        impl NetworkSpec<$axes> {
            /// The network, with Burn's default numbers.
            #[must_use]
            pub fn init(&self, device: &Device) -> UNet<$rank> {
                let design = self.design();
                let layer = |channels: [usize; 2], kernel: usize, groups: usize| {
                    let conv = ConvConfig::<$axes> { groups, ..ConvConfig::same(channels, kernel) }.init(device);
                    Layer::new(conv, channels[1], design.norm, device)
                };
                let block = |[input, output]: [usize; 2]| {
                    let is_residual = design.block == Block::Residual;
                    let layers = match design.block {
                        Block::Depthwise => vec![
                            layer([input, input], 3, input),
                            layer([input, output], 1, 1),
                            layer([output, output], 3, output),
                            layer([output, output], 1, 1),
                        ],
                        Block::Plain | Block::Residual => {
                            vec![layer([input, output], 3, 1), layer([output, output], 3, 1)]
                        }
                    };
                    ConvBlock {
                        layers,
                        shortcut: (is_residual && input != output).then(|| layer([input, output], 1, 1)),
                        is_residual,
                        is_depthwise: design.block == Block::Depthwise,
                    }
                };
                let above = |level: usize| if level == 0 { self.channels() } else { self.width(level - 1) };
                let head = ConvConfig::<$axes> { bias: true, ..ConvConfig::same([self.width(0), self.outputs()], 1) };
                UNet {
                    down: (0..=design.depth).map(|level| block([above(level), self.width(level)])).collect(),
                    up: (0..design.depth)
                        .rev()
                        .map(|level| block([self.width(level) + self.width(level + 1), self.width(level)]))
                        .collect(),
                    head: head.init(device),
                }
            }
        }
    };
}

init!(2, 4);
init!(3, 5);

impl<const RANK: usize> Network<RANK, RANK> for UNet<RANK> {
    fn forward(&self, input: Tensor<RANK>) -> Tensor<RANK> {
        self.forward_watched(input, &mut Watch::nothing())
    }

    /// Taps: `down0` (full size) to the deepest level, then `up` back to `up0`.
    fn forward_watched(&self, input: Tensor<RANK>, watch: &mut Watch<RANK>) -> Tensor<RANK> {
        let halves = Window { kernel: [2; 3], stride: [2; 3], padding: [0; 3] };
        let mut skips = Vec::new();
        let mut features = input;
        for (level, block) in self.down.iter().enumerate() {
            if level > 0 {
                features = max_pool(features, halves);
            }
            features = block.forward(features);
            watch.see(format_args!("down{level}"), &features);
            skips.push(features.clone());
        }
        // The deepest level has nobody to skip to.
        skips.pop();
        let levels = (0..self.up.len()).rev();
        for ((block, skip), level) in self.up.iter().zip(skips.into_iter().rev()).zip(levels) {
            features = block.forward(concatenate(skip, upsample(features, Upsampling::Nearest)));
            watch.see(format_args!("up{level}"), &features);
        }
        self.head.forward(features)
    }
}
