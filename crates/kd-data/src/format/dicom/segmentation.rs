//! DICOM segmentations: which segments a file holds, and their voxels on the grid of the series that they belong to.

use std::fmt;
use std::path::{Path, PathBuf};

use kd_image::{Affine, Geometry, LabelMap};

use super::super::error::Problem;
use super::super::{FormatError, NpyValue};
use super::container::with_header;
use super::data_set::{DataSet, Select};
use super::frames::{FrameGroups, Plane, patient_spacing};
use super::image::read_dicom;
use super::pixel_format::PixelFormat;
use super::tag;

/// Segmentation Storage, and Label Map Segmentation Storage.
const CLASSES: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"];
/// How far a pixel may lie from the voxel that it is taken for, in voxels.
const OFF: f64 = 0.05;

/// Whether a data set says that it is a segmentation.
pub(super) fn is_one(set: &DataSet<'_>) -> bool {
    set.code(tag::SOP_CLASS).or(set.code(tag::MEDIA_CLASS)).is_some_and(|class| CLASSES.contains(&class))
}

struct Segment {
    number: u16,
    name: String,
}

struct Frame {
    plane: Plane,
    /// Distance of rows, then of columns.
    spacing: [f64; 2],
    /// None where the pixels say it.
    segment: Option<u16>,
}

/// The header of one segmentation.
///
/// Names of segments are all that it tells; the UID of its series never leaves the crate.
///
/// # Policy
/// Segmentation types BINARY (a frame for each segment and plane) and LABELMAP (a frame for each plane, whose pixels are
/// segment numbers). FRACTIONAL is refused: a probability is no mask until somebody says where to cut it. A segment
/// without a name is called `segment N`. Names are read in ASCII, ISO_IR 100 and ISO_IR 192.
///
/// # Source
/// PS3.3 A.51, A.51.5 and C.8.20; frames as C.7.6.16 orders them.
///
/// # Example
/// ```
/// # use std::path::Path;
/// let refused = kd_data::format::DicomSegmentation::open(Path::new("missing.dcm")).unwrap_err();
/// assert!(refused.to_string().contains("missing.dcm"));
/// ```
pub struct DicomSegmentation {
    path: PathBuf,
    series: String,
    segments: Vec<Segment>,
    frames: Vec<Frame>,
}

impl fmt::Debug for DicomSegmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DicomSegmentation")
            .field("segments", &self.names().collect::<Vec<_>>())
            .field("frames", &self.frames.len())
            .finish_non_exhaustive()
    }
}

