//! A threshold chosen on validation scores.
//!
//! Sensitivity and specificity at a threshold chosen on the test set are too good by construction. The choice is a step of its
//! own that takes validation scores and returns a [`Cut`], which is then used, unchanged, on the test set and in the package.

use super::cut::Cut;
use super::predictions::BinaryPredictions;
use super::rates::{Rate, ZeroDivision, rate};
use super::roc::{RocPoint, roc_curve};
use crate::undefined::Undefined;

/// How the threshold is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Criterion {
    /// The highest sensitivity + specificity − 1 (Youden 1950).
    Youden,
    /// The best specificity among thresholds with at least this sensitivity.
    SensitivityAtLeast(f64),
    /// The best sensitivity among thresholds with at least this specificity.
    SpecificityAtLeast(f64),
    /// Strictly above 0.5, whatever the scores are.
    Half,
}

/// A chosen threshold and what it gave on the scores that it was chosen on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// The decision rule, to be applied to other data as it is.
    pub cut: Cut,
    /// How it was chosen.
    pub criterion: Criterion,
    /// Sensitivity on the scores of the choice.
    pub sensitivity: f64,
    /// Specificity on the scores of the choice.
    pub specificity: f64,
}

/// Chooses a threshold among the validation scores.
///
/// # Policy
/// Thresholds are scores that occur, and a score equal to the threshold is positive ([`Cut::AtLeast`]); [`Criterion::Half`] is
/// [`Cut::Above`] 0.5. Among equals: Youden and fixed sensitivity take the highest threshold (the best specificity), fixed
/// specificity the lowest (the best sensitivity). "Nothing is positive" is never chosen.
///
/// # Errors
/// One class only; a target outside 0..1 (a sensitivity of 0 would ask for nothing); no threshold that meets the target or, for
/// Youden, none that is better than chance.
///
/// # Source
/// Youden 1950.
///
/// # Example
/// ```
/// # use kd_metrics::{BinaryPredictions, Criterion, Cut, choose_operating_point};
/// let validation = BinaryPredictions::new(&[0.1, 0.3, 0.35, 0.8], &[false, false, true, true])?;
/// assert_eq!(choose_operating_point(&validation, Criterion::Youden)?.cut, Cut::AtLeast(0.35));
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn choose_operating_point(
    validation: &BinaryPredictions,
    criterion: Criterion,
) -> Result<OperatingPoint, Undefined> {
    let curve = roc_curve(&validation.ranked())?;
    // The first point of the curve calls nothing positive; its threshold is infinite.
    let points = &curve.points()[1..];
    let (found, words): (Option<&RocPoint>, &'static str) = match criterion {
        Criterion::Half => {
            let counts = validation.counts(Cut::Above(0.5));
            return Ok(OperatingPoint {
                cut: Cut::Above(0.5),
                criterion,
                sensitivity: rate(&counts, Rate::Recall, ZeroDivision::Undefined)?,
                specificity: rate(&counts, Rate::Specificity, ZeroDivision::Undefined)?,
            });
        }
        Criterion::Youden => {
            let mut best: Option<&RocPoint> = None;
            for point in points {
                if youden(point) > best.map_or(0.0, youden) {
                    best = Some(point);
                }
            }
            (best, "sensitivity + specificity above 1")
        }
        Criterion::SensitivityAtLeast(target) => {
            check_target("target sensitivity", target)?;
            (points.iter().find(|p| p.true_positive_rate >= target), "the target sensitivity")
        }
        Criterion::SpecificityAtLeast(target) => {
            check_target("target specificity", target)?;
            (
                points.iter().rev().find(|p| 1.0 - p.false_positive_rate >= target),
                "the target specificity with at least one positive decision",
            )
        }
    };
    let point = found.ok_or(Undefined::NoOperatingPoint { criterion: words })?;
    Ok(OperatingPoint {
        cut: Cut::AtLeast(point.threshold),
        criterion,
        sensitivity: point.true_positive_rate,
        specificity: 1.0 - point.false_positive_rate,
    })
}

fn youden(point: &RocPoint) -> f64 {
    point.true_positive_rate - point.false_positive_rate
}

fn check_target(what: &'static str, target: f64) -> Result<(), Undefined> {
    if target > 0.0 && target <= 1.0 {
        Ok(())
    } else {
        Err(Undefined::OutOfRange { what, expected: "above 0 and at most 1", found: target })
    }
}
