//! DeLong's variance of the AUROC and the paired test of two AUROCs.
//!
//! The variance needs, for each sample, the share of the other class that it beats. With the scores ranked once this is
//! counting, O(n) after the sort, where the textbook form compares all pairs.

use statrs::distribution::{ContinuousCDF, Normal};

use super::interval::{Interval, IntervalMethod};
use crate::classify::auroc::auroc;
use crate::classify::ranked::RankedScores;
use crate::undefined::{Undefined, check_length, check_level};

/// An AUROC with DeLong's standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delong {
    /// The AUROC.
    pub auroc: f64,
    /// Its variance.
    pub variance: f64,
    /// `auroc ± z √variance`, cut to 0..1.
    pub interval: Interval,
}

/// Two AUROCs on the same samples, compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DelongTest {
    /// AUROC of the first minus AUROC of the second.
    pub difference: f64,
    /// Standard error of the difference, with the covariance.
    pub standard_error: f64,
    /// `difference / standard_error`.
    pub z: f64,
    /// Two-sided p-value of "no difference".
    pub p_value: f64,
    /// Interval of the difference, cut to −1..1.
    pub interval: Interval,
}

/// Variance and interval of an AUROC: `S₁₀ / m + S₀₁ / n`, the sample variances of the placements of the `m` positives and
/// the `n` negatives.
///
/// # Policy
/// Every sample is an independent subject: with several samples per subject use
/// [`bootstrap_interval`](crate::bootstrap_interval). The interval is symmetric on the plain scale (no logit) and cut to 0..1.
///
/// # Errors
/// One class only; fewer than two positives or two negatives; no variance (a perfect ranking); a level outside 0..1.
///
/// # Source
/// DeLong, DeLong and Clarke-Pearson 1988, equations 4 to 6; the rank form after Sun and Xu 2014.
///
/// # Example
/// ```
/// # use kd_metrics::{RankedScores, delong};
/// let scores = RankedScores::new(&[0.1, 0.5, 0.4, 0.6, 0.9], &[false, false, true, true, true])?;
/// let result = delong(&scores, 0.95)?;
/// assert!((result.auroc - 5.0 / 6.0).abs() < 1e-15);
/// assert_eq!(result.interval.high, 1.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn delong(scores: &RankedScores, level: f64) -> Result<Delong, Undefined> {
    check_level(level)?;
    let auroc = auroc(scores)?;
    let variance = variance_of(&placements(scores)?);
    if variance <= 0.0 {
        return Err(Undefined::ZeroVariance { what: "the ranking (perfect, or all scores tied): DeLong's estimate" });
    }
    let half = half_width(level, variance);
    Ok(Delong { auroc, variance, interval: interval(auroc - half, auroc + half, level, (0.0, 1.0)) })
}

/// Paired test of two AUROCs on the same samples: `z = (A₁ − A₂) / √(V₁ + V₂ − 2 C)`.
///
/// # Shapes
/// Both hold the same samples in the same order, with the same truth.
///
/// # Policy
/// As [`delong`]: one sample per subject. The interval of the difference is cut to −1..1.
///
/// # Errors
/// Different numbers of samples or another truth; as [`delong`]; no variance of the difference (both rank alike).
///
/// # Source
/// DeLong, DeLong and Clarke-Pearson 1988, equations 4 to 8; the rank form after Sun and Xu 2014.
///
/// # Example
/// ```
/// # use kd_metrics::{RankedScores, delong_test};
/// let truth = [false, false, true, true, true];
/// let teacher = RankedScores::new(&[0.1, 0.5, 0.4, 0.6, 0.9], &truth)?;
/// let student = RankedScores::new(&[0.1, 0.5, 0.4, 0.3, 0.9], &truth)?;
/// assert!(delong_test(&teacher, &student, 0.95)?.difference > 0.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn delong_test(first: &RankedScores, second: &RankedScores, level: f64) -> Result<DelongTest, Undefined> {
    check_level(level)?;
    check_length("second scores", first.samples(), second.samples())?;
    if let Some(sample) = (0..first.samples()).find(|&i| first.truth()[i] != second.truth()[i]) {
        return Err(Undefined::TruthMismatch { sample });
    }
    let difference = auroc(first)? - auroc(second)?;
    let (a, b) = (placements(first)?, placements(second)?);
    // Placement differences, not V₁ + V₂ − 2 C: equal rankings give exactly 0, where the sum would leave rounding.
    let apart = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x - y).collect::<Vec<f64>>();
    let apart = Placements { positive: apart(&a.positive, &b.positive), negative: apart(&a.negative, &b.negative) };
    let variance = variance_of(&apart);
    if variance <= 0.0 {
        return Err(Undefined::ZeroVariance { what: "the difference of the two rankings" });
    }
    let (standard_error, half) = (variance.sqrt(), half_width(level, variance));
    let z = difference / standard_error;
    Ok(DelongTest {
        difference,
        standard_error,
        z,
        p_value: 2.0 * Normal::standard().sf(z.abs()),
        interval: interval(difference - half, difference + half, level, (-1.0, 1.0)),
    })
}

/// Share of the other class on the wrong side of each sample's score, ties half; in sample order.
struct Placements {
    positive: Vec<f64>,
    negative: Vec<f64>,
}

fn placements(scores: &RankedScores) -> Result<Placements, Undefined> {
    let tally = scores.tally();
    let (positives, negatives) = tally.totals()?;
    for (what, found) in [("positive samples", positives), ("negative samples", negatives)] {
        if found < 2 {
            return Err(Undefined::NotEnough { what, expected: 2, found: found as usize });
        }
    }
    let shares = |others: &[u64], total: u64| {
        let mut below = 0;
        let mut shares = Vec::with_capacity(others.len());
        for &here in others {
            shares.push((2 * below + here) as f64 / (2 * total) as f64);
            below += here;
        }
        shares
    };
    let (beats_negatives, beats_positives) = (shares(&tally.negative, negatives), shares(&tally.positive, positives));
    let mut placements = Placements { positive: Vec::new(), negative: Vec::new() };
    for (&rank, &truth) in scores.ranks().iter().zip(scores.truth()) {
        if truth {
            placements.positive.push(beats_negatives[rank]);
        } else {
            placements.negative.push(1.0 - beats_positives[rank]);
        }
    }
    Ok(placements)
}

/// `S₁₀ / m + S₀₁ / n`.
fn variance_of(placements: &Placements) -> f64 {
    let part = |x: &[f64]| {
        let count = x.len() as f64;
        let mean = x.iter().sum::<f64>() / count;
        x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0) / count
    };
    part(&placements.positive) + part(&placements.negative)
}

fn half_width(level: f64, variance: f64) -> f64 {
    -Normal::standard().inverse_cdf((1.0 - level) / 2.0) * variance.sqrt()
}

fn interval(low: f64, high: f64, level: f64, bounds: (f64, f64)) -> Interval {
    Interval {
        low: low.max(bounds.0),
        high: high.min(bounds.1),
        level,
        method: IntervalMethod::Delong,
        resamples: 0,
        undefined_draws: 0,
    }
}
