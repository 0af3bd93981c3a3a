//! Bringing files into the staging folder: linked or copied, and hashed where they then stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use kd_image::Split;

use super::{ImportError, ImportFormat};
use crate::decode::{Column, Groups, case_of, read_groups, split_of};
use crate::digest::sha256_file;
use crate::error::FileError;
use crate::format::FoundFile;
use crate::manifest::SourceFile;

/// Name of the numbered groups in a raw folder.
const GROUPS_FILE: &str = "groups.csv";
/// The table of subgroups in the raw folder.
const SUBGROUPS_FILE: &str = "subgroups.csv";

/// Links or copies `from` to `name` below `staging`; the checksum is that of the file as it stands there.
pub(super) fn file(
    from: &Path,
    given: &Path,
    staging: &Path,
    name: &str,
    copy: bool,
) -> Result<SourceFile, ImportError> {
    let failed = |source| FileError::new(if copy { "copy" } else { "link" }, from, given, source);
    let to = staging.join(name);
    // The real file: a link to a link breaks when the one in the middle goes.
    let real = fs::canonicalize(from).map_err(failed)?;
    fs::create_dir_all(to.parent().unwrap_or(staging)).map_err(failed)?;
    let placed = if copy { fs::copy(&real, &to).map(drop) } else { link(&real, &to) };
    placed.map_err(failed)?;
    listed(staging, name)
}

/// A file that stands in the staging folder, with its checksum.
pub(super) fn listed(staging: &Path, name: &str) -> Result<SourceFile, ImportError> {
    let (checksum, bytes) = sha256_file(&staging.join(name), staging)?;
    Ok(SourceFile { name: name.into(), url: None, checksum, bytes: Some(bytes) })
}

/// A hard link survives a move of the source; across file systems only a symbolic one can be made.
fn link(real: &Path, to: &Path) -> io::Result<()> {
    if fs::hard_link(real, to).is_ok() {
        return Ok(());
    }
    #[cfg(unix)]
    return std::os::unix::fs::symlink(real, to);
    #[cfg(not(unix))]
    fs::copy(real, to).map(drop)
}

/// Writes the table of groups with numbers for names.
///
/// Of a folder only the lines of its images are kept; an npz has all of them checked when it is opened.
pub(super) fn groups(
    table: &Path,
    staging: &Path,
    images: &[SourceFile],
    format: ImportFormat,
) -> Result<SourceFile, ImportError> {
    let mut groups = read_groups(table, Column::Group)?;
    if format == ImportFormat::ImageFolder {
        let names: BTreeSet<&str> = images.iter().map(|file| file.name.as_str()).collect();
        if let Some(name) = names.iter().find(|name| !groups.contains_key(**name)) {
            return Err(ImportError::from(Column::Group.refused(
                crate::error::relative_name(table, table),
                "a line for each image",
                format!("none for `{name}`"),
            )));
        }
        groups.retain(|name, _| names.contains(name.as_str()));
    }
    group_table(&groups, staging)
}

/// Whether all files lie below folders of splits, of which there are then three.
pub(super) fn by_split(files: &[FoundFile]) -> Result<bool, ImportError> {
    let top = |file: &FoundFile| file.name.split_once('/').and_then(|(top, _)| split_of(top));
    let splits: Option<BTreeSet<Split>> = files.iter().map(top).collect();
    match splits {
        Some(splits) if !splits.is_empty() && splits.len() != 3 => {
            let found = splits.iter().map(|split| split.name()).collect::<Vec<_>>().join(" and ");
            Err(ImportError::Splits { found })
        }
        Some(splits) => Ok(!splits.is_empty()),
        None => Ok(false),
    }
}

/// Folder of a split, with its `/`.
pub(super) fn split_folder(split: Option<Split>) -> String {
    split.map_or_else(String::new, |split| format!("{split}/"))
}

/// A table by case, whichever way the files were spelled in it; of each case there are its name in the raw folder and
/// another one that the table may use. Groups are numbered, subgroups keep their names.
pub(super) fn case_table(
    table: &Path,
    column: Column,
    cases: &[(String, String)],
    staging: &Path,
) -> Result<SourceFile, ImportError> {
    let given = read_groups(table, column)?;
    let by_case: BTreeMap<&str, &str> = given.iter().map(|(file, group)| (case_of(file), group.as_str())).collect();
    let mut names = BTreeMap::new();
    for (name, other) in cases {
        let found = by_case.get(name.as_str()).or_else(|| by_case.get(other.as_str())).ok_or_else(|| {
            let file = crate::error::relative_name(table, table);
            ImportError::from(column.refused(file, "a line for each case", format!("none for `{other}`")))
        })?;
        names.insert(name.clone(), (*found).to_owned());
    }
    match column {
        Column::Group => group_table(&names, staging),
        Column::Subgroup => {
            let rows = names.iter().map(|(name, subgroup)| [name.as_str(), subgroup.as_str()]);
            write_table(SUBGROUPS_FILE, column, rows, staging)
        }
    }
}

/// Who samples are of by their Patient IDs; one that names nobody is of a person of its own. None where no sample names
/// anybody.
pub(super) fn by_patient(samples: impl IntoIterator<Item = (String, Option<String>)>) -> Option<Groups> {
    let samples: Vec<_> = samples.into_iter().collect();
    let is_named = samples.iter().any(|(_, patient)| patient.is_some());
    // No Patient ID holds a backslash, which parts values in DICOM.
    let of = |(sample, patient): (String, Option<String>)| {
        let group = patient.unwrap_or_else(|| format!("\\{sample}"));
        (sample, group)
    };
    is_named.then(|| samples.into_iter().map(of).collect())
}

/// Writes groups by file with numbers for names.
pub(super) fn group_table(groups: &Groups, staging: &Path) -> Result<SourceFile, ImportError> {
    let numbers = crate::decode::number_groups(groups.values().map(String::as_str).collect::<Vec<_>>());
    let rows = groups.iter().map(|(name, group)| [name.as_str(), numbers[group.as_str()].as_str()]);
    write_table(GROUPS_FILE, Column::Group, rows, staging)
}

fn write_table<'a>(
    file: &str,
    column: Column,
    rows: impl Iterator<Item = [&'a str; 2]>,
    staging: &Path,
) -> Result<SourceFile, ImportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = std::iter::once(["file", column.name()]).chain(rows).try_for_each(|row| writer.write_record(row));
    let path = staging.join(file);
    let failed = |source: io::Error| FileError::new("write", &path, staging, source);
    written.map_err(|e| failed(io::Error::other(e)))?;
    let bytes = writer.into_inner().map_err(|e| failed(io::Error::other(e.to_string())))?;
    crate::store::write_atomic(&path, &bytes)?;
    listed(staging, file)
}
