//! Panoptic quality of instances: are they found one by one, and how well does each found one fit.

use std::collections::BTreeMap;

use super::masks::BothEmpty;
use crate::undefined::{Score, Undefined, check_length};

/// Matched instances of one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PanopticCounts {
    /// Instances of the truth.
    pub true_instances: u64,
    /// Instances of the prediction.
    pub predicted_instances: u64,
    /// Pairs whose intersection over union is above one half.
    pub matched: u64,
    /// Sum of the intersections over union of the matched pairs.
    pub overlap: f64,
}

/// Matches instances.
///
/// # Shapes
/// Both as one grid: the instance of each point, 0 for none. [`Components::labels`](crate::Components::labels) makes
/// instances of a mask.
///
/// # Policy
/// Two instances match where their intersection over union is above one half: then neither can match another one, so no
/// assignment has to be chosen.
///
/// # Errors
/// Different lengths.
///
/// # Example
/// ```
/// # use kd_metrics::panoptic_counts;
/// let counts = panoptic_counts(&[3, 3, 3, 0, 7], &[1, 1, 1, 1, 2])?;
/// assert_eq!((counts.matched, counts.overlap), (2, 0.75 + 1.0));
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn panoptic_counts(prediction: &[u32], truth: &[u32]) -> Result<PanopticCounts, Undefined> {
    check_length("prediction", truth.len(), prediction.len())?;
    let (predicted, real) = (sizes(prediction), sizes(truth));
    let mut shared: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for pair in prediction.iter().zip(truth).filter(|&(&p, &t)| p != 0 && t != 0) {
        *shared.entry((*pair.0, *pair.1)).or_insert(0) += 1;
    }
    let (mut matched, mut overlap) = (0, 0.0);
    for ((p, t), points) in shared {
        let union = predicted[&p] + real[&t] - points;
        if 2 * points > union {
            matched += 1;
            overlap += points as f64 / union as f64;
        }
    }
    Ok(PanopticCounts {
        true_instances: real.len() as u64,
        predicted_instances: predicted.len() as u64,
        matched,
        overlap,
    })
}

/// Panoptic quality: `Σ IoU of matched pairs / (matched + ½ missed + ½ invented)`, 0..1, higher is better.
///
/// # Policy
/// The product of [`segmentation_quality`] and recognition quality (F1 of the matches). `both_empty` says what a case
/// without any instance is worth. Per class: the mean over classes is the caller's.
///
/// # Errors
/// [`Undefined::EmptyMask`] without instances on either side under [`BothEmpty::Undefined`].
///
/// # Source
/// Kirillov et al. 2019, equation 1.
///
/// # Example
/// ```
/// # use kd_metrics::{BothEmpty, panoptic_counts, panoptic_quality};
/// let counts = panoptic_counts(&[3, 3, 3, 0, 0, 9], &[1, 1, 1, 1, 2, 0])?;
/// assert_eq!(panoptic_quality(&counts, BothEmpty::Undefined)?, 0.75 / (1.0 + 0.5 + 0.5));
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn panoptic_quality(counts: &PanopticCounts, both_empty: BothEmpty) -> Score {
    let instances = counts.true_instances + counts.predicted_instances;
    if instances == 0 {
        return both_empty.score(1.0);
    }
    Ok(2.0 * counts.overlap / instances as f64)
}

/// Recognition quality: `matched / (matched + ½ missed + ½ invented)`, the F1 of the matches, 0..1, higher is better.
///
/// # Policy
/// `both_empty` says what a case without any instance is worth.
///
/// # Errors
/// [`Undefined::EmptyMask`] without instances on either side under [`BothEmpty::Undefined`].
///
/// # Source
/// Kirillov et al. 2019, equation 2.
///
/// # Example
/// ```
/// # use kd_metrics::{BothEmpty, panoptic_counts, recognition_quality};
/// let counts = panoptic_counts(&[3, 3, 3, 0, 0, 9], &[1, 1, 1, 1, 2, 0])?;
/// assert_eq!(recognition_quality(&counts, BothEmpty::Undefined)?, 0.5);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn recognition_quality(counts: &PanopticCounts, both_empty: BothEmpty) -> Score {
    let instances = counts.true_instances + counts.predicted_instances;
    if instances == 0 {
        return both_empty.score(1.0);
    }
    Ok(2.0 * counts.matched as f64 / instances as f64)
}

/// Segmentation quality: mean intersection over union of the matched pairs, above ½ and at most 1.
///
/// # Policy
/// Only of what was matched: read it beside [`panoptic_quality`].
///
/// # Errors
/// [`Undefined::NoSamples`] without a matched pair.
///
/// # Source
/// Kirillov et al. 2019, equation 2.
///
/// # Example
/// ```
/// # use kd_metrics::{panoptic_counts, segmentation_quality};
/// assert_eq!(segmentation_quality(&panoptic_counts(&[3, 3, 3, 0], &[1, 1, 1, 1])?)?, 0.75);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn segmentation_quality(counts: &PanopticCounts) -> Score {
    if counts.matched == 0 { Err(Undefined::NoSamples) } else { Ok(counts.overlap / counts.matched as f64) }
}

fn sizes(instances: &[u32]) -> BTreeMap<u32, u64> {
    let mut sizes = BTreeMap::new();
    for &instance in instances.iter().filter(|&&instance| instance != 0) {
        *sizes.entry(instance).or_insert(0) += 1;
    }
    sizes
}
