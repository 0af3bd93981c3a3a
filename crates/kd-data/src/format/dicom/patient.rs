//! Who an image is of: what keeps all images of one person in one split. The answer never leaves the import.

use std::path::Path;

use super::super::FormatError;
use super::container::with_header;
use super::data_set::{Select, Value};
use super::tag;

/// The Patient ID of a file as it is spelled there, without blanks around it; none where it is empty or missing.
pub(crate) fn patient_of(path: &Path) -> Result<Option<String>, FormatError> {
    with_header(path, Select::Listed, |set| {
        let value = set.elements.get(&tag::PATIENT_ID).map(|element| &element.value);
        let Some(Value::Bytes(bytes)) = value else { return Ok(None) };
        let text = String::from_utf8_lossy(bytes);
        let id = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        Ok((!id.is_empty()).then(|| id.to_owned()))
    })
}
