//! Golden files made again and compared: a committed value has to be what its script gives, not what somebody typed.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

/// Where tools and seeds stand in a golden file: compared by name, apart from the values.
const ORIGINS: [&str; 4] = ["versions", "tool", "made_by", "programs"];
/// Share of the largest number of a list: float64 sums taken in another order.
const ROUNDING: f64 = 1e-12;

/// A script and what it makes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Golden {
    pub(super) script: String,
    pub(super) argument: Option<String>,
    pub(super) target: Target,
    tolerance: f64,
    unsteady: Vec<String>,
}

/// Where a script's values go.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    /// Printed, and kept as this file.
    Printed(String),
    /// Written as files of this folder.
    Folder(String),
}

impl Golden {
    /// Reads `oracles/golden.toml`.
    pub(super) fn list(text: &str) -> anyhow::Result<Vec<Self>> {
        let table: toml::Table = text.parse()?;
        let entries = table.get("golden").and_then(toml::Value::as_array).context("no `golden`")?;
        entries.iter().map(Self::new).collect()
    }

    fn new(entry: &toml::Value) -> anyhow::Result<Self> {
        let text = |key: &str| entry.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let script = text("script").context("an entry lacks `script`")?;
        let target = match (text("file"), text("folder")) {
            (Some(file), None) => Target::Printed(file),
            (None, Some(folder)) => Target::Folder(folder),
            _ => anyhow::bail!("`{script}` has to have one of `file` and `folder`"),
        };
        let unsteady = entry.get("unsteady").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
        Ok(Self {
            script,
            argument: text("argument"),
            target,
            tolerance: entry.get("tolerance").and_then(toml::Value::as_float).unwrap_or(ROUNDING),
            unsteady: unsteady.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect(),
        })
    }

    /// How a file that was made now differs from the committed one.
    pub(super) fn compare(&self, committed: &Path, made: &[u8]) -> anyhow::Result<Found> {
        let kept = std::fs::read(committed).with_context(|| format!("cannot read `{}`", committed.display()))?;
        let name = committed.file_name().unwrap_or_default().to_string_lossy();
        let mut found = Found::default();
        if name.ends_with(".json") {
            let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes);
            let kept = parse(&kept).with_context(|| format!("`{}` is no JSON", committed.display()))?;
            let made = parse(made).with_context(|| format!("`{}` printed no JSON", self.script))?;
            found.compare("", &kept, &made, self.tolerance);
        } else if !self.unsteady.iter().any(|unsteady| *unsteady == name) && kept != made {
            found.differences.push("other bytes".to_owned());
        }
        Ok(found)
    }
}

/// What differs: values are a failure, names of versions are told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) differences: Vec<String>,
    pub(super) origins: Vec<String>,
}

impl Found {
    fn compare(&mut self, place: &str, kept: &Value, made: &Value, tolerance: f64) {
        match (kept, made) {
            (Value::Object(kept), Value::Object(made)) => {
                for key in kept.keys().chain(made.keys().filter(|key| !kept.contains_key(*key))) {
                    let place = format!("{place}/{key}");
                    match (kept.get(key), made.get(key)) {
                        (Some(kept), Some(made)) if place.len() == key.len() + 1 && ORIGINS.contains(&key.as_str()) => {
                            self.compare_origins(kept, made);
                        }
                        (Some(kept), Some(made)) => self.compare(&place, kept, made, tolerance),
                        (Some(_), None) => self.differences.push(format!("{place} is not made any more")),
                        _ => self.differences.push(format!("{place} is new")),
                    }
                }
            }
            (Value::Array(kept), Value::Array(made)) if kept.len() == made.len() => {
                let largest =
                    kept.iter().filter_map(Value::as_f64).fold(0.0, |largest: f64, value| largest.max(value.abs()));
                for (index, (kept, made)) in kept.iter().zip(made).enumerate() {
                    let place = format!("{place}/{index}");
                    if kept.is_number() && made.is_number() {
                        self.compare_numbers(&place, kept, made, tolerance * largest);
                    } else {
                        self.compare(&place, kept, made, tolerance);
                    }
                }
            }
            (Value::Array(kept), Value::Array(made)) => {
                self.differences.push(format!("{place}: {} values, now {}", kept.len(), made.len()));
            }
            (Value::Number(number), Value::Number(_)) => {
                let bound = tolerance * number.as_f64().unwrap_or_default().abs();
                self.compare_numbers(place, kept, made, bound);
            }
            _ if kept == made => {}
            _ => self.differences.push(format!("{place}: {kept}, now {made}")),
        }
    }

