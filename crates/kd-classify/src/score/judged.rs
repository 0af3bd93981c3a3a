//! Logits and labels of one split, ready to be measured on all samples or on any draw of them.

use kd_core::Head;
use kd_image::Target;
use kd_metrics::{
    AbsentClass, BinaryPredictions, Clip, Confidence, ConfusionMatrix, Cut, KappaWeights, MultiLabelPredictions,
    Predictions, RankedScores, Rate, Score, Undefined, ZeroDivision, accuracy, auroc_macro, auroc_multi_label,
    auroc_of, average_precision, average_precision_of, balanced_accuracy, brier_binary, brier_multiclass, cohen_kappa,
    expected_calibration_error, log_loss, macro_rate, matthews_correlation, rate, sigmoid, softmax,
};

use super::Metric;
use super::metric::CALIBRATION_BINS;

/// Probabilities are kept this far from 0 in the log loss: a single sure mistake would otherwise be infinite.
const CLIP: Clip = Clip::At(1e-7);
const CUT: Cut = Cut::Above(0.5);

/// Why answers could not be judged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JudgeError {
    /// The logits or labels make no predictions.
    #[error(transparent)]
    Undefined(#[from] Undefined),
    /// A label of another kind than the head's, or none at all.
    #[error("sample {position} has {found}, expected {expected} to be scored")]
    Label {
        /// Its place in the split.
        position: usize,
        /// What was expected.
        expected: &'static str,
        /// What it has.
        found: &'static str,
    },
}

/// Probabilities from raw logits, `n_classes` values a sample: one per class, or one per label.
///
/// # Policy
/// One channel: `[1 − σ(z), σ(z)]`. Softmax heads: softmax. Multi-label: σ of each. Ordinal: differences of the
/// cumulative probabilities `P(class > k) = σ(z_k)`, after each is lowered to the smallest before it, so that no class
/// gets a negative probability.
///
/// # Errors
/// [`Undefined`] for logits that are not finite or do not fill whole samples.
///
/// # Example
/// ```
/// use kd_classify::score::probabilities;
/// use kd_core::Head;
/// let ordinal = probabilities(Head::Ordinal { classes: 3 }, &[0.0, -f64::ln(3.0)])?;
/// for (found, expected) in ordinal.iter().zip([0.5, 0.25, 0.25]) {
///     assert!((found - expected).abs() < 1e-12);
/// }
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn probabilities(head: Head, logits: &[f64]) -> Result<Vec<f64>, Undefined> {
    Ok(match head {
        Head::OneChannel => sigmoid(logits)?.into_iter().flat_map(|positive| [1.0 - positive, positive]).collect(),
        Head::TwoClassSoftmax | Head::Softmax { .. } => softmax(logits, head.n_outputs())?,
        Head::MultiLabel { .. } => sigmoid(logits)?,
        Head::Ordinal { .. } => {
            let above = sigmoid(logits)?;
            let mut classes = Vec::with_capacity(above.len() + above.len() / head.n_outputs());
            for row in above.chunks_exact(head.n_outputs()) {
                let mut reached = 1.0;
                for &above in row {
                    let next = f64::min(reached, above);
                    classes.push(reached - next);
                    reached = next;
                }
                classes.push(reached);
            }
            classes
        }
    })
}

/// A split's answers with their labels.
pub struct Judged {
    head: Head,
    predictions: Predictions,
    ranked: Option<RankedScores>,
}

impl Judged {
    /// Joins raw logits, sample by sample, with labels.
    ///
    /// # Errors
    /// [`JudgeError::Label`] for an unlabelled sample or a label of another kind, [`JudgeError::Undefined`] when the
    /// numbers make no predictions.
    pub fn new(head: Head, n_classes: usize, logits: &[f32], targets: &[Target]) -> Result<Self, JudgeError> {
        let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
        let probabilities = probabilities(head, &logits)?;
        Self::from_probabilities(head, n_classes, &probabilities, targets)
    }

