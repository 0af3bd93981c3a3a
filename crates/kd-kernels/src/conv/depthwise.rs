//! Convolutions of one kernel per channel: no channels to sum over, so each plane is a small stencil of its own.
//!
//! A plane is drawn with its zeros once; then every tap is a constant offset along the whole run of rows, gaps included.

use rayon::prelude::*;

use super::canvas::Canvas;
use super::shape::ConvShape;
use super::sweep::Sweep;
use crate::scratch_space::with_scratch;
use crate::shared::Shared;
use crate::simd::{Isa, STRANDS, Work, on};

/// Taps whose sums are kept in registers at once.
const TAPS_AT_ONCE: usize = 9;

/// One plane's layout.
struct Stencil<'a> {
    sweep: &'a Sweep,
    canvas: Canvas,
    /// Each tap's offset into the drawn plane and its place in the kernel.
    taps: Vec<(usize, usize)>,
    /// Positions from the first to the last point, rounded up to whole vectors.
    run: usize,
}

impl<'a> Stencil<'a> {
    fn new(sweep: &'a Sweep) -> Self {
        let canvas = Canvas::new(sweep, sweep.points[0], STRANDS);
        let taps = sweep.taps.iter().map(|tap| (canvas.offset(tap), tap.weight)).collect();
        let run = (canvas.position(sweep.points.map(|points| points - 1)) + 1).next_multiple_of(STRANDS);
        Self { sweep, canvas, taps, run }
    }

    fn canvas_len(&self) -> usize {
        self.canvas.channel_len() + STRANDS
    }

    fn draw(&self, plane: &[f32], canvas: &mut [f32]) {
        let (drawn, slack) = canvas.split_at_mut(self.canvas.channel_len());
        self.canvas.fill(plane, &(0..self.sweep.points[0]), drawn);
        slack.fill(0.0);
    }

    /// Where each row of points begins in the run and, in the target, among the points of a plane.
    fn rows(&self) -> impl Iterator<Item = (usize, usize)> {
        let [planes, rows, _] = self.sweep.points;
        (0..planes * rows).map(move |line| {
            let point = [line / rows, line % rows, 0];
            let [plane, row, column]: [usize; 3] =
                std::array::from_fn(|axis| point[axis] * self.sweep.target_step[axis] + self.sweep.target_start[axis]);
            let target = (plane * self.sweep.target[1] + row) * self.sweep.target[2] + column;
            (self.canvas.position(point), target)
        })
    }
}

/// Runs a sweep in which each plane of the source makes one of the target.
#[expect(clippy::too_many_arguments, reason = "the operands of a convolution")]
pub(super) fn run(
    isa: Isa,
    sweep: &Sweep,
    channels: usize,
    source: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    target: &Shared,
) {
    let stencil = Stencil::new(sweep);
    let points: usize = sweep.source.iter().product();
    let target_points: usize = sweep.target.iter().product();
    let kernel = weights.len() / channels;
    source.par_chunks_exact(points).enumerate().for_each(|(plane, values)| {
        let channel = plane % channels;
        with_scratch(stencil.canvas_len() + stencil.run, |space| {
            let (canvas, sums) = space.split_at_mut(stencil.canvas_len());
            stencil.draw(values, canvas);
            let weights = &weights[channel * kernel..][..kernel];
            let begin = bias.map_or(0.0, |bias| bias[channel]);
            on(isa, Sums { taps: &stencil.taps, canvas, weights, begin, relu, sums });
            for (at, to) in stencil.rows() {
                // SAFETY: this task alone writes this plane's points of the sweep.
                #[expect(unsafe_code, reason = "tasks write disjoint points of one buffer")]
                unsafe {
                    let row = &sums[at..at + sweep.points[2]];
                    target.write(plane * target_points + to, sweep.target_step[2], row);
                }
            }
        });
    });
}

/// `sums[at] = begin + Σ canvas[offset + at] · weight`.
struct Sums<'a> {
    taps: &'a [(usize, usize)],
    canvas: &'a [f32],
    weights: &'a [f32],
    begin: f32,
    relu: bool,
    sums: &'a mut [f32],
}

impl Work for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (blocks, _) = self.sums.as_chunks_mut::<STRANDS>();
        for (block, sums) in blocks.iter_mut().enumerate() {
            let mut strands = [self.begin; STRANDS];
            for &(offset, weight) in self.taps {
                let factor = self.weights[weight];
                let values = &self.canvas[offset + block * STRANDS..][..STRANDS];
                for (strand, value) in strands.iter_mut().zip(values) {
                    *strand += value * factor;
                }
            }
            if self.relu {
                strands = strands.map(|sum| if sum < 0.0 { 0.0 } else { sum });
            }
            *sums = strands;
        }
    }
}

