//! Resizing one channel: a triangle filter, as wide as the grid it reads from is finer.

/// Weights of the input points for each output point of one axis.
struct Taps {
    first: usize,
    weights: Vec<f64>,
}

fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    // Below 1 the filter would fall between input points; there it is plain bilinear.
    let reach = scale.max(1.0);
    (0..to)
        .map(|point| {
            let center = (point as f64 + 0.5) * scale - 0.5;
            let first = (center - reach).ceil().max(0.0) as usize;
            let last = ((center + reach).floor().max(0.0) as usize).min(from - 1);
            let mut weights: Vec<f64> =
                (first..=last).map(|at| (1.0 - (at as f64 - center).abs() / reach).max(0.0)).collect();
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
            Taps { first, weights }
        })
        .collect()
}

/// Resizes `[height, width]` values, points at pixel centers, edges by the points that are there.
///
/// Shrinking averages over all points that an output point covers, so nothing is skipped; growing is bilinear; equal
/// sizes give equal values.
pub(super) fn resize(values: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    if from == to {
        return values.to_vec();
    }
    let across = taps(from[1], to[1]);
    let mut narrow = vec![0.0f64; from[0] * to[1]];
    for (row, out) in values.chunks_exact(from[1]).zip(narrow.chunks_exact_mut(to[1])) {
        for (value, tap) in out.iter_mut().zip(&across) {
            *value = tap.weights.iter().zip(&row[tap.first..]).map(|(weight, &v)| weight * f64::from(v)).sum();
        }
    }
    let mut result = Vec::with_capacity(to[0] * to[1]);
    for tap in taps(from[0], to[0]) {
        for column in 0..to[1] {
            let rows = narrow[tap.first * to[1]..].iter().skip(column).step_by(to[1]);
            let sum: f64 = tap.weights.iter().zip(rows).map(|(weight, &v)| weight * v).sum();
            #[allow(clippy::cast_possible_truncation)] // values are single precision by design
            result.push(sum as f32);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_weighs_neighbors_as_a_triangle_does() {
        // Center between points 1 and 2 of four: distances .5 and 1.5 of a reach of 2.
        let resized = resize(&[1.0, 2.0, 4.0, 8.0], [1, 4], [1, 2]);
        let left = (1.0 * 0.75 + 2.0 * 0.75 + 4.0 * 0.25) / 1.75;
        let right = (2.0 * 0.25 + 4.0 * 0.75 + 8.0 * 0.75) / 1.75;
        assert!((f64::from(resized[0]) - left).abs() < 1e-6 && (f64::from(resized[1]) - right).abs() < 1e-6);
    }

    #[test]
    fn a_constant_image_stays_constant() {
        for to in [[1, 1], [3, 7], [9, 2], [40, 40]] {
            assert!(resize(&[0.25; 35], [5, 7], to).iter().all(|v| (v - 0.25).abs() < 1e-6));
        }
    }

    #[test]
    fn rows_and_columns_are_not_swapped() {
        // Two rows, four columns, values by column only.
        let resized = resize(&[0.0, 1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0], [2, 4], [4, 4]);
        assert_eq!(resized, [0.0, 1.0, 2.0, 3.0].repeat(4));
    }
}
