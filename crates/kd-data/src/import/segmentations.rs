//! DICOM series with DICOM segmentations of them, as volumes with masks.
//!
//! What belongs together is said by the files: an image to the series it names, a segmentation to the series it refers
//! to. Volumes and masks are kept as NIfTI on the grid of the series.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kd_image::{Intensity, Split};

use super::masks::{MaskImportRequest, Placed, PlacedCase};
use super::volumes::is_companion;
use super::{ImportError, place};
use crate::decode::{MASKS, images_folder, measured, split_of};
use crate::error::relative_name;
use crate::format::{
    DicomSegmentation, FileFormat, FoundFile, NiftiType, Tilt, belonging_of, files_below, read_dicom_volume, sniff,
    write_nifti_image, write_nifti_labels,
};
use crate::manifest::{ImageFacts, ImageSize, MaskValues};

const BACKGROUND: &str = "background";

/// One series before it is read.
#[derive(Default)]
struct Series {
    images: Vec<FoundFile>,
    segmentations: Vec<DicomSegmentation>,
    patient: Option<String>,
}

/// Reads every series that a segmentation refers to and places it with its masks.
pub(super) fn place_all(request: &MaskImportRequest, staging: &Path) -> Result<Placed, ImportError> {
    let folder = &request.path;
    let files: Vec<FoundFile> = files_below(folder)?.into_iter().filter(|file| !is_companion(&file.name)).collect();
    let by_split = place::by_split(&files)?;
    let (series, left_out) = segmented(files, folder)?;
    let classes = match &request.classes {
        Some(names) => names.clone(),
        None => {
            let named: BTreeSet<&str> =
                series.iter().flat_map(|one| &one.segmentations).flat_map(DicomSegmentation::names).collect();
            let named = named.into_iter().filter(|name| *name != BACKGROUND).map(str::to_owned);
            std::iter::once(BACKGROUND.to_owned()).chain(named).collect()
        }
    };
    check_classes(&classes, &series)?;
    let mut placed = Placed {
        values: MaskValues::Classes((0..).take(classes.len()).collect()),
        classes,
        image: ImageFacts { channels: 1, size: ImageSize::Varies, intensity: Intensity::Arbitrary },
        files: Vec::new(),
        cases: Vec::new(),
        groups: None,
        notes: vec!["volumes were DICOM series, masks were DICOM segmentations; they are kept as NIfTI".into()],
    };
    if left_out > 0 {
        placed.notes.push(format!("{left_out} series without a segmentation were left out"));
    }
    let mut patients = Vec::new();
    for (n, one) in series.iter().enumerate() {
        let first = &one.images[0].name;
        let (split, rest) = match first.split_once('/') {
            Some((top, rest)) if by_split => (split_of(top), rest),
            _ => (None, first.as_str()),
        };
        let name = format!("series-{:05}", n + 1);
        let given = rest.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let intensity = write(one, &mut placed, split, &name, staging)?;
        let intensity = request.intensity.unwrap_or(intensity);
        if n == 0 {
            placed.image.intensity = intensity;
        } else if intensity != placed.image.intensity {
            return Err(ImportError::Mixed {
                file: first.clone(),
                found: intensity.name().into(),
                first: series[0].images[0].name.clone(),
                expected: placed.image.intensity.name().into(),
            });
        }
        let sample = format!("{}{name}", place::split_folder(split));
        patients.push((sample.clone(), one.patient.clone()));
        placed.cases.push(PlacedCase { split, name: sample, given });
    }
    placed.groups = place::by_patient(patients);
    Ok(placed)
}

