//! Dataset facts: counts, hashes and leak findings; no ids.

use serde::{Deserialize, Serialize};

/// What was learned from and tested on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetFacts {
    /// Name of the dataset.
    pub name: String,
    /// Licence, as its source states it.
    pub license: String,
    /// How to cite it.
    pub citation: String,
    /// Hash of the source files.
    pub hash: String,
    /// Hash of the split file.
    pub split_hash: String,
    /// Hash of the preparation: steps, parameters, statistics.
    pub preparation_hash: String,
    /// Class names, in the order of class indices.
    pub classes: Vec<String>,
    /// Splits in the order train, validation, test.
    pub splits: Vec<SplitFacts>,
    /// What the leak check found; empty where it found nothing.
    pub leaks: Vec<LeakFinding>,
    /// What counts as independent: patient, source image, slice block.
    pub unit_of_independence: String,
    /// What may not be claimed, such as "no claim about patients"; shown beside the headline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_limit: Option<String>,
}

/// Counts of one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitFacts {
    /// Name of the split.
    pub name: String,
    /// Number of images.
    pub images: u64,
    /// Number of independent units.
    pub subjects: u64,
    /// Images that show each class; with several labels per image they add up to more than `images`.
    pub classes: Vec<ClassCount>,
}

impl SplitFacts {
    /// Share of the split's images that show the class, 0..1; none in an empty split.
    pub fn prevalence(&self, class: &str) -> Option<f64> {
        let count = self.classes.iter().find(|one| one.class == class)?;
        (self.images > 0).then(|| count.images as f64 / self.images as f64)
    }
}

/// Images of one class in one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassCount {
    /// Class name.
    pub class: String,
    /// Number of images.
    pub images: u64,
}

/// One finding of the leak check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakFinding {
    /// How it was found, such as "same subject" or "same pixels".
    pub kind: String,
    /// Splits between which it was found, such as "train and test".
    pub between: String,
    /// Images concerned.
    pub images: u64,
    /// Images that were taken out of training for it.
    pub dropped: u64,
    /// Policy that decided.
    pub policy: String,
}
