//! A package: one file with named entries and a checksum for each.
//!
//! A zip archive, so that anybody can look inside with tools of their own; `checksums.json` within it lists what has to
//! be there, because a zip archive alone does not notice a missing member.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use zip::ZipArchive;

use super::{StoreError, path_tail, write_archive};
use crate::digest::sha256_hex;

const CHECKSUMS: &str = "checksums.json";
/// Weights of the largest student in sight take a hundredth of it.
const LARGEST_ENTRY: u64 = 4 << 30;
const LONGEST_LIST: u64 = 16 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checksums {
    schema: u32,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    bytes: u64,
    sha256: String,
}

fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    name != CHECKSUMS
        && name.chars().all(allowed)
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Writes a package, whole or not at all.
///
/// # Policy
/// Entries are sorted by name, deflated, with one fixed time stamp: equal entries give equal bytes. A file that stands
/// there is replaced.
///
/// # Errors
/// [`StoreError::Request`] for an entry name with other characters than ASCII letters, digits and `._-/`, or one that
/// leads out of a folder; [`StoreError::Full`] and [`StoreError::Io`].
///
/// # Example
/// ```
/// use std::collections::BTreeMap;
/// use kd_data::store::{read_package, write_package};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("student.kd");
/// let entries = BTreeMap::from([("weights.safetensors".to_string(), vec![1u8, 2, 3])]);
/// write_package(&path, 1, &entries)?;
/// assert_eq!(read_package(&path, 1)?, entries);
/// assert!(read_package(&path, 2).unwrap_err().to_string().contains("schema"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_package(path: &Path, schema: u32, entries: &BTreeMap<String, Vec<u8>>) -> Result<(), StoreError> {
    if let Some(name) = entries.keys().find(|name| !is_plain(name)) {
        return Err(StoreError::Request {
            what: "name of a package entry".into(),
            expected: format!("letters, digits, `._-/`, not `{CHECKSUMS}`"),
            found: format!("`{name}`"),
        });
    }
    let listed = entries
        .iter()
        .map(|(name, bytes)| (name.clone(), Entry { bytes: bytes.len() as u64, sha256: sha256_hex(bytes) }));
    let list = Checksums { schema, entries: listed.collect() };
    let list = serde_json::to_vec_pretty(&list).map_err(|error| StoreError::io("packing", path, error.into()))?;
    let all = std::iter::once((CHECKSUMS, &list)).chain(entries.iter().map(|(name, bytes)| (name.as_str(), bytes)));
    write_archive(path, all.map(|(name, bytes)| Ok((name.to_owned(), bytes.as_slice().into()))))
}

/// Reads a package and checks every entry.
///
/// # Errors
/// [`StoreError::Mismatch`] for another schema; [`StoreError::Damaged`] for a file that is no package or is cut off, a
/// wrong checksum, an entry that is missing or one too many; [`StoreError::Io`].
pub fn read_package(path: &Path, schema: u32) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let bytes = std::fs::read(path).map_err(|source| StoreError::io("reading", path, source))?;
    let damaged = |expected: &str, found: String| StoreError::damaged(path, expected, found);
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged("a whole package (zip)", error.to_string()))?;
    if archive.has_duplicate_names() {
        return Err(damaged("entries of different names", "two of one name".into()));
    }
    let text = member(&mut archive, CHECKSUMS, LONGEST_LIST)
        .map_err(|error| damaged("a package with a list of checksums", error))?;
    let list: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| damaged("a list of checksums", error.to_string()))?;
    // Another schema may list other things, so its number is looked at before the rest is understood.
    let found = list.get("schema").and_then(serde_json::Value::as_u64);
    if found.is_some_and(|found| found != u64::from(schema)) {
        return Err(StoreError::Mismatch {
            path: path_tail(path),
            what: "schema".into(),
            expected: schema.to_string(),
            found: found.map_or_else(String::new, |found| found.to_string()),
            hint: "read it with the version of kd that wrote it, or make the package again".into(),
        });
    }
    let list: Checksums =
        serde_json::from_value(list).map_err(|error| damaged("a list of checksums", error.to_string()))?;
    if archive.len() != list.entries.len() + 1 {
        return Err(damaged(&format!("{} entries", list.entries.len()), (archive.len() - 1).to_string()));
    }
    let mut entries = BTreeMap::new();
    for (name, entry) in list.entries {
        let bytes = member(&mut archive, &name, entry.bytes.min(LARGEST_ENTRY))
            .map_err(|error| damaged(&format!("entry `{name}`"), error))?;
        let found = sha256_hex(&bytes);
        if found != entry.sha256 || bytes.len() as u64 != entry.bytes {
            return Err(damaged(&format!("entry `{name}` with sha256 {}", entry.sha256), found));
        }
        entries.insert(name, bytes);
    }
    Ok(entries)
}

fn member(archive: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str, largest: u64) -> Result<Vec<u8>, String> {
    let member = archive.by_name(name).map_err(|error| error.to_string())?;
    if member.size() > largest {
        return Err(format!("{} bytes, more than {largest}", member.size()));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a member that is longer than it says does not pass as cut.
    member.take(largest + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
