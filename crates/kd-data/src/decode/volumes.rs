//! Volumes without an answer: NIfTI files `[<split>/]images/<case>.nii.gz`, a generator's too, or DICOM files
//! `[<split>/]series/<case>/…`.
//!
//! The clean images of an enhancement task, perhaps with what was measured of each with less dose or time, as
//! `[<split>/]inputs/<case>.nii.gz` on the same grid. Nothing is degraded here and nothing cut into slices: a volume keeps its grid,
//! and what its numbers mean, because a scan can be simulated only from Hounsfield units on a grid in mm.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kd_image::{Image, Intensity, Split};

use super::{DecodeError, MaskRecord, case_of, cases, check_counts, check_files, files, split_of};
use crate::format::{DicomVolume, Nifti, NotFinite, Tilt, read_dicom_volume};
use crate::manifest::{ImageSize, Layout, Manifest, Task};
use crate::root::Root;

/// Folder of the NIfTI files.
pub(crate) const IMAGES: &str = "images";
/// Folder of what was measured of the clean images, in files of the same names.
pub(crate) const INPUTS: &str = "inputs";
/// Folder of the folders of DICOM files.
pub(crate) const SERIES: &str = "series";

/// One volume before its voxels are read: the same facts as of a case with a mask.
pub type VolumeRecord = MaskRecord;

/// A data set of volumes whose files and names were checked.
#[derive(Debug)]
pub struct VolumeDataset {
    manifest: Manifest,
    records: Vec<VolumeRecord>,
    files: Vec<VolumeFiles>,
    /// What was measured of each; empty where nothing was.
    inputs: Vec<PathBuf>,
}

#[derive(Debug)]
enum VolumeFiles {
    Nifti(PathBuf),
    Dicom(Vec<PathBuf>),
}

/// Split and case of a file of the raw folder, `below` being the folder of all cases; of a DICOM file the case is the
/// folder that it lies in.
fn place_of<'a>(name: &'a str, below: &str) -> Option<(Option<Split>, &'a str)> {
    let (mut top, mut rest) = name.split_once('/')?;
    let split = split_of(top);
    if split.is_some() {
        (top, rest) = rest.split_once('/')?;
    }
    if top != below {
        return None;
    }
    let case = if below == SERIES { rest.rsplit_once('/')?.0 } else { case_of(rest) };
    Some((split, case))
}

