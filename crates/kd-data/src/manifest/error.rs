//! Why a manifest was refused, with the place in the file.

use crate::error::FileError;

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// No TOML, an unknown key, or a value of the wrong type.
    #[error("{file}:{line}: {message}\nhint: keys and values are listed in CONTRIBUTING.md, under adding a data set")]
    Syntax {
        /// The manifest.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A key that is missing, or whose value cannot be.
    #[error("{file}{}: {problem}", line.map(|n| format!(":{n}")).unwrap_or_default())]
    Key {
        /// The manifest.
        file: String,
        /// Counted from 1; none when the key is missing along with its table.
        line: Option<usize>,
        /// The key with what was expected and found.
        problem: Box<KeyProblem>,
    },
}

/// A key with what was expected and found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is {found}, expected {expected}\nhint: {hint}")]
pub struct KeyProblem {
    /// Dotted path of the key.
    pub key: String,
    /// `missing`, or the value.
    pub found: String,
    /// What would have been right.
    pub expected: String,
    /// What to write.
    pub hint: String,
}

impl KeyProblem {
    pub(super) fn new(key: &str, found: impl Into<String>, expected: impl Into<String>, hint: &str) -> Self {
        Self { key: key.into(), found: found.into(), expected: expected.into(), hint: hint.into() }
    }

    pub(super) fn missing(key: &str, expected: &str, hint: &str) -> Self {
        Self::new(key, "missing", expected, hint)
    }

    /// Adds file and line.
    pub(super) fn at(self, file: &str, text: &str) -> ManifestError {
        ManifestError::Key { file: file.into(), line: line_of_key(text, &self.key), problem: Box::new(self) }
    }
}

impl ManifestError {
    pub(super) fn syntax(file: &str, text: &str, refused: &toml::de::Error) -> Self {
        let line = refused.span().map_or(1, |span| line_at(text, span.start));
        Self::Syntax { file: file.into(), line, message: refused.message().trim().replace('\n', ", ") }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// The line of a dotted key, or of the innermost table around it that is there.
fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut line = None;
    for part in key.split('.') {
        let name = part.split('[').next().unwrap_or(part);
        let Some((found, value)) = table.get_key_value(name) else { return line };
        line = Some(line_at(text, found.span().start));
        match value.get_ref() {
            toml::de::DeValue::Table(inside) => table = inside,
            toml::de::DeValue::Array(rows) => {
                let index: usize = part.split(['[', ']']).nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
                let Some(row) = rows.get(index) else { return line };
                line = Some(line_at(text, row.span().start));
                let toml::de::DeValue::Table(inside) = row.get_ref() else { return line };
                table = inside;
            }
            _ => return line,
        }
    }
    line
}
