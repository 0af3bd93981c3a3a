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

/// A NIfTI file in memory: its checked header and the bytes of its voxels.
#[derive(Debug, Clone)]
pub struct Nifti {
    path: PathBuf,
    header: NiftiHeader,
    bytes: Vec<u8>,
}

impl Nifti {
    /// Reads a `.nii`, a `.nii.gz`, or either half of a `.hdr`/`.img` pair; packed or not is told by content.
    ///
    /// # Policy
    /// - Place: sform when its code is above 0, else qform when its code is above 0, else the spacing alone, and then
    ///   patient directions are unknown. Metres and microns become mm. Two forms that disagree by more than a quarter of
    ///   a voxel give a warning.
    /// - Numbers: a slope of 0 or one that is no number means stored numbers. Colours are never scaled.
    /// - `datatype` is believed over `bitpix`. Extensions are passed over; what stands behind the voxels is ignored with
    ///   a warning, up to 1 MiB.
    ///
    /// # Errors
    /// [`FormatError`], naming the field: other formats, Analyze 7.5, types without a reader (with their code), axes,
    /// offsets and sizes that cannot be or that the file does not hold, forms that describe no grid, damaged gzip
    /// streams, a missing half of a pair.
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
        let (header, bytes) = file::load(path)?;
        Ok(Self { path: path.to_path_buf(), header, bytes })
    }

    /// What the file says of itself, warnings included.
    #[must_use]
    pub fn header(&self) -> &NiftiHeader {
        &self.header
    }

    /// The voxels as they were stored, without scaling.
    ///
    /// # Shapes
    /// `[depth, rows, columns]`, colours last (`[depth, rows, columns, 3]`, or 4 with opacity), further axes first:
    /// `[time, depth, rows, columns]`. Axes of one point at the slow end are dropped down to three.
    #[must_use]
    pub fn stored(&self) -> NpyValue {
        voxels::stored(&self.header, &self.bytes)
    }

    /// The numbers that are meant: slope and intercept applied in 64 bits, then rounded to 32.
    ///
    /// # Shapes
    /// As [`stored`](Self::stored).
    ///
    /// # Errors
    /// [`FormatError::Content`] for numbers that are not finite, as `not_finite` says, and for those beyond 32-bit
    /// floats.
    pub fn meant(&self, not_finite: NotFinite) -> Result<NpyArray<f32>, FormatError> {
        let values = voxels::meant(&self.header, &self.bytes, 0, not_finite).map_err(|problem| self.at(problem))?;
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
    /// [`FormatError::Content`] for more volumes than one, and those of [`volume`](Self::volume).
    pub fn image(&self, intensity: Intensity, not_finite: NotFinite) -> Result<Image<3>, FormatError> {
        self.check_one_volume()?;
        self.volume(0, intensity, not_finite)
    }

    /// One of several volumes, counted through all axes behind the third, the fourth fastest.
    ///
    /// # Errors
    /// [`FormatError::Content`] for a volume that is not there, for numbers that are not finite, as `not_finite` says,
    /// for numbers beyond 32-bit floats, and for voxels that are not opaque.
    pub fn volume(&self, volume: usize, intensity: Intensity, not_finite: NotFinite) -> Result<Image<3>, FormatError> {
        let count = self.header.n_volumes();
        if volume >= count {
            let expected = format!("a volume from 0 to {}", count - 1);
            return Err(self.at(Problem::new(expected, volume.to_string())));
        }
        let points = self.header.geometry.n_points();
        let size = points * self.header.datatype.bytes();
        let bytes = &self.bytes[volume * size..(volume + 1) * size];
        let colours = self.header.datatype.colours();
        let first = volume * points;
        let values = voxels::meant(&self.header, bytes, first, not_finite).map_err(|problem| self.at(problem))?;
        let (channels, values) = match colours {
            None => (1, values),
            Some(stored) => (3, self.planes(bytes, stored)?),
        };
        Image::new(channels, self.header.geometry.clone(), intensity, values)
            .map_err(|error| self.at(Problem::new("voxels that make an image", error.to_string())))
    }

    /// The one volume of the file as class numbers, background 0 among the `n_classes`.
    ///
    /// # Policy
    /// Floats and scaled numbers are labels when each lies within 1e-4 of a whole number.
    ///
    /// # Errors
    /// [`FormatError::Content`] for more volumes than one, colours, numbers that are not whole, below 0 or above 65535,
    /// and labels that are not below `n_classes`.
    pub fn labels(&self, n_classes: usize) -> Result<LabelMap<3>, FormatError> {
        self.check_one_volume()?;
        let labels = voxels::labels(&self.header, &self.bytes).map_err(|problem| self.at(problem))?;
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
        let hint = "ask for one of them by its number, or save each as a file of its own";
        Err(self.at(Problem::new("one volume (three axes)", found).hint(hint)))
    }

    /// Colours of one volume, channel by channel; `stored` of them follow one another in the file.
    fn planes(&self, bytes: &[u8], stored: usize) -> Result<Vec<f32>, FormatError> {
        if stored == 4
            && let Some(position) = bytes.iter().skip(3).step_by(4).position(|&opacity| opacity < 255)
        {
            let found = format!("opacity {} at position {position}", bytes[4 * position + 3]);
            return Err(self.at(Problem::new("opaque colours", found).hint("save it as RGB24")));
        }
        Ok((0..3).flat_map(|c| bytes.iter().skip(c).step_by(stored).map(|&value| f32::from(value))).collect())
    }

    fn at(&self, problem: Problem) -> FormatError {
        problem.at(&self.path, None)
    }
}