impl DicomSegmentation {
    /// Reads the header of a segmentation.
    ///
    /// # Errors
    /// [`FormatError`] for another kind of file, a type that is no mask, a file that refers to no series or to several,
    /// segments of one number, and frames without a place or a segment.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        with_header(path, Select::Listed, |set| Self::read(set, path))
    }

    fn read(set: &DataSet<'_>, path: &Path) -> Result<Self, Problem> {
        if !is_one(set) {
            return Err(Problem::new(format!("a segmentation by its {}", tag::SOP_CLASS), "another kind of file"));
        }
        let is_label_map = match set.code(tag::SEGMENTATION_TYPE) {
            Some("BINARY") => false,
            Some("LABELMAP") => true,
            Some("FRACTIONAL") => {
                let expected = format!("BINARY or LABELMAP in {}", tag::SEGMENTATION_TYPE);
                return Err(Problem::new(expected, "FRACTIONAL")
                    .hint("a share is no mask: cut it where you hold it right, and write it as BINARY"));
            }
            other => {
                let found = if other.is_some() { "another text" } else { "nothing there" };
                return Err(Problem::new(format!("BINARY or LABELMAP in {}", tag::SEGMENTATION_TYPE), found));
            }
        };
        let series = match set.items(tag::REFERENCED_SERIES) {
            [one] => one.code(tag::SERIES_UID).map(str::to_owned),
            items => {
                let expected = format!("one item in {}", tag::REFERENCED_SERIES);
                return Err(Problem::new(expected, items.len().to_string())
                    .hint("masks belong to the grid of one series, which the file has to name"));
            }
        };
        let series = series.ok_or_else(|| Problem::new(tag::SERIES_UID.to_string(), "nothing there"))?;
        let segments = segments(set, is_label_map)?;
        let frames = frames(set, is_label_map)?;
        let known = |number: u16| segments.iter().any(|segment| segment.number == number);
        if let Some(number) = frames.iter().filter_map(|frame| frame.segment).find(|&number| !known(number)) {
            let expected = format!("a segment of {} in {}", tag::SEGMENTS, tag::REFERENCED_SEGMENT);
            return Err(Problem::new(expected, number.to_string()));
        }
        Ok(Self { path: path.into(), series, segments, frames })
    }

    /// Names of its segments, in the file's order; several segments may have one name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map(|segment| segment.name.as_str())
    }

    /// The UID of the series that it belongs to.
    pub(crate) fn series(&self) -> &str {
        &self.series
    }

    /// The end of its path, for errors about it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The segments of files of one series as classes on its grid.
    ///
    /// # Policy
    /// `classes` are names, the background first; a segment of the same name gives its voxels to that class, and one
    /// that is not among them stays background. Each frame is placed by its position and orientation, so frames may
    /// come in any order, leave planes out, and be cut smaller than the grid. A pixel has to lie within 0.05 voxels of
    /// a voxel: nothing is resampled.
    ///
    /// # Errors
    /// [`FormatError`] for a grid without a place in the patient, frames beside it, a voxel of two classes, numbers
    /// without a segment, and pixels that cannot be decoded.
    pub fn labels(files: &[&Self], grid: &Geometry<3>, classes: &[String]) -> Result<LabelMap<3>, FormatError> {
        let mut labels = vec![0; grid.n_points()];
        for file in files {
            file.mark(grid, classes, &mut labels)?;
        }
        let no_labels = |error: kd_image::LabelError| {
            let path = files.first().map_or(Path::new(""), |file| &file.path);
            Problem::new("a label map", error.to_string()).at(path, None)
        };
        LabelMap::new(grid.clone(), labels, classes.len().max(1)).map_err(no_labels)
    }

    fn mark(&self, grid: &Geometry<3>, classes: &[String], labels: &mut [u16]) -> Result<(), FormatError> {
        let image = read_dicom(&self.path)?;
        let format = &image.format;
        let fits = (self.frames.len(), format.samples) == (format.frames, 1);
        let value: Box<dyn Fn(usize) -> u16> = match image.raw() {
            NpyValue::U8(array) if fits => Box::new(|at| u16::from(array.values[at])),
            NpyValue::U16(array) if fits => Box::new(|at| array.values[at]),
            _ => {
                let expected = "one unsigned number of 1, 8 or 16 bits a pixel, and the frames of the header";
                return Err(Problem::new(expected, "others").at(&self.path, None));
            }
        };
        let class_of = self.classes_of(classes).map_err(|problem| problem.at(&self.path, None))?;
        let mut target = Target { grid, classes, class_of, labels };
        self.mark_frames([format.rows, format.columns], value, &mut target)
            .map_err(|problem| problem.at(&self.path, None))
    }

    /// Marks what `value` says of all pixels, frame by frame.
    fn mark_frames(
        &self,
        [rows, columns]: [usize; 2],
        value: impl Fn(usize) -> u16,
        target: &mut Target<'_>,
    ) -> Result<(), Problem> {
        let to_voxel = target.grid.affine().and_then(Affine::inverse);
        let to_voxel = to_voxel.ok_or_else(|| Problem::new("a series with a place in the patient", "none"))?;
        for (n, frame) in self.frames.iter().enumerate() {
            let place = Placement::of(frame, [rows, columns], &to_voxel).map_err(|off| {
                Problem::new(format!("pixels within {OFF} voxels of the series' own"), off)
                    .inside(format!("frame {n}"))
                    .hint("the masks are of another grid than the series that the file names")
            })?;
            for pixel in 0..rows * columns {
                let stored = value(n * rows * columns + pixel);
                if stored == 0 {
                    continue;
                }
                let class = target.class_of(frame.segment.unwrap_or(stored))?;
                if class == 0 {
                    continue;
                }
                let at = place.index(pixel % columns, pixel / columns, target.grid.shape()).ok_or_else(|| {
                    Problem::new("masks inside the series' grid", format!("a voxel outside in frame {n}"))
                        .hint("slices of the series are missing")
                })?;
                target.mark(at, class)?;
            }
        }
        Ok(())
    }

    /// The class of each segment by its name, in the order of segment numbers; 0 for one that nobody asked for.
    fn classes_of(&self, classes: &[String]) -> Result<Vec<Option<u16>>, Problem> {
        let highest = self.segments.iter().map(|segment| segment.number).max().unwrap_or(0);
        let mut class_of = vec![None; usize::from(highest) + 1];
        for segment in &self.segments {
            let class = classes.iter().position(|name| *name == segment.name).unwrap_or(0);
            let too_many = |_| Problem::new("classes that 16 bits can count", class.to_string());
            class_of[usize::from(segment.number)] = Some(u16::try_from(class).map_err(too_many)?);
        }
        Ok(class_of)
    }
}

