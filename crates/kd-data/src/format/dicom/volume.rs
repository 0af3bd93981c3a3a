//! Files of one or several series to volumes.

use std::fmt;
use std::path::{Path, PathBuf};

use kd_image::{Geometry, Image, Intensity};
use rayon::prelude::*;

use super::super::FormatError;
use super::super::error::Problem;
use super::codec::check_ratio;
use super::image::read_dicom;
use super::slice::{Slice, read_slices};
use super::stack::{Stack, stacks};
use super::tag;

/// What is to happen to a stack that leans, as a scanner with a tilted gantry makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tilt {
    /// It is refused: what follows may look at spacing and not at the affine.
    Refuse,
    /// Its affine is sheared, so that every voxel stands where it was measured. The spacing of slices is then the
    /// distance of their first pixels, which is longer than that of their planes.
    KeepSheared,
}

/// What a set of files holds.
#[derive(Debug, Default)]
pub struct DicomSeries {
    /// Volumes to be.
    pub stacks: Vec<DicomStack>,
    /// Files and groups of slices that make none, and why.
    pub refused: Vec<FormatError>,
}

/// Slices in order, on a grid, before their pixels are read.
pub struct DicomStack {
    /// Each file with its slices: where they stand in the volume, and which frame they are.
    files: Vec<(PathBuf, Vec<(usize, usize)>)>,
    geometry: Geometry<3>,
    channels: usize,
    /// Whether a file declares padding.
    padded: bool,
    tilt_degrees: f64,
}

impl fmt::Debug for DicomStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DicomStack")
            .field("files", &self.files.len())
            .field("shape", &self.geometry.shape())
            .field("spacing_mm", &self.geometry.spacing_mm())
            .field("tilt_degrees", &self.tilt_degrees)
            .finish_non_exhaustive()
    }
}

/// A volume and which of its voxels are no measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct DicomVolume {
    /// Values after the modality step, one channel, or three for colour.
    pub image: Image<3>,
    /// Padding, in the order of one channel's values; `None` where no file declares any.
    pub padding: Option<Vec<bool>>,
}

/// Sorts files into stacks of slices by their headers; no pixel is decoded.
///
/// # Policy
/// - Slices stay together when these agree: series, frame of reference, image type, echo, temporal position, stack id,
///   rows, columns, colour or grey, directions (0.0002 in each component), pixel spacing (0.1 %). Else they are split.
/// - Several slices at one place are split by acquisition number if that leaves one a place, else refused.
/// - Order is by Image Position (Patient) along the normal of Image Orientation (Patient). Every gap has to be the median
///   one within 1 % and 0.005 mm, and every slice has to stand on the line from first to last; the step is the distance
///   of these two divided by the number of gaps. Nothing is averaged or filled in.
/// - One slice alone has Slice Thickness as its step.
/// - Localisers, images without a place in the patient and files that are no DICOM are listed as refused.
/// - The affine is in RAS+ axes.
///
/// # Source
/// PS3.3 C.7.6.2.1.1; D. Clunie on the choice of position over all other attributes (ITK users' list, 2005).
#[must_use]
pub fn find_dicom_stacks(paths: &[PathBuf]) -> DicomSeries {
    let read: Vec<_> = paths.par_iter().enumerate().map(|(file, path)| read_slices(path, file)).collect();
    let mut found = DicomSeries::default();
    let mut slices: Vec<Slice> = Vec::new();
    for result in read {
        match result {
            Ok(of_file) => slices.extend(of_file),
            Err(error) => found.refused.push(error),
        }
    }
    for stack in stacks(slices) {
        match stack {
            Ok(stack) => found.stacks.push(DicomStack::new(stack, paths)),
            Err(refused) => found.refused.push(refused.problem.at(&paths[refused.slices[0].file], None)),
        }
    }
    found
}

/// Reads files that make one volume, all of them.
///
/// # Policy
/// As [`find_dicom_stacks`] and [`DicomStack::read`].
///
/// # Errors
/// [`FormatError`] when a file is refused, or when the files make no volume or several.
pub fn read_dicom_volume(paths: &[PathBuf], tilt: Tilt) -> Result<DicomVolume, FormatError> {
    let mut found = find_dicom_stacks(paths);
    if !found.refused.is_empty() {
        return Err(found.refused.swap_remove(0));
    }
    match (found.stacks.as_slice(), paths.first()) {
        ([stack], _) => stack.read(tilt),
        (stacks, first) => {
            let shapes: Vec<String> =
                stacks.iter().take(8).map(|stack| format!("{:?}", stack.geometry.shape())).collect();
            let found = format!("{} {}", stacks.len(), shapes.join(", "));
            let problem = Problem::new("files of one volume", found.trim_end()).hint("give the files of one at a time");
            Err(problem.at(first.map_or(Path::new(""), PathBuf::as_path), None))
        }
    }
}

impl DicomStack {
    fn new(stack: Stack, paths: &[PathBuf]) -> Self {
        let mut files = std::collections::BTreeMap::<usize, Vec<(usize, usize)>>::new();
        for (place, slice) in stack.slices.iter().enumerate() {
            files.entry(slice.file).or_default().push((place, slice.frame));
        }
        Self {
            files: files.into_iter().map(|(file, slices)| (paths[file].clone(), slices)).collect(),
            channels: stack.slices[0].key.channels,
            padded: stack.slices.iter().any(|slice| slice.padded),
            geometry: stack.geometry,
            tilt_degrees: stack.tilt_degrees,
        }
    }

