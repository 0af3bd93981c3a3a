//! Cohen's kappa: agreement beyond what the two sets of marginals give by chance.

use super::confusion::ConfusionMatrix;
use crate::undefined::{Score, Undefined};

/// How much a disagreement between two classes counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KappaWeights {
    /// All disagreements alike, for classes without an order.
    Unweighted,
    /// `|i − j|`, for ordinal classes.
    Linear,
    /// `(i − j)²`, the usual choice for ordinal grades.
    Quadratic,
}

/// `κ = 1 − Σ w_ij O_ij / Σ w_ij E_ij`, where `O` are the counts and `E_ij = n_i· n_·j / n` those expected by chance.
///
/// # Policy
/// The weights are an argument: quadratic and unweighted kappa of the same matrix can differ by several tenths. For the
/// weighted kinds the class index is the grade.
///
/// # Errors
/// [`Undefined::ZeroVariance`] where truth and prediction are one and the same constant (scikit-learn gives NaN).
///
/// # Source
/// Cohen 1960; weighted, Cohen 1968; scikit-learn `cohen_kappa_score`.
///
/// # Example
/// ```
/// # use kd_metrics::{ConfusionMatrix, KappaWeights, cohen_kappa};
/// let m = ConfusionMatrix::new(&[0, 1, 2, 2], &[0, 1, 2, 2], 3)?;
/// assert_eq!(cohen_kappa(&m, KappaWeights::Quadratic)?, 1.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn cohen_kappa(matrix: &ConfusionMatrix, weights: KappaWeights) -> Score {
    let (truth, predicted, samples) = (matrix.truth_totals(), matrix.predicted_totals(), matrix.samples() as f64);
    let (mut observed, mut expected) = (0.0, 0.0);
    for (i, row) in matrix.rows().enumerate() {
        for (j, &count) in row.iter().enumerate() {
            let distance = i.abs_diff(j) as f64;
            let weight = match weights {
                KappaWeights::Unweighted => f64::from(u8::from(i != j)),
                KappaWeights::Linear => distance,
                KappaWeights::Quadratic => distance * distance,
            };
            observed += weight * count as f64;
            expected += weight * truth[i] as f64 * predicted[j] as f64 / samples;
        }
    }
    if expected > 0.0 {
        Ok(1.0 - observed / expected)
    } else {
        Err(Undefined::ZeroVariance { what: "the class, in truth and prediction alike," })
    }
}