fn segments(set: &DataSet<'_>, is_label_map: bool) -> Result<Vec<Segment>, Problem> {
    let mut segments: Vec<Segment> = Vec::new();
    for item in set.items(tag::SEGMENTS) {
        let number = item.required_u16(tag::SEGMENT_NUMBER)?;
        if segments.iter().any(|segment| segment.number == number) {
            return Err(Problem::new(format!("each {} once", tag::SEGMENT_NUMBER), format!("{number} twice")));
        }
        // A label map may say what its background is, too.
        if number == 0 && is_label_map {
            continue;
        }
        let name = name(item, set.code(tag::CHARACTERS))?.unwrap_or_else(|| format!("segment {number}"));
        segments.push(Segment { number, name });
    }
    if segments.is_empty() {
        return Err(Problem::new(format!("a segment in {}", tag::SEGMENTS), "nothing there"));
    }
    Ok(segments)
}

/// The name of a segment in the characters of its file.
fn name(item: &DataSet<'_>, characters: Option<&str>) -> Result<Option<String>, Problem> {
    let Some((_, bytes)) = item.bytes(tag::SEGMENT_LABEL) else { return Ok(None) };
    let text = match (std::str::from_utf8(bytes), characters) {
        (Ok(text), _) if text.is_ascii() => text.to_owned(),
        (Ok(text), Some("ISO_IR 192")) => text.to_owned(),
        (_, Some("ISO_IR 100" | "\\ISO 2022 IR 100" | "ISO 2022 IR 100")) => {
            bytes.iter().copied().map(char::from).collect()
        }
        _ => {
            let expected = format!("{} in ASCII, ISO_IR 100 or ISO_IR 192", tag::SEGMENT_LABEL);
            return Err(Problem::new(expected, "other characters"));
        }
    };
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if text.chars().any(char::is_control) {
        return Err(Problem::new(format!("a name in {}", tag::SEGMENT_LABEL), "control characters"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn frames(set: &DataSet<'_>, is_label_map: bool) -> Result<Vec<Frame>, Problem> {
    let format = PixelFormat::read(set)?;
    let groups = FrameGroups::of(set);
    // More items than frames come from files that were cut down to their first frames.
    if groups.distinct() < format.frames {
        let expected = format!("an item a frame in {}, {} in all", tag::FRAME_GROUPS, format.frames);
        return Err(Problem::new(expected, groups.distinct().to_string()));
    }
    let frame = |n: usize| {
        let missing = |tag: tag::Tag| Problem::new(format!("{tag} of frame {n}"), "nothing there");
        let plane = Plane::read(&groups, None, n)?.ok_or_else(|| missing(tag::IMAGE_POSITION))?;
        let spacing = patient_spacing(&groups, n)?.ok_or_else(|| missing(tag::PIXEL_SPACING))?;
        let holding = groups.holding(n, tag::SEGMENT_IDENTIFICATION, tag::REFERENCED_SEGMENT);
        let segment = match holding {
            _ if is_label_map => None,
            Some(set) => Some(set.required_u16(tag::REFERENCED_SEGMENT)?),
            None => return Err(missing(tag::REFERENCED_SEGMENT)),
        };
        Ok(Frame { plane, spacing, segment })
    };
    (0..format.frames).map(frame).collect()
}

/// A label map in the making.
struct Target<'a> {
    grid: &'a Geometry<3>,
    classes: &'a [String],
    /// By segment number; none where the file has no such segment.
    class_of: Vec<Option<u16>>,
    labels: &'a mut [u16],
}

impl Target<'_> {
    fn class_of(&self, segment: u16) -> Result<u16, Problem> {
        let class = self.class_of.get(usize::from(segment)).copied().flatten();
        class.ok_or_else(|| {
            Problem::new(format!("a segment of {} for each number", tag::SEGMENTS), format!("pixels of {segment}"))
        })
    }

    fn mark(&mut self, at: usize, class: u16) -> Result<(), Problem> {
        let before = std::mem::replace(&mut self.labels[at], class);
        if before == 0 || before == class {
            return Ok(());
        }
        let name = |class: u16| &self.classes[usize::from(class)];
        let found = format!("`{}` and `{}` at one voxel", name(before), name(class));
        Err(Problem::new("segments that do not overlap", found)
            .hint("name the classes that you want with --classes; the other segments are left out"))
    }
}

/// Where the pixels of a frame stand among voxels, `(column, row, slice)`.
struct Placement {
    first: [i64; 3],
    along_row: [i64; 3],
    down_column: [i64; 3],
}

impl Placement {
    /// Says what lies beside the voxels where something does.
    fn of(frame: &Frame, [rows, columns]: [usize; 2], to_voxel: &Affine) -> Result<Self, String> {
        // DICOM's x runs to the left and y to the back; ours run the other way.
        let ras = |[x, y, z]: [f64; 3]| [-x, -y, z];
        let zero = to_voxel.world_mm([0.0; 3]);
        let step = |direction: [f64; 3], mm: f64| {
            let end = to_voxel.world_mm(ras(direction.map(|axis| axis * mm)));
            std::array::from_fn::<f64, 3, _>(|axis| end[axis] - zero[axis])
        };
        let whole = |voxels: [f64; 3], times: f64, what: &str| {
            let off = voxels.iter().map(|axis| (axis - axis.round()).abs() * times).fold(0.0, f64::max);
            // A number that is none is beside every voxel.
            if off.is_nan() || off > OFF {
                return Err(format!("{what} {off:.3} voxels beside"));
            }
            #[allow(clippy::cast_possible_truncation)] // far outside of a grid is outside of it
            Ok(voxels.map(|axis| axis.round() as i64))
        };
        #[allow(clippy::cast_precision_loss)]
        let [down, along] = [rows, columns].map(|count| (count - 1).max(1) as f64);
        let placed = Self {
            first: whole(to_voxel.world_mm(ras(frame.plane.position)), 1.0, "the first pixel")?,
            along_row: whole(step(frame.plane.along_row, frame.spacing[1]), along, "the end of a row")?,
            down_column: whole(step(frame.plane.down_column, frame.spacing[0]), down, "the end of a column")?,
        };
        let is_step = |step: [i64; 3]| step.iter().map(|axis| axis.unsigned_abs()).sum::<u64>() == 1;
        if is_step(placed.along_row) && is_step(placed.down_column) {
            Ok(placed)
        } else {
            Err("steps of several voxels, or of none".into())
        }
    }

    /// The place of a pixel in the order of the voxels; none outside of them.
    fn index(&self, column: usize, row: usize, [depth, rows, columns]: [usize; 3]) -> Option<usize> {
        let along = |axis: usize| {
            let [column, row] = [column, row].map(|count| i64::try_from(count).ok());
            let place = self.first[axis]
                .checked_add(self.along_row[axis].checked_mul(column?)?)?
                .checked_add(self.down_column[axis].checked_mul(row?)?)?;
            usize::try_from(place).ok()
        };
        let [x, y, z] = [along(0)?, along(1)?, along(2)?];
        (x < columns && y < rows && z < depth).then(|| (z * rows + y) * columns + x)
    }
}
