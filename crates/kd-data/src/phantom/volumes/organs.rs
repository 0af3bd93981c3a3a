//! CT of a thorax with a mask for each voxel: what segmentation starts from.
//!
//! The body is painted twice from the same draws, once in Hounsfield units and once in classes, so the mask is the truth and
//! no one's outline. The image then gets noise, and a place of its own in the patient: turned and tilted by a few degrees,
//! so that a reader that ignores orientation is found out.

use std::path::Path;

use kd_image::{Affine, Geometry, Image, Intensity, LabelMap, Split};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::ct::{Ct, CtParameters, Region};
use super::{Painter, Scanner, Tissue};
use crate::format::{NiftiType, write_nifti_image, write_nifti_labels};
use crate::phantom::draw::{Draw, Purpose};
use crate::phantom::{PhantomError, refuse, subject_splits};
use crate::store::StoreError;

/// Names of the classes in the order of their labels.
pub const CLASSES: [&str; 5] = ["background", "lung", "heart and vessels", "bone", "lesion"];
/// Largest turn and tilt of a volume.
const TURN_DEG: f64 = 8.0;

/// Everything that volumes and masks depend on; equal parameters give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganParameters {
    /// Rows and columns of a slice, 32 to 512.
    pub size: usize,
    /// Slices of a subject, 2 to 256.
    pub slices: usize,
    /// Distance of pixels; with the size it makes a field of view that holds the body.
    pub spacing_mm: f64,
    /// Distance of slices; all of them lie within 120 mm.
    pub slice_mm: f64,
    /// Subjects in all splits.
    pub n_subjects: usize,
    /// Shares of the subjects in train, val and test; they sum to 1.
    pub split: [f64; 3],
    /// 0 (lesions of 11 mm radius and 36 HU) to 1 (4 mm and 12 HU).
    pub difficulty: f64,
    /// Standard deviation of the noise, 0 to 500.
    pub noise_hu: f64,
    /// Where all random streams start.
    pub seed: u64,
}

