//! Why a file could not be read: one error for all formats, because the answer to each is the same kind of text.

use std::path::Path;

use crate::store::{StoreError, path_tail};

/// A file that could not be read, or not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The file system failed.
    #[error("reading `{path}` failed: {source}")]
    Read {
        /// The end of the path.
        path: String,
        /// What the file system said.
        source: std::io::Error,
    },
    /// A file without a byte.
    #[error("`{path}` is empty: expected {expected}, found 0 bytes\nhint: copy or download the file again")]
    Empty {
        /// The end of the path.
        path: String,
        /// The format that was expected.
        expected: String,
    },
    /// The content is not what the format, or the caller, asks for.
    #[error("`{path}`: expected {expected}, found {found}{}", hint_line(.hint))]
    Content {
        /// The end of the path, with the member or tensor after `#` where there is one.
        path: String,
        /// What should have been there.
        expected: String,
        /// What was there.
        found: String,
        /// What to do, if anything would help.
        hint: Option<String>,
    },
}

fn hint_line(hint: &Option<String>) -> String {
    hint.as_ref().map_or_else(String::new, |hint| format!("\nhint: {hint}"))
}

impl FormatError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path_tail(path), source }
    }
}

/// What is wrong with some bytes, before it is known which file they came from.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    expected: String,
    found: String,
    hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into(), hint: None }
    }

    pub(crate) fn truncated(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(expected, found).hint("the file is cut off or damaged; copy or download it again")
    }

    /// Names the place within the file, unless that is named already.
    pub(crate) fn inside(mut self, place: impl std::fmt::Display) -> Self {
        let place = place.to_string();
        if !self.expected.contains(&place) {
            self.expected = format!("{} in {place}", self.expected);
        }
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The problem of something that was to be written.
    pub(crate) fn refused(self, what: &str) -> StoreError {
        StoreError::Request { what: what.into(), expected: self.expected, found: self.found }
    }

    /// Names the file; `inside` is a member, an array or a tensor of it.
    pub(crate) fn at(self, path: &Path, inside: Option<&str>) -> FormatError {
        let path = match inside {
            Some(inside) => format!("{}#{inside}", path_tail(path)),
            None => path_tail(path),
        };
        FormatError::Content { path, expected: self.expected, found: self.found, hint: self.hint }
    }
}
