//! T1-weighted MR of a head: magnitudes on a scale of their own, free of noise.

use std::path::Path;

use kd_image::{Image, Intensity};
use serde::{Deserialize, Serialize};

use super::texture::Field;
use super::{Painter, Scanner, Sections, Texture, Tissue};
use crate::phantom::PhantomError;
use crate::phantom::draw::Draw;

/// Everything that the volumes depend on; equal parameters give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MrParameters {
    /// Rows and columns of a slice, 32 to 512.
    pub size: usize,
    /// Slices of a subject, 1 to 256.
    pub slices: usize,
    /// Distance of pixels; with the size it makes a field of view that holds the head.
    pub spacing_mm: f64,
    /// Distance of slices; all of them lie within 120 mm.
    pub slice_mm: f64,
    /// Subjects in all splits.
    pub n_subjects: usize,
    /// Shares of the subjects in train, val and test; they sum to 1.
    pub split: [f64; 3],
    /// 0 (lesions of 11 mm radius, 0.3 of white matter brighter or darker) to 1 (4 mm, 0.1).
    pub difficulty: f64,
    /// Where all random streams start.
    pub seed: u64,
}

impl MrParameters {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`PhantomError::Parameter`] for the first that is outside.
    pub fn check(&self) -> Result<(), PhantomError> {
        self.sections().check()
    }

    /// One subject's volume in whole numbers from 0; `subject` is counted from 0.
    ///
    /// # Policy
    /// White matter is brightest in the brain, then grey matter, then fluid; fat under the skin is brighter. A subject has
    /// a gain of its own (white matter 480 to 960) and a coil whose sensitivity changes by up to 12 % over the head, so
    /// that numbers mean nothing between subjects.
    ///
    /// # Errors
    /// [`PhantomError::Parameter`].
    ///
    /// # Example
    /// ```
    /// use kd_data::phantom::volumes::mr::MrParameters;
    /// let parameters = MrParameters {
    ///     size: 64,
    ///     slices: 2,
    ///     spacing_mm: 3.5,
    ///     slice_mm: 4.0,
    ///     n_subjects: 3,
    ///     split: [0.6, 0.2, 0.2],
    ///     difficulty: 0.5,
    ///     seed: 1,
    /// };
    /// let volume = parameters.volume(0)?;
    /// assert_eq!(volume.values()[0], 0.0);
    /// assert!(volume.values().iter().all(|value| *value >= 0.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn volume(&self, subject: usize) -> Result<Image<3>, PhantomError> {
        self.check()?;
        self.sections().volume::<T1>(subject, Intensity::Arbitrary)
    }

    pub(in crate::phantom) fn write(&self, folder: &Path) -> Result<(), PhantomError> {
        self.sections().write::<T1>(Intensity::Arbitrary, folder)
    }

    fn sections(&self) -> Sections {
        Sections {
            is_head: true,
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
}

/// Signal of a lesion of strength 1, white matter being 1.
const LESION: f64 = 0.33;
/// How much a coil's sensitivity changes.
const COIL: f64 = 0.12;

struct T1 {
    gain: f64,
    coil: Field,
    texture: Texture,
}

struct Voxel {
    gain: f64,
    texture: f64,
    signal: f64,
}

impl Scanner for T1 {
    type Voxel = Voxel;

    fn draw(draw: &mut Draw) -> Self {
        Self { gain: draw.within(480.0, 960.0), coil: Field::draw(draw), texture: Texture::draw(draw) }
    }

    fn voxel(&self, point: [f64; 3]) -> Voxel {
        let gain = self.gain * (1.0 + COIL * self.coil.at(point, 90.0));
        Voxel { gain, texture: self.texture.at(point), signal: 0.0 }
    }

    fn shown(voxel: &Voxel) -> f32 {
        (voxel.gain * voxel.signal).round().clamp(0.0, 32_767.0) as f32
    }
}

impl Painter for Voxel {
    fn layer(&mut self, tissue: Tissue, cover: f64) {
        let [middle, texture] = tissue.t1();
        self.signal += (middle + texture * self.texture - self.signal) * cover;
    }

    fn shift(&mut self, strength: f64, cover: f64) {
        self.signal += LESION * strength * cover;
    }
}
