//! The store of soft labels: `soft/<hash>/` with a teacher's raw answers by sample and view, and the key they belong to.
//!
//! A student that learns from another teacher's answers, or from answers on another preparation, learns something, and
//! nobody notices. So the key is part of the store, and opening it asks for the key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kd_image::{SampleId, SoftTargetSource, SourceError};
use serde::{Deserialize, Serialize};

use super::checksum::{check, write_checksums};
use super::record::{Element, RecordLayout, RecordReader, RecordWriter};
use super::{StagedFolder, StoreError, path_tail};
use crate::digest::sha256_hex;

const ANSWERS: &str = "answers.bin";
const KEY: &str = "key.json";
const FILES: [&str; 2] = [ANSWERS, KEY];
const SCHEMA: u32 = 1;

/// What a set of answers belongs to; any difference makes other answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftKey {
    /// Hash of the data set and its split.
    pub data: String,
    /// Hash of the preparation.
    pub preparation: String,
    /// Hash of the teacher's parameters and statistics (of all teachers, for an ensemble or folds).
    pub teacher: String,
    /// How views are made: augmentation and its key.
    pub view_policy: String,
    /// Views a sample.
    pub n_views: u32,
    /// Which fold's teacher answered for which sample, as a hash with the number of folds; none without cross-fitting.
    pub folds: Option<String>,
}

impl SoftKey {
    /// The hash that the folder is called by.
    #[must_use]
    pub fn hash(&self) -> String {
        let Self { data, preparation, teacher, view_policy, n_views, folds } = self;
        // Lengths in front, so that no two keys give one text.
        let mut text = format!("soft labels {SCHEMA}\n{n_views}\n");
        for part in [data, preparation, teacher, view_policy, folds.as_ref().unwrap_or(&String::new())] {
            text.push_str(&format!("{}:{part}\n", part.len()));
        }
        text.push_str(if folds.is_some() { "folds" } else { "whole" });
        sha256_hex(text.as_bytes())
    }

    fn difference<'a>(&'a self, other: &'a Self) -> Option<(&'static str, String, String)> {
        let none = || "none".to_string();
        let pairs = [
            ("data set", self.data.clone(), other.data.clone()),
            ("preparation", self.preparation.clone(), other.preparation.clone()),
            ("teacher", self.teacher.clone(), other.teacher.clone()),
            ("view policy", self.view_policy.clone(), other.view_policy.clone()),
            ("number of views", self.n_views.to_string(), other.n_views.to_string()),
            ("fold plan", self.folds.clone().unwrap_or_else(none), other.folds.clone().unwrap_or_else(none)),
        ];
        pairs.into_iter().find(|(_, mine, theirs)| mine != theirs)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    schema: u32,
    key: SoftKey,
    n_values: usize,
    element: Element,
    samples: Vec<String>,
}

/// Writes a store of soft labels.
#[derive(Debug)]
pub struct SoftStoreWriter {
    staged: StagedFolder,
    records: RecordWriter,
    header: Header,
}

