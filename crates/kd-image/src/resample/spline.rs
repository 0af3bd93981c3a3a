//! From values to the coefficients of the cubic B-spline that passes through them.
//!
//! A recursive filter, once forward and once backward along each line; the line is mirrored at its outermost points.

use rayon::prelude::*;

/// The root of z² + 4z + 1 inside of the unit circle.
const POLE: f64 = -0.267_949_192_431_122_7;
/// (1 − z)(1 − 1/z) of that root.
const GAIN: f64 = 6.0;
/// Values of a row that are filtered together: they fit into the nearest cache along with their neighbours.
const BLOCK: usize = 1024;

/// Replaces values by coefficients along one axis of `points` points; `inner` values follow one another in each.
pub(super) fn coefficients(values: &mut [f32], points: usize, inner: usize) {
    // One point alone is its own spline: its mirror images are all the same.
    if points == 1 {
        return;
    }
    let start = start_weights(points);
    if inner == 1 {
        values.par_chunks_mut(points).with_min_len(64).for_each(|line| filter_line(line, &start));
        return;
    }
    // Bundles of short pieces of all rows, so that each thread has lines of its own.
    let mut bundles: Vec<Vec<&mut [f32]>> = Vec::new();
    for block in values.chunks_mut(points * inner) {
        let first = bundles.len();
        bundles.resize_with(first + inner.div_ceil(BLOCK), Vec::new);
        for row in block.chunks_mut(inner) {
            bundles[first..].iter_mut().zip(row.chunks_mut(BLOCK)).for_each(|(bundle, piece)| bundle.push(piece));
        }
    }
    bundles.into_par_iter().for_each(|mut rows| filter_rows(&mut rows, &start));
}

/// Weights of the values in the first coefficient: the sum over all mirror images of the line, in closed form.
fn start_weights(points: usize) -> Vec<f64> {
    // Powers far below 1e-300 are 0 whatever their exponent, so it may stop at 2^30.
    let power = |exponent: usize| POLE.powi(i32::try_from(exponent.min(1 << 30)).unwrap_or(i32::MAX));
    let round = 2 * (points - 1);
    let scale = GAIN / (1.0 - power(round));
    let weight = |k: usize| if k == 0 || k == points - 1 { power(k) } else { power(k) + power(round - k) };
    // Each is about a quarter of the one before; those that cannot change a 64-bit sum are left out.
    (0..points).map(|k| scale * weight(k)).take_while(|weight| weight.abs() > 1e-20).collect()
}

#[allow(clippy::cast_possible_truncation)] // values are single precision by design
fn filter_line(line: &mut [f32], start: &[f64]) {
    let last = line.len() - 1;
    let mut before: f64 = start.iter().zip(&*line).map(|(weight, &value)| weight * f64::from(value)).sum();
    line[0] = before as f32;
    for value in &mut line[1..] {
        before = GAIN * f64::from(*value) + POLE * before;
        *value = before as f32;
    }
    let mut after = POLE / (POLE * POLE - 1.0) * (before + POLE * f64::from(line[last - 1]));
    line[last] = after as f32;
    for value in line[..last].iter_mut().rev() {
        after = POLE * (after - f64::from(*value));
        *value = after as f32;
    }
}

/// As [`filter_line`], many lines side by side.
#[allow(clippy::cast_possible_truncation)] // values are single precision by design
fn filter_rows(rows: &mut [&mut [f32]], start: &[f64]) {
    const Z: f32 = POLE as f32;
    const G: f32 = GAIN as f32;
    let last = rows.len() - 1;
    let mut first = vec![0.0f64; rows[0].len()];
    for (weight, row) in start.iter().zip(&*rows) {
        first.iter_mut().zip(row.iter()).for_each(|(sum, &value)| *sum += weight * f64::from(value));
    }
    rows[0].iter_mut().zip(&first).for_each(|(value, &sum)| *value = sum as f32);
    for n in 1..=last {
        let (done, rest) = rows.split_at_mut(n);
        rest[0].iter_mut().zip(done[n - 1].iter()).for_each(|(value, before)| *value = G * *value + Z * before);
    }
    let (done, end) = rows.split_at_mut(last);
    let scale = (POLE / (POLE * POLE - 1.0)) as f32;
    end[0].iter_mut().zip(done[last - 1].iter()).for_each(|(value, before)| *value = scale * (*value + Z * before));
    for n in (0..last).rev() {
        let (rest, done) = rows.split_at_mut(n + 1);
        rest[n].iter_mut().zip(done[0].iter()).for_each(|(value, after)| *value = Z * (after - *value));
    }
}
