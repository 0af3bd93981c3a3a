//! Cases of a set whose files are named after them: ids, subjects by group, and the split of their folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kd_image::{Split, SubjectId};

use super::files::sample_name;
use super::{Column, DecodeError, MaskRecord, read_groups, subjects};
use crate::manifest::Manifest;

/// A record for each case, in the order given.
///
/// # Errors
/// [`DecodeError::Groups`] for a case without a line in a table, [`DecodeError::Labels`] for subgroups that cannot be held out, [`DecodeError::Name`] for names that cannot be ids or become the
/// same one.
pub(super) fn records(
    folder: &Path,
    manifest: &Manifest,
    cases: &[(&str, Option<Split>)],
) -> Result<Vec<MaskRecord>, DecodeError> {
    let source = &manifest.source;
    let groups = column(folder, source.groups.as_deref(), Column::Group, cases)?;
    let subgroups = column(folder, source.subgroups.as_deref(), Column::Subgroup, cases)?;
    let numbered = subjects::number(groups.iter().flatten().map(String::as_str).collect::<Vec<_>>());
    let mut seen = BTreeMap::new();
    let mut records = Vec::with_capacity(cases.len());
    for ((&(case, split), group), subgroup) in cases.iter().zip(&groups).zip(subgroups) {
        let sample = sample_name(case)?;
        if let Some(other) = seen.insert(sample.clone(), case) {
            let problem = format!("it becomes the same id as `{other}`");
            return Err(DecodeError::Name { file: case.into(), problem });
        }
        let subject = match group {
            Some(group) => numbered[group.as_str()].clone(),
            None => SubjectId::new(sample.as_str()).expect("a sample's id is a subject's id"),
        };
        let held_out = subgroup.as_ref().is_some_and(|name| manifest.held_out.contains(name));
        records.push(MaskRecord { sample, subject, split, subgroup, held_out });
    }
    check_held_out(manifest, &records)?;
    Ok(records)
}

/// What is held out is there, and so is something else; no subject is on both sides.
fn check_held_out(manifest: &Manifest, records: &[MaskRecord]) -> Result<(), DecodeError> {
    let refused =
        |expected: String, found: String| Err(DecodeError::Labels { what: "split.held_out".into(), expected, found });
    let known: BTreeSet<&str> = records.iter().filter_map(|record| record.subgroup.as_deref()).collect();
    if let Some(name) = manifest.held_out.iter().find(|name| !known.contains(name.as_str())) {
        let known: Vec<&str> = known.into_iter().collect();
        return refused(format!("one of {}", known.join(", ")), format!("`{name}`"));
    }
    let learned: BTreeSet<&SubjectId> =
        records.iter().filter(|record| !record.held_out).map(|record| &record.subject).collect();
    if learned.is_empty() {
        return refused("a subgroup to learn from".into(), "all of them".into());
    }
    match records.iter().find(|record| record.held_out && learned.contains(&record.subject)) {
        Some(both) => {
            refused("subjects with all their images on one side".into(), format!("`{}` on both", both.subject))
        }
        None => Ok(()),
    }
}

/// What a table tells of each case; nothing where there is no table.
fn column(
    folder: &Path,
    file: Option<&str>,
    column: Column,
    cases: &[(&str, Option<Split>)],
) -> Result<Vec<Option<String>>, DecodeError> {
    let Some(file) = file else { return Ok(vec![None; cases.len()]) };
    let table = read_groups(&folder.join(file), column)?;
    let of_case = |(case, _): &(&str, Option<Split>)| {
        let missing = || column.refused(file.into(), "a line for each case", format!("none for `{case}`"));
        table.get(*case).map(|name| Some(name.clone())).ok_or_else(missing)
    };
    cases.iter().map(of_case).collect()
}