impl OrganParameters {
    fn ct(&self) -> CtParameters {
        CtParameters {
            region: Region::Thorax,
            size: self.size,
            slices: self.slices,
            spacing_mm: self.spacing_mm,
            slice_mm: self.slice_mm,
            n_subjects: self.n_subjects,
            split: self.split,
            difficulty: self.difficulty,
            seed: self.seed,
        }
    }

    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`PhantomError::Parameter`] for the first that is outside.
    pub fn check(&self) -> Result<(), PhantomError> {
        if self.slices < 2 {
            return refuse("slices", "2 to 256", self.slices.to_string());
        }
        if !(0.0..=500.0).contains(&self.noise_hu) {
            return refuse("noise_hu", "0 to 500", self.noise_hu.to_string());
        }
        self.ct().check()
    }

    /// One subject's volume and its classes; `subject` is counted from 0.
    ///
    /// # Policy
    /// As [`CtParameters::volume`]; a voxel has the class that covers at least half of it. Noise is white and rounded with the
    /// values to whole Hounsfield units.
    ///
    /// # Errors
    /// [`PhantomError::Parameter`].
    ///
    /// # Example
    /// ```
    /// use kd_data::phantom::volumes::organs::OrganParameters;
    /// let parameters = OrganParameters {
    ///     size: 64,
    ///     slices: 2,
    ///     spacing_mm: 5.2,
    ///     slice_mm: 5.0,
    ///     n_subjects: 3,
    ///     split: [0.6, 0.2, 0.2],
    ///     difficulty: 0.5,
    ///     noise_hu: 20.0,
    ///     seed: 1,
    /// };
    /// let (image, labels) = parameters.volume(0)?;
    /// assert_eq!(image.geometry(), labels.geometry());
    /// assert_eq!(labels.labels()[0], 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn volume(&self, subject: usize) -> Result<(Image<3>, LabelMap<3>), PhantomError> {
        self.check()?;
        let sections = self.ct().sections();
        let clean = sections.volume::<Ct>(subject, Intensity::Hounsfield)?;
        let classes = sections.volume::<Classes>(subject, Intensity::Arbitrary)?;
        let mut draw = Draw::new(self.seed, Purpose::Noise, subject as u64);
        let angles = std::array::from_fn(|_| draw.within(-TURN_DEG, TURN_DEG).to_radians());
        let grid = turned(clean.geometry(), angles)?;
        let noisy = |value: &f32| {
            let hu = f64::from(*value) + self.noise_hu * draw.normal();
            hu.round().clamp(-1024.0, 3071.0) as f32
        };
        let values = clean.values().iter().map(noisy).collect();
        let unmade = |refused: String| PhantomError::Parameter {
            name: "size",
            expected: "parameters that make an image",
            found: refused,
        };
        let image =
            Image::new(1, grid.clone(), Intensity::Hounsfield, values).map_err(|error| unmade(error.to_string()))?;
        let labels = classes.values().iter().map(|&class| class as u16).collect();
        let labels = LabelMap::new(grid, labels, CLASSES.len()).map_err(|error| unmade(error.to_string()))?;
        Ok((image, labels))
    }

    /// Writes every subject: `<split>/images/<subject>.nii.gz` of 16 bits, `<split>/masks/<subject>.nii.gz` of 8.
    pub(in crate::phantom) fn write(&self, folder: &Path) -> Result<(), PhantomError> {
        self.check()?;
        for split in Split::ALL {
            for kind in ["images", "masks"] {
                let inside = folder.join(split.name()).join(kind);
                std::fs::create_dir_all(&inside).map_err(|source| StoreError::io("creating", &inside, source))?;
            }
        }
        let splits = subject_splits(self.n_subjects, self.split, self.seed);
        // One subject a thread is in memory at a time.
        let written: Vec<Result<(), PhantomError>> = splits
            .into_par_iter()
            .enumerate()
            .map(|(number, split)| {
                let (image, labels) = self.volume(number)?;
                let path = |kind: &str| folder.join(split.name()).join(kind).join(format!("s{number:05}.nii.gz"));
                write_nifti_image(&path("images"), &image, NiftiType::I16)?;
                Ok(write_nifti_labels(&path("masks"), &labels)?)
            })
            .collect();
        written.into_iter().collect()
    }
}

/// A grid turned in the patient by three small angles, around x, y and z, about its own origin.
fn turned(grid: &Geometry<3>, angles: [f64; 3]) -> Result<Geometry<3>, PhantomError> {
    let unplaced = || PhantomError::Parameter {
        name: "spacing_mm",
        expected: "parameters that make a grid",
        found: "none".into(),
    };
    let mut matrix = grid.affine().ok_or_else(unplaced)?.matrix;
    for (axis, angle) in angles.into_iter().enumerate() {
        let (sin, cos) = angle.sin_cos();
        let [a, b] = [(axis + 1) % 3, (axis + 2) % 3];
        let (first, second) = (matrix[a], matrix[b]);
        let turned = |row: fn(f64, f64, f64, f64) -> f64| -> [f64; 3] {
            std::array::from_fn(|column| row(cos, sin, first[column], second[column]))
        };
        matrix[a][..3].copy_from_slice(&turned(|cos, sin, first, second| cos * first - sin * second));
        matrix[b][..3].copy_from_slice(&turned(|cos, sin, first, second| sin * first + cos * second));
    }
    Geometry::placed(grid.shape(), Affine { matrix }).map_err(|_| unplaced())
}

/// A scanner that shows classes.
struct Classes;

struct ClassVoxel(u16);

impl Scanner for Classes {
    type Voxel = ClassVoxel;

    fn draw(_: &mut Draw) -> Self {
        Self
    }

    fn voxel(&self, _: [f64; 3]) -> ClassVoxel {
        ClassVoxel(0)
    }

