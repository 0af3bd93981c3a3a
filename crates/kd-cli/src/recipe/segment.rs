//! The tables of a recipe that only segmentation has.

use kd_data::prepare::{DenseIntensity, ObjectTarget};
use kd_segment::NetworkDesign;
use kd_segment::loss::HardLoss;
use serde::{Deserialize, Serialize};

use super::{HeadKind, PackageTable, Recipe};

/// A recipe of segmentation.
pub(crate) type SegmentRecipe = Recipe<SegmentData, NetworkDesign, SegmentScore>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentData {
    /// A name of the catalogue or of an import, or a path to a `dataset.toml`.
    pub(crate) name: String,
    /// `one-channel` for two classes, or `softmax`.
    pub(crate) head: HeadKind,
    /// Height and width where axial slices are the samples; depth, height and width where volumes are.
    pub(crate) size: Vec<usize>,
    /// Distance of points in mm, in the order of `size`; absent keeps the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spacing_mm: Option<Vec<f64>>,
    /// What the values become.
    pub(crate) intensity: DenseIntensity,
    /// How objects that touch are told apart, where the masks number them; absent learns the classes alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) objects: Option<ObjectTarget>,
    /// `stop`, or `drop-from-train`.
    pub(crate) leak_policy: String,
    /// What counts as independent, in words.
    pub(crate) unit: String,
    /// What may not be claimed from these data, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claim_limit: Option<String>,
    /// What the loss against labels is made of.
    pub(crate) hard_loss: HardLoss,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentScore {
    /// The metric of the headline.
    pub(crate) primary: String,
    /// Metrics whose paired differences are reported beside it.
    pub(crate) secondary: Vec<String>,
    /// Tolerance of surface Dice.
    pub(crate) tolerance_mm: f64,
    pub(crate) resamples: usize,
    pub(crate) level: f64,
    /// `bca` or `percentile`.
    pub(crate) method: String,
    pub(crate) seed: u64,
    /// Which student is packed.
    pub(crate) package: PackageTable,
}
