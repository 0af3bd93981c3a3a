//! Data sets of volumes as files that other programs open, and that an import takes in again.

use std::path::{Path, PathBuf};

use kd_image::{Image, Intensity, LabelMap};

use crate::decode::{DecodeError, IMAGES, MASKS, MaskedDataset, ReadMasked, VolumeDataset, VolumeRecord};
use crate::error::FileError;
use crate::format::{
    DerivedFrom, DicomModality, FormatError, NiftiType, SegmentationFacts, SeriesFacts, dicom_name, files_below,
    write_dicom_series, write_nifti_image, write_nifti_labels, write_segmentation,
};
use crate::manifest::{Layout, Manifest, Task};
use crate::root::Root;
use crate::store::{StagedFolder, StoreError};

/// How volumes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// One file a volume.
    Nifti,
    /// One file a slice, and a segmentation for a volume's mask.
    Dicom,
}

/// Why a data set was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A set of pictures.
    #[error(
        "data set `{set}` has layout `{layout}` and task `{task}`, expected volumes\nhint: pictures are files that every program opens as they are, below `raw/{set}`"
    )]
    Pictures {
        /// Its name.
        set: String,
        /// Its layout.
        layout: &'static str,
        /// Its task.
        task: &'static str,
    },
    /// The set cannot be read.
    #[error(transparent)]
    Decode(Box<DecodeError>),
    /// What was written cannot be read back.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A folder that cannot be listed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DecodeError> for ExportError {
    fn from(refused: DecodeError) -> Self {
        Self::Decode(Box::new(refused))
    }
}

/// Writes every volume of a set below a new folder, whole or not at all; gives how many there are.
///
/// # Policy
/// - NIfTI: `[SPLIT/]images/CASE.nii.gz` and `[SPLIT/]masks/CASE.nii.gz`, as [`NiftiType::holding`] stores them.
/// - DICOM: `[SPLIT/]CASE/image/0001.dcm` and on, a CT where values are Hounsfield units, else an MR, as
///   [`write_dicom_series`] writes them; a mask is `[SPLIT/]CASE/mask.dcm`, a binary segmentation of that series. The
///   Patient ID is the subject's number in the set. `made` is date and time of the segmentations, `YYYYMMDD` and `HHMMSS`.
/// - Splits that the set's own files do not have are not made up.
///
/// # Errors
/// [`ExportError`]: a set of pictures, one that cannot be read, several channels in DICOM, a grid without a place in the
/// patient, a folder that is there already.
pub fn export_volumes(
    root: &Root,
    manifest: &Manifest,
    format: ExportFormat,
    folder: &Path,
    made: &[String; 2],
) -> Result<usize, ExportError> {
    let into = |staging: &StagedFolder| Writer { manifest, format, folder: staging.path().into(), made };
    match (manifest.task, manifest.source.layout) {
        (Task::Enhancement, _) => {
            let set = VolumeDataset::open(root, manifest)?;
            written(folder, into, set.records(), |index| Ok((set.read(index)?, None)))
        }
        (Task::Segmentation, Layout::NiftiMasks | Layout::Generator) => {
            let set = MaskedDataset::<3>::open(root, manifest)?;
            written(folder, into, set.records(), |index| {
                let case = set.read(index)?;
                Ok((case.image, Some(case.labels)))
            })
        }
        (task, layout) => {
            Err(ExportError::Pictures { set: manifest.name.to_string(), layout: layout.name(), task: task.name() })
        }
    }
}

/// Writes every case into a new folder.
fn written<'a>(
    folder: &Path,
    into: impl Fn(&StagedFolder) -> Writer<'a>,
    records: &[VolumeRecord],
    read: impl Fn(usize) -> Result<(Image<3>, Option<LabelMap<3>>), DecodeError>,
) -> Result<usize, ExportError> {
    let staged = StagedFolder::create(folder)?;
    let writer = into(&staged);
    for (index, record) in records.iter().enumerate() {
        let (image, labels) = read(index)?;
        writer.write(record, &image, labels.as_ref())?;
    }
    staged.commit()?;
    Ok(records.len())
}

struct Writer<'a> {
    manifest: &'a Manifest,
    format: ExportFormat,
    folder: PathBuf,
    made: &'a [String; 2],
}

impl Writer<'_> {
    fn write(&self, record: &VolumeRecord, image: &Image<3>, labels: Option<&LabelMap<3>>) -> Result<(), ExportError> {
        match self.format {
            ExportFormat::Nifti => self.nifti(record, image, labels),
            ExportFormat::Dicom => self.dicom(record, image, labels),
        }
    }

    fn nifti(&self, record: &VolumeRecord, image: &Image<3>, labels: Option<&LabelMap<3>>) -> Result<(), ExportError> {
        let sample = record.sample.as_str();
        let (split, case) = match sample.split_once('/') {
            Some((split, case)) if record.split.is_some() => (split, case),
            _ => ("", sample),
        };
        let named = |folder: &str| self.folder.join(split).join(folder).join(format!("{case}.nii.gz"));
        write_nifti_image(&named(IMAGES), image, NiftiType::holding(image))?;
        match labels {
            Some(labels) => Ok(write_nifti_labels(&named(MASKS), labels)?),
            None => Ok(()),
        }
    }

    fn dicom(&self, record: &VolumeRecord, image: &Image<3>, labels: Option<&LabelMap<3>>) -> Result<(), ExportError> {
        let case = self.folder.join(record.sample.as_str());
        let is_ct = image.intensity() == Intensity::Hounsfield;
        let facts = SeriesFacts {
            modality: if is_ct { DicomModality::Ct } else { DicomModality::Mr },
            study: None,
            series: None,
            frame_of_reference: None,
            patient_id: dicom_name(record.subject.as_str()),
            description: dicom_name(self.manifest.name.as_str()),
        };
        let series = case.join("image");
        write_dicom_series(&series, image, &facts)?;
        let Some(labels) = labels else { return Ok(()) };
        let slices: Vec<PathBuf> = files_below(&series)?.into_iter().map(|file| file.path).collect();
        let source = DerivedFrom::series(&slices)?;
        let facts = SegmentationFacts {
            description: "Masks".into(),
            segments: self.manifest.classes.iter().skip(1).map(|name| dicom_name(name)).collect(),
            algorithm: "labels of the data set".into(),
            made: self.made.clone(),
        };
        write_segmentation(&case.join("mask.dcm"), &as_in(&source, labels)?, &facts, &source)?;
        Ok(())
    }
}

/// Labels in the order in which a reader of the series puts its slices: along their normal.
fn as_in(source: &DerivedFrom, labels: &LabelMap<3>) -> Result<LabelMap<3>, ExportError> {
    let grid = source.geometry();
    let [_, rows, columns] = grid.shape();
    let along = |grid: &kd_image::Geometry<3>| {
        grid.affine().map_or([0.0; 3], |affine| std::array::from_fn(|axis| affine.matrix[axis][2]))
    };
    let (theirs, ours): ([f64; 3], [f64; 3]) = (along(grid), along(labels.geometry()));
    let is_turned = theirs.iter().zip(ours).map(|(a, b)| a * b).sum::<f64>() < 0.0;
    let planes = labels.labels().chunks(rows * columns);
    let values = if is_turned { planes.rev().flatten().copied().collect() } else { labels.labels().to_vec() };
    LabelMap::new(grid.clone(), values, labels.n_classes()).map_err(|refused| {
        StoreError::Request {
            what: "labels of a DICOM segmentation".into(),
            expected: format!("those of its series' grid, {grid}"),
            found: refused.to_string(),
        }
        .into()
    })
}
