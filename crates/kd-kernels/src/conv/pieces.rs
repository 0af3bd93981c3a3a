//! Small maps: a vector takes pieces of several rows, of as many samples as a core's cache holds, straight from where
//! they are drawn. Seven columns fill seven of eight lanes, four fill four of four.

use std::ops::Range;

use super::engine::{Channels, Plan, even_tiles, tiles_cost};
use crate::scratch_space::with_scratch;
use crate::shared::Shared;
use crate::simd::{BLOCK, PIECES, Start, Tile};

/// How the points of a map fall into pieces and vectors.
#[derive(Debug, Clone, Copy)]
pub(super) struct PieceLayout {
    pub(super) planes: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Lanes of a piece.
    pub(super) piece: usize,
    /// Lanes of a vector.
    pub(super) lanes: usize,
}

impl PieceLayout {
    fn vectors(&self, samples: usize) -> usize {
        let pieces = samples * self.planes * self.rows * self.columns.div_ceil(self.piece);
        (pieces * self.piece).div_ceil(self.lanes)
    }

    /// Vectors of a wide tile that a sample costs.
    #[expect(clippy::cast_precision_loss, reason = "costs are estimates")]
    pub(super) fn cost(&self, samples: usize) -> f64 {
        // More, and narrower, loads a vector.
        let loads = match self.lanes / self.piece {
            1 => 1.0,
            2 => 1.02,
            _ => 1.06,
        };
        loads * tiles_cost(self.vectors(samples), 3) / samples as f64
    }

    /// Samples that a task takes: as many as fill the vectors best, leaving at least 8 tasks.
    pub(super) fn samples(&self, batch: usize, most: usize) -> usize {
        let most = (batch / 8).clamp(1, most.max(1));
        (1..=most).min_by(|&left, &right| self.cost(left).total_cmp(&self.cost(right))).unwrap_or(1)
    }
}

/// Neighbouring points of one row of one sample.
struct Piece {
    sample: usize,
    point: [usize; 3],
    len: usize,
}

impl Plan<'_> {
    /// Several samples: every tile for every block of channels.
    pub(super) fn pieces_task(&self, piece: usize, packed: &[f32], samples: &Range<usize>, target: &Shared) {
        let Channels { groups, deep, wide } = self.operands.channels;
        let lanes = self.isa.lanes();
        let parts = lanes / piece;
        let blocks = wide.div_ceil(BLOCK);
        let steps = self.steps();
        let [planes, rows, columns] = self.sweep.points;
        let sample_len = deep * self.canvas.channel_len();
        let all = pieces(samples.len(), [planes, rows, columns], piece);
        let canvases = samples.len() * sample_len + lanes;
        let block_len = BLOCK * 3 * lanes;
        with_scratch(canvases + blocks * block_len, |space| {
            let (canvas, sums) = space.split_at_mut(canvases);
            for group in 0..groups {
                for (sample, canvas) in samples.clone().zip(canvas.chunks_exact_mut(sample_len)) {
                    self.fill_canvas(sample, group, &(0..planes), canvas);
                }
                let mut rest = all.as_slice();
                for vectors in even_tiles(all.len().div_ceil(parts), 3) {
                    let (here, after) = rest.split_at(rest.len().min(vectors * parts));
                    rest = after;
                    // Where pieces are wanting at the end, the last one is read again.
                    let columns: [usize; PIECES] = std::array::from_fn(|index| {
                        let piece = &here[index.min(here.len() - 1)];
                        piece.sample * sample_len + self.canvas.position(piece.point)
                    });
                    let mut first = 0;
                    for offsets in &self.offsets {
                        let last = first + offsets.len();
                        for (block, sums) in sums.chunks_exact_mut(block_len).enumerate() {
                            let count = BLOCK.min(wide - block * BLOCK);
                            let begin = self.start_rows(group * wide + block * BLOCK, count);
                            let factors = &packed[(group * blocks + block) * steps * BLOCK..];
                            Tile {
                                factors: &factors[first * BLOCK..last * BLOCK],
                                offsets,
                                source: canvas,
                                base: 0,
                                columns,
                                parts,
                                rows: count,
                                vectors,
                                start: if first == 0 { Start::Rows(&begin) } else { Start::Keep },
                                relu: self.operands.relu && last == steps,
                            }
                            .run(self.isa, sums, vectors * lanes);
                        }
                        first = last;
                    }
                    for (block, sums) in sums.chunks_exact(block_len).enumerate() {
                        for row in 0..BLOCK.min(wide - block * BLOCK) {
                            let values = &sums[row * vectors * lanes..][..vectors * lanes];
                            for (values, to) in values.chunks_exact(piece).zip(here) {
                                let channel = group * wide + block * BLOCK + row;
                                let plane = (samples.start + to.sample) * groups * wide + channel;
                                // SAFETY: this task alone writes these samples.
                                #[expect(unsafe_code, reason = "tasks write disjoint points of one buffer")]
                                unsafe {
                                    self.write(target, plane, to.point, &values[..to.len]);
                                }
                            }
                        }
                    }
                }
            }
        });
    }
}

fn pieces(samples: usize, [planes, rows, columns]: [usize; 3], piece: usize) -> Vec<Piece> {
    let lines = (0..samples * planes * rows).map(|line| (line / (planes * rows), line % (planes * rows)));
    lines
        .flat_map(|(sample, line)| {
            (0..columns).step_by(piece).map(move |column| Piece {
                sample,
                point: [line / rows, line % rows, column],
                len: piece.min(columns - column),
            })
        })
        .collect()
}
