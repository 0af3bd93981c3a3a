//! Checks of a record at the edge: what serde can't know.
//!
//! Done once, on reading and on writing; renderers trust the types afterwards and stay quiet about what is missing.

use crate::json::RecordError;
use crate::record::{Arm, Curves, Metric, Role, RunRecord, SCHEMA};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Checks a whole record.
pub(crate) fn record(record: &RunRecord) -> Result<(), RecordError> {
    if record.schema != SCHEMA {
        let found = u64::from(record.schema);
        return Err(RecordError::Schema { what: "record.json", expected: SCHEMA, found });
    }
    finite(record, "record.json")?;
    unique("metrics", record.metrics.iter().map(|metric| metric.name.as_str()))?;
    unique("students", record.students.iter().map(|group| group.name.as_str()))?;
    known_metric(record, "primary_metric", &record.primary_metric)?;
    if record.teacher.arm.role != Role::Teacher {
        return invalid("teacher.arm.role", "teacher", record.teacher.arm.role.word());
    }
    arm(record, "teacher.arm", &record.teacher.arm)?;
    for group in &record.students {
        unique(&format!("students.{}.arms", group.name), group.arms.iter().map(|arm| arm.name.as_str()))?;
        for one in &group.arms {
            let place = format!("students.{}.arms.{}", group.name, one.name);
            if one.role == Role::Teacher || one.name == record.teacher.arm.name {
                return invalid(&place, "a student arm with a name of its own", one.role.word());
            }
            arm(record, &place, one)?;
        }
    }
    for baseline in &record.baselines {
        let of_parts = baseline.per_class.iter().flat_map(|row| &row.metrics);
        for metric in baseline.metrics.iter().chain(of_parts) {
            let place = format!("baselines.{}", baseline.name);
            known_metric(record, &place, &metric.name)?;
            ordered(&place, &metric.low, &metric.high)?;
        }
    }
    for difference in &record.differences {
        let place = format!("differences.{}", difference.student);
        known_metric(record, &place, &difference.metric)?;
        for name in [&difference.a, &difference.b] {
            known_arm(record, &place, &difference.student, name)?;
        }
        ordered(&place, &difference.low, &difference.high)?;
    }
    for gap in &record.gaps {
        let place = format!("gaps.{}", gap.student);
        known_metric(record, &place, &gap.metric)?;
        known_arm(record, &place, &gap.student, &gap.arm)?;
        ordered(&place, &gap.gap_low, &gap.gap_high)?;
        ordered(&place, &gap.recovered_low, &gap.recovered_high)?;
    }
    Ok(())
}

/// Refuses NaN and infinity in plain numbers.
///
/// JSON writes such a number as `null`, and absent options are left out, so every `null` in the tree is one.
pub(crate) fn finite<T: Serialize>(document: &T, what: &'static str) -> Result<(), RecordError> {
    fn find_null(tree: &Json, place: &mut Vec<String>) -> bool {
        let children: Vec<(String, &Json)> = match tree {
            Json::Null => return true,
            Json::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
            Json::Object(fields) => fields.iter().map(|(key, field)| (key.clone(), field)).collect(),
            _ => return false,
        };
        for (key, child) in children {
            place.push(key);
            if find_null(child, place) {
                return true;
            }
            place.pop();
        }
        false
    }
    let tree = serde_json::to_value(document).map_err(|source| RecordError::Json { what, source })?;
    let mut place = Vec::new();
    if find_null(&tree, &mut place) { Err(RecordError::NotFinite { place: place.join(".") }) } else { Ok(()) }
}

