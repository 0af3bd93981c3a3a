//! Structural similarity as a loss: contrast and structure in a window, not pixels one by one.

use burn::tensor::Tensor;

use super::Images;
use crate::loss::{
    axes::{along, matrix},
    reduce::mean_over_valid,
};

/// The Gaussian window of a structural similarity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SsimWindow {
    /// Length along each axis; odd.
    pub size: usize,
    /// Standard deviation in pixels.
    pub sigma: f64,
}

impl SsimWindow {
    /// 11 pixels, σ 1.5, as published.
    pub const PUBLISHED: Self = Self { size: 11, sigma: 1.5 };
}

/// Computes one minus the structural similarity, mean over channels and over windows that lie inside of the image.
///
/// `1 − (2μ_xμ_y + C₁)(2σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂))`, moments under a Gaussian window,
/// `C₁ = (0.01·range)²`, `C₂ = (0.03·range)²`.
///
/// # Shapes
/// Images `[batch, channel, …spatial]` of equal shape, rank 3 to 5, each axis at least the window; mask
/// `[batch, 1, …spatial]`; to `[1]`.
///
/// # Policy
/// `range` is the range of the data, in its unit, and must be given. Only whole windows count, no padding; variances have
/// the divisor of the window, not one less. With a mask a window counts when all of its pixels are valid.
///
/// # Panics
/// When shapes do not fit, the window is larger than the image or even, or `range` or σ is not above 0.
///
/// # Source
/// Wang et al. 2004, "Image Quality Assessment", equation 13; as a loss: Zhao et al. 2017, arXiv 1511.08861, section III-B.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::image::{SsimWindow, one_minus_ssim};
///
/// let dark = Tensor::<3>::zeros([1, 1, 12], &Device::flex());
/// let value = one_minus_ssim(dark.clone(), dark.clone().add_scalar(1.0), None, 1.0, SsimWindow::PUBLISHED);
/// // Flat images: structure agrees, means 0 and 1 give C₁/(1 + C₁).
/// assert!((value.into_scalar::<f32>() - (1.0 - 1e-4 / (1.0 + 1e-4))).abs() < 1e-5);
/// ```
pub fn one_minus_ssim<const D: usize>(
    student: Tensor<D>,
    reference: Tensor<D>,
    mask: Option<Tensor<D>>,
    range: f64,
    window: SsimWindow,
) -> Tensor<1> {
    assert!(range > 0.0, "ssim: range must be above 0, found {range}");
    let SsimWindow { size, sigma } = window;
    assert!(size % 2 == 1 && sigma > 0.0, "ssim: window must be odd with a σ above 0, found {size} and {sigma}");
    let Images { student, reference, weight, spatial } = Images::new("ssim", student, reference, mask);
    let fits = spatial.iter().all(|&length| length >= size);
    assert!(fits, "ssim: each axis must be at least the window of {size}, found {spatial:?}");
    let options = (&weight.device(), weight.dtype());
    let half = (size / 2) as f64;
    let bell: Vec<f64> = (0..size).map(|i| (-0.5 * ((i as f64 - half) / sigma).powi(2)).exp()).collect();
    let sum: f64 = bell.iter().sum();
    let windows = |values: Tensor<3>, entry: &dyn Fn(usize) -> f64| {
        let mut shape = spatial.clone();
        let mut values = values;
        for (axis, &length) in spatial.iter().enumerate() {
            let band = matrix([length + 1 - size, length], options, |row, at| match at.checked_sub(row) {
                Some(offset) if offset < size => entry(offset),
                _ => 0.0,
            });
            values = along(values, &mut shape, axis, band);
        }
        values
    };
    let mean = |values: Tensor<3>| windows(values, &|offset| bell[offset] / sum);
    let (mx, my) = (mean(student.clone()), mean(reference.clone()));
    let moment = |a: &Tensor<3>, b: &Tensor<3>, ma: &Tensor<3>, mb: &Tensor<3>| {
        mean(a.clone() * b.clone()) - ma.clone() * mb.clone()
    };
    let covariance = moment(&student, &reference, &mx, &my);
    let spread = moment(&student, &student, &mx, &mx) + moment(&reference, &reference, &my, &my);
    let (c1, c2) = ((0.01 * range).powi(2), (0.03 * range).powi(2));
    let above = (mx.clone() * my.clone()).mul_scalar(2.0).add_scalar(c1) * covariance.mul_scalar(2.0).add_scalar(c2);
    let below = (mx.clone() * mx + my.clone() * my).add_scalar(c1) * spread.add_scalar(c2);
    let apart = (above / below).neg().add_scalar(1.0);
    // A window is whole when no pixel in it is invalid.
    let invalid = weight.clone().equal_elem(0.0).float().cast(weight.dtype());
    let whole = windows(invalid, &|_| 1.0).equal_elem(0.0).float().cast(weight.dtype());
    mean_over_valid(apart.mean_dim(1), Some(whole))
}
