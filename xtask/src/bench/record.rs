//! One measurement, kept: what was run, on which revision, on what machine, and the times.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use kd_data::calendar::Date;
use serde_json::{Value, json};

use super::estimates::Bench;
use super::host::Host;
use crate::data::aligned;

const SCHEMA: u64 = 1;

/// When, from what and where something was measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    pub(super) date: String,
    pub(super) revision: String,
    /// Whether files differed from the revision.
    pub(super) dirty: bool,
    pub(super) host: Host,
}

impl Origin {
    pub(crate) fn here(root: &Path, begun: SystemTime) -> anyhow::Result<Self> {
        let days = begun.duration_since(UNIX_EPOCH).context("the clock stands before 1970")?.as_secs() / 86_400;
        Ok(Self {
            date: Date::of_day(i64::try_from(days)?).to_string(),
            revision: git(root, &["rev-parse", "--short=10", "HEAD"]).unwrap_or_else(|| "none".to_owned()),
            dirty: git(root, &["status", "--porcelain"]).is_none_or(|changes| !changes.is_empty()),
            host: Host::this(),
        })
    }

    /// The folder's name: date, machine, revision.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}-{}{}", self.date, self.host.slug(), self.revision, if self.dirty { "-dirty" } else { "" })
    }

    pub(super) fn json(&self) -> Value {
        let Host { processor, cores, system, compiler } = &self.host;
        json!({
            "date": self.date,
            "revision": self.revision,
            "dirty": self.dirty,
            "host": { "processor": processor, "cores": cores, "system": system, "compiler": compiler },
        })
    }

    /// The day of the measurement.
    pub(super) fn date(&self) -> &str {
        &self.date
    }

    /// The lines under a record's title.
    pub(crate) fn lines(&self, command: &str) -> String {
        let dirty = if self.dirty { ", with changes that are in no revision" } else { "" };
        format!("- command: `{command}`\n- revision: `{}`{dirty}\n- machine: {}\n", self.revision, self.host)
    }
}

/// What `bench.json` holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(super) command: String,
    pub(super) origin: Origin,
    pub(super) benches: Vec<Bench>,
}

impl Record {
    pub(super) fn new(root: &Path, command: String, begun: SystemTime, benches: Vec<Bench>) -> anyhow::Result<Self> {
        Ok(Self { command, origin: Origin::here(root, begun)?, benches })
    }

    /// Reads a record from its folder or its `bench.json`.
    pub(super) fn load(path: &Path) -> anyhow::Result<Self> {
        let file = if path.is_dir() { path.join("bench.json") } else { path.to_path_buf() };
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read record `{}`", file.display()))?;
        let json = serde_json::from_str(&text).with_context(|| format!("record `{}` is no JSON", file.display()))?;
        Self::from_json(&json).with_context(|| {
            format!("record `{}` has schema {}, expected {SCHEMA} with all its keys", file.display(), json["schema"])
        })
    }

    pub(super) fn json(&self) -> String {
        let benches: Vec<Value> = self
            .benches
            .iter()
            .map(|b| json!({ "name": b.name, "median_ns": b.median_ns, "low_ns": b.low_ns, "high_ns": b.high_ns }))
            .collect();
        let mut json = self.origin.json();
        json["schema"] = json!(SCHEMA);
        json["command"] = json!(self.command);
        json["benches"] = json!(benches);
        format!("{json:#}\n")
    }

    fn from_json(json: &Value) -> Option<Self> {
        if json["schema"].as_u64()? != SCHEMA {
            return None;
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let host = &json["host"];
        let bench = |bench: &Value| {
            Some(Bench {
                name: text(&bench["name"])?,
                median_ns: bench["median_ns"].as_f64()?,
                low_ns: bench["low_ns"].as_f64()?,
                high_ns: bench["high_ns"].as_f64()?,
            })
        };
        Some(Self {
            command: text(&json["command"])?,
            origin: Origin {
                date: text(&json["date"])?,
                revision: text(&json["revision"])?,
                dirty: json["dirty"].as_bool()?,
                host: Host {
                    processor: text(&host["processor"])?,
                    cores: usize::try_from(host["cores"].as_u64()?).ok()?,
                    system: text(&host["system"])?,
                    compiler: text(&host["compiler"])?,
                },
            },
            benches: json["benches"].as_array()?.iter().map(bench).collect::<Option<_>>()?,
        })
    }

    /// The times for a terminal.
    pub(super) fn table(&self) -> String {
        let mut lines = vec![["BENCH", "MEDIAN", "LOW", "HIGH"].map(str::to_owned)];
        lines.extend(self.benches.iter().map(|b| [b.name.clone(), time(b.median_ns), time(b.low_ns), time(b.high_ns)]));
        aligned(&lines)
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = format!(
            "# Benches, {}\n\n{}\n\
             Median time of one call and the 95 % interval of the median.\n\n\
             | bench | median | low | high |\n|---|---:|---:|---:|\n",
            self.origin.date,
            self.origin.lines(&self.command)
        );
        for b in &self.benches {
            let (median, low, high) = (time(b.median_ns), time(b.low_ns), time(b.high_ns));
            text.push_str(&format!("| `{}` | {median} | {low} | {high} |\n", b.name));
        }
        text
    }
}

/// A time in the unit that leaves one to three digits before the point.
pub(super) fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{value:.2} {unit}")
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = std::process::Command::new("git").current_dir(root).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::bench) fn record(benches: &[(&str, f64)]) -> Record {
        let bench = |&(name, median_ns): &(&str, f64)| Bench {
            name: name.to_owned(),
            median_ns,
            low_ns: median_ns * 63.0 / 64.0,
            high_ns: median_ns * 65.0 / 64.0,
        };
        Record {
            command: "cargo bench".to_owned(),
            origin: Origin {
                date: "2026-01-31".to_owned(),
                revision: "abc".to_owned(),
                dirty: true,
                host: Host { processor: "P".into(), cores: 2, system: "linux".into(), compiler: "rustc".into() },
            },
            benches: benches.iter().map(bench).collect(),
        }
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let record = record(&[("a", 1.5), ("b", 2e9)]);
        let json = serde_json::from_str(&record.json()).expect("JSON");
        assert_eq!(Record::from_json(&json), Some(record));
        assert_eq!(Record::from_json(&json!({ "schema": 2 })), None);
    }

    #[test]
    fn a_dirty_tree_shows_in_the_name() {
        assert_eq!(record(&[]).origin.name(), "2026-01-31-p-2c-abc-dirty");
    }

    #[test]
    fn times_have_their_unit() {
        let shown: Vec<String> = [12.0, 1.5e3, 999_999.0, 2.5e6, 3e9].into_iter().map(time).collect();
        assert_eq!(shown, ["12.00 ns", "1.50 µs", "1000.00 µs", "2.50 ms", "3.00 s"]);
    }
}