    /// The grid.
    #[must_use]
    pub fn geometry(&self) -> &Geometry<3> {
        &self.geometry
    }

    /// Each file with its slices: where they stand in the volume, and which frame they are.
    pub(super) fn files(&self) -> &[(PathBuf, Vec<(usize, usize)>)] {
        &self.files
    }

    /// How many files it is in.
    #[must_use]
    pub fn n_files(&self) -> usize {
        self.files.len()
    }

    /// The angle between the stack and the normal of its slices; 0 below a tenth of a degree.
    #[must_use]
    pub fn tilt_degrees(&self) -> f64 {
        self.tilt_degrees
    }

    /// Decodes the pixels, one file a thread.
    ///
    /// # Policy
    /// Values after the modality step, as [`DicomImage::modality`](super::DicomImage::modality) gives them; all files have to agree on what these mean.
    /// Memory: the volume, and one file a thread.
    ///
    /// # Errors
    /// [`FormatError`] for a file that cannot be decoded or that changed since its header was read, and for a stack that
    /// leans when `tilt` refuses it.
    pub fn read(&self, tilt: Tilt) -> Result<DicomVolume, FormatError> {
        let first = &self.files[0].0;
        if self.tilt_degrees > 0.0 && tilt == Tilt::Refuse {
            return Err(Problem::new(
                "slices stacked along their normal",
                format!("a tilt of {:.2}°", self.tilt_degrees),
            )
            .hint("keep the sheared grid, or resample the series with another program first")
            .at(first, None));
        }
        let [depth, rows, columns] = self.geometry.shape();
        let points = rows * columns;
        let all = points.checked_mul(depth).and_then(|points| points.checked_mul(self.channels));
        let on_disk = self.files.iter().map(|(path, _)| std::fs::metadata(path).map_or(0, |facts| facts.len()));
        let on_disk = usize::try_from(on_disk.sum::<u64>()).unwrap_or(usize::MAX);
        check_ratio(all.and_then(|all| all.checked_mul(4)), on_disk)
            .map_err(|problem| problem.inside(tag::PIXELS).at(first, None))?;
        let mut values = vec![0.0; all.unwrap_or_default()];
        let mut mask = vec![false; if self.padded { points * depth } else { 0 }];
        let mut planes: Vec<Option<&mut [f32]>> = values.chunks_mut(points).map(Some).collect();
        let mut masks: Vec<Option<&mut [bool]>> = mask.chunks_mut(points).map(Some).collect();
        let rooms = self.files.iter().map(|(path, slices)| {
            let room = |&(place, frame): &(usize, usize)| Room {
                frame,
                planes: (0..self.channels).filter_map(|channel| planes[channel * depth + place].take()).collect(),
                mask: masks.get_mut(place).and_then(Option::take),
            };
            (path, slices.iter().map(room).collect())
        });
        let rooms: Vec<(&PathBuf, Vec<Room<'_>>)> = rooms.collect();
        let meanings = rooms.into_par_iter().map(|(path, rooms)| self.decode(path, rooms));
        let meanings: Vec<Intensity> = meanings.collect::<Result<_, _>>()?;
        let intensity = meanings[0];
        if let Some(other) = meanings.iter().position(|&meaning| meaning != intensity) {
            let found = format!("{} in one file, {} in another", intensity.name(), meanings[other].name());
            return Err(Problem::new("one meaning of values in all files", found).at(&self.files[other].0, None));
        }
        let image = Image::new(self.channels, self.geometry.clone(), intensity, values);
        let image = image.map_err(|error| Problem::new("a volume", error.to_string()).at(first, None))?;
        Ok(DicomVolume { image, padding: self.padded.then_some(mask) })
    }

    fn decode(&self, path: &Path, rooms: Vec<Room<'_>>) -> Result<Intensity, FormatError> {
        let [_, rows, columns] = self.geometry.shape();
        let image = read_dicom(path)?;
        let format = &image.format;
        let channels = if format.photometric.is_grey() { 1 } else { 3 };
        let fits = (format.rows, format.columns, channels) == (rows, columns, self.channels);
        let mut values = Vec::with_capacity(rows * columns * channels);
        for room in rooms {
            if !fits || room.frame >= format.frames {
                let expected = format!("{rows} × {columns} pixels and {} channels, as before", self.channels);
                return Err(Problem::new(expected, "another image").at(path, None));
            }
            values.clear();
            image.frame_modality(room.frame, &mut values)?;
            let mut planes = room.planes;
            if let [plane] = &mut planes[..] {
                plane.copy_from_slice(&values);
                planes.clear();
            }
            for (channel, plane) in planes.into_iter().enumerate() {
                let from = values.iter().skip(channel).step_by(channels);
                plane.iter_mut().zip(from).for_each(|(value, &from)| *value = from);
            }
            if let (Some(into), Some(mask)) = (room.mask, image.frame_padding(room.frame)) {
                into.copy_from_slice(&mask);
            }
        }
        Ok(image.intensity())
    }
}

/// Where the values of one slice go.
struct Room<'a> {
    frame: usize,
    planes: Vec<&'a mut [f32]>,
    mask: Option<&'a mut [bool]>,
}
