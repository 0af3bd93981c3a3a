//! What stands in which split after the leak check, whatever files it is read from.

use kd_image::{SampleId, Split, SubjectId};

use crate::digest::sha256_hex;
use crate::leak::{self, LeakError, LeakPolicy, LeakReport, PixelHash};
use crate::split::SplitTable;

#[derive(Debug)]
struct Row {
    /// Its place in the split table, and in the files.
    position: usize,
    sample: SampleId,
    subject: SubjectId,
    split: Split,
}

/// A split set, without what the leak check left out. `F` is what it is read from.
#[derive(Debug)]
pub struct SplitSet<F> {
    pub(super) files: F,
    rows: Vec<Row>,
    split_hash: String,
    leaks: LeakReport,
}

impl<F> SplitSet<F> {
    /// Keeps what may stay; `hashes` are in the order of the table.
    pub(super) fn checked(
        files: F,
        table: &SplitTable,
        hashes: &[PixelHash],
        policy: LeakPolicy,
    ) -> Result<Self, LeakError> {
        let (leaks, keep) = leak::check(&leak::rows(table, hashes), policy)?;
        let mut text = format!("{}\n", table.hash());
        let mut rows = Vec::new();
        for (position, row) in table.rows().iter().enumerate().filter(|(position, _)| keep[*position]) {
            text.push_str(row.sample.as_str());
            text.push('\n');
            let (sample, subject) = (row.sample.clone(), row.subject.clone());
            rows.push(Row { position, sample, subject, split: row.split });
        }
        Ok(Self { files, rows, split_hash: sha256_hex(text.as_bytes()), leaks })
    }

    /// Where the files hold it.
    pub(super) fn position(&self, index: usize) -> usize {
        self.rows[index].position
    }

    /// How many there are: cases, volumes or blocks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Its name; `index` is below [`len`](Self::len).
    #[must_use]
    pub fn sample(&self, index: usize) -> &SampleId {
        &self.rows[index].sample
    }

    /// What counts as independent: who it shows, or the block.
    #[must_use]
    pub fn subject(&self, index: usize) -> &SubjectId {
        &self.rows[index].subject
    }

    /// Where it belongs.
    #[must_use]
    pub fn split(&self, index: usize) -> Split {
        self.rows[index].split
    }

    /// Those of a split, ascending.
    #[must_use]
    pub fn positions(&self, split: Split) -> Vec<usize> {
        (0..self.len()).filter(|&index| self.split(index) == split).collect()
    }

    /// A hash of the split and of what was left out.
    #[must_use]
    pub fn split_hash(&self) -> &str {
        &self.split_hash
    }

    /// What the leak check found.
    #[must_use]
    pub fn leaks(&self) -> &LeakReport {
        &self.leaks
    }
}
