//! The store of prepared samples: `prepared/<hash>/` with pixels, the table of samples and the plan that made them.
//!
//! The folder's name is a hash of what went in, so a finished one is never edited and can be shared by every run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kd_image::{Geometry, Image, Sample, SampleId, SampleSource, SourceError, Split, SubjectId, Target};

use super::checksum::{check, write_checksums};
use super::record::{Element, RecordLayout, RecordReader, RecordWriter};
use super::{StagedFolder, StoreError};
use crate::prepare::PreparePlan;

const SAMPLES: &str = "samples.bin";
const INDEX: &str = "index.csv";
const PLAN: &str = "plan.json";
const FILES: [&str; 3] = [SAMPLES, INDEX, PLAN];
const HEAD: &str = "sample,subject,split,target";

/// One row of the table of samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedEntry {
    /// The sample.
    pub id: SampleId,
    /// Who it shows.
    pub subject: SubjectId,
    /// Where it belongs.
    pub split: Split,
    /// The answer.
    pub target: Target,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    schema: u32,
    identity: String,
    element: Element,
    plan: PreparePlan,
}

const SCHEMA: u32 = 1;

fn target_text(target: &Target) -> String {
    match target {
        Target::Class(class) => format!("class:{class}"),
        Target::Labels(labels) => {
            format!("labels:{}", labels.iter().map(|&on| if on { '1' } else { '0' }).collect::<String>())
        }
        Target::Unlabelled => "unlabelled".into(),
    }
}

fn target_value(text: &str) -> Option<Target> {
    match text.split_once(':') {
        Some(("class", class)) => class.parse().ok().map(Target::Class),
        Some(("labels", digits)) => digits
            .chars()
            .map(|digit| match digit {
                '0' => Some(false),
                '1' => Some(true),
                _ => None,
            })
            .collect::<Option<_>>()
            .map(Target::Labels),
        None if text == "unlabelled" => Some(Target::Unlabelled),
        _ => None,
    }
}

/// Writes a store of prepared samples.
#[derive(Debug)]
pub struct PreparedWriter {
    staged: StagedFolder,
    records: RecordWriter,
    entries: Vec<PreparedEntry>,
    header: Header,
}

impl PreparedWriter {
    /// Starts the folder; `entries` are all samples in their order, `identity` names what went in.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the folder is there already, [`StoreError::Full`] and [`StoreError::Io`].
    pub fn create(
        folder: &Path,
        identity: &str,
        plan: PreparePlan,
        entries: Vec<PreparedEntry>,
        element: Element,
    ) -> Result<Self, StoreError> {
        let staged = StagedFolder::create(folder)?;
        let layout = RecordLayout { n_records: entries.len(), n_values: plan.n_values(), element };
        let records = RecordWriter::create(&staged.path().join(SAMPLES), layout)?;
        let header = Header { schema: SCHEMA, identity: identity.into(), element, plan };
        Ok(Self { staged, records, entries, header })
    }

    /// Stores one prepared image.
    ///
    /// # Errors
    /// [`StoreError::Request`] for another size than the plan's, a value that the element cannot hold, a position past
    /// the end or one that was written before; [`StoreError::Full`] and [`StoreError::Io`].
    pub fn write(&mut self, index: usize, image: &Image<2>) -> Result<(), StoreError> {
        let name = self.entries.get(index).map_or_else(String::new, |entry| format!("sample `{}`", entry.id));
        let expected = (self.header.plan.channels, self.header.plan.size);
        let found = (image.channels(), image.geometry().shape());
        if expected != found {
            return Err(StoreError::Request {
                what: format!("channels and size of {name}"),
                expected: format!("{expected:?}"),
                found: format!("{found:?}"),
            });
        }
        self.records.write(index, image.values(), &name)
    }

    /// Closes the store and gives the folder its name.
    ///
    /// # Errors
    /// [`StoreError::Request`] when a sample was not written, and whatever the file system reports; nothing is left
    /// behind then.
    pub fn finish(self) -> Result<PathBuf, StoreError> {
        if let Some(index) = self.records.missing() {
            return Err(StoreError::Request {
                what: format!("prepared images of {} samples", self.entries.len()),
                expected: "every one".into(),
                found: format!("none for sample `{}`", self.entries[index].id),
            });
        }
        let folder = self.staged.path();
        let mut table = format!("{HEAD}\n");
        for entry in &self.entries {
            let target = target_text(&entry.target);
            table.push_str(&format!("{},{},{},{target}\n", entry.id, entry.subject, entry.split));
        }
        let plan = serde_json::to_string_pretty(&self.header)
            .map_err(|error| StoreError::io("writing", &folder.join(PLAN), error.into()))?;
        for (name, text) in [(INDEX, table), (PLAN, plan + "\n")] {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|source| StoreError::io("writing", &path, source))?;
        }
        write_checksums(folder, &FILES)?;
        self.staged.commit()
    }
}

/// An open store of prepared samples.
#[derive(Debug)]
pub struct PreparedStore {
    folder: PathBuf,
    header: Header,
    entries: Vec<PreparedEntry>,
    records: RecordReader,
}

