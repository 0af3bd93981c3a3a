//! What a U-Net is made of, checked before anything is built, and what it costs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The only architecture there is; named, so that a recipe says what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Architecture {
    UNet,
}

/// What stands at each level, twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// Convolution, norm, activation.
    Plain,
    /// The same with the level's input added before the last activation, through a 1×1 convolution where channels differ.
    Residual,
    /// A depthwise convolution and a 1×1 one, each with norm, the second with activation: an eighth of the arithmetic.
    Depthwise,
}

/// What normalises a layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// Over the batch, ReLU after it; running statistics in evaluation.
    Batch,
    /// Over each sample by itself, leaky ReLU of slope 0.01 after it: for batches of two or three volumes.
    Instance,
}

/// A U-Net as a recipe writes it: `{ architecture = "u-net", width = 16, depth = 3, block = "plain", norm = "batch" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDesign {
    architecture: Architecture,
    /// Channels of the first level; each level below has twice as many, up to `widest`.
    pub width: usize,
    /// Levels below the first: the image is halved as often.
    pub depth: usize,
    /// What stands at each level.
    pub block: Block,
    /// What normalises.
    pub norm: Norm,
    /// The most channels of a level; absent for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widest: Option<usize>,
}

/// Why a network cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// A number out of range.
    #[error("U-Net {what} is {found}, expected {expected}")]
    Range {
        /// Which number.
        what: &'static str,
        /// What was given.
        found: usize,
        /// What would do.
        expected: &'static str,
    },
    /// An image that cannot be halved as often as the network does.
    #[error(
        "axis {axis} has {found} points, expected a multiple of {multiple} for a U-Net of depth {depth}\nhint: pad to {padded}, or choose a smaller depth"
    )]
    Size {
        /// The axis, slowest first.
        axis: usize,
        /// Its points.
        found: usize,
        /// What they must be a multiple of.
        multiple: usize,
        /// The network's depth.
        depth: usize,
        /// The next number of points that would do.
        padded: usize,
    },
}

/// Size and work of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Trained values: weights, biases, scales and shifts.
    pub parameters: u64,
    /// Running means and variances, which are stored but not trained.
    pub statistics: u64,
    /// Multiply-adds of the convolutions for one image in evaluation, padding counted as if it were image.
    pub multiply_adds: u64,
}

/// A checked design with its channels, for images of `AXES` axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec<const AXES: usize> {
    design: NetworkDesign,
    channels: usize,
    outputs: usize,
}

impl NetworkDesign {
    /// A U-Net of plain blocks.
    #[must_use]
    pub fn new(width: usize, depth: usize, block: Block, norm: Norm) -> Self {
        Self { architecture: Architecture::UNet, width, depth, block, norm, widest: None }
    }

    /// Checks the design for images of `channels` and answers of `outputs` channels.
    ///
    /// # Errors
    /// [`NetworkError::Range`].
    pub fn spec<const AXES: usize>(self, channels: usize, outputs: usize) -> Result<NetworkSpec<AXES>, NetworkError> {
        let within = |what, found: usize, low: usize, high: usize, expected| {
            if (low..=high).contains(&found) { Ok(()) } else { Err(NetworkError::Range { what, found, expected }) }
        };
        within("width", self.width, 1, 512, "1 to 512")?;
        within("depth", self.depth, 1, 6, "1 to 6")?;
        within("widest", self.widest.unwrap_or(self.width), self.width, 4096, "at least the width, at most 4096")?;
        within("input channels", channels, 1, 64, "1 to 64")?;
        within("output channels", outputs, 1, 512, "1 to 512")?;
        Ok(NetworkSpec { design: self, channels, outputs })
    }
}

impl<const AXES: usize> NetworkSpec<AXES> {
    /// The design.
    #[must_use]
    pub fn design(&self) -> &NetworkDesign {
        &self.design
    }

