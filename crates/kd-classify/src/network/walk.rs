//! A walk over a network's shapes: it counts parameters and multiply-adds, and it notices where an image runs out.

use super::layer::ConvShape;

/// The shape between two layers, and what the layers up to here cost.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    channels: usize,
    size: [usize; 2],
    /// Trained values.
    pub(crate) parameters: u64,
    /// Running statistics.
    pub(crate) statistics: u64,
    /// Multiply-adds of convolutions and linear layers.
    pub(crate) multiply_adds: u64,
    /// Whether some layer had no output pixel.
    pub(crate) ran_out: bool,
}

impl Walk {
    pub(crate) fn new(channels: usize, size: [usize; 2]) -> Self {
        let ran_out = size.contains(&0);
        Self { channels, size, parameters: 0, statistics: 0, multiply_adds: 0, ran_out }
    }

    /// The shape here, to come back to for a second branch.
    pub(crate) fn shape(&self) -> (usize, [usize; 2]) {
        (self.channels, self.size)
    }

    pub(crate) fn return_to(&mut self, (channels, size): (usize, [usize; 2])) {
        self.channels = channels;
        self.size = size;
    }

    pub(crate) fn conv(&mut self, shape: ConvShape) {
        let [input, output] = shape.channels;
        debug_assert_eq!(input, self.channels, "the walk left the network");
        self.window(shape.kernel, shape.stride, shape.kernel / 2);
        let weights = wide(output * (input / shape.groups) * shape.kernel * shape.kernel);
        self.parameters += weights + if shape.bias { wide(output) } else { 0 };
        self.multiply_adds += weights * wide(self.size[0] * self.size[1]);
        self.channels = output;
    }

    pub(crate) fn norm(&mut self) {
        self.parameters += 2 * wide(self.channels);
        self.statistics += 2 * wide(self.channels);
    }

    pub(crate) fn max_pool(&mut self, kernel: usize, stride: usize, padding: usize) {
        self.window(kernel, stride, padding);
    }

    /// Average to a fixed size, which any non-empty image fills.
    pub(crate) fn adaptive_average(&mut self, size: [usize; 2]) {
        self.size = size;
    }

    /// A linear layer over everything that is left, so that the next one sees a single pixel.
    pub(crate) fn linear(&mut self, output: usize) {
        let weights = wide(self.channels * self.size[0] * self.size[1] * output);
        self.parameters += weights + wide(output);
        self.multiply_adds += weights;
        self.channels = output;
        self.size = [1, 1];
    }

    fn window(&mut self, kernel: usize, stride: usize, padding: usize) {
        self.size = self.size.map(|side| {
            let padded = side + 2 * padding;
            if side == 0 || padded < kernel { 0 } else { (padded - kernel) / stride + 1 }
        });
        self.ran_out |= self.size.contains(&0);
    }
}

fn wide(count: usize) -> u64 {
    count as u64
}
