//! CT of a head or a thorax in Hounsfield units, free of noise.

use std::path::Path;

use kd_image::{Image, Intensity};
use serde::{Deserialize, Serialize};

use super::{Painter, Scanner, Sections, Texture, Tissue};
use crate::phantom::PhantomError;
use crate::phantom::draw::Draw;

/// What is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// Skull, brain, ventricles.
    Head,
    /// Lungs, heart, ribs, spine.
    Thorax,
}

/// Everything that the volumes depend on; equal parameters give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CtParameters {
    /// What is scanned.
    pub region: Region,
    /// Rows and columns of a slice, 32 to 512.
    pub size: usize,
    /// Slices of a subject, 1 to 256.
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
    /// Where all random streams start.
    pub seed: u64,
}

impl CtParameters {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`PhantomError::Parameter`] for the first that is outside.
    pub fn check(&self) -> Result<(), PhantomError> {
        self.sections().check()
    }

    /// One subject's volume in whole Hounsfield units; `subject` is counted from 0.
    ///
    /// # Policy
    /// Air is −1000; tissues lie within [`Tissue::range_hu`], each subject's at a place of its own. A voxel at an edge
    /// holds the mean of what it covers. A lesion is up to 40 HU brighter or darker than what it lies in; in a lung it is
    /// solid. Half of the heads and most thoraxes are scanned with contrast agent.
    ///
    /// # Errors
    /// [`PhantomError::Parameter`].
    ///
    /// # Example
    /// ```
    /// use kd_data::phantom::volumes::ct::{CtParameters, Region};
    /// let parameters = CtParameters {
    ///     region: Region::Thorax,
    ///     size: 64,
    ///     slices: 2,
    ///     spacing_mm: 5.2,
    ///     slice_mm: 5.0,
    ///     n_subjects: 3,
    ///     split: [0.6, 0.2, 0.2],
    ///     difficulty: 0.5,
    ///     seed: 1,
    /// };
    /// let volume = parameters.volume(0)?;
    /// assert_eq!(volume.geometry().shape(), [2, 64, 64]);
    /// assert_eq!(volume.values()[0], -1000.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn volume(&self, subject: usize) -> Result<Image<3>, PhantomError> {
        self.check()?;
        self.sections().volume::<Ct>(subject, Intensity::Hounsfield)
    }

    pub(in crate::phantom) fn write(&self, folder: &Path) -> Result<(), PhantomError> {
        self.sections().write::<Ct>(Intensity::Hounsfield, folder)
    }

    pub(super) fn sections(&self) -> Sections {
        Sections {
            is_head: self.region == Region::Head,
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

/// Hounsfield units of a lesion of strength 1.
const LESION_HU: f64 = 40.0;

pub(super) struct Ct {
    /// Middle of each tissue, in the order of [`Tissue::ALL`].
    middle_hu: [f64; 12],
    texture: Texture,
}

pub(super) struct Voxel {
    middle_hu: [f64; 12],
    texture: f64,
    hu: f64,
}

impl Scanner for Ct {
    type Voxel = Voxel;

    fn draw(draw: &mut Draw) -> Self {
        let middle_hu = Tissue::ALL.map(|tissue| {
            let [low, high] = tissue.range_hu();
            draw.within(low + tissue.texture_hu(), high - tissue.texture_hu())
        });
        Self { middle_hu, texture: Texture::draw(draw) }
    }

    fn voxel(&self, point: [f64; 3]) -> Voxel {
        Voxel { middle_hu: self.middle_hu, texture: self.texture.at(point), hu: Tissue::Air.range_hu()[0] }
    }

    fn shown(voxel: &Voxel) -> f32 {
        voxel.hu.round().clamp(-1024.0, 3071.0) as f32
    }
}

impl Painter for Voxel {
    fn layer(&mut self, tissue: Tissue, cover: f64) {
        let hu = self.middle_hu[tissue as usize] + tissue.texture_hu() * self.texture;
        self.hu += (hu - self.hu) * cover;
    }

    fn shift(&mut self, strength: f64, cover: f64) {
        self.hu += LESION_HU * strength * cover;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantom::draw::Purpose;
    use crate::phantom::volumes::head::Head;
    use crate::phantom::volumes::thorax::Thorax;

    /// Keeps the tissue where it fills the voxel and no lesion touches it.
    struct Pure {
        voxel: Voxel,
        tissue: Option<Tissue>,
    }

    impl Painter for Pure {
        fn layer(&mut self, tissue: Tissue, cover: f64) {
            self.voxel.layer(tissue, cover);
            if cover >= 1.0 {
                self.tissue = Some(tissue);
            } else if cover > 0.0 {
                self.tissue = None;
            }
        }

        fn shift(&mut self, strength: f64, cover: f64) {
            self.voxel.shift(strength, cover);
            self.tissue = None;
        }
    }

    #[test]
    fn every_tissue_lies_within_its_range_and_is_there() {
        let mut counts = std::collections::BTreeMap::<Tissue, usize>::new();
        for subject in 0..12 {
            let mut draw = Draw::new(3, Purpose::Anatomy, subject);
            let head = Head::draw(&mut draw, 0.3);
            let thorax = Thorax::draw(&mut draw, 0.3);
            let scanner = Ct::draw(&mut draw);
            for n in 0..2 * 64 * 64usize {
                let at = |place: usize| f64::from(u16::try_from(place).unwrap()) * 5.2 - 163.8;
                let z = if n < 64 * 64 { 0.0 } else { 12.0 };
                let point = [at(n % 64), at(n / 64 % 64), z];
                for is_head in [true, false] {
                    let mut pure = Pure { voxel: scanner.voxel(point), tissue: Some(Tissue::Air) };
                    // Pixels of 1 mm, so that thin layers fill some of them.
                    if is_head {
                        head.paint(point, 1.0, &mut pure);
                    } else {
                        thorax.at_height(z).paint(point, 1.0, &mut pure);
                    }
                    if let Some(tissue) = pure.tissue {
                        let [low, high] = tissue.range_hu();
                        let hu = f64::from(Ct::shown(&pure.voxel));
                        assert!((low - 0.5..=high + 0.5).contains(&hu), "{tissue:?}: {hu}");
                        *counts.entry(tissue).or_default() += 1;
                    }
                }
            }
        }
        for tissue in Tissue::ALL {
            assert!(counts.get(&tissue).copied().unwrap_or(0) > 20, "{tissue:?}: {counts:?}");
        }
    }
}
