//! Images with a mask each: `[<split>/]images/<case>` and `[<split>/]masks/<case>`, flat or as volumes.
//!
//! What makes a wrong teacher is checked at every reading: that mask and image lie on one grid, that a mask holds no
//! number but those of the manifest, that a volume has as many channels as the manifest says and no time in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kd_image::{Geometry, Image, LabelMap, SampleId, Split, SubjectId};

use super::{DecodeError, cases, check_counts, check_files, files, split_of};
use crate::format::{Nifti, NotFinite, read_raster};
use crate::manifest::{ImageSize, Layout, Manifest, MaskValues};
use crate::root::Root;

/// Folder of the masks.
pub(crate) const MASKS: &str = "masks";
/// A mask may lie off its image by this share of the smallest step: no voxel then belongs to a neighbour.
const GRID_SHARE: f64 = 0.05;

/// One case before its pixels are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskRecord {
    /// The case: its name below the images, without file ending, behind its split where there is one.
    pub sample: SampleId,
    /// Who it shows: a number by group, or the case itself where no groups are known.
    pub subject: SubjectId,
    /// The publisher's split, where the files hold one.
    pub split: Option<Split>,
    /// What sort of image it is, where the set tells sorts apart.
    pub subgroup: Option<String>,
    /// Whether its subgroup is tested on and never learned from.
    pub held_out: bool,
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskedSample<const D: usize> {
    /// Pixels with their place.
    pub image: Image<D>,
    /// Classes on the image's grid, background 0.
    pub labels: LabelMap<D>,
    /// Objects, counted as in the file, where the mask tells them apart.
    pub instances: Option<LabelMap<D>>,
}

/// A data set of `D` axes whose files and names were checked.
#[derive(Debug)]
pub struct MaskedDataset<const D: usize> {
    manifest: Manifest,
    values: MaskValues,
    records: Vec<MaskRecord>,
    cases: Vec<CaseFiles>,
}

#[derive(Debug, Default)]
struct CaseFiles {
    images: BTreeMap<usize, PathBuf>,
    mask: Option<PathBuf>,
}

/// Name of the folder of the images: of all channels, or of one of several.
pub(crate) fn images_folder(channel: Option<usize>) -> String {
    channel.map_or_else(|| "images".into(), |channel| format!("images-{channel}"))
}

/// A file's name without the ending of its format.
pub(crate) fn case_of(name: &str) -> &str {
    let lower = name.to_ascii_lowercase();
    let ending = [".nii.gz", ".nii", ".png", ".jpeg", ".jpg", ".raw", ".bin", ".img", ".hdr"]
        .into_iter()
        .find(|ending| lower.ends_with(ending));
    // The ending is ASCII, so the rest ends between two letters.
    ending.and_then(|ending| name.get(..name.len() - ending.len())).unwrap_or(name)
}

/// Whether a mask lies on its image's grid, within a small share of a voxel.
fn same_grid<const D: usize>(
    mask: &Geometry<D>,
    image: &Geometry<D>,
    case: &str,
    what: &str,
) -> Result<(), DecodeError> {
    let smallest = image.spacing_mm().into_iter().flatten().fold(f64::INFINITY, f64::min);
    let tolerance = if smallest.is_finite() { GRID_SHARE * smallest } else { 0.0 };
    mask.check_same_grid(image, tolerance, what).map_err(|problem| DecodeError::Grid { case: case.into(), problem })
}

/// Reading one case: pictures and volumes come from different files, and are one to whoever counts or hashes them.
pub trait ReadMasked<const D: usize> {
    /// Reads a case; `index` is below the number of records.
    ///
    /// # Policy
    /// Image and mask lie on one grid when no corner is further off than a twentieth of the smallest step. Of volumes, a
    /// file with as many as the manifest has channels holds its channels, and a mask holds numbers within 1e-4 of a whole
    /// one.
    ///
    /// # Errors
    /// [`DecodeError::Format`] for a damaged file and for voxels that are no finite number, [`DecodeError::Image`] for an
    /// image that is not as the manifest says, [`DecodeError::Grid`] for a mask or a channel on another grid,
    /// [`DecodeError::Label`] for a number that stands for no class, [`DecodeError::Case`] for a coloured mask, for other
    /// numbers of volumes than channels, and for a volume of one slice.
    fn read(&self, index: usize) -> Result<MaskedSample<D>, DecodeError>;
}

