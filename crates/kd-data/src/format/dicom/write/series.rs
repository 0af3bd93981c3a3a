//! A volume as a series of single-frame CT or MR images.

use std::path::Path;

use kd_image::{Image, Intensity};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::super::data_set::Encoding;
use super::super::encode::{self, Attributes, Encoder, decimal_text};
use super::super::uid::Uid;
use super::plane::Planes;
use super::quantize::Quantizer;
use super::source::DerivedFrom;
use super::{EXPLICIT_LITTLE_ENDIAN, check_text, empty_where_missing, request};
use crate::format::error::Problem;
use crate::store::{StagedFolder, StoreError, write_atomic};

/// What made the image, which decides the kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DicomModality {
    /// Computed tomography, in Hounsfield units.
    Ct,
    /// Magnetic resonance.
    Mr,
}

impl DicomModality {
    const fn code(self) -> &'static str {
        match self {
            Self::Ct => "CT",
            Self::Mr => "MR",
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Ct => "1.2.840.10008.5.1.4.1.1.2",
            Self::Mr => "1.2.840.10008.5.1.4.1.1.4",
        }
    }
}

/// What a new series says about itself.
#[derive(Debug, Clone)]
pub struct SeriesFacts {
    /// What made it.
    pub modality: DicomModality,
    /// The study that it belongs to; without one, a new study.
    pub study: Option<Uid>,
    /// Its own identifier; without one, a new one.
    pub series: Option<Uid>,
    /// The axes that its positions are in; without one, new axes.
    pub frame_of_reference: Option<Uid>,
    /// Patient ID and name, written as given: a salted hash, or the name of a phantom; 64 characters at most.
    pub patient_id: String,
    /// Series Description, 64 characters at most.
    pub description: String,
}

/// What a derived series says about itself.
#[derive(Debug, Clone)]
pub struct DerivedFacts {
    /// Series Description, 64 characters at most.
    pub description: String,
    /// Derivation Description: what was done to the source, 1024 characters at most.
    pub derivation: String,
}

/// Writes a volume as a new series, one file a slice, whole or not at all.
///
/// # Policy
/// - Explicit VR Little Endian, 16 signed bits, files `0001.dcm` and on in the order of the volume's slices, which
///   Instance Number counts too.
/// - Whole numbers that span at most 65535 are exact (slope 1). All others are spread over 65534 steps and are off by at
///   most half a step, a 131068th of the volume's range. MR images get slope and intercept only where they need them.
/// - Positions are the grid's, turned from RAS to LPS axes; decimal text has 16 characters. Slice Thickness is the
///   distance of slices. A grid whose slices count against the normal of their rows and columns is written as it is;
///   a reader gives its slices back in the other order, each voxel at its place.
/// - No date is written. A UID that is not given is made from all that is written, so equal calls give equal bytes.
///
/// # Errors
/// [`StoreError::Request`] for a grid without a place or with rows and columns that are not perpendicular (a cosine
/// above 0.001), more than one channel, values of another meaning than the modality has (Hounsfield units for a CT, and
/// for nothing else), more than 65535 rows or columns, and text that does not fit; [`StoreError::Exists`] where
/// something of that name is; [`StoreError`] when writing fails.
///
/// # Example
/// ```
/// use kd_data::format::{DicomModality, SeriesFacts, Tilt, files_below, read_dicom_volume, write_dicom_series};
/// use kd_image::{Affine, Geometry, Image, Intensity};
/// let folder = tempfile::tempdir()?;
/// let affine = Affine { matrix: [[-0.5, 0.0, 0.0, 9.0], [0.0, -0.5, 0.0, 8.0], [0.0, 0.0, 2.0, -7.0], [0.0, 0.0, 0.0, 1.0]] };
/// let grid = Geometry::<3>::placed([2, 1, 2], affine)?;
/// let ct = Image::new(1, grid, Intensity::Hounsfield, vec![-1000.0, 40.0, 0.0, 3000.0])?;
/// let facts = SeriesFacts {
///     modality: DicomModality::Ct,
///     study: None,
///     series: None,
///     frame_of_reference: None,
///     patient_id: "phantom-1".into(),
///     description: "Two slices".into(),
/// };
/// write_dicom_series(&folder.path().join("ct"), &ct, &facts)?;
/// let files = vec![folder.path().join("ct/0001.dcm"), folder.path().join("ct/0002.dcm")];
/// assert_eq!(read_dicom_volume(&files, Tilt::Refuse)?.image, ct);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_dicom_series(folder: &Path, volume: &Image<3>, facts: &SeriesFacts) -> Result<(), StoreError> {
    check_text("patient id of a DICOM series", &facts.patient_id, 64)?;
    check_text("description of a DICOM series", &facts.description, 64)?;
    let modality = facts.modality;
    let digest = digest(volume);
    let new = |purpose: &[u8], given: &Option<Uid>| {
        let parts = [purpose, modality.code().as_bytes(), facts.patient_id.as_bytes(), facts.description.as_bytes()];
        given.clone().unwrap_or_else(|| Uid::derived(&[parts[0], parts[1], parts[2], parts[3], &digest]))
    };
    let mut shared = Attributes::default();
    shared.text(0x0008, 0x0005, "ISO_IR 192");
    shared.text(0x0010, 0x0010, &facts.patient_id);
    shared.text(0x0010, 0x0020, &facts.patient_id);
    shared.text(0x0020, 0x000D, new(b"study", &facts.study).as_str());
    shared.text(0x0020, 0x0052, new(b"frame of reference", &facts.frame_of_reference).as_str());
    let series = new(b"series", &facts.series);
    Series { shared, modality, series, description: &facts.description, digest, source: None }.write(folder, volume)
}

