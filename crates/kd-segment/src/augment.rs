//! Views of a training image and its labels: a patch, small movements, changes of exposure; each a function of the sample
//! and the view.
//!
//! Nothing is on by default, and no flip happens silently: a flip changes laterality, and a liver on the left is a finding.

use kd_core::{Purpose, stream};
use kd_image::{Image, LabelMap, SampleId};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// What a view takes of an image, and how far it may differ. Every range is symmetric around no change.
///
/// # Policy
/// - `patch`: in `foreground_share` of the views the patch lies around a point drawn from the foreground, else anywhere;
///   it is moved into the image where it would leave it.
/// - Rotation and scaling act in the plane of the last two axes around the patch's centre, in one resampling: image
///   linear, labels nearest, edge values repeated outside.
/// - Contrast, brightness and noise act on prepared intensities: `value · (1 + c) + b + n`.
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
        let contrast = (1.0 + draw(&mut rng, self.contrast)) as f32;
        let brightness = draw(&mut rng, self.brightness) as f32;
        let (mut values, labels) = movement.take(image, labels, corner, size);
        for value in &mut values {
            *value = *value * contrast + brightness;
        }
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

/// A map from points of the patch to points of the image, in the plane of the last two axes.
struct Movement {
    cos: f64,
    sin: f64,
    zoom: f64,
    mirror: [f64; 2],
    is_none: bool,
}

impl Movement {
    fn draw(ranges: &Augmentation, rng: &mut ChaCha8Rng) -> Self {
        let angle = draw(rng, ranges.rotate_deg).to_radians();
        let zoom = 1.0 + draw(rng, ranges.scale);
        let flips = [rng.random::<bool>() && ranges.flip_vertical, rng.random::<bool>() && ranges.flip_horizontal];
        let is_none = ranges.rotate_deg == 0.0 && ranges.scale == 0.0 && flips == [false, false];
        Self {
            cos: angle.cos(),
            sin: angle.sin(),
            zoom,
            mirror: flips.map(|flip| if flip { -1.0 } else { 1.0 }),
            is_none,
        }
    }

    fn take<const D: usize>(
        &self,
        image: &Image<D>,
        labels: &LabelMap<D>,
        corner: [usize; D],
        size: [usize; D],
    ) -> (Vec<f32>, Vec<u16>) {
        let shape = image.geometry().shape();
        let [height, width] = [shape[D - 2], shape[D - 1]];
        let points: usize = size.iter().product();
        let planes: usize = size[..D - 2].iter().product();
        // Where each patch plane begins in the image.
        let starts: Vec<usize> = (0..planes)
            .map(|n| {
                let (mut rest, mut start, mut step) = (n, 0, height * width);
                for axis in (0..D - 2).rev() {
                    start += (corner[axis] + rest % size[axis]) * step;
                    rest /= size[axis];
                    step *= shape[axis];
                }
                start
            })
            .collect();
        let mut map = Vec::with_capacity(points);
        let mut values = Vec::with_capacity(points * image.channels());
        let place = |row: usize, column: usize| self.source(row, column, &corner[D - 2..], &size[D - 2..]);
        for channel in 0..image.channels() {
            let plane = image.channel(channel);
            for &start in &starts {
                let slice = &plane[start..start + height * width];
                for row in 0..size[D - 2] {
                    if self.is_none {
                        let at = (corner[D - 2] + row) * width + corner[D - 1];
                        values.extend_from_slice(&slice[at..at + size[D - 1]]);
                        continue;
                    }
                    values.extend((0..size[D - 1]).map(|column| linear(slice, [height, width], place(row, column))));
                }
            }
        }
        for &start in &starts {
            let slice = &labels.labels()[start..start + height * width];
            for row in 0..size[D - 2] {
                for column in 0..size[D - 1] {
                    let [y, x] = if self.is_none {
                        [corner[D - 2] + row, corner[D - 1] + column]
                    } else {
                        let [y, x] = place(row, column);
                        [nearest(y, height), nearest(x, width)]
                    };
                    map.push(slice[y * width + x]);
                }
            }
        }
        (values, map)
    }

    /// Where a point of the patch lies in the image's plane.
    fn source(&self, row: usize, column: usize, corner: &[usize], size: &[usize]) -> [f64; 2] {
        let centre = [(size[0] as f64 - 1.0) / 2.0, (size[1] as f64 - 1.0) / 2.0];
        let (y, x) = (self.mirror[0] * (row as f64 - centre[0]), self.mirror[1] * (column as f64 - centre[1]));
        let turned = [self.cos * y - self.sin * x, self.sin * y + self.cos * x];
        std::array::from_fn(|axis| corner[axis] as f64 + centre[axis] + turned[axis] / self.zoom)
    }
}

fn nearest(at: f64, points: usize) -> usize {
    at.round().clamp(0.0, points as f64 - 1.0) as usize
}

fn linear(plane: &[f32], [height, width]: [usize; 2], [y, x]: [f64; 2]) -> f32 {
    let (y, x) = (y.clamp(0.0, height as f64 - 1.0), x.clamp(0.0, width as f64 - 1.0));
    let (y0, x0) = (y as usize, x as usize);
    let (y1, x1) = ((y0 + 1).min(height - 1), (x0 + 1).min(width - 1));
    let (dy, dx) = ((y - y0 as f64) as f32, (x - x0 as f64) as f32);
    let row = |y: usize| plane[y * width + x0] * (1.0 - dx) + plane[y * width + x1] * dx;
    row(y0) * (1.0 - dy) + row(y1) * dy
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
    fn numbers_out_of_range_and_patches_that_do_not_fit_are_refused() {
        let refused = Augmentation { scale: 2.0, ..Augmentation::default() }.check(&[4, 4]).unwrap_err().to_string();
        assert_eq!(refused, "augmentation `scale` is 2, expected 0 to 0.9");
        for patch in [vec![5, 4], vec![4], vec![0, 4]] {
            assert!(Augmentation { patch: Some(patch), ..Augmentation::default() }.check(&[4, 4]).is_err());
        }
    }
}
