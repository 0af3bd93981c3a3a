//! Volumes without masks, split and checked for leaks: whole, or cut into blocks of slices where there are too few people.

use std::ops::Range;

use kd_image::{Geometry, Image, Orientation, Reorientation, SampleId, SubjectId};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{CaseError, SplitSet};
use crate::decode::VolumeDataset;
use crate::leak::{LeakPolicy, PixelHash};
use crate::manifest::Manifest;
use crate::root::Root;
use crate::split::{SplitUnit, split_of_units};

/// Neighbouring slices as the units that a split divides: for one person, or a few, of whom no claim about people follows.
///
/// # Policy
/// Slices are counted from the feet; the first block begins with the first slice, and a block that the volume no longer
/// fills is left out. Slices of a gap are left out too: neighbours are alike, and without a gap a test slice would have
/// been learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// Slices of a block.
    pub slices: usize,
    /// Slices between two blocks.
    pub gap: usize,
}

impl Blocks {
    fn of(self, slices: usize) -> impl Iterator<Item = Range<usize>> {
        let period = self.slices + self.gap;
        (0..slices).step_by(period.max(1)).map(move |start| start..start + self.slices).filter(move |r| r.end <= slices)
    }
}

/// What volumes and blocks are read from.
#[derive(Debug)]
pub struct VolumeFiles {
    files: VolumeDataset,
    parts: Vec<Part>,
}

/// Some slices of a file, or all.
#[derive(Debug)]
struct Part {
    file: usize,
    slices: Range<usize>,
}

impl Part {
    /// The part of a volume, turned to the axes of the patient.
    fn of(&self, volume: Image<3>) -> Result<Image<3>, CaseError> {
        let volume = turned(volume)?;
        if self.slices.len() == volume.geometry().shape()[0] { Ok(volume) } else { cut(&volume, &self.slices) }
    }
}

/// A split set of volumes, or of blocks of them, without what the leak check left out.
pub type VolumeSet = SplitSet<VolumeFiles>;

/// A volume with the axes of the patient: slices to the head, rows to the back, columns to the left.
fn turned(volume: Image<3>) -> Result<Image<3>, CaseError> {
    if volume.geometry().affine().is_none() {
        return Ok(volume);
    }
    let turn = Reorientation::new(volume.geometry(), Orientation::LPS).and_then(|turn| turn.image(&volume));
    turn.map_err(|error| CaseError::Turn { reason: error.to_string() })
}

/// Some slices of a volume.
fn cut(volume: &Image<3>, slices: &Range<usize>) -> Result<Image<3>, CaseError> {
    let [_, rows, columns] = volume.geometry().shape();
    let shape = [slices.len(), rows, columns];
    let plane = rows * columns;
    let part = |channel| volume.channel(channel)[slices.start * plane..slices.end * plane].iter().copied();
    let values: Vec<f32> = (0..volume.channels()).flat_map(part).collect();
    let grid = match volume.geometry().spacing_mm() {
        Some(spacing) => Geometry::with_spacing(shape, spacing),
        None => Geometry::without_spacing(shape),
    };
    let refused = |reason: String| CaseError::Turn { reason };
    let grid = grid.map_err(|error| refused(error.to_string()))?;
    Image::new(volume.channels(), grid, volume.intensity(), values).map_err(|error| refused(error.to_string()))
}

