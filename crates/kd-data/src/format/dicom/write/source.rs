//! What a result was made from: the slices of one series, and the facts of patient and study that the result shares.
//!
//! Those facts stay in memory and go into the new DICOM file only; neither caches nor logs ever see them, and `Debug`
//! shows none.

use std::fmt;
use std::path::{Path, PathBuf};

use kd_image::Geometry;

use super::super::container::with_header;
use super::super::data_set::{DataSet, Select, Value};
use super::super::encode::{Attributes, Content};
use super::super::frames::{dot, minus};
use super::super::tag::{self, Tag};
use super::super::uid::Uid;
use super::super::volume::{DicomStack, find_dicom_stacks};
use super::plane::Planes;
use super::request;
use crate::format::FormatError;
use crate::format::error::Problem;
use crate::store::StoreError;

const SOP_INSTANCE: Tag = Tag(0x0008, 0x0018);
const STUDY: Tag = Tag(0x0020, 0x000D);
const CHARACTERS: Tag = Tag(0x0008, 0x0005);

/// Modules of patient, study, frame of reference, the body part, and what was said about identity, annotation and losses.
const SHARED: [Tag; 28] = [
    CHARACTERS,
    Tag(0x0008, 0x0020),
    Tag(0x0008, 0x0030),
    Tag(0x0008, 0x0050),
    Tag(0x0008, 0x0090),
    Tag(0x0008, 0x1030),
    Tag(0x0010, 0x0010),
    tag::PATIENT_ID,
    Tag(0x0010, 0x0021),
    Tag(0x0010, 0x0030),
    Tag(0x0010, 0x0040),
    Tag(0x0010, 0x1010),
    Tag(0x0010, 0x1020),
    Tag(0x0010, 0x1030),
    Tag(0x0012, 0x0062),
    Tag(0x0012, 0x0063),
    Tag(0x0012, 0x0064),
    Tag(0x0018, 0x0015),
    Tag(0x0018, 0x5100),
    STUDY,
    Tag(0x0020, 0x0010),
    tag::FRAME_OF_REFERENCE,
    Tag(0x0020, 0x0060),
    Tag(0x0020, 0x1040),
    Tag(0x0028, 0x0301),
    Tag(0x0028, 0x0303),
    Tag(0x0028, 0x2110),
    Tag(0x0028, 0x2112),
];
/// These have to be the same in all files.
const SAME: [Tag; 3] = [tag::PATIENT_ID, STUDY, tag::SERIES_UID];

/// A slice that a result refers to.
#[derive(Clone)]
pub(super) struct SourceSlice {
    pub(super) class: String,
    pub(super) instance: String,
    /// Counted from 1, in a file of several frames.
    pub(super) frame: Option<usize>,
}

impl SourceSlice {
    /// A reference to its file.
    fn file(&self) -> Attributes {
        Attributes::of(|item| {
            item.text(0x0008, 0x1150, &self.class);
            item.text(0x0008, 0x1155, &self.instance);
        })
    }
}

/// The series that a result is derived from.
pub struct DerivedFrom {
    shared: Attributes,
    pub(super) modality: Option<String>,
    pub(super) series: Uid,
    /// In the order of the grid.
    pub(super) slices: Vec<SourceSlice>,
    grid: Geometry<3>,
    utf8: bool,
}

impl fmt::Debug for DerivedFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DerivedFrom")
            .field("slices", &self.slices.len())
            .field("modality", &self.modality)
            .finish_non_exhaustive()
    }
}

struct Header {
    shared: Attributes,
    same: Vec<Option<String>>,
    modality: Option<String>,
    class: String,
    instance: String,
    characters: Option<String>,
}

fn header(set: &DataSet<'_>) -> Result<Header, Problem> {
    let mut shared = Attributes::default();
    for tag in SHARED {
        let content = set.elements.get(&tag).and_then(|element| content(&element.value));
        if let Some(content) = content.filter(|content| !matches!(content, Content::Bytes(bytes) if bytes.is_empty())) {
            shared.set(tag, content);
        }
    }
    let code = |tag| set.code(tag).map(str::to_owned);
    let uid = |tag: Tag| {
        let text = set.code(tag).ok_or_else(|| Problem::new(tag.to_string(), "nothing there"))?;
        Uid::new(text).map_err(|_| Problem::new(format!("a UID in {tag}"), "another text"))
    };
    uid(STUDY)?;
    uid(tag::SERIES_UID)?;
    uid(tag::FRAME_OF_REFERENCE)?;
    Ok(Header {
        shared,
        same: SAME.map(code).to_vec(),
        modality: code(tag::MODALITY),
        class: uid(tag::SOP_CLASS)?.as_str().to_owned(),
        instance: uid(SOP_INSTANCE)?.as_str().to_owned(),
        characters: code(CHARACTERS),
    })
}

/// All of `SHARED` are text or sequences of text, which every encoding writes alike.
fn content(value: &Value<'_>) -> Option<Content> {
    match value {
        Value::Bytes(bytes) => Some(Content::Bytes(bytes.to_vec())),
        Value::Fragments(_) => None,
        Value::Items(items) => {
            let item = |set: &DataSet<'_>| {
                let mut copy = Attributes::default();
                for (&tag, element) in &set.elements {
                    if let Some(content) = content(&element.value) {
                        copy.set(tag, content);
                    }
                }
                copy
            };
            Some(Content::Items(items.iter().map(item).collect()))
        }
    }
}

