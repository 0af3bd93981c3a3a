//! Where the points of one grid lie in another, counted in the other's voxels.

use super::ResampleError;
use crate::Geometry;
use crate::reorient::Turn;

/// Treating axes as alike may move no point further than this, in source voxels.
const ALIKE: f64 = 1e-4;
/// A point this far beyond half a voxel still counts as within it: rounding of 64-bit numbers over long axes.
const ROUNDING: f64 = 1e-6;

/// Source place of a target point, slowest axis first: `place = first + Σ steps[.][axis] · point[axis]`.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// Points of the source.
    pub(crate) from: [usize; 3],
    /// Points of the target.
    pub(crate) to: [usize; 3],
    /// `steps[source axis][target axis]`.
    pub(crate) steps: [[f64; 3]; 3],
    /// Place of the target's first point.
    pub(crate) first: [f64; 3],
}

/// Places along one axis: `first + step · n`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    pub(crate) first: f64,
    pub(crate) step: f64,
}

/// A relation whose axes run alike after a turn of the source.
#[derive(Debug, Clone)]
pub(crate) struct Aligned {
    /// Points of the source, before the turn.
    pub(crate) from: [usize; 3],
    /// Points of the target.
    pub(crate) to: [usize; 3],
    /// What brings the source's axes into the target's order; it reverses none.
    pub(crate) turn: Turn,
    /// Places along each axis of the turned source.
    pub(crate) lines: [Line; 3],
}

impl Line {
    pub(crate) fn at(&self, n: usize) -> f64 {
        self.first + self.step * n as f64
    }

    /// Whether every place is a point of the source, in order.
    pub(crate) fn is_identity(&self, from: usize, to: usize) -> bool {
        let last = (to - 1) as f64;
        from == to && self.first.abs() < ROUNDING && (self.at(to - 1) - last).abs() < ROUNDING
    }
}

/// Whether a place lies within half a voxel of the points of an axis.
pub(crate) fn is_within(place: f64, points: usize) -> bool {
    place >= -0.5 - ROUNDING && place <= points as f64 - 0.5 + ROUNDING
}

impl Relation {
    pub(crate) fn new<const D: usize>(from: &Geometry<D>, to: &Geometry<D>) -> Result<Self, ResampleError> {
        let unrelated = || ResampleError::Unrelated { from: from.to_string(), to: to.to_string() };
        let as_three = |grid: &Geometry<D>| {
            let shape = grid.shape();
            std::array::from_fn(|axis| if axis + D < 3 { 1 } else { shape[axis + D - 3] })
        };
        let mut relation = Self { from: as_three(from), to: as_three(to), steps: [[0.0; 3]; 3], first: [0.0; 3] };
        if let (Some(source), Some(target)) = (from.affine(), to.affine()) {
            // A placed grid has an inverse; it was checked when it was made.
            let back = source.inverse().ok_or_else(unrelated)?;
            let start = back.world_mm(target.world_mm([0.0; 3]));
            for source_axis in 0..3 {
                relation.first[source_axis] = start[2 - source_axis];
                for target_axis in 0..3 {
                    let step = |n: usize| back.matrix[2 - source_axis][n] * target.matrix[n][2 - target_axis];
                    relation.steps[source_axis][target_axis] = (0..3).map(step).sum();
                }
            }
            return Ok(relation);
        }
        if from.affine().is_some() || to.affine().is_some() {
            return Err(unrelated());
        }
        let step: [f64; D] = match (from.spacing_mm(), to.spacing_mm()) {
            (Some(source), Some(target)) => std::array::from_fn(|axis| target[axis] / source[axis]),
            (None, None) => std::array::from_fn(|axis| from.shape()[axis] as f64 / to.shape()[axis] as f64),
            _ => return Err(unrelated()),
        };
        for axis in 0..3 {
            let scale = if axis + D < 3 { 1.0 } else { step[axis + D - 3] };
            let middle = |points: usize| (points as f64 - 1.0) / 2.0;
            relation.steps[axis][axis] = scale;
            relation.first[axis] = middle(relation.from[axis]) - scale * middle(relation.to[axis]);
        }
        Ok(relation)
    }

    /// The same axis by axis, where that moves no point visibly.
    pub(crate) fn aligned(&self) -> Option<Aligned> {
        let mut axes = [0; 3];
        let mut lines = [Line { first: 0.0, step: 0.0 }; 3];
        let mut taken = [false; 3];
        for target in 0..3 {
            let size = |source: usize| self.steps[source][target].abs();
            let source = (0..3).filter(|&source| !taken[source]).max_by(|&a, &b| size(a).total_cmp(&size(b)))?;
            taken[source] = true;
            axes[target] = source;
            lines[target] = Line { first: self.first[source], step: self.steps[source][target] };
        }
        let stray = |source: usize| {
            let moves = |target: usize| (self.to[target] - 1) as f64 * self.steps[source][target].abs();
            (0..3).filter(|&target| axes[target] != source).map(moves).sum::<f64>()
        };
        let is_alike = (0..3).all(|source| stray(source) <= ALIKE);
        is_alike.then_some(Aligned { from: self.from, to: self.to, turn: Turn { axes, reversed: [false; 3] }, lines })
    }

    /// Source voxels that one step along every target axis passes along a source axis: how much finer the source is.
    pub(crate) fn step_along(&self, source: usize) -> f64 {
        self.steps[source].iter().map(|step| step * step).sum::<f64>().sqrt()
    }
}

impl Aligned {
    /// Sets every point of `values` (channels in front) that lies beyond the source.
    pub(crate) fn fill_outside<T: Copy>(&self, values: &mut [T], value: T) {
        let points = self.turn.shape(self.from);
        let within: [Vec<bool>; 3] = std::array::from_fn(|axis| {
            (0..self.to[axis]).map(|n| is_within(self.lines[axis].at(n), points[axis])).collect()
        });
        if within.iter().flatten().all(|&within| within) {
            return;
        }
        let [_, rows, columns] = self.to;
        for (n, slice) in values.chunks_exact_mut(rows * columns).enumerate() {
            let slice_within = within[0][n % self.to[0]];
            for (row, row_within) in slice.chunks_exact_mut(columns).zip(&within[1]) {
                for (place, within) in row.iter_mut().zip(&within[2]) {
                    if !(slice_within && *row_within && *within) {
                        *place = value;
                    }
                }
            }
        }
    }
}
