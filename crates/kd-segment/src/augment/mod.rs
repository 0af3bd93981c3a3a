//! Views of a training image and its labels: a patch, small movements, changes of exposure; each a function of the sample
//! and the view.
//!
//! Where points come from stands in `movement`, what becomes of their values in `intensity`.
//! Nothing is on by default, and no flip happens silently: a flip changes laterality, and a liver on the left is a finding.

mod intensity;
mod movement;

use kd_core::{Purpose, stream};
use kd_image::{Image, LabelMap, SampleId};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use intensity::Exposure;
use movement::Movement;

/// What a view takes of an image, and how far it may differ. Every range is symmetric around no change.
///
/// # Policy
/// - `patch`: in `foreground_share` of the views the patch lies around a point drawn from the foreground, else anywhere;
///   it is moved into the image where it would leave it.
/// - Rotation, scaling and elastic deformation act in the plane of the last two axes around the patch's centre, alike in
///   all planes, in one resampling: image linear, labels nearest, edge values repeated outside. An elastic field moves a
///   net of 5 × 5 points over the patch by even draws, with a smooth step between them.
/// - Low resolution takes every f-th point of the last two axes, f drawn from 1 to `1 + low_resolution`, and
///   interpolates linearly between them; labels stay.
/// - Gamma raises values, as shares of the view's range in their channel, to a power of `(1 + gamma)^u`, u drawn from −1
///   to 1.
/// - Contrast, brightness and noise act on prepared intensities: `value · (1 + c) + b + n`.
/// - In this order: movement, low resolution, gamma, contrast, brightness, noise.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Points of a patch along each axis; absent for the whole image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Vec<usize>>,
    /// Share of the views whose patch lies around a foreground point.
    #[serde(default)]
    pub foreground_share: f64,
    /// Largest rotation in degrees.
    #[serde(default)]
    pub rotate_deg: f64,
    /// Largest relative change of size.
    #[serde(default)]
    pub scale: f64,
    /// Largest elastic displacement along each axis, as a share of the patch's length.
    #[serde(default)]
    pub elastic: f64,
    /// Largest loss of resolution: 1 takes up to every second point.
    #[serde(default)]
    pub low_resolution: f64,
    /// Largest change of the exponent of the grey values.
    #[serde(default)]
    pub gamma: f64,
    /// Largest relative change of contrast.
    #[serde(default)]
    pub contrast: f64,
    /// Largest added brightness.
    #[serde(default)]
    pub brightness: f64,
    /// Standard deviation of added noise.
    #[serde(default)]
    pub noise: f64,
    /// Mirror the last axis in half of the views. Changes laterality in axial slices.
    #[serde(default)]
    pub flip_horizontal: bool,
    /// Mirror the axis before it in half of the views.
    #[serde(default)]
    pub flip_vertical: bool,
}

/// An augmentation that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AugmentationError {
    /// A number out of range.
    #[error("augmentation `{name}` is {found}, expected 0 to {high}")]
    Range {
        /// Which one.
        name: &'static str,
        /// What was given.
        found: f64,
        /// The most there may be.
        high: f64,
    },
    /// A patch that the images cannot give.
    #[error("augmentation `patch` is {found:?}, expected 1 or more points along each of the image's axes {size:?}")]
    Patch {
        /// The patch.
        found: Vec<usize>,
        /// The image.
        size: Vec<usize>,
    },
}

impl Augmentation {
    /// Checks every range, and the patch against the size of prepared images.
    ///
    /// # Errors
    /// [`AugmentationError`].
    pub fn check(&self, size: &[usize]) -> Result<(), AugmentationError> {
        let ranges = [
            ("foreground_share", self.foreground_share, 1.0),
            ("rotate_deg", self.rotate_deg, 180.0),
            ("scale", self.scale, 0.9),
            // Neighbours of the net are a quarter apart and the smooth step has slope 1.5: no row or column folds.
            ("elastic", self.elastic, 0.08),
            ("low_resolution", self.low_resolution, 7.0),
            ("gamma", self.gamma, 4.0),
            ("contrast", self.contrast, 0.99),
            ("brightness", self.brightness, 10.0),
            ("noise", self.noise, 10.0),
        ];
        if let Some((name, found, high)) = ranges.into_iter().find(|(_, found, high)| !(0.0..=*high).contains(found)) {
            return Err(AugmentationError::Range { name, found, high });
        }
        let Some(patch) = &self.patch else { return Ok(()) };
        let fits = patch.len() == size.len() && patch.iter().zip(size).all(|(points, of)| (1..=*of).contains(points));
        if fits { Ok(()) } else { Err(AugmentationError::Patch { found: patch.clone(), size: size.to_vec() }) }
    }

