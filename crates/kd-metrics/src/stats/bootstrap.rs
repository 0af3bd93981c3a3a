//! Bootstrap intervals of any statistic, by drawing subjects with replacement.

use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

use super::grouping::{Grouping, draw_rng};
use super::interval::{Interval, IntervalMethod};
use super::quantile::{check_spread, defined_draws, quantile};
use crate::undefined::{Score, Undefined, check_level, finite};

/// Fewest draws that a plan may ask for: fewer leave nothing in the tails.
pub(crate) const LEAST_RESAMPLES: usize = 100;

/// Which percentiles of the draws make the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootstrapMethod {
    /// The outer percentiles themselves.
    Percentile,
    /// Percentiles moved for bias and for a variance that changes with the value (BCa). Needs a jackknife over subjects.
    BiasCorrectedAccelerated,
}

/// What a bootstrap does; all of it belongs in the record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BootstrapPlan {
    /// Which percentiles.
    pub method: BootstrapMethod,
    /// Number of draws, at least 100; 2000 for a record.
    pub resamples: usize,
    /// Confidence level, such as 0.95.
    pub level: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl BootstrapPlan {
    /// Refuses a level outside 0..1 and too few draws.
    pub(crate) fn check(&self) -> Result<(), Undefined> {
        check_level(self.level)?;
        if self.resamples < LEAST_RESAMPLES {
            return Err(Undefined::NotEnough { what: "resamples", expected: LEAST_RESAMPLES, found: self.resamples });
        }
        Ok(())
    }
}

/// Confidence interval of `statistic` over subjects.
///
/// Each draw takes as many subjects as there are, with replacement, and hands `statistic` all their sample indices (a subject
/// drawn twice brings its samples twice). The percentile interval is the `(1 ± level) / 2` quantiles of the draws. BCa uses
/// `Φ(z₀ + (z₀ + z) / (1 − a (z₀ + z)))` instead, with `z₀ = Φ⁻¹(share of draws below the value, ties half)` and
/// `a = Σ d³ / (6 (Σ d²)^1.5)` over the jackknife differences `d` of subjects.
///
/// # Policy
/// Subjects are not stratified by class, so a draw can lack one. Draws without a value are left out and counted; more than 5 %
/// of them make the interval undefined. Quantiles interpolate linearly. Same seed, same bytes, on any number of threads.
///
/// # Errors
/// A statistic without a value on the full sample; fewer than two subjects; fewer than 100 resamples; a level outside 0..1; too
/// many undefined draws; draws that are all alike; for BCa, a subject without which the statistic has no value, a statistic on one
/// side of all draws, or an acceleration so strong that the corrected percentiles leave the draws.
///
/// # Source
/// Efron and Tibshirani 1993, chapters 13 and 14.3 (equations 14.9 to 14.15); scipy `stats.bootstrap`.
///
/// # Example
/// ```
/// # use kd_metrics::{BootstrapMethod, BootstrapPlan, Grouping, Undefined, bootstrap_interval};
/// let values = [0.2, 0.9, 0.4, 0.7, 0.5, 0.3];
/// let mean = |drawn: &[usize]| Ok(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64);
/// let plan = BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 1000, level: 0.95, seed: 7 };
/// let interval = bootstrap_interval(&Grouping::each_sample(6)?, &mean, plan)?;
/// assert!(interval.contains(0.5));
/// # Ok::<(), Undefined>(())
/// ```
pub fn bootstrap_interval(
    grouping: &Grouping,
    statistic: &(dyn Fn(&[usize]) -> Score + Sync),
    plan: BootstrapPlan,
) -> Result<Interval, Undefined> {
    plan.check()?;
    check_subjects(grouping)?;
    let value = finite(statistic(&grouping.all()))?;
    let draws: Vec<Score> = (0..plan.resamples)
        .into_par_iter()
        .map(|draw| finite(statistic(&grouping.draw(&mut draw_rng(plan.seed, draw)))))
        .collect();
    let (sorted, undefined_draws) = defined_draws(&draws)?;
    check_spread(&sorted)?;
    let tail = (1.0 - plan.level) / 2.0;
    let ((low, high), method) = match plan.method {
        BootstrapMethod::Percentile => ((tail, 1.0 - tail), IntervalMethod::Percentile),
        BootstrapMethod::BiasCorrectedAccelerated => (
            corrected_shares(&sorted, value, acceleration(grouping, statistic)?, tail)?,
            IntervalMethod::BiasCorrectedAccelerated,
        ),
    };
    Ok(Interval {
        low: quantile(&sorted, low),
        high: quantile(&sorted, high),
        level: plan.level,
        method,
        resamples: plan.resamples,
        undefined_draws,
    })
}

/// Refuses a single subject: drawing it again gives no spread.
pub(crate) fn check_subjects(grouping: &Grouping) -> Result<(), Undefined> {
    match grouping.subjects() {
        0 | 1 => Err(Undefined::NotEnough { what: "subjects", expected: 2, found: grouping.subjects() }),
        _ => Ok(()),
    }
}

/// Efron and Tibshirani, equation 14.15, over subjects.
fn acceleration(grouping: &Grouping, statistic: &(dyn Fn(&[usize]) -> Score + Sync)) -> Score {
    let left_out: Result<Vec<f64>, Undefined> = (0..grouping.subjects())
        .into_par_iter()
        .map(|subject| (subject, finite(statistic(&grouping.without(subject)))))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(subject, value)| value.map_err(|cause| Undefined::UndefinedWithout { subject, cause: Box::new(cause) }))
        .collect();
    let left_out = left_out?;
    let mean = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let (squares, cubes) = left_out.iter().fold((0.0, 0.0), |(squares, cubes), value| {
        let d = mean - value;
        (squares + d * d, cubes + d * d * d)
    });
    if squares > 0.0 {
        Ok(cubes / (6.0 * squares.powf(1.5)))
    } else {
        Err(Undefined::ZeroVariance { what: "the jackknife of the statistic" })
    }
}

/// Efron and Tibshirani, equations 14.10 and 14.14.
fn corrected_shares(sorted: &[f64], value: f64, acceleration: f64, tail: f64) -> Result<(f64, f64), Undefined> {
    let normal = Normal::standard();
    let below = sorted.partition_point(|draw| *draw < value);
    let not_above = sorted.partition_point(|draw| *draw <= value);
    let share = (below + not_above) as f64 / (2 * sorted.len()) as f64;
    if share <= 0.0 || share >= 1.0 {
        return Err(Undefined::OutOfRange {
            what: "share of bootstrap draws below the statistic",
            expected: "above 0 and below 1, or the bias cannot be corrected",
            found: share,
        });
    }
    let bias = normal.inverse_cdf(share);
    let corrected = |z: f64| {
        let shrink = 1.0 - acceleration * (bias + z);
        if shrink > 0.0 {
            Ok(normal.cdf(bias + (bias + z) / shrink))
        } else {
            Err(Undefined::OutOfRange {
                what: "correction for acceleration",
                expected: "a factor above 0; use the percentile method",
                found: shrink,
            })
        }
    };
    let z = normal.inverse_cdf(tail);
    Ok((corrected(z)?, corrected(-z)?))
}
