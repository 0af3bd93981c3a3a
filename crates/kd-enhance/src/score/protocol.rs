//! The range of intensities that every score is measured by: stated, never read off an image.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A range that scores cannot be measured by.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("range of intensities is {} to {}, expected two finite numbers, the lower first", found[0], found[1])]
pub struct RangeError {
    found: [f64; 2],
}

/// A true image that the range does not cover.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "true image holds {found}, expected {} to {}\nhint: widen the range, or clip to it (a window, as in computed tomography)",
    range[0], range[1]
)]
pub struct OutsideRange {
    found: f32,
    range: [f64; 2],
}

/// From where to where intensities go, in the unit of the images that are scored, and what becomes of those beyond.
///
/// # Policy
/// The width is the range in PSNR and SSIM. Clipped, answer and truth are both brought into the range first, as a viewer's
/// window does it. Not clipped, a truth beyond the range is refused, because the numbers would be of another range; an
/// answer may overshoot, and pays for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RangeTable", into = "RangeTable")]
pub struct ScoreRange {
    low: f64,
    high: f64,
    clip: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeTable {
    range: [f64; 2],
    clip: bool,
}

impl TryFrom<RangeTable> for ScoreRange {
    type Error = RangeError;

    fn try_from(RangeTable { range, clip }: RangeTable) -> Result<Self, RangeError> {
        Self::new(range, clip)
    }
}

impl From<ScoreRange> for RangeTable {
    fn from(ScoreRange { low, high, clip }: ScoreRange) -> Self {
        Self { range: [low, high], clip }
    }
}

impl ScoreRange {
    /// A range from the lower to the higher intensity.
    ///
    /// # Errors
    /// [`RangeError`] for numbers that are not finite or not in order.
    pub fn new(range: [f64; 2], clip: bool) -> Result<Self, RangeError> {
        let [low, high] = range;
        if low.is_finite() && (high - low).is_finite() && low < high {
            Ok(Self { low, high, clip })
        } else {
            Err(RangeError { found: range })
        }
    }

    /// The lower and the higher intensity.
    #[must_use]
    pub fn bounds(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// How wide it is.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.high - self.low
    }

    /// Checks a true image's intensities.
    ///
    /// # Errors
    /// [`OutsideRange`] with the first intensity beyond the range, where it is not clipped.
    pub fn check(&self, truth: &[f32]) -> Result<(), OutsideRange> {
        let is_inside = |value: &f32| self.clip || (self.low..=self.high).contains(&f64::from(*value));
        match truth.iter().find(|value| !is_inside(value)) {
            None => Ok(()),
            Some(&found) => Err(OutsideRange { found, range: [self.low, self.high] }),
        }
    }

    /// Intensities as they are scored: clipped where the range says so.
    #[must_use]
    pub fn applied(&self, values: &[f32]) -> Vec<f64> {
        let value = |&value: &f32| {
            if self.clip { f64::from(value).clamp(self.low, self.high) } else { f64::from(value) }
        };
        values.iter().map(value).collect()
    }
}

impl fmt::Display for ScoreRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.clip { "clipped to" } else { "within" };
        write!(f, "intensities {how} {} to {}", self.low, self.high)
    }
}
