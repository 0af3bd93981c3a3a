//! Dice, intersection over union, sensitivity and precision: what the two masks share, counted in points.

use super::masks::{BothEmpty, MaskPair};
use crate::classify::rates::{Rate, ZeroDivision, rate};
use crate::undefined::Score;

/// Dice coefficient `2 |P ∩ T| / (|P| + |T|)`, 0..1, higher is better.
///
/// # Policy
/// Background points that both masks leave out do not count. `both_empty` says what 0 / 0 is; one empty mask gives 0. Per
/// case and class: a mean over cases is the caller's, a sum over cases before the division is another metric.
///
/// # Errors
/// [`Undefined::EmptyMask`](crate::Undefined::EmptyMask) under [`BothEmpty::Undefined`].
///
/// # Source
/// Dice 1945; surface-distance `compute_dice_coefficient`, which gives NaN for two empty masks.
///
/// # Example
/// ```
/// # use kd_metrics::{BothEmpty, Grid, MaskPair, dice};
/// let grid = Grid::plane([1, 4], [1.0, 1.0])?;
/// let pair = MaskPair::new(grid, &[true, true, true, false], &[false, false, true, false])?;
/// assert_eq!(dice(&pair, BothEmpty::Undefined)?, 0.5);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn dice(pair: &MaskPair, both_empty: BothEmpty) -> Score {
    let size = pair.predicted_points() + pair.true_points();
    if size == 0 {
        return both_empty.score(1.0);
    }
    Ok((2 * pair.counts().true_positive) as f64 / size as f64)
}

/// Intersection over union `|P ∩ T| / |P ∪ T|`, the Jaccard index, 0..1, higher is better.
///
/// # Policy
/// As [`dice`].
///
/// # Errors
/// [`Undefined::EmptyMask`](crate::Undefined::EmptyMask) under [`BothEmpty::Undefined`].
///
/// # Source
/// Jaccard 1901; scikit-learn `jaccard_score`.
///
/// # Example
/// ```
/// # use kd_metrics::{BothEmpty, Grid, MaskPair, intersection_over_union};
/// let grid = Grid::plane([1, 4], [1.0, 1.0])?;
/// let pair = MaskPair::new(grid, &[true, true, true, false], &[false, false, true, true])?;
/// assert_eq!(intersection_over_union(&pair, BothEmpty::Undefined)?, 0.25);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn intersection_over_union(pair: &MaskPair, both_empty: BothEmpty) -> Score {
    let union = pair.predicted_points() + pair.true_points() - pair.counts().true_positive;
    if union == 0 {
        return both_empty.score(1.0);
    }
    Ok(pair.counts().true_positive as f64 / union as f64)
}

/// Share of the true points that are predicted, `|P ∩ T| / |T|`, 0..1, higher is better.
///
/// # Policy
/// `zero_division` says what an empty truth gives.
///
/// # Errors
/// [`Undefined::ZeroDenominator`](crate::Undefined::ZeroDenominator) under [`ZeroDivision::Undefined`].
///
/// # Source
/// [`rate`] of [`MaskPair::counts`] with [`Rate::Recall`].
///
/// # Example
/// ```
/// # use kd_metrics::{Grid, MaskPair, ZeroDivision, mask_sensitivity};
/// let grid = Grid::plane([1, 4], [1.0, 1.0])?;
/// let pair = MaskPair::new(grid, &[true, true, true, false], &[false, false, true, true])?;
/// assert_eq!(mask_sensitivity(&pair, ZeroDivision::Undefined)?, 0.5);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn mask_sensitivity(pair: &MaskPair, zero_division: ZeroDivision) -> Score {
    rate(&pair.counts(), Rate::Recall, zero_division)
}

/// Share of the predicted points that are true, `|P ∩ T| / |P|`, 0..1, higher is better.
///
/// # Policy
/// `zero_division` says what an empty prediction gives.
///
/// # Errors
/// [`Undefined::ZeroDenominator`](crate::Undefined::ZeroDenominator) under [`ZeroDivision::Undefined`].
///
/// # Source
/// [`rate`] of [`MaskPair::counts`] with [`Rate::Precision`].
///
/// # Example
/// ```
/// # use kd_metrics::{Grid, MaskPair, ZeroDivision, mask_precision};
/// let grid = Grid::plane([1, 4], [1.0, 1.0])?;
/// let pair = MaskPair::new(grid, &[true, true, true, true], &[false, false, false, true])?;
/// assert_eq!(mask_precision(&pair, ZeroDivision::Undefined)?, 0.25);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn mask_precision(pair: &MaskPair, zero_division: ZeroDivision) -> Score {
    rate(&pair.counts(), Rate::Precision, zero_division)
}
