//! The tables of a recipe that only enhancement has.

use std::collections::BTreeMap;

use kd_data::degrade::Degradation;
use kd_data::prepare::{Blocks, DenseIntensity};
use kd_enhance::{NetworkDesign, Region, ScoreRange};
use serde::{Deserialize, Serialize};

use super::{PackageTable, Recipe};

/// A recipe of enhancement.
pub(crate) type EnhanceRecipe = Recipe<EnhanceData, NetworkDesign, EnhanceScore>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnhanceData {
    /// A name of the catalogue or of an import, or a path to a `dataset.toml`.
    pub(crate) name: String,
    /// Height and width of a clean slice.
    pub(crate) size: [usize; 2],
    /// Distance of points in mm, in the order of `size`; absent keeps the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spacing_mm: Option<[f64; 2]>,
    /// What the values become: `linear`, since answers have to come back in the unit of their source.
    pub(crate) intensity: DenseIntensity,
    /// What is done to the clean slices.
    pub(crate) degradation: Degradation,
    /// Seed of all noise.
    pub(crate) degradation_seed: u64,
    /// Blocks of slices as the units of the split, where there are too few people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blocks: Option<Blocks>,
    /// `stop`, or `drop-from-train`.
    pub(crate) leak_policy: String,
    /// What counts as independent, in words.
    pub(crate) unit: String,
    /// What may not be claimed from these data, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claim_limit: Option<String>,
    /// What the loss against the truth is made of.
    pub(crate) hard_loss: Vec<HardTerm>,
}

/// `loss`, `weight`, and whatever the loss takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HardTerm {
    pub(crate) loss: String,
    pub(crate) weight: f64,
    #[serde(flatten)]
    pub(crate) parameters: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnhanceScore {
    /// The metric of the headline.
    pub(crate) primary: String,
    /// Metrics whose paired differences are reported beside it.
    pub(crate) secondary: Vec<String>,
    /// From where to where intensities go, in the unit of the source; the range in PSNR and SSIM.
    #[serde(flatten)]
    pub(crate) range: ScoreRange,
    /// Tissues that are scored by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) regions: Vec<Region>,
    pub(crate) resamples: usize,
    pub(crate) level: f64,
    /// `bca` or `percentile`.
    pub(crate) method: String,
    pub(crate) seed: u64,
    /// Which student is packed.
    pub(crate) package: PackageTable,
}
