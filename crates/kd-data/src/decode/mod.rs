//! From files to named, labelled samples: the only reader of raw folders.
//!
//! Opening a set checks everything that can be checked without decoding pixels: checksums, labels against classes,
//! counts against the manifest, names. Pixels are read when they are asked for, because a set at 64 pixels can be
//! larger than memory while its labels never are.

mod arrays;
mod cases;
mod error;
mod files;
mod masks;
mod subjects;
mod volumes;

use std::path::Path;

use kd_image::{Image, SampleId, Split, SubjectId, Target};

pub(crate) use arrays::{SplitArrays, read_arrays};
pub use error::DecodeError;
pub(crate) use files::{FileLabel, GENERATED_FILE, generated_list, split_of};
pub(crate) use masks::{MASKS, case_of, images_folder};
pub use masks::{MaskRecord, MaskedDataset, MaskedSample, ReadMasked};
pub(crate) use subjects::{Column, Groups, number as number_groups, read_groups};
pub(crate) use volumes::{IMAGES, INPUTS, SERIES, measured};
pub use volumes::{VolumeDataset, VolumeRecord};

use crate::digest::checksum_file;
use crate::error::FileError;
use crate::manifest::{ImageSize, Layout, Manifest, Task};
use crate::root::Root;

/// One sample before its pixels are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// `train/00012` in an npz, the file's name below the folder otherwise.
    pub sample: SampleId,
    /// Who or what it shows: a number by group, or the sample itself where no groups are known.
    pub subject: SubjectId,
    /// The publisher's split, where the files hold one.
    pub split: Option<Split>,
    /// The answer.
    pub target: Target,
}

/// A data set whose files, labels and names were checked.
#[derive(Debug)]
pub struct RawDataset {
    manifest: Manifest,
    records: Vec<RawRecord>,
    pixels: Pixels,
}

#[derive(Debug)]
enum Pixels {
    Arrays(arrays::ImageArrays),
    Files(files::ImageFiles),
}

impl RawDataset {
    /// Opens the raw folder of a data set.
    ///
    /// # Policy
    /// The checksum of every file is compared before anything is read from it. Without groups, every sample is a subject
    /// of its own. Groups are numbered; what they were called (often a patient's number) is not kept.
    ///
    /// # Errors
    /// [`DecodeError::Missing`] and [`DecodeError::Checksum`] for the files, [`DecodeError::Label`],
    /// [`DecodeError::Labels`] and [`DecodeError::Count`] for what is in them, [`DecodeError::Name`] and
    /// [`DecodeError::Groups`] for names, [`DecodeError::Layout`] for a set with masks or volumes, [`DecodeError::Format`] for damaged
    /// files.
    pub fn open(root: &Root, manifest: &Manifest) -> Result<Self, DecodeError> {
        Self::open_folder(&root.raw_set(manifest.name.as_str()), manifest)
    }

    /// As [`open`](Self::open), from any folder.
    pub(crate) fn open_folder(folder: &Path, manifest: &Manifest) -> Result<Self, DecodeError> {
        check_files(folder, manifest)?;
        let (records, pixels) = match manifest.source.layout {
            Layout::MedmnistNpz => {
                let (records, images) = arrays::open(folder, manifest)?;
                (records, Pixels::Arrays(images))
            }
            Layout::ImageFolder => {
                let (records, images) = files::open_folder(folder, manifest)?;
                (records, Pixels::Files(images))
            }
            Layout::Generator if manifest.task != Task::Enhancement => {
                let (records, images) = files::open_generated(folder, manifest)?;
                (records, Pixels::Files(images))
            }
            Layout::ImageMasks | Layout::NiftiMasks => {
                return Err(DecodeError::Layout {
                    set: manifest.name.to_string(),
                    found: manifest.source.layout.name(),
                    expected: "images with one answer each",
                    hint: "it holds masks; use it for segmentation",
                });
            }
            Layout::NiftiVolumes | Layout::DicomSeries | Layout::Generator => {
                return Err(DecodeError::Layout {
                    set: manifest.name.to_string(),
                    found: manifest.source.layout.name(),
                    expected: "images with one answer each",
                    hint: "it holds volumes without answers; use it for enhancement",
                });
            }
        };
        check_counts(manifest, |split| records.iter().filter(|record| record.split == Some(split)).count())?;
        Ok(Self { manifest: manifest.clone(), records, pixels })
    }