    /// Whether views are the image itself.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// One view: values of every channel and labels, both of the patch's size.
    ///
    /// The same key, sample and view give the same view, in every arm and seed.
    #[must_use]
    pub fn view<const D: usize>(
        &self,
        (image, labels): (&Image<D>, &LabelMap<D>),
        key: u64,
        sample: &SampleId,
        view: u32,
    ) -> (Vec<f32>, Vec<u16>) {
        if self.is_none() {
            return (image.values().to_vec(), labels.labels().to_vec());
        }
        let mut rng = stream(key, Purpose::Augment, u64::from(view), sample.as_str());
        let shape = image.geometry().shape();
        let size: [usize; D] = std::array::from_fn(|axis| self.patch.as_ref().map_or(shape[axis], |patch| patch[axis]));
        // Every draw is made whatever the ranges are, so that one range does not change the others' draws.
        let corner = self.corner(labels, size, &mut rng);
        let movement = Movement::draw(self, &mut rng);
        let exposure = Exposure::draw(self, &mut rng);
        let (mut values, labels) = movement.take(image, labels, corner, size);
        exposure.apply(&mut values, &size);
        if self.noise > 0.0 {
            let noise = self.noise as f32;
            values.iter_mut().for_each(|value| *value += noise * normal(&mut rng));
        }
        (values, labels)
    }