    fn shown(voxel: &ClassVoxel) -> f32 {
        f32::from(voxel.0)
    }
}

impl Painter for ClassVoxel {
    fn layer(&mut self, tissue: Tissue, cover: f64) {
        if cover >= 0.5 {
            self.0 = match tissue {
                Tissue::Lung => 1,
                Tissue::Blood | Tissue::Contrast => 2,
                Tissue::Cortical | Tissue::Marrow => 3,
                _ => 0,
            };
        }
    }

    fn shift(&mut self, _: f64, cover: f64) {
        if cover >= 0.5 {
            self.0 = 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> OrganParameters {
        OrganParameters {
            size: 64,
            slices: 8,
            spacing_mm: 5.2,
            slice_mm: 8.0,
            n_subjects: 9,
            split: [0.5, 0.2, 0.3],
            difficulty: 0.3,
            noise_hu: 15.0,
            seed: 5,
        }
    }

    #[test]
    fn classes_lie_where_their_tissue_is() {
        let mut counts = [0usize; 5];
        for subject in 0..9 {
            let (image, labels) = parameters().volume(subject).unwrap();
            let mut sums = [(0.0, 0usize); 5];
            for (&value, &label) in image.values().iter().zip(labels.labels()) {
                let sum = &mut sums[usize::from(label)];
                *sum = (sum.0 + f64::from(value), sum.1 + 1);
            }
            let mean = |class: usize| sums[class].0 / sums[class].1 as f64;
            // A voxel that is covered by half holds half of its neighbour, so means are wide.
            assert!((-950.0..-600.0).contains(&mean(1)), "lung {}", mean(1));
            assert!((-100.0..500.0).contains(&mean(2)), "blood {}", mean(2));
            assert!((150.0..1200.0).contains(&mean(3)), "bone {}", mean(3));
            counts.iter_mut().zip(sums).for_each(|(count, (_, n))| *count += usize::from(n > 0));
        }
        assert_eq!(counts[..4], [9; 4]);
        assert!((1..=9).contains(&counts[4]), "{counts:?}");
    }

    #[test]
    fn seeds_decide_and_grids_are_oblique() {
        let (image, labels) = parameters().volume(1).unwrap();
        assert_eq!(parameters().volume(1).unwrap(), (image.clone(), labels));
        let other = OrganParameters { seed: 6, ..parameters() }.volume(1).unwrap().0;
        assert_ne!(image.values(), other.values());
        let affine = image.geometry().affine().unwrap();
        assert_eq!(image.geometry().orientation().unwrap().to_string(), "LPS");
        assert!(affine.matrix[0][1].abs() > 1e-3 && affine.matrix[2][0].abs() > 1e-3, "{affine:?}");
        let steps = affine.step_mm();
        assert!((steps[0] - 5.2).abs() < 1e-9 && (steps[2] - 8.0).abs() < 1e-9, "{steps:?}");
    }

    #[test]
    fn noise_has_the_deviation_that_was_asked_for() {
        let clean = OrganParameters { noise_hu: 0.0, ..parameters() }.volume(0).unwrap().0;
        let noisy = parameters().volume(0).unwrap().0;
        let inside = |value: f32| value > -900.0;
        let pairs = noisy.values().iter().zip(clean.values()).filter(|(_, clean)| inside(**clean));
        let squares: Vec<f64> = pairs.map(|(noisy, clean)| f64::from(noisy - clean).powi(2)).collect();
        let deviation = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
        assert!((deviation - 15.0).abs() < 0.5, "{deviation}");
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for wrong in [
            OrganParameters { noise_hu: -1.0, ..parameters() },
            OrganParameters { slices: 1, ..parameters() },
            OrganParameters { spacing_mm: 1.0, ..parameters() },
        ] {
            assert!(wrong.volume(0).is_err(), "{wrong:?}");
        }
    }
}
