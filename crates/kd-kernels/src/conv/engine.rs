//! Runs a sweep: tiles of 8 channels by up to 3 vectors of points, over all input channels and taps.
//!
//! Four ways to lay points into vectors, chosen by what is wasted: along one row (wide images: the sums go straight to
//! their place), along the run of rows with their gaps, in pieces of rows of several samples (small images), or packed
//! (tiny images of many channels: the points of several samples are copied side by side, once for all output channels).
//! The order of every sum is that of channels and taps.

use std::ops::Range;

use rayon::prelude::*;

use super::canvas::Canvas;
use super::packed::{PACKED_POINTS, packed_samples};
use super::pieces::PieceLayout;
use super::sweep::Sweep;
use crate::scratch_space::with_scratch;
use crate::shared::Shared;
use crate::simd::{BLOCK, Isa, Offsets, Start, Tile, WIDEST, turn};

/// Numbers that a task's canvas should not exceed: about what a core's second-level cache holds.
const CANVAS_NUMBERS: usize = 160 * 1024;
/// Tasks that a call is split into where the shape allows; a number of its own, not that of threads.
const TASKS: usize = 16;
/// Steps that are summed at once: a tile's factors and columns stay in the second-level cache, and its sums are stored
/// and taken up again seldom enough not to show.
pub(super) const STEPS_AT_ONCE: usize = 640;

/// How points are laid into vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Rows,
    Run,
    /// Of so many lanes each.
    Pieces(usize),
    Packed,
}

/// Where a weight stands: `group · group_stride + wide · wide_stride + deep · deep_stride + tap`.
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightStrides {
    pub(super) group: usize,
    pub(super) wide: usize,
    pub(super) deep: usize,
}

/// What is swept: `deep` source channels make `wide` target channels, in each group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channels {
    pub(super) groups: usize,
    pub(super) deep: usize,
    pub(super) wide: usize,
}

/// Operands of one sweep.
pub(super) struct Operands<'a> {
    pub(super) batch: usize,
    pub(super) channels: Channels,
    pub(super) source: &'a [f32],
    pub(super) weights: &'a [f32],
    pub(super) strides: WeightStrides,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) relu: bool,
}

/// Weights in the order in which tiles read them: `[group][block of 8][deep · taps][8]`.
fn pack_weights(isa: Isa, sweep: &Sweep, operands: &Operands) -> Vec<f32> {
    let Channels { groups, deep, wide } = operands.channels;
    let blocks = wide.div_ceil(BLOCK);
    let steps = deep * sweep.taps.len();
    let mut packed = vec![0.0; groups * blocks * BLOCK * steps];
    if packed.is_empty() {
        return packed;
    }
    let WeightStrides { group: group_stride, wide: wide_stride, deep: deep_stride } = operands.strides;
    let taps = sweep.taps.len();
    // Taps that stand side by side in the kernel are turned together, the channels with them where they follow.
    let consecutive = sweep.taps.windows(2).all(|pair| pair[1].weight == pair[0].weight + 1);
    packed.par_chunks_exact_mut(steps * BLOCK).enumerate().for_each(|(index, factors)| {
        let (group, first) = (index / blocks, index % blocks * BLOCK);
        let count = BLOCK.min(wide - first);
        let rows: [usize; BLOCK] = std::array::from_fn(|row| row.min(count - 1) * wide_stride);
        let from = &operands.weights[group * group_stride + first * wide_stride..];
        if consecutive && deep_stride == taps {
            turn(isa, from, &rows[..count], steps, factors, BLOCK);
            return;
        }
        for (channel, to) in factors.chunks_exact_mut(taps * BLOCK).enumerate() {
            let from = &from[channel * deep_stride..];
            if consecutive {
                turn(isa, &from[sweep.taps[0].weight..], &rows[..count], taps, to, BLOCK);
                continue;
            }
            for (tap, to) in sweep.taps.iter().zip(to.chunks_exact_mut(BLOCK)) {
                for (to, row) in to.iter_mut().zip(&rows[..count]) {
                    *to = from[row + tap.weight];
                }
            }
        }
    });
    packed
}

/// A run of vectors and the points in it.
struct Span {
    /// Position of the first lane, in the run of its image.
    at: usize,
    vectors: usize,
    /// The one row that all lanes lie in, and where; `None` where lanes fall into gaps.
    within: Option<[usize; 3]>,
}

/// One call's plan.
pub(super) struct Plan<'a> {
    pub(super) isa: Isa,
    pub(super) sweep: &'a Sweep,
    pub(super) operands: &'a Operands<'a>,
    pub(super) canvas: Canvas,
    layout: Layout,
    /// Points of the outer axis in one task.
    band: usize,
    /// Samples in one task.
    samples: usize,
    /// Offsets of all steps, in stretches that are summed at once.
    pub(super) offsets: Vec<Offsets>,
}

