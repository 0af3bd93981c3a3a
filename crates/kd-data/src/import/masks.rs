//! Importing images with masks: volumes, pictures and headerless files become one layout, checked case by case.
//!
//! Every case is read before the set has a name: a mask on another grid, a number without a class and a volume with a
//! hole in it come out here, not in the middle of a training.

use std::path::{Path, PathBuf};

use kd_image::{Geometry, Intensity, Split};
use rayon::prelude::*;

use super::folder::image_facts;
use super::pairs::{Pair, Pairs};
use super::{Found, ImportError, Terms, check_name, manifest_of, place, run_lengths, segmentations};
use crate::decode::{Column, DecodeError, Groups, MASKS, MaskedDataset, ReadMasked, case_of, images_folder};
use crate::format::{RawElement, read_raw, write_nifti};
use crate::manifest::{Counts, ImageFacts, ImageSize, Layout, Manifest, MaskValues, SourceFile, SplitPolicy, Task};
use crate::root::Root;
use crate::store::StagedFolder;

/// Shape, elements and spacing of headerless files, all of them alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawFacts {
    /// Depth, rows, columns; the last axis runs fastest.
    pub shape: [usize; 3],
    /// One number of an image.
    pub element: RawElement,
    /// One number of a mask.
    pub mask_element: RawElement,
    /// Distance of neighbouring points in mm, slowest axis first.
    pub spacing_mm: [f64; 3],
}

/// How files hold images and masks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaskFormat {
    /// `.nii` and `.nii.gz`: the Decathlon's or nnU-Net's `imagesTr` and `labelsTr`, or `images` and `labels`.
    Nifti,
    /// PNG or JPEG: `images` and `masks` (or `labels`, …), perhaps below `train`, `val` and `test`.
    ImageMask,
    /// Headerless files in the same folders; they are kept as NIfTI, whose place in the patient is unknown.
    Raw(RawFacts),
    /// DICOM series with DICOM segmentations that refer to them, anywhere below the folder; both are kept as NIfTI. With
    /// run lengths radiographs, one a file, which are kept as PNG.
    Dicom,
}

impl MaskFormat {
    /// The name used on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nifti => "nifti",
            Self::ImageMask => "image-mask",
            Self::Raw(_) => "raw",
            Self::Dicom => "dicom",
        }
    }
}

/// What happens to a case whose mask is all background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyMasks {
    /// The import stops: often a mask was lost.
    Refuse,
    /// It stays: a healthy patient.
    Keep,
}

/// What to import, and what the files do not say themselves.
#[derive(Debug, Clone)]
pub struct MaskImportRequest {
    /// A free name.
    pub name: String,
    /// How the files hold images and masks.
    pub format: MaskFormat,
    /// One folder.
    pub path: PathBuf,
    /// CSV with the columns `file,group`; `file` is a case's name below its images, with or without ending and split, or
    /// the folder of a DICOM series.
    pub groups_csv: Option<PathBuf>,
    /// CSV with the columns `file,subgroup`: what sort of image each is, such as its stain or scanner; names are kept as
    /// they are, and stand in reports.
    pub subgroups_csv: Option<PathBuf>,
    /// CSV with the columns `ImageId,EncodedPixels`: masks of DICOM radiographs as run lengths down the columns, each offset
    /// counted from the end of the run before; `-1` is an empty mask. An image is called by its SOP Instance UID, or as
    /// its file.
    pub run_lengths: Option<PathBuf>,
    /// Subgroups that are tested on and never learned from.
    pub held_out: Vec<String>,
    /// Copies the files; otherwise they are linked, and must stay where they are.
    pub copy: bool,
    /// Class names, background first; none takes those of a `dataset.json`.
    pub classes: Option<Vec<String>>,
    /// What the numbers of a mask mean; none takes those of a `dataset.json`, else 0, 1, 2, … in the order of the classes.
    pub values: Option<MaskValues>,
    /// What the numbers of a volume mean; none takes a `dataset.json`'s word (CT or not). Pictures say it themselves.
    pub intensity: Option<Intensity>,
    /// What happens to a case without foreground.
    pub empty_masks: EmptyMasks,
    /// The published set that this is a copy of: its title, license, citation and notes are taken over.
    pub like: Option<&'static Manifest>,
    /// SPDX identifier, or `LicenseRef-…` for terms without one.
    pub license: String,
    /// Whom to cite; none says that it is unpublished.
    pub citation: Option<String>,
    /// Where splits come from; none takes those in the files, else draws them by subject as
    /// [`import_dataset`](super::import_dataset) does.
    pub split: Option<SplitPolicy>,
}

