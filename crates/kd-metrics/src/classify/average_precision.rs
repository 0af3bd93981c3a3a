//! Average precision: the precision–recall curve in one number, without interpolation.

use super::ranked::{RankedScores, Tally};
use crate::undefined::{Score, Undefined};

/// `AP = Σ_n (R_n − R_{n−1}) P_n` over the distinct scores, falling: the step sum, not the trapezoid, which is too kind.
///
/// # Policy
/// Samples with the same score are taken together. The value for random scores is the share of positives, so it cannot be
/// compared between sets of different prevalence.
///
/// # Errors
/// [`Undefined::OneClassOnly`] without a positive sample. Without a negative one it is 1.
///
/// # Source
/// scikit-learn `average_precision_score`.
///
/// # Example
/// ```
/// # use kd_metrics::{RankedScores, average_precision};
/// let scores = RankedScores::new(&[0.9, 0.8, 0.7, 0.1], &[true, false, true, false])?;
/// assert!((average_precision(&scores)? - (0.5 * 1.0 + 0.5 * 2.0 / 3.0)).abs() < 1e-15);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn average_precision(scores: &RankedScores) -> Score {
    of_tally(&scores.tally())
}

/// [`average_precision`] of a bootstrap draw: the samples at `indices`, repeats counted, without sorting again.
///
/// # Policy
/// As [`average_precision`].
///
/// # Errors
/// As [`average_precision`]; no indices.
///
/// # Panics
/// An index that is not below [`RankedScores::samples`].
///
/// # Source
/// As [`average_precision`].
///
/// # Example
/// ```
/// # use kd_metrics::{RankedScores, average_precision_of};
/// let scores = RankedScores::new(&[0.9, 0.4, 0.6], &[true, true, false])?;
/// assert_eq!(average_precision_of(&scores, &[1, 1, 2, 2])?, 0.5);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn average_precision_of(scores: &RankedScores, indices: &[usize]) -> Score {
    of_tally(&scores.tally_of(indices.iter().copied()))
}

fn of_tally(tally: &Tally) -> Score {
    let positives: u64 = tally.positive.iter().sum();
    if positives == 0 {
        return Err(match tally.totals() {
            Err(reason) => reason,
            Ok(_) => Undefined::NoSamples,
        });
    }
    let (mut found, mut called, mut sum) = (0, 0, 0.0);
    for (&positive, &negative) in tally.positive.iter().zip(&tally.negative).rev() {
        found += positive;
        called += positive + negative;
        if positive > 0 {
            sum += positive as f64 * (found as f64 / called as f64);
        }
    }
    Ok(sum / positives as f64)
}