fn arm(record: &RunRecord, place: &str, arm: &Arm) -> Result<(), RecordError> {
    let seeds: Vec<u64> = arm.per_seed.iter().map(|seed| seed.seed).collect();
    if seeds != arm.seeds {
        return invalid(&format!("{place}.per_seed"), &format!("seeds {:?}", arm.seeds), &format!("{seeds:?}"));
    }
    let class_metrics = arm.per_class.iter().flat_map(|row| &row.metrics);
    let subgroup_metrics = arm.per_subgroup.iter().flat_map(|row| row.metrics.iter().chain(&row.minus_alone));
    let point = arm.operating_point.iter().flat_map(|point| [&point.sensitivity, &point.specificity]);
    for metric in
        arm.metrics.iter().chain(class_metrics).chain(subgroup_metrics).chain(point).chain(&arm.teacher_agreement)
    {
        known_metric(record, place, &metric.name)?;
        let Metric { name, low, high, .. } = metric;
        ordered(&format!("{place}.metrics.{name}"), low, high)?;
    }
    for metric in arm.per_seed.iter().flat_map(|seed| &seed.metrics) {
        known_metric(record, &format!("{place}.per_seed"), &metric.name)?;
    }
    if let Some(confusion) = &arm.confusion {
        let classes = record.dataset.classes.len();
        if confusion.counts.len() != classes || confusion.counts.iter().any(|row| row.len() != classes) {
            let found = format!("{} rows", confusion.counts.len());
            return invalid(&format!("{place}.confusion"), &format!("{classes} by {classes} counts"), &found);
        }
    }
    if let Some(roc) = &arm.roc {
        let lengths = [roc.tpr.len(), roc.low.len(), roc.high.len()];
        if lengths.iter().any(|length| *length != roc.fpr.len()) {
            return invalid(&format!("{place}.roc"), &format!("{} points", roc.fpr.len()), &format!("{lengths:?}"));
        }
    }
    arm.curves.iter().try_for_each(|one| curves(place, one))
}

fn curves(place: &str, curves: &Curves) -> Result<(), RecordError> {
    let place = format!("{place}.curves.{}", curves.seed);
    let epochs = curves.learning_rate.len();
    let mut columns = vec![curves.validation.len()];
    for term in &curves.terms {
        columns.push(term.loss.len());
        let measured = [&term.gradient_share, &term.weight, &term.temperature].map(Vec::len);
        columns.extend(measured.into_iter().filter(|&length| length > 0));
    }
    if let Some(found) = columns.into_iter().find(|length| *length != epochs) {
        return invalid(&place, &format!("columns of {epochs} epochs"), &format!("a column of {found}"));
    }
    if curves.chosen_epoch == 0 || curves.chosen_epoch as usize > epochs {
        let found = curves.chosen_epoch.to_string();
        return invalid(&format!("{place}.chosen_epoch"), &format!("1 to {epochs}"), &found);
    }
    Ok(())
}

fn known_metric(record: &RunRecord, place: &str, name: &str) -> Result<(), RecordError> {
    match record.definition(name) {
        Some(_) => Ok(()),
        None => invalid(place, "a metric that is defined under `metrics`", &format!("`{name}`")),
    }
}

fn known_arm(record: &RunRecord, place: &str, student: &str, name: &str) -> Result<(), RecordError> {
    match record.arm(student, name) {
        Some(_) => Ok(()),
        None => invalid(place, &format!("an arm of student `{student}` or the teacher"), &format!("`{name}`")),
    }
}

fn ordered(place: &str, low: &crate::Value, high: &crate::Value) -> Result<(), RecordError> {
    match (low, high) {
        (crate::Value::Number(low), crate::Value::Number(high)) if low > high => {
            invalid(place, "an interval from low to high", &format!("{low} to {high}"))
        }
        _ => Ok(()),
    }
}

fn unique<'a>(place: &str, names: impl Iterator<Item = &'a str>) -> Result<(), RecordError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return invalid(place, "names that differ", &format!("`{name}` twice"));
        }
    }
    Ok(())
}

fn invalid(place: &str, expected: &str, found: &str) -> Result<(), RecordError> {
    Err(RecordError::Invalid { place: place.to_owned(), expected: expected.to_owned(), found: found.to_owned() })
}
