//! A source with room for its zeros, so that no tap at an edge needs a branch.
//!
//! Rows lie one after the other with a pitch a little wider than the row: the gap after a row is the padding on its
//! right and on the next row's left. The same holds for rows between planes. A run of neighbouring outputs, gaps
//! included, then reads a run of neighbouring numbers for every tap.

use std::ops::Range;

use super::sweep::{Sweep, Tap};

/// The layout of one band of a sweep's source, for one channel.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    source: [usize; 3],
    step: [usize; 3],
    /// Zeros before the first point of each axis.
    lead: [usize; 3],
    /// Steps of one row and of one plane.
    pub(super) pitch: [usize; 2],
    /// Numbers of one phase of one channel.
    phase_len: usize,
    /// The phases that any tap reads, in order.
    phases: Vec<[usize; 3]>,
    /// Outer points that any tap reads before the band's first and after its last point.
    reach: [isize; 2],
}

impl Canvas {
    /// A layout for bands of at most `band` points of the outer axis. `slack` numbers behind a phase may be read.
    pub(super) fn new(sweep: &Sweep, band: usize, slack: usize) -> Self {
        let content: [usize; 3] = std::array::from_fn(|axis| sweep.source[axis].div_ceil(sweep.step[axis]));
        let least: [isize; 3] =
            std::array::from_fn(|axis| sweep.taps.iter().map(|tap| tap.shift[axis]).min().unwrap_or(0));
        let most: [isize; 3] =
            std::array::from_fn(|axis| sweep.taps.iter().map(|tap| tap.shift[axis]).max().unwrap_or(0));
        let lead = least.map(|shift| (-shift).max(0).unsigned_abs());
        let end = |axis: usize, points: usize| points + most[axis].max(0).unsigned_abs();
        let columns = (content[2] + lead[2]).max(end(2, sweep.points[2]));
        let rows = (content[1] + lead[1]).max(end(1, sweep.points[1]));
        let planes = lead[0] + end(0, band);
        let inner = lead[1] * columns + lead[2];
        let mut phase_len = (planes * rows * columns + inner + slack).next_multiple_of(16);
        // Phases that lie a multiple of 4 KiB apart would all fall into the same cache sets.
        if phase_len.is_multiple_of(256) {
            phase_len += 16;
        }
        let mut phases: Vec<_> = sweep.taps.iter().map(|tap| tap.phase).collect();
        phases.sort_unstable();
        phases.dedup();
        Self {
            source: sweep.source,
            step: sweep.step,
            lead,
            pitch: [columns, rows * columns],
            phase_len,
            phases,
            reach: [least[0], most[0]],
        }
    }

    /// Numbers of one channel.
    pub(super) fn channel_len(&self) -> usize {
        self.phases.len() * self.phase_len
    }

    /// Where a tap's source of the band's first point lies within a channel.
    pub(super) fn offset(&self, tap: &Tap) -> usize {
        let phase = self.phases.iter().position(|phase| *phase == tap.phase).unwrap_or(0);
        let [plane, row, column]: [usize; 3] =
            std::array::from_fn(|axis| self.lead[axis].wrapping_add_signed(tap.shift[axis]));
        phase * self.phase_len + plane * self.pitch[1] + row * self.pitch[0] + column
    }

    /// The run position of a point, relative to the band's first one.
    pub(super) fn position(&self, point: [usize; 3]) -> usize {
        point[0] * self.pitch[1] + point[1] * self.pitch[0] + point[2]
    }

    /// Copies one channel of a source into its place, for the outputs `band` of the outer axis. Everything else of the
    /// place becomes 0.
    pub(super) fn fill(&self, channel: &[f32], band: &Range<usize>, place: &mut [f32]) {
        let [_, source_rows, source_columns] = self.source;
        let [step_planes, step_rows, step_columns] = self.step;
        #[expect(clippy::cast_possible_wrap, reason = "sizes are bounded by ConvShape::output")]
        let first = (band.start as isize + self.reach[0]).max(0).unsigned_abs();
        #[expect(clippy::cast_possible_wrap, reason = "sizes are bounded by ConvShape::output")]
        let last = (band.end as isize - 1 + self.reach[1]).max(-1);
        for (start, target) in self.phases.iter().zip(place.chunks_exact_mut(self.phase_len)) {
            // Rows come in order: what lies between two of them is cleared on the way.
            let mut cleared = 0;
            for plane in first.. {
                let from_plane = plane * step_planes + start[0];
                #[expect(clippy::cast_possible_wrap, reason = "sizes are bounded by ConvShape::output")]
                if plane as isize > last || from_plane >= self.source[0] {
                    break;
                }
                for (row, from_row) in (start[1]..source_rows).step_by(step_rows).enumerate() {
                    let from = &channel[(from_plane * source_rows + from_row) * source_columns..][..source_columns];
                    let at = (plane + self.lead[0] - band.start) * self.pitch[1]
                        + (row + self.lead[1]) * self.pitch[0]
                        + self.lead[2];
                    target[cleared..at].fill(0.0);
                    cleared = at;
                    if step_columns == 1 {
                        target[at..at + source_columns].copy_from_slice(from);
                        cleared += source_columns;
                    } else {
                        let every = from[start[2].min(source_columns)..].iter().step_by(step_columns);
                        for (to, &value) in target[at..].iter_mut().zip(every) {
                            *to = value;
                            cleared += 1;
                        }
                    }
                }
            }
            target[cleared..].fill(0.0);
        }
    }
}
