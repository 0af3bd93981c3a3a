//! The store of prepared samples with an answer for each point: `prepared/<hash>/` with inputs, answers, the table of
//! samples and the plan that made them.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kd_image::{
    Geometry, IGNORED, Image, Intensity, LabelMap, Sample, SampleId, SampleSource, SourceError, Split, SubjectId,
};
use serde::{Deserialize, Serialize};

use super::checksum::{check, write_checksums};
use super::record::{Element, RecordLayout, RecordReader, RecordWriter};
use super::{StagedFolder, StoreError};
use crate::prepare::{DenseIntensity, DenseRequest};

const INPUTS: &str = "inputs.bin";
const ANSWERS: &str = "answers.bin";
const INDEX: &str = "index.csv";
const PLAN: &str = "plan.json";
const FILES: [&str; 4] = [INPUTS, ANSWERS, INDEX, PLAN];
const HEAD: &str = "sample,subject,split,case,slice";
const SCHEMA: u32 = 1;
/// Whole numbers up to here are exact in 16-bit floats.
const MOST_CLASSES: usize = 2048;

/// One row of the table of samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenseEntry {
    /// The sample: a case, or one slice of it.
    pub id: SampleId,
    /// Who it shows.
    pub subject: SubjectId,
    /// Where it belongs.
    pub split: Split,
    /// The case that it is part of.
    pub case: SampleId,
    /// Which slice of the prepared case, from 0; 0 for a whole one.
    pub slice: usize,
}

/// What the answers of a store are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DenseAnswers {
    /// A class a point.
    Labels {
        /// Classes, background included.
        classes: usize,
    },
    /// Another image.
    Images {
        /// Points of an answer, in the order of the request's size.
        size: Vec<usize>,
        /// How inputs were made of answers, in one line.
        degradation: String,
        /// Inputs of a training sample; others have one.
        n_views: u32,
    },
}

/// A preparation with all that a reader needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DensePlan {
    /// How cases were prepared; its size is the inputs'.
    pub request: DenseRequest,
    /// Channels of inputs, and of answers that are images.
    pub channels: usize,
    /// What the answers are.
    pub answers: DenseAnswers,
}

impl DensePlan {
    /// A plan for label maps.
    #[must_use]
    pub fn labelled(request: DenseRequest, channels: usize, classes: usize) -> Self {
        Self { request, channels, answers: DenseAnswers::Labels { classes } }
    }

    fn n_inputs(&self) -> usize {
        self.channels * self.request.size.iter().product::<usize>()
    }

    fn n_answers(&self) -> usize {
        match &self.answers {
            DenseAnswers::Labels { .. } => self.request.size.iter().product(),
            DenseAnswers::Images { size, .. } => self.channels * size.iter().product::<usize>(),
        }
    }

    /// Inputs of a sample of a split.
    fn views(&self, split: Split) -> usize {
        match &self.answers {
            DenseAnswers::Images { n_views, .. } if split == Split::Train => *n_views as usize,
            _ => 1,
        }
    }

    fn answer_element(&self) -> Element {
        match &self.answers {
            // Labels are small whole numbers, exact in 16 bits.
            DenseAnswers::Labels { .. } => Element::F16,
            DenseAnswers::Images { .. } => self.request.element,
        }
    }

    fn layouts(&self, entries: &[DenseEntry]) -> [RecordLayout; 2] {
        let n_inputs = entries.iter().map(|entry| self.views(entry.split)).sum();
        [
            RecordLayout { n_records: n_inputs, n_values: self.n_inputs(), element: self.request.element },
            RecordLayout { n_records: entries.len(), n_values: self.n_answers(), element: self.answer_element() },
        ]
    }

    /// The place of each sample's first input.
    fn starts(&self, entries: &[DenseEntry]) -> Vec<usize> {
        let before = |next: &mut usize, entry: &DenseEntry| {
            let start = *next;
            *next += self.views(entry.split);
            Some(start)
        };
        entries.iter().scan(0, before).collect()
    }

