//! A file of equal records: numbers followed by a digest of their own.
//!
//! Records are read by position, so a store larger than memory works; each carries its digest, so a damaged record is
//! found when it is read and not only when somebody verifies the whole file. The digest covers the record's number too:
//! records that changed places do not pass.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use half::f16;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::StoreError;

const DIGEST: usize = 8;

/// How a number is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// 2 bytes: 11 significant bits, up to 65504. Larger values are refused, not cut.
    F16,
    /// 4 bytes: exactly what was given.
    F32,
}

impl Element {
    /// Bytes of one number.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }

    /// The value as it will be read back.
    #[must_use]
    pub fn rounded(self, value: f32) -> f32 {
        match self {
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::F32 => value,
        }
    }
}

/// Number, length and element of the records of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordLayout {
    pub(crate) n_records: usize,
    pub(crate) n_values: usize,
    pub(crate) element: Element,
}

impl RecordLayout {
    fn record_bytes(self) -> usize {
        self.n_values * self.element.size() + DIGEST
    }

    /// The size of the file, or nothing where that cannot be counted.
    pub(crate) fn file_bytes(self) -> Option<u64> {
        let record = self.n_values.checked_mul(self.element.size())?.checked_add(DIGEST)?;
        Some(record.checked_mul(self.n_records)? as u64)
    }
}

fn digest(index: usize, values: &[u8]) -> [u8; DIGEST] {
    let full = Sha256::new().chain_update((index as u64).to_le_bytes()).chain_update(values).finalize();
    std::array::from_fn(|i| full[i])
}

/// Writes records in any order.
#[derive(Debug)]
pub(crate) struct RecordWriter {
    file: File,
    path: PathBuf,
    layout: RecordLayout,
    written: Vec<bool>,
}

impl RecordWriter {
    pub(crate) fn create(path: &Path, layout: RecordLayout) -> Result<Self, StoreError> {
        let size = layout.file_bytes().ok_or_else(|| StoreError::Request {
            what: "records to store".into(),
            expected: "a size that can be counted".into(),
            found: format!("{} records of {} values", layout.n_records, layout.n_values),
        })?;
        let failed = |source| StoreError::io("writing", path, source);
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
        file.set_len(size).map_err(failed)?;
        Ok(Self { file, path: path.to_path_buf(), layout, written: vec![false; layout.n_records] })
    }

    /// Writes one record; `name` says whose it is in errors.
    pub(crate) fn write(&mut self, index: usize, values: &[f32], name: &str) -> Result<(), StoreError> {
        let refused = |what: &str, expected: String, found: String| StoreError::Request {
            what: format!("{what} of {name}"),
            expected,
            found,
        };
        if values.len() != self.layout.n_values {
            return Err(refused("number of values", self.layout.n_values.to_string(), values.len().to_string()));
        }
        let Some(written) = self.written.get_mut(index) else {
            return Err(refused("position", format!("less than {}", self.layout.n_records), index.to_string()));
        };
        if *written {
            return Err(refused("values", "one record".into(), "a second one".into()));
        }
        let mut bytes = Vec::with_capacity(self.layout.record_bytes());
        for (position, &value) in values.iter().enumerate() {
            let stored = self.layout.element.rounded(value);
            if !stored.is_finite() {
                let hint = if value.is_finite() { " (f16 ends at 65504; store f32)" } else { "" };
                return Err(refused("values", "finite numbers".into(), format!("{value} at {position}{hint}")));
            }
            match self.layout.element {
                Element::F16 => bytes.extend_from_slice(&f16::from_f32(value).to_le_bytes()),
                Element::F32 => bytes.extend_from_slice(&value.to_le_bytes()),
            }
        }
        let sum = digest(index, &bytes);
        bytes.extend_from_slice(&sum);
        let offset = (index * self.layout.record_bytes()) as u64;
        self.file.write_all_at(&bytes, offset).map_err(|source| StoreError::io("writing", &self.path, source))?;
        *written = true;
        Ok(())
    }

    /// The first record that is missing.
    pub(crate) fn missing(&self) -> Option<usize> {
        self.written.iter().position(|&written| !written)
    }
}

/// Reads records by position.
#[derive(Debug)]
pub(crate) struct RecordReader {
    file: File,
    path: PathBuf,
    layout: RecordLayout,
    loaded: Option<Vec<f32>>,
}

impl RecordReader {
    /// Opens a file whose size has to fit the layout.
    pub(crate) fn open(path: &Path, layout: RecordLayout) -> Result<Self, StoreError> {
        let failed = |source| StoreError::io("reading", path, source);
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        match layout.file_bytes() {
            Some(expected) if expected == found => {}
            expected => {
                let expected = expected.map_or_else(|| "a size that can be counted".into(), |n| format!("{n} bytes"));
                return Err(StoreError::damaged(path, expected, format!("{found} bytes")));
            }
        }
        Ok(Self { file, path: path.to_path_buf(), layout, loaded: None })
    }

    pub(crate) fn layout(&self) -> RecordLayout {
        self.layout
    }

    /// Reads and checks everything once and keeps it.
    pub(crate) fn load(&mut self) -> Result<(), StoreError> {
        if self.loaded.is_none() {
            let n_values = self.layout.n_values;
            let mut all = vec![0.0; self.layout.n_records * n_values];
            if n_values > 0 {
                for (index, values) in all.chunks_exact_mut(n_values).enumerate() {
                    self.read(index, values)?;
                }
            }
            self.loaded = Some(all);
        }
        Ok(())
    }

    /// Reads and checks one record; `values` has room for exactly one, and `index` is below the number of records.
    pub(crate) fn read(&self, index: usize, values: &mut [f32]) -> Result<(), StoreError> {
        let n_values = self.layout.n_values;
        if index >= self.layout.n_records || values.len() != n_values {
            return Err(StoreError::Request {
                what: format!("record {index} into room for {} values", values.len()),
                expected: format!("a record below {} and room for {n_values}", self.layout.n_records),
                found: "neither or one of them".into(),
            });
        }
        if let Some(all) = &self.loaded {
            values.copy_from_slice(&all[index * n_values..(index + 1) * n_values]);
            return Ok(());
        }
        let mut bytes = vec![0; self.layout.record_bytes()];
        let offset = (index * bytes.len()) as u64;
        self.file.read_exact_at(&mut bytes, offset).map_err(|source| StoreError::io("reading", &self.path, source))?;
        let (numbers, sum) = bytes.split_at(bytes.len() - DIGEST);
        if digest(index, numbers) != *sum {
            return Err(StoreError::damaged(&self.path, format!("record {index} as written"), "other bytes"));
        }
        match self.layout.element {
            Element::F16 => {
                for (value, item) in values.iter_mut().zip(numbers.as_chunks::<2>().0) {
                    *value = f16::from_le_bytes(*item).to_f32();
                }
            }
            Element::F32 => {
                for (value, item) in values.iter_mut().zip(numbers.as_chunks::<4>().0) {
                    *value = f32::from_le_bytes(*item);
                }
            }
        }
        Ok(())
    }
}
