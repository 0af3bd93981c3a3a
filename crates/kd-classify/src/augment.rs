//! Views of a training image: small movements and changes of exposure, each a function of the sample and the view.
//!
//! Nothing is on by default, and no flip happens silently: a flip changes laterality, and a heart on the right is a
//! finding.

use kd_core::{Purpose, stream};
use kd_image::{Image, SampleId};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How far the views of an image may differ from it. Every range is symmetric around no change.
///
/// # Policy
/// Movements are drawn evenly from their ranges and applied in one resampling (bilinear, edge values repeated
/// outside): rotation and scaling around the centre, then the shift. Contrast and brightness act on prepared
/// intensities (mean 0 and deviation 1 over the training split): `value · (1 + c) + b`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Largest shift along each axis, as a share of its length.
    #[serde(default)]
    pub shift: f64,
    /// Largest rotation in degrees.
    #[serde(default)]
    pub rotate_deg: f64,
    /// Largest relative change of size.
    #[serde(default)]
    pub scale: f64,
    /// Largest relative change of contrast.
    #[serde(default)]
    pub contrast: f64,
    /// Largest added brightness, in standard deviations of the training split.
    #[serde(default)]
    pub brightness: f64,
    /// Mirror left and right in half of the views. Changes laterality.
    #[serde(default)]
    pub flip_horizontal: bool,
    /// Mirror top and bottom in half of the views.
    #[serde(default)]
    pub flip_vertical: bool,
}

/// An augmentation that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("augmentation `{name}` is {found}, expected {low} to {high}")]
pub struct AugmentationError {
    name: &'static str,
    found: f64,
    low: f64,
    high: f64,
}

impl Augmentation {
    /// Checks every range.
    ///
    /// # Errors
    /// [`AugmentationError`] for a number that is negative, not finite, or so large that an image would leave its
    /// frame.
    pub fn check(&self) -> Result<(), AugmentationError> {
        let ranges = [
            ("shift", self.shift, 0.5),
            ("rotate_deg", self.rotate_deg, 180.0),
            ("scale", self.scale, 0.9),
            ("contrast", self.contrast, 0.99),
            ("brightness", self.brightness, 10.0),
        ];
        match ranges.into_iter().find(|(_, found, high)| !(0.0..=*high).contains(found)) {
            Some((name, found, high)) => Err(AugmentationError { name, found, low: 0.0, high }),
            None => Ok(()),
        }
    }

    /// Whether views are the image itself.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// One view: the values of every channel, in the layout of the image.
    ///
    /// The same key, sample and view give the same values, in every arm and seed.
    ///
    /// # Example
    /// ```
    /// use kd_classify::Augmentation;
    /// use kd_image::{Geometry, Image, Intensity, SampleId};
    /// let image = Image::new(1, Geometry::without_spacing([1, 3])?, Intensity::ZScore, vec![1.0, 2.0, 3.0])?;
    /// let sample = SampleId::new("a")?;
    /// assert_eq!(Augmentation::default().view(&image, 0, &sample, 4), [1.0, 2.0, 3.0]);
    /// let moved = Augmentation { brightness: 0.5, ..Augmentation::default() };
    /// assert_eq!(moved.view(&image, 0, &sample, 4), moved.view(&image, 0, &sample, 4));
    /// assert_ne!(moved.view(&image, 0, &sample, 4), moved.view(&image, 0, &sample, 5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn view(&self, image: &Image<2>, key: u64, sample: &SampleId, view: u32) -> Vec<f32> {
        if self.is_none() {
            return image.values().to_vec();
        }
        let mut rng = stream(key, Purpose::Augment, u64::from(view), sample.as_str());
        // Every draw is made whatever the ranges are, so that one range does not change the others' draws.
        let movement = Movement::draw(self, &mut rng);
        let contrast = 1.0 + draw(&mut rng, self.contrast);
        let brightness = draw(&mut rng, self.brightness);
        let moved = movement.apply(image);
        #[expect(clippy::cast_possible_truncation, reason = "pixels are f32")]
        let (contrast, brightness) = (contrast as f32, brightness as f32);
        moved.into_iter().map(|value| value * contrast + brightness).collect()
    }
}

fn draw(rng: &mut ChaCha8Rng, range: f64) -> f64 {
    range * (2.0 * rng.random::<f64>() - 1.0)
}

/// An affine map from target to source pixels, relative to the centre.
struct Movement {
    cos: f64,
    sin: f64,
    zoom: f64,
    shift: [f64; 2],
    mirror: [f64; 2],
}

impl Movement {
    fn draw(ranges: &Augmentation, rng: &mut ChaCha8Rng) -> Self {
        let angle = draw(rng, ranges.rotate_deg).to_radians();
        let zoom = 1.0 + draw(rng, ranges.scale);
        let shift = [draw(rng, ranges.shift), draw(rng, ranges.shift)];
        let flips = [rng.random::<bool>() && ranges.flip_vertical, rng.random::<bool>() && ranges.flip_horizontal];
        let mirror = flips.map(|flip| if flip { -1.0 } else { 1.0 });
        Self { cos: angle.cos(), sin: angle.sin(), zoom, shift, mirror }
    }