    /// The manifest it was opened with.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// All samples: train, val, test of an npz, files by name otherwise.
    #[must_use]
    pub fn records(&self) -> &[RawRecord] {
        &self.records
    }

    /// Reads the pixels of a sample in stored values; `index` is below the number of records.
    ///
    /// # Errors
    /// [`DecodeError::Format`] for a damaged file, [`DecodeError::Image`] when channels, size or bits are not those of
    /// the manifest.
    pub fn read(&self, index: usize) -> Result<Image<2>, DecodeError> {
        let record = &self.records[index];
        let image = match &self.pixels {
            Pixels::Arrays(arrays) => arrays.read(index)?,
            Pixels::Files(files) => files.read(index)?,
        };
        self.check_image(record, &image)?;
        Ok(image)
    }

    fn check_image(&self, record: &RawRecord, image: &Image<2>) -> Result<(), DecodeError> {
        let facts = &self.manifest.image;
        let refused = |what, expected: String, found: String| {
            Err(DecodeError::Image { sample: record.sample.to_string(), what, expected, found })
        };
        if image.channels() != facts.channels {
            return refused("channels", facts.channels.to_string(), image.channels().to_string());
        }
        let [rows, columns] = image.geometry().shape();
        if let ImageSize::Fixed { height, width } = facts.size
            && (rows, columns) != (height, width)
        {
            return refused("size", format!("{height} x {width}"), format!("{rows} x {columns}"));
        }
        if image.intensity() != facts.intensity {
            return refused("intensity", format!("{:?}", facts.intensity), format!("{:?}", image.intensity()));
        }
        Ok(())
    }
}

/// Whether every file of the manifest is there and is the one that it describes.
fn check_files(folder: &Path, manifest: &Manifest) -> Result<(), DecodeError> {
    if let Some(obtain) = &manifest.source.obtain {
        return Err(DecodeError::ByHand { set: manifest.name.to_string(), obtain: obtain.clone() });
    }
    for file in &manifest.source.files {
        let path = folder.join(&file.name);
        if !path.is_file() {
            return Err(DecodeError::Missing { file: file.name.clone(), set: manifest.name.to_string() });
        }
        let (found, _) = checksum_file(&path, folder, file.checksum.running())?;
        if found != file.checksum {
            return Err(DecodeError::Checksum { file: file.name.clone(), expected: file.checksum, found });
        }
    }
    Ok(())
}

fn check_counts(manifest: &Manifest, count: impl Fn(Split) -> usize) -> Result<(), DecodeError> {
    let Some(counts) = manifest.counts else { return Ok(()) };
    match Split::ALL.into_iter().find(|&split| count(split) != counts.of(split)) {
        Some(split) => Err(DecodeError::Count { split, expected: counts.of(split), found: count(split) }),
        None => Ok(()),
    }
}

/// The answer of one row of labels, checked against task and classes.
pub(crate) fn target_of(row: &[i64], task: Task, classes: usize, sample: &str) -> Result<Target, DecodeError> {
    let refused = |found: i64, expected: String| Err(DecodeError::Label { sample: sample.into(), found, expected });
    if task == Task::MultiLabel {
        if row.len() != classes {
            let expected = format!("{classes} labels, one a class");
            return Err(DecodeError::Labels { what: sample.into(), expected, found: row.len().to_string() });
        }
        return match row.iter().find(|label| !matches!(label, 0 | 1)) {
            Some(&label) => refused(label, "0 or 1".into()),
            None => Ok(Target::Labels(row.iter().map(|&label| label == 1).collect())),
        };
    }
    match *row {
        [label] => match u16::try_from(label) {
            Ok(class) if usize::from(class) < classes => Ok(Target::Class(class)),
            _ => refused(label, format!("0 to {} ({classes} classes in the manifest)", classes - 1)),
        },
        _ => {
            let expected = format!("1 label for task `{}`", task.name());
            Err(DecodeError::Labels { what: sample.into(), expected, found: row.len().to_string() })
        }
    }
}

impl From<FileError> for DecodeError {
    fn from(refused: FileError) -> Self {
        Self::File(refused)
    }
}