impl VolumeDataset {
    /// Opens the raw folder of a data set.
    ///
    /// # Policy
    /// As [`RawDataset::open`](super::RawDataset::open). A case is called as its file or folder, behind its split where
    /// there is one.
    ///
    /// # Errors
    /// [`DecodeError::Layout`] for a set of another kind, [`DecodeError::Labels`] for a file in another folder,
    /// [`DecodeError::Name`] for two files of one name, and those of [`RawDataset::open`](super::RawDataset::open).
    ///
    /// # Example
    /// ```
    /// use kd_data::decode::VolumeDataset;
    /// use kd_data::{Root, catalog};
    /// let folder = tempfile::tempdir()?;
    /// let chest = catalog::find("chest-phantom")?;
    /// let refused = VolumeDataset::open(&Root::new(folder.path()), chest).unwrap_err().to_string();
    /// assert!(refused.contains("expected nifti-volumes, dicom-series or a generator of volumes"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(root: &Root, manifest: &Manifest) -> Result<Self, DecodeError> {
        Self::open_folder(&root.raw_set(manifest.name.as_str()), manifest)
    }

    /// As [`open`](Self::open), from any folder.
    pub(crate) fn open_folder(folder: &Path, manifest: &Manifest) -> Result<Self, DecodeError> {
        let layout = manifest.source.layout;
        if manifest.task != Task::Enhancement {
            return Err(DecodeError::Layout {
                set: manifest.name.to_string(),
                found: layout.name(),
                expected: "nifti-volumes, dicom-series or a generator of volumes",
                hint: "use a data set of task `enhancement`",
            });
        }
        check_files(folder, manifest)?;
        let generated =
            if layout == Layout::Generator { files::check_generated(folder, manifest)? } else { Vec::new() };
        let listed = manifest.source.files.iter().map(|file| file.name.as_str());
        let names: Vec<&str> = listed.chain(generated.iter().map(String::as_str)).collect();
        let below = if layout == Layout::DicomSeries { SERIES } else { IMAGES };
        let mut found: BTreeMap<String, (Option<Split>, Vec<PathBuf>)> = BTreeMap::new();
        let mut inputs: BTreeMap<String, PathBuf> = BTreeMap::new();
        for &name in names.iter().filter(|name| !manifest.source.is_table(name)) {
            if let Some((split, case)) = place_of(name, INPUTS).filter(|_| layout == Layout::NiftiVolumes) {
                inputs.insert(case_in(split, case), folder.join(name));
                continue;
            }
            let Some((split, case)) = place_of(name, below) else {
                let expected = format!("a file in {below}/, perhaps below a folder of a split");
                return Err(DecodeError::Labels { what: name.into(), expected, found: "another folder".into() });
            };
            let case = case_in(split, case);
            let files = &mut found.entry(case).or_insert_with(|| (split, Vec::new())).1;
            if below == IMAGES && !files.is_empty() {
                let problem = "another file becomes the same case".into();
                return Err(DecodeError::Name { file: name.into(), problem });
            }
            files.push(folder.join(name));
        }
        if !inputs.is_empty() && !inputs.keys().eq(found.keys()) {
            let odd = inputs.keys().find(|case| !found.contains_key(*case));
            let odd =
                odd.or_else(|| found.keys().find(|case| !inputs.contains_key(*case))).cloned().unwrap_or_default();
            let expected = format!("`{odd}` in {IMAGES}/ and in {INPUTS}/");
            return Err(DecodeError::Labels { what: INPUTS.into(), expected, found: "one of them".into() });
        }
        let named: Vec<(&str, Option<Split>)> =
            found.iter().map(|(case, (split, _))| (case.as_str(), *split)).collect();
        let records = cases::records(folder, manifest, &named)?;
        check_counts(manifest, |split| records.iter().filter(|record| record.split == Some(split)).count())?;
        let files = found.into_values().map(|(_, mut files)| match (below, files.pop()) {
            (IMAGES, Some(file)) => VolumeFiles::Nifti(file),
            (_, last) => {
                files.extend(last);
                VolumeFiles::Dicom(files)
            }
        });
        let inputs = inputs.into_values().collect();
        Ok(Self { manifest: manifest.clone(), files: files.collect(), records, inputs })
    }

    /// Whether it has what was measured of every volume.
    #[must_use]
    pub fn has_inputs(&self) -> bool {
        !self.inputs.is_empty()
    }

    /// Reads a volume with what was measured of it, where the set has that; `index` is below the number of records.
    ///
    /// # Errors
    /// As [`read`](Self::read), of either; [`DecodeError::Case`] for two grids that differ by more than 0.001 mm.
    pub fn read_pair(&self, index: usize) -> Result<(Image<3>, Option<Image<3>>), DecodeError> {
        let clean = self.read(index)?;
        let Some(path) = self.inputs.get(index) else { return Ok((clean, None)) };
        let input = self.read_nifti(index, path)?;
        let (expected, found) = (clean.geometry(), input.geometry());
        if !found.same_grid(expected, 1e-3) {
            return Err(DecodeError::Case {
                case: self.records[index].sample.to_string(),
                expected: format!("an input on the grid of the clean image, {expected}"),
                found: found.to_string(),
                hint: "resample one of them onto the grid of the other",
            });
        }
        Ok((clean, Some(input)))
    }

    /// The manifest it was opened with.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// All volumes, sorted by name.
    #[must_use]
    pub fn records(&self) -> &[VolumeRecord] {
        &self.records
    }

    /// Reads a volume, slices along the first axis; `index` is below the number of records.
    ///
    /// # Policy
    /// A NIfTI file holds as many volumes as the manifest has channels. The files of a DICOM series make one volume,
    /// ordered by position; a stack that leans keeps its slices as they are. Voxels that a DICOM file declares as padding
    /// are air (−1000) in Hounsfield units, and the smallest measured value otherwise. The meaning is the manifest's;
    /// where a DICOM file says another one, only `arbitrary` may stand over it.
    ///
    /// # Errors
    /// [`DecodeError::Format`] for a damaged file and for voxels that are no finite number, [`DecodeError::Image`] for a
    /// volume that is not as the manifest says, [`DecodeError::Case`] for other numbers of volumes than channels.
    pub fn read(&self, index: usize) -> Result<Image<3>, DecodeError> {
        let image = match &self.files[index] {
            VolumeFiles::Nifti(path) => self.read_nifti(index, path)?,
            VolumeFiles::Dicom(paths) => self.read_series(index, paths)?,
        };
        let facts = &self.manifest.image;
        if image.channels() != facts.channels {
            return Err(self.differs(index, "channels", facts.channels.to_string(), image.channels().to_string()));
        }
        let [_, rows, columns] = image.geometry().shape();
        match facts.size {
            ImageSize::Fixed { height, width } if (rows, columns) != (height, width) => {
                Err(self.differs(index, "size", format!("{height} x {width}"), format!("{rows} x {columns}")))
            }
            _ => Ok(image),
        }
    }

    fn read_nifti(&self, index: usize, path: &Path) -> Result<Image<3>, DecodeError> {
        let facts = &self.manifest.image;
        let file = Nifti::open(path)?;
        let header = file.header();
        if header.n_volumes() != facts.channels || header.datatype.colours().is_some() {
            return Err(DecodeError::Case {
                case: self.records[index].sample.to_string(),
                expected: format!("{} volumes of numbers in a file", facts.channels),
                found: format!("{} of {} (dim {:?})", header.n_volumes(), header.datatype.name(), header.dims),
                hint: "a series in time is imported one volume at a time; colours are no channels",
            });
        }
        Ok(file.channels(facts.intensity, NotFinite::Refuse)?)
    }

    fn read_series(&self, index: usize, paths: &[PathBuf]) -> Result<Image<3>, DecodeError> {
        let DicomVolume { image, padding } = read_dicom_volume(paths, Tilt::KeepSheared)?;
        let meant = self.manifest.image.intensity;
        if image.intensity() != meant && meant != Intensity::Arbitrary {
            return Err(self.differs(index, "intensity", format!("{meant:?}"), format!("{:?}", image.intensity())));
        }
        Ok(measured(DicomVolume { image, padding }, meant))
    }

    fn differs(&self, index: usize, what: &'static str, expected: String, found: String) -> DecodeError {
        DecodeError::Image { sample: self.records[index].sample.to_string(), what, expected, found }
    }
}