impl SoftStoreWriter {
    /// Starts the folder for `samples` in their order, [`SoftKey::n_views`] answers of `n_values` numbers each.
    ///
    /// # Errors
    /// [`StoreError::Request`] for no samples, no views, no values or a sample named twice; [`StoreError::Exists`],
    /// [`StoreError::Full`] and [`StoreError::Io`].
    pub fn create(
        folder: &Path,
        key: SoftKey,
        samples: &[SampleId],
        n_values: usize,
        element: Element,
    ) -> Result<Self, StoreError> {
        let refused = |expected: &str, found: String| {
            Err(StoreError::Request { what: "soft labels to store".into(), expected: expected.into(), found })
        };
        if samples.is_empty() || key.n_views == 0 || n_values == 0 {
            let found = format!("{} samples, {} views, {n_values} values", samples.len(), key.n_views);
            return refused("at least one sample, view and value", found);
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = samples.iter().find(|sample| !seen.insert(*sample)) {
            return refused("samples of different names", format!("`{twice}` twice"));
        }
        let Some(n_records) = samples.len().checked_mul(key.n_views as usize) else {
            return refused("a number of answers that can be counted", format!("{} views", key.n_views));
        };
        let staged = StagedFolder::create(folder)?;
        let layout = RecordLayout { n_records, n_values, element };
        let records = RecordWriter::create(&staged.path().join(ANSWERS), layout)?;
        let samples = samples.iter().map(ToString::to_string).collect();
        Ok(Self { staged, records, header: Header { schema: SCHEMA, key, n_values, element, samples } })
    }

    /// Stores the answer for one sample (by its position in the list given to `create`) in one view.
    ///
    /// # Errors
    /// [`StoreError::Request`] for a position or view past the end, another number of values, a value that is not
    /// finite or too large for the element, or an answer that was stored before; [`StoreError::Full`],
    /// [`StoreError::Io`].
    pub fn write(&mut self, sample: usize, view: u32, values: &[f32]) -> Result<(), StoreError> {
        let (n_samples, n_views) = (self.header.samples.len(), self.header.key.n_views);
        if sample >= n_samples || view >= n_views {
            return Err(StoreError::Request {
                what: "soft label".into(),
                expected: format!("a sample below {n_samples} and a view below {n_views}"),
                found: format!("sample {sample}, view {view}"),
            });
        }
        let name = format!("sample `{}` in view {view}", self.header.samples[sample]);
        self.records.write(sample * n_views as usize + view as usize, values, &name)
    }

    /// Closes the store and gives the folder its name.
    ///
    /// # Errors
    /// [`StoreError::Request`] when an answer is missing, and whatever the file system reports; nothing is left behind
    /// then.
    pub fn finish(self) -> Result<PathBuf, StoreError> {
        let n_views = self.header.key.n_views as usize;
        if let Some(missing) = self.records.missing() {
            return Err(StoreError::Request {
                what: format!("soft labels of {} samples in {n_views} views", self.header.samples.len()),
                expected: "every one".into(),
                found: format!(
                    "none for sample `{}` in view {}",
                    self.header.samples[missing / n_views],
                    missing % n_views
                ),
            });
        }
        let path = self.staged.path().join(KEY);
        let text = serde_json::to_string_pretty(&self.header)
            .map_err(|error| StoreError::io("writing", &path, error.into()))?;
        std::fs::write(&path, text + "\n").map_err(|source| StoreError::io("writing", &path, source))?;
        write_checksums(self.staged.path(), &FILES)?;
        self.staged.commit()
    }
}

/// An open store of soft labels.
#[derive(Debug)]
pub struct SoftStore {
    folder: PathBuf,
    header: Header,
    positions: BTreeMap<String, usize>,
    records: RecordReader,
}

impl SoftStore {
    /// Opens a folder whose key has to be `expected`; answers are checked as they are read.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`], naming the part of the key that differs, with both values; [`StoreError::Damaged`]
    /// for anything altered or cut off; [`StoreError::Io`].
    pub fn open(folder: &Path, expected: &SoftKey) -> Result<Self, StoreError> {
        check(folder, &FILES, &[KEY])?;
        let path = folder.join(KEY);
        let text = std::fs::read_to_string(&path).map_err(|source| StoreError::io("reading", &path, source))?;
        let header: Header =
            serde_json::from_str(&text).map_err(|error| StoreError::damaged(&path, "a key", error.to_string()))?;
        let schemas = (header.schema != SCHEMA).then(|| ("schema", SCHEMA.to_string(), header.schema.to_string()));
        if let Some((what, expected, found)) = schemas.or_else(|| expected.difference(&header.key)) {
            return Err(StoreError::Mismatch {
                path: path_tail(folder),
                what: what.into(),
                expected,
                found,
                hint: "these are the answers of something else; run `kd label` for this recipe again".into(),
            });
        }
        let positions: BTreeMap<String, usize> =
            header.samples.iter().enumerate().map(|(position, sample)| (sample.clone(), position)).collect();
        let n_records = header.samples.len().checked_mul(header.key.n_views as usize);
        let Some(n_records) = n_records.filter(|_| positions.len() == header.samples.len()) else {
            return Err(StoreError::damaged(&path, "samples of different names", "one twice, or too many"));
        };
        let layout = RecordLayout { n_records, n_values: header.n_values, element: header.element };
        let records = RecordReader::open(&folder.join(ANSWERS), layout)?;
        Ok(Self { folder: folder.to_path_buf(), header, positions, records })
    }

    /// Reads all answers into memory, checking each; later reads are copies.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Io`].
    pub fn load(&mut self) -> Result<(), StoreError> {
        self.records.load()
    }

    /// Compares every file with its checksum.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Io`].
    pub fn verify(&self) -> Result<(), StoreError> {
        check(&self.folder, &FILES, &FILES)
    }

    /// What the answers belong to.
    #[must_use]
    pub fn key(&self) -> &SoftKey {
        &self.header.key
    }

    /// How the answers are kept.
    #[must_use]
    pub fn element(&self) -> Element {
        self.header.element
    }

    /// The samples that were answered for, in stored order.
    #[must_use]
    pub fn samples(&self) -> &[String] {
        &self.header.samples
    }
}

impl SoftTargetSource for SoftStore {
    fn teacher_hash(&self) -> &str {
        &self.header.key.teacher
    }

    fn n_values(&self) -> usize {
        self.header.n_values
    }

    fn n_views(&self) -> u32 {
        self.header.key.n_views
    }

    fn read(&self, sample: &SampleId, view: u32, values: &mut [f32]) -> Result<(), SourceError> {
        let missing = || SourceError::NoSoftLabel { sample: sample.to_string(), view };
        let position = *self.positions.get(sample.as_str()).ok_or_else(missing)?;
        if view >= self.header.key.n_views {
            return Err(missing());
        }
        if values.len() != self.header.n_values {
            return Err(SourceError::Width { expected: self.header.n_values, found: values.len() });
        }
        let index = position * self.header.key.n_views as usize + view as usize;
        self.records.read(index, values).map_err(|error| SourceError::Read(error.to_string()))
    }
}
