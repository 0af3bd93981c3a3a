//! The confusion matrix, and the four counts of one class against the rest.
//!
//! Everything that is computed from decisions (accuracy, rates, kappa, MCC) takes one of these two, so that the decision
//! rule is written down once, where the matrix is made.

use crate::undefined::{Undefined, check_length};

/// Counts of decisions: rows are the truth, columns the prediction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    counts: Vec<u64>,
    classes: usize,
}

impl ConfusionMatrix {
    /// Counts pairs of labels.
    ///
    /// # Shapes
    /// `truth` and `predicted` are `[samples]` with values below `classes`; the matrix is `[classes, classes]`.
    ///
    /// # Errors
    /// No samples, different lengths, fewer than two classes, a label that is not below `classes`.
    ///
    /// # Source
    /// Rows = truth as in scikit-learn's `confusion_matrix`; some texts have it the other way round.
    ///
    /// # Example
    /// ```
    /// let m = kd_metrics::ConfusionMatrix::new(&[0, 0, 1, 2], &[0, 1, 1, 1], 3)?;
    /// assert_eq!(m.count(0, 1), 1); // truth 0, predicted 1
    /// assert_eq!(m.count(1, 0), 0);
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn new(truth: &[usize], predicted: &[usize], classes: usize) -> Result<Self, Undefined> {
        check_length("predicted labels", truth.len(), predicted.len())?;
        if truth.is_empty() {
            return Err(Undefined::NoSamples);
        }
        if classes < 2 {
            return Err(Undefined::NotEnough { what: "classes", expected: 2, found: classes });
        }
        for labels in [truth, predicted] {
            if let Some(sample) = labels.iter().position(|&label| label >= classes) {
                return Err(Undefined::LabelOutOfRange { sample, label: labels[sample], classes });
            }
        }
        Ok(Self::of_checked(truth, predicted, classes))
    }

    /// Counts labels that were checked before.
    pub(crate) fn of_checked(truth: &[usize], predicted: &[usize], classes: usize) -> Self {
        let mut counts = vec![0; classes * classes];
        for (&t, &p) in truth.iter().zip(predicted) {
            counts[t * classes + p] += 1;
        }
        Self { counts, classes }
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of samples with this truth and this prediction.
    ///
    /// # Panics
    /// A class that is not below [`Self::classes`].
    #[must_use]
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        assert!(truth < self.classes && predicted < self.classes, "class outside the confusion matrix");
        self.counts[truth * self.classes + predicted]
    }

    /// The rows, one per true class.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.counts.chunks_exact(self.classes)
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Number of right decisions.
    #[must_use]
    pub fn correct(&self) -> u64 {
        (0..self.classes).map(|c| self.count(c, c)).sum()
    }

    /// Samples per true class (row sums).
    #[must_use]
    pub fn truth_totals(&self) -> Vec<u64> {
        self.rows().map(|row| row.iter().sum()).collect()
    }

    /// Samples per predicted class (column sums).
    #[must_use]
    pub fn predicted_totals(&self) -> Vec<u64> {
        (0..self.classes).map(|c| self.rows().map(|row| row[c]).sum()).collect()
    }

    /// The four counts of each class against the rest.
    #[must_use]
    pub fn one_vs_rest(&self) -> Vec<Counts> {
        let (truth, predicted, samples) = (self.truth_totals(), self.predicted_totals(), self.samples());
        (0..self.classes)
            .map(|c| {
                let true_positive = self.count(c, c);
                let (false_negative, false_positive) = (truth[c] - true_positive, predicted[c] - true_positive);
                Counts {
                    true_positive,
                    false_positive,
                    false_negative,
                    true_negative: samples - true_positive - false_negative - false_positive,
                }
            })
            .collect()
    }
}

/// Yes-or-no decisions about one class, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Positive and called so.
    pub true_positive: u64,
    /// Negative but called positive.
    pub false_positive: u64,
    /// Positive but called negative.
    pub false_negative: u64,
    /// Negative and called so.
    pub true_negative: u64,
}

impl Counts {
    /// Counts pairs of (truth, decision).
    pub fn of_pairs(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counts = Self::default();
        for pair in pairs {
            match pair {
                (true, true) => counts.true_positive += 1,
                (false, true) => counts.false_positive += 1,
                (true, false) => counts.false_negative += 1,
                (false, false) => counts.true_negative += 1,
            }
        }
        counts
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.true_positive + self.false_positive + self.false_negative + self.true_negative
    }
}
