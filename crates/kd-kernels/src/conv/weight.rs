//! The gradient of the weights: outer products of channels, one point after the other.
//!
//! Both operands are turned so that channels lie side by side, 8 of the output gradient and a vector of the input; then
//! each point adds one small outer product to sums in registers, and a tap is an offset into the turned input. Where
//! the input has few channels the patch of each point (channels × taps) is laid out instead. Points are cut into
//! stretches that the cache holds, samples into a fixed number of slabs whose sums are added in order: the result
//! depends on the shape alone.

use std::ops::Range;

use rayon::prelude::*;

use super::canvas::Canvas;
use super::depthwise;
use super::shape::{ConvShape, ShapeError};
use super::sweep::Sweep;
use crate::scratch_space::with_scratch;
use crate::shared::written;
use crate::simd::{BLOCK, Isa, Offsets, PIECES, Start, Tile, turn};

/// Points that a stretch has at least where there are as many.
const LEAST_POINTS: usize = 512;
/// Numbers that a stretch's turned input should not exceed.
const STRETCH_NUMBERS: usize = 128 * 1024;
/// Numbers that all slabs' partial sums may take.
const PARTIAL_NUMBERS: usize = 4 << 20;
/// Slabs at most.
const SLABS: usize = 8;
/// Tasks that a call is split into where the shape allows.
const TASKS: usize = 8;

/// Turned input of a stretch: `[sample][channel block][position][lanes]`, or patches `[sample][position][lanes · n]`.
struct Turned {
    lanes: usize,
    /// Channels of a group.
    deep: usize,
    /// Points of the outer axis in a stretch, samples in a stretch.
    band: usize,
    samples: usize,
    /// Where each point has its patch: the drawn input, and the row of each (channel, tap) in it.
    patches: Option<(Canvas, Vec<usize>)>,
    /// Vectors of the reduction's columns, and where each begins in a sample.
    columns: Vec<usize>,
    /// Numbers of one sample.
    sample_len: usize,
    /// Numbers from one position to the next.
    position_len: usize,
    /// Steps of a row and of a plane of positions.
    pitch: [usize; 2],
}

fn taps_of(kernel: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    let [_, rows, columns] = kernel;
    (0..kernel.iter().product()).map(move |tap| [tap / (rows * columns), tap / columns % rows, tap % columns])
}

impl Turned {
    fn new(lanes: usize, shape: &ConvShape, output: [usize; 3]) -> Result<Self, ShapeError> {
        let deep = shape.channels[0] / shape.groups;
        let taps = shape.taps();
        let patches = (deep * taps).div_ceil(lanes) < deep.div_ceil(lanes) * taps;
        let points = output[1] * output[2];
        let mut band = output[0];
        let mut turned = Self::layout(lanes, shape, output, band, patches)?;
        while band > 1 && turned.sample_len > STRETCH_NUMBERS && band.div_ceil(2) * points >= LEAST_POINTS / 2 {
            band = band.div_ceil(2);
            turned = Self::layout(lanes, shape, output, band, patches)?;
        }
        if band == output[0] {
            turned.samples = LEAST_POINTS.div_ceil(band * points).min(shape.batch);
        }
        Ok(turned)
    }

    fn layout(
        lanes: usize,
        shape: &ConvShape,
        output: [usize; 3],
        band: usize,
        patches: bool,
    ) -> Result<Self, ShapeError> {
        let deep = shape.channels[0] / shape.groups;
        let blocks = deep.div_ceil(lanes);
        if patches {
            let sweep = Sweep::forward(shape)?;
            let canvas = Canvas::new(&sweep, band, lanes);
            let rows = (0..deep).flat_map(|channel| {
                let canvas = &canvas;
                sweep.taps.iter().map(move |tap| channel * canvas.channel_len() + canvas.offset(tap))
            });
            let rows = rows.collect();
            let vectors = (deep * shape.taps()).div_ceil(lanes);
            let pitch = [output[2], output[1] * output[2]];
            let columns = (0..vectors).map(|vector| vector * lanes).collect();
            let position_len = vectors * lanes;
            let sample_len = band * pitch[1] * position_len;
            let patches = Some((canvas, rows));
            return Ok(Self { lanes, deep, band, samples: 1, patches, columns, sample_len, position_len, pitch });
        }
        // Positions along an axis: from the first padded point to the last that a tap reads. The zeros between two rows
        // serve both, as in a canvas.
        let reach = |axis: usize, points: usize| {
            (points - 1) * shape.stride[axis] + (shape.kernel[axis] - 1) * shape.dilation[axis] + 1
        };
        let columns = reach(2, output[2]).max(shape.padding[2][0] + shape.input[2]);
        let rows = reach(1, output[1]).max(shape.padding[1][0] + shape.input[1]);
        let planes = reach(0, band);
        let block_len = planes * rows * columns * lanes;
        let vectors = (0..blocks).flat_map(|block| {
            taps_of(shape.kernel).map(move |tap| {
                let [plane, row, column]: [usize; 3] = std::array::from_fn(|axis| tap[axis] * shape.dilation[axis]);
                block * block_len + ((plane * rows + row) * columns + column) * lanes
            })
        });
        Ok(Self {
            lanes,
            deep,
            band,
            samples: 1,
            patches: None,
            columns: vectors.collect(),
            sample_len: blocks * block_len,
            position_len: lanes,
            pitch: [columns, rows * columns],
        })
    }

