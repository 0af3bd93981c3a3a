//! Importing volumes without masks, the clean images of an enhancement task: NIfTI, headerless files, or DICOM series.
//!
//! A folder of DICOM files is one volume or it is refused: which of two series in it was meant, nobody can know. Folders
//! of series are numbered, because a hospital calls them after its patients. Every volume is read before the set has a
//! name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kd_image::{Geometry, Intensity, Split};
use rayon::prelude::*;

use super::{Found, ImportError, Terms, check_name, inputs, manifest_of, place};
use crate::decode::{Column, DecodeError, Groups, IMAGES, INPUTS, SERIES, VolumeDataset, case_of, measured, split_of};
use crate::format::{
    FileFormat, FoundFile, Nifti, NiftiType, RawElement, Tilt, belonging_of, files_below, read_dicom_volume, read_raw,
    sniff, write_nifti, write_nifti_image,
};
use crate::manifest::{Counts, ImageFacts, ImageSize, Layout, Manifest, SourceFile, SplitPolicy, Task};
use crate::root::Root;
use crate::store::StagedFolder;

/// How files hold volumes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum VolumeFormat {
    /// One volume a file, `.nii` or `.nii.gz`.
    Nifti,
    /// Headerless files, all of them alike; they are kept as NIfTI, whose place in the patient is unknown.
    Raw {
        /// Depth, rows, columns; the last axis runs fastest.
        shape: [usize; 3],
        /// One number.
        element: RawElement,
        /// Distance of neighbouring points in mm, slowest axis first.
        spacing_mm: [f64; 3],
    },
    /// One series a folder; other folders may lie in it.
    Dicom,
}

impl VolumeFormat {
    /// The name used on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nifti => "nifti",
            Self::Raw { .. } => "raw",
            Self::Dicom => "dicom",
        }
    }
}

