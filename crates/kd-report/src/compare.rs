//! Two records against each other, for `--against`: what moved further than noise.
//!
//! A second run never gives the same numbers on another machine, so a bare difference says nothing. A score counts as
//! moved where it moved further than the seeds of either record lie apart.

use crate::number;
use crate::record::{Direction, NetworkFacts, RunRecord};
use crate::table::{Side, aligned};
use std::collections::BTreeMap;

/// How far a number may move before it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseThreshold {
    /// A score may move by this many seed spreads (largest minus smallest chosen value over the seeds, the larger of
    /// the two records). 1 is a fair start.
    pub seed_spreads: f64,
    /// A score may move by this much in any case; the only allowance where fewer than two seeds were recorded.
    pub floor: f64,
    /// A median latency may grow or shrink by this factor, such as 1.1.
    pub latency_ratio: f64,
}

/// Whether a number moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Within the noise.
    Within,
    /// Better by more than the noise.
    Better,
    /// Worse by more than the noise.
    Worse,
}

/// One number of both records.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Student group; empty for the teacher.
    pub student: String,
    /// Arm; empty for latencies, which belong to the network.
    pub arm: String,
    /// Metric name, or `latency_p50_ms`.
    pub metric: String,
    /// Value of the older record.
    pub before: f64,
    /// Value of the newer record.
    pub after: f64,
    /// Largest change that counts as noise, in the metric's unit.
    pub allowed: f64,
    /// Whether it moved.
    pub change: Change,
}

/// What [`compare`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Numbers that stand in both records.
    pub rows: Vec<Row>,
    /// Numbers that stand in one record only, or are undefined in one.
    pub unmatched: Vec<String>,
    /// Conditions that differ, so that a change may come from them.
    pub conditions: Vec<String>,
}

impl Comparison {
    /// Whether any number became worse by more than the noise.
    pub fn regressed(&self) -> bool {
        self.rows.iter().any(|row| row.change == Change::Worse)
    }

    /// The comparison as aligned plain text.
    pub fn text(&self) -> String {
        let header = ["student", "arm", "metric", "before", "after", "change", "noise", ""];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for row in &self.rows {
            let word = match row.change {
                Change::Within => "",
                Change::Better => "better",
                Change::Worse => "WORSE",
            };
            rows.push(vec![
                row.student.clone(),
                row.arm.clone(),
                row.metric.clone(),
                number::fixed(row.before, 4),
                number::fixed(row.after, 4),
                number::signed(row.after - row.before, 4),
                format!("\u{b1}{}", number::fixed(row.allowed, 4)),
                word.to_owned(),
            ]);
        }
        let mut text = aligned(&rows, &[Side::Left, Side::Left, Side::Left]);
        for condition in &self.conditions {
            text += &format!("note: {condition}\n");
        }
        for one in &self.unmatched {
            text += &format!("note: only in one record: {one}\n");
        }
        text
    }
}

/// Compares the newer record `after` with the older one `before`.
///
/// # Policy
/// A score moved where |after − before| exceeds the larger of `floor` and `seed_spreads` times the seed spread; a
/// latency where the ratio leaves `1/latency_ratio ..= latency_ratio`. Undefined and infinite numbers are listed as
/// unmatched, never compared.
pub fn compare(before: &RunRecord, after: &RunRecord, threshold: NoiseThreshold) -> Comparison {
    let old = scores(before);
    let new = scores(after);
    let mut rows = Vec::new();
    let mut unmatched = Vec::new();
    for (key, was) in &old {
        let Some(is) = new.get(key) else {
            unmatched.push(name(key));
            continue;
        };
        let (allowed, gain) = if key.2 == LATENCY {
            let slower = is.value > was.value;
            let factor = threshold.latency_ratio;
            (was.value * if slower { factor - 1.0 } else { 1.0 - 1.0 / factor }, was.value - is.value)
        } else {
            let spread = was.spread.max(is.spread) * threshold.seed_spreads;
            (spread.max(threshold.floor), (is.value - was.value) * was.direction.sign())
        };
        let change = match gain {
            gain if gain.abs() <= allowed => Change::Within,
            gain if gain > 0.0 => Change::Better,
            _ => Change::Worse,
        };
        let (student, arm, metric) = key.clone();
        rows.push(Row { student, arm, metric, before: was.value, after: is.value, allowed, change });
    }
    unmatched.extend(new.keys().filter(|key| !old.contains_key(*key)).map(name));
    Comparison { rows, unmatched, conditions: conditions(before, after) }
}

const LATENCY: &str = "latency_p50_ms";

type Key = (String, String, String);

struct Score {
    value: f64,
    spread: f64,
    direction: Direction,
}

fn scores(record: &RunRecord) -> BTreeMap<Key, Score> {
    let mut scores = BTreeMap::new();
    let latency = |student: &str, network: &NetworkFacts| {
        network.latency_p50_ms.map(|value| {
            let key = (student.to_owned(), String::new(), LATENCY.to_owned());
            (key, Score { value, spread: 0.0, direction: Direction::Lower })
        })
    };
    for (group, network, arm) in record.all_arms() {
        let student = group.map_or("", |group| group.name.as_str());
        scores.extend(latency(student, network));
        for metric in &arm.metrics {
            let Some(value) = metric.value.finite() else { continue };
            let spread = arm.seed_range(&metric.name).map_or(0.0, |(low, high)| high - low);
            let direction = record.definition(&metric.name).map_or(Direction::Higher, |one| one.direction);
            let key = (student.to_owned(), arm.name.clone(), metric.name.clone());
            scores.insert(key, Score { value, spread, direction });
        }
    }
    scores
}

fn name((student, arm, metric): &Key) -> String {
    [student, arm, metric].into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" / ")
}

fn conditions(before: &RunRecord, after: &RunRecord) -> Vec<String> {
    let facts = |record: &RunRecord| {
        let (data, origin) = (&record.dataset, &record.provenance);
        [
            ("dataset", data.hash.clone()),
            ("split", data.split_hash.clone()),
            ("preparation", data.preparation_hash.clone()),
            ("recipe", origin.recipe_toml.clone()),
            ("teacher", record.teacher.hash_before.clone()),
            ("device", origin.device.clone()),
            ("processor", origin.host.cpu.clone()),
            ("cores", origin.host.cores.to_string()),
            ("burn version", origin.host.burn.clone()),
        ]
    };
    let pairs = facts(before).into_iter().zip(facts(after));
    let mut conditions: Vec<String> =
        pairs.filter(|(was, is)| was.1 != is.1).map(|(was, _)| format!("{} differs", was.0)).collect();
    for definition in &before.metrics {
        if after.definition(&definition.name).is_some_and(|other| other.policy != definition.policy) {
            conditions.push(format!("policy of {} differs", definition.name));
        }
    }
    conditions
}
