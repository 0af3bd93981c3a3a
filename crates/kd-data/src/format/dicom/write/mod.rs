//! Writing: volumes as series of CT or MR images, results as series and segmentations beside what they came from.
//!
//! ```text
//! plane        quantize      source                      series, segmentation
//! RAS ─▶ LPS   f32 ─▶ int16  patient, study, references  modules of each object
//! ```
//!
//! Explicit VR Little Endian, UTF-8. No time is invented: dates that the standard lets be empty are empty, and the one
//! that it does not is an argument. Equal arguments give equal bytes.

mod plane;
mod quantize;
mod segmentation;
mod series;
mod source;

pub use segmentation::{SegmentationFacts, write_fractional_segmentation, write_segmentation};
pub use series::{DerivedFacts, DicomModality, SeriesFacts, write_derived_series, write_dicom_series};
pub use source::DerivedFrom;

use super::encode::Attributes;
use crate::store::StoreError;

pub(super) const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";

pub(super) fn request(what: &str, expected: impl Into<String>, found: impl Into<String>) -> StoreError {
    StoreError::Request { what: what.into(), expected: expected.into(), found: found.into() }
}

/// Text of one value: no control character, no backslash (it sets values apart), and as short as the standard asks.
pub(super) fn check_text(what: &str, text: &str, longest: usize) -> Result<(), StoreError> {
    let length = text.chars().count();
    if length > longest {
        return Err(request(what, format!("at most {longest} characters"), length.to_string()));
    }
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return Err(request(what, "text without control characters and backslashes", "one with such"));
    }
    Ok(())
}

/// A text as DICOM takes it for a name: 64 characters, without backslashes and control characters.
///
/// ```
/// assert_eq!(kd_data::format::dicom_name("liver\\tumour"), "livertumour");
/// ```
#[must_use]
pub fn dicom_name(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && *c != '\\').take(64).collect()
}

/// What the standard asks for in every image and lets be empty: dates and times, physician, study, birth, sex, maker.
fn empty_where_missing(set: &mut Attributes) {
    for (group, element) in [
        (0x0008, 0x0020),
        (0x0008, 0x0030),
        (0x0008, 0x0050),
        (0x0008, 0x0070),
        (0x0008, 0x0090),
        (0x0010, 0x0010),
        (0x0010, 0x0020),
        (0x0010, 0x0030),
        (0x0010, 0x0040),
        (0x0020, 0x0010),
        (0x0020, 0x0011),
        (0x0020, 0x1040),
    ] {
        set.text_if_missing(group, element, "");
    }
}
