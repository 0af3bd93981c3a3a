//! Super-resolution: the work is done on the coarse grid, and the fine one is made at the end.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_core::Watch;
use kd_kernels::Upsampling;
use kd_kernels::nn::{Conv2d, upsample};

use super::layer::ConvShape;
use super::walk::Walk;

/// What an EDSR is made of, resolved from a spec.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EdsrPlan {
    pub(crate) channels: usize,
    pub(crate) width: usize,
    /// Residual blocks.
    pub(crate) blocks: usize,
    /// Doublings of both axes.
    pub(crate) doublings: usize,
    pub(crate) residual_scale: f64,
}

impl EdsrPlan {
    fn inner(self) -> ConvShape {
        ConvShape::new([self.width; 2], 3)
    }

    fn head(self) -> ConvShape {
        ConvShape::new([self.channels, self.width], 3)
    }

    fn expansion(self) -> ConvShape {
        ConvShape::new([self.width, 4 * self.width], 3)
    }

    fn residual(self) -> ConvShape {
        ConvShape::new([self.width, self.channels], 3)
    }

    /// Pixels of the input that an answer sees around it: head, blocks, the end of the body, then the convolutions on
    /// finer grids, which together see less than 2 coarse pixels.
    pub(crate) fn reach(self) -> usize {
        2 * self.blocks + 4
    }

    pub(crate) fn init(self, device: &Device) -> Edsr {
        let block = |_| EdsrBlock { conv1: self.inner().init(device), conv2: self.inner().init(device) };
        Edsr {
            head: self.head().init(device),
            blocks: (0..self.blocks).map(block).collect(),
            tail: self.inner().init(device),
            expansions: (0..self.doublings).map(|_| self.expansion().init(device)).collect(),
            residual: self.residual().init(device),
            residual_scale: self.residual_scale,
        }
    }

    pub(crate) fn walk(self, walk: &mut Walk) {
        walk.conv(self.head());
        (0..=2 * self.blocks).for_each(|_| walk.conv(self.inner()));
        for _ in 0..self.doublings {
            walk.conv(self.expansion());
            walk.reshape(self.width, walk.size.map(|side| 2 * side));
        }
        walk.conv(self.residual());
    }
}

/// Residual blocks without norm on the input's grid, then for each doubling a convolution to four times the channels and
/// a pixel shuffle; the answer is the interpolated input plus what the last convolution says.
///
/// # Shapes
/// `[batch, channel, height, width]` to `[batch, channel, factor · height, factor · width]`. Both cover the same field
/// of view: a coarse pixel lies over the middle of its fine ones.
///
/// # Source
/// Lim et al. (2017), "Enhanced Deep Residual Networks for Single Image Super-Resolution", section 3 (residual scaling
/// .1 where there are 256 channels); the shuffle: Shi et al. (2016), "Real-Time Single Image and Video Super-Resolution
/// Using an Efficient Sub-Pixel Convolutional Neural Network", equation 4.
///
/// # Deviations
/// The input is interpolated linearly (by doublings, half-pixel centres, border repeated) and added, so that an
/// untrained network answers the interpolated image; the paper's network answers the fine image itself. No mean colour
/// is taken off: images come prepared.
#[derive(Module, Debug)]
pub struct Edsr {
    /// The first convolution.
    pub head: Conv2d,
    /// Residual blocks.
    pub blocks: Vec<EdsrBlock>,
    /// The convolution after them, before the sum with the first one's output.
    pub tail: Conv2d,
    /// One convolution for each doubling, to four times the channels.
    pub expansions: Vec<Conv2d>,
    /// The last one, which answers what is added to the interpolated input.
    pub residual: Conv2d,
    /// Factor on what a block adds.
    pub residual_scale: f64,
}

/// Two convolutions with a ReLU between them, whose scaled output is added to their input.
#[derive(Module, Debug)]
pub struct EdsrBlock {
    /// The first.
    pub conv1: Conv2d,
    /// The second.
    pub conv2: Conv2d,
}

impl Edsr {
    pub(crate) fn forward(&self, images: Tensor<4>, watch: &mut Watch<4>) -> Tensor<4> {
        let first = self.head.forward(images.clone());
        let mut body = first.clone();
        for (place, block) in self.blocks.iter().enumerate() {
            let added = block.conv2.forward(block.conv1.forward_relu(body.clone()));
            body = body + added.mul_scalar(self.residual_scale);
            watch.see(format_args!("block{}", place + 1), &body);
        }
        let mut features = first + self.tail.forward(body);
        watch.see("body", &features);
        let mut interpolated = images;
        for expansion in &self.expansions {
            features = pixel_shuffle(expansion.forward(features));
            interpolated = upsample(interpolated, Upsampling::Linear);
        }
        interpolated + self.residual.forward(features)
    }
}

/// Four channels to the four pixels of a 2×2 block, row by row.
fn pixel_shuffle(input: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = input.dims();
    let blocks: Tensor<6> = input.reshape([batch, channels / 4, 2, 2, height, width]);
    blocks.permute([0, 1, 4, 2, 5, 3]).reshape([batch, channels / 4, 2 * height, 2 * width])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_channels_fill_each_block_row_by_row() {
        let input =
            Tensor::<4>::from_floats([[[[0.0, 4.0]], [[1.0, 5.0]], [[2.0, 6.0]], [[3.0, 7.0]]]], &Device::flex());
        let shuffled: Vec<f32> = pixel_shuffle(input).into_data().try_into_vec().unwrap();
        assert_eq!(shuffled, [0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]);
    }
}
