//! Precision, recall, specificity and F1: per class, macro and micro.
//!
//! One enumeration instead of twelve functions, because the policies for 0 / 0 and for absent classes are the same for all
//! four and have to be spelled out by the caller each time.

use super::confusion::Counts;
use crate::undefined::{Score, Undefined};

/// A rate computed from the four counts of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// `TP / (TP + FP)`, the positive predictive value.
    Precision,
    /// `TP / (TP + FN)`, the sensitivity.
    Recall,
    /// `TN / (TN + FP)`.
    Specificity,
    /// `2 TP / (2 TP + FP + FN)`, the harmonic mean of precision and recall.
    F1,
}

/// What a rate of 0 / 0 counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZeroDivision {
    /// No value.
    Undefined,
    /// Zero, as scikit-learn's `zero_division=0`.
    Zero,
}

/// What an average over classes does with a class that has no true sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentClass {
    /// The average has no value.
    Undefined,
    /// The class is left out and the mean is over the others, even where it was predicted.
    Skip,
}

/// One class's rate: see [`Rate`] for the formulas.
///
/// # Policy
/// `zero_division` says what 0 / 0 is.
///
/// # Errors
/// [`Undefined::ZeroDenominator`] under [`ZeroDivision::Undefined`].
///
/// # Source
/// scikit-learn `precision_recall_fscore_support`; specificity is the recall of the negative class.
///
/// # Example
/// ```
/// # use kd_metrics::{Counts, Rate, ZeroDivision, rate};
/// let c = Counts { true_positive: 3, false_positive: 1, false_negative: 2, true_negative: 4 };
/// assert_eq!(rate(&c, Rate::Precision, ZeroDivision::Undefined)?, 0.75);
/// assert_eq!(rate(&c, Rate::Recall, ZeroDivision::Undefined)?, 0.6);
/// assert_eq!(rate(&c, Rate::Specificity, ZeroDivision::Undefined)?, 0.8);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn rate(counts: &Counts, rate: Rate, zero_division: ZeroDivision) -> Score {
    let Counts { true_positive, false_positive, false_negative, true_negative } = *counts;
    let (numerator, denominator, name, reason) = match rate {
        Rate::Precision => {
            (true_positive, true_positive + false_positive, "precision", "no sample was predicted positive")
        }
        Rate::Recall => (true_positive, true_positive + false_negative, "recall", "no sample is positive"),
        Rate::Specificity => (true_negative, true_negative + false_positive, "specificity", "no sample is negative"),
        Rate::F1 => (
            2 * true_positive,
            2 * true_positive + false_positive + false_negative,
            "F1",
            "no sample is positive and none was predicted so",
        ),
    };
    match (denominator, zero_division) {
        (0, ZeroDivision::Undefined) => Err(Undefined::ZeroDenominator { rate: name, reason }),
        (0, ZeroDivision::Zero) => Ok(0.0),
        _ => Ok(numerator as f64 / denominator as f64),
    }
}

/// Mean of the classes' rates, every class with the same weight.
///
/// # Shapes
/// One [`Counts`] per class ([`ConfusionMatrix::one_vs_rest`](crate::ConfusionMatrix::one_vs_rest)) or per label.
///
/// # Policy
/// `absent` decides about classes without a true sample, before `zero_division` is asked about the rest.
///
/// # Errors
/// An absent class or a 0 / 0 that the policies do not allow; every class absent; no classes.
///
/// # Source
/// scikit-learn `average="macro"`.
///
/// # Deviations
/// scikit-learn keeps a class that was predicted but is absent from the truth; `Skip` leaves it out, for the rate of a class
/// that is not there says nothing about the classifier's rate on it.
///
/// # Example
/// ```
/// # use kd_metrics::{AbsentClass, ConfusionMatrix, Rate, ZeroDivision, macro_rate};
/// let m = ConfusionMatrix::new(&[0, 0, 0, 1], &[0, 0, 1, 1], 2)?;
/// let recall = macro_rate(&m.one_vs_rest(), Rate::Recall, ZeroDivision::Undefined, AbsentClass::Undefined)?;
/// assert!((recall - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-15);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn macro_rate(classes: &[Counts], which: Rate, zero_division: ZeroDivision, absent: AbsentClass) -> Score {
    let mut values = Vec::with_capacity(classes.len());
    for (class, counts) in classes.iter().enumerate() {
        if counts.true_positive + counts.false_negative == 0 {
            match absent {
                AbsentClass::Undefined => return Err(Undefined::ClassAbsent { class }),
                AbsentClass::Skip => continue,
            }
        }
        values.push(
            rate(counts, which, zero_division).map_err(|cause| Undefined::InClass { class, cause: Box::new(cause) })?,
        );
    }
    mean(&values)
}

/// Rate of the summed counts, every decision with the same weight.
///
/// # Shapes
/// One [`Counts`] per class or per label.
///
/// # Policy
/// Counts are added first, so absent classes need no policy. For a single-label head micro precision, recall and F1 are all
/// the accuracy.
///
/// # Errors
/// [`Undefined::ZeroDenominator`] under [`ZeroDivision::Undefined`].
///
/// # Source
/// scikit-learn `average="micro"`.
///
/// # Example
/// ```
/// # use kd_metrics::{ConfusionMatrix, Rate, ZeroDivision, micro_rate};
/// let m = ConfusionMatrix::new(&[0, 0, 0, 1], &[0, 0, 1, 1], 2)?;
/// assert_eq!(micro_rate(&m.one_vs_rest(), Rate::F1, ZeroDivision::Undefined)?, 0.75);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn micro_rate(classes: &[Counts], which: Rate, zero_division: ZeroDivision) -> Score {
    let sum = classes.iter().fold(Counts::default(), |sum, counts| Counts {
        true_positive: sum.true_positive + counts.true_positive,
        false_positive: sum.false_positive + counts.false_positive,
        false_negative: sum.false_negative + counts.false_negative,
        true_negative: sum.true_negative + counts.true_negative,
    });
    rate(&sum, which, zero_division)
}

/// Plain mean; no values have none.
pub(crate) fn mean(values: &[f64]) -> Score {
    if values.is_empty() {
        return Err(Undefined::NoSamples);
    }
    Ok(values.iter().sum::<f64>() / values.len() as f64)
}
