//! Probabilities together with the truth, checked once.
//!
//! A metric computed on logits, on rows that do not add up to one or on labels that the head does not have gives a
//! plausible, wrong number. These types cannot be built from such input, so the metrics need no checks of their own.
//! Values are neither clipped nor renormalized here.

use super::confusion::{ConfusionMatrix, Counts};
use super::cut::Cut;
use super::ranked::RankedScores;
use crate::undefined::{Undefined, check_length};

/// How far the probabilities of one sample may be from the sum 1. Wide enough for files with three or four decimals per
/// class and for `f16`; narrow enough to refuse logits and independent sigmoids. Rows inside it are used as they are.
pub const SUM_TOLERANCE: f64 = 5e-3;

/// Checked predictions of any head.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictions {
    /// One class of two or more, softmax probabilities.
    Multiclass(MulticlassPredictions),
    /// One channel: the probability of the positive class.
    Binary(BinaryPredictions),
    /// Several independent yes-or-no labels.
    MultiLabel(MultiLabelPredictions),
}

impl Predictions {
    /// Checked multi-class predictions; see [`MulticlassPredictions::new`].
    pub fn multiclass(probabilities: &[f64], classes: usize, truth: &[usize]) -> Result<Self, Undefined> {
        MulticlassPredictions::new(probabilities, classes, truth).map(Self::Multiclass)
    }

    /// Checked binary predictions; see [`BinaryPredictions::new`].
    pub fn binary(positive: &[f64], truth: &[bool]) -> Result<Self, Undefined> {
        BinaryPredictions::new(positive, truth).map(Self::Binary)
    }

    /// Checked multi-label predictions; see [`MultiLabelPredictions::new`].
    pub fn multi_label(probabilities: &[f64], labels: usize, truth: &[bool]) -> Result<Self, Undefined> {
        MultiLabelPredictions::new(probabilities, labels, truth).map(Self::MultiLabel)
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        match self {
            Self::Multiclass(p) => p.samples(),
            Self::Binary(p) => p.samples(),
            Self::MultiLabel(p) => p.samples(),
        }
    }

    /// The rows at `indices`, in that order, repeats kept: one bootstrap draw.
    ///
    /// # Panics
    /// An index that is not below [`Self::samples`].
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        match self {
            Self::Multiclass(p) => Self::Multiclass(p.select(indices)),
            Self::Binary(p) => Self::Binary(p.select(indices)),
            Self::MultiLabel(p) => Self::MultiLabel(p.select(indices)),
        }
    }

    /// Name of the head, for messages.
    pub(crate) fn head(&self) -> &'static str {
        match self {
            Self::Multiclass(_) => "multi-class",
            Self::Binary(_) => "binary",
            Self::MultiLabel(_) => "multi-label",
        }
    }
}

/// Softmax probabilities `[samples, classes]` and one true class per sample.
#[derive(Debug, Clone, PartialEq)]
pub struct MulticlassPredictions {
    probabilities: Vec<f64>,
    classes: usize,
    truth: Vec<usize>,
}