/// What to import, and what the files do not say themselves.
#[derive(Debug, Clone)]
pub struct VolumeImportRequest {
    /// A free name.
    pub name: String,
    /// How the files hold volumes.
    pub format: VolumeFormat,
    /// A folder with volumes, perhaps below `train`, `val` and `test` and below `images`; or one file.
    pub path: PathBuf,
    /// What was measured of each volume with less dose or time, in another folder of the same format; both are kept as
    /// NIfTI then.
    pub inputs: Option<PathBuf>,
    /// CSV with the columns `file,group`; `file` is a volume's name below the folder, or that of its folder of DICOM
    /// files, with or without ending and split.
    pub groups_csv: Option<PathBuf>,
    /// Copies the files; otherwise they are linked, and must stay where they are.
    pub copy: bool,
    /// What the numbers mean; none asks the files, and only DICOM files know.
    pub intensity: Option<Intensity>,
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

/// One volume before it is placed.
pub(super) struct Volume {
    split: Option<Split>,
    /// Its name as given, without split and ending.
    pub(super) given: String,
    /// Its name in the raw folder.
    case: String,
    pub(super) files: Vec<FoundFile>,
}

impl Volume {
    /// Split and case, as records are called.
    fn sample(&self) -> String {
        format!("{}{}", place::split_folder(self.split), self.case)
    }
}

/// Imports volumes into `ROOT/raw/<name>/`; gives the manifest that was written there.
///
/// # Policy
/// Names and links as [`import_dataset`](super::import_dataset). NIfTI and headerless files are called as they were;
/// series are numbered in the order of their folders' names, and so are their files. Series of one Patient ID are of one
/// subject, unless `groups_csv` says who they are of; subjects are numbers, and no identifier is kept. Texts, tables and a DICOMDIR beside
/// the volumes are left out.
///
/// What was measured belongs to the clean volume of the same patient (of DICOM) on the same grid, so slices are paired by
/// position and not by file name; where several volumes share patient and grid, names as given decide.
///
/// # Errors
/// [`ImportError`]: no volume, files of another format, a meaning that nobody said, some splits but not all three, and
/// whatever [`VolumeDataset::read`] refuses; no folder of that name is left behind.
pub fn import_volumes(root: &Root, request: &VolumeImportRequest) -> Result<Manifest, ImportError> {
    let name = check_name(root, &request.name)?;
    let volumes = find(&request.path, request.format)?;
    let image = facts(request, &volumes[0])?;
    let of_scanner = match &request.inputs {
        Some(path) => inputs::paired(&volumes, find(path, request.format)?, request.format)?,
        None => Vec::new(),
    };
    let staged = StagedFolder::create(&root.raw_set(name.as_str()))?;
    let mut files = Vec::new();
    let placing = Placing { request, staging: staged.path(), intensity: image.intensity };
    for volume in &volumes {
        placing.place(volume, (&request.path, &volume.files), IMAGES, &mut files)?;
    }
    for (volume, input) in volumes.iter().zip(&of_scanner) {
        let given = request.inputs.as_ref().unwrap_or(&request.path);
        placing.place(volume, (given, &input.files), INPUTS, &mut files)?;
    }
    let groups = match &request.groups_csv {
        Some(table) => {
            let cases: Vec<(String, String)> =
                volumes.iter().map(|volume| (volume.sample(), volume.given.clone())).collect();
            Some(place::case_table(table, Column::Group, &cases, staged.path())?)
        }
        None if request.format == VolumeFormat::Dicom => {
            patients(&volumes)?.map(|groups| place::group_table(&groups, staged.path())).transpose()?
        }
        None => None,
    };
    let groups_name = groups.as_ref().map(|file| file.name.clone());
    files.extend(groups);
    let has_splits = volumes.iter().all(|volume| volume.split.is_some());
    let count = |split| volumes.iter().filter(|volume| volume.split == Some(split)).count();
    let counts = Counts { train: count(Split::Train), val: count(Split::Val), test: count(Split::Test) };
    let found = Found {
        layout: if placing.keeps_series() { Layout::DicomSeries } else { Layout::NiftiVolumes },
        task: Task::Enhancement,
        classes: Vec::new(),
        image,
        mask: None,
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
    let mut manifest = manifest_of(name, &terms, found, groups_name)?;
    if !of_scanner.is_empty() {
        manifest.notes.push("pairs: what was measured of each volume lies beside it on the same grid".into());
    }
    let text = manifest.to_toml();
    let manifest = Manifest::parse(&text, "the manifest of the import")?;
    let set = VolumeDataset::open_folder(staged.path(), &manifest)?;
    // Of several that cannot be read, the first by name is told; one a thread is in memory at a time.
    let read: Vec<Result<(), DecodeError>> =
        (0..set.records().len()).into_par_iter().map(|n| set.read_pair(n).map(drop)).collect();
    read.into_iter().collect::<Result<(), _>>()?;
    crate::store::write_atomic(&staged.path().join("dataset.toml"), text.as_bytes())?;
    staged.commit()?;
    Ok(manifest)
}

/// Who each series is of.
fn patients(volumes: &[Volume]) -> Result<Option<Groups>, ImportError> {
    let of = |volume: &Volume| Ok((volume.sample(), belonging_of(&volume.files[0].path)?.patient));
    Ok(place::by_patient(volumes.iter().map(of).collect::<Result<Vec<_>, ImportError>>()?))
}

/// All volumes, sorted by split and name.
fn find(path: &Path, format: VolumeFormat) -> Result<Vec<Volume>, ImportError> {
    let is_file = path.is_file();
    let files = if is_file {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        vec![FoundFile { path: path.into(), name, bytes: 0 }]
    } else {
        files_below(path)?
    };
    let files: Vec<FoundFile> = files.into_iter().filter(|file| !is_companion(&file.name)).collect();
    for file in &files {
        check_format(file, format)?;
    }
    let by_split = place::by_split(&files)?;
    let mut found: BTreeMap<(Option<Split>, String), Vec<FoundFile>> = BTreeMap::new();
    for file in files {
        let (split, rest) = match file.name.split_once('/') {
            Some((top, rest)) if by_split => (split_of(top), rest),
            _ => (None, file.name.as_str()),
        };
        let rest = rest.strip_prefix("images/").unwrap_or(rest);
        let case = match format {
            VolumeFormat::Dicom if !is_file => rest.rsplit_once('/').map_or("", |(folder, _)| folder),
            _ => case_of(rest),
        };
        let key = (split, case.to_owned());
        let files = found.entry(key).or_default();
        if format != VolumeFormat::Dicom && !files.is_empty() {
            let problem = "another file becomes the same case".into();
            return Err(DecodeError::Name { file: file.name, problem }.into());
        }
        files.push(file);
    }
    if found.is_empty() {
        return Err(ImportError::NoVolumes { folder: crate::error::relative_name(path, path) });
    }
    let volumes = found.into_iter().enumerate().map(|(n, ((split, given), files))| {
        let case = match format {
            VolumeFormat::Dicom => format!("series-{:05}", n + 1),
            _ => given.clone(),
        };
        Volume { split, given, case, files }
    });
    Ok(volumes.collect())
}

/// Whether a file, by its name, is one that people keep beside volumes: a licence, a text, a table.
pub(super) fn is_companion(name: &str) -> bool {
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name).to_ascii_lowercase();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    matches!(name.as_str(), "license" | "licence" | "readme" | "dicomdir")
        || matches!(ending, Some("txt" | "md" | "csv" | "json" | "xml" | "pdf"))
}

fn check_format(file: &FoundFile, format: VolumeFormat) -> Result<(), ImportError> {
    let expected = match format {
        VolumeFormat::Raw { .. } => return Ok(()),
        VolumeFormat::Nifti => "NIfTI in one file, .nii or .nii.gz",
        VolumeFormat::Dicom => "DICOM, one series a folder",
    };
    let name = file.name.to_ascii_lowercase();
    let found = sniff(&file.path)?;
    let fits = match format {
        VolumeFormat::Nifti => found == FileFormat::Nifti && (name.ends_with(".nii") || name.ends_with(".nii.gz")),
        _ => found == FileFormat::Dicom,
    };
    if fits { Ok(()) } else { Err(ImportError::Kind { file: file.name.clone(), found: found.name(), expected }) }
}

/// Channels and meaning, as the first volume has them; every other one is compared when it is read.
fn facts(request: &VolumeImportRequest, first: &Volume) -> Result<ImageFacts, ImportError> {
    let (channels, known) = match request.format {
        VolumeFormat::Raw { .. } => (1, None),
        VolumeFormat::Nifti => (Nifti::open(&first.files[0].path)?.header().n_volumes(), None),
        VolumeFormat::Dicom => {
            let paths: Vec<PathBuf> = first.files.iter().map(|file| file.path.clone()).collect();
            let image = read_dicom_volume(&paths, Tilt::KeepSheared)?.image;
            (image.channels(), Some(image.intensity()))
        }
    };
    // NIfTI has no number of bits; what is kept so has a scale of its own.
    let known = known.map(|known| match known {
        Intensity::Stored { .. } if request.inputs.is_some() => Intensity::Arbitrary,
        known => known,
    });
    let intensity = request.intensity.or(known).ok_or(ImportError::Meaning)?;
    Ok(ImageFacts { channels, size: ImageSize::Varies, intensity })
}

/// Where volumes go.
struct Placing<'a> {
    request: &'a VolumeImportRequest,
    staging: &'a Path,
    intensity: Intensity,
}

