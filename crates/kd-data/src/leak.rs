//! Does a test image stand in the training set? By subject, and by the pixels themselves.
//!
//! Ids alone are not enough: public sets hold the same image under two names. Pixels alone are not enough either: two
//! images of one patient differ. Both are compared between every two splits; repeats inside one split distort weights
//! but no score, so they are only counted.

use std::collections::{BTreeMap, BTreeSet};

use kd_image::{Image, Intensity, SampleId, Split, SubjectId};
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::decode::{DecodeError, MaskedDataset, RawDataset, ReadMasked, VolumeDataset};
use crate::split::SplitTable;

/// What to do about a leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeakPolicy {
    /// Refuse the split.
    Stop,
    /// Leave out what repeats: training samples that repeat in val or test, validation samples that repeat in test.
    DropFromTrain,
}

impl LeakPolicy {
    /// The name used in recipes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::DropFromTrain => "drop-from-train",
        }
    }

    /// The policy of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Stop, Self::DropFromTrain].into_iter().find(|policy| policy.name() == name)
    }
}

/// SHA-256 over channels, shape and stored values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PixelHash([u8; 32]);

impl PixelHash {
    /// The hash of an image. The shape goes in first, so that 2 x 3 and 3 x 2 differ.
    ///
    /// Stored values go in as 8 or 16 bits, least significant byte first; other intensities as `f32`.
    #[must_use]
    pub fn of<const D: usize>(image: &Image<D>) -> Self {
        let mut hasher = Sha256::new();
        hasher.update((image.channels() as u64).to_le_bytes());
        for side in image.geometry().shape() {
            hasher.update((side as u64).to_le_bytes());
        }
        let values = image.values().iter();
        let bytes: Vec<u8> = match image.intensity() {
            Intensity::Stored { bits: ..=8 } => values.map(|&v| v as u8).collect(),
            Intensity::Stored { bits: 9..=16 } => values.flat_map(|&v| (v as u16).to_le_bytes()).collect(),
            _ => values.flat_map(|v| v.to_le_bytes()).collect(),
        };
        hasher.update(&bytes);
        Self(hasher.finalize().into())
    }

    /// The digits.
    #[must_use]
    pub fn hex(&self) -> String {
        crate::digest::hex(&self.0)
    }
}

/// The pixel hash of every sample, in the order of the records.
///
/// # Errors
/// [`DecodeError`] for the first sample, in that order, that cannot be read.
pub fn pixel_hashes(set: &RawDataset) -> Result<Vec<PixelHash>, DecodeError> {
    let hashes: Vec<_> = (0..set.records().len()).into_par_iter().map(|n| Ok(PixelHash::of(&set.read(n)?))).collect();
    hashes.into_iter().collect()
}

/// The pixel hash of every image of a set with masks, in the order of the records; the masks are not in it.
///
/// # Errors
/// As [`pixel_hashes`].
pub fn masked_pixel_hashes<const D: usize>(set: &MaskedDataset<D>) -> Result<Vec<PixelHash>, DecodeError>
where
    MaskedDataset<D>: ReadMasked<D>,
{
    let hash = |n| Ok(PixelHash::of(&set.read(n)?.image));
    let hashes: Vec<_> = (0..set.records().len()).into_par_iter().map(hash).collect();
    hashes.into_iter().collect()
}

/// The pixel hash of every volume, in the order of the records.
///
/// # Errors
/// As [`pixel_hashes`].
pub fn volume_pixel_hashes(set: &VolumeDataset) -> Result<Vec<PixelHash>, DecodeError> {
    let hashes: Vec<_> = (0..set.records().len()).into_par_iter().map(|n| Ok(PixelHash::of(&set.read(n)?))).collect();
    hashes.into_iter().collect()
}

/// One sample as the leak check sees it.
#[derive(Debug, Clone, Copy)]
pub struct LeakRow<'a> {
    /// The sample.
    pub sample: &'a SampleId,
    /// Who it shows.
    pub subject: &'a SubjectId,
    /// Where it belongs.
    pub split: Split,
    /// Its pixels.
    pub pixels: PixelHash,
}

/// The rows of a split table with the pixel hashes of the same samples; `hashes` is in the order of the rows.
#[must_use]
pub fn rows<'a>(table: &'a SplitTable, hashes: &[PixelHash]) -> Vec<LeakRow<'a>> {
    let zipped = table.rows().iter().zip(hashes);
    zipped
        .map(|(row, pixels)| LeakRow { sample: &row.sample, subject: &row.subject, split: row.split, pixels: *pixels })
        .collect()
}

