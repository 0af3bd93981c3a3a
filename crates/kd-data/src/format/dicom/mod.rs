//! DICOM: single files, and series of files that make one volume.
//!
//! ```text
//! container ─▶ data_set ─▶ pixel_format ─▶ stored ─▶ modality ─▶ window
//! file, meta   tags        shape, bits     codecs,   table,      shades
//!                                          bits      rescale
//! ```
//!
//! Pixels come in three forms: as stored, after the modality step, and as shades for a screen. Everything that this
//! module reads was written by somebody else's scanner: what is missing, broken or contradictory is refused with the
//! file and the attribute, and nothing that identifies a patient is repeated in an error or a value.

mod codec;
mod color;
mod container;
mod data_set;
mod deidentify;
mod dictionary;
mod encode;
mod frames;
mod image;
mod lookup;
mod modality;
mod padding;
mod palette;
mod patient;
mod pixel_format;
mod segmentation;
mod slice;
mod stack;
mod stored;
mod syntax;
mod tag;
mod uid;
mod value;
mod volume;
mod window;
mod write;

pub(super) use container::starts_like_a_data_set;
pub use deidentify::{Change, Deidentification, Deidentified, Retain, Salt, deidentify_dicom};
pub use image::{DicomImage, read_dicom};
pub(crate) use patient::belonging_of;
pub use pixel_format::Photometric;
pub use segmentation::DicomSegmentation;
pub use uid::{Uid, UidError};
pub use volume::{DicomSeries, DicomStack, DicomVolume, Tilt, find_dicom_stacks, read_dicom_volume};
pub use window::{Voi, Window, WindowFunction};
pub use write::{
    DerivedFacts, DerivedFrom, DicomModality, SegmentationFacts, SeriesFacts, dicom_name, write_derived_series,
    write_dicom_series, write_fractional_segmentation, write_segmentation,
};
