//! Who is learned from and who is tested on: splits, folds and label subsets, always by subject.
//!
//! Images of one patient are alike, so an image-wise split measures memory and not skill. Everything here moves whole
//! subjects, keeps the classes' shares as close as whole subjects allow, and gives the same answer for the same seed,
//! whatever the order of the files.

mod draw;
mod folds;
mod source;
mod table;

use kd_image::{SampleId, Split, SubjectId, Target};

pub use draw::{label_subset, subject_folds, subject_split};
pub use folds::Folds;
pub use source::SplitSource;
pub use table::{SplitRow, SplitTable};

use crate::decode::{MaskRecord, MaskedDataset, RawDataset, VolumeDataset};
use crate::manifest::{Manifest, SplitPolicy};
use crate::store::StoreError;

/// Why a split could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// The files hold no split for a sample.
    #[error(
        "sample `{sample}` has no official split, expected train, val or test\nhint: choose the policy `by-subject` with a seed and shares"
    )]
    NoOfficial {
        /// The first such sample.
        sample: String,
    },
    /// Too few subjects.
    #[error("{found} subjects, expected at least {expected} to {purpose}")]
    TooFew {
        /// What for.
        purpose: &'static str,
        /// The fewest that will do.
        expected: usize,
        /// Subjects found.
        found: usize,
    },
    /// A fraction that is none.
    #[error("label fraction is {found}, expected a number above 0, at most 1")]
    Fraction {
        /// What was given.
        found: f64,
    },
    /// A split file that cannot be.
    #[error("split file `{file}`, line {line}: {problem}\nhint: remove it; the same recipe writes it again")]
    Line {
        /// The file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What was expected and found.
        problem: String,
    },
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] crate::error::FileError),
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] StoreError),
}

/// The split of a data set under a policy, one row a sample in the order of its records.
///
/// # Errors
/// [`SplitError::NoOfficial`] when the publisher's split is asked for and there is none, [`SplitError::TooFew`] below
/// three subjects.
pub fn split_of(set: &RawDataset, policy: SplitPolicy) -> Result<SplitTable, SplitError> {
    let rows: Vec<Row> = set.records().iter().map(|r| (&r.sample, &r.subject, r.split, &r.target)).collect();
    table_of(set.manifest(), &rows, policy, Vec::new())
}

/// The split of a data set with masks under a policy, one row a case in the order of its records.
///
/// # Policy
/// As [`split_of`], but nothing is stratified: which classes a mask holds is not known before it is read. What is held out
/// is tested on, and the shares are those of the rest.
///
/// # Errors
/// As [`split_of`].
pub fn split_of_masked<const D: usize>(set: &MaskedDataset<D>, policy: SplitPolicy) -> Result<SplitTable, SplitError> {
    let one_for_all = Target::Labels(Vec::new());
    let learned = set.records().iter().filter(|record| !record.held_out);
    let rows: Vec<Row> = learned.map(|r| (&r.sample, &r.subject, r.split, &one_for_all)).collect();
    let held_out = &set.manifest().held_out;
    if held_out.is_empty() {
        return table_of(set.manifest(), &rows, policy, Vec::new());
    }
    let facts = vec![("held-out".to_owned(), held_out.join(" "))];
    let table = table_of(set.manifest(), &rows, policy, facts)?;
    let mut drawn = table.rows().iter().cloned();
    let row = |record: &MaskRecord| {
        let held = record.held_out.then(|| SplitRow {
            sample: record.sample.clone(),
            subject: record.subject.clone(),
            split: Split::Test,
        });
        held.or_else(|| drawn.next())
    };
    let rows = set.records().iter().filter_map(row).collect();
    Ok(SplitTable::new(table.facts().to_vec(), rows))
}

/// The split of a data set of volumes without masks under a policy, one row a volume in the order of its records.
///
/// # Errors
/// As [`split_of`].
pub fn split_of_volumes(set: &VolumeDataset, policy: SplitPolicy) -> Result<SplitTable, SplitError> {
    let one_for_all = Target::Labels(Vec::new());
    let rows: Vec<Row> = set.records().iter().map(|r| (&r.sample, &r.subject, r.split, &one_for_all)).collect();
    table_of(set.manifest(), &rows, policy, Vec::new())
}

/// Sample, subject and the publisher's split of something that a split moves as a whole.
pub(crate) type SplitUnit<'a> = (&'a SampleId, &'a SubjectId, Option<Split>);

/// The split of any units of a data set; `facts` say what the units are.
pub(crate) fn split_of_units(
    manifest: &Manifest,
    units: &[SplitUnit<'_>],
    policy: SplitPolicy,
    facts: Vec<(String, String)>,
) -> Result<SplitTable, SplitError> {
    let one_for_all = Target::Labels(Vec::new());
    let rows: Vec<Row> = units.iter().map(|&(sample, subject, split)| (sample, subject, split, &one_for_all)).collect();
    table_of(manifest, &rows, policy, facts)
}

/// Sample, subject, the publisher's split, and the answer that is kept in proportion.
type Row<'a> = (&'a SampleId, &'a SubjectId, Option<Split>, &'a Target);

fn table_of(
    manifest: &Manifest,
    rows: &[Row<'_>],
    policy: SplitPolicy,
    more: Vec<(String, String)>,
) -> Result<SplitTable, SplitError> {
    let mut facts =
        vec![("dataset".to_owned(), manifest.name.to_string()), ("content".to_owned(), manifest.content_hash())];
    facts.extend(more);
    let splits: Vec<Split> = match policy {
        SplitPolicy::Official => {
            facts.push(("policy".into(), "official".into()));
            let found = rows.iter().map(|(sample, _, split, _)| {
                split.ok_or_else(|| SplitError::NoOfficial { sample: sample.to_string() })
            });
            found.collect::<Result<_, _>>()?
        }
        SplitPolicy::BySubject { seed, shares } => {
            let [train, val, test] = shares.as_array();
            facts.push(("policy".into(), "by-subject".into()));
            facts.push(("seed".into(), seed.to_string()));
            facts.push(("shares".into(), format!("{train} {val} {test}")));
            let samples: Vec<(&SubjectId, &Target)> =
                rows.iter().map(|(_, subject, _, target)| (*subject, *target)).collect();
            subject_split(&samples, shares, seed)?
        }
    };
    let rows = rows.iter().zip(splits).map(|((sample, subject, _, _), split)| SplitRow {
        sample: (*sample).clone(),
        subject: (*subject).clone(),
        split,
    });
    Ok(SplitTable::new(facts, rows.collect()))
}
