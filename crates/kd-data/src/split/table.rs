//! A split as a file: CSV with the facts that made it in front, so that a record can name it by hash.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use kd_image::{SampleId, Split, SubjectId};

use super::SplitError;
use crate::error::FileError;

const TITLE: &str = "# kd split, version 1";
const COLUMNS: &str = "sample,subject,split";

/// One sample and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitRow {
    /// The sample.
    pub sample: SampleId,
    /// Who it shows.
    pub subject: SubjectId,
    /// Where it belongs.
    pub split: Split,
}

/// A split with the facts that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitTable {
    facts: Vec<(String, String)>,
    rows: Vec<SplitRow>,
}

impl SplitTable {
    pub(super) fn new(facts: Vec<(String, String)>, rows: Vec<SplitRow>) -> Self {
        Self { facts, rows }
    }

    /// What it was made from: data set, content hash, policy, seed and shares.
    #[must_use]
    pub fn facts(&self) -> &[(String, String)] {
        &self.facts
    }

    /// One row a sample.
    #[must_use]
    pub fn rows(&self) -> &[SplitRow] {
        &self.rows
    }

    /// The file's text: a title, one `# fact = value` a line, a header, one line a sample.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = format!("{TITLE}\n");
        for (fact, value) in &self.facts {
            let _ = writeln!(text, "# {fact} = {value}");
        }
        text.push_str(COLUMNS);
        text.push('\n');
        for row in &self.rows {
            let _ = writeln!(text, "{},{},{}", row.sample, row.subject, row.split);
        }
        text
    }

    /// SHA-256 of the file's text: changes with any sample, subject or fact.
    #[must_use]
    pub fn hash(&self) -> String {
        crate::digest::sha256_hex(self.to_csv().as_bytes())
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`SplitError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), SplitError> {
        Ok(crate::store::write_atomic(path, self.to_csv().as_bytes())?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`SplitError::Read`], and [`SplitError::Line`] as [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self, SplitError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| FileError::new("read", path, path.parent().unwrap_or(path), source))?;
        Self::parse(&text, &crate::error::relative_name(path, path))
    }

    /// Reads the text of a file; `file` is the name that errors show.
    ///
    /// # Errors
    /// [`SplitError::Line`] for a wrong title, fact, header or row, for a sample named twice, and for no rows.
    pub fn parse(text: &str, file: &str) -> Result<Self, SplitError> {
        let refused = |n: usize, problem: String| SplitError::Line { file: file.into(), line: n + 1, problem };
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some(TITLE) {
            return Err(refused(0, format!("expected `{TITLE}`")));
        }
        let mut facts = Vec::new();
        let mut rows = Vec::new();
        let mut seen = BTreeSet::new();
        let mut in_rows = false;
        for (n, line) in lines {
            if in_rows {
                let cells: Vec<&str> = line.split(',').collect();
                let [sample, subject, split] = cells[..] else {
                    return Err(refused(n, format!("{} cells, expected 3", cells.len())));
                };
                let row = SplitRow {
                    sample: SampleId::new(sample).map_err(|e| refused(n, e.to_string()))?,
                    subject: SubjectId::new(subject).map_err(|e| refused(n, e.to_string()))?,
                    split: split.parse().map_err(|e: kd_image::IdError| refused(n, e.to_string()))?,
                };
                if !seen.insert(row.sample.clone()) {
                    return Err(refused(n, format!("sample `{sample}` a second time, expected each once")));
                }
                rows.push(row);
            } else if line == COLUMNS {
                in_rows = true;
            } else {
                let fact = line.strip_prefix("# ").and_then(|line| line.split_once(" = "));
                let (fact, value) =
                    fact.ok_or_else(|| refused(n, format!("expected `# fact = value` or `{COLUMNS}`")))?;
                facts.push((fact.into(), value.into()));
            }
        }
        if rows.is_empty() {
            return Err(refused(text.lines().count().saturating_sub(1), "no sample, expected at least one".into()));
        }
        Ok(Self { facts, rows })
    }
}
