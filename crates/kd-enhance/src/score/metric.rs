//! The metrics of enhancement by name, with the policy that fixes their value.

use kd_metrics::{EnhanceMetric, SsimVariant};

use super::ScoreRange;

/// A reported number. Names are those of `kd metrics enhance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Peak signal-to-noise ratio.
    Psnr,
    /// Structural similarity as published.
    Ssim,
    /// Structural similarity by scikit-image's defaults.
    SsimSkimage,
    /// Structural similarity at five scales.
    MsSsim,
    /// Root of the mean squared error.
    Rmse,
    /// Mean absolute error.
    Mae,
    /// Visual information fidelity.
    Vif,
    /// Correlation of edges.
    EdgePreservation,
}

impl Metric {
    /// Every metric, in the order of a report.
    pub const ALL: [Self; 8] = [
        Self::Psnr,
        Self::Ssim,
        Self::SsimSkimage,
        Self::MsSsim,
        Self::Rmse,
        Self::Mae,
        Self::Vif,
        Self::EdgePreservation,
    ];

    /// The metrics among which an epoch can be chosen: cheap enough for every image of every epoch.
    pub const VALIDATION: [Self; 3] = [Self::Psnr, Self::Ssim, Self::Rmse];

    /// The metric of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Its name in recipes and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Psnr => "psnr_db",
            Self::Ssim => "ssim",
            Self::SsimSkimage => "ssim_skimage",
            Self::MsSsim => "ms_ssim",
            Self::Rmse => "rmse",
            Self::Mae => "mae",
            Self::Vif => "vif",
            Self::EdgePreservation => "edge_preservation",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Psnr => "PSNR",
            Self::Ssim => "SSIM",
            Self::SsimSkimage => "SSIM (scikit-image)",
            Self::MsSsim => "MS-SSIM",
            Self::Rmse => "RMSE",
            Self::Mae => "MAE",
            Self::Vif => "VIF",
            Self::EdgePreservation => "Edge preservation",
        }
    }

    /// What it measures, in a sentence.
    #[must_use]
    pub const fn definition(self) -> &'static str {
        match self {
            Self::Psnr => "squared range of intensities over the mean squared error, in decibels",
            Self::Ssim => "agreement of local means, contrasts and structures, 1 for equal images",
            Self::SsimSkimage => "agreement of local means, contrasts and structures by scikit-image's defaults",
            Self::MsSsim => "agreement of structures at five scales, 1 for equal images",
            Self::Rmse => "root of the mean squared difference from the truth",
            Self::Mae => "mean absolute difference from the truth",
            Self::Vif => "information about the scene that is left, over that in the truth",
            Self::EdgePreservation => "correlation of the second derivatives of answer and truth",
        }
    }

    /// The metric with its range, ready to be measured.
    #[must_use]
    pub fn within(self, range: &ScoreRange) -> EnhanceMetric {
        let range = range.width();
        match self {
            Self::Psnr => EnhanceMetric::Psnr { range },
            Self::Ssim => EnhanceMetric::Ssim { range, variant: SsimVariant::Reference },
            Self::SsimSkimage => EnhanceMetric::Ssim { range, variant: SsimVariant::Skimage },
            Self::MsSsim => EnhanceMetric::MsSsim { range },
            Self::Rmse => EnhanceMetric::RootMeanSquaredError,
            Self::Mae => EnhanceMetric::MeanAbsoluteError,
            Self::Vif => EnhanceMetric::Vif { range },
            Self::EdgePreservation => EnhanceMetric::EdgePreservation,
        }
    }

    /// Everything that changes the number: the protocol string that stands beside it.
    ///
    /// # Example
    /// ```
    /// use kd_enhance::{Metric, ScoreRange};
    /// let range = ScoreRange::new([-160.0, 240.0], true)?;
    /// assert_eq!(
    ///     Metric::Psnr.policy(&range),
    ///     "PSNR in dB, range 400, all points, per plane, identical images give inf; intensities clipped to -160 to 240, \
    ///      mean over images"
    /// );
    /// # Ok::<(), kd_enhance::RangeError>(())
    /// ```
    #[must_use]
    pub fn policy(self, range: &ScoreRange) -> String {
        format!("{}; {range}, mean over images", self.within(range).protocol(2))
    }

    /// Its unit, of images whose intensities are in `of_image`; empty for a pure number.
    ///
    /// # Example
    /// ```
    /// use kd_enhance::Metric;
    /// assert_eq!([Metric::Psnr, Metric::Rmse, Metric::Ssim].map(|metric| metric.unit("HU")), ["dB", "HU", ""]);
    /// ```
    #[must_use]
    pub const fn unit(self, of_image: &str) -> &str {
        match self {
            Self::Psnr => "dB",
            Self::Rmse | Self::Mae => of_image,
            Self::Ssim | Self::SsimSkimage | Self::MsSsim | Self::Vif | Self::EdgePreservation => "",
        }
    }

    /// Whether more is better.
    #[must_use]
    pub const fn higher_is_better(self) -> bool {
        !matches!(self, Self::Rmse | Self::Mae)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_read_back_and_are_those_of_the_command() {
        let range = ScoreRange::new([0.0, 1.0], false).unwrap();
        for metric in Metric::ALL {
            assert_eq!(Metric::named(metric.name()), Some(metric));
            assert_eq!(metric.within(&range).name(), metric.name());
        }
        assert_eq!(Metric::named("dice"), None);
    }

    #[test]
    fn every_policy_names_the_range_that_the_number_depends_on() {
        let range = ScoreRange::new([-3.0, 4.0], false).unwrap();
        for metric in Metric::ALL {
            let policy = metric.policy(&range);
            assert!(policy.ends_with("intensities within -3 to 4, mean over images"), "{policy}");
            assert_eq!(metric.within(&range).range().is_some(), policy.contains("range 7"), "{policy}");
        }
    }
}
