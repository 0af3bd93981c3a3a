//! The encoder and decoder without pooling that still leads on low-dose CT.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_core::Watch;
use kd_kernels::nn::{Conv2d, add_relu};

use super::layer::ConvShape;
use super::walk::Walk;

const KERNEL: usize = 5;

/// What a RED-CNN is made of, resolved from a spec.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RedCnnPlan {
    pub(crate) channels: usize,
    pub(crate) width: usize,
    /// Convolutions of the encoder, and of the decoder.
    pub(crate) depth: usize,
}

impl RedCnnPlan {
    fn encoder(self) -> impl Iterator<Item = ConvShape> {
        (0..self.depth)
            .map(move |layer| ConvShape::new([if layer == 0 { self.channels } else { self.width }, self.width], KERNEL))
    }

    /// All but the last convolution of the decoder.
    fn decoder(self) -> impl Iterator<Item = ConvShape> {
        (1..self.depth).map(move |_| ConvShape::new([self.width; 2], KERNEL))
    }

    fn residual(self) -> ConvShape {
        ConvShape::new([self.width, self.channels], KERNEL)
    }

    /// Pixels that an answer sees around it.
    pub(crate) fn reach(self) -> usize {
        2 * self.depth * (KERNEL / 2)
    }

    pub(crate) fn init(self, device: &Device) -> RedCnn {
        RedCnn {
            encoder: self.encoder().map(|shape| shape.init(device)).collect(),
            decoder: self.decoder().map(|shape| shape.init(device)).collect(),
            residual: self.residual().init(device),
        }
    }

    pub(crate) fn walk(self, walk: &mut Walk) {
        self.encoder().chain(self.decoder()).for_each(|shape| walk.conv(shape));
        walk.conv(self.residual());
    }
}

/// 5×5 convolutions there and back at full resolution, with a shortcut from the input and from every second layer of the
/// encoder to the layer of the decoder that mirrors it.
///
/// # Shapes
/// `[batch, channel, height, width]` to the same.
///
/// # Source
/// Chen et al. (2017), "Low-Dose CT With a Residual Encoder-Decoder Convolutional Neural Network", section II-B; 5
/// layers on each side, 96 channels.
///
/// # Deviations
/// The paper's convolutions lose 2 pixels on each side and its transposed ones (of stride 1) bring them back; here all
/// are plain convolutions with zeros around them, which is the same away from the border. No ReLU after the last sum:
/// answers are raw intensities, which may be negative.
#[derive(Module, Debug)]
pub struct RedCnn {
    /// Convolutions from the image inwards.
    pub encoder: Vec<Conv2d>,
    /// Convolutions back, all but the last.
    pub decoder: Vec<Conv2d>,
    /// The last one, which answers what is added to the input.
    pub residual: Conv2d,
}

impl RedCnn {
    pub(crate) fn forward(&self, images: Tensor<4>, watch: &mut Watch<4>) -> Tensor<4> {
        let mut shortcuts = Vec::new();
        let mut features = images.clone();
        for (index, layer) in self.encoder.iter().enumerate() {
            features = layer.forward_relu(features);
            let level = index + 1;
            watch.see(format_args!("encoder{level}"), &features);
            if level.is_multiple_of(2) && level < self.encoder.len() {
                shortcuts.push(features.clone());
            }
        }
        for (index, layer) in self.decoder.iter().enumerate() {
            let level = self.encoder.len() - 1 - index;
            features = match level.is_multiple_of(2).then(|| shortcuts.pop()).flatten() {
                Some(shortcut) => add_relu(layer.forward(features), shortcut),
                None => layer.forward_relu(features),
            };
            watch.see(format_args!("decoder{}", index + 1), &features);
        }
        images + self.residual.forward(features)
    }
}
