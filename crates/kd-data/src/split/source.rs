//! A data set under a split, without what the leak check left out: what preparation reads.

use kd_image::{Image, SampleId, Split, SubjectId, Target};

use super::SplitTable;
use crate::decode::{DecodeError, RawDataset};
use crate::digest::sha256_hex;
use crate::prepare::RawSource;

/// A data set under a split, without the samples that were left out.
#[derive(Debug)]
pub struct SplitSource<'a> {
    set: &'a RawDataset,
    table: &'a SplitTable,
    kept: Vec<usize>,
}

impl<'a> SplitSource<'a> {
    /// Joins the three; `keep` tells of each row whether it stays, as [`leak::check`](crate::leak::check) gives it. None
    /// when the table's rows are not the set's samples in their order, or `keep` has another length.
    #[must_use]
    pub fn new(set: &'a RawDataset, table: &'a SplitTable, keep: &[bool]) -> Option<Self> {
        let same = set.records().len() == keep.len()
            && set.records().iter().map(|record| &record.sample).eq(table.rows().iter().map(|row| &row.sample));
        let kept = keep.iter().enumerate().filter(|(_, keep)| **keep).map(|(n, _)| n);
        same.then(|| Self { set, table, kept: kept.collect() })
    }

    /// A hash of the split and of what was left out.
    #[must_use]
    pub fn split_hash(&self) -> String {
        let mut text = format!("{}\n", self.table.hash());
        for n in &self.kept {
            text.push_str(self.set.records()[*n].sample.as_str());
            text.push('\n');
        }
        sha256_hex(text.as_bytes())
    }
}

impl RawSource for SplitSource<'_> {
    type Error = DecodeError;

    fn len(&self) -> usize {
        self.kept.len()
    }

    fn id(&self, index: usize) -> &SampleId {
        &self.set.records()[self.kept[index]].sample
    }

    fn subject(&self, index: usize) -> &SubjectId {
        &self.set.records()[self.kept[index]].subject
    }

    fn split(&self, index: usize) -> Split {
        self.table.rows()[self.kept[index]].split
    }

    fn target(&self, index: usize) -> &Target {
        &self.set.records()[self.kept[index]].target
    }

    fn read(&self, index: usize) -> Result<Image<2>, DecodeError> {
        self.set.read(self.kept[index])
    }
}
