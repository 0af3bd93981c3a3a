//! Matthews' correlation coefficient, for two or more classes.

use super::confusion::ConfusionMatrix;
use crate::undefined::{Score, Undefined};

/// Correlation of the one-hot truth with the one-hot prediction:
/// `(c·s − Σ_k p_k t_k) / √((s² − Σ p_k²)(s² − Σ t_k²))` with `s` samples, `c` right ones, `t_k` of class k and `p_k` predicted
/// so.
///
/// # Policy
/// Symmetric in truth and prediction, and unlike F1 it counts true negatives. −1..1 for two classes; for more the lower
/// bound depends on the class shares.
///
/// # Errors
/// [`Undefined::ZeroVariance`] where all samples have one class or all predictions are one class.
///
/// # Source
/// Matthews 1975; Gorodkin 2004 for several classes; scikit-learn `matthews_corrcoef`.
///
/// # Deviations
/// scikit-learn gives 0 for a constant prediction; here it has no value.
///
/// # Example
/// ```
/// # use kd_metrics::{ConfusionMatrix, matthews_correlation};
/// let wrong = ConfusionMatrix::new(&[0, 0, 1], &[1, 1, 0], 2)?;
/// assert_eq!(matthews_correlation(&wrong)?, -1.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn matthews_correlation(matrix: &ConfusionMatrix) -> Score {
    let (truth, predicted) = (matrix.truth_totals(), matrix.predicted_totals());
    // 128 bit: products of two counts stay exact, so equal margins cancel exactly.
    let dot = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(&x, &y)| i128::from(x) * i128::from(y)).sum::<i128>();
    let samples = i128::from(matrix.samples());
    let covariance = i128::from(matrix.correct()) * samples - dot(&truth, &predicted);
    let truth_variance = samples * samples - dot(&truth, &truth);
    let predicted_variance = samples * samples - dot(&predicted, &predicted);
    match (truth_variance, predicted_variance) {
        (0, _) => Err(Undefined::ZeroVariance { what: "the true class" }),
        (_, 0) => Err(Undefined::ZeroVariance { what: "the predicted class" }),
        (t, p) => Ok(covariance as f64 / ((t as f64).sqrt() * (p as f64).sqrt())),
    }
}