impl<'a> Plan<'a> {
    #[expect(clippy::cast_precision_loss, reason = "costs are estimates")]
    fn new(isa: Isa, sweep: &'a Sweep, operands: &'a Operands<'a>) -> Self {
        let lanes = isa.lanes();
        let slack = WIDEST * lanes;
        let Channels { deep, wide, .. } = operands.channels;
        let [planes, rows, columns] = sweep.points;
        let points = planes * rows * columns;
        let steps = (deep * sweep.taps.len()) as f64;
        let whole = Canvas::new(sweep, planes, slack);

        // Vector operations per useful lane, as a tile of 8 rows sees them.
        let copied = 17.0 / steps;
        let row_vectors = columns.div_ceil(lanes);
        let mut by_rows = tiles_cost(row_vectors, 3) * lanes as f64 / columns as f64;
        if !columns.is_multiple_of(lanes) {
            by_rows += copied / row_vectors as f64;
        }
        let last = whole.position([planes - 1, rows - 1, columns - 1]) + 1;
        let by_run = last.next_multiple_of(lanes) as f64 / points as f64 + copied;
        let samples = packed_samples(operands.batch, points, lanes);
        let packed_points = (samples * points).next_multiple_of(lanes) as f64 / (samples * points) as f64;
        // A stretch of neighbouring points is copied in about 14 cycles; 8 rows take half a cycle each.
        let stretches = lanes as f64 / columns as f64 + 0.5;
        let by_packing = packed_points + stretches * 14.0 / (4 * wide.div_ceil(BLOCK)) as f64 + copied;
        let mut best = if by_rows <= by_run { (by_rows, Layout::Rows) } else { (by_run, Layout::Run) };
        if by_packing < best.0 && points <= PACKED_POINTS {
            best = (by_packing, Layout::Packed);
        }
        let numbers = deep * Canvas::new(sweep, planes, lanes).channel_len();
        let mut piece_samples = 1;
        if wide >= BLOCK && numbers <= CANVAS_NUMBERS {
            for piece in [16, 8, 4].into_iter().filter(|&piece| piece <= lanes) {
                let layout = PieceLayout { planes, rows, columns, piece, lanes };
                let samples = layout.samples(operands.batch, CANVAS_NUMBERS / numbers.max(1));
                let by_pieces = layout.cost(samples) * lanes as f64 / points as f64 + copied;
                if by_pieces < best.0 {
                    best = (by_pieces, Layout::Pieces(piece));
                    piece_samples = samples;
                }
            }
        }
        let layout = best.1;

        let (band, samples, slack) = match layout {
            Layout::Packed => (planes, samples, slack),
            Layout::Pieces(_) => (planes, piece_samples, lanes),
            Layout::Rows | Layout::Run => {
                let fits = |band: usize| deep * Canvas::new(sweep, band, slack).channel_len() <= CANVAS_NUMBERS;
                let split = TASKS.div_ceil(operands.batch).clamp(1, planes.div_ceil(4));
                let mut band = planes.div_ceil(split);
                while band > 4 && !fits(band) {
                    band = band.div_ceil(2);
                }
                (band, 1, slack)
            }
        };
        let canvas = Canvas::new(sweep, band, slack);
        let offsets = (0..deep).flat_map(|channel| {
            let canvas = &canvas;
            sweep.taps.iter().map(move |tap| narrow(channel * canvas.channel_len() + canvas.offset(tap)))
        });
        let offsets: Vec<u32> = offsets.collect();
        let offsets = offsets.chunks(STEPS_AT_ONCE).map(|steps| Offsets::new(steps.to_vec())).collect();
        Self { isa, sweep, operands, canvas, layout, band, samples, offsets }
    }

    /// Vectors of the widest tile: few rows leave registers for more of them.
    pub(super) fn most_vectors(&self) -> usize {
        if self.operands.channels.wide <= 4 && self.isa == Isa::Avx512 { WIDEST } else { 3 }
    }

    pub(super) fn steps(&self) -> usize {
        self.operands.channels.deep * self.sweep.taps.len()
    }

