//! NIfTI-1 and NIfTI-2: volumes with their place in the patient, read from and written to `.nii`, `.nii.gz` and pairs.
//!
//! Own code: the `nifti` crate knows NIfTI-1 only, scales inside of the element type (integers are cut), always writes a
//! slope of 1 and panics on a quaternion that is a little too long; each of these changes a number or stops a batch.
//!
//! A file's x runs fastest, so its voxels already lie in `[depth, height, width]` order and nothing is turned round.
//! The affine is kept as it is: NIfTI and [`kd_image::Affine`] both count in RAS+ mm.

mod datatype;
mod file;
mod header;
mod placement;
mod raw;
mod voxels;
mod write;

use std::path::{Path, PathBuf};

use kd_image::{Image, Intensity, LabelMap};

pub use datatype::NiftiType;
pub use header::{NiftiHeader, NiftiScaling};
pub use placement::PlacementSource;
pub use raw::NiftiVersion;
pub use voxels::NotFinite;
pub use write::{write_nifti, write_nifti_image, write_nifti_labels};

use super::error::Problem;
use super::{FormatError, NpyArray, NpyValue};

/// A NIfTI file with a checked header; its voxels are read each time that they are asked for.
#[derive(Debug, Clone)]
pub struct Nifti {
    path: PathBuf,
    header: NiftiHeader,
    /// The file of the voxels: the same one, or the second of a pair.
    voxels: PathBuf,
}

