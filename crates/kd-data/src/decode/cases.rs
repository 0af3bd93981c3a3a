//! Cases of a set whose files are named after them: ids, subjects by group, and the split of their folder.

use std::collections::BTreeMap;
use std::path::Path;

use kd_image::{Split, SubjectId};

use super::files::sample_name;
use super::{DecodeError, MaskRecord, read_groups, subjects};
use crate::manifest::Manifest;

/// A record for each case, in the order given.
///
/// # Errors
/// [`DecodeError::Groups`] for a case without a line, [`DecodeError::Name`] for names that cannot be ids or become the
/// same one.
pub(super) fn records(
    folder: &Path,
    manifest: &Manifest,
    cases: &[(&str, Option<Split>)],
) -> Result<Vec<MaskRecord>, DecodeError> {
    let groups_file = manifest.source.groups.as_deref();
    let groups = groups_file.map(|file| read_groups(&folder.join(file))).transpose()?;
    let group_of = |case: &str| {
        let Some(table) = &groups else { return Ok(None) };
        table.get(case).map(|group| Some(group.as_str())).ok_or_else(|| DecodeError::Groups {
            file: groups_file.unwrap_or_default().into(),
            expected: "a line for each case".into(),
            found: format!("none for `{case}`"),
        })
    };
    let groups: Vec<Option<&str>> = cases.iter().map(|(case, _)| group_of(case)).collect::<Result<_, _>>()?;
    let numbered = subjects::number(groups.iter().flatten().copied().collect::<Vec<_>>());
    let mut seen = BTreeMap::new();
    let mut records = Vec::with_capacity(cases.len());
    for (&(case, split), group) in cases.iter().zip(groups) {
        let sample = sample_name(case)?;
        if let Some(other) = seen.insert(sample.clone(), case) {
            let problem = format!("it becomes the same id as `{other}`");
            return Err(DecodeError::Name { file: case.into(), problem });
        }
        let subject = match group {
            Some(group) => numbered[group].clone(),
            None => SubjectId::new(sample.as_str()).expect("a sample's id is a subject's id"),
        };
        records.push(MaskRecord { sample, subject, split });
    }
    Ok(records)
}