    /// Vectors of one task's band, tile by tile.
    fn spans(&self, band: &Range<usize>) -> Vec<Span> {
        let lanes = self.isa.lanes();
        let [_, rows, columns] = self.sweep.points;
        let mut spans = Vec::new();
        if self.layout == Layout::Rows {
            for plane in 0..band.len() {
                for row in 0..rows {
                    let mut column = 0;
                    for vectors in even_tiles(columns.div_ceil(lanes), self.most_vectors()) {
                        let point = [plane, row, column];
                        let at = self.canvas.position(point);
                        let whole = column + vectors * lanes <= columns;
                        spans.push(Span { at, vectors, within: whole.then_some(point) });
                        column += vectors * lanes;
                    }
                }
            }
        } else {
            let run = self.canvas.position([band.len() - 1, rows - 1, columns - 1]) + 1;
            let mut at = 0;
            for vectors in even_tiles(run.div_ceil(lanes), self.most_vectors()) {
                spans.push(Span { at, vectors, within: None });
                at += vectors * lanes;
            }
        }
        spans
    }

    /// Index of a point in the target, without its channel.
    fn target_point(&self, point: [usize; 3]) -> usize {
        let [plane, row, column]: [usize; 3] =
            std::array::from_fn(|axis| point[axis] * self.sweep.target_step[axis] + self.sweep.target_start[axis]);
        (plane * self.sweep.target[1] + row) * self.sweep.target[2] + column
    }

    pub(super) fn start_rows(&self, channel: usize, rows: usize) -> [f32; BLOCK] {
        let mut start = [0.0; BLOCK];
        if let Some(bias) = self.operands.bias {
            start[..rows].copy_from_slice(&bias[channel..channel + rows]);
        }
        start
    }

    pub(super) fn fill_canvas(&self, sample: usize, group: usize, band: &Range<usize>, canvas: &mut [f32]) {
        let Channels { groups, deep, .. } = self.operands.channels;
        let points: usize = self.sweep.source.iter().product();
        for (channel, place) in canvas.chunks_exact_mut(self.canvas.channel_len()).take(deep).enumerate() {
            let at = ((sample * groups + group) * deep + channel) * points;
            self.canvas.fill(&self.operands.source[at..at + points], band, place);
        }
    }

    /// Writes a stretch of one row of points.
    ///
    /// # Safety
    /// Nobody else writes these points of this channel.
    #[expect(unsafe_code, reason = "tasks write disjoint points of one buffer")]
    pub(super) unsafe fn write(&self, target: &Shared, plane: usize, point: [usize; 3], values: &[f32]) {
        let at = plane * self.sweep.target.iter().product::<usize>() + self.target_point(point);
        // SAFETY: the caller's word.
        unsafe { target.write(at, self.sweep.target_step[2], values) }
    }

    /// One sample's band: every tile for every block of channels.
    fn task(&self, packed: &[f32], sample: usize, band: &Range<usize>, target: &Shared) {
        let Channels { groups, deep, wide } = self.operands.channels;
        let lanes = self.isa.lanes();
        let blocks = wide.div_ceil(BLOCK);
        let steps = self.steps();
        let target_points: usize = self.sweep.target.iter().product();
        let spans = self.spans(band);
        let whole_rows = self.sweep.target_step[2] == 1;
        let columns = std::array::from_fn(|vector| vector * lanes);
        let canvas_len = deep * self.canvas.channel_len() + WIDEST * lanes;
        let block_len = BLOCK * 3 * lanes;
        with_scratch(canvas_len + blocks * block_len, |space| {
            let (canvas, sums) = space.split_at_mut(canvas_len);
            for group in 0..groups {
                self.fill_canvas(sample, group, band, canvas);
                for span in &spans {
                    let mut first = 0;
                    for offsets in &self.offsets {
                        let last = first + offsets.len();
                        for block in 0..blocks {
                            let rows = BLOCK.min(wide - block * BLOCK);
                            let channel = group * wide + block * BLOCK;
                            let begin = self.start_rows(channel, rows);
                            let factors = &packed[(group * blocks + block) * steps * BLOCK..];
                            let tile = Tile {
                                factors: &factors[first * BLOCK..last * BLOCK],
                                offsets,
                                source: canvas,
                                base: span.at,
                                columns,
                                parts: 1,
                                rows,
                                vectors: span.vectors,
                                start: if first == 0 { Start::Rows(&begin) } else { Start::Keep },
                                relu: self.operands.relu && last == steps,
                            };
                            let plane = sample * groups * wide + channel;
                            match span.within {
                                Some([outer, row, column]) if whole_rows && rows.is_power_of_two() => {
                                    let point = self.target_point([outer + band.start, row, column]);
                                    let len = (rows - 1) * target_points + span.vectors * lanes;
                                    let to = target.pointer(plane * target_points + point, len);
                                    // SAFETY: `pointer` has found the tile's rows inside the target; only its own
                                    // columns are touched, which are points of one row of this task's own band.
                                    #[expect(unsafe_code, reason = "tasks write disjoint points of one buffer")]
                                    unsafe {
                                        tile.run_at(self.isa, to, target_points);
                                    }
                                }
                                _ => {
                                    let sums = &mut sums[block * block_len..][..block_len];
                                    tile.run(self.isa, sums, span.vectors * lanes);
                                    if last == steps {
                                        self.scatter(span, band, plane, sums, rows, target);
                                    }
                                }
                            }
                        }
                        first = last;
                    }
                }
            }
        });
    }

