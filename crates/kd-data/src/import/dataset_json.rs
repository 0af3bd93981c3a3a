//! `dataset.json` of the Medical Segmentation Decathlon and of nnU-Net: channels and what the numbers of a mask mean.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::ImportError;
use crate::error::FileError;

/// What the file says, as far as an import needs it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DatasetJson {
    /// Names of the channels, in their order.
    pub(super) channels: Vec<String>,
    /// Class by the number that stands for it.
    pub(super) labels: BTreeMap<u16, String>,
    /// How many training cases there are.
    pub(super) n_training: Option<usize>,
}

fn refused(expected: &str, found: String) -> ImportError {
    ImportError::Description { expected: expected.into(), found, hint: "correct the file, or name classes by hand" }
}

impl DatasetJson {
    /// Reads the file; none where there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, ImportError> {
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(path).map_err(|source| FileError::new("read", path, path, source))?;
        let json: Value = serde_json::from_slice(&text)
            .map_err(|error| refused("JSON", format!("line {}: not JSON", error.line())))?;
        Self::parse(&json).map(Some)
    }

    fn parse(json: &Value) -> Result<Self, ImportError> {
        let mut channels = BTreeMap::new();
        // The Decathlon's word, and nnU-Net's.
        for (number, name) in ["modality", "channel_names"].iter().filter_map(|key| json[*key].as_object()).flatten() {
            let number = number.parse::<usize>().ok().filter(|number| *number < 64);
            let number = number.ok_or_else(|| refused("channels by number from 0", "another key".into()))?;
            channels.insert(number, name.as_str().unwrap_or_default().to_owned());
        }
        if !channels.keys().copied().eq(0..channels.len()) {
            return Err(refused("channels 0, 1, 2, …", format!("{:?}", channels.keys().collect::<Vec<_>>())));
        }
        let mut labels = BTreeMap::new();
        for (key, value) in json["labels"].as_object().into_iter().flatten() {
            // `"1": "liver"` in the Decathlon, `"liver": 1` in nnU-Net.
            let (number, name) = match (key.parse::<u16>(), value) {
                (Ok(number), Value::String(name)) => (number, name.clone()),
                (_, Value::Array(_)) => {
                    let found = format!("the region `{key}` of several");
                    return Err(refused("labels of one number each", found));
                }
                (_, value) if key == "ignore" => {
                    return Err(refused("labels that are all meant", format!("`ignore` ({value})")));
                }
                (_, value) => {
                    let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
                    let found = || refused("labels from 0 to 65535", format!("`{key}`: {value}"));
                    (number.ok_or_else(found)?, key.clone())
                }
            };
            if let Some(other) = labels.insert(number, name) {
                return Err(refused("labels that differ", format!("{number} again, also `{other}`")));
            }
        }
        let n_training = json["numTraining"].as_u64().and_then(|n| usize::try_from(n).ok());
        Ok(Self { channels: channels.into_values().collect(), labels, n_training })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_ways_to_write_labels_are_read() {
        let decathlon = json!({ "modality": { "0": "MRI" }, "labels": { "0": "background", "2": "b", "1": "a" } });
        let nnunet = json!({ "channel_names": { "0": "MRI" }, "labels": { "background": 0, "a": 1, "b": 2 } });
        let found = DatasetJson::parse(&decathlon).unwrap();
        assert_eq!(found, DatasetJson::parse(&nnunet).unwrap());
        assert_eq!(found.labels.values().collect::<Vec<_>>(), ["background", "a", "b"]);
    }

    #[test]
    fn regions_ignored_labels_and_odd_numbers_are_refused() {
        for labels in [
            json!({ "background": 0, "whole": [1, 2] }),
            json!({ "background": 0, "ignore": 1 }),
            json!({ "background": 0, "a": -1 }),
            json!({ "background": 0, "a": 70000 }),
            json!({ "a": 1, "b": 1 }),
        ] {
            let text = DatasetJson::parse(&json!({ "labels": labels })).unwrap_err().to_string();
            assert!(text.contains("expected labels") && text.contains("\nhint: "), "{text}");
        }
        assert!(DatasetJson::parse(&json!({ "modality": { "1": "CT" } })).is_err());
    }
}