    fn compare_numbers(&mut self, place: &str, kept: &Value, made: &Value, bound: f64) {
        let near = match (kept.as_f64(), made.as_f64()) {
            (Some(kept), Some(made)) => (kept - made).abs() <= bound.max(f64::MIN_POSITIVE),
            _ => false,
        };
        if kept != made && !near {
            self.differences.push(format!("{place}: {kept}, now {made}"));
        }
    }

    fn compare_origins(&mut self, kept: &Value, made: &Value) {
        let empty = serde_json::Map::new();
        let [kept, made] = [kept, made].map(|value| value.as_object().unwrap_or(&empty));
        for (name, version) in kept {
            match made.get(name) {
                Some(now) if now == version => {}
                Some(now) => self.origins.push(format!("{name} {version}, here {now}")),
                None => self.origins.push(format!("{name} {version}, not named here")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(kept: &Value, made: &Value, tolerance: f64) -> Found {
        let mut found = Found::default();
        found.compare("", kept, made, tolerance);
        found
    }

    #[test]
    fn a_number_may_differ_by_a_share_of_the_largest_of_its_list() {
        let kept = json!({ "logits": [1000.0, 0.001] });
        assert!(found(&kept, &json!({ "logits": [1000.001, 0.002] }), 1e-5).differences.is_empty());
        let far = found(&kept, &json!({ "logits": [1000.0, 0.02] }), 1e-5);
        assert_eq!(far.differences, ["/logits/1: 0.001, now 0.02"]);
        assert_eq!(found(&json!({ "p": 0.5 }), &json!({ "p": 0.50001 }), 1e-12).differences.len(), 1);
    }

    #[test]
    fn other_shapes_words_and_keys_are_differences() {
        let kept = json!({ "a": [1, 2], "b": "x", "c": null, "d": true });
        let made = json!({ "a": [1], "b": "y", "c": 0, "e": true });
        let found = found(&kept, &made, 1e-12);
        assert_eq!(found.differences.len(), 5, "{:?}", found.differences);
        assert!(found.differences.contains(&"/d is not made any more".to_owned()));
    }

    #[test]
    fn versions_are_told_apart_from_values() {
        let kept = json!({ "versions": { "torch": "2.15.0", "numpy": "2.4.6" }, "cases": [{ "versions": 1 }] });
        let made = json!({ "versions": { "torch": "2.16.0", "numpy": "2.4.6" }, "cases": [{ "versions": 2 }] });
        let found = found(&kept, &made, 1e-12);
        assert_eq!(found.origins, ["torch \"2.15.0\", here \"2.16.0\""]);
        assert_eq!(found.differences, ["/cases/0/versions: 1, now 2"]);
    }

    #[test]
    fn bytes_are_compared_where_they_are_steady() {
        let folder = tempfile::tempdir().unwrap();
        let list = "[[golden]]\nscript = 's'\nfolder = 'f'\nunsteady = ['a.pth']";
        let golden = Golden::list(list).unwrap().remove(0);
        for (name, differences) in [("a.pth", 0), ("b.png", 1)] {
            std::fs::write(folder.path().join(name), b"kept").unwrap();
            assert_eq!(golden.compare(&folder.path().join(name), b"made").unwrap().differences.len(), differences);
        }
        assert!(
            Golden::list("[[golden]]\nscript = 's'").unwrap_err().to_string().contains("one of `file` and `folder`")
        );
    }
}