impl MulticlassPredictions {
    /// Checks and copies.
    ///
    /// # Shapes
    /// `probabilities` is `[samples, classes]`, row-major; `truth` is `[samples]` with values below `classes`.
    ///
    /// # Errors
    /// No samples, fewer than two classes, another length, a value outside 0..1 or NaN, a row whose sum is more than
    /// [`SUM_TOLERANCE`] from 1, a label that is not below `classes`.
    ///
    /// # Example
    /// ```
    /// use kd_metrics::MulticlassPredictions;
    /// let p = MulticlassPredictions::new(&[0.7, 0.2, 0.1, 0.1, 0.1, 0.8], 3, &[0, 1])?;
    /// assert_eq!(p.predicted(), [0, 2]);
    /// assert!(MulticlassPredictions::new(&[2.0, -1.0, 0.0], 3, &[0]).is_err());
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn new(probabilities: &[f64], classes: usize, truth: &[usize]) -> Result<Self, Undefined> {
        if classes < 2 {
            return Err(Undefined::NotEnough { what: "classes", expected: 2, found: classes });
        }
        check_table(probabilities, classes, truth.len())?;
        for (sample, row) in probabilities.chunks_exact(classes).enumerate() {
            let sum: f64 = row.iter().sum();
            if (sum - 1.0).abs() > SUM_TOLERANCE {
                return Err(Undefined::RowSum { sample, found: sum });
            }
        }
        if let Some(sample) = truth.iter().position(|&label| label >= classes) {
            return Err(Undefined::LabelOutOfRange { sample, label: truth[sample], classes });
        }
        Ok(Self { probabilities: probabilities.to_vec(), classes, truth: truth.to_vec() })
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.truth.len()
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The true class of each sample.
    #[must_use]
    pub fn truth(&self) -> &[usize] {
        &self.truth
    }

    /// The probabilities of each sample, one slice of length `classes` per sample.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.probabilities.chunks_exact(self.classes)
    }

    /// The class with the highest probability; among equal ones the lowest index, as NumPy's `argmax`.
    #[must_use]
    pub fn predicted(&self) -> Vec<usize> {
        self.rows().map(argmax).collect()
    }

    /// Decisions by [`Self::predicted`] against the truth.
    #[must_use]
    pub fn confusion(&self) -> ConfusionMatrix {
        ConfusionMatrix::of_checked(&self.truth, &self.predicted(), self.classes)
    }

    /// One class against the rest: the class's column, and whether the truth is that class.
    ///
    /// # Errors
    /// A class that the head does not have.
    pub fn one_vs_rest(&self, class: usize) -> Result<BinaryPredictions, Undefined> {
        if class >= self.classes {
            return Err(Undefined::OutOfRange {
                what: "class",
                expected: "below the number of classes",
                found: class as f64,
            });
        }
        Ok(BinaryPredictions {
            positive: self.rows().map(|row| row[class]).collect(),
            truth: self.truth.iter().map(|&label| label == class).collect(),
        })
    }

    /// The rows at `indices`, in that order, repeats kept.
    ///
    /// # Panics
    /// An index that is not below [`Self::samples`].
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            probabilities: take_rows(&self.probabilities, self.classes, indices),
            classes: self.classes,
            truth: indices.iter().map(|&i| self.truth[i]).collect(),
        }
    }
}

/// The probability of the positive class and whether it is true, per sample.
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryPredictions {
    positive: Vec<f64>,
    truth: Vec<bool>,
}

impl BinaryPredictions {
    /// Checks and copies.
    ///
    /// # Shapes
    /// Both `[samples]`.
    ///
    /// # Errors
    /// No samples, different lengths, a value outside 0..1 or NaN.
    pub fn new(positive: &[f64], truth: &[bool]) -> Result<Self, Undefined> {
        check_table(positive, 1, truth.len())?;
        Ok(Self { positive: positive.to_vec(), truth: truth.to_vec() })
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.truth.len()
    }

    /// The probability of the positive class, per sample.
    #[must_use]
    pub fn positive(&self) -> &[f64] {
        &self.positive
    }

    /// Whether each sample is positive.
    #[must_use]
    pub fn truth(&self) -> &[bool] {
        &self.truth
    }

    /// The scores in rank order, as the ranking metrics take them.
    #[must_use]
    pub fn ranked(&self) -> RankedScores {
        RankedScores::of_checked(&self.positive, &self.truth)
    }

    /// Decisions at a threshold, counted.
    #[must_use]
    pub fn counts(&self, cut: Cut) -> Counts {
        Counts::of_pairs(self.positive.iter().zip(&self.truth).map(|(&p, &t)| (t, cut.is_positive(p))))
    }

    /// Decisions at a threshold as a 2 × 2 matrix; class 1 is the positive one.
    #[must_use]
    pub fn confusion(&self, cut: Cut) -> ConfusionMatrix {
        let truth: Vec<usize> = self.truth.iter().map(|&t| usize::from(t)).collect();
        let predicted: Vec<usize> = self.positive.iter().map(|&p| usize::from(cut.is_positive(p))).collect();
        ConfusionMatrix::of_checked(&truth, &predicted, 2)
    }

