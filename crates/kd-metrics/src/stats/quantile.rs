//! Quantiles of bootstrap draws, and the rule for draws without a value.

use crate::undefined::{Score, Undefined};

/// Quantile of ascending values with linear interpolation between neighbors (Hyndman and Fan 1996, type 7; NumPy's default).
/// `sorted` must not be empty.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = (position.floor() as usize).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

/// Defined draws, ascending, with the number of the others; an error where more than 5 % have no value.
pub(crate) fn defined_draws(draws: &[Score]) -> Result<(Vec<f64>, usize), Undefined> {
    let mut values: Vec<f64> = draws.iter().filter_map(|draw| draw.as_ref().ok()).copied().collect();
    let undefined = draws.len() - values.len();
    if undefined * 20 > draws.len()
        && let Some(Err(first)) = draws.iter().find(|draw| draw.is_err())
    {
        return Err(Undefined::TooManyUndefinedDraws {
            undefined,
            resamples: draws.len(),
            first: Box::new(first.clone()),
        });
    }
    values.sort_unstable_by(f64::total_cmp);
    Ok((values, undefined))
}

/// Refuses draws that are all alike: an interval of no width would claim certainty that a resample cannot give.
pub(crate) fn check_spread(sorted: &[f64]) -> Result<(), Undefined> {
    match (sorted.first(), sorted.last()) {
        (Some(low), Some(high)) if low < high => Ok(()),
        _ => Err(Undefined::ZeroVariance { what: "the statistic over the bootstrap draws" }),
    }
}
