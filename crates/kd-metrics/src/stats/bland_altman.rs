//! Bland and Altman's limits of agreement: by how much one measurement of a thing differs from another of the same thing.
//!
//! A correlation of volumes near 1 says that large is large on both sides; whether a volume may be read off the predicted mask
//! is what bias and limits say. Limits are estimates too, so they have intervals.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::bootstrap::{BootstrapPlan, bootstrap_interval};
use super::grouping::Grouping;
use super::interval::{Interval, IntervalMethod};
use super::quantile::check_spread;
use crate::undefined::{Undefined, check_finite, check_length, check_level};

/// How the intervals of bias and limits are made.
#[derive(Debug, Clone, Copy)]
pub enum AgreementIntervals<'a> {
    /// Student's t with `n − 1` degrees of freedom: for one pair a subject and differences that are about normal.
    StudentT {
        /// Confidence level, such as 0.95.
        level: f64,
    },
    /// A bootstrap over subjects: where a subject has several pairs, or differences are skewed.
    Bootstrap {
        /// Which pairs belong to the same subject.
        grouping: &'a Grouping,
        /// Method, draws, level and seed.
        plan: BootstrapPlan,
    },
}

/// One figure with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Its interval.
    pub interval: Interval,
}

/// Agreement of two measurements, in their unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlandAltman {
    /// Number of pairs.
    pub pairs: usize,
    /// Sample standard deviation of the differences (divisor `n − 1`).
    pub standard_deviation: f64,
    /// Mean of first minus second.
    pub bias: Estimate,
    /// Lower limit of agreement.
    pub lower: Estimate,
    /// Upper limit of agreement.
    pub upper: Estimate,
}

/// Bias `d̄` of `first − second` and limits `d̄ ± z s` between which the share `agreement` of differences lies.
///
/// # Shapes
/// One value per pair on both sides.
///
/// # Policy
/// `z = Φ⁻¹((1 + agreement) / 2)`, 1.96 for .95; `s` has the divisor `n − 1`. With Student's t the bias has the standard error
/// `s √(1/n)` and a limit `s √(1/n + z² / (2 (n − 1)))`. Several pairs of a subject all count the same; then only the
/// bootstrap's intervals hold. A bias that grows with size shows in a plot and not here.
///
/// # Errors
/// Fewer than two pairs, different lengths, a value that is NaN or infinite, a share or level outside 0..1, differences that
/// are all alike; as [`bootstrap_interval`].
///
/// # Source
/// Bland and Altman 1999, Measuring agreement in method comparison studies.
///
/// # Example
/// ```
/// # use kd_metrics::{AgreementIntervals, bland_altman};
/// let (predicted_ml, true_ml) = ([10.0, 22.0, 31.0], [10.0, 20.0, 30.0]);
/// let found = bland_altman(&predicted_ml, &true_ml, 0.95, AgreementIntervals::StudentT { level: 0.95 })?;
/// assert_eq!((found.bias.value, found.standard_deviation), (1.0, 1.0));
/// assert!((found.upper.value - 2.95996).abs() < 1e-5);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn bland_altman(
    first: &[f64],
    second: &[f64],
    agreement: f64,
    intervals: AgreementIntervals<'_>,
) -> Result<BlandAltman, Undefined> {
    check_length("second measurement", first.len(), second.len())?;
    check_finite("first measurement", first)?;
    check_finite("second measurement", second)?;
    if !(agreement > 0.0 && agreement < 1.0) {
        let expected = "above 0 and below 1";
        return Err(Undefined::OutOfRange { what: "share of agreement", expected, found: agreement });
    }
    if first.len() < 2 {
        return Err(Undefined::NotEnough { what: "pairs", expected: 2, found: first.len() });
    }
    let differences: Vec<f64> = first.iter().zip(second).map(|(first, second)| first - second).collect();
    check_finite("difference of pair", &differences)?;
    let mut sorted = differences.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    check_spread(&sorted).map_err(|_| Undefined::ZeroVariance { what: "the difference of the two measurements" })?;
    let z = Normal::standard().inverse_cdf(0.5 + 0.5 * agreement);
    let (bias, standard_deviation) = mean_and_deviation(differences.iter().copied());
    let estimate: Box<dyn Fn(f64) -> Result<Estimate, Undefined>> = match intervals {
        AgreementIntervals::StudentT { level } => {
            check_level(level)?;
            let n = differences.len() as f64;
            let student = StudentsT::new(0.0, 1.0, n - 1.0).map_err(|_| Undefined::NotEnough {
                what: "pairs",
                expected: 2,
                found: differences.len(),
            })?;
            let t = student.inverse_cdf(0.5 + 0.5 * level);
            Box::new(move |side| {
                let value = bias + side * z * standard_deviation;
                let half = t * standard_deviation * (1.0 / n + side * side * z * z / (2.0 * (n - 1.0))).sqrt();
                let (low, high, method) = (value - half, value + half, IntervalMethod::StudentT);
                Ok(Estimate {
                    value,
                    interval: Interval { low, high, level, method, resamples: 0, undefined_draws: 0 },
                })
            })
        }
        AgreementIntervals::Bootstrap { grouping, plan } => {
            check_length("pairs", grouping.samples(), differences.len())?;
            let differences = &differences;
            Box::new(move |side| {
                let statistic = |drawn: &[usize]| {
                    let (bias, deviation) = mean_and_deviation(drawn.iter().map(|&pair| differences[pair]));
                    Ok(bias + side * z * deviation)
                };
                let interval = bootstrap_interval(grouping, &statistic, plan)?;
                Ok(Estimate { value: bias + side * z * standard_deviation, interval })
            })
        }
    };
    Ok(BlandAltman {
        pairs: differences.len(),
        standard_deviation,
        bias: estimate(0.0)?,
        lower: estimate(-1.0)?,
        upper: estimate(1.0)?,
    })
}

/// Mean and sample standard deviation of at least two values.
fn mean_and_deviation(values: impl ExactSizeIterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}
