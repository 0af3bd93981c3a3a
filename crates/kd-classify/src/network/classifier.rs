//! One module type over all architectures, so that nothing above has to be generic over the network.

use burn::module::Module;
use burn::tensor::Tensor;
use kd_core::Watch;

use super::mobile::Mobile;
use super::resnet::ResNet;
use super::vgg::Vgg;

/// A classification network of any architecture.
///
/// The path of a parameter begins with the variant: `ResNet.layer1.0.conv1.weight`.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_classify::{Architecture, NetworkDesign, Stem};
/// let device = Device::flex();
/// let mut design = NetworkDesign::new(Architecture::ThinResNet, Stem::Small);
/// design.width = Some(8);
/// design.blocks = Some(vec![1, 1]);
/// let spec = design.spec(1, 3)?;
/// spec.check_input([28, 28])?;
/// let logits = spec.init(&device).forward(Tensor::zeros([2, 1, 28, 28], &device));
/// assert_eq!(logits.dims(), [2, 3]);
/// # Ok::<(), kd_classify::NetworkError>(())
/// ```
#[derive(Module, Debug)]
pub enum Classifier {
    /// ResNet-18, -34, -50 and thin ones.
    ResNet(ResNet),
    /// VGG-16 with and without batch norm.
    Vgg(Vgg),
    /// The depthwise-separable network.
    Mobile(Mobile),
}

impl Classifier {
    /// Raw logits of a batch.
    ///
    /// # Shapes
    /// `[batch, channel, height, width]` to `[batch, output]`.
    ///
    /// # Panics
    /// On another number of channels than the network's, and on images that
    /// [`check_input`](super::NetworkSpec::check_input) refuses.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_watched(images, &mut Watch::nothing())
    }

    /// Answers a batch and shows the features at the taps: `stem`, `layer1` to `layer4` and `pooled` of residual networks,
    /// `stage1` to `stage5` of VGG, `stem`, `block1` and on and `pooled` of mobile ones.
    pub fn forward_watched(&self, images: Tensor<4>, watch: &mut Watch<4>) -> Tensor<2> {
        match self {
            Self::ResNet(network) => network.forward(images, watch),
            Self::Vgg(network) => network.forward(images, watch),
            Self::Mobile(network) => network.forward(images, watch),
        }
    }
}