/// A case behind its split.
fn case_in(split: Option<Split>, case: &str) -> String {
    split.map_or_else(|| case.to_owned(), |split| format!("{split}/{case}"))
}

/// A volume whose padding is air where values are Hounsfield units, else the least value that was measured.
pub(crate) fn measured(volume: DicomVolume, meant: Intensity) -> Image<3> {
    let DicomVolume { image, padding } = volume;
    let (channels, grid) = (image.channels(), image.geometry().clone());
    let mut values = image.into_values();
    if let Some(padding) = padding {
        let is_padding = |n: usize| padding[n % padding.len()];
        let measured = values.iter().enumerate().filter(|(n, _)| !is_padding(*n)).map(|(_, &value)| value);
        let least = measured.reduce(f32::min).unwrap_or(0.0);
        let nothing = if meant == Intensity::Hounsfield { -1000.0 } else { least };
        values.iter_mut().enumerate().filter(|(n, _)| is_padding(*n)).for_each(|(_, value)| *value = nothing);
    }
    Image::new(channels, grid, meant, values).expect("as many values as before, all of them numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_say_split_and_case() {
        assert_eq!(place_of("images/a/b.nii.gz", IMAGES), Some((None, "a/b")));
        assert_eq!(place_of("Val/images/x.nii", IMAGES), Some((Some(Split::Val), "x")));
        assert_eq!(place_of("test/series/p1/ct/0.dcm", SERIES), Some((Some(Split::Test), "p1/ct")));
        assert_eq!(place_of("series/0.dcm", SERIES), None);
        assert_eq!(place_of("masks/x.nii", IMAGES), None);
        assert_eq!(place_of("x.nii", IMAGES), None);
    }
}