/// Writes a volume as a new series in the study and frame of reference that it was derived from.
///
/// # Policy
/// As [`write_dicom_series`]. Patient, study and frame of reference are the source's own; UIDs of the series and its
/// images are new, made from the source's and all that is written. Image Type is `DERIVED\SECONDARY`; each image names
/// the slices that it was made from: the one at its place on the source's grid, those within a step on a parallel grid,
/// all of them on another.
///
/// # Errors
/// As [`write_dicom_series`]; [`StoreError::Request`] too for a source that is neither CT nor MR, and for letters that
/// the source's character set does not hold.
pub fn write_derived_series(
    folder: &Path,
    volume: &Image<3>,
    facts: &DerivedFacts,
    source: &DerivedFrom,
) -> Result<(), StoreError> {
    for (what, text, longest) in [
        ("description of a DICOM series", &facts.description, 64),
        ("derivation of a DICOM series", &facts.derivation, 1024),
    ] {
        check_text(what, text, longest)?;
        source.check_characters(what, text)?;
    }
    let modality = match source.modality.as_deref() {
        Some("CT") => DicomModality::Ct,
        Some("MR") => DicomModality::Mr,
        _ => return Err(request("source of a derived series", "a CT or an MR series", "another modality")),
    };
    let digest = digest(volume);
    let texts = [facts.description.as_bytes(), facts.derivation.as_bytes()];
    let series = Uid::derived(&[b"derived series", source.series.as_str().as_bytes(), texts[0], texts[1], &digest]);
    let mut shared = source.shared();
    shared.text(0x0008, 0x2111, &facts.derivation);
    Series { shared, modality, series, description: &facts.description, digest, source: Some(source) }
        .write(folder, volume)
}

fn digest(volume: &Image<3>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for axis in volume.geometry().shape() {
        hash.update((axis as u64).to_le_bytes());
    }
    for entry in volume.geometry().affine().iter().flat_map(|affine| affine.matrix.iter().flatten()) {
        hash.update(entry.to_le_bytes());
    }
    let mut block = Vec::with_capacity(1 << 16);
    for values in volume.values().chunks(1 << 14) {
        block.clear();
        block.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        hash.update(&block);
    }
    hash.finalize().into()
}

struct Series<'a> {
    shared: Attributes,
    modality: DicomModality,
    series: Uid,
    description: &'a str,
    digest: [u8; 32],
    source: Option<&'a DerivedFrom>,
}

