//! What numbered objects are worth: found one by one, and how well each fits.

use kd_image::LabelMap;
use kd_metrics::{
    BothEmpty, Score, Undefined, panoptic_counts, panoptic_quality, recognition_quality, segmentation_quality,
};

/// A reported number of the objects in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectMetric {
    /// Found and fitting.
    PanopticQuality,
    /// Found.
    ObjectF1,
    /// Fitting, of what was found.
    ObjectIou,
}

impl ObjectMetric {
    /// Every metric, in the order of a report.
    pub const ALL: [Self; 3] = [Self::PanopticQuality, Self::ObjectF1, Self::ObjectIou];

    /// Its name in recipes and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PanopticQuality => "panoptic_quality",
            Self::ObjectF1 => "object_f1",
            Self::ObjectIou => "object_iou",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::PanopticQuality => "Panoptic quality",
            Self::ObjectF1 => "Object F1",
            Self::ObjectIou => "IoU of found objects",
        }
    }

    /// What it measures, in a sentence.
    #[must_use]
    pub const fn definition(self) -> &'static str {
        match self {
            Self::PanopticQuality => {
                "sum of the IoU of the found objects, over their number and half of those missed and invented"
            }
            Self::ObjectF1 => "found objects over their number and half of those missed and invented",
            Self::ObjectIou => "mean IoU of the found objects",
        }
    }

    /// Everything that changes the number.
    #[must_use]
    pub const fn policy(self) -> &'static str {
        match self {
            Self::PanopticQuality | Self::ObjectF1 => {
                "per case on the grid of the source; an object is found by one with which it shares an IoU above 0.5; no object on either side: no value"
            }
            Self::ObjectIou => {
                "per case on the grid of the source, over pairs with an IoU above 0.5; none found: no value"
            }
        }
    }
}

/// Judges numbered objects, in the order of [`ObjectMetric::ALL`].
///
/// # Shapes
/// `truth` and `answer` on one grid, 0 for no object.
///
/// # Policy
/// That of [`ObjectMetric::policy`].
///
/// # Errors
/// [`Undefined`] for grids that differ.
///
/// # Example
/// ```
/// use kd_image::{Geometry, LabelMap};
/// use kd_segment::judge_objects;
/// let grid = Geometry::<3>::without_spacing([1, 1, 6])?;
/// let map = |labels: [u16; 6]| LabelMap::new(grid.clone(), labels.to_vec(), 10);
/// // One of two found, with an IoU of 3/4; nothing invented.
/// let scores = judge_objects(&map([1, 1, 1, 1, 0, 2])?, &map([7, 7, 7, 0, 0, 0])?)?;
/// assert_eq!(scores, [Ok(2.0 * 0.75 / 3.0), Ok(2.0 / 3.0), Ok(0.75)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn judge_objects(truth: &LabelMap<3>, answer: &LabelMap<3>) -> Result<[Score; 3], Undefined> {
    let numbers = |map: &LabelMap<3>| -> Vec<u32> { map.labels().iter().map(|&object| object.into()).collect() };
    let counts = panoptic_counts(&numbers(answer), &numbers(truth))?;
    Ok(ObjectMetric::ALL.map(|metric| match metric {
        ObjectMetric::PanopticQuality => panoptic_quality(&counts, BothEmpty::Undefined),
        ObjectMetric::ObjectF1 => recognition_quality(&counts, BothEmpty::Undefined),
        ObjectMetric::ObjectIou => segmentation_quality(&counts),
    }))
}
