//! Is it what the manifest says, and what is in it: for people before they train, and for records after.

use std::collections::{BTreeMap, BTreeSet};

use kd_image::{SampleId, Split, SubjectId, Target};
use rayon::prelude::*;
use serde::Serialize;

use crate::decode::{DecodeError, MaskRecord, MaskedDataset, RawDataset, RawRecord, ReadMasked, VolumeDataset};
use crate::digest::checksum_file;
use crate::leak::{self, LeakPolicy, LeakReport, LeakRow, PixelHash};
use crate::manifest::{ImageSize, Layout, Manifest, SplitPolicy, Task};
use crate::root::Root;

/// Problems of one kind that are listed by name; the rest is counted.
const LISTED: usize = 20;

/// One file against its checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileCheck {
    /// The file's name in the manifest.
    pub file: String,
    /// What was found.
    pub status: FileStatus,
}

/// What was found of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileStatus {
    /// There, and its checksum fits.
    Ok,
    /// Not there.
    Missing,
    /// There, but it cannot be read.
    Unreadable,
    /// There, but another size than the manifest says.
    WrongSize,
    /// There, but other bytes than the manifest says.
    WrongChecksum,
}

/// The result of `kd data verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Version of this structure.
    pub schema: u32,
    /// The data set.
    pub dataset: String,
    /// Whether every file, label, count and image is as the manifest says. Leaks and repeats are reported beside it:
    /// they are properties of the set, and the leak policy of a recipe decides about them.
    pub ok: bool,
    /// Every file; of sets with more than one, only those that are not in order.
    pub files: Vec<FileCheck>,
    /// Files in order.
    pub files_ok: usize,
    /// Images found.
    pub samples: usize,
    /// Images that were decoded.
    pub readable: usize,
    /// What is wrong, the first of each kind by name.
    pub problems: Vec<String>,
    /// Subjects and images that splits share, and repeats inside of a split; for sets with official splits only.
    pub repeats: Option<LeakReport>,
    /// Samples whose pixels another sample has too, whatever their splits.
    pub repeated_images: usize,
}

/// Reads everything: checksums, labels, counts, and every image.
///
/// It gives a report and no error: finding faults is its purpose.
#[must_use]
pub fn verify(root: &Root, manifest: &Manifest) -> VerifyReport {
    let files = check_files(root, manifest);
    let files_ok = files.iter().filter(|check| check.status == FileStatus::Ok).count();
    let all_ok = files_ok == files.len();
    let mut report = VerifyReport {
        schema: 1,
        dataset: manifest.name.to_string(),
        ok: false,
        files_ok,
        files: if files.len() == 1 {
            files
        } else {
            files.into_iter().filter(|f| f.status != FileStatus::Ok).collect()
        },
        samples: 0,
        readable: 0,
        problems: Vec::new(),
        repeats: None,
        repeated_images: 0,
    };
    if !all_ok {
        let named = report.files.iter().filter(|check| check.status != FileStatus::Ok).take(LISTED);
        report.problems = named.map(|check| format!("file `{}`: {:?}", check.file, check.status)).collect();
        return report;
    }
    let read = match manifest.source.layout {
        Layout::ImageMasks => MaskedDataset::<2>::open(root, manifest).map(|set| of_masked(&set)),
        _ if manifest.task == Task::Segmentation => MaskedDataset::<3>::open(root, manifest).map(|set| of_masked(&set)),
        _ if manifest.task == Task::Enhancement => VolumeDataset::open(root, manifest).map(|set| {
            let hash = |n| Ok(PixelHash::of(&set.read_pair(n)?.0));
            let hashes = (0..set.records().len()).into_par_iter().map(hash).collect();
            (set.records().iter().map(row_of).collect(), hashes)
        }),
        _ => RawDataset::open(root, manifest).map(|set| {
            let row = |record: &RawRecord| (record.sample.clone(), record.subject.clone(), record.split);
            let hash = |n| Ok(PixelHash::of(&set.read(n)?));
            let hashes = (0..set.records().len()).into_par_iter().map(hash).collect();
            (set.records().iter().map(row).collect(), hashes)
        }),
    };
    let (rows, hashes): Read = match read {
        Ok(read) => read,
        Err(refused) => {
            report.problems.push(refused.to_string());
            return report;
        }
    };
    report.samples = rows.len();
    let bad: Vec<String> = hashes.iter().filter_map(|hash| Some(hash.as_ref().err()?.to_string())).collect();
    report.readable = report.samples - bad.len();
    report.ok = bad.is_empty();
    let rest = bad.len().saturating_sub(LISTED);
    report.problems.extend(bad.into_iter().take(LISTED));
    if rest > 0 {
        report.problems.push(format!("{rest} more images like these"));
    }
    let good: Vec<PixelHash> = hashes.iter().flatten().copied().collect();
    report.repeated_images = good.len() - good.iter().collect::<BTreeSet<_>>().len();
    if report.ok && manifest.split == SplitPolicy::Official {
        report.repeats = official_repeats(&rows, &good);
    }
    report
}

/// Sample, subject and the publisher's split of every record, and what became of reading it.
type Read = (Vec<(SampleId, SubjectId, Option<Split>)>, Vec<Result<PixelHash, DecodeError>>);

