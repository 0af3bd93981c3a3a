//! The sizes of a convolution, checked before any arithmetic on them.

/// Why no convolution has these sizes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A size, stride or dilation of 0.
    #[error("convolution has {what} 0, expected at least 1")]
    Zero {
        /// Which size.
        what: &'static str,
    },
    /// Channels that do not divide.
    #[error("convolution has {channels} {what} in {groups} groups, expected a multiple")]
    Groups {
        /// Input or output channels.
        what: &'static str,
        /// Channels given.
        channels: usize,
        /// Groups given.
        groups: usize,
    },
    /// An input smaller than the kernel.
    #[error("convolution kernel reaches {reach} points on axis {axis}, expected at most {padded} (input with padding)")]
    Reach {
        /// The axis, slowest first.
        axis: usize,
        /// Points from the first to the last tap.
        reach: usize,
        /// Points of the input with its padding.
        padded: usize,
    },
    /// More numbers than an index can count.
    #[error("convolution of {what} has more numbers than can be indexed, expected below 2^32 a sample")]
    TooLarge {
        /// Which operand.
        what: &'static str,
    },
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

/// Sizes of a convolution over up to three axes, slowest first; a 2D one is written with [`ConvShape::flat`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Samples.
    pub batch: usize,
    /// Input and output channels.
    pub channels: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Points of the input along each axis.
    pub input: [usize; 3],
    /// Taps along each axis.
    pub kernel: [usize; 3],
    /// Input points from one output point to the next.
    pub stride: [usize; 3],
    /// Zeros before and after each axis.
    pub padding: [[usize; 2]; 3],
    /// Input points from one tap to the next.
    pub dilation: [usize; 3],
}

impl ConvShape {
    /// A 2D convolution: height, width. The height takes the slowest axis, along which work is split.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "one for each size")]
    pub const fn flat(
        batch: usize,
        channels: [usize; 2],
        groups: usize,
        input: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [[usize; 2]; 2],
        dilation: [usize; 2],
    ) -> Self {
        Self {
            batch,
            channels,
            groups,
            input: [input[0], 1, input[1]],
            kernel: [kernel[0], 1, kernel[1]],
            stride: [stride[0], 1, stride[1]],
            padding: [padding[0], [0, 0], padding[1]],
            dilation: [dilation[0], 1, dilation[1]],
        }
    }

    /// Checks the sizes and gives those of the output.
    ///
    /// # Errors
    /// Every variant of [`ShapeError`] but `Length`.
    pub fn output(&self) -> Result<[usize; 3], ShapeError> {
        let zero = |what, sizes: &[usize]| {
            if sizes.contains(&0) { Err(ShapeError::Zero { what }) } else { Ok(()) }
        };
        zero("batch size", &[self.batch])?;
        zero("channels", &self.channels)?;
        zero("groups", &[self.groups])?;
        zero("input points", &self.input)?;
        zero("kernel taps", &self.kernel)?;
        zero("stride", &self.stride)?;
        zero("dilation", &self.dilation)?;
        for (what, channels) in [("input channels", self.channels[0]), ("output channels", self.channels[1])] {
            if !channels.is_multiple_of(self.groups) {
                return Err(ShapeError::Groups { what, channels, groups: self.groups });
            }
        }
        let mut output = [0; 3];
        for (axis, points) in output.iter_mut().enumerate() {
            let [before, after] = self.padding[axis];
            let padded = self.input[axis].checked_add(before).and_then(|sum| sum.checked_add(after));
            let reach = (self.kernel[axis] - 1).checked_mul(self.dilation[axis]).and_then(|taps| taps.checked_add(1));
            let (Some(padded), Some(reach)) = (padded, reach) else {
                return Err(ShapeError::TooLarge { what: "the padded input" });
            };
            if reach > padded {
                return Err(ShapeError::Reach { axis, reach, padded });
            }
            *points = (padded - reach) / self.stride[axis] + 1;
        }
        // A sample's padded points times its channels (16 more for the lanes) have to fit the offsets of the inner loop.
        let counted = |what, factors: &[usize]| {
            factors
                .iter()
                .try_fold(1usize, |product, &factor| product.checked_mul(factor))
                .filter(|&product| product < 1 << 31)
                .map(|_| ())
                .ok_or(ShapeError::TooLarge { what })
        };
        let padded: [usize; 3] =
            std::array::from_fn(|axis| self.input[axis] + self.padding[axis][0] + self.padding[axis][1] + 1);
        counted("an input", &[self.channels[0].next_multiple_of(16), padded[0], padded[1], padded[2]])?;
        counted("an output", &[self.channels[1].next_multiple_of(16), output[0], output[1], output[2]])?;
        counted("weights", &[self.channels[1].next_multiple_of(8), self.channels[0], self.taps()])?;
        if self.batch.checked_mul(1 << 31).is_none() {
            return Err(ShapeError::TooLarge { what: "a batch" });
        }
        Ok(output)
    }

