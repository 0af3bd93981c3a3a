//! The denoiser that answers the noise: plain convolutions, as many as the noise needs to be told from the image.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_core::Watch;
use kd_kernels::nn::Conv2d;

use super::layer::{ConvLayer, ConvShape};
use super::spec::Norm;
use super::walk::Walk;

/// What a DnCNN is made of, resolved from a spec.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DnCnnPlan {
    pub(crate) channels: usize,
    pub(crate) width: usize,
    /// Convolutions, the first and the last among them.
    pub(crate) layers: usize,
    pub(crate) norm: Norm,
}

impl DnCnnPlan {
    fn ends(self) -> [ConvShape; 2] {
        [ConvShape::new([self.channels, self.width], 3), ConvShape::new([self.width, self.channels], 3)]
    }

    fn middle(self) -> impl Iterator<Item = [usize; 2]> {
        (2..self.layers).map(move |_| [self.width; 2])
    }

    /// Pixels that an answer sees around it.
    pub(crate) fn reach(self) -> usize {
        self.layers
    }

    pub(crate) fn init(self, device: &Device) -> DnCnn {
        let [first, residual] = self.ends().map(|shape| shape.init(device));
        DnCnn {
            first,
            layers: self.middle().map(|shape| ConvLayer::init(shape, self.norm, device)).collect(),
            residual,
        }
    }

    pub(crate) fn walk(self, walk: &mut Walk) {
        let [first, residual] = self.ends();
        walk.conv(first);
        self.middle().for_each(|shape| ConvLayer::walk(shape, self.norm, walk));
        walk.conv(residual);
    }
}

/// 3×3 convolutions with ReLU, batch norm in all but the first and the last; the answer is the input plus their output.
///
/// # Shapes
/// `[batch, channel, height, width]` to the same.
///
/// # Source
/// Zhang et al. (2017), "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising", section III-A;
/// 17 layers of 64 channels for one level of noise, 20 for any.
///
/// # Deviations
/// The paper subtracts the output and trains it to be the noise; here it is added and the sum is compared with the
/// truth, the same loss with another sign of the last layer. Batch norm can be left out. A bias stands where no norm
/// follows.
#[derive(Module, Debug)]
pub struct DnCnn {
    /// The first convolution.
    pub first: Conv2d,
    /// Those between.
    pub layers: Vec<ConvLayer>,
    /// The last one, which answers what is added to the input.
    pub residual: Conv2d,
}

impl DnCnn {
    pub(crate) fn forward(&self, images: Tensor<4>, watch: &mut Watch<4>) -> Tensor<4> {
        let mut features = self.first.forward_relu(images.clone());
        watch.see("first", &features);
        for (place, layer) in self.layers.iter().enumerate() {
            features = layer.forward(features);
            watch.see(format_args!("layer{}", place + 1), &features);
        }
        images + self.residual.forward(features)
    }
}
