//! Area under the ROC curve: how often a positive sample outranks a negative one.

use super::predictions::{BinaryPredictions, MultiLabelPredictions, MulticlassPredictions};
use super::ranked::{RankedScores, Tally};
use super::rates::{AbsentClass, mean};
use crate::undefined::{Score, Undefined};

/// `P(score⁺ > score⁻) + ½ P(score⁺ = score⁻)` over all pairs of a positive and a negative sample: the Mann–Whitney form,
/// equal to the trapezoid area of the ROC curve with ties merged.
///
/// # Policy
/// A tied pair counts one half. Exact integer pair counts, so the order of the samples does not matter.
///
/// # Errors
/// [`Undefined::OneClassOnly`] without a positive or without a negative sample.
///
/// # Source
/// Hanley and McNeil 1982; scikit-learn `roc_auc_score`.
///
/// # Example
/// ```
/// # use kd_metrics::{BinaryPredictions, auroc};
/// let p = BinaryPredictions::new(&[0.1, 0.4, 0.4, 0.8], &[false, true, false, true])?;
/// assert_eq!(auroc(&p.ranked())?, 0.875); // 3 pairs won, one tied, of 4
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn auroc(scores: &RankedScores) -> Score {
    of_tally(&scores.tally())
}

/// [`auroc`] of a bootstrap draw: the samples at `indices`, repeats counted, without sorting again.
///
/// # Policy
/// As [`auroc`].
///
/// # Errors
/// As [`auroc`]; no indices.
///
/// # Panics
/// An index that is not below [`RankedScores::samples`].
///
/// # Source
/// As [`auroc`].
///
/// # Example
/// ```
/// # use kd_metrics::{RankedScores, auroc_of};
/// let scores = RankedScores::new(&[0.1, 0.4, 0.3], &[false, true, false])?;
/// assert_eq!(auroc_of(&scores, &[1, 1, 2])?, 1.0);
/// assert!(auroc_of(&scores, &[0, 2, 2]).is_err()); // no positive drawn
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn auroc_of(scores: &RankedScores, indices: &[usize]) -> Score {
    of_tally(&scores.tally_of(indices.iter().copied()))
}

fn of_tally(tally: &Tally) -> Score {
    let (positives, negatives) = tally.totals()?;
    // Pairs in halves: two for a win, one for a tie.
    let (mut halves, mut negatives_below) = (0_u128, 0_u64);
    for (&positive, &negative) in tally.positive.iter().zip(&tally.negative) {
        halves += u128::from(positive) * u128::from(2 * negatives_below + negative);
        negatives_below += negative;
    }
    Ok(halves as f64 / (2 * u128::from(positives) * u128::from(negatives)) as f64)
}

/// AUROC of each class against all others, by class.
///
/// # Shapes
/// One entry per class, in the order of the columns.
///
/// # Policy
/// A class without a sample (or with all of them) gets its own `Err`; nothing is averaged.
///
/// # Errors
/// Per class, [`Undefined::OneClassOnly`].
///
/// # Source
/// Provost and Domingos 2000.
///
/// # Example
/// ```
/// # use kd_metrics::{MulticlassPredictions, auroc_one_vs_rest};
/// let p = MulticlassPredictions::new(&[0.8, 0.1, 0.1, 0.3, 0.6, 0.1], 3, &[0, 1])?;
/// let by_class = auroc_one_vs_rest(&p);
/// assert_eq!(by_class[1], Ok(1.0));
/// assert!(by_class[2].is_err()); // class 2 has no sample
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
#[must_use]
pub fn auroc_one_vs_rest(predictions: &MulticlassPredictions) -> Vec<Score> {
    (0..predictions.classes()).map(|class| auroc(&predictions.one_vs_rest(class)?.ranked())).collect()
}

/// Plain mean over classes of the one-vs-rest AUROC, not weighted by class size.
///
/// # Policy
/// `absent` decides about classes without a sample. Hides a class with few samples that fails: report
/// [`auroc_one_vs_rest`] too.
///
/// # Errors
/// An absent class under [`AbsentClass::Undefined`]; all samples of one class.
///
/// # Source
/// scikit-learn `roc_auc_score(multi_class="ovr", average="macro")`, which refuses absent classes.
///
/// # Example
/// ```
/// # use kd_metrics::{AbsentClass, MulticlassPredictions, auroc_macro};
/// let p = MulticlassPredictions::new(&[0.8, 0.1, 0.1, 0.2, 0.7, 0.1, 0.3, 0.3, 0.4], 3, &[0, 1, 2])?;
/// assert_eq!(auroc_macro(&p, AbsentClass::Undefined)?, 1.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn auroc_macro(predictions: &MulticlassPredictions, absent: AbsentClass) -> Score {
    let columns = (0..predictions.classes()).map(|class| predictions.one_vs_rest(class));
    mean_over(columns, absent)
}

/// Plain mean over labels of the per-label AUROC.
///
/// # Policy
/// `absent` decides about labels that no sample has. A label that every sample has is an error under both policies.
///
/// # Errors
/// A label without positives under [`AbsentClass::Undefined`]; a label without negatives.
///
/// # Source
/// scikit-learn `roc_auc_score(average="macro")` on an indicator matrix.
///
/// # Example
/// ```
/// # use kd_metrics::{AbsentClass, MultiLabelPredictions, auroc_multi_label};
/// let p = MultiLabelPredictions::new(&[0.9, 0.2, 0.1, 0.3], 2, &[true, true, false, false])?;
/// assert_eq!(auroc_multi_label(&p, AbsentClass::Undefined)?, 0.5); // label 0 right, label 1 the wrong way round
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn auroc_multi_label(predictions: &MultiLabelPredictions, absent: AbsentClass) -> Score {
    let columns = (0..predictions.labels()).map(|label| predictions.label(label));
    mean_over(columns, absent)
}

fn mean_over(columns: impl Iterator<Item = Result<BinaryPredictions, Undefined>>, absent: AbsentClass) -> Score {
    let mut values = Vec::new();
    for (class, column) in columns.enumerate() {
        match (auroc(&column?.ranked()), absent) {
            (Ok(value), _) => values.push(value),
            (Err(Undefined::OneClassOnly { positive: false }), AbsentClass::Skip) => {}
            (Err(cause), _) => return Err(Undefined::InClass { class, cause: Box::new(cause) }),
        }
    }
    mean(&values)
}
