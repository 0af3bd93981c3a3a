//! Pixels with the geometry and the meaning that belong to them.

use crate::{Geometry, Intensity};

/// Why pixels were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No channel at all.
    #[error("image has 0 channels, expected at least 1")]
    NoChannel,
    /// The values and the grid disagree.
    #[error("image holds {found} values, expected {expected} ({channels} channels on a grid of {points} points)")]
    Length {
        /// Channels times points.
        expected: usize,
        /// Values given.
        found: usize,
        /// Channels given.
        channels: usize,
        /// Points of the grid.
        points: usize,
    },
    /// A value that is no number.
    #[error("image value at position {position} is {found}, expected a finite number")]
    NotFinite {
        /// Where it stands.
        position: usize,
        /// `NaN`, `inf` or `-inf`.
        found: String,
    },
}

/// An image of `D` spatial axes: values `[channel, depth, height, width]` or `[channel, height, width]`, last axis
/// fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Image<const D: usize> {
    channels: usize,
    geometry: Geometry<D>,
    intensity: Intensity,
    values: Vec<f32>,
}

impl<const D: usize> Image<D> {
    /// Checks values against their grid.
    ///
    /// # Errors
    /// [`ImageError::NoChannel`], [`ImageError::Length`] when the number of values is not channels × points,
    /// [`ImageError::NotFinite`] for NaN and infinities.
    ///
    /// # Example
    /// ```
    /// use kd_image::{Geometry, Image, Intensity};
    /// let grid = Geometry::<2>::without_spacing([1, 2])?;
    /// let image = Image::new(1, grid, Intensity::Unit, vec![0.25, 0.5])?;
    /// assert_eq!(image.channel(0), &[0.25, 0.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        channels: usize,
        geometry: Geometry<D>,
        intensity: Intensity,
        values: Vec<f32>,
    ) -> Result<Self, ImageError> {
        if channels == 0 {
            return Err(ImageError::NoChannel);
        }
        let points = geometry.n_points();
        if Some(values.len()) != channels.checked_mul(points) {
            return Err(ImageError::Length {
                expected: channels.saturating_mul(points),
                found: values.len(),
                channels,
                points,
            });
        }
        if let Some(position) = values.iter().position(|value| !value.is_finite()) {
            return Err(ImageError::NotFinite { position, found: values[position].to_string() });
        }
        Ok(Self { channels, geometry, intensity, values })
    }

    /// Number of channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The grid.
    #[must_use]
    pub fn geometry(&self) -> &Geometry<D> {
        &self.geometry
    }

    /// What the values mean.
    #[must_use]
    pub fn intensity(&self) -> Intensity {
        self.intensity
    }

    /// All values, channel by channel.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values of one channel; `channel` is below [`channels`](Self::channels).
    #[must_use]
    pub fn channel(&self, channel: usize) -> &[f32] {
        let points = self.geometry.n_points();
        &self.values[channel * points..(channel + 1) * points]
    }

    /// Gives the values away.
    #[must_use]
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Geometry<2> {
        Geometry::without_spacing([2, 2]).unwrap()
    }

    #[test]
    fn a_missing_value_is_refused_with_both_counts() {
        let refused = Image::new(2, grid(), Intensity::Unit, vec![0.0; 7]).unwrap_err();
        assert_eq!(refused, ImageError::Length { expected: 8, found: 7, channels: 2, points: 4 });
    }

    #[test]
    fn a_value_that_is_no_number_is_refused() {
        let refused = Image::new(1, grid(), Intensity::Unit, vec![0.0, 1.0, f32::NAN, 0.0]).unwrap_err();
        assert_eq!(refused, ImageError::NotFinite { position: 2, found: "NaN".into() });
    }

    #[test]
    fn channels_lie_one_after_the_other() {
        let image = Image::new(2, grid(), Intensity::Unit, (0..8u8).map(f32::from).collect()).unwrap();
        assert_eq!(image.channel(1), &[4.0, 5.0, 6.0, 7.0]);
    }
}
