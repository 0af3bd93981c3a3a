//! What the scores of masks and of images share: files under one name in several folders, means over cases, and the table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use kd_data::format::{FileFormat, files_below, sniff};
use kd_metrics::{BootstrapPlan, Grouping, Interval, Score, Undefined, bootstrap_interval};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::load::groups_of;
use crate::dense::{CaseTable, CaseValues, MetricFacts};
use crate::output::{Output, columns, usage};

/// A file and what it is.
pub(super) struct CaseFile {
    pub(super) path: PathBuf,
    pub(super) format: FileFormat,
}

/// The files of a folder by their names without endings.
pub(super) fn cases(folder: &Path, what: &str) -> Result<BTreeMap<String, CaseFile>> {
    let mut cases = BTreeMap::new();
    for file in files_below(folder).with_context(|| format!("{what} `{}`", folder.display()))? {
        let format = sniff(&file.path)?;
        if !matches!(format, FileFormat::Nifti | FileFormat::Png) {
            bail!(
                "{what}: `{}` is {}, expected NIfTI or PNG\nhint: move it out of the folder",
                file.name,
                format.name()
            );
        }
        let name = file.name.trim_end_matches(".gz");
        let name = name.rsplit_once('.').map_or(name, |(name, _)| name).to_owned();
        if cases.insert(name.clone(), CaseFile { path: file.path, format }).is_some() {
            bail!("{what}: two files are called `{name}`, expected one a case");
        }
    }
    if cases.is_empty() {
        bail!("{what} `{}` holds no file, expected NIfTI or PNG", folder.display());
    }
    Ok(cases)
}

/// Refuses folders that do not hold the same cases.
pub(super) fn same_cases<A, B>(
    first: &BTreeMap<String, A>,
    second: &BTreeMap<String, B>,
    what: [&str; 2],
) -> Result<()> {
    let missing =
        |name: &String, here: &str, there: &str| anyhow!("case `{name}` has a file in {here}, and none in {there}");
    if let Some(name) = first.keys().find(|name| !second.contains_key(*name)) {
        return Err(missing(name, what[0], what[1]));
    }
    match second.keys().find(|name| !first.contains_key(*name)) {
        Some(name) => Err(missing(name, what[1], what[0])),
        None => Ok(()),
    }
}

/// Everything that was measured.
pub(super) struct Measured {
    pub(super) task: &'static str,
    pub(super) metrics: Vec<MetricFacts>,
    /// What is scored by itself: the classes.
    pub(super) parts: Vec<String>,
    /// Name and file of each case, and its values.
    pub(super) cases: Vec<(String, String, CaseValues)>,
    /// The values of doing nothing.
    pub(super) nothing: Option<Vec<CaseValues>>,
    /// The column of groups, if given.
    pub(super) groups: Option<String>,
    /// What changes the numbers, beside the policies of the metrics.
    pub(super) policy: Value,
}

struct Row<'a> {
    facts: &'a MetricFacts,
    value: Score,
    interval: Result<Interval, Undefined>,
    nothing: Option<Score>,
}

/// Means, intervals, and the table or the document of them.
pub(super) fn report(measured: Measured, plan: BootstrapPlan, out: &Output) -> Result<bool> {
    let files: Vec<String> = measured.cases.iter().map(|(_, file, _)| file.clone()).collect();
    let subjects = match &measured.groups {
        Some(table) => {
            let mut names = files.clone();
            names.dedup();
            let groups = groups_of(table, &names).map_err(usage)?;
            let of: BTreeMap<&String, String> = names.iter().zip(groups).collect();
            files.iter().map(|file| of[file].clone()).collect()
        }
        None => files,
    };
    let grouping = Grouping::new(&subjects)?;
    let all: Vec<usize> = (0..subjects.len()).collect();
    let (names, values): (Vec<String>, Vec<CaseValues>) =
        measured.cases.into_iter().map(|(name, _, values)| (name, values)).unzip();
    let table = CaseTable::new(&values, &grouping);
    let nothing = measured.nothing.map(|values| CaseTable::new(&values, &grouping));
    let rows: Vec<Row<'_>> = measured
        .metrics
        .par_iter()
        .enumerate()
        .map(|(metric, facts)| {
            let value = table.mean(metric, &all);
            let interval = match &value {
                Ok(_) => bootstrap_interval(&grouping, &|draw: &[usize]| table.mean(metric, draw), plan),
                Err(undefined) => Err(undefined.clone()),
            };
            Row { facts, value, interval, nothing: nothing.as_ref().map(|table| table.mean(metric, &all)) }
        })
        .collect();
    let parts: Vec<(String, Vec<Score>)> = measured
        .parts
        .iter()
        .enumerate()
        .map(|(part, name)| {
            let means = (0..measured.metrics.len()).map(|metric| table.mean_of_part(part, metric, &all));
            (name.clone(), means.collect())
        })
        .collect();
    if out.is_json() {
        let per_case: Vec<Value> = names
            .iter()
            .zip(&values)
            .map(|(name, case)| {
                let scores = measured.metrics.iter().zip(&case.whole);
                let mut object: Map<String, Value> =
                    scores.map(|(facts, score)| (facts.name.clone(), number(score))).collect();
                object.insert("case".into(), json!(name));
                Value::Object(object)
            })
            .collect();
        out.json(&document(measured.task, &rows, &parts, &grouping, plan, measured.policy, per_case))?;
        return Ok(true);
    }
    out.data(page(measured.task, &rows, &parts, &grouping, plan));
    Ok(true)
}