    #[expect(clippy::cast_precision_loss, reason = "sides are far below 2^53")]
    fn apply(&self, image: &Image<2>) -> Vec<f32> {
        let [height, width] = image.geometry().shape();
        let centre = [(height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0];
        let mut values = Vec::with_capacity(image.values().len());
        for channel in 0..image.channels() {
            let pixels = image.channel(channel);
            for row in 0..height {
                for column in 0..width {
                    let y = row as f64 - centre[0] - self.shift[0] * height as f64;
                    let x = column as f64 - centre[1] - self.shift[1] * width as f64;
                    let source_y = self.mirror[0] * (self.cos * y - self.sin * x) / self.zoom + centre[0];
                    let source_x = self.mirror[1] * (self.sin * y + self.cos * x) / self.zoom + centre[1];
                    values.push(bilinear(pixels, [height, width], source_y, source_x));
                }
            }
        }
        values
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "positions are clamped into the image first"
)]
fn bilinear(pixels: &[f32], [height, width]: [usize; 2], y: f64, x: f64) -> f32 {
    let y = y.clamp(0.0, (height - 1) as f64);
    let x = x.clamp(0.0, (width - 1) as f64);
    let (top, left) = (y as usize, x as usize);
    let (bottom, right) = ((top + 1).min(height - 1), (left + 1).min(width - 1));
    let (down, across) = ((y - top as f64) as f32, (x - left as f64) as f32);
    let at = |row: usize, column: usize| pixels[row * width + column];
    let upper = at(top, left) * (1.0 - across) + at(top, right) * across;
    let lower = at(bottom, left) * (1.0 - across) + at(bottom, right) * across;
    upper * (1.0 - down) + lower * down
}

#[cfg(test)]
mod tests {
    use super::*;
    use kd_image::{Geometry, Intensity};

    fn image(values: Vec<f32>, shape: [usize; 2]) -> Image<2> {
        Image::new(1, Geometry::without_spacing(shape).unwrap(), Intensity::ZScore, values).unwrap()
    }

    fn ramp() -> Image<2> {
        image((0..25u8).map(f32::from).collect(), [5, 5])
    }

    fn movement(angle_deg: f64, shift: [f64; 2], mirror: [f64; 2]) -> Vec<f32> {
        let angle = angle_deg.to_radians();
        Movement { cos: angle.cos(), sin: angle.sin(), zoom: 1.0, shift, mirror }.apply(&ramp())
    }

    #[test]
    fn a_shift_moves_the_picture_and_repeats_its_edge() {
        // One fifth of five columns to the right.
        let moved = movement(0.0, [0.0, 0.2], [1.0, 1.0]);
        assert_eq!(&moved[..5], &[0.0, 0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_quarter_turn_moves_the_top_row_to_a_side() {
        let moved = movement(90.0, [0.0, 0.0], [1.0, 1.0]);
        let left: Vec<f32> = (0..5).map(|row| moved[row * 5].round()).collect();
        let right: Vec<f32> = (0..5).map(|row| moved[row * 5 + 4].round()).collect();
        let top = [0.0, 1.0, 2.0, 3.0, 4.0];
        let mut reversed = top;
        reversed.reverse();
        assert!(left == reversed || right == top, "{left:?} {right:?}");
    }

    #[test]
    fn a_mirror_swaps_sides_only() {
        let moved = movement(0.0, [0.0, 0.0], [1.0, -1.0]);
        assert_eq!(&moved[..5], &[4.0, 3.0, 2.0, 1.0, 0.0]);
    }

    #[test]
    fn no_view_is_mirrored_unless_asked() {
        let left_bright = image([[9.0, 0.0, 0.0, 0.0]; 4].concat(), [4, 4]);
        let gentle = Augmentation { shift: 0.05, rotate_deg: 5.0, scale: 0.05, ..Augmentation::default() };
        let id = SampleId::new("s").unwrap();
        let sides = |augmentation: &Augmentation| {
            (0..40).filter(|&view| augmentation.view(&left_bright, 1, &id, view)[4] < 4.0).count()
        };
        assert_eq!(sides(&gentle), 0);
        let mirrored = sides(&Augmentation { flip_horizontal: true, ..gentle });
        assert!((10..30).contains(&mirrored), "{mirrored} of 40");
    }

    #[test]
    fn samples_and_keys_have_views_of_their_own() {
        let augmentation = Augmentation { brightness: 1.0, ..Augmentation::default() };
        let view = |key, id: &str| augmentation.view(&ramp(), key, &SampleId::new(id).unwrap(), 0);
        assert_ne!(view(1, "a"), view(1, "b"));
        assert_ne!(view(1, "a"), view(2, "a"));
    }

    #[test]
    fn a_range_that_leaves_the_frame_is_refused() {
        let wild = Augmentation { shift: 0.8, ..Augmentation::default() };
        assert_eq!(wild.check().unwrap_err().to_string(), "augmentation `shift` is 0.8, expected 0 to 0.5");
        assert!(Augmentation { scale: f64::NAN, ..Augmentation::default() }.check().is_err());
    }
}
