//! What is normalised together.

/// Which numbers share a mean and a variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistics {
    /// A channel over the whole batch: batch norm.
    Batch,
    /// A group of channels of one sample, this many groups: group norm; as many groups as channels: instance norm.
    Groups(usize),
}

/// What follows a norm in the same pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// Nothing.
    None,
    /// Negative numbers become 0.
    Relu,
    /// Negative numbers are multiplied by this slope.
    LeakyRelu(f32),
}

/// Why nothing can be normalised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NormError {
    /// A size of 0.
    #[error("norm has {what} 0, expected at least 1")]
    Zero {
        /// Which size.
        what: &'static str,
    },
    /// Groups that do not divide the channels.
    #[error("norm has {channels} channels in {groups} groups, expected a multiple")]
    Groups {
        /// Channels given.
        channels: usize,
        /// Groups given.
        groups: usize,
    },
    /// More numbers than can be counted.
    #[error("norm has sizes whose product overflows")]
    TooLarge,
    /// An operand of another length.
    #[error("{what} holds {found} numbers, expected {expected}")]
    Length {
        /// Which operand.
        what: &'static str,
        /// Numbers that the shape asks for.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
}

/// Sizes of a norm: `[batch, channel, points]`, with all axes behind the channel in `points`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NormShape {
    /// Samples.
    pub batch: usize,
    /// Channels.
    pub channels: usize,
    /// Points of one channel of one sample.
    pub points: usize,
    /// Which numbers are normalised together.
    pub statistics: Statistics,
}

impl NormShape {
    /// Checks the sizes and the lengths of the operands; `per_channel` are names and lengths of those of one number a
    /// channel.
    pub(super) fn check(&self, input: usize, per_channel: &[(&'static str, usize)]) -> Result<(), NormError> {
        for (what, size) in [("samples", self.batch), ("channels", self.channels), ("points", self.points)] {
            if size == 0 {
                return Err(NormError::Zero { what });
            }
        }
        if let Statistics::Groups(groups) = self.statistics {
            if groups == 0 {
                return Err(NormError::Zero { what: "groups" });
            }
            if !self.channels.is_multiple_of(groups) {
                return Err(NormError::Groups { channels: self.channels, groups });
            }
        }
        let expected = self.batch.checked_mul(self.channels).and_then(|product| product.checked_mul(self.points));
        let expected = expected.ok_or(NormError::TooLarge)?;
        if input != expected {
            return Err(NormError::Length { what: "input", expected, found: input });
        }
        for &(what, found) in per_channel {
            if found != self.channels {
                return Err(NormError::Length { what, expected: self.channels, found });
            }
        }
        Ok(())
    }

    /// Means and variances that there are.
    #[must_use]
    pub const fn units(&self) -> usize {
        match self.statistics {
            Statistics::Batch => self.channels,
            Statistics::Groups(groups) => self.batch * groups,
        }
    }

    /// Numbers of one unit.
    pub(super) const fn unit_len(&self) -> usize {
        self.batch * self.channels * self.points / self.units()
    }

    /// Where the stretches of a unit begin, each the points of one channel of one sample, and their channels.
    #[inline(always)]
    pub(super) fn stretches(&self, unit: usize) -> impl ExactSizeIterator<Item = (usize, usize)> + use<> {
        let Self { batch, channels, points, statistics } = *self;
        let (first, step, count) = match statistics {
            Statistics::Batch => (unit, channels, batch),
            Statistics::Groups(groups) => (unit * (channels / groups), 1, channels / groups),
        };
        (0..count).map(move |index| {
            let row = first + index * step;
            (row * points, row % channels)
        })
    }
}
