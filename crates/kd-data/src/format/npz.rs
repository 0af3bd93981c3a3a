//! NumPy's archive: a zip file with one `.npy` member an array. MedMNIST publishes its sets so.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zip::ZipArchive;

use super::error::Problem;
use super::npy::{NpyArray, StoredArray, header_length, parse_header};
use super::npy_value::NpyValue;
use super::{FileFormat, FormatError};
use crate::store::{StoreError, write_archive};

/// Deflate cannot shrink by more than about 1032 to 1, so a member that promises more is a lie.
const DEFLATE_LIMIT: u64 = 1100;
/// The largest member that is read; a set beyond it needs a reader that streams.
const LARGEST_MEMBER: u64 = 8 << 30;

/// Where the bytes of an archive come from.
trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// An open `.npz` archive; members are read when they are asked for.
pub struct Npz {
    path: PathBuf,
    archive: Mutex<ZipArchive<Box<dyn Source>>>,
    members: BTreeMap<String, usize>,
}

impl std::fmt::Debug for Npz {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Npz").field("path", &self.path).field("members", &self.members).finish_non_exhaustive()
    }
}

impl Npz {
    /// Opens an archive and reads its table of contents.
    ///
    /// # Errors
    /// [`FormatError::Empty`] for 0 bytes, [`FormatError::Content`] for a file that is no zip archive or is cut off,
    /// and for two members of one name.
    ///
    /// # Example
    /// ```
    /// use kd_data::format::{Npz, NpyArray, NpyValue, write_npz};
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("set.npz");
    /// let labels = NpyArray { shape: vec![2, 1], values: vec![1u8, 0] };
    /// write_npz(&path, &[("train_labels", NpyValue::U8(labels))])?;
    /// let npz = Npz::open(&path)?;
    /// assert_eq!(npz.names(), ["train_labels"]);
    /// assert_eq!(npz.integers("train_labels")?.values, [1, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        let failed = |source| FormatError::read(path, source);
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() == 0 {
            return Err(FormatError::Empty { path: crate::store::path_tail(path), expected: "an npz archive".into() });
        }
        Self::new(Box::new(BufReader::new(file)), path)
    }

    /// Reads an archive from memory; `path` only names it in errors.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self, FormatError> {
        Self::new(Box::new(Cursor::new(bytes)), path)
    }

    fn new(source: Box<dyn Source>, path: &Path) -> Result<Self, FormatError> {
        let problem =
            |error: zip::result::ZipError| Problem::truncated("an npz archive (zip)", error.to_string()).at(path, None);
        let archive = ZipArchive::new(source).map_err(problem)?;
        if archive.has_duplicate_names() {
            return Err(Problem::new("members of different names", "two of one name").at(path, None));
        }
        let mut members = BTreeMap::new();
        for index in 0..archive.len() {
            let name = archive.name_for_index(index).transpose().map_err(problem)?.unwrap_or_default();
            if let Some(name) = name.strip_suffix(".npy") {
                members.insert(name.to_string(), index);
            }
        }
        if members.is_empty() {
            return Err(Problem::new("an npz archive with arrays", "no member ending in .npy").at(path, None));
        }
        Ok(Self { path: path.to_path_buf(), archive: Mutex::new(archive), members })
    }

    /// The names of all arrays, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.members.keys().map(String::as_str).collect()
    }

    /// Whether there is an array of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Reads an array as it was stored.
    ///
    /// # Errors
    /// [`FormatError::Content`] for a name that is not there (the error lists those that are), a damaged or cut-off
    /// member, a header that promises another size, and element types without a reader, object arrays among them.
    pub fn array(&self, name: &str) -> Result<StoredArray, FormatError> {
        let Some(&index) = self.members.get(name) else {
            let found = format!("arrays {}", self.names().join(", "));
            return Err(Problem::new(format!("an array `{name}`"), found).at(&self.path, None));
        };
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let (header, data) = read_member(&mut archive, index).map_err(|problem| problem.at(&self.path, Some(name)))?;
        StoredArray::new(header, data, &self.path, Some(name))
    }

    /// [`array`](Self::array), then [`StoredArray::bytes`].
    ///
    /// # Errors
    /// As those two.
    pub fn array_u8(&self, name: &str) -> Result<NpyArray<u8>, FormatError> {
        self.array(name)?.bytes()
    }

    /// [`array`](Self::array), then [`StoredArray::integers`].
    ///
    /// # Errors
    /// As those two.
    pub fn integers(&self, name: &str) -> Result<NpyArray<i64>, FormatError> {
        self.array(name)?.integers()
    }

    /// [`array`](Self::array), then [`StoredArray::floats`].
    ///
    /// # Errors
    /// As those two.
    pub fn floats(&self, name: &str) -> Result<NpyArray<f64>, FormatError> {
        self.array(name)?.floats()
    }

    /// [`array`](Self::array), then [`StoredArray::texts`].
    ///
    /// # Errors
    /// As those two.
    pub fn texts(&self, name: &str) -> Result<NpyArray<String>, FormatError> {
        self.array(name)?.texts()
    }
}