    /// The samples at `indices`, in that order, repeats kept.
    ///
    /// # Panics
    /// An index that is not below [`Self::samples`].
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            positive: indices.iter().map(|&i| self.positive[i]).collect(),
            truth: indices.iter().map(|&i| self.truth[i]).collect(),
        }
    }
}

/// Independent probabilities `[samples, labels]` and as many truths.
#[derive(Debug, Clone, PartialEq)]
pub struct MultiLabelPredictions {
    probabilities: Vec<f64>,
    labels: usize,
    truth: Vec<bool>,
}

impl MultiLabelPredictions {
    /// Checks and copies.
    ///
    /// # Shapes
    /// Both `[samples, labels]`, row-major.
    ///
    /// # Errors
    /// No samples, no labels, different lengths, a value outside 0..1 or NaN.
    pub fn new(probabilities: &[f64], labels: usize, truth: &[bool]) -> Result<Self, Undefined> {
        if labels == 0 {
            return Err(Undefined::NotEnough { what: "labels", expected: 1, found: 0 });
        }
        check_length("truth (whole rows)", truth.len().div_ceil(labels) * labels, truth.len())?;
        check_table(probabilities, labels, truth.len() / labels)?;
        Ok(Self { probabilities: probabilities.to_vec(), labels, truth: truth.to_vec() })
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.truth.len() / self.labels
    }

    /// Number of labels per sample.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// One label's column as binary predictions.
    ///
    /// # Errors
    /// A label that the head does not have.
    pub fn label(&self, label: usize) -> Result<BinaryPredictions, Undefined> {
        if label >= self.labels {
            return Err(Undefined::OutOfRange {
                what: "label",
                expected: "below the number of labels",
                found: label as f64,
            });
        }
        Ok(BinaryPredictions {
            positive: self.probabilities.iter().skip(label).step_by(self.labels).copied().collect(),
            truth: self.truth.iter().skip(label).step_by(self.labels).copied().collect(),
        })
    }

    /// Decisions at one threshold for all labels, counted per label.
    #[must_use]
    pub fn counts(&self, cut: Cut) -> Vec<Counts> {
        let pairs: Vec<(bool, bool)> =
            self.probabilities.iter().zip(&self.truth).map(|(&p, &t)| (t, cut.is_positive(p))).collect();
        (0..self.labels).map(|label| Counts::of_pairs(pairs.iter().skip(label).step_by(self.labels).copied())).collect()
    }

    /// Every cell as one binary prediction: what a Bernoulli loss averages over.
    #[must_use]
    pub fn flattened(&self) -> BinaryPredictions {
        BinaryPredictions { positive: self.probabilities.clone(), truth: self.truth.clone() }
    }

    /// The rows at `indices`, in that order, repeats kept.
    ///
    /// # Panics
    /// An index that is not below [`Self::samples`].
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            probabilities: take_rows(&self.probabilities, self.labels, indices),
            labels: self.labels,
            truth: take_rows(&self.truth, self.labels, indices),
        }
    }
}

/// First index of the largest value.
pub(crate) fn argmax(row: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = index;
        }
    }
    best
}

fn take_rows<T: Copy>(table: &[T], width: usize, indices: &[usize]) -> Vec<T> {
    indices.iter().flat_map(|&i| &table[i * width..(i + 1) * width]).copied().collect()
}

fn check_table(probabilities: &[f64], columns: usize, samples: usize) -> Result<(), Undefined> {
    check_length("probabilities", samples * columns, probabilities.len())?;
    if samples == 0 {
        return Err(Undefined::NoSamples);
    }
    match probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
        None => Ok(()),
        Some(i) => {
            Err(Undefined::NotAProbability { sample: i / columns, column: i % columns, found: probabilities[i] })
        }
    }
}
