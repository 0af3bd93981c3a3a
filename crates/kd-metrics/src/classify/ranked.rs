//! Scores reduced to their ranks, so that a bootstrap draw needs counting and no sorting.
//!
//! AUROC, ROC, average precision and DeLong's variance depend on the order of the scores alone. Sorting once and giving
//! every distinct score a number turns each of thousands of resamples into one linear pass over small counters, and makes
//! all counts integers: the result does not depend on the order of the samples, not even in the last bit.

use crate::undefined::{Undefined, check_finite, check_length};

/// Scores of one class with their truth, sorted once.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedScores {
    /// Index of each sample's score among the distinct ones.
    ranks: Vec<usize>,
    truth: Vec<bool>,
    /// The distinct scores, ascending.
    distinct: Vec<f64>,
}

/// Samples per distinct score, ascending.
pub(crate) struct Tally {
    pub(crate) positive: Vec<u64>,
    pub(crate) negative: Vec<u64>,
}

impl Tally {
    /// Number of positives and negatives, both above zero.
    pub(crate) fn totals(&self) -> Result<(u64, u64), Undefined> {
        match (self.positive.iter().sum(), self.negative.iter().sum()) {
            (0, 0) => Err(Undefined::NoSamples),
            (0, _) => Err(Undefined::OneClassOnly { positive: false }),
            (_, 0) => Err(Undefined::OneClassOnly { positive: true }),
            totals => Ok(totals),
        }
    }
}

impl RankedScores {
    /// Ranks any finite scores: probabilities, logits, distances. Higher means more likely positive.
    ///
    /// # Shapes
    /// Both `[samples]`.
    ///
    /// # Errors
    /// No samples, different lengths, a score that is NaN or infinite.
    ///
    /// # Example
    /// ```
    /// let scores = kd_metrics::RankedScores::new(&[-3.0, 12.5, 0.0], &[false, true, true])?;
    /// assert_eq!(kd_metrics::auroc(&scores)?, 1.0);
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn new(scores: &[f64], truth: &[bool]) -> Result<Self, Undefined> {
        check_length("scores", truth.len(), scores.len())?;
        if scores.is_empty() {
            return Err(Undefined::NoSamples);
        }
        check_finite("score", scores)?;
        Ok(Self::of_checked(scores, truth))
    }

    /// Ranks scores that were checked before.
    pub(crate) fn of_checked(scores: &[f64], truth: &[bool]) -> Self {
        // Adding zero makes −0 the same score as 0 under the total order.
        let mut order: Vec<(f64, usize)> = scores.iter().map(|score| score + 0.0).zip(0..).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut distinct: Vec<f64> = Vec::new();
        let mut ranks = vec![0; scores.len()];
        for (score, sample) in order {
            if distinct.last().is_none_or(|last| *last < score) {
                distinct.push(score);
            }
            ranks[sample] = distinct.len() - 1;
        }
        Self { ranks, truth: truth.to_vec(), distinct }
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.ranks.len()
    }

    /// Whether each sample is positive.
    #[must_use]
    pub fn truth(&self) -> &[bool] {
        &self.truth
    }

    /// The distinct scores, ascending.
    pub(crate) fn distinct(&self) -> &[f64] {
        &self.distinct
    }

    /// Index of each sample's score among the distinct ones.
    pub(crate) fn ranks(&self) -> &[usize] {
        &self.ranks
    }

    /// Counts all samples.
    pub(crate) fn tally(&self) -> Tally {
        self.tally_of(0..self.samples())
    }

    /// Counts the samples at the indices, repeats included.
    pub(crate) fn tally_of(&self, indices: impl IntoIterator<Item = usize>) -> Tally {
        let mut tally = Tally { positive: vec![0; self.distinct.len()], negative: vec![0; self.distinct.len()] };
        for i in indices {
            let side = if self.truth[i] { &mut tally.positive } else { &mut tally.negative };
            side[self.ranks[i]] += 1;
        }
        tally
    }
}