/// Imports images with masks into `ROOT/raw/<name>/`; gives the manifest that was written there.
///
/// # Policy
/// Names and links as [`import_dataset`](super::import_dataset). Cases are called as their files; groups are numbered.
/// Images without masks in `imagesTs` are left out, and the manifest's notes count them.
///
/// DICOM: an image belongs to the series that it names, a segmentation to the series that it refers to; series without
/// one are left out and counted. Each segment's name is a class, and all names in alphabetical order are the classes
/// where none are given; of those given, segments that are not among them are background. Series are numbered, those of
/// one Patient ID are of one subject unless `groups_csv` says who they are of, and no identifier is kept. Masks as
/// [`DicomSegmentation::labels`](crate::format::DicomSegmentation::labels) makes them.
///
/// # Errors
/// [`ImportError`]: images and masks that do not pair, classes or meaning that nobody said, whatever
/// [`ReadMasked::read`] refuses, and masks without foreground; no folder of that name is left behind.
pub fn import_masks(root: &Root, request: &MaskImportRequest) -> Result<Manifest, ImportError> {
    let name = check_name(root, &request.name)?;
    let staged = StagedFolder::create(&root.raw_set(name.as_str()))?;
    let placed = match (request.format, &request.run_lengths) {
        (MaskFormat::Dicom, Some(table)) => run_lengths::place_all(request, table, staged.path())?,
        (MaskFormat::Dicom, None) => segmentations::place_all(request, staged.path())?,
        _ => place_pairs(request, staged.path())?,
    };
    let Placed { mut files, cases, .. } = placed;
    let table = |csv: &Option<PathBuf>, column| {
        let named = || cases.iter().map(|case| (case.name.clone(), case.given.clone())).collect::<Vec<_>>();
        csv.as_deref().map(|csv| place::case_table(csv, column, &named(), staged.path())).transpose()
    };
    let groups = match (table(&request.groups_csv, Column::Group)?, &placed.groups) {
        (None, Some(groups)) => Some(place::group_table(groups, staged.path())?),
        (given, _) => given,
    };
    let subgroups = table(&request.subgroups_csv, Column::Subgroup)?;
    let has_splits = cases.iter().all(|case| case.split.is_some());
    let count = |split| cases.iter().filter(|case| case.split == Some(split)).count();
    let counts = Counts { train: count(Split::Train), val: count(Split::Val), test: count(Split::Test) };
    let mut listed = |table: Option<SourceFile>| {
        table.map(|file| {
            let name = file.name.clone();
            files.push(file);
            name
        })
    };
    let (groups, subgroups) = (listed(groups), listed(subgroups));
    let are_pictures = request.format == MaskFormat::ImageMask || request.run_lengths.is_some();
    let found = Found {
        layout: if are_pictures { Layout::ImageMasks } else { Layout::NiftiMasks },
        task: Task::Segmentation,
        classes: placed.classes,
        image: placed.image,
        mask: Some(placed.values),
        counts: has_splits.then_some(counts),
        files,
        has_splits,
    };
    let terms = Terms {
        license: &request.license,
        citation: request.citation.as_deref(),
        split: request.split,
        like: request.like,
    };
    let mut manifest = manifest_of(name, &terms, found, groups)?;
    manifest.source.subgroups = subgroups;
    manifest.held_out.clone_from(&request.held_out);
    manifest.notes.extend(placed.notes);
    let text = manifest.to_toml();
    let manifest = Manifest::parse(&text, "the manifest of the import")?;
    check_cases(staged.path(), &manifest, request.empty_masks)?;
    crate::store::write_atomic(&staged.path().join("dataset.toml"), text.as_bytes())?;
    staged.commit()?;
    Ok(manifest)
}

/// Images and masks in the staging folder, before they have a manifest.
pub(super) struct Placed {
    pub(super) classes: Vec<String>,
    pub(super) values: MaskValues,
    pub(super) image: ImageFacts,
    pub(super) files: Vec<SourceFile>,
    pub(super) cases: Vec<PlacedCase>,
    /// Who the cases are of, where the files say it.
    pub(super) groups: Option<Groups>,
    pub(super) notes: Vec<String>,
}

pub(super) struct PlacedCase {
    pub(super) split: Option<Split>,
    /// Split and name in the raw folder.
    pub(super) name: String,
    /// The name that tables call it by.
    pub(super) given: String,
}

fn place_pairs(request: &MaskImportRequest, staging: &Path) -> Result<Placed, ImportError> {
    let pairs = Pairs::find(&request.path, &request.format)?;
    let (classes, values) = classes_of(request, &pairs)?;
    let mut files = Vec::new();
    for pair in &pairs.pairs {
        place_pair(pair, request, staging, &mut files)?;
    }
    let image = facts(request, &pairs, staging, &files)?;
    let cases = pairs.pairs.iter().map(|pair| PlacedCase {
        split: pair.split,
        name: format!("{}{}", place::split_folder(pair.split), pair.case),
        given: pair.case.clone(),
    });
    let left_out =
        (pairs.left_out > 0).then(|| format!("{} files of images without masks were left out", pairs.left_out));
    Ok(Placed {
        classes,
        values,
        image,
        files,
        cases: cases.collect(),
        groups: None,
        notes: left_out.into_iter().collect(),
    })
}

