//! One axis at a time: every target row is a weighted sum of source rows.

use rayon::prelude::*;

use super::kernel::Taps;

/// Values handed to a thread at once: below this the handing over costs more than the work.
const GRAIN: usize = 1 << 14;

/// Resamples one axis of `points` points; `inner` values follow one another within each of them.
pub(super) fn along(values: &[f32], points: usize, inner: usize, taps: &Taps) -> Vec<f32> {
    let outer = values.len() / (points * inner);
    let mut result = vec![0.0; outer * taps.len() * inner];
    if inner == 1 {
        let lines = result.par_chunks_mut(taps.len()).zip(values.par_chunks(points));
        lines.with_min_len(1 + GRAIN / points).for_each(|(target, source)| line(target, source, taps));
        return result;
    }
    let rows = result.par_chunks_mut(inner).enumerate();
    rows.with_min_len(1 + GRAIN / inner).for_each(|(n, target)| {
        let (block, point) = (n / taps.len(), n % taps.len());
        let source = &values[block * points * inner..(block + 1) * points * inner];
        row(target, source, taps.get(point));
    });
    result
}

/// The fastest axis: each value is a sum over neighbours.
fn line(target: &mut [f32], source: &[f32], taps: &Taps) {
    for (n, value) in target.iter_mut().enumerate() {
        let (first, weights) = taps.get(n);
        *value = weights.iter().zip(&source[first..]).map(|(weight, value)| weight * value).sum();
    }
}

/// A slower axis: whole rows are added, which the processor does many values at a time.
fn row(target: &mut [f32], source: &[f32], (first, weights): (usize, &[f32])) {
    let inner = target.len();
    let rows = |n: usize| &source[(first + n) * inner..(first + n + 1) * inner];
    match *weights {
        [a] => target.iter_mut().zip(rows(0)).for_each(|(value, x)| *value = a * x),
        [a, b] => {
            target.iter_mut().zip(rows(0)).zip(rows(1)).for_each(|((value, x), y)| *value = a * x + b * y);
        }
        [a, b, c, d] => {
            let rows = rows(0).iter().zip(rows(1)).zip(rows(2)).zip(rows(3));
            target.iter_mut().zip(rows).for_each(|(value, (((x, y), z), w))| *value = a * x + b * y + c * z + d * w);
        }
        _ => {
            for (n, weight) in weights.iter().enumerate() {
                target.iter_mut().zip(rows(n)).for_each(|(value, x)| *value += weight * x);
            }
        }
    }
}