impl Placing<'_> {
    /// Whether DICOM files stay what they are: pairs are kept as NIfTI, one grid for both.
    fn keeps_series(&self) -> bool {
        self.request.format == VolumeFormat::Dicom && self.request.inputs.is_none()
    }

    /// Places files, found below `given`, as those of a volume.
    fn place(
        &self,
        volume: &Volume,
        (given, from): (&Path, &[FoundFile]),
        folder: &str,
        files: &mut Vec<SourceFile>,
    ) -> Result<(), ImportError> {
        let split = place::split_folder(volume.split);
        let (case, request, staging) = (&volume.case, self.request, self.staging);
        let nifti = format!("{split}{folder}/{case}.nii.gz");
        if request.format == VolumeFormat::Dicom && !self.keeps_series() {
            let paths: Vec<PathBuf> = from.iter().map(|file| file.path.clone()).collect();
            let image = measured(read_dicom_volume(&paths, Tilt::KeepSheared)?, self.intensity);
            write_nifti_image(&staging.join(&nifti), &image, NiftiType::holding(&image))?;
            files.push(place::listed(staging, &nifti)?);
            return Ok(());
        }
        for (n, file) in from.iter().enumerate() {
            files.push(match request.format {
                VolumeFormat::Raw { shape, element, spacing_mm } => {
                    let grid = Geometry::<3>::with_spacing(shape, spacing_mm)?;
                    write_nifti(&staging.join(&nifti), &read_raw(&file.path, shape, element)?, &grid)?;
                    place::listed(staging, &nifti)?
                }
                VolumeFormat::Nifti => {
                    let ending = &file.name[case_of(&file.name).len()..];
                    let name = format!("{split}{folder}/{case}{ending}");
                    place::file(&file.path, given, staging, &name, request.copy)?
                }
                VolumeFormat::Dicom => {
                    let name = format!("{split}{SERIES}/{case}/{:05}.dcm", n + 1);
                    place::file(&file.path, given, staging, &name, request.copy)?
                }
            });
        }
        Ok(())
    }
}
