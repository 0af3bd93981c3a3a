//! Spectra: texture that a pixel-wise mean blurs away.

use burn::tensor::Tensor;

use super::Images;
use crate::loss::{
    axes::{along, matrix},
    reduce::total,
};

/// Computes the absolute difference of the Fourier transforms, real and imaginary parts, mean over all their entries.
///
/// `mean( |Re F(x_s − x_r)| + |Im F(x_s − x_r)| )/2` with the discrete Fourier transform over all spatial axes, not
/// normalised.
///
/// # Shapes
/// Images `[batch, channel, …spatial]` of equal shape, rank 3 to 5; to `[1]`.
///
/// # Policy
/// Positions have no place in a spectrum, so a mask sets the difference at masked positions to 0. Channels are averaged,
/// as published. A product of small matrices along each axis, not a fast transform: for patches of up to some hundred
/// pixels a side.
///
/// # Panics
/// When shapes do not fit.
///
/// # Source
/// Cho et al. 2021, "Rethinking Coarse-to-Fine Approach in Single Image Deblurring", arXiv 2108.05054, equation 5 (MSFR).
///
/// # Deviations
/// The full transform of a real image, whose halves mirror each other, instead of one half.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::image::frequency_l1;
///
/// let impulse = Tensor::<3>::from_data([[[4.0, 0.0]]], &Device::flex()); // spectrum 4, 4; imaginary 0, 0
/// assert!((frequency_l1(impulse.clone(), impulse.zeros_like(), None).into_scalar::<f32>() - 2.0).abs() < 1e-6);
/// ```
pub fn frequency_l1<const D: usize>(student: Tensor<D>, reference: Tensor<D>, mask: Option<Tensor<D>>) -> Tensor<1> {
    let Images { student, reference, weight, spatial } = Images::new("frequency", student, reference, mask);
    let options = (&weight.device(), weight.dtype());
    let mut real = (student - reference) * weight;
    let mut imaginary: Option<Tensor<3>> = None;
    for (axis, &length) in spatial.iter().enumerate() {
        let angle = |k: usize, at: usize| -std::f64::consts::TAU * (k * at % length) as f64 / length as f64;
        let cosine = matrix([length; 2], options, |k, at| angle(k, at).cos());
        let sine = matrix([length; 2], options, |k, at| angle(k, at).sin());
        let apply =
            |values: &Tensor<3>, part: &Tensor<2>| along(values.clone(), &mut spatial.clone(), axis, part.clone());
        let (new_real, new_imaginary) = match &imaginary {
            None => (apply(&real, &cosine), apply(&real, &sine)),
            Some(i) => (apply(&real, &cosine) - apply(i, &sine), apply(&real, &sine) + apply(i, &cosine)),
        };
        (real, imaginary) = (new_real, Some(new_imaginary));
    }
    let entries: usize = 2 * real.dims().iter().product::<usize>();
    let sum = match imaginary {
        Some(imaginary) => total(real.abs()) + total(imaginary.abs()),
        None => total(real.abs()),
    };
    sum.mul_scalar(1.0 / entries as f64)
}
