//! What criterion left behind: one folder a bench, with a name and its estimates.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use serde_json::Value;

use crate::repository;

/// The median time of one bench, with its 95 % interval, in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bench {
    pub(crate) name: String,
    pub(crate) median_ns: f64,
    pub(crate) low_ns: f64,
    pub(crate) high_ns: f64,
}

impl Bench {
    /// From criterion's `benchmark.json` and `estimates.json`; none where either has another shape.
    fn from_json(benchmark: &Value, estimates: &Value) -> Option<Self> {
        let median = &estimates["median"];
        let interval = &median["confidence_interval"];
        Some(Self {
            name: benchmark["full_id"].as_str()?.to_owned(),
            median_ns: median["point_estimate"].as_f64()?,
            low_ns: interval["lower_bound"].as_f64()?,
            high_ns: interval["upper_bound"].as_f64()?,
        })
    }
}

/// Where criterion writes: `criterion/` in cargo's target folder.
pub(super) fn folder(root: &Path) -> anyhow::Result<PathBuf> {
    Ok(repository::target_folder(root)?.join("criterion"))
}

/// Every bench measured since `begun`, by name. Older folders belong to benches that this run left out, or that are gone.
pub(super) fn read(folder: &Path, begun: SystemTime) -> anyhow::Result<Vec<Bench>> {
    let mut benches = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let estimates = entry.path().join("estimates.json");
            if entry.file_name() != "new" {
                folders.push(entry.path());
            } else if estimates.metadata().and_then(|facts| facts.modified()).is_ok_and(|when| when >= begun) {
                let bench = Bench::from_json(&json(&entry.path().join("benchmark.json"))?, &json(&estimates)?);
                benches.push(bench.with_context(|| format!("`{}` has an unknown shape", estimates.display()))?);
            }
        }
    }
    benches.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(benches)
}

fn json(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", path.display()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_benches_of_this_run_are_read() {
        let target = tempfile::tempdir().expect("a temporary folder");
        let new = target.path().join("losses/hinton/new");
        std::fs::create_dir_all(&new).expect("a folder");
        let estimates = r#"{"median": {"confidence_interval": {"confidence_level": 0.95, "lower_bound": 90.0,
            "upper_bound": 120.0}, "point_estimate": 100.0, "standard_error": 1.0}}"#;
        std::fs::write(new.join("estimates.json"), estimates).expect("a file");
        std::fs::write(new.join("benchmark.json"), r#"{"full_id": "losses/hinton"}"#).expect("a file");

        let hour = Duration::from_secs(3600);
        let benches = read(target.path(), SystemTime::now() - hour).expect("readable");
        let expected = Bench { name: "losses/hinton".to_owned(), median_ns: 100.0, low_ns: 90.0, high_ns: 120.0 };
        assert_eq!(benches, [expected]);
        assert!(read(target.path(), SystemTime::now() + hour).expect("readable").is_empty());
    }

    #[test]
    fn an_unknown_shape_is_no_bench() {
        let estimates = serde_json::json!({ "mean": 1.0 });
        assert_eq!(Bench::from_json(&serde_json::json!({ "full_id": "a" }), &estimates), None);
    }
}