    /// What an input's numbers mean.
    #[must_use]
    pub fn intensity(&self) -> Intensity {
        match self.request.intensity {
            DenseIntensity::Window { .. } => Intensity::Unit,
            _ => Intensity::ZScore,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    schema: u32,
    identity: String,
    plan: DensePlan,
}

/// Writes a store.
#[derive(Debug)]
pub struct DenseWriter {
    staged: StagedFolder,
    inputs: RecordWriter,
    answers: RecordWriter,
    entries: Vec<DenseEntry>,
    starts: Vec<usize>,
    header: Header,
}

impl DenseWriter {
    /// Starts the folder; `entries` are all samples in their order, `identity` names what went in.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the folder is there already, [`StoreError::Request`] for more classes than can be kept,
    /// [`StoreError::Full`] and [`StoreError::Io`].
    pub fn create(
        folder: &Path,
        identity: &str,
        plan: DensePlan,
        entries: Vec<DenseEntry>,
    ) -> Result<Self, StoreError> {
        if let DenseAnswers::Labels { classes } = plan.answers
            && classes > MOST_CLASSES
        {
            let expected = format!("at most {MOST_CLASSES}");
            return Err(StoreError::Request { what: "classes".into(), expected, found: classes.to_string() });
        }
        let staged = StagedFolder::create(folder)?;
        let [inputs, answers] = plan.layouts(&entries);
        let inputs = RecordWriter::create(&staged.path().join(INPUTS), inputs)?;
        let answers = RecordWriter::create(&staged.path().join(ANSWERS), answers)?;
        let starts = plan.starts(&entries);
        Ok(Self {
            staged,
            inputs,
            answers,
            entries,
            starts,
            header: Header { schema: SCHEMA, identity: identity.into(), plan },
        })
    }

    fn name(&self, index: usize) -> String {
        self.entries.get(index).map_or_else(String::new, |entry| format!("sample `{}`", entry.id))
    }

    /// Stores a sample with its labels.
    ///
    /// # Errors
    /// [`StoreError::Request`] for another number of values than the plan's, a value that the element cannot hold, and a
    /// sample that was written before; [`StoreError::Full`] and [`StoreError::Io`].
    pub fn write_labelled(&mut self, index: usize, input: &[f32], labels: &[u16]) -> Result<(), StoreError> {
        let name = self.name(index);
        let labels: Vec<f32> =
            labels.iter().map(|&label| if label == IGNORED { -1.0 } else { f32::from(label) }).collect();
        self.inputs.write(self.starts.get(index).copied().unwrap_or(usize::MAX), input, &name)?;
        self.answers.write(index, &labels, &name)
    }

    /// Stores a sample's inputs, one a view, with the image that they were made of.
    ///
    /// # Errors
    /// As [`write_labelled`](Self::write_labelled).
    pub fn write_pair(&mut self, index: usize, inputs: &[Vec<f32>], answer: &[f32]) -> Result<(), StoreError> {
        let name = self.name(index);
        let expected = self.entries.get(index).map_or(0, |entry| self.header.plan.views(entry.split));
        if inputs.len() != expected {
            return Err(StoreError::Request {
                what: format!("views of {name}"),
                expected: expected.to_string(),
                found: inputs.len().to_string(),
            });
        }
        for (view, input) in inputs.iter().enumerate() {
            self.inputs.write(self.starts[index] + view, input, &name)?;
        }
        self.answers.write(index, answer, &name)
    }

    /// Closes the store and gives the folder its name.
    ///
    /// # Errors
    /// [`StoreError::Request`] when a sample was not written, and whatever the file system reports; nothing is left
    /// behind then.
    pub fn finish(self) -> Result<PathBuf, StoreError> {
        if let Some(index) = self.answers.missing() {
            return Err(StoreError::Request {
                what: format!("answers of {} samples", self.entries.len()),
                expected: "every one".into(),
                found: format!("none for sample `{}`", self.entries[index].id),
            });
        }
        let folder = self.staged.path();
        let mut table = format!("{HEAD}\n");
        for DenseEntry { id, subject, split, case, slice } in &self.entries {
            table.push_str(&format!("{id},{subject},{split},{case},{slice}\n"));
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

/// An open store.
#[derive(Debug)]
pub struct DenseStore {
    header: Header,
    entries: Vec<DenseEntry>,
    starts: Vec<usize>,
    inputs: RecordReader,
    answers: RecordReader,
}

impl DenseStore {
    /// Opens a folder and checks its identity, its table, its plan and its sizes; numbers are checked as they are read.
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
        let entries = entries(&read(INDEX)?)
            .map_err(|line| StoreError::damaged(&folder.join(INDEX), "rows of samples", format!("line {line}")))?;
        let [inputs, answers] = header.plan.layouts(&entries);
        let inputs = RecordReader::open(&folder.join(INPUTS), inputs)?;
        let answers = RecordReader::open(&folder.join(ANSWERS), answers)?;
        let starts = header.plan.starts(&entries);
        Ok(Self { header, entries, starts, inputs, answers })
    }

    /// Reads everything into memory, checking each record; later reads are copies.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Io`].
    pub fn load(&mut self) -> Result<(), StoreError> {
        self.inputs.load()?;
        self.answers.load()
    }

    /// The hash of what went in.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.header.identity
    }

    /// The preparation.
    #[must_use]
    pub fn plan(&self) -> &DensePlan {
        &self.header.plan
    }

    /// All samples, in the order of their positions.
    #[must_use]
    pub fn entries(&self) -> &[DenseEntry] {
        &self.entries
    }

    /// The positions of a split's samples, ascending.
    #[must_use]
    pub fn positions(&self, split: Split) -> Vec<usize> {
        (0..self.entries.len()).filter(|&index| self.entries[index].split == split).collect()
    }

    fn input<const D: usize>(&self, position: usize, view: usize) -> Result<Image<D>, SourceError> {
        let plan = &self.header.plan;
        let mut values = vec![0.0; plan.n_inputs()];
        self.inputs.read(self.starts[position] + view, &mut values).map_err(failed)?;
        let grid = grid(&plan.request, &plan.request.size)?;
        Image::new(plan.channels, grid, plan.intensity(), values).map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> SourceError {
    SourceError::Read(error.to_string())
}

/// The grid of a sample: with spacing where the request names one, since only then all samples have the same.
fn grid<const D: usize>(request: &DenseRequest, size: &[usize]) -> Result<Geometry<D>, SourceError> {
    let shape: [usize; D] =
        size.try_into().map_err(|_| failed(format!("samples have {} axes, expected {D}", size.len())))?;
    let spacing: Option<[f64; D]> = request.spacing_mm.as_deref().and_then(|mm| mm.try_into().ok());
    match spacing {
        // A finer answer covers the same field of view.
        Some(mm) => {
            let fine = std::array::from_fn(|axis| mm[axis] * request.size[axis] as f64 / shape[axis] as f64);
            Geometry::with_spacing(shape, fine).map_err(failed)
        }
        None => Geometry::without_spacing(shape).map_err(failed),
    }
}

fn entries(table: &str) -> Result<Vec<DenseEntry>, usize> {
    let mut lines = table.lines();
    if lines.next() != Some(HEAD) {
        return Err(1);
    }
    let row = |line: &str| {
        let [id, subject, split, case, slice] = line.split(',').collect::<Vec<_>>()[..] else { return None };
        Some(DenseEntry {
            id: SampleId::new(id).ok()?,
            subject: SubjectId::new(subject).ok()?,
            split: split.parse().ok()?,
            case: SampleId::new(case).ok()?,
            slice: slice.parse().ok()?,
        })
    };
    lines.enumerate().map(|(number, line)| row(line).ok_or(number + 2)).collect()
}

/// An answer that a store can hold for each point.
pub trait DenseAnswer<const D: usize>: Sized {
    /// Makes an answer of stored values.
    ///
    /// # Errors
    /// [`SourceError::Read`] for a store of another kind of answers, and for values that make none.
    fn of(plan: &DensePlan, values: Vec<f32>) -> Result<Self, SourceError>;
}

impl<const D: usize> DenseAnswer<D> for LabelMap<D> {
    fn of(plan: &DensePlan, values: Vec<f32>) -> Result<Self, SourceError> {
        let DenseAnswers::Labels { classes } = plan.answers else {
            return Err(failed("the store holds images, expected label maps"));
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole numbers below 2049")]
        let label = |value: f32| if value < 0.0 { IGNORED } else { value as u16 };
        let labels = values.into_iter().map(label).collect();
        LabelMap::new(grid(&plan.request, &plan.request.size)?, labels, classes).map_err(failed)
    }
}

impl<const D: usize> DenseAnswer<D> for Image<D> {
    fn of(plan: &DensePlan, values: Vec<f32>) -> Result<Self, SourceError> {
        let DenseAnswers::Images { size, .. } = &plan.answers else {
            return Err(failed("the store holds label maps, expected images"));
        };
        Image::new(plan.channels, grid(&plan.request, size)?, plan.intensity(), values).map_err(failed)
    }
}

/// Some samples of a store, in a given order, as a trainer reads them.
#[derive(Debug, Clone)]
pub struct DenseSource<const D: usize, A> {
    store: Arc<DenseStore>,
    positions: Vec<usize>,
    answer: PhantomData<fn() -> A>,
}

impl<const D: usize, A> DenseSource<D, A> {
    /// The samples of one split, in stored order.
    #[must_use]
    pub fn of_split(store: Arc<DenseStore>, split: Split) -> Self {
        let positions = store.positions(split);
        Self { store, positions, answer: PhantomData }
    }

    /// The samples by their entries, in the order of the source.
    pub fn entries(&self) -> impl Iterator<Item = &DenseEntry> {
        self.positions.iter().map(|&position| &self.store.entries[position])
    }

    fn entry(&self, index: usize) -> &DenseEntry {
        &self.store.entries[self.positions[index]]
    }
}

impl<const D: usize, A: DenseAnswer<D>> DenseSource<D, A> {
    fn sample(&self, index: usize, view: u32) -> Result<Sample<D, A>, SourceError> {
        let position = *self.positions.get(index).ok_or(SourceError::Index { index, len: self.positions.len() })?;
        let (store, entry) = (&self.store, &self.store.entries[position]);
        let plan = &store.header.plan;
        // Views beyond the stored ones begin anew: what a network sees of a view is the task's business.
        let image = store.input(position, view as usize % plan.views(entry.split))?;
        let mut values = vec![0.0; plan.n_answers()];
        store.answers.read(position, &mut values).map_err(failed)?;
        Ok(Sample { id: entry.id.clone(), subject: entry.subject.clone(), image, target: A::of(plan, values)? })
    }
}

impl<const D: usize, A: DenseAnswer<D>> SampleSource<D, A> for DenseSource<D, A> {
    fn len(&self) -> usize {
        self.positions.len()
    }

    fn id(&self, index: usize) -> &SampleId {
        &self.entry(index).id
    }

    fn subject(&self, index: usize) -> &SubjectId {
        &self.entry(index).subject
    }

    fn read(&self, index: usize) -> Result<Sample<D, A>, SourceError> {
        self.sample(index, 0)
    }

    fn read_view(&self, index: usize, view: u32) -> Result<Sample<D, A>, SourceError> {
        self.sample(index, view)
    }
}