impl PreparedStore {
    /// Opens a folder and checks its identity, its table, its plan and its size; pixels are checked as they are read.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] for another identity, [`StoreError::Damaged`] for anything that was altered or cut
    /// off, [`StoreError::Io`].
    pub fn open(folder: &Path, identity: &str) -> Result<Self, StoreError> {
        check(folder, &FILES, &[INDEX, PLAN])?;
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(|source| StoreError::io("reading", &path, source))
        };
        let header: Header = serde_json::from_str(&read(PLAN)?)
            .map_err(|error| StoreError::damaged(&folder.join(PLAN), "a plan", error.to_string()))?;
        if header.schema != SCHEMA || header.identity != identity {
            return Err(StoreError::Mismatch {
                path: super::path_tail(folder),
                what: "preparation".into(),
                expected: format!("{identity} of schema {SCHEMA}"),
                found: format!("{} of schema {}", header.identity, header.schema),
                hint: "run `kd prepare` for this recipe again".into(),
            });
        }
        let table = read(INDEX)?;
        let entries = entries(&table)
            .map_err(|line| StoreError::damaged(&folder.join(INDEX), "rows of samples", format!("line {line}")))?;
        let layout =
            RecordLayout { n_records: entries.len(), n_values: header.plan.n_values(), element: header.element };
        let records = RecordReader::open(&folder.join(SAMPLES), layout)?;
        Ok(Self { folder: folder.to_path_buf(), header, entries, records })
    }

    /// Reads all pixels into memory, checking each; later reads are copies.
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

    /// The hash of what went in.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.header.identity
    }

    /// The preparation, statistics included.
    #[must_use]
    pub fn plan(&self) -> &PreparePlan {
        &self.header.plan
    }

    /// All samples, in the order of their positions.
    #[must_use]
    pub fn entries(&self) -> &[PreparedEntry] {
        &self.entries
    }

    /// Where it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The positions of a split's samples, ascending.
    #[must_use]
    pub fn positions(&self, split: Split) -> Vec<usize> {
        (0..self.entries.len()).filter(|&index| self.entries[index].split == split).collect()
    }
}

fn entries(table: &str) -> Result<Vec<PreparedEntry>, usize> {
    let mut lines = table.lines();
    if lines.next() != Some(HEAD) {
        return Err(1);
    }
    let row = |line: &str| {
        let [id, subject, split, target] = line.split(',').collect::<Vec<_>>()[..] else { return None };
        Some(PreparedEntry {
            id: SampleId::new(id).ok()?,
            subject: SubjectId::new(subject).ok()?,
            split: split.parse().ok()?,
            target: target_value(target)?,
        })
    };
    lines.enumerate().map(|(number, line)| row(line).ok_or(number + 2)).collect()
}

/// Some samples of a store, in a given order, as a trainer reads them.
#[derive(Debug, Clone)]
pub struct PreparedSource {
    store: Arc<PreparedStore>,
    positions: Vec<usize>,
}

impl PreparedSource {
    /// The samples of one split, in stored order.
    #[must_use]
    pub fn of_split(store: Arc<PreparedStore>, split: Split) -> Self {
        let positions = store.positions(split);
        Self { store, positions }
    }

    /// Samples by their positions in the store.
    ///
    /// # Errors
    /// [`StoreError::Request`] for a position past the end.
    pub fn of_positions(store: Arc<PreparedStore>, positions: Vec<usize>) -> Result<Self, StoreError> {
        if let Some(position) = positions.iter().find(|&&position| position >= store.entries.len()) {
            return Err(StoreError::Request {
                what: "position in a prepared store".into(),
                expected: format!("less than {}", store.entries.len()),
                found: position.to_string(),
            });
        }
        Ok(Self { store, positions })
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<PreparedStore> {
        &self.store
    }

    /// The positions in the store.
    #[must_use]
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The answer of a sample; `index` is below its length.
    #[must_use]
    pub fn target(&self, index: usize) -> &Target {
        &self.entry(index).target
    }

    fn entry(&self, index: usize) -> &PreparedEntry {
        &self.store.entries[self.positions[index]]
    }
}

impl SampleSource<2> for PreparedSource {
    fn len(&self) -> usize {
        self.positions.len()
    }

    fn id(&self, index: usize) -> &SampleId {
        &self.entry(index).id
    }

    fn subject(&self, index: usize) -> &SubjectId {
        &self.entry(index).subject
    }

    fn read(&self, index: usize) -> Result<Sample<2>, SourceError> {
        let position = *self.positions.get(index).ok_or(SourceError::Index { index, len: self.positions.len() })?;
        let failed = |text: String| SourceError::Read(text);
        let plan = &self.store.header.plan;
        let mut values = vec![0.0; self.store.records.layout().n_values];
        self.store.records.read(position, &mut values).map_err(|error| failed(error.to_string()))?;
        let geometry = Geometry::without_spacing(plan.size).map_err(|error| failed(error.to_string()))?;
        let image =
            Image::new(plan.channels, geometry, plan.intensity(), values).map_err(|error| failed(error.to_string()))?;
        let entry = &self.store.entries[position];
        Ok(Sample { id: entry.id.clone(), subject: entry.subject.clone(), image, target: entry.target.clone() })
    }
}