    /// Joins probabilities as [`probabilities`] gives them with labels.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_probabilities(
        head: Head,
        n_classes: usize,
        probabilities: &[f64],
        targets: &[Target],
    ) -> Result<Self, JudgeError> {
        let predictions = match head {
            Head::OneChannel | Head::TwoClassSoftmax => {
                let positive: Vec<f64> = probabilities.chunks_exact(2).map(|row| row[1]).collect();
                let truth = classes(targets)?;
                if let Some(sample) = truth.iter().position(|&class| class > 1) {
                    return Err(Undefined::LabelOutOfRange { sample, label: truth[sample], classes: 2 }.into());
                }
                let truth: Vec<bool> = truth.into_iter().map(|class| class == 1).collect();
                Predictions::binary(&positive, &truth)?
            }
            Head::Softmax { .. } | Head::Ordinal { .. } => {
                Predictions::multiclass(probabilities, n_classes, &classes(targets)?)?
            }
            Head::MultiLabel { labels } => Predictions::multi_label(probabilities, labels, &flags(targets)?)?,
        };
        let ranked = match &predictions {
            Predictions::Binary(binary) => Some(binary.ranked()),
            _ => None,
        };
        Ok(Self { head, predictions, ranked })
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// The predictions themselves.
    #[must_use]
    pub fn predictions(&self) -> &Predictions {
        &self.predictions
    }

    /// Positive probability and truth, for heads with one positive class.
    #[must_use]
    pub fn binary(&self) -> Option<&BinaryPredictions> {
        match &self.predictions {
            Predictions::Binary(binary) => Some(binary),
            _ => None,
        }
    }

    /// Ranked scores of the positive class, for heads with one positive class.
    #[must_use]
    pub fn ranked(&self) -> Option<&RankedScores> {
        self.ranked.as_ref()
    }

    /// Counts by truth and answer; none for several labels.
    #[must_use]
    pub fn confusion(&self) -> Option<ConfusionMatrix> {
        match &self.predictions {
            Predictions::Multiclass(classes) => Some(classes.confusion()),
            Predictions::Binary(binary) => Some(binary.confusion(CUT)),
            Predictions::MultiLabel(_) => None,
        }
    }

    /// Measures all samples, or the given draw of them (an index may stand several times).
    ///
    /// # Errors
    /// [`Undefined`] where the metric has no value on these samples.
    pub fn value(&self, metric: Metric, draw: Option<&[usize]>) -> Score {
        match (metric, &self.ranked, draw) {
            (Metric::Auroc, Some(ranked), Some(draw)) => auroc_of(ranked, draw),
            (Metric::AveragePrecision, Some(ranked), Some(draw)) => average_precision_of(ranked, draw),
            (_, _, Some(draw)) => measure(self.head, metric, &self.predictions.select(draw)),
            (_, _, None) => measure(self.head, metric, &self.predictions),
        }
    }
}

fn classes(targets: &[Target]) -> Result<Vec<usize>, JudgeError> {
    targets
        .iter()
        .enumerate()
        .map(|(position, target)| match target {
            Target::Class(class) => Ok(usize::from(*class)),
            Target::Labels(_) => Err(JudgeError::Label { position, expected: "a class", found: "a set of labels" }),
            Target::Unlabelled => Err(JudgeError::Label { position, expected: "a class", found: "no label" }),
        })
        .collect()
}

fn flags(targets: &[Target]) -> Result<Vec<bool>, JudgeError> {
    let mut flags = Vec::new();
    for (position, target) in targets.iter().enumerate() {
        match target {
            Target::Labels(labels) => flags.extend_from_slice(labels),
            Target::Class(_) => {
                return Err(JudgeError::Label { position, expected: "a set of labels", found: "one class" });
            }
            Target::Unlabelled => {
                return Err(JudgeError::Label { position, expected: "a set of labels", found: "no label" });
            }
        }
    }
    Ok(flags)
}

fn measure(head: Head, metric: Metric, predictions: &Predictions) -> Score {
    match predictions {
        Predictions::Binary(binary) => of_binary(metric, binary, predictions),
        Predictions::Multiclass(classes) => {
            let matrix = || classes.confusion();
            match metric {
                Metric::Auroc => auroc_macro(classes, AbsentClass::Skip),
                Metric::Accuracy => accuracy(&matrix()),
                Metric::BalancedAccuracy => balanced_accuracy(&matrix(), AbsentClass::Skip),
                Metric::Kappa => {
                    let ordered = matches!(head, Head::Ordinal { .. });
                    cohen_kappa(&matrix(), if ordered { KappaWeights::Quadratic } else { KappaWeights::Unweighted })
                }
                Metric::Mcc => matthews_correlation(&matrix()),
                Metric::Brier => brier_multiclass(classes),
                Metric::Nll => log_loss(predictions, CLIP),
                Metric::Ece => expected_calibration_error(predictions, Confidence::TopLabel, CALIBRATION_BINS),
                Metric::AveragePrecision => mean_over(
                    (0..classes.classes())
                        .map(|class| classes.one_vs_rest(class).and_then(|one| average_precision(&one.ranked()))),
                ),
                Metric::Sensitivity | Metric::Specificity | Metric::Precision | Metric::F1 => {
                    macro_rate(&matrix().one_vs_rest(), which(metric), ZeroDivision::Zero, AbsentClass::Skip)
                }
            }
        }
        Predictions::MultiLabel(labels) => of_labels(metric, labels, predictions),
    }
}

fn of_binary(metric: Metric, binary: &BinaryPredictions, predictions: &Predictions) -> Score {
    let matrix = || binary.confusion(CUT);
    match metric {
        Metric::Auroc => kd_metrics::auroc(&binary.ranked()),
        Metric::AveragePrecision => average_precision(&binary.ranked()),
        Metric::Accuracy => accuracy(&matrix()),
        Metric::BalancedAccuracy => balanced_accuracy(&matrix(), AbsentClass::Skip),
        Metric::Mcc => matthews_correlation(&matrix()),
        Metric::Kappa => cohen_kappa(&matrix(), KappaWeights::Unweighted),
        Metric::Brier => brier_binary(binary),
        Metric::Nll => log_loss(predictions, CLIP),
        Metric::Ece => expected_calibration_error(predictions, Confidence::PositiveClass, CALIBRATION_BINS),
        Metric::Sensitivity | Metric::Specificity | Metric::Precision | Metric::F1 => {
            rate(&binary.counts(CUT), which(metric), ZeroDivision::Zero)
        }
    }
}