    /// Writes a tile's points and drops what fell into gaps.
    fn scatter(&self, span: &Span, band: &Range<usize>, plane: usize, sums: &[f32], rows: usize, target: &Shared) {
        let len = span.vectors * self.isa.lanes();
        let [columns, plane_pitch] = self.canvas.pitch;
        let [_, point_rows, point_columns] = self.sweep.points;
        let mut lane = 0;
        while lane < len {
            let at = span.at + lane;
            let (outer, row, column) = (at / plane_pitch, at % plane_pitch / columns, at % columns);
            if outer >= band.len() {
                break;
            }
            let to_gap = (columns - column).min(len - lane);
            if row < point_rows && column < point_columns {
                let taken = to_gap.min(point_columns - column);
                for channel in 0..rows {
                    let values = &sums[channel * len + lane..][..taken];
                    // SAFETY: this task alone writes this sample's band.
                    #[expect(unsafe_code, reason = "tasks write disjoint points of one buffer")]
                    unsafe {
                        self.write(target, plane + channel, [outer + band.start, row, column], values);
                    }
                }
            }
            lane += to_gap;
        }
    }
}

/// What tiles cost, in vectors of a wide tile: in a narrow one the loads of the factors and the latency of its few sums
/// show.
pub(super) fn tiles_cost(vectors: usize, most: usize) -> f64 {
    let cost = |width: &usize| match width {
        1 => 1.4,
        2 => 2.2,
        &width => f64::from(u8::try_from(width).unwrap_or(u8::MAX)),
    };
    even_tiles(vectors, most).iter().map(cost).sum()
}

/// Splits a number of vectors into tiles of nearly the same width.
pub(super) fn even_tiles(vectors: usize, most: usize) -> Vec<usize> {
    let allowed: &[usize] = if most == WIDEST {
        &[6, 3, 2, 1]
    } else if most >= 3 {
        &[3, 2, 1]
    } else {
        &[1]
    };
    let mut left = vectors;
    let mut tiles = Vec::new();
    while left > 0 {
        // Four vectors are better two and two than three and one.
        let tile =
            if left == 4 && most == 3 { 2 } else { allowed.iter().copied().find(|&tile| tile <= left).unwrap_or(1) };
        tiles.push(tile);
        left -= tile;
    }
    tiles
}

/// Offsets have 32 bits; `ConvShape::output` keeps every sample below that.
pub(super) fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// Runs a sweep: writes every one of its points in every channel of the target.
pub(super) fn run(isa: Isa, sweep: &Sweep, operands: &Operands, target: &Shared) {
    let Channels { groups, wide, .. } = operands.channels;
    let plan = Plan::new(isa, sweep, operands);
    let packed = pack_weights(isa, sweep, operands);
    let bands = sweep.points[0].div_ceil(plan.band);
    let sample_groups = operands.batch.div_ceil(plan.samples);
    (0..sample_groups * bands).into_par_iter().for_each(|task| {
        let (first, band) = (task / bands * plan.samples, task % bands * plan.band);
        let band = band..(band + plan.band).min(sweep.points[0]);
        if sweep.taps.is_empty() {
            // No tap falls onto these points.
            let zeros = vec![0.0; sweep.points[2]];
            for plane in first * groups * wide..(first + plan.samples).min(operands.batch) * groups * wide {
                for line in 0..band.len() * sweep.points[1] {
                    let point = [band.start + line / sweep.points[1], line % sweep.points[1], 0];
                    // SAFETY: this task alone writes these samples' band.
                    #[expect(unsafe_code, reason = "tasks write disjoint points of one buffer")]
                    unsafe {
                        plan.write(target, plane, point, &zeros);
                    }
                }
            }
            return;
        }
        let samples = first..(first + plan.samples).min(operands.batch);
        match plan.layout {
            Layout::Packed => plan.packed_task(&packed, &samples, target),
            Layout::Pieces(piece) => plan.pieces_task(piece, &packed, &samples, target),
            Layout::Rows | Layout::Run => plan.task(&packed, first, &band, target),
        }
    });
}
