//! What a file belongs to: a patient, whose images stay in one split, a series, and itself. The answers never leave the import.

use std::path::Path;

use super::super::FormatError;
use super::container::with_header;
use super::data_set::{DataSet, Select, Value};
use super::segmentation;
use super::tag::{self, Tag};

/// Of one file, as it is spelled there, without blanks around it; none where it is empty or missing.
pub(crate) struct Belonging {
    pub(crate) patient: Option<String>,
    pub(crate) series: Option<String>,
    pub(crate) instance: Option<String>,
    /// Whether its pixels are masks.
    pub(crate) is_segmentation: bool,
}

/// Reads what a file of pixels belongs to; only its header is read where the file begins with it.
pub(crate) fn belonging_of(path: &Path) -> Result<Belonging, FormatError> {
    with_header(path, Select::Listed, |set| {
        Ok(Belonging {
            patient: text(set, tag::PATIENT_ID),
            series: text(set, tag::SERIES_UID),
            instance: text(set, tag::SOP_INSTANCE),
            is_segmentation: segmentation::is_one(set),
        })
    })
}

fn text(set: &DataSet<'_>, tag: Tag) -> Option<String> {
    let Some(Value::Bytes(bytes)) = set.elements.get(&tag).map(|element| &element.value) else { return None };
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}
