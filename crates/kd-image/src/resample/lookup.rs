//! Point by point: nearest points of any grid, and values between points where axes cross.

use rayon::prelude::*;

use super::kernel::cubic_at;
use super::relation::{Aligned, Relation, is_within};

/// Two distances that differ by less are equal: which of two points is taken must not hang on rounding.
const TIE: f64 = 1e-6;

fn nearest_point(place: f64, points: usize) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0 to the last point
    let point = (place + 0.5 + TIE).floor().clamp(0.0, (points - 1) as f64) as usize;
    point
}

/// The value of the nearest point; beyond the source `outside`, or where that is none the nearest point's too.
pub(super) fn nearest<T: Copy + Send + Sync>(
    values: &[T],
    relation: &Relation,
    aligned: Option<&Aligned>,
    outside: Option<T>,
) -> Vec<T> {
    let from = relation.from;
    let Some(aligned) = aligned else {
        return by_point(values[0], relation, outside, |place| {
            let [z, y, x] = [0, 1, 2].map(|axis| nearest_point(place[axis], from[axis]));
            values[(z * from[1] + y) * from[2] + x]
        });
    };
    // Offsets of each axis, which add up to the place of a value.
    let strides = [from[1] * from[2], from[2], 1];
    let offsets: [Vec<usize>; 3] = std::array::from_fn(|axis| {
        let source = aligned.turn.axes[axis];
        let place = |n: usize| nearest_point(aligned.lines[axis].at(n), from[source]) * strides[source];
        (0..aligned.to[axis]).map(place).collect()
    });
    let [_, rows, columns] = aligned.to;
    let mut result = vec![values[0]; aligned.to.iter().product()];
    result.par_chunks_mut(rows * columns).zip(&offsets[0]).for_each(|(slice, from_slice)| {
        for (row, from_row) in slice.chunks_mut(columns).zip(&offsets[1]) {
            let source = &values[from_slice + from_row..];
            row.iter_mut().zip(&offsets[2]).for_each(|(value, &from)| *value = source[from]);
        }
    });
    if let Some(outside) = outside {
        aligned.fill_outside(&mut result, outside);
    }
    result
}

/// Linear between the eight points around each place.
pub(super) fn linear(values: &[f32], relation: &Relation, outside: Option<f32>) -> Vec<f32> {
    let from = relation.from;
    let strides = [from[1] * from[2], from[2], 1];
    by_point(0.0, relation, outside, |place| {
        let (mut at, mut share, mut step) = (0, [0.0f32; 3], [0; 3]);
        for axis in 0..3 {
            let last = from[axis] - 1;
            let inside = place[axis].clamp(0.0, last as f64);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0 to the last point
            let lower = (inside as usize).min(last.saturating_sub(1));
            #[allow(clippy::cast_possible_truncation)] // values are single precision by design
            let upper_share = (inside - lower as f64) as f32;
            share[axis] = upper_share;
            step[axis] = if last == 0 { 0 } else { strides[axis] };
            at += lower * strides[axis];
        }
        let between = |a: f32, b: f32, share: f32| a + (b - a) * share;
        let along_x = |at: usize| between(values[at], values[at + step[2]], share[2]);
        let along_y = |at: usize| between(along_x(at), along_x(at + step[1]), share[1]);
        between(along_y(at), along_y(at + step[0]), share[0])
    })
}

/// The cubic B-spline of `coefficients` at each place.
pub(super) fn cubic(coefficients: &[f32], relation: &Relation, outside: Option<f32>) -> Vec<f32> {
    let from = relation.from;
    by_point(0.0, relation, outside, |place| {
        let [(slices, slice_weights), (rows, row_weights), (columns, column_weights)] =
            [0, 1, 2].map(|axis| cubic_at(place[axis], from[axis]));
        let mut sum = 0.0;
        for (slice, slice_weight) in slices.iter().zip(slice_weights) {
            for (row, row_weight) in rows.iter().zip(row_weights) {
                let line = &coefficients[(slice * from[1] + row) * from[2]..][..from[2]];
                let along: f64 =
                    columns.iter().zip(column_weights).map(|(&column, w)| f64::from(line[column]) * w).sum();
                sum += slice_weight * row_weight * along;
            }
        }
        #[allow(clippy::cast_possible_truncation)] // values are single precision by design
        let value = sum as f32;
        value
    })
}

/// Fills a target grid; `value` is asked with the place of each point in the source.
fn by_point<T: Copy + Send + Sync>(
    blank: T,
    relation: &Relation,
    outside: Option<T>,
    value: impl Fn([f64; 3]) -> T + Sync,
) -> Vec<T> {
    let [slices, rows, columns] = relation.to;
    let mut result = vec![blank; slices * rows * columns];
    result.par_chunks_mut(columns).enumerate().for_each(|(n, target)| {
        let (slice, row) = ((n / rows) as f64, (n % rows) as f64);
        let start: [f64; 3] = std::array::from_fn(|axis| {
            relation.first[axis] + relation.steps[axis][0] * slice + relation.steps[axis][1] * row
        });
        for (column, target) in target.iter_mut().enumerate() {
            let place = [0, 1, 2].map(|axis| start[axis] + relation.steps[axis][2] * column as f64);
            *target = match outside {
                Some(outside) if (0..3).any(|axis| !is_within(place[axis], relation.from[axis])) => outside,
                _ => value(place),
            };
        }
    });
    result
}