/// What a file of the raw folder is: `images` (0), one of `images-0`, …, or `masks` (none).
fn place_of(name: &str) -> Option<(Option<Split>, Option<usize>, String)> {
    let mut parts = name.splitn(2, '/');
    let (mut top, mut rest) = (parts.next()?, parts.next()?);
    let split = split_of(top);
    if split.is_some() {
        (top, rest) = rest.split_once('/')?;
    }
    let channel = match top {
        MASKS => None,
        "images" => Some(0),
        _ => Some(top.strip_prefix("images-")?.parse().ok()?),
    };
    let case = case_of(rest);
    Some((split, channel, split.map_or_else(|| case.to_owned(), |split| format!("{split}/{case}"))))
}

impl<const D: usize> MaskedDataset<D> {
    /// Opens the raw folder of a data set.
    ///
    /// # Policy
    /// As [`RawDataset::open`](super::RawDataset::open). Flat sets have two axes, sets of volumes three.
    ///
    /// # Errors
    /// [`DecodeError::Layout`] for a set without masks or of another number of axes, [`DecodeError::Case`] for an image
    /// without a mask, a mask without an image, and channels that are missing, and those of
    /// [`RawDataset::open`](super::RawDataset::open).
    pub fn open(root: &Root, manifest: &Manifest) -> Result<Self, DecodeError> {
        Self::open_folder(&root.raw_set(manifest.name.as_str()), manifest)
    }

    /// As [`open`](Self::open), from any folder.
    pub(crate) fn open_folder(folder: &Path, manifest: &Manifest) -> Result<Self, DecodeError> {
        let (axes, values) = match (manifest.source.layout, &manifest.mask) {
            (Layout::ImageMasks, Some(values)) => (2, values.clone()),
            (Layout::NiftiMasks | Layout::Generator, Some(values)) => (3, values.clone()),
            _ => (0, MaskValues::Instances),
        };
        if axes != D {
            return Err(DecodeError::Layout {
                set: manifest.name.to_string(),
                found: manifest.source.layout.name(),
                expected: if D == 2 { "image-masks" } else { "nifti-masks" },
                hint: "use a data set that was imported with masks of this kind",
            });
        }
        check_files(folder, manifest)?;
        let mut found: BTreeMap<String, (Option<Split>, CaseFiles)> = BTreeMap::new();
        let generated = match manifest.source.layout {
            Layout::Generator => files::check_generated(folder, manifest)?,
            _ => Vec::new(),
        };
        let listed = manifest.source.files.iter().map(|file| file.name.as_str());
        for name in listed.chain(generated.iter().map(String::as_str)).filter(|name| !manifest.source.is_table(name)) {
            let Some((split, channel, case)) = place_of(name) else {
                let expected = "a file in images/ or masks/, perhaps below a folder of a split".into();
                return Err(DecodeError::Labels { what: name.into(), expected, found: "another folder".into() });
            };
            let files = &mut found.entry(case.clone()).or_insert_with(|| (split, CaseFiles::default())).1;
            let path = folder.join(name);
            let before = match channel {
                None => files.mask.replace(path),
                Some(channel) => files.images.insert(channel, path),
            };
            if before.is_some() {
                let problem = "another file becomes the same case".into();
                return Err(DecodeError::Name { file: name.into(), problem });
            }
        }
        for (case, (_, files)) in &found {
            check_case(case, files, manifest.image.channels)?;
        }
        let named: Vec<(&str, Option<Split>)> =
            found.iter().map(|(case, (split, _))| (case.as_str(), *split)).collect();
        let records = cases::records(folder, manifest, &named)?;
        check_counts(manifest, |split| records.iter().filter(|record| record.split == Some(split)).count())?;
        let cases = found.into_values().map(|(_, files)| files).collect();
        Ok(Self { manifest: manifest.clone(), values, records, cases })
    }