impl Series<'_> {
    fn write(mut self, folder: &Path, volume: &Image<3>) -> Result<(), StoreError> {
        if volume.channels() != 1 {
            return Err(request("channels of a DICOM series", "1", volume.channels().to_string()));
        }
        if (self.modality == DicomModality::Ct) != (volume.intensity() == Intensity::Hounsfield) {
            let expected = "hounsfield for CT, another for MR";
            return Err(request("values of a DICOM series", expected, volume.intensity().name()));
        }
        let planes = Planes::of(volume.geometry())?;
        let [_, rows, columns] = volume.geometry().shape();
        let (Ok(rows_word), Ok(columns_word)) = (u16::try_from(rows), u16::try_from(columns)) else {
            let found = format!("{rows} × {columns}");
            return Err(request("rows and columns of a DICOM series", "65535 at most", found));
        };
        let quantizer = Quantizer::of(volume.values());
        self.complete(&planes, quantizer);
        self.shared.words(0x0028, 0x0010, &[rows_word]);
        self.shared.words(0x0028, 0x0011, &[columns_word]);
        let staged = StagedFolder::create(folder)?;
        let slices: Vec<&[f32]> = volume.values().chunks(rows * columns).collect();
        slices.par_iter().enumerate().try_for_each(|(index, values)| {
            let bytes = self.image(index, values, &planes, quantizer, volume)?;
            write_atomic(&staged.path().join(format!("{:04}.dcm", index + 1)), &bytes)
        })?;
        staged.commit().map(drop)
    }

    /// What all images of the series have in common.
    fn complete(&mut self, planes: &Planes, quantizer: Quantizer) {
        let shared = &mut self.shared;
        empty_where_missing(shared);
        for (group, element) in [(0x0018, 0x5100), (0x0020, 0x0012), (0x0020, 0x0060)] {
            shared.text_if_missing(group, element, "");
        }
        shared.text(0x0008, 0x0016, self.modality.class());
        shared.text(0x0008, 0x0060, self.modality.code());
        shared.text(0x0008, 0x103E, self.description);
        shared.text(0x0020, 0x000E, self.series.as_str());
        shared.decimals(0x0018, 0x0050, &[planes.gap()]);
        shared.decimals(0x0020, 0x0037, &planes.orientation());
        shared.decimals(0x0028, 0x0030, &planes.pixel_spacing);
        shared.words(0x0028, 0x0002, &[1]);
        shared.text(0x0028, 0x0004, "MONOCHROME2");
        for (element, value) in [(0x0100, 16), (0x0101, 16), (0x0102, 15), (0x0103, 1)] {
            shared.words(0x0028, element, &[value]);
        }
        match self.modality {
            DicomModality::Ct => {
                shared.text(0x0008, 0x0008, "DERIVED\\SECONDARY\\AXIAL");
                shared.text(0x0018, 0x0060, "");
                shared.text(0x0028, 0x1054, "HU");
            }
            DicomModality::Mr => {
                shared.text(0x0008, 0x0008, "DERIVED\\SECONDARY\\OTHER");
                // Research mode, no variant: what scanned it, if anything did, is not known here.
                shared.text(0x0018, 0x0020, "RM");
                shared.text(0x0018, 0x0021, "NONE");
                for element in [0x0022, 0x0023, 0x0080, 0x0081, 0x0091] {
                    shared.text(0x0018, element, "");
                }
                if !quantizer.is_identity() {
                    shared.text(0x0028, 0x1054, "US");
                }
            }
        }
        if self.modality == DicomModality::Ct || !quantizer.is_identity() {
            shared.text(0x0028, 0x1052, &decimal_text(quantizer.intercept));
            shared.text(0x0028, 0x1053, &decimal_text(quantizer.slope));
        }
    }

    fn image(
        &self,
        index: usize,
        values: &[f32],
        planes: &Planes,
        quantizer: Quantizer,
        volume: &Image<3>,
    ) -> Result<Vec<u8>, StoreError> {
        let mut image = self.shared.clone();
        let number = (index as u64).to_le_bytes();
        let instance = Uid::derived(&[b"image", self.series.as_str().as_bytes(), &self.digest, &number]);
        image.text(0x0008, 0x0018, instance.as_str());
        image.text(0x0020, 0x0013, &(index + 1).to_string());
        image.decimals(0x0020, 0x0032, &planes.position(index));
        if let Some(source) = self.source {
            let places = source.slices_of(volume.geometry(), index)?;
            image.items(0x0008, 0x2112, places.into_iter().map(|place| source.reference(place)).collect());
        }
        image.bytes(0x7FE0, 0x0010, quantizer.bytes(values));
        let mut body = Encoder::new(Encoding::EXPLICIT);
        let bytes = image
            .encode(&mut body)
            .and_then(|()| encode::file(self.modality.class(), instance.as_str(), EXPLICIT_LITTLE_ENDIAN, &body.bytes));
        bytes.map_err(|problem: Problem| problem.refused("image of a DICOM series"))
    }
}
