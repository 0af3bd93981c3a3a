//! A metric of restored images together with all that its number depends on, written out.

use super::edges::edge_preservation;
use super::error::{mean_absolute_error, root_mean_squared_error};
use super::fidelity::vif;
use super::images::ImagePair;
use super::multi_scale::ms_ssim;
use super::psnr::psnr;
use super::ssim::{SsimVariant, ssim};
use crate::undefined::Score;

/// How [`region_bias`](crate::region_bias) measures.
pub const REGION_BIAS_PROTOCOL: &str = "mean of prediction - truth over the points of the region, image units";

/// How [`region_noise`](crate::region_noise) measures.
pub const REGION_NOISE_PROTOCOL: &str = "sd of prediction - truth over the points of the region (n), image units";

/// How [`contrast_to_noise`](crate::contrast_to_noise) measures.
pub const CONTRAST_TO_NOISE_PROTOCOL: &str =
    "|mean(target) - mean(background)| / sd(background), sample sd (n - 1), per image";

/// A metric of two images, with the choices that its number depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EnhanceMetric {
    /// [`psnr`].
    Psnr {
        /// Range of intensities.
        range: f64,
    },
    /// [`root_mean_squared_error`].
    RootMeanSquaredError,
    /// [`mean_absolute_error`].
    MeanAbsoluteError,
    /// [`ssim`].
    Ssim {
        /// Range of intensities.
        range: f64,
        /// Window and covariance.
        variant: SsimVariant,
    },
    /// [`ms_ssim`].
    MsSsim {
        /// Range of intensities.
        range: f64,
    },
    /// [`vif`].
    Vif {
        /// Range of intensities.
        range: f64,
    },
    /// [`edge_preservation`].
    EdgePreservation,
}

impl EnhanceMetric {
    /// Its name in tables and JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Psnr { .. } => "psnr_db",
            Self::RootMeanSquaredError => "rmse",
            Self::MeanAbsoluteError => "mae",
            Self::Ssim { variant: SsimVariant::Reference, .. } => "ssim",
            Self::Ssim { variant: SsimVariant::Skimage, .. } => "ssim_skimage",
            Self::MsSsim { .. } => "ms_ssim",
            Self::Vif { .. } => "vif",
            Self::EdgePreservation => "edge_preservation",
        }
    }

    /// The range of intensities that it takes.
    #[must_use]
    pub fn range(&self) -> Option<f64> {
        match *self {
            Self::Psnr { range } | Self::Ssim { range, .. } | Self::MsSsim { range } | Self::Vif { range } => {
                Some(range)
            }
            Self::RootMeanSquaredError | Self::MeanAbsoluteError | Self::EdgePreservation => None,
        }
    }

    /// The number for one pair of images.
    ///
    /// # Errors
    /// Those of the metric.
    pub fn score(&self, pair: &ImagePair<'_>) -> Score {
        match *self {
            Self::Psnr { range } => psnr(pair, range),
            Self::RootMeanSquaredError => root_mean_squared_error(pair),
            Self::MeanAbsoluteError => mean_absolute_error(pair),
            Self::Ssim { range, variant } => ssim(pair, range, variant),
            Self::MsSsim { range } => ms_ssim(pair, range),
            Self::Vif { range } => vif(pair, range),
            Self::EdgePreservation => edge_preservation(pair),
        }
    }

    /// Range, window, variant, border and aggregation in one line, for images of `axes` axes (2 or 3). Two numbers may be
    /// compared where these lines are the same.
    ///
    /// # Example
    /// ```
    /// use kd_metrics::EnhanceMetric;
    /// let line = EnhanceMetric::Psnr { range: 400.0 }.protocol(2);
    /// assert_eq!(line, "PSNR in dB, range 400, all points, per plane, identical images give inf");
    /// ```
    #[must_use]
    pub fn protocol(&self, axes: usize) -> String {
        let (per, laplacian) = if axes == 3 { ("per volume", 6) } else { ("per plane", 4) };
        let cube = |length: usize| vec![length.to_string(); if axes == 3 { 3 } else { 2 }].join("x");
        let border = "places where the window fits, mean over places";
        match *self {
            Self::Psnr { range } => format!("PSNR in dB, range {range}, all points, {per}, identical images give inf"),
            Self::RootMeanSquaredError => format!("RMSE in image units, all points, {per}"),
            Self::MeanAbsoluteError => format!("MAE in image units, all points, {per}"),
            Self::Ssim { range, variant } => {
                let window = match variant {
                    SsimVariant::Reference => {
                        format!("reference variant, Gaussian {} sigma 1.5, population covariance", cube(11))
                    }
                    SsimVariant::Skimage => format!("scikit-image variant, uniform {}, sample covariance", cube(7)),
                };
                format!("SSIM, range {range}, {window}, K1 0.01, K2 0.03, {border}, {per}")
            }
            Self::MsSsim { range } => format!(
                "MS-SSIM, range {range}, 5 scales of weight 0.0448 0.2856 0.3001 0.2363 0.1333, {} mean between scales, \
                 Gaussian {} sigma 1.5, population covariance, K1 0.01, K2 0.03, {border}, {per}",
                cube(2),
                cube(11)
            ),
            Self::Vif { range } => {
                let slices = if axes == 3 { "mean over slices" } else { "per plane" };
                format!(
                    "VIF, pixel domain, range {range} scaled to 255, 4 scales, Gaussian 17 9 5 3 sigma N/5, noise variance 2, \
                     places where the window fits, {slices}"
                )
            }
            Self::EdgePreservation => {
                format!("correlation of Laplacians ({laplacian} neighbours), inner points, {per}")
            }
        }
    }
}