fn read_member(
    archive: &mut ZipArchive<Box<dyn Source>>,
    index: usize,
) -> Result<(super::npy::Header, Vec<u8>), Problem> {
    let cut = |error: &dyn std::fmt::Display| Problem::truncated("a whole member", error.to_string());
    let mut member = archive.by_index(index).map_err(|error| cut(&error))?;
    let (size, packed) = (member.size(), member.compressed_size());
    if size > packed.saturating_mul(DEFLATE_LIMIT).saturating_add(1024) || size > LARGEST_MEMBER {
        let expected = format!("a size that {packed} compressed bytes can hold, at most {LARGEST_MEMBER}");
        return Err(Problem::new(expected, format!("{size} bytes promised")));
    }
    let mut start = Vec::new();
    (&mut member).take(12).read_to_end(&mut start).map_err(|error| cut(&error))?;
    let length = header_length(&start)?;
    let wanted = (length as u64).saturating_sub(start.len() as u64);
    (&mut member).take(wanted).read_to_end(&mut start).map_err(|error| cut(&error))?;
    // A version 1 header can be shorter than the 12 bytes that were looked at only if it is broken.
    let header = parse_header(&start)?;
    let promised = header.data_start as u64 + header.data_bytes as u64;
    if promised != size {
        let expected = format!("{promised} bytes for shape {:?}", header.shape);
        return Err(Problem::truncated(expected, format!("a member of {size} bytes")));
    }
    let mut data = start.split_off(header.data_start.min(start.len()));
    // Grows with what is really there; the checksum is compared at the end of the member.
    member.take(size).read_to_end(&mut data).map_err(|error| cut(&error))?;
    Ok((header, data))
}

/// What kind of zip archive a file is; a broken one is just a zip archive.
pub(crate) fn kind_of_zip(file: File) -> FileFormat {
    let Ok(archive) = ZipArchive::new(BufReader::new(file)) else { return FileFormat::Zip };
    let names: Vec<String> = archive.file_names().filter_map(Result::ok).map(Into::into).collect();
    if names.iter().any(|name| name == "data.pkl" || name.ends_with("/data.pkl")) {
        FileFormat::TorchZip
    } else if names.iter().any(|name| name.ends_with(".npy")) {
        FileFormat::Npz
    } else {
        FileFormat::Zip
    }
}

/// Writes an archive, whole or not at all.
///
/// # Policy
/// Members in the order given, deflated, with the same time stamp always: equal arrays give equal bytes.
///
/// # Errors
/// [`StoreError`]; two arrays of one name are refused.
pub fn write_npz(path: &Path, arrays: &[(&str, NpyValue)]) -> Result<(), StoreError> {
    let entries = arrays.iter().map(|(name, value)| Ok((format!("{name}.npy"), value.to_bytes()?.into())));
    write_archive(path, entries)
}
