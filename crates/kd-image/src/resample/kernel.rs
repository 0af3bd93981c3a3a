//! Weights of source points for each target point of one axis.

use super::relation::Line;

/// Standard deviations after which a Gaussian is cut.
const CUT: f64 = 4.0;

/// The standard deviation, in source points, that takes away what steps of `step` source points cannot hold.
pub(super) fn blur_sigma(step: f64) -> f64 {
    ((step - 1.0) / 2.0).max(0.0)
}

/// For each target point a run of neighbouring source points and their weights.
#[derive(Debug, Clone)]
pub(super) struct Taps {
    runs: Vec<(usize, usize, usize)>,
    weights: Vec<f32>,
}

impl Taps {
    fn new() -> Self {
        Self { runs: Vec::new(), weights: Vec::new() }
    }

    /// Adds a target point whose source points begin at `first`; weights of 0 at either end are left out.
    fn push(&mut self, first: usize, weights: &[f64]) {
        #[allow(clippy::cast_possible_truncation)] // values are single precision by design
        let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        let used = |weight: &f32| weight.abs() > 0.0;
        let start = weights.iter().position(used).unwrap_or(0);
        let end = weights.iter().rposition(used).map_or(weights.len(), |last| last + 1);
        self.runs.push((first + start, self.weights.len(), end - start));
        self.weights.extend_from_slice(&weights[start..end]);
    }

    /// Target points.
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// First source point and weights of a target point.
    pub(super) fn get(&self, n: usize) -> (usize, &[f32]) {
        let (first, at, count) = self.runs[n];
        (first, &self.weights[at..at + count])
    }

    /// Linear between the points of a line that was blurred by `sigma` before, in one step.
    pub(super) fn linear(from: usize, to: usize, line: Line, sigma: f64) -> Self {
        let gaussian = gaussian(sigma);
        let reach = gaussian.len() - 1;
        let last = from - 1;
        let mut taps = Self::new();
        for n in 0..to {
            let place = line.at(n).clamp(0.0, last as f64);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0 to the last point
            let lower = (place.floor() as usize).min(last.saturating_sub(1));
            let upper = (lower + 1).min(last);
            let share = place - lower as f64;
            let first = lower.saturating_sub(reach);
            let mut weights = vec![0.0; (upper + reach).min(last) - first + 1];
            for (centre, share) in [(lower, 1.0 - share), (upper, share)] {
                spread(&gaussian, centre, last, share, |point, weight| weights[point - first] += weight);
            }
            taps.push(first, &weights);
        }
        taps
    }

    /// A Gaussian around every point.
    pub(super) fn blur(points: usize, sigma: f64) -> Self {
        let gaussian = gaussian(sigma);
        let (reach, last) = (gaussian.len() - 1, points - 1);
        let mut taps = Self::new();
        for centre in 0..points {
            let first = centre.saturating_sub(reach);
            let mut weights = vec![0.0; (centre + reach).min(last) - first + 1];
            spread(&gaussian, centre, last, 1.0, |point, weight| weights[point - first] += weight);
            taps.push(first, &weights);
        }
        taps
    }

    /// A cubic B-spline of coefficients that are mirrored at the outermost points.
    pub(super) fn cubic(from: usize, to: usize, line: Line) -> Self {
        let last = from - 1;
        let mut taps = Self::new();
        for n in 0..to {
            let (points, weights) = cubic_at(line.at(n), from);
            let first = points.iter().copied().min().unwrap_or(0);
            let mut run = vec![0.0; points.iter().copied().max().unwrap_or(last) - first + 1];
            points.iter().zip(weights).for_each(|(point, weight)| run[point - first] += weight);
            taps.push(first, &run);
        }
        taps
    }
}

/// Gives the weights of a Gaussian around `centre` to the points that there are; beyond the ends the outermost repeat.
fn spread(gaussian: &[f64], centre: usize, last: usize, share: f64, mut add: impl FnMut(usize, f64)) {
    add(centre, share * gaussian[0]);
    for (distance, weight) in gaussian.iter().enumerate().skip(1) {
        add(centre.saturating_sub(distance), share * weight);
        add((centre + distance).min(last), share * weight);
    }
}

/// Weights at distances 0, 1, … of a Gaussian; over both sides they add up to 1.
fn gaussian(sigma: f64) -> Vec<f64> {
    if sigma <= 0.0 {
        return vec![1.0];
    }
    // A Gaussian wider than any axis is flat there; this keeps an absurd step from taking memory.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // above 0, and a cast stops at the end
    let reach = ((CUT * sigma + 0.5).floor() as usize).min(1 << 16);
    let half: Vec<f64> = (0..=reach).map(|n| (-0.5 * (n as f64 / sigma).powi(2)).exp()).collect();
    let sum = 2.0 * half.iter().sum::<f64>() - half[0];
    half.iter().map(|weight| weight / sum).collect()
}

/// The four coefficients around a place and their weights; places beyond the ends are taken at the ends.
pub(super) fn cubic_at(place: f64, points: usize) -> ([usize; 4], [f64; 4]) {
    let last = points - 1;
    let place = place.clamp(0.0, last as f64);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0 to the last point
    let lower = place.floor() as usize;
    let t = place - lower as f64;
    let s = 1.0 - t;
    let weights =
        [s * s * s / 6.0, 2.0 / 3.0 - t * t * (2.0 - t) / 2.0, 2.0 / 3.0 - s * s * (2.0 - s) / 2.0, t * t * t / 6.0];
    let mirrored = |offset: usize| {
        // `lower + offset - 1`, reflected about the first and the last point.
        let at = if lower + offset == 0 { 1 } else { lower + offset - 1 };
        let at = if at > last { (2 * last).saturating_sub(at) } else { at };
        at.min(last)
    };
    ([mirrored(0), mirrored(1), mirrored(2), mirrored(3)], weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums(taps: &Taps) -> Vec<f32> {
        (0..taps.len()).map(|n| taps.get(n).1.iter().sum()).collect()
    }

    proptest! {
        #[test]
        fn weights_add_up_to_one_and_stay_on_the_axis(
            from in 1usize..30,
            to in 1usize..30,
            first in -40.0f64..40.0,
            step in -6.0f64..6.0,
            sigma in 0.0f64..5.0,
        ) {
            let line = Line { first, step };
            for taps in [Taps::linear(from, to, line, sigma), Taps::cubic(from, to, line), Taps::blur(from, sigma)] {
                prop_assert!(sums(&taps).iter().all(|sum| (sum - 1.0).abs() < 1e-5));
                prop_assert!((0..taps.len()).all(|n| taps.get(n).0 + taps.get(n).1.len() <= from));
            }
        }
    }

    #[test]
    fn a_place_on_a_point_needs_that_point_alone() {
        let taps = Taps::linear(5, 5, Line { first: 4.0, step: -1.0 }, 0.0);
        assert_eq!((0..5).map(|n| taps.get(n)).collect::<Vec<_>>(), [4, 3, 2, 1, 0].map(|n| (n, &[1.0f32][..])));
    }
}