    /// Where each output point of a stretch finds its input, sample by sample.
    fn offsets(&self, shape: &ConvShape, output: [usize; 3], samples: usize, band: usize) -> Offsets {
        let step = if self.patches.is_some() { [1; 3] } else { shape.stride };
        let [_, rows, columns] = output;
        let mut offsets = Vec::with_capacity(samples * band * rows * columns);
        for sample in 0..samples {
            for line in 0..band * rows {
                let start = line / rows * step[0] * self.pitch[1] + line % rows * step[1] * self.pitch[0];
                let first = sample * self.sample_len + start * self.position_len;
                let step = step[2] * self.position_len;
                offsets.extend((0..columns).map(|column| u32::try_from(first + column * step).unwrap_or(u32::MAX)));
            }
        }
        Offsets::new(offsets)
    }

    /// Turns the input that the outputs `band` of one sample and group read. `channels` are the group's, one after the
    /// other.
    fn fill(
        &self,
        isa: Isa,
        shape: &ConvShape,
        output: [usize; 3],
        channels: &[f32],
        band: &Range<usize>,
        place: &mut [f32],
    ) {
        place.fill(0.0);
        let [source_planes, source_rows, source_columns] = shape.input;
        let points = source_planes * source_rows * source_columns;
        if let Some((canvas, rows)) = &self.patches {
            with_scratch(self.deep * canvas.channel_len(), |drawn| {
                for (channel, place) in drawn.chunks_exact_mut(canvas.channel_len()).enumerate() {
                    canvas.fill(&channels[channel * points..][..points], band, place);
                }
                let [_, lines, columns] = output;
                for line in 0..band.len() * lines {
                    let from = canvas.position([line / lines, line % lines, 0]);
                    let place = &mut place[line * columns * self.position_len..];
                    for (eight, rows) in rows.chunks(8).enumerate() {
                        turn(isa, &drawn[from..], rows, columns, &mut place[eight * 8..], self.position_len);
                    }
                }
            });
            return;
        }
        let first = band.start * shape.stride[0];
        let last = (band.end - 1) * shape.stride[0] + (shape.kernel[0] - 1) * shape.dilation[0];
        let block_len = self.sample_len / self.deep.div_ceil(self.lanes);
        for (block, place) in place.chunks_exact_mut(block_len).enumerate() {
            let here = self.lanes.min(self.deep - block * self.lanes);
            let channels = &channels[block * self.lanes * points..][..here * points];
            for padded in first..=last {
                let Some(plane) = padded.checked_sub(shape.padding[0][0]).filter(|&plane| plane < source_planes) else {
                    continue;
                };
                for row in 0..source_rows {
                    let position = (padded - first) * self.pitch[1]
                        + (row + shape.padding[1][0]) * self.pitch[0]
                        + shape.padding[2][0];
                    let from = (plane * source_rows + row) * source_columns;
                    let place = &mut place[position * self.lanes..];
                    turn_channels(isa, &channels[from..], points, here, source_columns, place, self.lanes);
                }
            }
        }
    }
}

