//! The manifest as TOML spells it: every key optional, no key unknown.
//!
//! Missing keys are found by the check and not by serde, so that the message can say what to write.

use serde::{Deserialize, Serialize};

use super::{ImageSize, Manifest, MaskValues, SplitPolicy, SplitShares, Task};
use crate::digest::Checksum;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawManifest {
    pub(super) name: Option<String>,
    pub(super) title: Option<String>,
    pub(super) task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) classes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) positive: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    pub(super) image: Option<RawImage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mask: Option<RawMask>,
    pub(super) license: Option<RawLicense>,
    pub(super) citation: Option<RawCitation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<RawCounts>,
    pub(super) split: Option<RawSplit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generator: Option<toml::Table>,
    pub(super) source: Option<RawSource>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawImage {
    pub(super) channels: Option<usize>,
    /// `[rows, columns]` or `"varies"`.
    pub(super) size: Option<toml::Value>,
    pub(super) intensity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bits: Option<u8>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMask {
    /// A list of numbers or `"instances"`.
    pub(super) values: Option<toml::Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLicense {
    pub(super) spdx: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCitation {
    pub(super) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) doi: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) homepage: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCounts {
    pub(super) train: usize,
    pub(super) val: usize,
    pub(super) test: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSplit {
    pub(super) policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) train: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) val: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) test: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) held_out: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    pub(super) layout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) obtain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) groups: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subgroups: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) file: Vec<RawFile>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) md5: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
}

impl RawManifest {
    pub(super) fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a manifest is plain tables, texts and numbers")
    }
}

impl From<&Manifest> for RawManifest {
    fn from(manifest: &Manifest) -> Self {
        let size = match manifest.image.size {
            ImageSize::Fixed { height, width } => {
                let side = |n: usize| toml::Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
                toml::Value::Array(vec![side(height), side(width)])
            }
            ImageSize::Varies => toml::Value::String("varies".into()),
        };
        let bits = match manifest.image.intensity {
            kd_image::Intensity::Stored { bits } => Some(bits),
            _ => None,
        };
        let (policy, seed, shares) = match manifest.split {
            SplitPolicy::Official => ("official", None, None),
            SplitPolicy::BySubject { seed, shares } => ("by-subject", Some(seed), Some(SplitShares::as_array(&shares))),
        };
        let files = manifest.source.files.iter().map(|file| {
            let digits = Some(file.checksum.hex());
            let (md5, sha256) = match file.checksum {
                Checksum::Md5(_) => (digits, None),
                Checksum::Sha256(_) => (None, digits),
            };
            RawFile { name: Some(file.name.clone()), url: file.url.clone(), md5, sha256, bytes: file.bytes }
        });
        Self {
            name: Some(manifest.name.to_string()),
            title: Some(manifest.title.clone()),
            task: Some(manifest.task.name().into()),
            classes: (manifest.task != Task::Enhancement).then(|| manifest.classes.clone()),
            positive: manifest.positive().map(|index| manifest.classes[index].clone()),
            notes: manifest.notes.clone(),
            image: Some(RawImage {
                channels: Some(manifest.image.channels),
                size: Some(size),
                intensity: Some(manifest.image.intensity.name().into()),
                bits,
            }),
            mask: manifest.mask.as_ref().map(|mask| RawMask {
                values: Some(match mask {
                    MaskValues::Instances => toml::Value::String("instances".into()),
                    MaskValues::Classes(values) => {
                        toml::Value::Array(values.iter().map(|&value| toml::Value::Integer(value.into())).collect())
                    }
                }),
            }),
            license: Some(RawLicense {
                spdx: Some(manifest.license.spdx.clone()),
                note: manifest.license.note.clone(),
            }),
            citation: Some(RawCitation {
                text: Some(manifest.citation.text.clone()),
                doi: manifest.citation.doi.clone(),
                homepage: manifest.citation.homepage.clone(),
            }),
            counts: manifest.counts.map(|n| RawCounts { train: n.train, val: n.val, test: n.test }),
            split: Some(RawSplit {
                policy: Some(policy.into()),
                seed,
                train: shares.map(|s| s[0]),
                val: shares.map(|s| s[1]),
                test: shares.map(|s| s[2]),
                held_out: manifest.held_out.clone(),
            }),
            generator: manifest.generator.clone(),
            source: Some(RawSource {
                layout: Some(manifest.source.layout.name().into()),
                obtain: manifest.source.obtain.clone(),
                groups: manifest.source.groups.clone(),
                subgroups: manifest.source.subgroups.clone(),
                file: files.collect(),
            }),
        }
    }
}
