//! One module type over all architectures, so that nothing above has to be generic over the network.

use burn::module::Module;
use burn::tensor::Tensor;
use kd_core::{Network, Watch};

use super::dncnn::DnCnn;
use super::edsr::Edsr;
use super::red_cnn::RedCnn;
use super::unet::UNet;

/// A restoration network of any architecture.
///
/// The path of a parameter begins with the variant: `DnCnn.layers.0.conv.weight`.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_enhance::NetworkDesign;
/// let device = Device::flex();
/// let text = "architecture = 'edsr'\nwidth = 4\nblocks = 1\nfactor = 2\nresidual_scale = 1.0";
/// let spec = toml::from_str::<NetworkDesign>(text)?.spec(1)?;
/// spec.check_input([9, 7])?;
/// let network = kd_core::initialize(spec.init(&device), 0);
/// // Before it has learned anything a network answers its input, here interpolated.
/// let answer = network.forward(Tensor::full([2, 1, 9, 7], 0.5, &device));
/// assert_eq!(answer.dims(), [2, 1, 18, 14]);
/// assert_eq!(answer.max().into_scalar::<f32>(), 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a run holds a few of them, never an array")]
pub enum Restorer {
    /// Plain convolutions.
    DnCnn(DnCnn),
    /// Encoder and decoder at full resolution.
    RedCnn(RedCnn),
    /// The small U-Net.
    UNet(UNet),
    /// Super-resolution.
    Edsr(Edsr),
}

impl Restorer {
    /// Restored images of a batch, raw intensities.
    ///
    /// # Shapes
    /// `[batch, channel, height, width]` to `[batch, channel, factor · height, factor · width]`; the factor is 1 for all
    /// but EDSR.
    ///
    /// # Panics
    /// On another number of channels than the network's, and on images without pixels.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        self.forward_watched(images, &mut Watch::nothing())
    }

    /// Restores a batch and shows the features at the taps: `first`, `layer1` and on of DnCNN, `encoder1` and on and
    /// `decoder1` and on of RED-CNN, `down0` and on and `up0` at full size of the U-Net, `block1` and on and `body` of EDSR.
    pub fn forward_watched(&self, images: Tensor<4>, watch: &mut Watch<4>) -> Tensor<4> {
        match self {
            Self::DnCnn(network) => network.forward(images, watch),
            Self::RedCnn(network) => network.forward(images, watch),
            Self::UNet(network) => network.forward(images, watch),
            Self::Edsr(network) => network.forward(images, watch),
        }
    }
}

impl Network<4, 4> for Restorer {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        Self::forward(self, input)
    }

    fn forward_watched(&self, input: Tensor<4>, watch: &mut Watch<4>) -> Tensor<4> {
        Self::forward_watched(self, input, watch)
    }
}