/// Reads images with their masks: each is checked against the other and against the manifest.
fn of_masked<const D: usize>(set: &MaskedDataset<D>) -> Read
where
    MaskedDataset<D>: ReadMasked<D>,
{
    let hash = |n| Ok(PixelHash::of(&set.read(n)?.image));
    let hashes = (0..set.records().len()).into_par_iter().map(hash).collect();
    (set.records().iter().map(row_of).collect(), hashes)
}

fn row_of(record: &MaskRecord) -> (SampleId, SubjectId, Option<Split>) {
    (record.sample.clone(), record.subject.clone(), record.split)
}

fn official_repeats(rows: &[(SampleId, SubjectId, Option<Split>)], hashes: &[PixelHash]) -> Option<LeakReport> {
    let rows: Option<Vec<LeakRow<'_>>> = rows
        .iter()
        .zip(hashes)
        .map(|((sample, subject, split), pixels)| Some(LeakRow { sample, subject, split: (*split)?, pixels: *pixels }))
        .collect();
    let (mut report, _) = leak::check(&rows?, LeakPolicy::DropFromTrain).ok()?;
    // Nothing is left out here; a recipe decides that.
    report.dropped = leak::PerSplit::default();
    Some(report)
}

fn check_files(root: &Root, manifest: &Manifest) -> Vec<FileCheck> {
    let folder = root.raw_set(manifest.name.as_str());
    let check = |file: &crate::manifest::SourceFile| {
        let path = folder.join(&file.name);
        let status = if !path.is_file() {
            FileStatus::Missing
        } else {
            match checksum_file(&path, &folder, file.checksum.running()) {
                Err(_) => FileStatus::Unreadable,
                Ok((_, bytes)) if file.bytes.is_some_and(|expected| expected != bytes) => FileStatus::WrongSize,
                Ok((found, _)) if found != file.checksum => FileStatus::WrongChecksum,
                Ok(_) => FileStatus::Ok,
            }
        };
        FileCheck { file: file.name.clone(), status }
    };
    manifest.source.files.iter().map(check).collect()
}

/// The result of `kd data describe`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// Version of this structure.
    pub schema: u32,
    /// The data set.
    pub dataset: String,
    /// The name that people read.
    pub title: String,
    /// The task's name.
    pub task: &'static str,
    /// SPDX identifier.
    pub license: String,
    /// Class names by index.
    pub classes: Vec<String>,
    /// Channels of every image.
    pub channels: usize,
    /// Smallest and largest `[rows, columns]`, each axis by itself.
    pub size: [[usize; 2]; 2],
    /// What a stored number means.
    pub intensity: &'static str,
    /// Smallest and largest stored value.
    pub range: [f64; 2],
    /// Mean of all stored values.
    pub mean: f64,
    /// Images.
    pub samples: usize,
    /// Subjects.
    pub subjects: usize,
    /// By split, `all` where the files hold none.
    pub splits: BTreeMap<String, SplitFacts>,
    /// Traps, from the manifest.
    pub notes: Vec<String>,
}

/// What one split holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SplitFacts {
    /// Images.
    pub samples: usize,
    /// Subjects.
    pub subjects: usize,
    /// Images by class index; for multi-label tasks, images that have the label.
    pub per_class: Vec<usize>,
    /// Images without a label.
    pub unlabelled: usize,
}

/// Reads a data set and counts.
///
/// # Errors
/// [`DecodeError`] for the first sample that cannot be read.
pub fn describe(set: &RawDataset) -> Result<Description, DecodeError> {
    let manifest = set.manifest();
    let mut splits: BTreeMap<String, SplitFacts> = BTreeMap::new();
    let mut subjects: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for record in set.records() {
        let name = record.split.map_or("all", Split::name);
        let facts = splits.entry(name.into()).or_default();
        facts.per_class.resize(manifest.classes.len(), 0);
        facts.samples += 1;
        subjects.entry(name.into()).or_default().insert(record.subject.as_str());
        match &record.target {
            Target::Class(class) => facts.per_class[usize::from(*class)] += 1,
            Target::Labels(labels) => {
                facts.per_class.iter_mut().zip(labels).for_each(|(n, present)| *n += usize::from(*present));
            }
            Target::Unlabelled => facts.unlabelled += 1,
        }
    }
    for (name, facts) in &mut splits {
        facts.subjects = subjects[name].len();
    }
    let mut size = match manifest.image.size {
        ImageSize::Fixed { height, width } => [[height, width]; 2],
        ImageSize::Varies => [[usize::MAX; 2], [0; 2]],
    };
    let (mut low, mut high, mut sum, mut n) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0usize);
    for index in 0..set.records().len() {
        let image = set.read(index)?;
        for (axis, side) in image.geometry().shape().into_iter().enumerate() {
            size[0][axis] = size[0][axis].min(side);
            size[1][axis] = size[1][axis].max(side);
        }
        for value in image.values().iter().map(|&value| f64::from(value)) {
            low = low.min(value);
            high = high.max(value);
            sum += value;
        }
        n += image.values().len();
    }
    let all: BTreeSet<&str> = set.records().iter().map(|record| record.subject.as_str()).collect();
    Ok(Description {
        schema: 1,
        dataset: manifest.name.to_string(),
        title: manifest.title.clone(),
        task: manifest.task.name(),
        license: manifest.license.spdx.clone(),
        classes: manifest.classes.clone(),
        channels: manifest.image.channels,
        size,
        intensity: manifest.image.intensity.name(),
        range: [low, high],
        mean: sum / n as f64,
        samples: set.records().len(),
        subjects: all.len(),
        splits,
        notes: manifest.notes.clone(),
    })
}