impl DerivedFrom {
    /// Reads the headers of the files of one volume.
    ///
    /// # Policy
    /// Files as [`find_dicom_stacks`] sorts them; they have to make one stack. Kept in memory: the modules of patient,
    /// study and frame of reference, and the instance UIDs of the slices.
    ///
    /// # Errors
    /// [`FormatError`] for a file that is refused, for files of no volume or several, and for a missing UID of study,
    /// series, frame of reference, class or instance.
    pub fn series(paths: &[PathBuf]) -> Result<Self, FormatError> {
        let mut found = find_dicom_stacks(paths);
        if !found.refused.is_empty() {
            return Err(found.refused.swap_remove(0));
        }
        let [stack] = found.stacks.as_slice() else {
            let first = paths.first().map_or(Path::new(""), PathBuf::as_path);
            let problem = Problem::new("files of one volume", found.stacks.len().to_string());
            return Err(problem.hint("give the files of one at a time").at(first, None));
        };
        Self::stack(stack)
    }

    /// Reads the headers of a stack of slices.
    ///
    /// # Policy
    /// As [`DerivedFrom::series`].
    ///
    /// # Errors
    /// As [`DerivedFrom::series`].
    pub fn stack(stack: &DicomStack) -> Result<Self, FormatError> {
        let grid = stack.geometry().clone();
        let mut slices = vec![None; grid.shape()[0]];
        let mut first: Option<Header> = None;
        for (path, places) in stack.files() {
            let header = with_header(path, Select::All, header)?;
            if first.as_ref().is_some_and(|first| first.same != header.same) {
                return Err(Problem::new("one patient, study and series in all files", "several").at(path, None));
            }
            for &(place, frame) in places {
                let frame = (places.len() > 1).then_some(frame + 1);
                let (class, instance) = (header.class.clone(), header.instance.clone());
                slices[place] = Some(SourceSlice { class, instance, frame });
            }
            first.get_or_insert(header);
        }
        let nothing = || Problem::new("files of one volume", "none").at(Path::new(""), None);
        let first = first.ok_or_else(nothing)?;
        let series = first.same[2].as_deref().and_then(|text| Uid::new(text).ok()).ok_or_else(nothing)?;
        let mut shared = first.shared;
        let utf8 = matches!(first.characters.as_deref(), None | Some("ISO_IR 192"));
        if utf8 {
            shared.text(0x0008, 0x0005, "ISO_IR 192");
        }
        Ok(Self {
            shared,
            modality: first.modality,
            series,
            slices: slices.into_iter().flatten().collect(),
            grid,
            utf8,
        })
    }

    /// The grid of the source.
    #[must_use]
    pub fn geometry(&self) -> &Geometry<3> {
        &self.grid
    }

    /// Attributes that the result has in common with its source.
    pub(super) fn shared(&self) -> Attributes {
        self.shared.clone()
    }

    /// Refuses text that the source's character set does not hold.
    pub(super) fn check_characters(&self, what: &str, text: &str) -> Result<(), StoreError> {
        if self.utf8 || text.is_ascii() {
            return Ok(());
        }
        Err(request(what, "ASCII, as the source has a character set of its own", "other letters"))
    }

    /// The slices that plane `index` of a result was made from, by their places.
    ///
    /// The slice itself on the source's grid; on a parallel one those within a step, at least the nearest; else all.
    pub(super) fn slices_of(&self, grid: &Geometry<3>, index: usize) -> Result<Vec<usize>, StoreError> {
        if self.grid.same_grid(grid, 1e-3) {
            return Ok(vec![index]);
        }
        let (own, new) = (Planes::of(&self.grid)?, Planes::of(grid)?);
        let all = || (0..self.slices.len()).collect();
        if dot(own.normal(), new.normal()).abs() < 1.0 - 1e-6 {
            return Ok(all());
        }
        let distance = |place: usize| dot(minus(own.position(place), new.position(index)), own.normal()).abs();
        let nearest = (0..self.slices.len()).map(distance).fold(f64::INFINITY, f64::min);
        let reach = nearest.max(new.gap() / 2.0) + 1e-3;
        Ok((0..self.slices.len()).filter(|&place| distance(place) <= reach).collect())
    }

    /// A reference to a slice: class, instance, frame.
    pub(super) fn reference(&self, place: usize) -> Attributes {
        let slice = &self.slices[place];
        let mut item = slice.file();
        if let Some(frame) = slice.frame {
            item.text(0x0008, 0x1160, &frame.to_string());
        }
        item
    }

    /// A reference to the series and all its files.
    pub(super) fn referenced_series(&self) -> Attributes {
        let mut files: Vec<&SourceSlice> = Vec::new();
        for slice in &self.slices {
            if !files.iter().rev().any(|file| file.instance == slice.instance) {
                files.push(slice);
            }
        }
        Attributes::of(|series| {
            series.items(0x0008, 0x114A, files.into_iter().map(SourceSlice::file).collect());
            series.text(0x0020, 0x000E, self.series.as_str());
        })
    }
}