/// A count for every two splits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// Between train and val.
    pub train_val: usize,
    /// Between train and test.
    pub train_test: usize,
    /// Between val and test.
    pub val_test: usize,
}

impl Pairs {
    /// The sum of the three.
    #[must_use]
    pub const fn sum(&self) -> usize {
        self.train_val + self.train_test + self.val_test
    }

    fn of(&mut self, lower: Split, higher: Split) -> Option<&mut usize> {
        match (lower, higher) {
            (Split::Train, Split::Val) => Some(&mut self.train_val),
            (Split::Train, Split::Test) => Some(&mut self.train_test),
            (Split::Val, Split::Test) => Some(&mut self.val_test),
            _ => None,
        }
    }
}

/// A count for every split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PerSplit {
    /// In train.
    pub train: usize,
    /// In val.
    pub val: usize,
    /// In test.
    pub test: usize,
}

impl PerSplit {
    fn of(&mut self, split: Split) -> &mut usize {
        match split {
            Split::Train => &mut self.train,
            Split::Val => &mut self.val,
            Split::Test => &mut self.test,
        }
    }
}

/// What the check found and what was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeakReport {
    /// Subjects that stand in both splits.
    pub shared_subjects: Pairs,
    /// Distinct images that stand in both splits.
    pub shared_images: Pairs,
    /// Samples whose pixels an earlier sample of the same split has.
    pub repeats_within: PerSplit,
    /// Samples left out.
    pub dropped: PerSplit,
}

impl LeakReport {
    /// Whether two splits share anything.
    #[must_use]
    pub const fn leaks(&self) -> bool {
        self.shared_subjects.sum() + self.shared_images.sum() > 0
    }
}

/// Two splits share something, and the policy is to stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "splits share {} subjects and {} images, expected none: {}\nhint: put each subject into one split, or write `leak_policy = \"drop-from-train\"` in the recipe to leave them out of training",
    report.shared_subjects.sum(), report.shared_images.sum(), pairs.join(", ")
)]
pub struct LeakError {
    /// All that was found.
    pub report: Box<LeakReport>,
    /// Up to five pairs of samples.
    pub pairs: Vec<String>,
}

/// Compares the splits by subject and by pixels; gives the report and, for each row, whether it stays.
///
/// # Policy
/// Test is protected from val and train, val from train. With [`LeakPolicy::DropFromTrain`] a sample goes when its
/// subject or its pixels stand in a split that is protected from its own.
///
/// # Errors
/// [`LeakError`] when there is a leak and the policy is [`LeakPolicy::Stop`].
pub fn check(rows: &[LeakRow<'_>], policy: LeakPolicy) -> Result<(LeakReport, Vec<bool>), LeakError> {
    let mut by_subject: BTreeMap<&SubjectId, BTreeMap<Split, &SampleId>> = BTreeMap::new();
    let mut by_pixels: BTreeMap<PixelHash, BTreeMap<Split, &SampleId>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut report = LeakReport::default();
    for row in rows {
        by_subject.entry(row.subject).or_default().entry(row.split).or_insert(row.sample);
        by_pixels.entry(row.pixels).or_default().entry(row.split).or_insert(row.sample);
        if !seen.insert((row.split, row.pixels)) {
            *report.repeats_within.of(row.split) += 1;
        }
    }
    let mut pairs = Vec::new();
    let mut compare = |found: &BTreeMap<Split, &SampleId>, what: &str, counts: &mut Pairs| {
        for (lower, low) in found {
            for (higher, high) in found {
                if let Some(count) = counts.of(*lower, *higher) {
                    *count += 1;
                    if pairs.len() < 5 {
                        pairs.push(format!("{what} of `{low}` ({lower}) and `{high}` ({higher})"));
                    }
                }
            }
        }
    };
    for found in by_subject.values() {
        compare(found, "subject", &mut report.shared_subjects);
    }
    for found in by_pixels.values() {
        compare(found, "pixels", &mut report.shared_images);
    }
    if report.leaks() && policy == LeakPolicy::Stop {
        return Err(LeakError { report: Box::new(report), pairs });
    }
    let stays = |row: &LeakRow<'_>| {
        let in_higher = |found: &BTreeMap<Split, &SampleId>| found.keys().any(|split| *split > row.split);
        !in_higher(&by_subject[row.subject]) && !in_higher(&by_pixels[&row.pixels])
    };
    let kept: Vec<bool> = rows.iter().map(stays).collect();
    for (row, _) in rows.iter().zip(&kept).filter(|(_, kept)| !**kept) {
        *report.dropped.of(row.split) += 1;
    }
    Ok((report, kept))
}