/// The gradient of the weights.
pub(super) fn weight_gradient(
    isa: Isa,
    shape: &ConvShape,
    sweep: &Sweep,
    input: &[f32],
    output_gradient: &[f32],
) -> Vec<f32> {
    let stencil = Stencil::new(sweep);
    let channels = shape.channels[0];
    let points: usize = sweep.source.iter().product();
    let output_points: usize = sweep.points.iter().product();
    let mut gradient = vec![0.0; shape.weight_len()];
    gradient.par_chunks_exact_mut(shape.taps()).enumerate().for_each(|(channel, gradient)| {
        let mut totals = vec![0.0; stencil.taps.len()];
        with_scratch(stencil.canvas_len() + stencil.run, |space| {
            let (canvas, drawn) = space.split_at_mut(stencil.canvas_len());
            drawn.fill(0.0);
            for sample in 0..shape.batch {
                let plane = sample * channels + channel;
                stencil.draw(&input[plane * points..][..points], canvas);
                let rows = output_gradient[plane * output_points..][..output_points].chunks_exact(sweep.points[2]);
                for ((at, _), row) in stencil.rows().zip(rows) {
                    drawn[at..at + row.len()].copy_from_slice(row);
                }
                let taps = stencil.taps.chunks(TAPS_AT_ONCE).zip(totals.chunks_mut(TAPS_AT_ONCE));
                for (taps, totals) in taps {
                    on(isa, Products { taps, canvas, gradient: drawn, totals });
                }
            }
        });
        for (&(_, weight), total) in stencil.taps.iter().zip(totals) {
            // Between two rows the gradient is 0, which times an infinite number is none: then point by point.
            let total = if total.is_finite() { total } else { exact(shape, channel, weight, input, output_gradient) };
            #[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
            let total = total as f32;
            gradient[weight] = total;
        }
    });
    gradient
}

/// One weight's gradient from its own points alone.
fn exact(shape: &ConvShape, channel: usize, weight: usize, input: &[f32], output_gradient: &[f32]) -> f64 {
    let [_, kernel_rows, kernel_columns] = shape.kernel;
    let tap = [weight / (kernel_rows * kernel_columns), weight / kernel_columns % kernel_rows, weight % kernel_columns];
    let [_, input_rows, input_columns] = shape.input;
    let input_points: usize = shape.input.iter().product();
    let [output_planes, output_rows, output_columns] = shape.output().unwrap_or_default();
    let output_points = output_planes * output_rows * output_columns;
    let mut sum = 0.0;
    for sample in 0..shape.batch {
        let plane = sample * shape.channels[0] + channel;
        for point in 0..output_points {
            let at =
                [point / (output_rows * output_columns), point / output_columns % output_rows, point % output_columns];
            let from: [Option<usize>; 3] = std::array::from_fn(|axis| {
                let padded = at[axis] * shape.stride[axis] + tap[axis] * shape.dilation[axis];
                padded.checked_sub(shape.padding[axis][0]).filter(|&position| position < shape.input[axis])
            });
            let value = match from {
                [Some(plane_of), Some(row), Some(column)] => {
                    input[plane * input_points + (plane_of * input_rows + row) * input_columns + column]
                }
                _ => 0.0,
            };
            sum += f64::from(value) * f64::from(output_gradient[plane * output_points + point]);
        }
    }
    sum
}

/// `totals[tap] += Σ canvas[offset + at] · gradient[at]`.
struct Products<'a> {
    taps: &'a [(usize, usize)],
    canvas: &'a [f32],
    gradient: &'a [f32],
    totals: &'a mut [f64],
}

impl Work for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut offsets = [0; TAPS_AT_ONCE];
        for (to, &(offset, _)) in offsets.iter_mut().zip(self.taps) {
            *to = offset;
        }
        let furthest = offsets.iter().max().copied().unwrap_or(0);
        let (blocks, _) = self.gradient.as_chunks::<STRANDS>();
        let mut strands = [[0.0f32; STRANDS]; TAPS_AT_ONCE];
        for (block, gradient) in blocks.iter().enumerate() {
            let near = &self.canvas[block * STRANDS..][..furthest + STRANDS];
            for (strands, &offset) in strands.iter_mut().zip(&offsets) {
                let values = &near[offset..offset + STRANDS];
                for strand in 0..STRANDS {
                    strands[strand] += gradient[strand] * values[strand];
                }
            }
        }
        for (total, strands) in self.totals.iter_mut().zip(strands) {
            *total += strands.into_iter().map(f64::from).sum::<f64>();
        }
    }
}