    /// The manifest it was opened with.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// All cases, sorted by name.
    #[must_use]
    pub fn records(&self) -> &[MaskRecord] {
        &self.records
    }

    /// Joins an image and the stored numbers of its mask, both on one grid.
    fn masked(&self, index: usize, image: Image<D>, stored: Vec<u16>) -> Result<MaskedSample<D>, DecodeError> {
        let sample = &self.records[index].sample;
        let (classes, n_classes) = (&self.manifest.classes, self.manifest.classes.len());
        let refused = |problem: kd_image::LabelError| DecodeError::Labels {
            what: sample.to_string(),
            expected: "a label for each point".into(),
            found: problem.to_string(),
        };
        let labels = match &self.values {
            MaskValues::Instances => stored.iter().map(|&object| u16::from(object > 0)).collect(),
            MaskValues::Classes(values) => {
                let mut class_of = vec![u16::MAX; usize::from(u16::MAX) + 1];
                for (&value, class) in values.iter().zip(0..) {
                    class_of[usize::from(value)] = class;
                }
                let labels: Vec<u16> = stored.iter().map(|&value| class_of[usize::from(value)]).collect();
                if let Some(position) = labels.iter().position(|&class| usize::from(class) >= n_classes) {
                    let known: Vec<String> =
                        values.iter().zip(classes).map(|(value, class)| format!("{value} ({class})")).collect();
                    let expected = format!("one of {}", known.join(", "));
                    return Err(DecodeError::Label {
                        sample: sample.to_string(),
                        found: stored[position].into(),
                        expected,
                    });
                }
                labels
            }
        };
        let grid = image.geometry().clone();
        let instances = match self.values {
            MaskValues::Instances => {
                Some(LabelMap::new(grid.clone(), stored, usize::from(u16::MAX) + 1).map_err(refused)?)
            }
            MaskValues::Classes(_) => None,
        };
        let labels = LabelMap::new(grid, labels, n_classes).map_err(refused)?;
        Ok(MaskedSample { image, labels, instances })
    }

    fn refused(&self, index: usize, expected: &str, found: String, hint: &'static str) -> DecodeError {
        DecodeError::Case { case: self.records[index].sample.to_string(), expected: expected.into(), found, hint }
    }

    fn image_differs(&self, index: usize, what: &'static str, expected: String, found: String) -> DecodeError {
        DecodeError::Image { sample: self.records[index].sample.to_string(), what, expected, found }
    }

    /// Paths of the images, one or one a channel, and of the mask; both are there, as opening has checked.
    fn paths(&self, index: usize) -> (Vec<&Path>, &Path) {
        let files = &self.cases[index];
        (files.images.values().map(PathBuf::as_path).collect(), files.mask.as_deref().unwrap_or(Path::new("")))
    }
}

fn check_case(case: &str, files: &CaseFiles, channels: usize) -> Result<(), DecodeError> {
    let refused = |expected: &str, found: String, hint| {
        Err(DecodeError::Case { case: case.into(), expected: expected.into(), found, hint })
    };
    const PAIRS: &str = "an image and its mask have the same name; remove what has no partner, or add it";
    if files.images.is_empty() {
        return refused("an image beside the mask", "a mask alone".into(), PAIRS);
    }
    if files.mask.is_none() {
        return refused("a mask beside the image", "an image alone".into(), PAIRS);
    }
    let count = files.images.len();
    if (count != 1 && count != channels) || !files.images.keys().copied().eq(0..count) {
        let found = format!("channels {:?}", files.images.keys().collect::<Vec<_>>());
        let expected = format!("one file, or channels 0 to {}", channels.saturating_sub(1));
        return refused(&expected, found, "every case has the same channels; remove it, or add what is missing");
    }
    Ok(())
}