/// The gradient of [`conv`](super::conv) (without `relu`) by its weights, for a gradient by its output.
///
/// # Shapes
/// `input` and `output_gradient` as input and output of [`conv`](super::conv); the result as its weight.
///
/// # Policy
/// Points are summed one after the other in `f32`, samples in up to 8 slabs whose sums are added in order; the slabs
/// follow from the shape alone.
///
/// # Errors
/// As [`conv`](super::conv).
///
/// # Example
/// ```
/// use kd_kernels::{ConvShape, Isa, conv_weight_gradient};
/// let shape = ConvShape::flat(1, [1, 1], 1, [1, 3], [1, 2], [1, 1], [[0, 0], [0, 0]], [1, 1]);
/// let gradient = conv_weight_gradient(Isa::best(), &shape, &[1.0, 2.0, 4.0], &[1.0, 10.0])?;
/// assert_eq!(gradient, [21.0, 42.0]);
/// # Ok::<(), kd_kernels::ShapeError>(())
/// ```
pub fn weight_gradient(
    isa: Isa,
    shape: &ConvShape,
    input: &[f32],
    output_gradient: &[f32],
) -> Result<Vec<f32>, ShapeError> {
    shape.output()?;
    let shape = &shape.flattened();
    let output = shape.output()?;
    ConvShape::check_length("input", input.len(), &[shape.input_len()])?;
    let output_points: usize = output.iter().product();
    ConvShape::check_length(
        "output gradient",
        output_gradient.len(),
        &[shape.batch, shape.channels[1], output_points],
    )?;

    if shape.is_depthwise() {
        return Ok(depthwise::weight_gradient(isa, shape, &Sweep::forward(shape)?, input, output_gradient));
    }
    let lanes = isa.lanes();
    let turned = Turned::new(lanes, shape, output)?;
    let wide = shape.channels[1] / shape.groups;
    let blocks = wide.div_ceil(BLOCK);
    let vectors = turned.columns.len();
    let partial_len = shape.groups * blocks * BLOCK * vectors * lanes;
    let bands = output[0].div_ceil(turned.band);
    let stretches = shape.batch.div_ceil(turned.samples) * bands;
    let slabs = (PARTIAL_NUMBERS / partial_len).clamp(1, SLABS).min(stretches);
    let splits = TASKS.div_ceil(slabs * shape.groups).min(blocks);
    let blocks_per_split = blocks.div_ceil(splits);

    let block_len = BLOCK * vectors * lanes;
    // One task: a slab, a group, some blocks of output channels.
    let tasks: Vec<(usize, usize, Range<usize>)> = (0..slabs)
        .flat_map(|slab| (0..shape.groups).map(move |group| (slab, group)))
        .flat_map(|(slab, group)| {
            let firsts = (0..blocks).step_by(blocks_per_split);
            firsts.map(move |first| (slab, group, first..(first + blocks_per_split).min(blocks)))
        })
        .collect();
    let whole = turned.offsets(shape, output, turned.samples, turned.band);
    let job = Job { isa, shape, output, turned: &turned, whole: &whole, input, output_gradient };
    // SAFETY: the tasks' blocks together are all slabs.
    #[expect(unsafe_code, reason = "the partial sums are written whole")]
    let partial = unsafe {
        written(slabs * partial_len, |partial| {
            tasks.into_par_iter().for_each(|(slab, group, these)| {
                let at = slab * partial_len + (group * blocks + these.start) * block_len;
                // SAFETY: this task alone has these blocks.
                let sums = partial.zeros(at, these.len() * block_len);
                for stretch in stretches * slab / slabs..stretches * (slab + 1) / slabs {
                    job.add(stretch, bands, group, these.clone(), sums);
                }
            });
        })
    };
    Ok(unturn(shape, &turned, &partial, partial_len))
}

/// What every task reads.
struct Job<'a> {
    isa: Isa,
    shape: &'a ConvShape,
    output: [usize; 3],
    turned: &'a Turned,
    /// The offsets of a stretch of full size.
    whole: &'a Offsets,
    input: &'a [f32],
    output_gradient: &'a [f32],
}