    /// Taps of one kernel.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Multiply-adds of one pass, counted as direct convolution; gradients have the same number each.
    ///
    /// # Errors
    /// Those of [`output`](Self::output).
    pub fn multiply_adds(&self) -> Result<u64, ShapeError> {
        let output = self.output()?;
        let per_point = self.channels[0] / self.groups * self.taps();
        Ok((self.batch * self.channels[1] * output.iter().product::<usize>()) as u64 * per_point as u64)
    }

    /// The same convolution of fewer axes: one tap that reads each point where it lies sees a map as one row. Batches
    /// that are too small to keep all cores busy keep their axes, along which work is split.
    pub(super) fn flattened(&self) -> Self {
        let pointwise = self.kernel == [1; 3] && self.stride == [1; 3] && self.padding == [[0; 2]; 3];
        let points: usize = self.input.iter().product();
        if pointwise && (self.batch >= 8 || points <= 256) { Self { input: [1, 1, points], ..*self } } else { *self }
    }

    /// Whether each channel has one kernel of its own.
    pub(crate) fn is_depthwise(&self) -> bool {
        self.channels == [self.groups; 2]
    }

    pub(super) fn check_length(what: &'static str, found: usize, factors: &[usize]) -> Result<(), ShapeError> {
        let expected = factors.iter().product();
        if found == expected { Ok(()) } else { Err(ShapeError::Length { what, expected, found }) }
    }

    pub(super) fn input_len(&self) -> usize {
        self.batch * self.channels[0] * self.input.iter().product::<usize>()
    }

    pub(super) fn weight_len(&self) -> usize {
        self.channels[1] * (self.channels[0] / self.groups) * self.taps()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> ConvShape {
        ConvShape::flat(2, [4, 6], 2, [5, 7], [3, 3], [2, 1], [[1, 1], [0, 2]], [1, 2])
    }

    #[test]
    fn output_counts_padding_stride_and_dilation() {
        assert_eq!(shape().output(), Ok([3, 1, 5]));
        assert_eq!(shape().multiply_adds(), Ok(2 * 6 * 15 * 2 * 9));
    }

    #[test]
    fn zero_sizes_are_refused_by_name() {
        for (what, broken) in [
            ("batch size", ConvShape { batch: 0, ..shape() }),
            ("channels", ConvShape { channels: [4, 0], ..shape() }),
            ("groups", ConvShape { groups: 0, ..shape() }),
            ("input points", ConvShape { input: [5, 1, 0], ..shape() }),
            ("kernel taps", ConvShape { kernel: [0, 1, 3], ..shape() }),
            ("stride", ConvShape { stride: [1, 0, 1], ..shape() }),
            ("dilation", ConvShape { dilation: [1, 1, 0], ..shape() }),
        ] {
            assert_eq!(broken.output(), Err(ShapeError::Zero { what }));
        }
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        let far = ConvShape { dilation: [usize::MAX, 1, 1], ..shape() };
        assert!(matches!(far.output(), Err(ShapeError::TooLarge { .. })));
        let wide = ConvShape { input: [1 << 20, 1, 1 << 20], ..shape() };
        assert!(matches!(wide.output(), Err(ShapeError::TooLarge { .. })));
        let padded = ConvShape { padding: [[usize::MAX, 1], [0, 0], [0, 0]], ..shape() };
        assert!(matches!(padded.output(), Err(ShapeError::TooLarge { .. })));
    }

    #[test]
    fn a_kernel_beyond_the_input_and_odd_groups_are_refused() {
        let small = ConvShape { input: [1, 1, 2], padding: [[0, 0]; 3], ..shape() };
        assert_eq!(small.output(), Err(ShapeError::Reach { axis: 0, reach: 3, padded: 1 }));
        let odd = ConvShape { groups: 4, ..shape() };
        assert_eq!(odd.output(), Err(ShapeError::Groups { what: "output channels", channels: 6, groups: 4 }));
    }
}
