//! Where the windows of one axis lie, and how much each counts at each point.
//!
//! A blend over windows that form a grid is a product over axes: so is the sum of the weights at a point. Each axis is
//! normalised by itself, and no volume of weight sums is ever needed.

use serde::{Deserialize, Serialize};

/// How much a point of a window counts, by its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weighting {
    /// `exp(−½ ((i − middle) / σ)²)` along each axis with σ an eighth of the patch: the middle of a window has seen more
    /// of its surroundings than its border.
    Gaussian,
    /// All points alike.
    Flat,
}

/// The windows along one axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// Points of the image.
    pub(super) points: usize,
    /// Points of a window.
    pub(super) window: usize,
    /// Points of the padded image: at least those of a window.
    pub(super) padded: usize,
    /// Points before the image's first one.
    pub(super) before: usize,
    /// First padded point of each window, in order.
    pub(super) starts: Vec<usize>,
    /// Per window, per point in it; those of all windows over one point add up to 1.
    pub(super) weights: Vec<Vec<f32>>,
}

impl Axis {
    /// Plans the fewest windows that lie at most `1 − overlap` of a window apart, evenly.
    pub(super) fn new(points: usize, window: usize, overlap: f64, weighting: Weighting) -> Self {
        let padded = points.max(window);
        let room = padded - window;
        let step = (window as f64 * (1.0 - overlap)).max(1.0);
        let steps = (room as f64 / step).ceil() as usize;
        let starts: Vec<usize> = match steps {
            0 => vec![0],
            _ => (0..=steps).map(|n| (n as f64 * room as f64 / steps as f64).round() as usize).collect(),
        };
        let middle = (window as f64 - 1.0) / 2.0;
        let deviation = window as f64 / 8.0;
        let weight = |place: usize| match weighting {
            Weighting::Flat => 1.0,
            Weighting::Gaussian => (-0.5 * ((place as f64 - middle) / deviation).powi(2)).exp(),
        };
        let mut sums = vec![0.0; padded];
        for &start in &starts {
            (0..window).for_each(|place| sums[start + place] += weight(place));
        }
        let of_window =
            |&start: &usize| (0..window).map(|place| (weight(place) / sums[start + place]) as f32).collect();
        let weights = starts.iter().map(of_window).collect();
        Self { points, window, padded, before: (padded - points) / 2, starts, weights }
    }

    /// The image's point at a padded one; beyond its ends the last point is repeated.
    pub(super) fn source(&self, padded: usize) -> usize {
        padded.saturating_sub(self.before).min(self.points - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_cover_every_point_and_their_weights_add_up_to_one(
            points in 1usize..200, window in 1usize..70, overlap in 0.0..0.95f64, is_flat: bool
        ) {
            let weighting = if is_flat { Weighting::Flat } else { Weighting::Gaussian };
            let axis = Axis::new(points, window, overlap, weighting);
            let mut sums = vec![0.0f64; axis.padded];
            for (start, weights) in axis.starts.iter().zip(&axis.weights) {
                weights.iter().enumerate().for_each(|(place, weight)| sums[start + place] += f64::from(*weight));
            }
            for sum in sums {
                prop_assert!((sum - 1.0).abs() < 1e-6, "{sum}");
            }
            let step = (window as f64 * (1.0 - overlap)).max(1.0);
            // Rounding moves a start by half a point at most.
            prop_assert!(axis.starts.windows(2).all(|pair| (pair[1] - pair[0]) as f64 <= step + 1.0));
        }
    }

    #[test]
    fn windows_are_spread_evenly() {
        assert_eq!(Axis::new(10, 4, 0.5, Weighting::Flat).starts, [0, 2, 4, 6]);
        assert_eq!(Axis::new(11, 4, 0.0, Weighting::Flat).starts, [0, 4, 7]);
        assert_eq!(Axis::new(4, 4, 0.5, Weighting::Flat).starts, [0]);
    }

    #[test]
    fn the_middle_of_a_window_counts_more_than_its_border() {
        let axis = Axis::new(12, 8, 0.5, Weighting::Gaussian);
        // Point 5 is two from the first window's border and one from the second's.
        assert!(axis.weights[0][5] > 0.6 && axis.weights[1][1] < 0.4, "{:?}", axis.weights);
        assert!((axis.weights[0][0] - 1.0).abs() < 1e-7);
    }

    #[test]
    fn a_small_image_lies_in_the_middle_of_its_window_and_repeats_its_ends() {
        let axis = Axis::new(3, 6, 0.5, Weighting::Flat);
        let sources: Vec<usize> = (0..6).map(|padded| axis.source(padded)).collect();
        assert_eq!(sources, [0, 0, 1, 2, 2, 2]);
    }
}
