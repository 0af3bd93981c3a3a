//! Reliability curve and expected calibration error over bins of equal mass.
//!
//! Equal-width bins leave most bins of a confident network empty and put nearly everything into the last one; bins of equal
//! mass do not. What is called confidence differs between papers, so it is an argument.

use super::predictions::{Predictions, argmax};
use crate::undefined::{Score, Undefined};

/// Which probability is compared with which frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// Multi-class: the highest probability against the share of right decisions (Guo et al. 2017).
    TopLabel,
    /// One-channel or two-class: the positive probability against the share of positives. In a multi-label head every cell
    /// is a sample.
    PositiveClass,
}

/// One bin of the reliability curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// Samples in it.
    pub samples: usize,
    /// Mean confidence of them.
    pub confidence: f64,
    /// Share of them that came true.
    pub frequency: f64,
    /// Lowest confidence in the bin.
    pub low: f64,
    /// Highest confidence in the bin.
    pub high: f64,
}

/// The reliability curve: bins by rising confidence, none empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Reliability {
    bins: Vec<ReliabilityBin>,
}

impl Reliability {
    /// The bins, by rising confidence; fewer than asked for where ties fill several.
    #[must_use]
    pub fn bins(&self) -> &[ReliabilityBin] {
        &self.bins
    }

    /// `Σ_b n_b / n · |frequency_b − confidence_b|`.
    #[must_use]
    pub fn expected_calibration_error(&self) -> f64 {
        let samples: usize = self.bins.iter().map(|bin| bin.samples).sum();
        self.bins.iter().map(|bin| bin.samples as f64 * (bin.frequency - bin.confidence).abs()).sum::<f64>()
            / samples as f64
    }
}

/// Bins samples by confidence, about the same number in each.
///
/// # Policy
/// Samples sorted by confidence; the sample at position `s` of `n` goes into bin `⌊bins · (s + ½) / n⌋`. Samples of equal
/// confidence stay together and go where the middle of their run goes, so the result does not depend on the order of the
/// samples; a bin that gets none is left out. With more bins than samples every distinct confidence has its own bin.
///
/// # Errors
/// Zero bins; [`Confidence::TopLabel`] on a one-channel or multi-label head; [`Confidence::PositiveClass`] with more than two
/// classes.
///
/// # Source
/// Guo et al. 2017, section 2; equal mass after Nguyen and O'Connor 2015.
///
/// # Deviations
/// Guo et al. use bins of equal width. scikit-learn's quantile strategy cuts between ties at interpolated edges.
///
/// # Example
/// ```
/// # use kd_metrics::{Confidence, Predictions, reliability};
/// let p = Predictions::binary(&[0.1, 0.2, 0.8, 0.9], &[false, false, true, false])?;
/// let curve = reliability(&p, Confidence::PositiveClass, 2)?;
/// assert_eq!(curve.bins()[1].frequency, 0.5);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn reliability(predictions: &Predictions, confidence: Confidence, bins: usize) -> Result<Reliability, Undefined> {
    if bins == 0 {
        return Err(Undefined::NotEnough { what: "bins", expected: 1, found: 0 });
    }
    let mut outcomes = outcomes(predictions, confidence)?;
    // Right ones last within a tie: the order of the sums must not depend on the order of the samples.
    outcomes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let count = outcomes.len();
    let (mut filled, mut start, mut current) = (Vec::new(), 0, None);
    for run in outcomes.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        // ⌊bins · (start + length / 2) / count⌋ without fractions.
        let bin = ((bins as u128 * (2 * start + run.len()) as u128) / (2 * count) as u128) as usize;
        if current != Some(bin) {
            filled.push(Vec::new());
            current = Some(bin);
        }
        if let Some(members) = filled.last_mut() {
            members.extend_from_slice(run);
        }
        start += run.len();
    }
    let bins = filled.iter().map(|members: &Vec<(f64, bool)>| summarize(members)).collect();
    Ok(Reliability { bins })
}

/// Expected calibration error over bins of equal mass: [`reliability`], then
/// [`Reliability::expected_calibration_error`]. 0..1, lower is better.
///
/// # Policy
/// Confidence and number of bins are arguments; ties as in [`reliability`]. Biased upwards for few samples per bin, so
/// compare only at equal n and bins.
///
/// # Errors
/// As [`reliability`].
///
/// # Source
/// Guo et al. 2017, equation 3.
///
/// # Example
/// ```
/// # use kd_metrics::{Confidence, Predictions, expected_calibration_error};
/// let p = Predictions::binary(&[0.25; 4], &[true, false, false, false])?;
/// assert_eq!(expected_calibration_error(&p, Confidence::PositiveClass, 10)?, 0.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn expected_calibration_error(predictions: &Predictions, confidence: Confidence, bins: usize) -> Score {
    Ok(reliability(predictions, confidence, bins)?.expected_calibration_error())
}

fn outcomes(predictions: &Predictions, confidence: Confidence) -> Result<Vec<(f64, bool)>, Undefined> {
    let pairs = |p: &[f64], truth: &[bool]| p.iter().map(|p| p + 0.0).zip(truth.iter().copied()).collect();
    match (confidence, predictions) {
        (Confidence::TopLabel, Predictions::Multiclass(p)) => Ok(p
            .rows()
            .zip(p.truth())
            .map(|(row, &truth)| {
                let top = argmax(row);
                (row[top], top == truth)
            })
            .collect()),
        (Confidence::TopLabel, p) => Err(Undefined::HeadMismatch { expected: "multi-class", found: p.head() }),
        (Confidence::PositiveClass, Predictions::Binary(p)) => Ok(pairs(p.positive(), p.truth())),
        (Confidence::PositiveClass, Predictions::Multiclass(p)) if p.classes() == 2 => {
            let p = p.one_vs_rest(1)?;
            Ok(pairs(p.positive(), p.truth()))
        }
        (Confidence::PositiveClass, Predictions::MultiLabel(p)) => {
            let p = p.flattened();
            Ok(pairs(p.positive(), p.truth()))
        }
        (Confidence::PositiveClass, p) => {
            Err(Undefined::HeadMismatch { expected: "binary, two-class or multi-label", found: p.head() })
        }
    }
}

/// Called with at least one member.
fn summarize(members: &[(f64, bool)]) -> ReliabilityBin {
    let samples = members.len();
    ReliabilityBin {
        samples,
        confidence: members.iter().map(|m| m.0).sum::<f64>() / samples as f64,
        frequency: members.iter().filter(|m| m.1).count() as f64 / samples as f64,
        low: members[0].0,
        high: members[samples - 1].0,
    }
}
