//! Pointwise bootstrap intervals of a curve, from one set of draws.

use rayon::prelude::*;

use super::bootstrap::{BootstrapMethod, BootstrapPlan, check_subjects};
use super::grouping::{Grouping, draw_rng};
use super::interval::{Interval, IntervalMethod};
use super::quantile::{defined_draws, quantile};
use crate::undefined::{Score, Undefined, check_finite, check_length};

/// The values of a curve on a grid, or the reason why it has none.
pub type Curve = Result<Vec<f64>, Undefined>;

/// Pointwise percentile intervals of a statistic with several values, such as the sensitivities of a ROC curve on a grid.
///
/// # Shapes
/// `curve` gives `[width]` values for any draw; the result is `[width]`.
///
/// # Policy
/// Pointwise: each interval holds by itself at the stated level, the band as a whole does not. Subjects are drawn as in
/// [`bootstrap_interval`](crate::bootstrap_interval), the same draws for all points. A point that never changes keeps an interval
/// of no width, as the corners of a ROC curve do.
///
/// # Errors
/// A plan with BCa; another width; a curve without values on the full sample; otherwise as
/// [`bootstrap_interval`](crate::bootstrap_interval).
///
/// # Source
/// Fawcett 2006, section 7, vertical averaging; percentiles in place of the normal interval.
///
/// # Example
/// ```
/// # use kd_metrics::*;
/// let scores = RankedScores::new(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], &[false, true, false, false, true, true])?;
/// let grid = [0.0, 0.5, 1.0];
/// let curve = |drawn: &[usize]| {
///     let roc = roc_curve_of(&scores, drawn)?;
///     grid.iter().map(|&rate| roc.sensitivity_at(rate)).collect()
/// };
/// let plan = BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 200, level: 0.9, seed: 1 };
/// let band = bootstrap_band(&Grouping::each_sample(6)?, grid.len(), &curve, plan)?;
/// assert_eq!((band[2].low, band[2].high), (1.0, 1.0));
/// # Ok::<(), Undefined>(())
/// ```
pub fn bootstrap_band(
    grouping: &Grouping,
    width: usize,
    curve: &(dyn Fn(&[usize]) -> Curve + Sync),
    plan: BootstrapPlan,
) -> Result<Vec<Interval>, Undefined> {
    plan.check()?;
    check_subjects(grouping)?;
    if plan.method != BootstrapMethod::Percentile {
        return Err(Undefined::MethodMismatch { what: "a band", expected: "the percentile method" });
    }
    check_length("curve", width, curve(&grouping.all())?.len())?;
    let draws: Vec<Curve> = (0..plan.resamples)
        .into_par_iter()
        .map(|draw| {
            let values = curve(&grouping.draw(&mut draw_rng(plan.seed, draw)))?;
            check_length("curve", width, values.len())?;
            check_finite("curve value", &values)?;
            Ok(values)
        })
        .collect();
    let tail = (1.0 - plan.level) / 2.0;
    (0..width)
        .map(|point| {
            let here: Vec<Score> =
                draws.iter().map(|draw| draw.as_ref().map(|values| values[point]).map_err(Clone::clone)).collect();
            let (sorted, undefined_draws) = defined_draws(&here)?;
            Ok(Interval {
                low: quantile(&sorted, tail),
                high: quantile(&sorted, 1.0 - tail),
                level: plan.level,
                method: IntervalMethod::Percentile,
                resamples: plan.resamples,
                undefined_draws,
            })
        })
        .collect()
}