impl ReadMasked<2> for MaskedDataset<2> {
    fn read(&self, index: usize) -> Result<MaskedSample<2>, DecodeError> {
        let (images, mask_path) = self.paths(index);
        let image = read_raster(images[0])?;
        let facts = &self.manifest.image;
        if image.channels() != facts.channels {
            let found = image.channels().to_string();
            return Err(self.image_differs(index, "channels", facts.channels.to_string(), found));
        }
        let [rows, columns] = image.geometry().shape();
        if let ImageSize::Fixed { height, width } = facts.size
            && (rows, columns) != (height, width)
        {
            let (expected, found) = (format!("{height} x {width}"), format!("{rows} x {columns}"));
            return Err(self.image_differs(index, "size", expected, found));
        }
        if image.intensity() != facts.intensity {
            let (expected, found) = (format!("{:?}", facts.intensity), format!("{:?}", image.intensity()));
            return Err(self.image_differs(index, "intensity", expected, found));
        }
        let mask = read_raster(mask_path)?;
        if mask.channels() != 1 {
            let hint =
                "save the mask as grey PNG with class numbers, not with the colours that a viewer shows for them";
            return Err(self.refused(index, "a mask of one channel", format!("{} channels", mask.channels()), hint));
        }
        same_grid(mask.geometry(), image.geometry(), self.records[index].sample.as_str(), "mask")?;
        // A reader of 8 or 16 bits gives whole numbers below 65536.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let stored = mask.values().iter().map(|&value| value as u16).collect();
        self.masked(index, image, stored)
    }
}

impl ReadMasked<3> for MaskedDataset<3> {
    fn read(&self, index: usize) -> Result<MaskedSample<3>, DecodeError> {
        let (paths, mask_path) = self.paths(index);
        let facts = &self.manifest.image;
        let case = self.records[index].sample.as_str();
        let per_file = facts.channels / paths.len();
        let mut values = Vec::new();
        let mut grid: Option<Geometry<3>> = None;
        for path in paths {
            let file = Nifti::open(path)?;
            let found = file.header().n_volumes();
            if found != per_file || file.header().datatype.colours().is_some() {
                let found = format!("{found} of {} (dim {:?})", file.header().datatype.name(), file.header().dims);
                let hint = "a series in time is imported one volume at a time; channels are counted in dataset.json, \
                            or stand in files of their own";
                return Err(self.refused(index, &format!("{per_file} volumes of numbers in a file"), found, hint));
            }
            let found = &file.header().geometry;
            match &grid {
                Some(grid) => same_grid(found, grid, case, "channel")?,
                None => grid = Some(found.clone()),
            }
            values.append(&mut file.channels(facts.intensity, NotFinite::Refuse)?.into_values());
        }
        let image = grid.map(|grid| Image::new(facts.channels, grid, facts.intensity, values));
        let image = match image {
            Some(Ok(image)) => image,
            other => {
                let found = other.map_or_else(|| "none".into(), |refused| format!("{refused:?}"));
                return Err(self.image_differs(index, "channels", facts.channels.to_string(), found));
            }
        };
        let shape = image.geometry().shape();
        if shape.contains(&1) {
            let hint =
                "a single slice is no volume: save slices and masks as PNG and import them with `--format image-mask`";
            return Err(self.refused(index, "a volume of 2 or more points an axis", format!("shape {shape:?}"), hint));
        }
        let mask = Nifti::open(mask_path)?.labels(usize::from(u16::MAX) + 1)?;
        same_grid(mask.geometry(), image.geometry(), case, "mask")?;
        self.masked(index, image, mask.labels().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_say_split_channel_and_case() {
        assert_eq!(place_of("images/a/b.png"), Some((None, Some(0), "a/b".into())));
        assert_eq!(place_of("Val/masks/x.nii.gz"), Some((Some(Split::Val), None, "val/x".into())));
        assert_eq!(place_of("images-3/x.nii"), Some((None, Some(3), "x".into())));
        assert_eq!(place_of("labels/x.nii"), None);
        assert_eq!(place_of("train/x.nii"), None);
    }

    #[test]
    fn endings_are_taken_off_whatever_their_case() {
        assert_eq!([case_of("a.b.NII.GZ"), case_of("é.png"), case_of("plain")], ["a.b", "é", "plain"]);
    }
}