fn classes_of(request: &MaskImportRequest, pairs: &Pairs) -> Result<(Vec<String>, MaskValues), ImportError> {
    let described = pairs.description.as_ref().map(|json| &json.labels).filter(|labels| !labels.is_empty());
    let classes = match (&request.classes, described) {
        (Some(names), _) => names.clone(),
        (None, Some(labels)) => labels.values().cloned().collect(),
        (None, None) => {
            let expected = "a name for each, the background first".into();
            return Err(ImportError::Classes { found: "missing".into(), expected });
        }
    };
    let values = match (&request.values, described) {
        (Some(values), _) => values.clone(),
        (None, Some(labels)) if labels.len() == classes.len() => MaskValues::Classes(labels.keys().copied().collect()),
        (None, Some(labels)) => {
            let expected = format!("{} names, as dataset.json has labels", labels.len());
            return Err(ImportError::Classes { found: format!("{} names", classes.len()), expected });
        }
        (None, None) => MaskValues::Classes((0..).take(classes.len()).collect()),
    };
    Ok((classes, values))
}

fn place_pair(
    pair: &Pair,
    request: &MaskImportRequest,
    staging: &Path,
    files: &mut Vec<SourceFile>,
) -> Result<(), ImportError> {
    let split = place::split_folder(pair.split);
    let several = pair.images.len() > 1;
    let images = pair.images.iter().enumerate();
    let images = images.map(|(n, file)| (images_folder(several.then_some(n)), file, false));
    for (folder, file, is_mask) in images.chain(std::iter::once((MASKS.to_owned(), &pair.mask, true))) {
        let ending = &file.name[case_of(&file.name).len()..];
        files.push(match request.format {
            MaskFormat::Raw(facts) => {
                let name = format!("{split}{folder}/{}.nii.gz", pair.case);
                let element = if is_mask { facts.mask_element } else { facts.element };
                let grid = Geometry::<3>::with_spacing(facts.shape, facts.spacing_mm)?;
                write_nifti(&staging.join(&name), &read_raw(&file.path, facts.shape, element)?, &grid)?;
                place::listed(staging, &name)?
            }
            _ => {
                let name = format!("{split}{folder}/{}{ending}", pair.case);
                place::file(&file.path, &request.path, staging, &name, request.copy)?
            }
        });
    }
    Ok(())
}

fn facts(
    request: &MaskImportRequest,
    pairs: &Pairs,
    staging: &Path,
    files: &[SourceFile],
) -> Result<ImageFacts, ImportError> {
    if request.format == MaskFormat::ImageMask {
        let is_image = |name: &&str| name.split('/').rev().skip(1).any(|part| part == "images");
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).filter(is_image).collect();
        return image_facts(&names, staging);
    }
    let intensity = request.intensity.or_else(|| pairs.intensity()).ok_or(ImportError::Meaning)?;
    let named = pairs.description.as_ref().map_or(0, |json| json.channels.len());
    let channels = match pairs.files_per_case() {
        1 => named.max(1),
        several => several,
    };
    Ok(ImageFacts { channels, size: ImageSize::Varies, intensity })
}

/// Reads every case.
fn check_cases(folder: &Path, manifest: &Manifest, empty: EmptyMasks) -> Result<(), ImportError> {
    let without = match manifest.source.layout {
        Layout::ImageMasks => without_foreground(&MaskedDataset::<2>::open_folder(folder, manifest)?),
        _ => without_foreground(&MaskedDataset::<3>::open_folder(folder, manifest)?),
    }?;
    match without.first() {
        Some(first) if empty == EmptyMasks::Refuse => {
            Err(ImportError::EmptyMask { case: first.clone(), count: without.len() })
        }
        _ => Ok(()),
    }
}

/// Cases without foreground; of several that cannot be read, the first by name is told.
fn without_foreground<const D: usize>(set: &MaskedDataset<D>) -> Result<Vec<String>, DecodeError>
where
    MaskedDataset<D>: ReadMasked<D>,
{
    // One case a thread is in memory at a time.
    let is_empty = |n| Ok(set.read(n)?.labels.labels().iter().all(|&label| label == 0));
    let found: Vec<Result<bool, DecodeError>> = (0..set.records().len()).into_par_iter().map(is_empty).collect();
    let mut without = Vec::new();
    for (record, is_empty) in set.records().iter().zip(found) {
        if is_empty? {
            without.push(record.sample.to_string());
        }
    }
    Ok(without)
}
