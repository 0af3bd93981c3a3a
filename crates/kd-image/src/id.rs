//! Names of data sets, subjects and samples, and the split that a sample belongs to.

use std::fmt;
use std::str::FromStr;

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing was given.
    #[error("{kind} id is empty, expected at least one character")]
    Empty {
        /// Which identifier.
        kind: &'static str,
    },
    /// A character that would break a path, a CSV line or a log line.
    #[error("{kind} id `{text}` holds {found:?}, expected letters, digits, `.`, `_`, `-`, `/`, `#` or `:`")]
    Character {
        /// Which identifier.
        kind: &'static str,
        /// The refused text.
        text: String,
        /// The first character that is not allowed.
        found: char,
    },
    /// Longer than a file name may be.
    #[error("{kind} id has {length} characters, expected at most 200")]
    Length {
        /// Which identifier.
        kind: &'static str,
        /// Characters found.
        length: usize,
    },
    /// No split of that name.
    #[error("split is `{found}`, expected train, val or test")]
    Split {
        /// The refused text.
        found: String,
    },
}

fn checked(kind: &'static str, text: String) -> Result<String, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    let length = text.chars().count();
    if length > 200 {
        return Err(IdError::Length { kind, length });
    }
    let allowed = |c: char| c.is_alphanumeric() || "._-/#:".contains(c);
    match text.chars().find(|&c| !allowed(c)) {
        Some(found) => Err(IdError::Character { kind, text, found }),
        None => Ok(text),
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks and keeps a text.
            ///
            /// # Errors
            /// [`IdError`] for an empty text, one of over 200 characters, or one with a character outside of letters,
            /// digits and `._-/#:`.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                checked($kind, text.into()).map(Self)
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

identifier!(
    /// A data set's name: the publisher's own, in lower case.
    DatasetId,
    "dataset"
);
identifier!(
    /// The unit of independence: a patient, or the source image that crops were cut from.
    SubjectId,
    "subject"
);
identifier!(
    /// One image of a data set; unique within it.
    SampleId,
    "sample"
);

/// Which part of a data set a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// Networks learn from it.
    Train,
    /// Epochs, thresholds and temperatures are chosen on it.
    Val,
    /// Opened once per recipe, for the reported numbers.
    Test,
}

impl Split {
    /// All splits, in the order of a report.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// The name used in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::ALL.into_iter().find(|split| split.name() == text).ok_or_else(|| IdError::Split { found: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_name_is_refused() {
        assert_eq!(SampleId::new(""), Err(IdError::Empty { kind: "sample" }));
    }

    #[test]
    fn a_line_break_or_comma_in_a_name_is_refused() {
        assert!(SubjectId::new("a\nb").is_err());
        assert!(SubjectId::new("a,b").is_err());
        assert!(SubjectId::new("patient-07/scan_1.png#3").is_ok());
    }

    #[test]
    fn split_names_read_back() {
        for split in Split::ALL {
            assert_eq!(split.name().parse(), Ok(split));
        }
        assert!("validation".parse::<Split>().is_err());
    }
}
