//! The ROC curve: sensitivity against the false positive rate over all thresholds.

use super::ranked::{RankedScores, Tally};
use crate::undefined::Undefined;

/// One threshold's rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RocPoint {
    /// Samples with a score of at least this are called positive; infinite at the first point, where none is.
    pub threshold: f64,
    /// Share of negatives called positive: 1 − specificity.
    pub false_positive_rate: f64,
    /// Share of positives called positive: sensitivity.
    pub true_positive_rate: f64,
}

/// Points from (0, 0) to (1, 1), one per distinct score, thresholds falling.
#[derive(Debug, Clone, PartialEq)]
pub struct RocCurve {
    points: Vec<RocPoint>,
}

impl RocCurve {
    /// The points, thresholds falling; both rates rise.
    #[must_use]
    pub fn points(&self) -> &[RocPoint] {
        &self.points
    }

    /// Sensitivity at a false positive rate, by a straight line between points; at a vertical step its upper end.
    ///
    /// # Errors
    /// A rate outside 0..1.
    pub fn sensitivity_at(&self, false_positive_rate: f64) -> Result<f64, Undefined> {
        if !(0.0..=1.0).contains(&false_positive_rate) {
            return Err(Undefined::OutOfRange {
                what: "false positive rate",
                expected: "a share in 0..1",
                found: false_positive_rate,
            });
        }
        let after = self.points.partition_point(|point| point.false_positive_rate <= false_positive_rate);
        let left = self.points[after - 1];
        Ok(match self.points.get(after) {
            None => left.true_positive_rate,
            Some(right) => {
                let along = (false_positive_rate - left.false_positive_rate)
                    / (right.false_positive_rate - left.false_positive_rate);
                left.true_positive_rate + along * (right.true_positive_rate - left.true_positive_rate)
            }
        })
    }
}

/// The ROC curve over every distinct score.
///
/// # Policy
/// Samples with the same score make one point (ties merged), so the curve does not depend on the order of the samples; no
/// collinear points are dropped. A sample is positive when its score is at least the threshold.
///
/// # Errors
/// [`Undefined::OneClassOnly`].
///
/// # Source
/// Fawcett 2006, algorithm 1; scikit-learn `roc_curve(drop_intermediate=False)`.
///
/// # Example
/// ```
/// # use kd_metrics::{RankedScores, roc_curve};
/// let curve = roc_curve(&RankedScores::new(&[0.9, 0.4, 0.4], &[true, true, false])?)?;
/// let rates: Vec<_> = curve.points().iter().map(|p| (p.false_positive_rate, p.true_positive_rate)).collect();
/// assert_eq!(rates, [(0.0, 0.0), (0.0, 0.5), (1.0, 1.0)]);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn roc_curve(scores: &RankedScores) -> Result<RocCurve, Undefined> {
    of_tally(scores, &scores.tally())
}

/// [`roc_curve`] of a bootstrap draw: the samples at `indices`, repeats counted, without sorting again. Scores that were not
/// drawn make no point.
///
/// # Policy
/// As [`roc_curve`].
///
/// # Errors
/// As [`roc_curve`]; no indices.
///
/// # Panics
/// An index that is not below [`RankedScores::samples`].
///
/// # Source
/// As [`roc_curve`].
///
/// # Example
/// ```
/// # use kd_metrics::{RankedScores, roc_curve_of};
/// let scores = RankedScores::new(&[0.9, 0.4, 0.6], &[true, true, false])?;
/// assert_eq!(roc_curve_of(&scores, &[0, 0, 2])?.sensitivity_at(0.0)?, 1.0); // sample 1 was not drawn
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn roc_curve_of(scores: &RankedScores, indices: &[usize]) -> Result<RocCurve, Undefined> {
    of_tally(scores, &scores.tally_of(indices.iter().copied()))
}

fn of_tally(scores: &RankedScores, tally: &Tally) -> Result<RocCurve, Undefined> {
    let (positives, negatives) = tally.totals()?;
    let mut points = vec![RocPoint { threshold: f64::INFINITY, false_positive_rate: 0.0, true_positive_rate: 0.0 }];
    let (mut true_positives, mut false_positives) = (0, 0);
    for (rank, &threshold) in scores.distinct().iter().enumerate().rev() {
        if tally.positive[rank] + tally.negative[rank] == 0 {
            continue;
        }
        true_positives += tally.positive[rank];
        false_positives += tally.negative[rank];
        points.push(RocPoint {
            threshold,
            false_positive_rate: false_positives as f64 / negatives as f64,
            true_positive_rate: true_positives as f64 / positives as f64,
        });
    }
    Ok(RocCurve { points })
}