impl VolumeSet {
    /// Opens the raw folder of a data set of volumes, splits it and looks for leaks.
    ///
    /// # Policy
    /// Whole volumes are divided by subject as [`split_of_volumes`](crate::split::split_of_volumes) does. Blocks are
    /// divided as if each were a subject of its own.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn open(
        root: &Root,
        manifest: &Manifest,
        policy: LeakPolicy,
        blocks: Option<Blocks>,
    ) -> Result<Self, CaseError> {
        let files = VolumeDataset::open(root, manifest)?;
        let all: Vec<_> = (0..files.records().len())
            .into_par_iter()
            .map(|position| units(&files, position, blocks))
            .collect::<Vec<Result<Vec<Unit>, CaseError>>>();
        let all: Vec<Unit> = all.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let facts = blocks.map(|Blocks { slices, gap }| ("blocks".to_owned(), format!("{slices} slices, gap {gap}")));
        let split_units: Vec<SplitUnit<'_>> =
            all.iter().map(|unit| (&unit.sample, &unit.subject, files.records()[unit.part.file].split)).collect();
        let table = split_of_units(manifest, &split_units, manifest.split, facts.into_iter().collect())?;
        let hashes: Vec<PixelHash> = all.iter().map(|unit| unit.pixels).collect();
        let parts = all.into_iter().map(|unit| unit.part).collect();
        Ok(Self::checked(VolumeFiles { files, parts }, &table, &hashes, policy)?)
    }

    /// Slices of a volume or a block; `index` is below [`len`](Self::len).
    #[must_use]
    pub fn n_slices(&self, index: usize) -> usize {
        self.part(index).slices.len()
    }

    fn part(&self, index: usize) -> &Part {
        &self.files.parts[self.position(index)]
    }

    /// Reads a volume or a block, turned to the axes of the patient; `index` is below [`len`](Self::len).
    ///
    /// # Errors
    /// As [`VolumeDataset::read`].
    pub fn read(&self, index: usize) -> Result<Image<3>, CaseError> {
        let part = self.part(index);
        part.of(self.files.files.read(part.file)?)
    }

    /// Whether it has what was measured of every volume.
    #[must_use]
    pub fn has_inputs(&self) -> bool {
        self.files.files.has_inputs()
    }

    /// Reads the same of a volume and of what was measured of it, where the set has that.
    ///
    /// # Errors
    /// As [`VolumeDataset::read_pair`].
    pub fn read_pair(&self, index: usize) -> Result<(Image<3>, Option<Image<3>>), CaseError> {
        let part = self.part(index);
        let (clean, input) = self.files.files.read_pair(part.file)?;
        Ok((part.of(clean)?, input.map(|input| part.of(input)).transpose()?))
    }
}

struct Unit {
    part: Part,
    sample: SampleId,
    subject: SubjectId,
    pixels: PixelHash,
}

fn units(files: &VolumeDataset, file: usize, blocks: Option<Blocks>) -> Result<Vec<Unit>, CaseError> {
    let record = &files.records()[file];
    let volume = turned(files.read(file)?)?;
    let depth = volume.geometry().shape()[0];
    let Some(blocks) = blocks else {
        let (sample, subject) = (record.sample.clone(), record.subject.clone());
        return Ok(vec![Unit {
            part: Part { file, slices: 0..depth },
            sample,
            subject,
            pixels: PixelHash::of(&volume),
        }]);
    };
    let of_block = |(n, slices): (usize, Range<usize>)| {
        let name = |whole: &str| format!("{whole}-b{n:03}");
        let wrong = |reason: String| CaseError::Turn { reason };
        Ok(Unit {
            sample: SampleId::new(name(record.sample.as_str())).map_err(|error| wrong(error.to_string()))?,
            subject: SubjectId::new(name(record.subject.as_str())).map_err(|error| wrong(error.to_string()))?,
            pixels: PixelHash::of(&cut(&volume, &slices)?),
            part: Part { file, slices },
        })
    };
    blocks.of(depth).enumerate().map(of_block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_leave_their_gaps_and_an_unfilled_end_out() {
        let blocks = Blocks { slices: 3, gap: 2 };
        assert_eq!(blocks.of(13).collect::<Vec<_>>(), [0..3, 5..8, 10..13]);
        assert_eq!(blocks.of(12).collect::<Vec<_>>(), [0..3, 5..8]);
        assert_eq!(blocks.of(2).count(), 0);
    }
}
