//! Brier score: squared error of the probabilities, calibration and sharpness in one number.

use super::predictions::{BinaryPredictions, MulticlassPredictions};
use crate::undefined::Score;

/// Mean squared error of the positive probability: `1/n Σ (p_i − y_i)²`, 0..1, lower is better.
///
/// # Policy
/// The one-column form, half of the two-column sum that [`brier_multiclass`] gives for the same data.
///
/// # Errors
/// None today: [`BinaryPredictions`] hold at least one sample.
///
/// # Source
/// Brier 1950; scikit-learn `brier_score_loss` for two classes.
///
/// # Example
/// ```
/// # use kd_metrics::{BinaryPredictions, brier_binary};
/// let p = BinaryPredictions::new(&[0.5, 1.0], &[true, false])?;
/// assert_eq!(brier_binary(&p)?, (0.25 + 1.0) / 2.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn brier_binary(predictions: &BinaryPredictions) -> Score {
    let sum: f64 = predictions
        .positive()
        .iter()
        .zip(predictions.truth())
        .map(|(&p, &t)| (p - f64::from(u8::from(t))).powi(2))
        .sum();
    Ok(sum / predictions.samples() as f64)
}

/// Squared distance to the one-hot truth, summed over classes, mean over samples: `1/n Σ_i Σ_k (p_ik − y_ik)²`, 0..2.
///
/// # Policy
/// Summed over classes as in the original paper, neither halved nor divided by the number of classes.
///
/// # Errors
/// None today: [`MulticlassPredictions`] hold at least one sample.
///
/// # Source
/// Brier 1950, equation 2; scikit-learn `brier_score_loss(scale_by_half=False)`.
///
/// # Example
/// ```
/// # use kd_metrics::{MulticlassPredictions, brier_multiclass};
/// let p = MulticlassPredictions::new(&[0.5, 0.25, 0.25], 3, &[0])?;
/// assert_eq!(brier_multiclass(&p)?, 0.25 + 0.0625 + 0.0625);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn brier_multiclass(predictions: &MulticlassPredictions) -> Score {
    let sum: f64 = predictions
        .rows()
        .zip(predictions.truth())
        .map(|(row, &truth)| {
            row.iter().enumerate().map(|(k, &p)| (p - f64::from(u8::from(k == truth))).powi(2)).sum::<f64>()
        })
        .sum();
    Ok(sum / predictions.samples() as f64)
}
