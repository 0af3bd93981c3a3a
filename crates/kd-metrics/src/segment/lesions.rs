//! Which lesions were found: connected components of the truth against those of the prediction.
//!
//! Dice is decided by the largest lesion; a missed small one hardly shows. Here every lesion counts once.

use super::components::{Components, Connectivity};
use super::masks::{BothEmpty, MaskPair};
use crate::undefined::{Score, Undefined};

/// When a component counts as met by the other mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LesionOverlap {
    /// At least one point of it is set in the other mask.
    Touch,
    /// At least this share of its points, above 0 and at most 1, is set in the other mask.
    ShareAtLeast(f64),
}

/// Lesions counted: components of either mask, and how many of them are met by the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LesionCounts {
    /// Components of the truth.
    pub true_lesions: u64,
    /// Components of the truth that the prediction meets.
    pub detected: u64,
    /// Components of the prediction.
    pub predicted_lesions: u64,
    /// Components of the prediction that the truth does not meet.
    pub false_alarms: u64,
}

/// Counts lesions found, missed and invented.
///
/// # Policy
/// Connectivity and overlap are arguments. A lesion is compared with the other *mask*, not with one of its components, so
/// one predicted blob over two lesions detects both, and several fragments detect one lesion together.
///
/// # Errors
/// A share outside its range.
///
/// # Example
/// ```
/// # use kd_metrics::{Connectivity, Grid, LesionOverlap, MaskPair, lesion_counts};
/// let grid = Grid::plane([1, 7], [1.0, 1.0])?;
/// let truth = [true, true, false, true, false, false, false];
/// let prediction = [false, true, false, false, false, false, true];
/// let pair = MaskPair::new(grid, &prediction, &truth)?;
/// let counts = lesion_counts(&pair, Connectivity::Faces, LesionOverlap::Touch)?;
/// assert_eq!((counts.true_lesions, counts.detected), (2, 1));
/// assert_eq!((counts.predicted_lesions, counts.false_alarms), (2, 1));
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn lesion_counts(
    pair: &MaskPair,
    connectivity: Connectivity,
    overlap: LesionOverlap,
) -> Result<LesionCounts, Undefined> {
    if let LesionOverlap::ShareAtLeast(share) = overlap
        && !(share > 0.0 && share <= 1.0)
    {
        let expected = "above 0 and at most 1";
        return Err(Undefined::OutOfRange { what: "share of a lesion", expected, found: share });
    }
    let met = |components: &Components, other: &[bool]| {
        let mut hits = vec![0_u64; components.count()];
        for (&label, _) in components.labels().iter().zip(other).filter(|&(&label, &set)| set && label != 0) {
            hits[label as usize - 1] += 1;
        }
        let is_met = |&(&hit, &size): &(&u64, &u64)| match overlap {
            LesionOverlap::Touch => hit > 0,
            LesionOverlap::ShareAtLeast(share) => hit as f64 >= share * size as f64,
        };
        hits.iter().zip(components.sizes()).filter(is_met).count() as u64
    };
    let truth = Components::of_mask(pair.grid(), pair.truth(), connectivity)?;
    let prediction = Components::of_mask(pair.grid(), pair.prediction(), connectivity)?;
    let predicted_lesions = prediction.count() as u64;
    Ok(LesionCounts {
        true_lesions: truth.count() as u64,
        detected: met(&truth, pair.prediction()),
        predicted_lesions,
        false_alarms: predicted_lesions - met(&prediction, pair.truth()),
    })
}

/// Lesion-wise F1: `detected / (detected + ½ (missed + false alarms))`, 0..1, higher is better.
///
/// # Policy
/// Detections are counted among the lesions of the truth. `both_empty` says what a case without any lesion is worth; add
/// the counts of several cases first for a score over a data set.
///
/// # Errors
/// [`Undefined::EmptyMask`] without lesions on either side under [`BothEmpty::Undefined`].
///
/// # Source
/// Lesion-wise F1 of the ISLES 2022 challenge (Hernandez Petzsche et al. 2022), where a lesion is met by one shared voxel.
///
/// # Example
/// ```
/// # use kd_metrics::{BothEmpty, LesionCounts, lesion_f1};
/// let counts = LesionCounts { true_lesions: 4, detected: 3, predicted_lesions: 6, false_alarms: 3 };
/// assert_eq!(lesion_f1(&counts, BothEmpty::Undefined)?, 3.0 / (3.0 + 0.5 * (1.0 + 3.0)));
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn lesion_f1(counts: &LesionCounts, both_empty: BothEmpty) -> Score {
    let missed = counts.true_lesions - counts.detected;
    let doubled = 2 * counts.detected + missed + counts.false_alarms;
    if doubled == 0 {
        return both_empty.score(1.0);
    }
    Ok((2 * counts.detected) as f64 / doubled as f64)
}
