//! Tissues by the intensity of the truth, and what is measured in each: whether its mean has moved, and how much noise is
//! left in it.

use kd_metrics::{ImagePair, REGION_BIAS_PROTOCOL, REGION_NOISE_PROTOCOL, Score, region_bias, region_noise};
use serde::{Deserialize, Serialize};

/// The points whose true intensity lies in a range, under a name: `{ name = "lung", range = [-1000.0, -600.0] }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// What a report calls it.
    pub name: String,
    /// The lowest and the highest true intensity, both included, in the unit of the source.
    pub range: [f64; 2],
}

/// Regions that cannot be scored by.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RegionError {
    /// A range without an inside.
    #[error("region `{name}` goes from {} to {}, expected two finite numbers, the lower first", range[0], range[1])]
    Range {
        /// The region.
        name: String,
        /// What was given.
        range: [f64; 2],
    },
    /// Two regions of one name, or one without.
    #[error("region `{name}` is there more than once or has no name, expected a name of its own for each")]
    Name {
        /// The name.
        name: String,
    },
}

/// What is measured in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegionMetric {
    /// How far the mean has moved.
    Shift,
    /// How much noise is left.
    Noise,
}

impl Region {
    /// Checks all regions of a recipe.
    ///
    /// # Errors
    /// [`RegionError`] for the first range whose ends are not finite or not in order, and the first name that is empty
    /// or taken.
    pub fn check(regions: &[Self]) -> Result<(), RegionError> {
        for (place, Self { name, range }) in regions.iter().enumerate() {
            if name.is_empty() || regions[..place].iter().any(|other| other.name == *name) {
                return Err(RegionError::Name { name: name.clone() });
            }
            if !range.iter().all(|end| end.is_finite()) || range[0] >= range[1] {
                return Err(RegionError::Range { name: name.clone(), range: *range });
            }
        }
        Ok(())
    }

    /// Every [`RegionMetric`] of an answer, in the order of [`RegionMetric::ALL`].
    ///
    /// # Policy
    /// Intensities are measured as they are, beyond the range of the other scores too. An image without a point in the
    /// region has no score.
    ///
    /// # Example
    /// ```
    /// use kd_enhance::Region;
    /// use kd_metrics::ImagePair;
    /// let lung = Region { name: "lung".into(), range: [-1000.0, -600.0] };
    /// let pair = ImagePair::plane([1, 3], &[-790.0, -850.0, 40.0], &[-800.0, -840.0, 0.0])?;
    /// let [shift, noise] = lung.scores(&pair);
    /// assert_eq!((shift?, noise?), (0.0, 10.0));
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn scores(&self, pair: &ImagePair<'_>) -> [Score; 2] {
        let [low, high] = self.range;
        let inside: Vec<bool> = pair.truth().iter().map(|value| (low..=high).contains(value)).collect();
        [region_bias(pair, &inside).map(f64::abs), region_noise(pair, &inside)]
    }
}

impl RegionMetric {
    /// Both, in the order of a report.
    pub const ALL: [Self; 2] = [Self::Shift, Self::Noise];

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shift => "region_shift",
            Self::Noise => "region_noise",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Shift => "Shift of the mean",
            Self::Noise => "Noise left",
        }
    }

    /// What it measures, in a sentence.
    #[must_use]
    pub const fn definition(self) -> &'static str {
        match self {
            Self::Shift => "how far the mean intensity of a region lies from the true one, without sign",
            Self::Noise => "standard deviation of the difference from the truth in a region",
        }
    }

    /// Everything that changes the number.
    #[must_use]
    pub fn policy(self) -> String {
        let measured = match self {
            Self::Shift => format!("size of {REGION_BIAS_PROTOCOL}"),
            Self::Noise => REGION_NOISE_PROTOCOL.to_owned(),
        };
        format!("{measured}; points by their true intensity, not clipped, mean over images")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str, range: [f64; 2]) -> Region {
        Region { name: name.into(), range }
    }

    #[test]
    fn regions_need_names_of_their_own_and_ranges_with_an_inside() {
        assert_eq!(Region::check(&[region("a", [0.0, 1.0]), region("b", [0.5, 2.0])]), Ok(()));
        for wrong in [[1.0, 1.0], [2.0, 1.0], [f64::NAN, 1.0], [0.0, f64::INFINITY]] {
            assert!(matches!(Region::check(&[region("a", wrong)]), Err(RegionError::Range { .. })), "{wrong:?}");
        }
        let twice = [region("a", [0.0, 1.0]), region("a", [1.0, 2.0])];
        assert_eq!(Region::check(&twice), Err(RegionError::Name { name: "a".into() }));
        assert!(Region::check(&[region("", [0.0, 1.0])]).is_err());
    }

    #[test]
    fn shift_and_noise_are_what_the_squared_error_is_made_of() {
        let truth: Vec<f64> = (0..40).map(f64::from).collect();
        let answer: Vec<f64> = truth.iter().map(|value| value - 1.5 + (value * 3.0).sin()).collect();
        let pair = ImagePair::plane([5, 8], &answer, &truth).unwrap();
        let [shift, noise] = region("upper", [20.0, 39.0]).scores(&pair).map(Score::unwrap);
        let mean_square = answer[20..].iter().zip(&truth[20..]).map(|(a, t)| (a - t).powi(2)).sum::<f64>() / 20.0;
        assert!((shift.powi(2) + noise.powi(2) - mean_square).abs() < 1e-12);
        assert!(region("none", [50.0, 60.0]).scores(&pair).iter().all(Score::is_err));
    }
}
