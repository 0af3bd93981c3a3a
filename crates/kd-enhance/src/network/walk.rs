//! A walk over a network's shapes: it counts parameters and multiply-adds.

use super::layer::ConvShape;

/// The shape between two layers, and what the layers up to here cost.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    pub(crate) channels: usize,
    pub(crate) size: [usize; 2],
    /// Trained values.
    pub(crate) parameters: u64,
    /// Running statistics.
    pub(crate) statistics: u64,
    /// Multiply-adds of convolutions.
    pub(crate) multiply_adds: u64,
}

impl Walk {
    pub(crate) fn new(channels: usize, size: [usize; 2]) -> Self {
        Self { channels, size, parameters: 0, statistics: 0, multiply_adds: 0 }
    }

    /// A convolution that keeps the size.
    pub(crate) fn conv(&mut self, shape: ConvShape) {
        let [input, output] = shape.channels;
        debug_assert_eq!(input, self.channels, "the walk left the network");
        let weights = wide(output * input * shape.kernel * shape.kernel);
        self.parameters += weights + if shape.bias { wide(output) } else { 0 };
        self.multiply_adds += weights * wide(self.size[0] * self.size[1]);
        self.channels = output;
    }

    pub(crate) fn norm(&mut self) {
        self.parameters += 2 * wide(self.channels);
        self.statistics += 2 * wide(self.channels);
    }

    /// Another size and other channels without any work that counts: pooling, upsampling, concatenation, shuffling.
    pub(crate) fn reshape(&mut self, channels: usize, size: [usize; 2]) {
        self.channels = channels;
        self.size = size;
    }
}

fn wide(count: usize) -> u64 {
    count as u64
}