    /// Channels of an image.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Channels of an answer.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Channels of a level, counted from the full resolution.
    pub(crate) fn width(&self, level: usize) -> usize {
        let wide = self.design.width << level;
        self.design.widest.map_or(wide, |widest| wide.min(widest))
    }

    /// Checks that images of this size can be halved as often as the network does.
    ///
    /// # Errors
    /// [`NetworkError::Size`] for the first axis that cannot.
    pub fn check_input(&self, size: [usize; AXES]) -> Result<(), NetworkError> {
        let multiple = 1 << self.design.depth;
        match size.iter().position(|&points| points == 0 || points % multiple != 0) {
            None => Ok(()),
            Some(axis) => Err(NetworkError::Size {
                axis,
                found: size[axis],
                multiple,
                depth: self.design.depth,
                padded: size[axis].max(1).next_multiple_of(multiple),
            }),
        }
    }

    /// Counts parameters, and multiply-adds for one image of `size`.
    ///
    /// # Policy
    /// One multiply-add is one multiplication with its addition. Norms, activations, pooling and upsampling are not counted.
    ///
    /// # Errors
    /// As [`check_input`](Self::check_input).
    ///
    /// # Example
    /// ```
    /// use kd_segment::{Block, NetworkDesign, Norm};
    /// let spec = NetworkDesign::new(2, 1, Block::Plain, Norm::Batch).spec::<2>(1, 2)?;
    /// // 18 + 36, 72 + 144, 108 + 36 weights; 2 · (2 + 2 + 4 + 4 + 2 + 2) of the norms; 2 · 2 + 2 of the head.
    /// assert_eq!(spec.cost([4, 4])?.parameters, 414 + 32 + 6);
    /// # Ok::<(), kd_segment::NetworkError>(())
    /// ```
    pub fn cost(&self, size: [usize; AXES]) -> Result<Cost, NetworkError> {
        self.check_input(size)?;
        let depth = self.design.depth;
        let points = |level: usize| size.iter().map(|&points| (points >> level) as u64).product::<u64>();
        let mut cost = Cost::default();
        for level in 0..=depth {
            let input = if level == 0 { self.channels } else { self.width(level - 1) };
            self.add_block(&mut cost, [input, self.width(level)], points(level));
        }
        for level in (0..depth).rev() {
            let input = self.width(level) + self.width(level + 1);
            self.add_block(&mut cost, [input, self.width(level)], points(level));
        }
        let head = (self.width(0) * self.outputs) as u64;
        cost.parameters += head + self.outputs as u64;
        cost.multiply_adds += head * points(0);
        Ok(cost)
    }

    fn add_block(&self, cost: &mut Cost, [input, output]: [usize; 2], points: u64) {
        let taps = 3u64.pow(AXES as u32);
        let mut conv = |weights: u64, channels: usize| {
            cost.parameters += weights + 2 * channels as u64;
            cost.multiply_adds += weights * points;
            if self.design.norm == Norm::Batch {
                cost.statistics += 2 * channels as u64;
            }
        };
        let (wide_in, wide_out) = (input as u64, output as u64);
        match self.design.block {
            Block::Depthwise => {
                conv(wide_in * taps, input);
                conv(wide_in * wide_out, output);
                conv(wide_out * taps, output);
                conv(wide_out * wide_out, output);
            }
            Block::Plain | Block::Residual => {
                conv(wide_in * wide_out * taps, output);
                conv(wide_out * wide_out * taps, output);
                if self.design.block == Block::Residual && input != output {
                    conv(wide_in * wide_out, output);
                }
            }
        }
    }
}

impl<const AXES: usize> fmt::Display for NetworkSpec<AXES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.design.block {
            Block::Plain => "",
            Block::Residual => "residual ",
            Block::Depthwise => "depthwise ",
        };
        write!(f, "{kind}U-Net {AXES}D, width {}, depth {}", self.design.width, self.design.depth)
    }
}
