//! Negative log-likelihood of the truth under the probabilities.

use super::predictions::Predictions;
use crate::undefined::{Score, Undefined};

/// What happens to probabilities before the logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// Nothing: probability 0 for what happened leaves the loss without a value.
    None,
    /// Into `[ε, 1 − ε]`; the rows are not normalized again.
    At(f64),
}

/// Mean of `−ln p(truth)`, in nats.
///
/// # Shapes
/// Multi-class: mean over samples. Binary: mean over samples of `−ln p` or `−ln(1 − p)`. Multi-label: mean over samples and
/// labels.
///
/// # Policy
/// `clip` decides about probabilities of 0 and 1, one of which can dominate the mean.
///
/// # Errors
/// [`Undefined::InfiniteLoss`] for a probability 0 under [`Clip::None`]; an ε outside 0..0.5.
///
/// # Source
/// scikit-learn `log_loss`, which clips at the machine epsilon of the input's type.
///
/// # Example
/// ```
/// # use kd_metrics::{Clip, Predictions, log_loss};
/// let p = Predictions::multiclass(&[0.25, 0.25, 0.5], 3, &[1])?;
/// assert!((log_loss(&p, Clip::None)? - 4f64.ln()).abs() < 1e-15);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn log_loss(predictions: &Predictions, clip: Clip) -> Score {
    if let Clip::At(epsilon) = clip
        && !(epsilon > 0.0 && epsilon < 0.5)
    {
        return Err(Undefined::OutOfRange { what: "clip", expected: "above 0 and below 0.5", found: epsilon });
    }
    let of_binary =
        |p: &[f64], truth: &[bool]| mean_loss(p.iter().zip(truth).map(|(&p, &t)| if t { p } else { 1.0 - p }), clip);
    match predictions {
        Predictions::Multiclass(p) => mean_loss(p.rows().zip(p.truth()).map(|(row, &truth)| row[truth]), clip),
        Predictions::Binary(p) => of_binary(p.positive(), p.truth()),
        Predictions::MultiLabel(p) => {
            let flat = p.flattened();
            of_binary(flat.positive(), flat.truth())
        }
    }
}

fn mean_loss(likelihoods: impl ExactSizeIterator<Item = f64>, clip: Clip) -> Score {
    let count = likelihoods.len() as f64;
    let mut sum = 0.0;
    for (sample, likelihood) in likelihoods.enumerate() {
        let likelihood = match clip {
            Clip::None if likelihood > 0.0 => likelihood,
            Clip::None => return Err(Undefined::InfiniteLoss { sample }),
            Clip::At(epsilon) => likelihood.clamp(epsilon, 1.0 - epsilon),
        };
        sum -= likelihood.ln();
    }
    Ok(sum / count)
}
