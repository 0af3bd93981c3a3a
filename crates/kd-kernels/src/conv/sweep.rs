//! A convolution, or the gradient of its input, as sweeps of stride 1.
//!
//! A strided convolution reads only every other point of its input for one tap. So the source is split into as many
//! phases as the stride has steps; then each tap of each output point is one constant offset away. The gradient of the
//! input is the same picture seen from the other side: each phase of the *target* is a sweep of its own over the
//! output gradient, with the taps that fall onto it.

use super::shape::{ConvShape, ShapeError};

/// Where one tap reads: `source[(point + shift) · step + phase]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) phase: [usize; 3],
    pub(super) shift: [isize; 3],
    /// The tap's place in the kernel.
    pub(super) weight: usize,
}

/// One pass over a source with constant offsets.
#[derive(Debug, Clone)]
pub(super) struct Sweep {
    /// Points of the source.
    pub(super) source: [usize; 3],
    /// Phases of the source along each axis.
    pub(super) step: [usize; 3],
    /// Points that are computed.
    pub(super) points: [usize; 3],
    pub(super) taps: Vec<Tap>,
    /// Points of the target.
    pub(super) target: [usize; 3],
    /// Where the computed points lie in the target: `point · target_step + target_start`.
    pub(super) target_step: [usize; 3],
    pub(super) target_start: [usize; 3],
}

fn taps_of(kernel: [usize; 3]) -> impl Iterator<Item = (usize, [usize; 3])> {
    let [_, rows, columns] = kernel;
    (0..kernel.iter().product()).map(move |tap| (tap, [tap / (rows * columns), tap / columns % rows, tap % columns]))
}

#[expect(clippy::cast_possible_wrap, reason = "ConvShape::output has bounded every size")]
fn signed(size: usize) -> isize {
    size as isize
}

fn split(position: isize, step: usize) -> (usize, isize) {
    (position.rem_euclid(signed(step)) as usize, position.div_euclid(signed(step)))
}

impl Sweep {
    /// The convolution itself.
    pub(super) fn forward(shape: &ConvShape) -> Result<Self, ShapeError> {
        let output = shape.output()?;
        let taps = taps_of(shape.kernel).map(|(weight, tap)| {
            let split: [(usize, isize); 3] = std::array::from_fn(|axis| {
                let position = signed(tap[axis] * shape.dilation[axis]) - signed(shape.padding[axis][0]);
                split(position, shape.stride[axis])
            });
            Tap { phase: split.map(|(phase, _)| phase), shift: split.map(|(_, shift)| shift), weight }
        });
        Ok(Self {
            source: shape.input,
            step: shape.stride,
            points: output,
            taps: taps.collect(),
            target: output,
            target_step: [1; 3],
            target_start: [0; 3],
        })
    }

    /// The sweeps that make the gradient of the input from that of the output: one for each phase of the stride.
    ///
    /// A phase that no tap falls onto has no taps; its gradient is 0.
    pub(super) fn input_gradient(shape: &ConvShape) -> Result<Vec<Self>, ShapeError> {
        let output = shape.output()?;
        let [planes, rows, columns] = shape.stride;
        let mut sweeps = Vec::with_capacity(planes * rows * columns);
        for phase in 0..planes * rows * columns {
            let start = [phase / (rows * columns), phase / columns % rows, phase % columns];
            if (0..3).any(|axis| start[axis] >= shape.input[axis]) {
                continue;
            }
            // Output point `o` reads input point `o·stride + tap·dilation - padding`; solved for `o`.
            let taps = taps_of(shape.kernel).filter_map(|(weight, tap)| {
                let mut shift = [0; 3];
                for axis in 0..3 {
                    let position =
                        signed(start[axis] + shape.padding[axis][0]) - signed(tap[axis] * shape.dilation[axis]);
                    let (rest, whole) = split(position, shape.stride[axis]);
                    if rest != 0 {
                        return None;
                    }
                    shift[axis] = whole;
                }
                Some(Tap { phase: [0; 3], shift, weight })
            });
            sweeps.push(Self {
                source: output,
                step: [1; 3],
                points: std::array::from_fn(|axis| (shape.input[axis] - start[axis]).div_ceil(shape.stride[axis])),
                taps: taps.collect(),
                target: shape.input,
                target_step: shape.stride,
                target_start: start,
            });
        }
        Ok(sweeps)
    }
}
