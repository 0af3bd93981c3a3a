//! VGG-16, with and without batch norm: the plain stack of 3×3 convolutions.

use burn::module::Module;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use kd_core::Watch;
use kd_kernels::Activation;
use kd_kernels::nn::{BatchNorm, Conv2d, conv_norm};

use super::layer::ConvShape;
use super::spec::Stem;
use super::walk::Walk;

/// Convolutions and width factor of each stage (configuration D of the paper).
const STAGES: [(usize, usize); 5] = [(2, 1), (2, 2), (3, 4), (3, 8), (3, 8)];

/// Width of the hidden head layers for each channel of the first stage: 4096 at 64.
const HIDDEN_PER_WIDTH: usize = 64;

/// What a VGG-16 is made of, resolved from a spec.
#[derive(Debug, Clone)]
pub(crate) struct VggPlan {
    pub(crate) stem: Stem,
    pub(crate) in_channels: usize,
    pub(crate) width: usize,
    pub(crate) batch_norm: bool,
    pub(crate) outputs: usize,
}

impl VggPlan {
    /// The convolutions, stage by stage. Without a norm they have a bias; torchvision keeps it with the norm too.
    fn stages(&self) -> Vec<Vec<ConvShape>> {
        let mut input = self.in_channels;
        let mut stage = |(convs, factor): (usize, usize)| {
            let output = self.width * factor;
            let shapes = (0..convs).map(|_| {
                let shape = ConvShape::new([input, output], 3, 1).with_bias(true);
                input = output;
                shape
            });
            shapes.collect()
        };
        STAGES.map(&mut stage).into()
    }

    /// Side of the image that the head sees, and the sizes of its layers.
    fn head(&self) -> (usize, Vec<usize>) {
        let hidden = self.width * HIDDEN_PER_WIDTH;
        match self.stem {
            Stem::Small => (1, vec![self.outputs]),
            Stem::ImageNet => (7, vec![hidden, hidden, self.outputs]),
        }
    }

    fn has_pool(&self, stage: usize) -> bool {
        stage + 1 < STAGES.len() || self.stem == Stem::ImageNet
    }

    pub(crate) fn init(&self, device: &Device) -> Vgg {
        let unit = |shape: ConvShape| ConvUnit {
            conv: shape.init(device),
            bn: self.batch_norm.then(|| BatchNorm::init(shape.channels[1], device)),
        };
        let (side, sizes) = self.head();
        let mut input = self.width * STAGES[STAGES.len() - 1].1 * side * side;
        let mut linears: Vec<Linear> = Vec::with_capacity(sizes.len());
        for output in sizes {
            linears.push(LinearConfig::new(input, output).init(device));
            input = output;
        }
        let output = linears.pop().expect("a head has an output layer");
        Vgg {
            features: self.stages().into_iter().flatten().map(unit).collect(),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            last_pool: self.has_pool(STAGES.len() - 1),
            side,
            classifier: VggClassifier { hidden: linears, output },
        }
    }

    pub(crate) fn walk(&self, walk: &mut Walk) {
        for (stage, shapes) in self.stages().into_iter().enumerate() {
            for shape in shapes {
                walk.conv(shape);
                if self.batch_norm {
                    walk.norm();
                }
            }
            if self.has_pool(stage) {
                walk.max_pool(2, 2, 0);
            }
        }
        let (side, sizes) = self.head();
        walk.adaptive_average([side, side]);
        for size in sizes {
            walk.linear(size);
        }
    }
}

/// VGG-16, configuration D.
///
/// # Shapes
/// `[batch, channel, height, width]` to logits `[batch, output]`.
///
/// # Policy
/// With `stem = "imagenet"` it has torchvision's head: average to 7×7, two hidden layers of 64 times the width (4096),
/// output. With `stem = "small"` the last max pool and the hidden layers are left out, so that images from 16 pixels
/// on have an output and the head does not hold nine tenths of the parameters.
///
/// # Source
/// Simonyan and Zisserman (2015), "Very Deep Convolutional Networks for Large-Scale Image Recognition", table 1.
///
/// # Deviations
/// No dropout in the head: its masks would have to come from the trainer's own random stream. Answers in evaluation
/// are the same.
#[derive(Module, Debug)]
pub struct Vgg {
    /// The 13 convolutions in order.
    pub features: Vec<ConvUnit>,
    /// 2×2, between the stages.
    pub pool: MaxPool2d,
    /// Whether the last stage is pooled too.
    pub last_pool: bool,
    /// Side of the averaged image that the head sees.
    pub side: usize,
    /// The head.
    pub classifier: VggClassifier,
}

impl Vgg {
    pub(crate) fn forward(&self, images: Tensor<4>, watch: &mut Watch<4>) -> Tensor<2> {
        let mut features = images;
        let mut units = self.features.iter();
        for (stage, (convs, _)) in STAGES.into_iter().enumerate() {
            features = units.by_ref().take(convs).fold(features, |features, unit| unit.forward(features));
            watch.see(format_args!("stage{}", stage + 1), &features);
            if stage + 1 < STAGES.len() || self.last_pool {
                features = self.pool.forward(features);
            }
        }
        self.classifier.forward(adaptive_avg_pool2d(features, [self.side; 2]).flatten(1, 3))
    }
}

/// A convolution with its norm, if the network has norms, and ReLU.
#[derive(Module, Debug)]
pub struct ConvUnit {
    /// The convolution, with bias.
    pub conv: Conv2d,
    /// The norm of VGG-16-BN.
    pub bn: Option<BatchNorm>,
}

impl ConvUnit {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        match &self.bn {
            Some(bn) => conv_norm(&self.conv, bn, input, Activation::Relu),
            None => self.conv.forward_relu(input),
        }
    }
}

/// The linear layers of a VGG, ReLU between them.
#[derive(Module, Debug)]
pub struct VggClassifier {
    /// Hidden layers: two with the ImageNet stem, none with the small one.
    pub hidden: Vec<Linear>,
    /// The output layer.
    pub output: Linear,
}

impl VggClassifier {
    fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        let features = self.hidden.iter().fold(features, |features, layer| relu(layer.forward(features)));
        self.output.forward(features)
    }
}

/// Index of convolution number `unit` in torchvision's `features`, which counts norms, ReLUs and pools too.
pub(crate) fn torchvision_index(unit: usize, batch_norm: bool) -> Option<usize> {
    let layers_per_unit = if batch_norm { 3 } else { 2 };
    let mut first = 0;
    for (pools, (convs, _)) in STAGES.into_iter().enumerate() {
        if unit < first + convs {
            return Some(unit * layers_per_unit + pools);
        }
        first += convs;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convolutions_stand_where_torchvision_has_them() {
        let plain: Vec<_> = (0..13).filter_map(|unit| torchvision_index(unit, false)).collect();
        assert_eq!(plain, [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]);
        let normed: Vec<_> = (0..13).filter_map(|unit| torchvision_index(unit, true)).collect();
        assert_eq!(normed, [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40]);
        assert_eq!(torchvision_index(13, false), None);
    }
}
