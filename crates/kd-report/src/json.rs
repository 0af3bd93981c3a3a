//! `record.json` and `timing.json`: written in one key order, strict on reading.
//!
//! Keys stand in the order of the struct fields and lists in their own order, so equal records are equal bytes. The
//! schema is read before anything else: a record of another version gets an answer about versions, not about the first
//! field that happens to differ.

use crate::check;
use crate::record::{RunRecord, SCHEMA};
use crate::timing::{TIMING_SCHEMA, Timing};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why a record can't be read or written.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Not JSON, or not this layout.
    #[error("{what} can't be read or written: {source}")]
    Json {
        /// Which document.
        what: &'static str,
        /// What serde says, with line and column.
        source: serde_json::Error,
    },
    /// Another version of the layout.
    #[error(
        "{what} has another schema: expected {expected}, found {found}\nhint: read it with the version that wrote it, \
         or run `kd report RECIPE` again to write it anew"
    )]
    Schema {
        /// Which document.
        what: &'static str,
        /// The schema of this program.
        expected: u32,
        /// The schema of the document.
        found: u64,
    },
    /// A number that is NaN or infinite where a plain number must stand.
    #[error("{place} is not finite: expected a number, found NaN or infinity")]
    NotFinite {
        /// Where, as a path of keys.
        place: String,
    },
    /// Parts that contradict each other.
    #[error("{place} does not fit: expected {expected}, found {found}")]
    Invalid {
        /// Where.
        place: String,
        /// What would fit.
        expected: String,
        /// What stands there.
        found: String,
    },
}

/// Writes a record as JSON with stable key order, ending in a newline.
///
/// # Errors
/// Where a number is not finite or parts contradict each other (see [`read_record`]).
pub fn write_record(record: &RunRecord) -> Result<String, RecordError> {
    check::record(record)?;
    pretty("record.json", record)
}

/// Reads and checks a record.
///
/// # Errors
/// Broken JSON, another schema, an unknown field, a metric without definition, columns of different lengths, a
/// difference between arms that do not exist.
pub fn read_record(text: &str) -> Result<RunRecord, RecordError> {
    let record: RunRecord = strict("record.json", SCHEMA, text)?;
    check::record(&record)?;
    Ok(record)
}

/// Writes times as JSON with stable key order, ending in a newline.
///
/// # Errors
/// Where a time is not finite.
pub fn write_timing(timing: &Timing) -> Result<String, RecordError> {
    check::finite(timing, "timing.json")?;
    pretty("timing.json", timing)
}

/// Reads times.
///
/// # Errors
/// Broken JSON, another schema, an unknown field.
pub fn read_timing(text: &str) -> Result<Timing, RecordError> {
    strict("timing.json", TIMING_SCHEMA, text)
}

fn pretty<T: serde::Serialize>(what: &'static str, document: &T) -> Result<String, RecordError> {
    let mut text = serde_json::to_string_pretty(document).map_err(|source| RecordError::Json { what, source })?;
    text.push('\n');
    Ok(text)
}

fn strict<T: DeserializeOwned>(what: &'static str, expected: u32, text: &str) -> Result<T, RecordError> {
    #[derive(Deserialize)]
    struct Version {
        schema: u64,
    }
    let found = serde_json::from_str::<Version>(text).map_err(|source| RecordError::Json { what, source })?.schema;
    if found != u64::from(expected) {
        return Err(RecordError::Schema { what, expected, found });
    }
    serde_json::from_str(text).map_err(|source| RecordError::Json { what, source })
}
