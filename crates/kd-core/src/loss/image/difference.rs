//! Differences pixel by pixel.

use burn::tensor::Tensor;

use super::Images;
use crate::loss::reduce::mean_over_valid;

/// Computes the absolute difference, summed over channels, mean over valid pixels.
///
/// # Shapes
/// Images `[batch, channel, …spatial]` of equal shape, mask `[batch, 1, …spatial]`; to `[1]`.
///
/// # Panics
/// When shapes do not fit.
///
/// # Source
/// Zhao et al. 2017, "Loss Functions for Image Restoration With Neural Networks", arXiv 1511.08861, equation 3.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::image::l1;
///
/// let student = Tensor::<4>::from_data([[[[1.0, -3.0]]]], &Device::flex());
/// assert_eq!(l1(student.clone(), student.zeros_like(), None).into_scalar::<f32>(), 2.0);
/// ```
pub fn l1<const D: usize>(student: Tensor<D>, reference: Tensor<D>, mask: Option<Tensor<D>>) -> Tensor<1> {
    let Images { student, reference, weight, .. } = Images::new("l1", student, reference, mask);
    mean_over_valid((student - reference).abs().sum_dim(1), Some(weight))
}

/// Computes the squared difference, summed over channels, mean over valid pixels.
///
/// # Shapes
/// As [`l1`].
///
/// # Policy
/// Its unit is that of the images squared. What it asks for is the mean over all images that fit, which is smoother than
/// any of them.
///
/// # Panics
/// When shapes do not fit.
///
/// # Source
/// Zhang et al. 2017, "Beyond a Gaussian Denoiser", arXiv 1608.03981, equation 1.
///
/// # Deviations
/// A mean over pixels without the factor ½, instead of half the sum over pixels per image.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::image::mse;
///
/// let student = Tensor::<4>::from_data([[[[1.0, -3.0]]]], &Device::flex());
/// assert_eq!(mse(student.clone(), student.zeros_like(), None).into_scalar::<f32>(), 5.0);
/// ```
pub fn mse<const D: usize>(student: Tensor<D>, reference: Tensor<D>, mask: Option<Tensor<D>>) -> Tensor<1> {
    let Images { student, reference, weight, .. } = Images::new("mse", student, reference, mask);
    let gap = student - reference;
    mean_over_valid((gap.clone() * gap).sum_dim(1), Some(weight))
}

/// Computes `√(d² + ε²)` of the difference d, summed over channels, mean over valid pixels.
///
/// # Shapes
/// As [`l1`].
///
/// # Policy
/// `epsilon` is in the unit of the images. The floor is ε per channel, not 0, as published; the gradient there is 0.
///
/// # Panics
/// When shapes do not fit or `epsilon` is not above 0.
///
/// # Source
/// Lai et al. 2017, "Deep Laplacian Pyramid Networks", arXiv 1704.03915, equation 2.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::image::charbonnier;
///
/// let student = Tensor::<4>::from_data([[[[3.0]]]], &Device::flex());
/// assert_eq!(charbonnier(student.clone(), student.zeros_like(), None, 4.0).into_scalar::<f32>(), 5.0);
/// ```
pub fn charbonnier<const D: usize>(
    student: Tensor<D>,
    reference: Tensor<D>,
    mask: Option<Tensor<D>>,
    epsilon: f64,
) -> Tensor<1> {
    assert!(epsilon > 0.0, "charbonnier: epsilon must be above 0, found {epsilon}");
    let Images { student, reference, weight, .. } = Images::new("charbonnier", student, reference, mask);
    let gap = student - reference;
    let size = (gap.clone() * gap).add_scalar(epsilon * epsilon).sqrt();
    mean_over_valid(size.sum_dim(1), Some(weight))
}

/// Computes `(1 − α)·L1(student, truth) + α·L1(student, teacher)`.
///
/// # Shapes
/// As [`l1`].
///
/// # Policy
/// α has no default: the teacher is worse than the truth, so a large one caps what the student can reach.
///
/// # Panics
/// When shapes do not fit or `alpha` lies outside 0 to 1.
///
/// # Source
/// He et al. 2020, "FAKD", ICIP, equation 5; α = 0.5 there.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::image::response;
///
/// let image = |v: f32| Tensor::<4>::from_data([[[[v]]]], &Device::flex());
/// assert_eq!(response(image(1.0), image(2.0), image(5.0), None, 0.25).into_scalar::<f32>(), 0.75 * 4.0 + 0.25);
/// ```
pub fn response<const D: usize>(
    student: Tensor<D>,
    teacher: Tensor<D>,
    truth: Tensor<D>,
    mask: Option<Tensor<D>>,
    alpha: f64,
) -> Tensor<1> {
    assert!((0.0..=1.0).contains(&alpha), "response: alpha must be a number from 0 to 1, found {alpha}");
    let to_truth = l1(student.clone(), truth, mask.clone());
    to_truth.mul_scalar(1.0 - alpha) + l1(student, teacher, mask).mul_scalar(alpha)
}
