//! AUC and accuracy exactly as the MedMNIST evaluator computes them.
//!
//! A number that stands beside the published table has to follow the table's rules, which differ from kind to kind of task.
//! They are kept apart from the other metrics so that nobody picks them up by accident.

use super::accuracy::accuracy;
use super::auroc::{auroc, auroc_macro, auroc_multi_label};
use super::cut::Cut;
use super::predictions::{BinaryPredictions, Predictions};
use super::rates::{AbsentClass, mean};
use crate::undefined::{Score, Undefined};

/// The evaluator's kinds of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MedmnistTask {
    /// `multi-class`.
    MultiClass,
    /// `ordinal-regression`, scored as multi-class.
    OrdinalRegression,
    /// `binary-class`.
    BinaryClass,
    /// `multi-label, binary-class`.
    MultiLabel,
}

/// AUC by MedMNIST's rules: the plain mean of one-vs-rest AUCs for multi-class and ordinal tasks, the AUC of the last score
/// column for binary ones, the mean of the labels' AUCs for multi-label ones.
///
/// # Shapes
/// A binary task takes one-channel predictions or a softmax of two columns, whose last one counts.
///
/// # Policy
/// Ties count one half. No class and no label is left out.
///
/// # Errors
/// [`Undefined::HeadMismatch`] where head and task differ; a class or label without positive or negative samples.
///
/// # Source
/// Yang et al. 2023, Scientific Data 10:41; `getAUC` of the `medmnist` package 3.0.2.
///
/// # Deviations
/// The evaluator takes any scores; here they must be probabilities, which every released prediction file holds.
///
/// # Example
/// ```
/// # use kd_metrics::{MedmnistTask, Predictions, medmnist_auc};
/// let p = Predictions::multiclass(&[0.7, 0.3, 0.4, 0.6], 2, &[0, 1])?;
/// assert_eq!(medmnist_auc(&p, MedmnistTask::BinaryClass)?, 1.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn medmnist_auc(predictions: &Predictions, task: MedmnistTask) -> Score {
    match (task, predictions) {
        (MedmnistTask::MultiClass | MedmnistTask::OrdinalRegression, Predictions::Multiclass(p)) => {
            auroc_macro(p, AbsentClass::Undefined)
        }
        (MedmnistTask::MultiLabel, Predictions::MultiLabel(p)) => auroc_multi_label(p, AbsentClass::Undefined),
        (MedmnistTask::BinaryClass, p) => auroc(&last_column(p)?.ranked()),
        (_, p) => Err(mismatch(task, p)),
    }
}

/// Accuracy by MedMNIST's rules: argmax for multi-class and ordinal tasks, the last score column strictly above 0.5 for
/// binary ones, the mean over labels of the accuracy at strictly above 0.5 for multi-label ones.
///
/// # Shapes
/// As [`medmnist_auc`].
///
/// # Policy
/// Argmax takes the first of equal scores; a score of exactly 0.5 is negative.
///
/// # Errors
/// [`Undefined::HeadMismatch`] where head and task differ.
///
/// # Source
/// Yang et al. 2023, Scientific Data 10:41; `getACC` of the `medmnist` package 3.0.2.
///
/// # Example
/// ```
/// # use kd_metrics::{MedmnistTask, Predictions, medmnist_accuracy};
/// let p = Predictions::binary(&[0.5, 0.5, 0.9], &[false, true, true])?;
/// assert_eq!(medmnist_accuracy(&p, MedmnistTask::BinaryClass)?, 2.0 / 3.0); // 0.5 is negative
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn medmnist_accuracy(predictions: &Predictions, task: MedmnistTask) -> Score {
    match (task, predictions) {
        (MedmnistTask::MultiClass | MedmnistTask::OrdinalRegression, Predictions::Multiclass(p)) => {
            accuracy(&p.confusion())
        }
        (MedmnistTask::MultiLabel, Predictions::MultiLabel(p)) => {
            let shares: Vec<f64> = p
                .counts(Cut::Above(0.5))
                .iter()
                .map(|c| (c.true_positive + c.true_negative) as f64 / c.samples() as f64)
                .collect();
            mean(&shares)
        }
        (MedmnistTask::BinaryClass, p) => accuracy(&last_column(p)?.confusion(Cut::Above(0.5))),
        (_, p) => Err(mismatch(task, p)),
    }
}

fn last_column(predictions: &Predictions) -> Result<BinaryPredictions, Undefined> {
    match predictions {
        Predictions::Binary(p) => Ok(p.clone()),
        Predictions::Multiclass(p) if p.classes() == 2 => p.one_vs_rest(1),
        p => Err(mismatch(MedmnistTask::BinaryClass, p)),
    }
}

fn mismatch(task: MedmnistTask, predictions: &Predictions) -> Undefined {
    let expected = match task {
        MedmnistTask::MultiClass | MedmnistTask::OrdinalRegression => "multi-class",
        MedmnistTask::BinaryClass => "binary or two-class",
        MedmnistTask::MultiLabel => "multi-label",
    };
    Undefined::HeadMismatch { expected, found: predictions.head() }
}
