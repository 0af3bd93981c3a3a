//! Temperature scaling: one number that makes probabilities match frequencies and leaves every decision as it was.
//!
//! The loss is convex in β = 1 / T, so its derivative in β rises and has at most one zero. The search brackets that zero and
//! halves the bracket in log T, which needs no step size and cannot end in a wrong minimum.

use super::softmax::{check_rows, logistic};
use crate::undefined::{Undefined, check_finite, check_length};

/// Temperatures that are searched. A minimum outside means that the logits carry no scale worth fitting.
pub const TEMPERATURE_LIMITS: (f64, f64) = (0.01, 100.0);

/// A fitted temperature and what it did to the loss it was fitted on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedTemperature {
    /// Divide logits by this.
    pub temperature: f64,
    /// Mean negative log-likelihood at temperature 1, in nats.
    pub log_loss_before: f64,
    /// The same at the fitted temperature.
    pub log_loss_after: f64,
}

/// The temperature that minimizes the mean of `−ln softmax(z / T)[truth]` on validation logits.
///
/// # Shapes
/// `logits` is `[samples, classes]`, row-major; `truth` is `[samples]`.
///
/// # Policy
/// Searched within [`TEMPERATURE_LIMITS`] to a relative precision of about 1e-13. To be fitted on validation data only.
///
/// # Errors
/// Input that does not fit together or is not finite; [`Undefined::TemperatureNotIdentifiable`] where every decision is right
/// (the loss falls for ever as T goes to 0), where the logits are no better than chance (it falls as T grows), or where each
/// sample's logits are all equal.
///
/// # Source
/// Guo et al. 2017, section 4.2; Platt 1999 with the slope only.
///
/// # Example
/// ```
/// // Logits that claim 98 % but are right three times in four: only a higher temperature makes that honest.
/// let logits = [4.0, 0.0].repeat(4);
/// let fitted = kd_metrics::fit_temperature_multiclass(&logits, 2, &[0, 0, 0, 1])?;
/// assert!((fitted.temperature - 4.0 / 3f64.ln()).abs() < 1e-9);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn fit_temperature_multiclass(
    logits: &[f64],
    classes: usize,
    truth: &[usize],
) -> Result<FittedTemperature, Undefined> {
    check_rows(logits, classes)?;
    check_length("logits", truth.len() * classes, logits.len())?;
    if let Some(sample) = truth.iter().position(|&label| label >= classes) {
        return Err(Undefined::LabelOutOfRange { sample, label: truth[sample], classes });
    }
    // Differences to the true class: the loss is ln Σ exp(β d), its derivative Σ softmax(β d) d.
    let differences: Vec<f64> = logits
        .chunks_exact(classes)
        .zip(truth)
        .flat_map(|(row, &truth)| row.iter().map(move |z| z - row[truth]))
        .collect();
    // Two finite logits of opposite sign can be further apart than an f64 can say.
    check_finite("difference of logits", &differences)?;
    fit(truth.len(), |beta| {
        let (mut loss, mut slope) = (0.0, 0.0);
        for row in differences.chunks_exact(classes) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let (mut sum, mut weighted) = (0.0, 0.0);
            for d in row {
                let e = (beta * (d - largest)).exp();
                sum += e;
                weighted += e * d;
            }
            loss += beta * largest + sum.ln();
            slope += weighted / sum;
        }
        (loss, slope)
    })
}

/// The temperature that minimizes the mean of `−ln p(truth)` with `p = sigmoid(z / T)` on validation logits.
///
/// # Shapes
/// `logits` and `truth` have one entry per sample, or per sample and label: a multi-label head gets one temperature for all
/// labels.
///
/// # Policy
/// As [`fit_temperature_multiclass`].
///
/// # Errors
/// As [`fit_temperature_multiclass`].
///
/// # Source
/// Guo et al. 2017, section 4.2, on a one-channel head.
///
/// # Example
/// ```
/// let fitted = kd_metrics::fit_temperature_bernoulli(&[4.0; 4], &[true, true, true, false])?;
/// assert!((fitted.temperature - 4.0 / 3f64.ln()).abs() < 1e-9);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn fit_temperature_bernoulli(logits: &[f64], truth: &[bool]) -> Result<FittedTemperature, Undefined> {
    check_finite("logit", logits)?;
    check_length("logits", truth.len(), logits.len())?;
    // The margin by which the truth is favored: the loss is ln(1 + exp(−β m)).
    let margins: Vec<f64> = logits.iter().zip(truth).map(|(&z, &t)| if t { z } else { -z }).collect();
    fit(truth.len(), |beta| {
        margins.iter().fold((0.0, 0.0), |(loss, slope), &m| {
            let z = beta * m;
            ((-z.abs()).exp().ln_1p() + (-z).max(0.0) + loss, slope - m * logistic(-z))
        })
    })
}

/// Finds the zero of a rising slope. `at` gives the summed loss and its derivative in β.
fn fit(samples: usize, at: impl Fn(f64) -> (f64, f64)) -> Result<FittedTemperature, Undefined> {
    if samples == 0 {
        return Err(Undefined::NoSamples);
    }
    let (mut low, mut high) = (TEMPERATURE_LIMITS.0.ln(), TEMPERATURE_LIMITS.1.ln());
    let slope = |log_temperature: f64| at((-log_temperature).exp()).1;
    // A slope of exactly 0 everywhere means that the temperature changes nothing.
    if slope(low) <= 0.0 {
        return Err(Undefined::TemperatureNotIdentifiable {
            reason: "the loss keeps falling as the temperature goes to 0 (every decision right, or no logit differs)",
        });
    }
    if slope(high) >= 0.0 {
        return Err(Undefined::TemperatureNotIdentifiable {
            reason: "the loss keeps falling as the temperature grows (the logits are no better than chance)",
        });
    }
    // 60 halvings of a bracket of 9.2 end below the spacing of f64 near the answer.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    let temperature = f64::midpoint(low, high).exp();
    let scale = samples as f64;
    Ok(FittedTemperature {
        temperature,
        log_loss_before: at(1.0).0 / scale,
        log_loss_after: at(1.0 / temperature).0 / scale,
    })
}
