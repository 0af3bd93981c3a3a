//! What is done to a raw image before a network sees it; the same code for training and for prediction.
//!
//! The plan travels with the prepared samples and with the finished student, so an image that somebody predicts on goes
//! through exactly what the training images went through.

use kd_image::{Geometry, Image, Intensity};
use serde::{Deserialize, Serialize};

use super::PrepareError;
use super::resize::resize;

/// How an image becomes another size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Triangle filter: an average over the covered points when shrinking, bilinear when growing. The two axes are
    /// scaled by themselves, so the shape of what is shown may change.
    Antialiased,
    /// An image of another size is refused.
    Refuse,
}

/// What happens to an image with another number of channels than the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// Grey is repeated three times; color becomes its luma (0.299, 0.587, 0.114; ITU-R BT.601).
    Convert,
    /// It is refused.
    Refuse,
}

/// What the numbers become after they are in 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Normalization {
    /// They stay in 0 to 1.
    Unit,
    /// `(value − mean) / std`, one mean and standard deviation a channel.
    ZScore {
        /// Mean of each channel, in 0 to 1.
        mean: Vec<f64>,
        /// Standard deviation of each channel, in 0 to 1, above 0.
        std: Vec<f64>,
    },
}

/// A preparation with all its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreparePlan {
    /// Height and width.
    pub size: [usize; 2],
    /// 1 or 3.
    pub channels: usize,
    /// How an image becomes `size`.
    pub resize: Resize,
    /// What happens to other channels.
    pub convert: Channels,
    /// What the numbers become.
    pub normalization: Normalization,
}

impl PreparePlan {
    /// Checks that the numbers make sense together.
    ///
    /// # Errors
    /// [`PrepareError::Plan`] for a side of 0 or beyond 16384, other than 1 or 3 channels, and a mean or standard
    /// deviation that is missing, not finite, or (the latter) not above 0.
    pub fn check(&self) -> Result<(), PrepareError> {
        let refused = |what: &str, expected: &str, found: String| {
            Err(PrepareError::Plan { what: what.into(), expected: expected.into(), found })
        };
        if self.size.iter().any(|side| !(1..=16_384).contains(side)) {
            return refused("size", "sides of 1 to 16384", format!("{:?}", self.size));
        }
        if self.channels != 1 && self.channels != 3 {
            return refused("channels", "1 or 3", self.channels.to_string());
        }
        if let Normalization::ZScore { mean, std } = &self.normalization {
            let fits = mean.len() == self.channels && std.len() == self.channels;
            if !fits || !mean.iter().all(|m| m.is_finite()) || !std.iter().all(|s| s.is_finite() && *s > 0.0) {
                let expected = "one finite mean and one standard deviation above 0 a channel";
                return refused("normalization", expected, format!("mean {mean:?}, std {std:?}"));
            }
        }
        Ok(())
    }

    /// Values of one prepared image.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.channels.saturating_mul(self.size[0]).saturating_mul(self.size[1])
    }

    /// What the numbers of a prepared image mean.
    #[must_use]
    pub fn intensity(&self) -> Intensity {
        match self.normalization {
            Normalization::Unit => Intensity::Unit,
            Normalization::ZScore { .. } => Intensity::ZScore,
        }
    }

    /// Prepares one image: to 0..1, channels, size, normalization, in this order.
    ///
    /// # Shapes
    /// Any `[channel, height, width]` to `[channels, size]`.
    ///
    /// # Policy
    /// [`Intensity::Stored`] is divided by `2^bits − 1`; [`Intensity::Unit`] is taken as it is; every other meaning is
    /// refused, because no rule here says how it becomes 0..1.
    ///
    /// # Errors
    /// [`PrepareError::Plan`] for a plan that [`check`](Self::check) refuses, [`PrepareError::Image`] for an image that
    /// the plan does not take.
    ///
    /// # Example
    /// ```
    /// use kd_data::prepare::{Channels, Normalization, PreparePlan, Resize};
    /// use kd_image::{Geometry, Image, Intensity};
    /// let plan = PreparePlan {
    ///     size: [1, 1],
    ///     channels: 1,
    ///     resize: Resize::Antialiased,
    ///     convert: Channels::Refuse,
    ///     normalization: Normalization::ZScore { mean: vec![0.5], std: vec![0.25] },
    /// };
    /// let raw = Image::new(1, Geometry::<2>::without_spacing([1, 2])?, Intensity::Stored { bits: 8 }, vec![255.0, 255.0])?;
    /// assert_eq!(plan.apply(&raw)?.values(), [2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply(&self, image: &Image<2>) -> Result<Image<2>, PrepareError> {
        self.check()?;
        let mut values = self.unit_values(image)?;
        if let Normalization::ZScore { mean, std } = &self.normalization {
            let points = self.size[0] * self.size[1];
            for (channel, values) in values.chunks_exact_mut(points).enumerate() {
                for value in values {
                    #[allow(clippy::cast_possible_truncation)] // values are single precision by design
                    let normal = ((f64::from(*value) - mean[channel]) / std[channel]) as f32;
                    *value = normal;
                }
            }
        }
        let impossible = |error: &dyn std::fmt::Display| PrepareError::Image {
            what: "prepared image".into(),
            expected: "finite values".into(),
            found: error.to_string(),
        };
        let geometry = Geometry::without_spacing(self.size).map_err(|error| impossible(&error))?;
        Image::new(self.channels, geometry, self.intensity(), values).map_err(|error| impossible(&error))
    }

    /// All steps but the last.
    pub(super) fn unit_values(&self, image: &Image<2>) -> Result<Vec<f32>, PrepareError> {
        let refused = |what: &str, expected: String, found: String| {
            Err(PrepareError::Image { what: what.into(), expected, found })
        };
        let largest = match image.intensity() {
            Intensity::Stored { bits: bits @ 1..=24 } => (2.0f32).powi(i32::from(bits)) - 1.0,
            Intensity::Unit => 1.0,
            other => return refused("intensity", "stored (1 to 24 bits) or unit".into(), other.name().into()),
        };
        let from = image.geometry().shape();
        if from != self.size && self.resize == Resize::Refuse {
            return refused("image size", format!("{:?}", self.size), format!("{from:?}"));
        }
        if image.channels() != self.channels && self.convert == Channels::Refuse {
            return refused("image channels", self.channels.to_string(), image.channels().to_string());
        }
        let planes: Vec<Vec<f32>> = match (image.channels(), self.channels) {
            (1, 3) => vec![image.channel(0).to_vec(); 3],
            (3, 1) => {
                let (red, green, blue) = (image.channel(0), image.channel(1), image.channel(2));
                let luma = |((r, g), b): ((&f32, &f32), &f32)| 0.299 * r + 0.587 * g + 0.114 * b;
                vec![red.iter().zip(green).zip(blue).map(luma).collect()]
            }
            (found, expected) if found == expected => (0..found).map(|c| image.channel(c).to_vec()).collect(),
            (found, expected) => return refused("image channels", expected.to_string(), found.to_string()),
        };
        let scaled = planes.iter().flat_map(|plane| resize(plane, from, self.size));
        Ok(scaled.map(|value| value / largest).collect())
    }
}
