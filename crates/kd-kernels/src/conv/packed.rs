//! Small maps of many channels: the points of several samples are copied side by side, panel by panel, once for all
//! output channels.

use std::ops::Range;

use super::engine::{Channels, Plan, STEPS_AT_ONCE, narrow};
use crate::scratch_space::with_scratch;
use crate::shared::Shared;
use crate::simd::{BLOCK, Offsets, Start, Tile, WIDEST};

/// Points that a packed task takes at most.
pub(super) const PACKED_POINTS: usize = 384;

/// Neighbouring points, in the canvases and in a packed tile.
struct Piece {
    from: usize,
    tile: usize,
    lane: usize,
    len: usize,
}

impl Piece {
    /// Copies the points for one step of a panel of `steps` steps.
    fn copy(&self, canvas: &[f32], offset: usize, panel: &mut [f32], step: usize, width: usize, steps: usize) {
        let from = &canvas[offset + self.from..];
        let to = &mut panel[(self.tile * steps + step) * width..][..width][self.lane..];
        if to.len() >= self.len.next_multiple_of(8) {
            // Eight at a time; what is copied too much is overwritten by the pieces that follow.
            let copies = self.len.div_ceil(8);
            let (to, from) = (to.as_chunks_mut::<8>().0, from.as_chunks::<8>().0);
            to[..copies].copy_from_slice(&from[..copies]);
        } else {
            to[..self.len].copy_from_slice(&from[..self.len]);
        }
    }
}

impl Plan<'_> {
    /// Several samples: their points side by side, panel by panel.
    pub(super) fn packed_task(&self, packed: &[f32], samples: &Range<usize>, target: &Shared) {
        let Channels { groups, deep, wide } = self.operands.channels;
        let lanes = self.isa.lanes();
        let most = self.most_vectors();
        let width = most * lanes;
        let blocks = wide.div_ceil(BLOCK);
        let steps = self.steps();
        let [planes, rows, columns] = self.sweep.points;
        let points = planes * rows * columns;
        let sample_len = deep * self.canvas.channel_len();
        let total = samples.len() * points;
        let tiles = total.div_ceil(width);
        let pieces = self.pieces(samples.len(), sample_len, width);
        let canvases = samples.len() * sample_len + WIDEST * lanes;
        let sums_len = tiles * width * blocks * BLOCK;
        let panel_len = tiles * width * STEPS_AT_ONCE.min(steps);
        with_scratch(canvases + sums_len + panel_len, |space| {
            let (canvas, rest) = space.split_at_mut(canvases);
            let (sums, panel) = rest.split_at_mut(sums_len);
            for group in 0..groups {
                for (sample, canvas) in samples.clone().zip(canvas.chunks_exact_mut(sample_len)) {
                    self.fill_canvas(sample, group, &(0..planes), canvas);
                }
                let mut first = 0;
                for offsets in &self.offsets {
                    let here = offsets.len();
                    for (step, &offset) in offsets.as_slice().iter().enumerate() {
                        for piece in &pieces {
                            piece.copy(canvas, offset as usize, panel, step, width, here);
                        }
                    }
                    let in_panel = Offsets::new((0..here).map(|step| narrow(step * width)).collect());
                    for tile in 0..tiles {
                        for block in 0..blocks {
                            let count = BLOCK.min(wide - block * BLOCK);
                            let begin = self.start_rows(group * wide + block * BLOCK, count);
                            let factors = &packed[((group * blocks + block) * steps + first) * BLOCK..];
                            Tile {
                                factors: &factors[..here * BLOCK],
                                offsets: &in_panel,
                                source: &panel[tile * width * here..][..width * here],
                                base: 0,
                                columns: std::array::from_fn(|vector| vector * lanes),
                                parts: 1,
                                rows: count,
                                vectors: (total - tile * width).div_ceil(lanes).min(most),
                                start: if first == 0 { Start::Rows(&begin) } else { Start::Keep },
                                relu: self.operands.relu && first + here == steps,
                            }
                            .run(
                                self.isa,
                                &mut sums[(block * tiles + tile) * width * BLOCK..][..width * BLOCK],
                                width,
                            );
                        }
                    }
                    first += here;
                }
                self.write_packed(samples, group, tiles * width, width, sums, target);
            }
        });
    }

    /// The stretches of neighbouring points of packed samples.
    fn pieces(&self, samples: usize, sample_len: usize, width: usize) -> Vec<Piece> {
        let [planes, rows, columns] = self.sweep.points;
        let mut pieces = Vec::new();
        for line in 0..samples * planes * rows {
            let (sample, in_sample) = (line / (planes * rows), line % (planes * rows));
            let from = sample * sample_len + self.canvas.position([in_sample / rows, in_sample % rows, 0]);
            let mut column = 0;
            while column < columns {
                let (tile, lane) = ((line * columns + column) / width, (line * columns + column) % width);
                let len = (width - lane).min(columns - column);
                pieces.push(Piece { from: from + column, tile, lane, len });
                column += len;
            }
        }
        pieces
    }

    fn write_packed(
        &self,
        samples: &Range<usize>,
        group: usize,
        total: usize,
        width: usize,
        sums: &[f32],
        target: &Shared,
    ) {
        let Channels { groups, wide, .. } = self.operands.channels;
        let [planes, rows, columns] = self.sweep.points;
        for channel in 0..wide {
            let (block, row_in_block) = (channel / BLOCK, channel % BLOCK);
            let mut index = 0;
            for sample in samples.clone() {
                let plane = (sample * groups + group) * wide + channel;
                for outer in 0..planes {
                    for row in 0..rows {
                        let mut column = 0;
                        while column < columns {
                            let (tile, lane) = (index / width, index % width);
                            let taken = (width - lane).min(columns - column);
                            let at = block * total * BLOCK + tile * width * BLOCK + row_in_block * width + lane;
                            // SAFETY: this task alone writes these samples.
                            #[expect(unsafe_code, reason = "tasks write disjoint points of one buffer")]
                            unsafe {
                                self.write(target, plane, [outer, row, column], &sums[at..at + taken]);
                            }
                            column += taken;
                            index += taken;
                        }
                    }
                }
            }
        }
    }
}

/// Samples that a packed task takes: as many as fill the vectors best, leaving at least 8 tasks.
pub(super) fn packed_samples(batch: usize, points: usize, lanes: usize) -> usize {
    let most = (batch / 8).min(PACKED_POINTS / points.max(1)).max(1);
    let waste = |samples: usize| (samples * points).next_multiple_of(lanes) * most / samples;
    (1..=most).min_by_key(|&samples| waste(samples)).unwrap_or(1)
}
