//! Wilson's score interval for a share of independent samples.

use statrs::distribution::{ContinuousCDF, Normal};

use super::interval::{Interval, IntervalMethod};
use crate::undefined::{Undefined, check_level};

/// `(p + z²/2n ± z √(p (1 − p) / n + z²/4n²)) / (1 + z²/n)` for `p = successes / total`.
///
/// # Policy
/// No continuity correction. One sample per subject. Never leaves 0..1, and has a width at 0 and at `total`, which a normal
/// interval has not.
///
/// # Errors
/// No samples; more successes than samples; a level outside 0..1.
///
/// # Source
/// Wilson 1927; statsmodels `proportion_confint(method="wilson")`.
///
/// # Example
/// ```
/// let interval = kd_metrics::wilson_interval(10, 10, 0.95)?;
/// assert_eq!(interval.high, 1.0);
/// assert!((interval.low - 0.7225).abs() < 1e-4);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn wilson_interval(successes: u64, total: u64, level: f64) -> Result<Interval, Undefined> {
    check_level(level)?;
    if total == 0 {
        return Err(Undefined::NoSamples);
    }
    if successes > total {
        return Err(Undefined::OutOfRange {
            what: "successes",
            expected: "at most the number of samples",
            found: successes as f64,
        });
    }
    let z = -Normal::standard().inverse_cdf((1.0 - level) / 2.0);
    let (n, p) = (total as f64, successes as f64 / total as f64);
    let (scale, center) = (1.0 + z * z / n, p + z * z / (2.0 * n));
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    // At the ends the formula gives exactly 0 or 1; rounding must not step over.
    let low = if successes == 0 { 0.0 } else { ((center - half) / scale).max(0.0) };
    let high = if successes == total { 1.0 } else { ((center + half) / scale).min(1.0) };
    Ok(Interval { low, high, level, method: IntervalMethod::Wilson, resamples: 0, undefined_draws: 0 })
}
