//! Zip archives whose bytes follow from their contents: one level of compression, one time stamp, one set of rights.

use std::borrow::Cow;
use std::io::{Cursor, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{StoreError, write_atomic};

/// Writes entries in the order given, whole or not at all; two of one name are refused.
pub(crate) fn write_archive<'a>(
    path: &Path,
    entries: impl IntoIterator<Item = Result<(String, Cow<'a, [u8]>), StoreError>>,
) -> Result<(), StoreError> {
    let failed = |error: zip::result::ZipError| StoreError::io("packing", path, std::io::Error::other(error));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let (name, bytes) = entry?;
        writer.start_file(name, options.large_file(bytes.len() > 1 << 31)).map_err(failed)?;
        writer.write_all(&bytes).map_err(|source| StoreError::io("packing", path, source))?;
    }
    write_atomic(path, &writer.finish().map_err(failed)?.into_inner())
}
