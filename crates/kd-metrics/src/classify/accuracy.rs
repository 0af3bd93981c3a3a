//! Share of right decisions, plain and with equal weight per class.

use super::confusion::ConfusionMatrix;
use super::rates::{AbsentClass, Rate, ZeroDivision, macro_rate};
use crate::undefined::Score;

/// Share of samples whose predicted class is the true one: `Σ_c n_cc / n`.
///
/// # Policy
/// Every sample has the same weight, so with imbalance the largest class decides; the decision rule lies in the matrix.
///
/// # Errors
/// None today: a [`ConfusionMatrix`] holds at least one sample.
///
/// # Source
/// scikit-learn `accuracy_score`.
///
/// # Example
/// ```
/// # use kd_metrics::{ConfusionMatrix, accuracy};
/// let m = ConfusionMatrix::new(&[0, 0, 0, 1], &[0, 0, 1, 1], 2)?;
/// assert_eq!(accuracy(&m)?, 0.75);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn accuracy(matrix: &ConfusionMatrix) -> Score {
    Ok(matrix.correct() as f64 / matrix.samples() as f64)
}

/// Mean over classes of the share found: `1/K Σ_c n_cc / n_c·`, the macro recall, not adjusted for chance.
///
/// # Policy
/// A class without a true sample is refused or left out, by `absent`.
///
/// # Errors
/// [`Undefined::ClassAbsent`](crate::Undefined::ClassAbsent) under [`AbsentClass::Undefined`].
///
/// # Source
/// Brodersen et al. 2010; scikit-learn `balanced_accuracy_score`, which leaves absent classes out.
///
/// # Example
/// ```
/// # use kd_metrics::{AbsentClass, ConfusionMatrix, balanced_accuracy};
/// let m = ConfusionMatrix::new(&[0, 0, 0, 1], &[0, 0, 0, 0], 2)?;
/// assert_eq!(balanced_accuracy(&m, AbsentClass::Undefined)?, 0.5);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn balanced_accuracy(matrix: &ConfusionMatrix, absent: AbsentClass) -> Score {
    // A class that is present has a recall, so the zero-division policy is never asked.
    macro_rate(&matrix.one_vs_rest(), Rate::Recall, ZeroDivision::Undefined, absent)
}
