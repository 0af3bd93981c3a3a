//! One frame as a slice of a volume: where it lies, and what has to agree before two slices may belong together.

use std::path::Path;

use super::super::FormatError;
use super::super::error::Problem;
use super::container::with_header;
use super::data_set::{DataSet, Select};
use super::frames::{FrameGroups, Plane, grid_offsets, patient_spacing};
use super::padding::Padding;
use super::pixel_format::PixelFormat;
use super::tag::{self, Tag};

/// What two slices of one volume have in common, word for word. Compared and never shown: it holds instance UIDs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    codes: Vec<Option<String>>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) channels: usize,
}

/// One frame of one file.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    /// Position of its file in the list that was given.
    pub(super) file: usize,
    pub(super) frame: usize,
    pub(super) key: Key,
    pub(super) plane: Plane,
    /// Distance of rows, then of columns.
    pub(super) spacing: [f64; 2],
    pub(super) thickness: Option<f64>,
    /// Tells repeats of a position apart where nothing else does.
    pub(super) acquisition: Option<String>,
    /// Whether the file declares padding.
    pub(super) padded: bool,
}

/// Reads the slices that a file holds; only its header is read where the file begins with it.
pub(super) fn read_slices(path: &Path, file: usize) -> Result<Vec<Slice>, FormatError> {
    with_header(path, Select::Listed, |set| slices(set, file))
}

fn slices(set: &DataSet<'_>, file: usize) -> Result<Vec<Slice>, Problem> {
    let format = PixelFormat::read(set)?;
    let is_scout = |kind: &str| kind.split('\\').any(|part| part.trim() == "LOCALIZER");
    if set.code(tag::IMAGE_TYPE).is_some_and(is_scout) {
        return Err(Problem::new("a slice of a volume", format!("a localiser by its {}", tag::IMAGE_TYPE))
            .hint("leave it out; it is no part of the volume"));
    }
    let groups = FrameGroups::of(set);
    let offsets = grid_offsets(set)?;
    let placed = if format.frames == 1 { 1 } else { groups.distinct().max(offsets.as_ref().map_or(1, Vec::len)) };
    if placed < format.frames {
        let expected = format!("a place for each of {} frames in {}", format.frames, tag::FRAME_GROUPS);
        return Err(Problem::new(expected, placed.to_string()));
    }
    (0..format.frames).map(|frame| slice(set, &groups, offsets.as_deref(), &format, file, frame)).collect()
}

fn slice(
    set: &DataSet<'_>,
    groups: &FrameGroups<'_>,
    offsets: Option<&[f64]>,
    format: &PixelFormat,
    file: usize,
    frame: usize,
) -> Result<Slice, Problem> {
    let plane = Plane::read(groups, offsets, frame)?.ok_or_else(|| {
        Problem::new(format!("{} and {}", tag::IMAGE_POSITION, tag::IMAGE_ORIENTATION), "nothing there")
            .hint("an image without a place in the patient makes no volume; read it by itself")
    })?;
    let spacing = patient_spacing(groups, frame)?;
    let spacing = spacing.ok_or_else(|| Problem::new(tag::PIXEL_SPACING.to_string(), "nothing there"))?;
    let measures = groups.holding(frame, tag::PIXEL_MEASURES, tag::SLICE_THICKNESS);
    // Annotation, needed for a volume of one slice only; what is no number is none.
    let thickness = measures.and_then(|set| set.decimal(tag::SLICE_THICKNESS).ok().flatten()).filter(|&mm| mm > 0.0);
    let text = |set: Option<&DataSet<'_>>, tag| set.and_then(|set| set.code(tag)).map(str::to_owned);
    let own = |tag: Tag| text(Some(set), tag);
    let content = |tag: Tag| text(groups.holding(frame, tag::FRAME_CONTENT, tag), tag);
    let time = groups.holding(frame, tag::FRAME_CONTENT, tag::TEMPORAL_INDEX);
    let time = time.map(|set| set.u16(tag::TEMPORAL_INDEX)).transpose()?.flatten().map(|index| index.to_string());
    let codes = vec![
        own(tag::SERIES_UID),
        own(tag::FRAME_OF_REFERENCE),
        own(tag::IMAGE_TYPE),
        own(tag::ECHO_NUMBERS),
        own(tag::TEMPORAL_POSITION),
        content(tag::STACK_ID),
        time,
    ];
    let channels = if format.photometric.is_grey() { 1 } else { 3 };
    let key = Key { codes, rows: format.rows, columns: format.columns, channels };
    let padded = Padding::read(set, format)?.is_some();
    Ok(Slice { file, frame, key, plane, spacing, thickness, acquisition: own(tag::ACQUISITION_NUMBER), padded })
}
