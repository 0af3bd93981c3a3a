//! Small files of one's own, whole: recipes, notes of finished runs, weights.
//!
//! The programs above this library open no file themselves, so that every error about a file is made here, with the last
//! parts of its path and nothing that names a home.

use std::path::Path;

use crate::store::StoreError;

/// Reads a file of text.
///
/// # Errors
/// [`StoreError::Io`] when it is missing, unreadable, or no UTF-8.
pub fn read_text(path: &Path) -> Result<String, StoreError> {
    std::fs::read_to_string(path).map_err(|source| StoreError::io("reading", path, source))
}

/// Reads a file.
///
/// # Errors
/// [`StoreError::Io`] when it is missing or unreadable.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, StoreError> {
    std::fs::read(path).map_err(|source| StoreError::io("reading", path, source))
}

/// Removes a folder of work that is finished; one that is not there is as good.
///
/// # Errors
/// [`StoreError::Io`].
pub fn remove_folder(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io("removing", path, error)),
        _ => Ok(()),
    }
}

/// Names in a folder, sorted; none where it is not there.
///
/// # Errors
/// [`StoreError::Io`] when it is there and cannot be read.
pub fn folder_names(path: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| StoreError::io("listing", path, source))?,
    };
    let mut names = entries
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(|source| StoreError::io("listing", path, source))?;
    names.sort();
    Ok(names)
}
