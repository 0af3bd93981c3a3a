//! What can go wrong in a store: one error for all of them, because every store fails for the same reasons.

use std::io;
use std::path::Path;

/// Why a store could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk has no room left.
    #[error(
        "no space left on the device while {action} `{path}`\nhint: free some space or choose another place with --root, then run the same command again; nothing half-written was kept"
    )]
    Full {
        /// What was being done.
        action: &'static str,
        /// The end of the path.
        path: String,
    },
    /// Any other failure of the file system.
    #[error("{action} `{path}` failed: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The end of the path.
        path: String,
        /// What the file system said.
        source: io::Error,
    },
    /// A finished file or folder stands there already.
    #[error(
        "`{path}` exists, expected a name that is free\nhint: a finished folder is never edited; remove it by hand to make it anew"
    )]
    Exists {
        /// The end of the path.
        path: String,
    },
    /// The bytes are not those that were written.
    #[error(
        "`{path}` is damaged: expected {expected}, found {found}\nhint: remove the folder or file that holds it and run the stage that makes it again"
    )]
    Damaged {
        /// The end of the path.
        path: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The store is whole, but belongs to something else.
    #[error("`{path}` belongs to another {what}: expected {expected}, found {found}\nhint: {hint}")]
    Mismatch {
        /// The end of the path.
        path: String,
        /// Which part of its identity differs.
        what: String,
        /// The identity asked for.
        expected: String,
        /// The identity found.
        found: String,
        /// What to do.
        hint: String,
    },
    /// What the caller gave does not fit the store.
    #[error("{what}: expected {expected}, found {found}")]
    Request {
        /// What was asked for.
        what: String,
        /// What would have fitted.
        expected: String,
        /// What was given.
        found: String,
    },
}

impl StoreError {
    /// Names a failure of the file system; a full disk gets a variant of its own.
    #[must_use]
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path_tail(path);
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { action, path },
            _ => Self::Io { action, path, source },
        }
    }

    #[cfg(feature = "formats")]
    pub(crate) fn damaged(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Damaged { path: path_tail(path), expected: expected.into(), found: found.into() }
    }
}

/// The last two parts of a path: enough to find the file, too little to carry a home folder into a log.
#[must_use]
pub fn path_tail(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts[parts.len().saturating_sub(2)..].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_with_a_hint() {
        let error = StoreError::io("writing", Path::new("a/b/c.bin"), io::Error::from_raw_os_error(28));
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        assert!(error.to_string().contains("`b/c.bin`\nhint: free some space"), "{error}");
    }
}
