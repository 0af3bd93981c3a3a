//! The list of checksums that closes a store's folder: one line `sha256  name` for each file in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::StoreError;
use crate::digest::RunningChecksum;

const LIST: &str = "checksum";

fn of_file(path: &Path) -> Result<String, StoreError> {
    let failed = |source| StoreError::io("reading", path, source);
    let mut file = File::open(path).map_err(failed)?;
    let mut running = RunningChecksum::Sha256(Sha256::new());
    running.read_all(&mut file).map_err(failed)?;
    Ok(running.finish().hex())
}

/// Writes the list; `names` are files of the folder.
pub(crate) fn write_checksums(folder: &Path, names: &[&str]) -> Result<(), StoreError> {
    let mut text = String::new();
    for name in names {
        text.push_str(&format!("{}  {name}\n", of_file(&folder.join(name))?));
    }
    let path = folder.join(LIST);
    std::fs::write(&path, text).map_err(|source| StoreError::io("writing", &path, source))
}

/// Reads the list, which has to name exactly `names`, and checks those of `now` against it.
pub(crate) fn check(folder: &Path, names: &[&str], now: &[&str]) -> Result<(), StoreError> {
    let path = folder.join(LIST);
    let text = std::fs::read_to_string(&path).map_err(|source| StoreError::io("reading", &path, source))?;
    let mut listed = BTreeMap::new();
    for line in text.lines() {
        let Some((sum, name)) = line.split_once("  ") else {
            return Err(StoreError::damaged(&path, "lines of checksum and name", "another line"));
        };
        listed.insert(name, sum);
    }
    let complete = listed.len() == names.len() && text.lines().count() == names.len() && text.ends_with('\n');
    if !complete || !names.iter().all(|name| listed.contains_key(name)) {
        let found = listed.keys().copied().collect::<Vec<_>>().join(", ");
        return Err(StoreError::damaged(&path, format!("checksums of {}", names.join(", ")), found));
    }
    for name in now {
        let expected = listed.get(name).copied().unwrap_or_default();
        let found = of_file(&folder.join(name))?;
        if found != expected {
            return Err(StoreError::damaged(&folder.join(name), format!("sha256 {expected}"), found));
        }
    }
    Ok(())
}