/// A number; none where it has no value, or none that JSON can hold.
fn number(score: &Score) -> Value {
    json!(score.as_ref().ok().filter(|value| value.is_finite()))
}

fn shown(score: &Score, facts: &MetricFacts) -> String {
    match score {
        Ok(value) => format!("{value:.*}", usize::from(facts.decimals).max(4)),
        Err(reason) => format!("none: {}", reason.to_string().replace("\nhint: ", "; ")),
    }
}

fn page(
    task: &str,
    rows: &[Row<'_>],
    parts: &[(String, Vec<Score>)],
    grouping: &Grouping,
    plan: BootstrapPlan,
) -> String {
    let interval = format!("{} % interval", (plan.level * 1000.0).round() / 10.0);
    let mut header = vec!["metric", "value", interval.as_str()];
    let nothing = rows.iter().any(|row| row.nothing.is_some());
    if nothing {
        header.push("do nothing");
    }
    header.push("policy");
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let range = match &row.interval {
                Ok(found) => format!("{:.4} to {:.4}", found.low, found.high),
                Err(reason) => format!("none: {}", reason.to_string().replace("\nhint: ", "; ")),
            };
            let mut line = vec![row.facts.name.clone(), shown(&row.value, row.facts), range];
            line.extend(row.nothing.as_ref().map(|score| shown(score, row.facts)));
            line.push(row.facts.policy.clone());
            line
        })
        .collect();
    let mut text = format!("{task}, {} cases of {} groups\n\n", grouping.samples(), grouping.subjects());
    text += &columns(&header, &lines);
    if !parts.is_empty() {
        let header: Vec<&str> =
            std::iter::once("class").chain(rows.iter().map(|row| row.facts.name.as_str())).collect();
        let lines: Vec<Vec<String>> = parts
            .iter()
            .map(|(name, scores)| {
                let cells = scores.iter().zip(rows).map(|(score, row)| match score {
                    Ok(_) => shown(score, row.facts),
                    Err(_) => "–".into(),
                });
                std::iter::once(name.clone()).chain(cells).collect()
            })
            .collect();
        text += &format!("\n\n{}", columns(&header, &lines));
    }
    text += &format!(
        "\n\nintervals: {} bootstrap, {} draws of groups, seed {}",
        super::method(plan),
        plan.resamples,
        plan.seed
    );
    text
}

fn document(
    task: &str,
    rows: &[Row<'_>],
    parts: &[(String, Vec<Score>)],
    grouping: &Grouping,
    plan: BootstrapPlan,
    policy: Value,
    per_case: Vec<Value>,
) -> Value {
    let metrics: Map<String, Value> = rows
        .iter()
        .map(|row| {
            let undefined = row.value.as_ref().err().or(row.interval.as_ref().err()).map(ToString::to_string);
            let ci = row.interval.as_ref().ok().map(|interval| [interval.low, interval.high]);
            let value = json!({
                "value": number(&row.value),
                "ci": ci,
                "do_nothing": row.nothing.as_ref().map(number),
                "undefined": undefined,
                "policy": row.facts.policy,
                "unit": row.facts.unit,
            });
            (row.facts.name.clone(), value)
        })
        .collect();
    let classes: Vec<Value> = parts
        .iter()
        .map(|(name, scores)| {
            let mut object: Map<String, Value> =
                rows.iter().zip(scores).map(|(row, score)| (row.facts.name.clone(), number(score))).collect();
            object.insert("class".into(), json!(name));
            Value::Object(object)
        })
        .collect();
    json!({
        "schema": 1,
        "task": task,
        "n": grouping.samples(),
        "groups": grouping.subjects(),
        "policy": policy,
        "interval": { "method": super::method(plan), "level": plan.level, "resamples": plan.resamples, "seed": plan.seed },
        "metrics": metrics,
        "per_class": classes,
        "per_case": per_case,
    })
}