    /// First point of the patch.
    fn corner<const D: usize>(&self, labels: &LabelMap<D>, size: [usize; D], rng: &mut ChaCha8Rng) -> [usize; D] {
        let shape = labels.geometry().shape();
        let wants_foreground = rng.random::<f64>() < self.foreground_share;
        let anywhere: [f64; D] = std::array::from_fn(|_| rng.random::<f64>());
        let which = rng.random::<f64>();
        let known = |&label: &u16| label > 0 && label != kd_image::IGNORED;
        let foreground = if wants_foreground { labels.labels().iter().filter(|label| known(label)).count() } else { 0 };
        if foreground == 0 {
            return std::array::from_fn(|axis| place(anywhere[axis], shape[axis] - size[axis] + 1));
        }
        let wanted = place(which, foreground);
        let mut points = labels.labels().iter().enumerate().filter(|(_, label)| known(label)).map(|(n, _)| n);
        let mut rest = points.nth(wanted).unwrap_or(0);
        let mut centre = [0; D];
        for axis in (0..D).rev() {
            centre[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        std::array::from_fn(|axis| centre[axis].saturating_sub(size[axis] / 2).min(shape[axis] - size[axis]))
    }
}

/// One of `n` places, from a number of 0 to 1.
fn place(share: f64, n: usize) -> usize {
    ((share * n as f64) as usize).min(n - 1)
}

fn draw(rng: &mut ChaCha8Rng, range: f64) -> f64 {
    range * (2.0 * rng.random::<f64>() - 1.0)
}

/// A draw of the normal distribution (Box and Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (radius, angle) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
    ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use kd_image::{Geometry, Intensity};

    fn volume() -> (Image<3>, LabelMap<3>) {
        let grid = Geometry::<3>::without_spacing([4, 6, 8]).unwrap();
        let labels: Vec<u16> = (0..192).map(|n| u16::from(n == 150)).collect();
        let values = (0..192u8).map(f32::from).collect();
        (Image::new(1, grid.clone(), Intensity::ZScore, values).unwrap(), LabelMap::new(grid, labels, 2).unwrap())
    }

    fn view(augmentation: &Augmentation, view: u32) -> (Vec<f32>, Vec<u16>) {
        let (image, labels) = volume();
        augmentation.view((&image, &labels), 3, &SampleId::new("a").unwrap(), view)
    }

    #[test]
    fn a_patch_is_a_part_of_the_image_with_its_own_labels() {
        let patch = Augmentation { patch: Some(vec![2, 3, 4]), ..Augmentation::default() };
        let (image, labels) = volume();
        let mut corners = std::collections::BTreeSet::new();
        for n in 0..20 {
            let (values, map) = view(&patch, n);
            assert_eq!((values.len(), map.len()), (24, 24));
            corners.insert(values[0] as usize);
            for (value, label) in values.iter().zip(&map) {
                assert_eq!(labels.labels()[*value as usize], *label);
                assert!(image.values().contains(value));
            }
        }
        assert!(corners.len() > 5, "{corners:?}");
    }

    #[test]
    fn a_patch_around_the_foreground_holds_it() {
        let patch = Augmentation { patch: Some(vec![2, 2, 2]), foreground_share: 1.0, ..Augmentation::default() };
        for n in 0..20 {
            assert_eq!(view(&patch, n).1.iter().filter(|label| **label == 1).count(), 1);
        }
    }

    #[test]
    fn a_view_is_the_same_each_time_and_another_one_differs() {
        let all = Augmentation {
            patch: Some(vec![3, 5, 6]),
            rotate_deg: 20.0,
            scale: 0.2,
            elastic: 0.05,
            low_resolution: 1.0,
            gamma: 0.5,
            contrast: 0.1,
            brightness: 0.1,
            noise: 0.1,
            flip_horizontal: true,
            ..Augmentation::default()
        };
        assert_eq!(view(&all, 1), view(&all, 1));
        assert_ne!(view(&all, 1), view(&all, 2));
    }

    #[test]
    fn a_mirrored_image_has_mirrored_labels() {
        let flip = Augmentation { flip_horizontal: true, ..Augmentation::default() };
        let (image, labels) = volume();
        let flipped = (0..20).map(|n| view(&flip, n)).find(|(values, _)| values != image.values()).unwrap();
        for (n, (value, label)) in flipped.0.iter().zip(&flipped.1).enumerate() {
            let mirrored = n / 8 * 8 + 7 - n % 8;
            assert_eq!((*value, *label), (image.values()[mirrored], labels.labels()[mirrored]));
        }
    }

    #[test]
    fn labels_go_where_their_points_go() {
        // The foreground is where the image is bright, so after any movement bright points have its label.
        let grid = Geometry::<2>::without_spacing([32, 32]).unwrap();
        let bright = |n: usize| (8..20).contains(&(n / 32)) && (10..26).contains(&(n % 32));
        let values = (0..1024).map(|n| f32::from(u8::from(bright(n)))).collect();
        let image = Image::new(1, grid.clone(), Intensity::ZScore, values).unwrap();
        let labels = LabelMap::new(grid, (0..1024).map(|n| u16::from(bright(n))).collect(), 2).unwrap();
        let moves = Augmentation { rotate_deg: 30.0, scale: 0.2, elastic: 0.08, ..Augmentation::default() };
        for n in 0..10 {
            let (values, map) = moves.view((&image, &labels), 1, &SampleId::new("a").unwrap(), n);
            // Half bright is the border of the nearest label, but for its corners.
            let differ = values.iter().zip(&map).filter(|(value, label)| (**value > 0.5) != (**label == 1)).count();
            assert!(differ <= 8, "{differ} in view {n}");
            assert_ne!(map, labels.labels());
        }
    }

    #[test]
    fn numbers_out_of_range_and_patches_that_do_not_fit_are_refused() {
        let refused = Augmentation { scale: 2.0, ..Augmentation::default() }.check(&[4, 4]).unwrap_err().to_string();
        assert_eq!(refused, "augmentation `scale` is 2, expected 0 to 0.9");
        for patch in [vec![5, 4], vec![4], vec![0, 4]] {
            assert!(Augmentation { patch: Some(patch), ..Augmentation::default() }.check(&[4, 4]).is_err());
        }
    }
}