/// Series with segmentations, in the order of their first files, and how many others there are.
fn segmented(files: Vec<FoundFile>, folder: &Path) -> Result<(Vec<Series>, usize), ImportError> {
    let mut by_uid: BTreeMap<String, Series> = BTreeMap::new();
    let mut segmentations = Vec::new();
    for file in files {
        let found = sniff(&file.path)?;
        if found != FileFormat::Dicom {
            let expected = "DICOM images and segmentations";
            return Err(ImportError::Kind { file: file.name, found: found.name(), expected });
        }
        let belonging = belonging_of(&file.path)?;
        if belonging.is_segmentation {
            segmentations.push((DicomSegmentation::open(&file.path)?, file.name));
            continue;
        }
        let series = belonging.series.ok_or_else(|| ImportError::Kind {
            file: file.name.clone(),
            found: "an image of no series",
            expected: "a Series Instance UID in every image",
        })?;
        let series = by_uid.entry(series).or_default();
        series.patient = series.patient.take().or(belonging.patient);
        series.images.push(file);
    }
    for (segmentation, file) in segmentations {
        let Some(series) = by_uid.get_mut(segmentation.series()) else {
            return Err(ImportError::Unreferenced { file });
        };
        let named_twice = |other: &DicomSegmentation| {
            segmentation.names().find(|name| other.names().any(|theirs| theirs == *name)).map(str::to_owned)
        };
        if let Some((other, segment)) = series.segmentations.iter().find_map(|one| Some((one, named_twice(one)?))) {
            let other = relative_name(other.path(), folder);
            return Err(ImportError::TwoSegmentations { file, other, segment });
        }
        series.segmentations.push(segmentation);
    }
    let all = by_uid.len();
    let mut series: Vec<Series> = by_uid.into_values().filter(|one| !one.segmentations.is_empty()).collect();
    series.sort_by(|a, b| a.images[0].name.cmp(&b.images[0].name));
    if series.is_empty() {
        return Err(ImportError::NoSegmentations { folder: relative_name(folder, folder) });
    }
    let left_out = all - series.len();
    Ok((series, left_out))
}

/// Every class but the background is a segment somewhere; a name that is not was misspelled.
fn check_classes(classes: &[String], series: &[Series]) -> Result<(), ImportError> {
    let known: BTreeSet<&str> =
        series.iter().flat_map(|one| &one.segmentations).flat_map(DicomSegmentation::names).collect();
    match classes.iter().skip(1).find(|class| !known.contains(class.as_str())) {
        Some(unknown) => {
            let known: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
            let expected = format!("the background, then some of the segments {}", known.join(", "));
            Err(ImportError::Classes { found: format!("`{unknown}` among others"), expected })
        }
        None => Ok(()),
    }
}

/// Writes one volume with its masks; says what its numbers mean.
fn write(
    series: &Series,
    placed: &mut Placed,
    split: Option<Split>,
    name: &str,
    staging: &Path,
) -> Result<Intensity, ImportError> {
    let paths: Vec<PathBuf> = series.images.iter().map(|file| file.path.clone()).collect();
    let volume = read_dicom_volume(&paths, Tilt::KeepSheared)?;
    let known = volume.image.intensity();
    let intensity = if known == Intensity::Hounsfield { known } else { Intensity::Arbitrary };
    let image = measured(volume, intensity);
    if image.channels() != 1 {
        let file = series.images[0].name.clone();
        return Err(ImportError::Kind { file, found: "a colour image", expected: "grey images" });
    }
    let files: Vec<&DicomSegmentation> = series.segmentations.iter().collect();
    let labels = DicomSegmentation::labels(&files, image.geometry(), &placed.classes)?;
    let split = place::split_folder(split);
    let named = |folder: &str| format!("{split}{folder}/{name}.nii.gz");
    let (image_name, mask_name) = (named(&images_folder(None)), named(MASKS));
    write_nifti_image(&staging.join(&image_name), &image, NiftiType::holding(&image))?;
    write_nifti_labels(&staging.join(&mask_name), &labels)?;
    placed.files.push(place::listed(staging, &image_name)?);
    placed.files.push(place::listed(staging, &mask_name)?);
    Ok(intensity)
}