impl Job<'_> {
    /// Adds one stretch to the sums of some blocks: `[block][vector tile][8][vectors · lanes]`.
    fn add(&self, stretch: usize, bands: usize, group: usize, blocks: Range<usize>, sums: &mut [f32]) {
        let Self { shape, turned, .. } = *self;
        let lanes = turned.lanes;
        let [planes, rows, columns] = self.output;
        let first = stretch / bands * turned.samples;
        let samples = first..(first + turned.samples).min(shape.batch);
        let band = stretch % bands * turned.band;
        let band = band..(band + turned.band).min(planes);
        let in_band = band.len() * rows * columns;
        let points = samples.len() * in_band;
        let wide = shape.channels[1] / shape.groups;
        let shorter = (samples.len() < turned.samples || band.len() < turned.band)
            .then(|| turned.offsets(shape, self.output, samples.len(), band.len()));
        let offsets = shorter.as_ref().unwrap_or(self.whole);
        let source_len = samples.len() * turned.sample_len + lanes;
        with_scratch(source_len + points * BLOCK, |space| {
            let (source, factors) = space.split_at_mut(source_len);
            let input_points: usize = shape.input.iter().product();
            for (place, sample) in source.chunks_exact_mut(turned.sample_len).zip(samples.clone()) {
                let at = (sample * shape.groups + group) * turned.deep * input_points;
                let channels = &self.input[at..at + turned.deep * input_points];
                turned.fill(self.isa, shape, self.output, channels, &band, place);
            }
            let vectors = turned.columns.len();
            for (block, sums) in blocks.zip(sums.chunks_exact_mut(BLOCK * vectors * lanes)) {
                let count = BLOCK.min(wide - block * BLOCK);
                if count < BLOCK {
                    factors.fill(0.0);
                }
                for (place, sample) in factors.chunks_exact_mut(in_band * BLOCK).zip(samples.clone()) {
                    let channel = (sample * shape.groups + group) * wide + block * BLOCK;
                    let at = (channel * planes + band.start) * rows * columns;
                    let plane = planes * rows * columns;
                    turn_channels(self.isa, &self.output_gradient[at..], plane, count, in_band, place, BLOCK);
                }
                for (tile, sums) in (0..vectors).step_by(3).zip(sums.chunks_mut(BLOCK * 3 * lanes)) {
                    let here = (vectors - tile).min(3);
                    let mut columns = [0; PIECES];
                    columns[..here].copy_from_slice(&turned.columns[tile..tile + here]);
                    Tile {
                        factors,
                        offsets,
                        source,
                        base: 0,
                        columns,
                        parts: 1,
                        rows: count,
                        vectors: here,
                        start: Start::Keep,
                        relu: false,
                    }
                    .run(self.isa, sums, here * lanes);
                }
            }
        });
    }
}

/// Turns `count` neighbouring channels, `plane` numbers apart, into points of `pitch` numbers.
fn turn_channels(
    isa: Isa,
    source: &[f32],
    plane: usize,
    count: usize,
    points: usize,
    target: &mut [f32],
    pitch: usize,
) {
    for first in (0..count).step_by(8) {
        let rows: [usize; 8] = std::array::from_fn(|row| (first + row) * plane);
        turn(isa, source, &rows[..(count - first).min(8)], points, &mut target[first..], pitch);
    }
}

/// From the order of the tiles to that of the weights, slabs added in order.
fn unturn(shape: &ConvShape, turned: &Turned, partial: &[f32], partial_len: usize) -> Vec<f32> {
    let wide = shape.channels[1] / shape.groups;
    let (lanes, deep, taps) = (turned.lanes, turned.deep, shape.taps());
    let vectors = turned.columns.len();
    let blocks = wide.div_ceil(BLOCK);
    // Where each vector of the first row begins in a block, and how far apart the rows are.
    let places: Vec<[usize; 2]> = (0..vectors)
        .map(|vector| {
            let tile = vector / 3;
            let here = (vectors - tile * 3).min(3);
            [BLOCK * tile * 3 * lanes + vector % 3 * lanes, here * lanes]
        })
        .collect();
    let mut weights = vec![0.0; shape.weight_len()];
    weights.par_chunks_exact_mut(deep * taps).enumerate().for_each(|(output, weights)| {
        let (group, channel) = (output / wide, output % wide);
        let (block, row) = (channel / BLOCK, channel % BLOCK);
        let block_len = BLOCK * vectors * lanes;
        for slab in partial.chunks_exact(partial_len) {
            let block = &slab[(group * blocks + block) * block_len..][..block_len];
            let vector = |vector: usize| &block[places[vector][0] + row * places[vector][1]..][..lanes];
            if turned.patches.is_some() {
                for (index, weights) in weights.chunks_mut(lanes).enumerate() {
                    weights.iter_mut().zip(vector(index)).for_each(|(weight, &value)| *weight += value);
                }
            } else {
                for (first, weights) in weights.chunks_mut(lanes * taps).enumerate() {
                    for tap in 0..taps {
                        let values = vector(first * taps + tap);
                        for (weight, &value) in weights[tap..].iter_mut().step_by(taps).zip(values) {
                            *weight += value;
                        }
                    }
                }
            }
        }
    });
    weights
}
