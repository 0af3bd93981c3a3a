//! Convolutions over up to three axes, and their gradients.
//!
//! Plain functions on slices: what Burn sees of them is in [`extension`](crate::extension).

mod canvas;
mod depthwise;
mod engine;
mod packed;
mod pieces;
mod shape;
mod sweep;
mod weight;

pub use shape::{ConvShape, ShapeError};
pub use weight::weight_gradient;

use engine::{Channels, Operands, WeightStrides};
use sweep::Sweep;

use crate::shared::written;
use crate::simd::Isa;

/// `output[n, o, p] = bias[o] + Σ input[n, c, p·stride + tap·dilation − padding] · weight[o, c, tap]`, over the channels
/// `c` of the output's group and all taps; zeros outside of the input; with `relu`, negative results become 0.
///
/// # Shapes
/// `input` `[batch, channel, planes, rows, columns]`, `weight` `[output, channel / groups, taps]`, `bias` `[output]`, all
/// contiguous; the result `[batch, output, planes, rows, columns]`.
///
/// # Policy
/// Sums run over channels, then taps, in `f32` with fused multiply-adds where the machine has them. The result depends
/// neither on the number of threads nor, among sets with fused multiply-adds, on the instruction set.
///
/// # Errors
/// [`ShapeError`] for sizes that make no convolution and for operands of another length.
///
/// # Example
/// ```
/// use kd_kernels::{ConvShape, Isa, conv};
/// let shape = ConvShape::flat(1, [1, 1], 1, [1, 3], [1, 3], [1, 1], [[0, 0], [1, 1]], [1, 1]);
/// let output = conv(Isa::best(), &shape, &[1.0, 2.0, 3.0], &[1.0, 10.0, 100.0], None, false)?;
/// assert_eq!(output, [210.0, 321.0, 32.0]);
/// # Ok::<(), kd_kernels::ShapeError>(())
/// ```
pub fn conv(
    isa: Isa,
    shape: &ConvShape,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
) -> Result<Vec<f32>, ShapeError> {
    shape.output()?;
    let shape = &shape.flattened();
    let sweep = Sweep::forward(shape)?;
    ConvShape::check_length("input", input.len(), &[shape.input_len()])?;
    ConvShape::check_length("weight", weight.len(), &[shape.weight_len()])?;
    if let Some(bias) = bias {
        ConvShape::check_length("bias", bias.len(), &[shape.channels[1]])?;
    }
    let groups = shape.groups;
    let [deep, wide] = shape.channels.map(|channels| channels / groups);
    let taps = shape.taps();
    let operands = Operands {
        batch: shape.batch,
        channels: Channels { groups, deep, wide },
        source: input,
        weights: weight,
        strides: WeightStrides { group: wide * deep * taps, wide: deep * taps, deep: taps },
        bias,
        relu,
    };
    let len = shape.batch * shape.channels[1] * sweep.target.iter().product::<usize>();
    if shape.is_depthwise() {
        // SAFETY: the forward sweep's points are all points of the output.
        #[expect(unsafe_code, reason = "the output is written whole")]
        return Ok(unsafe {
            written(len, |output| depthwise::run(isa, &sweep, groups, input, weight, bias, relu, output))
        });
    }
    // SAFETY: the forward sweep's points are all points of the output.
    #[expect(unsafe_code, reason = "the output is written whole")]
    Ok(unsafe { written(len, |output| engine::run(isa, &sweep, &operands, output)) })
}

/// The gradient of [`conv`] (without `relu`) by its input, for a gradient by its output.
///
/// # Shapes
/// `output_gradient` as the output of [`conv`]; the result as its input.
///
/// # Policy
/// As [`conv`]; sums run over output channels, then taps.
///
/// # Errors
/// As [`conv`].
///
/// # Example
/// ```
/// use kd_kernels::{ConvShape, Isa, conv_input_gradient};
/// let shape = ConvShape::flat(1, [1, 1], 1, [1, 3], [1, 2], [1, 1], [[0, 0], [0, 0]], [1, 1]);
/// let gradient = conv_input_gradient(Isa::best(), &shape, &[1.0, 2.0], &[3.0, 5.0])?;
/// assert_eq!(gradient, [3.0, 11.0, 10.0]);
/// # Ok::<(), kd_kernels::ShapeError>(())
/// ```
pub fn conv_input_gradient(
    isa: Isa,
    shape: &ConvShape,
    output_gradient: &[f32],
    weight: &[f32],
) -> Result<Vec<f32>, ShapeError> {
    shape.output()?;
    let shape = &shape.flattened();
    let output = shape.output()?;
    let sweeps = Sweep::input_gradient(shape)?;
    let [planes, rows, columns] = output;
    let output_sizes = [shape.batch, shape.channels[1], planes, rows, columns];
    ConvShape::check_length("output gradient", output_gradient.len(), &output_sizes)?;
    ConvShape::check_length("weight", weight.len(), &[shape.weight_len()])?;
    let groups = shape.groups;
    let [wide, deep] = shape.channels.map(|channels| channels / groups);
    let taps = shape.taps();
    let operands = Operands {
        batch: shape.batch,
        channels: Channels { groups, deep, wide },
        source: output_gradient,
        weights: weight,
        strides: WeightStrides { group: wide * deep * taps, wide: taps, deep: wide * taps },
        bias: None,
        relu: false,
    };
    if shape.is_depthwise() {
        // SAFETY: the sweeps of all phases together have every point of the input.
        #[expect(unsafe_code, reason = "the gradient is written whole")]
        return Ok(unsafe {
            written(shape.input_len(), |gradient| {
                for sweep in &sweeps {
                    depthwise::run(isa, sweep, groups, output_gradient, weight, None, false, gradient);
                }
            })
        });
    }
    // SAFETY: the sweeps of all phases together have every point of the input.
    #[expect(unsafe_code, reason = "the gradient is written whole")]
    Ok(unsafe {
        written(shape.input_len(), |gradient| {
            for sweep in &sweeps {
                engine::run(isa, sweep, &operands, gradient);
            }
        })
    })
}