fn of_labels(metric: Metric, labels: &MultiLabelPredictions, predictions: &Predictions) -> Score {
    match metric {
        Metric::Auroc => auroc_multi_label(labels, AbsentClass::Skip),
        Metric::AveragePrecision => mean_over(
            (0..labels.labels()).map(|label| labels.label(label).and_then(|one| average_precision(&one.ranked()))),
        ),
        Metric::Accuracy | Metric::BalancedAccuracy | Metric::Mcc | Metric::Kappa => mean_over(
            (0..labels.labels()).map(|label| labels.label(label).and_then(|one| of_binary(metric, &one, predictions))),
        ),
        Metric::Brier => brier_binary(&labels.flattened()),
        Metric::Nll => log_loss(predictions, CLIP),
        Metric::Ece => expected_calibration_error(predictions, Confidence::PositiveClass, CALIBRATION_BINS),
        Metric::Sensitivity | Metric::Specificity | Metric::Precision | Metric::F1 => {
            macro_rate(&labels.counts(CUT), which(metric), ZeroDivision::Zero, AbsentClass::Skip)
        }
    }
}

fn which(metric: Metric) -> Rate {
    match metric {
        Metric::Specificity => Rate::Specificity,
        Metric::Precision => Rate::Precision,
        Metric::F1 => Rate::F1,
        _ => Rate::Recall,
    }
}

/// Mean over those parts that have a value; undefined only where none has.
fn mean_over(parts: impl Iterator<Item = Score>) -> Score {
    let (mut sum, mut n, mut last) = (0.0, 0u32, Undefined::NoSamples);
    for part in parts {
        match part {
            Ok(value) => {
                sum += value;
                n += 1;
            }
            Err(undefined) => last = undefined,
        }
    }
    if n == 0 { Err(last) } else { Ok(sum / f64::from(n)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes_of(classes: &[u16]) -> Vec<Target> {
        classes.iter().map(|&class| Target::Class(class)).collect()
    }

    #[test]
    fn one_channel_and_two_class_softmax_give_the_same_numbers() {
        let logits = [2.0f32, -1.0, 0.5, -0.5, 1.0];
        let pairs: Vec<f32> = logits.iter().flat_map(|&logit| [0.0, logit]).collect();
        let targets = classes_of(&[1, 0, 0, 1, 1]);
        let one = Judged::new(Head::OneChannel, 2, &logits, &targets).unwrap();
        let two = Judged::new(Head::TwoClassSoftmax, 2, &pairs, &targets).unwrap();
        for &metric in Metric::of_head(Head::OneChannel) {
            let (a, b) = (one.value(metric, None).unwrap(), two.value(metric, None).unwrap());
            assert!((a - b).abs() < 1e-12, "{}: {a} and {b}", metric.name());
        }
        // Positives score 2, −.5, 1; negatives −1, .5: 5 of 6 pairs are in order.
        assert!((one.value(Metric::Auroc, None).unwrap() - 5.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn the_draw_of_all_samples_measures_what_no_draw_measures() {
        let head = Head::Softmax { classes: 3 };
        let logits: Vec<f32> = (0..30).map(|i| ((i * 7) % 11) as f32 / 3.0).collect();
        let targets = classes_of(&[0, 1, 2, 2, 1, 0, 0, 1, 2, 1]);
        let judged = Judged::new(head, 3, &logits, &targets).unwrap();
        let all: Vec<usize> = (0..10).collect();
        for &metric in Metric::of_head(head) {
            assert_eq!(judged.value(metric, None), judged.value(metric, Some(&all)), "{}", metric.name());
        }
    }

    #[test]
    fn every_head_has_all_its_metrics_on_a_mixed_split() {
        let labels = |a, b| Target::Labels(vec![a, b]);
        let cases = [
            (Head::Ordinal { classes: 3 }, 3, classes_of(&[0, 1, 2, 1]), 2),
            (
                Head::MultiLabel { labels: 2 },
                2,
                vec![labels(true, false), labels(false, true), labels(true, true), labels(false, false)],
                2,
            ),
        ];
        for (head, n_classes, targets, outputs) in cases {
            let logits: Vec<f32> = (0..4 * outputs).map(|i| ((i * 5) % 7) as f32 - 3.0).collect();
            let judged = Judged::new(head, n_classes, &logits, &targets).unwrap();
            for &metric in Metric::of_head(head) {
                assert!(judged.value(metric, None).is_ok(), "{} {}", head.name(), metric.name());
            }
        }
    }

    #[test]
    fn an_unlabelled_sample_cannot_be_scored() {
        let refused = Judged::new(Head::OneChannel, 2, &[0.0, 1.0], &[Target::Class(1), Target::Unlabelled]).err();
        assert!(matches!(refused, Some(JudgeError::Label { position: 1, .. })), "{refused:?}");
    }
}
