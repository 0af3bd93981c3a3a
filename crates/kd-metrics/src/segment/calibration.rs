//! Whether the probabilities of a mask mean what they say: expected calibration error over points.
//!
//! Most points of a scan are background far from anything, where every network is certain and right. An error over all of
//! them is small for every network; so where points are taken from is an argument, as the bins are.

use crate::classify::cut::Cut;
use crate::grid::Grid;
use crate::undefined::{Score, Undefined, check_length};

/// Which points are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CalibrationRegion {
    /// Every point: dominated by background.
    AllPoints,
    /// Points that are true, or predicted at the cut. Chosen by the prediction too, so over-confidence outside of the
    /// truth and missed truth both show.
    Foreground(Cut),
    /// The box around the truth, wider by this many points on every side, cut at the border of the grid.
    BoxAroundTruth {
        /// Points added on every side.
        margin: usize,
    },
}

/// How points are put into bins by their probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalibrationBins {
    /// This many bins of equal width; bin `b` of `n` holds `b / n < p ≤ (b + 1) / n`, the first one 0 too.
    EqualWidth(usize),
    /// This many bins with about equally many points, by the rule of [`reliability`](crate::reliability).
    EqualMass(usize),
}

/// Expected calibration error of a mask's probabilities: `Σ_b n_b / n · |share of true points − mean probability|`, 0..1,
/// lower is better.
///
/// # Shapes
/// `probabilities` (of being in the mask, not of the decision) and `truth` as the grid, last axis fastest.
///
/// # Policy
/// Region and bins are arguments and belong beside the number. Per case: points of one case are not independent, so an
/// interval is over cases.
///
/// # Errors
/// Another length than the grid has points, a value outside 0..1 or NaN, no bins, a region without points.
///
/// # Source
/// Guo et al. 2017, equation 3, over points; the box around the truth after Mehrtash et al. 2020.
///
/// # Example
/// ```
/// # use kd_metrics::*;
/// let grid = Grid::plane([1, 4], [1.0, 1.0])?;
/// let (p, truth) = ([0.1, 0.1, 0.7, 0.7], [false, false, true, false]);
/// let bins = CalibrationBins::EqualWidth(2);
/// let all = mask_calibration_error(&grid, &p, &truth, CalibrationRegion::AllPoints, bins)?;
/// assert!((all - (0.5 * 0.1 + 0.5 * 0.2)).abs() < 1e-15);
/// let near = CalibrationRegion::Foreground(Cut::Above(0.5));
/// assert!((mask_calibration_error(&grid, &p, &truth, near, bins)? - 0.2).abs() < 1e-15);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn mask_calibration_error(
    grid: &Grid,
    probabilities: &[f64],
    truth: &[bool],
    region: CalibrationRegion,
    bins: CalibrationBins,
) -> Score {
    check_length("probabilities", grid.points(), probabilities.len())?;
    check_length("truth", grid.points(), truth.len())?;
    if let Some(point) = probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
        return Err(Undefined::NotAProbability { sample: point, column: 0, found: probabilities[point] });
    }
    let indices = points(grid, probabilities, truth, region);
    if indices.is_empty() {
        return Err(Undefined::EmptyMask { which: "region of the calibration" });
    }
    let chosen: Vec<f64> = indices.iter().map(|&i| probabilities[i]).collect();
    let outcomes: Vec<bool> = indices.iter().map(|&i| truth[i]).collect();
    match bins {
        CalibrationBins::EqualMass(bins) => {
            let predictions = crate::Predictions::binary(&chosen, &outcomes)?;
            crate::expected_calibration_error(&predictions, crate::Confidence::PositiveClass, bins)
        }
        CalibrationBins::EqualWidth(0) => Err(Undefined::NotEnough { what: "bins", expected: 1, found: 0 }),
        CalibrationBins::EqualWidth(bins) => Ok(equal_width(&chosen, &outcomes, bins)),
    }
}

fn equal_width(probabilities: &[f64], truth: &[bool], bins: usize) -> f64 {
    // No more bins than points can be filled; a map keeps memory by what is there.
    let mut sums: std::collections::BTreeMap<usize, (f64, u64)> = std::collections::BTreeMap::new();
    for (&p, &t) in probabilities.iter().zip(truth) {
        let bin = ((p * bins as f64).ceil() as usize).clamp(1, bins) - 1;
        let (confidence, hits) = sums.entry(bin).or_default();
        *confidence += p;
        *hits += u64::from(t);
    }
    sums.values().map(|&(confidence, hits)| (hits as f64 - confidence).abs()).sum::<f64>() / probabilities.len() as f64
}

/// Indices of the points of the region, in the order of memory.
fn points(grid: &Grid, probabilities: &[f64], truth: &[bool], region: CalibrationRegion) -> Vec<usize> {
    match region {
        CalibrationRegion::AllPoints => (0..truth.len()).collect(),
        CalibrationRegion::Foreground(cut) => {
            (0..truth.len()).filter(|&i| truth[i] || cut.is_positive(probabilities[i])).collect()
        }
        CalibrationRegion::BoxAroundTruth { margin } => {
            let [_, height, width] = grid.shape3();
            let place = |i: usize| [i / (height * width), i / width % height, i % width];
            let mut limits: Option<([usize; 3], [usize; 3])> = None;
            for at in (0..truth.len()).filter(|&i| truth[i]).map(place) {
                let (low, high) = limits.get_or_insert((at, at));
                for axis in 0..3 {
                    low[axis] = low[axis].min(at[axis]);
                    high[axis] = high[axis].max(at[axis]);
                }
            }
            let Some((low, high)) = limits else { return Vec::new() };
            let is_near = |at: [usize; 3]| {
                (0..3).all(|a| at[a].saturating_add(margin) >= low[a] && at[a] <= high[a].saturating_add(margin))
            };
            (0..truth.len()).filter(|&i| is_near(place(i))).collect()
        }
    }
}
