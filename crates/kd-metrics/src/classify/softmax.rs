//! From raw logits to probabilities, in `f64` and without overflow.
//!
//! Networks here emit raw logits, often stored as `f16` or `f32`; the last step to a probability is taken in `f64` so that
//! metrics do not depend on the device that ran the network.

use crate::undefined::{Undefined, check_finite};

/// Softmax over each row: `exp(z_j − max z) / Σ exp(z − max z)`.
///
/// # Shapes
/// `logits` is `[samples, classes]`, row-major; so is the result.
///
/// # Errors
/// Fewer than two classes, a length that is no multiple of `classes`, a logit that is not finite.
///
/// # Example
/// ```
/// let p = kd_metrics::softmax(&[0.0, 1000.0, 3.0, 3.0], 2)?;
/// assert_eq!(p, [0.0, 1.0, 0.5, 0.5]);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn softmax(logits: &[f64], classes: usize) -> Result<Vec<f64>, Undefined> {
    check_rows(logits, classes)?;
    let mut probabilities = logits.to_vec();
    for row in probabilities.chunks_exact_mut(classes) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.iter_mut().for_each(|z| *z = (*z - largest).exp());
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|e| *e /= sum);
    }
    Ok(probabilities)
}

/// Logistic function of each logit, for one-channel and multi-label heads.
///
/// # Shapes
/// Any; element by element.
///
/// # Errors
/// A logit that is not finite.
///
/// # Example
/// ```
/// assert_eq!(kd_metrics::sigmoid(&[0.0, -1000.0, 1000.0])?, [0.5, 0.0, 1.0]);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn sigmoid(logits: &[f64]) -> Result<Vec<f64>, Undefined> {
    check_finite("logit", logits)?;
    Ok(logits.iter().map(|&z| logistic(z)).collect())
}

/// Stable logistic function: the exponential never sees a positive argument.
pub(crate) fn logistic(z: f64) -> f64 {
    let e = (-z.abs()).exp();
    if z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

/// Refuses logits that do not form rows of `classes` finite values.
pub(crate) fn check_rows(logits: &[f64], classes: usize) -> Result<(), Undefined> {
    if classes < 2 {
        return Err(Undefined::NotEnough { what: "classes", expected: 2, found: classes });
    }
    if !logits.len().is_multiple_of(classes) {
        return Err(Undefined::LengthMismatch {
            what: "logits (whole rows)",
            expected: logits.len().div_ceil(classes) * classes,
            found: logits.len(),
        });
    }
    check_finite("logit", logits)
}