impl Nifti {
    /// Reads the header of a `.nii`, a `.nii.gz`, or of a `.hdr`/`.img` pair by either half; packed or not is told by
    /// content.
    ///
    /// # Policy
    /// - Place: sform when its code is above 0, else qform when its code is above 0, else the spacing alone, and then
    ///   patient directions are unknown. Metres and microns become mm. Two forms that disagree by more than a quarter of
    ///   a voxel give a warning.
    /// - Numbers: a slope of 0 or one that is no number means stored numbers. Colours are never scaled.
    /// - `datatype` is believed over `bitpix`. Extensions are passed over.
    /// - Voxels are in the file or it is refused: a plain file here, by its length; a gzip stream, of which only the
    ///   most that it can hold is known before, when its voxels are read. What stands behind them is ignored, up to
    ///   1 MiB ([`bytes_behind`](Self::bytes_behind)).
    ///
    /// # Errors
    /// [`FormatError`], naming the field: other formats, Analyze 7.5, types without a reader (with their code), axes,
    /// offsets and sizes that cannot be or that the file does not hold, forms that describe no grid, a damaged start of
    /// a gzip stream, a missing half of a pair. Reading voxels gives these too: voxels that are not there, 1 MiB or more
    /// behind them, a damaged gzip stream.
    ///
    /// # Example
    /// ```
    /// use kd_data::format::{Nifti, NotFinite, write_nifti_labels};
    /// use kd_image::{Geometry, Intensity, LabelMap};
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("mask.nii.gz");
    /// let grid = Geometry::<3>::with_spacing([1, 2, 3], [3.0, 0.5, 0.5])?;
    /// write_nifti_labels(&path, &LabelMap::new(grid, vec![0, 1, 2, 0, 0, 1], 3)?)?;
    /// let file = Nifti::open(&path)?;
    /// assert_eq!(file.header().dims, [3, 2, 1]);
    /// assert_eq!(file.labels(3)?.labels(), [0, 1, 2, 0, 0, 1]);
    /// let image = file.image(Intensity::Arbitrary, NotFinite::Refuse)?;
    /// assert_eq!(image.geometry().spacing_mm(), Some([3.0, 0.5, 0.5]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        let (header, voxels) = file::open(path)?;
        Ok(Self { path: path.to_path_buf(), header, voxels })
    }

    /// What the file says of itself, warnings included.
    #[must_use]
    pub fn header(&self) -> &NiftiHeader {
        &self.header
    }

    /// How many bytes stand behind the voxels, which no reader looks at: the file is read to its end.
    ///
    /// # Errors
    /// [`FormatError`], as [`open`](Self::open) gives for voxels.
    pub fn bytes_behind(&self) -> Result<u64, FormatError> {
        file::bytes_behind(&self.voxels, &self.header)
    }

    /// The voxels as they were stored, without scaling.
    ///
    /// # Shapes
    /// `[depth, rows, columns]`, colours last (`[depth, rows, columns, 3]`, or 4 with opacity), further axes first:
    /// `[time, depth, rows, columns]`. Axes of one point at the slow end are dropped down to three.
    ///
    /// # Errors
    /// [`FormatError`], as [`open`](Self::open) gives for voxels.
    pub fn stored(&self) -> Result<NpyValue, FormatError> {
        voxels::stored(&self.voxels, &self.header)
    }

    /// The numbers that are meant: slope and intercept applied in 64 bits, then rounded to 32.
    ///
    /// # Shapes
    /// As [`stored`](Self::stored).
    ///
    /// # Errors
    /// [`FormatError`], as [`open`](Self::open) gives for voxels, for numbers that are not finite, as `not_finite` says,
    /// and for those beyond 32-bit floats.
    pub fn meant(&self, not_finite: NotFinite) -> Result<NpyArray<f32>, FormatError> {
        let values = voxels::meant(&self.voxels, &self.header, not_finite)?;
        Ok(NpyArray { shape: voxels::shape_of(&self.header), values })
    }

    /// The one volume of the file; what its numbers mean, the file does not say, so the caller does.
    ///
    /// # Shapes
    /// `[1, depth, height, width]`; of colours `[3, depth, height, width]`.
    ///
    /// # Policy
    /// As [`meant`](Self::meant). Opacity is dropped when every voxel is opaque and refused otherwise.
    ///
    /// # Errors
    /// Those of [`meant`](Self::meant), and [`FormatError::Content`] for more volumes than one and for colours that are
    /// not opaque.
    pub fn image(&self, intensity: Intensity, not_finite: NotFinite) -> Result<Image<3>, FormatError> {
        self.check_one_volume()?;
        let values = voxels::meant(&self.voxels, &self.header, not_finite)?;
        match self.header.datatype.colours() {
            None => self.image_of(1, intensity, values),
            Some(stored) => self.image_of(3, intensity, self.planes(&values, stored)?),
        }
    }

    /// All volumes of the file as the channels of one image, counted through all axes behind the third, the fourth
    /// fastest.
    ///
    /// # Shapes
    /// `[volumes, depth, height, width]`.
    ///
    /// # Errors
    /// Those of [`meant`](Self::meant), and [`FormatError::Content`] for colours.
    pub fn channels(&self, intensity: Intensity, not_finite: NotFinite) -> Result<Image<3>, FormatError> {
        if self.header.datatype.colours().is_some() {
            let hint = "convert colours to numbers; they are not channels of one scale";
            return Err(self.at(Problem::new("one number a voxel", self.header.datatype.name()).hint(hint)));
        }
        let values = voxels::meant(&self.voxels, &self.header, not_finite)?;
        self.image_of(self.header.n_volumes(), intensity, values)
    }

    fn image_of(&self, channels: usize, intensity: Intensity, values: Vec<f32>) -> Result<Image<3>, FormatError> {
        Image::new(channels, self.header.geometry.clone(), intensity, values)
            .map_err(|error| self.at(Problem::new("voxels that make an image", error.to_string())))
    }

    /// The one volume of the file as class numbers, background 0 among the `n_classes`.
    ///
    /// # Policy
    /// Floats and scaled numbers are labels when each lies within 1e-4 of a whole number.
    ///
    /// # Errors
    /// [`FormatError`], as [`open`](Self::open) gives for voxels, for more volumes than one, colours, numbers that are not
    /// whole, below 0 or above 65535, and labels that are not below `n_classes`.
    pub fn labels(&self, n_classes: usize) -> Result<LabelMap<3>, FormatError> {
        self.check_one_volume()?;
        let labels = voxels::labels(&self.voxels, &self.header)?;
        LabelMap::new(self.header.geometry.clone(), labels, n_classes).map_err(|error| {
            let expected = format!("labels of {n_classes} classes, background included");
            self.at(Problem::new(expected, error.to_string())
                .hint("the mask holds a class that was not declared, or belongs to another task"))
        })
    }

    fn check_one_volume(&self) -> Result<(), FormatError> {
        if self.header.n_volumes() == 1 {
            return Ok(());
        }
        let found = format!("{} volumes (dim {:?})", self.header.n_volumes(), self.header.dims);
        let hint = "save each of them as a file of its own";
        Err(self.at(Problem::new("one volume (three axes)", found).hint(hint)))
    }

    /// Colours channel by channel; `stored` of them follow one another in the file.
    fn planes(&self, values: &[f32], stored: usize) -> Result<Vec<f32>, FormatError> {
        if stored == 4
            && let Some(position) = values.iter().skip(3).step_by(4).position(|&opacity| opacity < 255.0)
        {
            let found = format!("opacity {} at position {position}", values[4 * position + 3]);
            return Err(self.at(Problem::new("opaque colours", found).hint("save it as RGB24")));
        }
        Ok((0..3).flat_map(|colour| values.iter().skip(colour).step_by(stored).copied()).collect())
    }

    fn at(&self, problem: Problem) -> FormatError {
        problem.at(&self.path, None)
    }
}
