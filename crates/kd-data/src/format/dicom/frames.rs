//! Functional groups: attributes that all frames share, that one frame has for itself, or that stand in the open
//! (PS3.3 C.7.6.16). And the plane of each frame, which is found through them.

use super::super::error::Problem;
use super::data_set::DataSet;
use super::tag::{self, Tag};

/// The functional groups of a data set.
pub(super) struct FrameGroups<'a> {
    set: &'a DataSet<'a>,
    shared: Option<&'a DataSet<'a>>,
    frames: &'a [DataSet<'a>],
}

impl<'a> FrameGroups<'a> {
    pub(super) fn of(set: &'a DataSet<'a>) -> Self {
        Self { set, shared: set.items(tag::SHARED_GROUPS).first(), frames: set.items(tag::FRAME_GROUPS) }
    }

    /// How many frames have to be asked: 1 where all have the same groups.
    pub(super) fn distinct(&self) -> usize {
        self.frames.len().max(1)
    }

    /// The data set that holds an attribute of a frame: its own group, the shared one, or the file itself.
    pub(super) fn holding(&self, frame: usize, sequence: Tag, attribute: Tag) -> Option<&'a DataSet<'a>> {
        let in_group = |group: &'a DataSet<'a>| group.items(sequence).first();
        let own = self.frames.get(frame).and_then(in_group);
        let shared = self.shared.and_then(in_group);
        [own, shared, Some(self.set)].into_iter().flatten().find(|set| set.bytes(attribute).is_some())
    }
}

/// Where one frame lies in the patient, in DICOM's axes: x to the left, y to the back, z to the head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plane {
    /// The centre of the first pixel, in mm.
    pub(super) position: [f64; 3],
    /// The direction in which columns count up.
    pub(super) along_row: [f64; 3],
    /// The direction in which rows count up.
    pub(super) down_column: [f64; 3],
}

impl Plane {
    /// The plane of a frame; `None` where position or orientation is missing. `offsets` are those of a dose grid.
    ///
    /// # Errors
    /// For directions that are not perpendicular and of length 1, within 0.001.
    pub(super) fn read(
        groups: &FrameGroups<'_>,
        offsets: Option<&[f64]>,
        frame: usize,
    ) -> Result<Option<Self>, Problem> {
        let position = groups.holding(frame, tag::PLANE_POSITION, tag::IMAGE_POSITION);
        let orientation = groups.holding(frame, tag::PLANE_ORIENTATION, tag::IMAGE_ORIENTATION);
        let (Some(position), Some(orientation)) = (position, orientation) else { return Ok(None) };
        let position = position.vector::<3>(tag::IMAGE_POSITION)?;
        let orientation = orientation.vector::<6>(tag::IMAGE_ORIENTATION)?;
        let (Some(mut position), Some([a, b, c, d, e, f])) = (position, orientation) else { return Ok(None) };
        let (along_row, down_column) = ([a, b, c], [d, e, f]);
        let off = [dot(along_row, along_row) - 1.0, dot(down_column, down_column) - 1.0, dot(along_row, down_column)];
        if off.iter().any(|off| off.abs() > 2e-3) {
            let expected = format!("perpendicular directions of length 1 in {}", tag::IMAGE_ORIENTATION);
            return Err(Problem::new(expected, "others"));
        }
        // A dose grid has one position and the distance of each frame from it.
        if let Some(offsets) = offsets {
            let Some(&offset) = offsets.get(frame) else {
                return Err(Problem::new(format!("an offset of each frame in {}", tag::GRID_OFFSETS), "fewer"));
            };
            let normal = cross(along_row, down_column);
            position = std::array::from_fn(|axis| position[axis] + normal[axis] * (offset - offsets[0]));
        }
        Ok(Some(Self { position, along_row, down_column }))
    }

    pub(super) fn normal(&self) -> [f64; 3] {
        cross(self.along_row, self.down_column)
    }
}

/// The distances of a dose grid's frames from the first, along their normal.
pub(super) fn grid_offsets(set: &DataSet<'_>) -> Result<Option<Vec<f64>>, Problem> {
    set.decimals(tag::GRID_OFFSETS)
}

/// The distance of rows, then of columns, in mm: in the patient if known, else on the detector (no magnification is
/// taken out of it).
pub(super) fn pixel_spacing(groups: &FrameGroups<'_>, frame: usize) -> Result<Option<[f64; 2]>, Problem> {
    Ok(match patient_spacing(groups, frame)? {
        Some(spacing) => Some(spacing),
        None => spacing(groups, frame, tag::IMAGER_PIXEL_SPACING)?,
    })
}

/// The distance of rows, then of columns, in the patient.
pub(super) fn patient_spacing(groups: &FrameGroups<'_>, frame: usize) -> Result<Option<[f64; 2]>, Problem> {
    spacing(groups, frame, tag::PIXEL_SPACING)
}

fn spacing(groups: &FrameGroups<'_>, frame: usize, tag: Tag) -> Result<Option<[f64; 2]>, Problem> {
    let Some(set) = groups.holding(frame, tag::PIXEL_MEASURES, tag) else { return Ok(None) };
    match set.vector::<2>(tag)? {
        // Radiographs whose spacing nobody measured say 0: that is no spacing, and nothing that needs one takes them.
        Some([0.0, 0.0]) => Ok(None),
        Some(spacing) if spacing.iter().any(|&mm| mm <= 0.0) => {
            Err(Problem::new(format!("{tag} above 0"), format!("{spacing:?}")))
        }
        spacing => Ok(spacing),
    }
}

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(&b).map(|(a, b)| a * b).sum()
}

pub(super) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(super) fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| a[axis] - b[axis])
}
