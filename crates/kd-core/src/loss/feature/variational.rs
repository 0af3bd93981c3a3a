//! Variational information distillation: how much of the teacher's features the student's predict.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation::relu};

use super::Projection;
use crate::loss::{
    bernoulli::softplus,
    operands::{blank_invalid, flatten},
    reduce::mean_over_valid,
};

/// Smallest variance.
const EPSILON: f64 = 1e-5;
/// Variance of a regressor whose parameters are 0.
const START: f64 = 5.0;

/// Computes the negative log-likelihood of the teacher's features under a Gaussian, without its constant.
///
/// `mean( ½·(t − μ)²/σ_c² + ½·ln σ_c² )` over channels and valid positions of all samples.
///
/// # Shapes
/// `mean` and `teacher` `[batch, channel, …spatial]`, `variance` `[channel]`, mask `[batch, 1, …spatial]`; to `[1]`.
///
/// # Panics
/// When shapes do not fit.
///
/// # Source
/// Ahn et al. 2019, "Variational Information Distillation", arXiv 1904.05835, equations 3 and 5.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::variational_information;
///
/// let device = Device::flex();
/// let mean = Tensor::<2>::from_data([[1.0]], &device);
/// let variance = Tensor::<1>::from_data([4.0], &device);
/// let value = variational_information(mean.clone(), variance, mean.add_scalar(2.0), None).into_scalar::<f32>();
/// assert!((value - (0.5 + 0.5 * 4f32.ln())).abs() < 1e-6);
/// ```
pub fn variational_information<const D: usize>(
    mean: Tensor<D>,
    variance: Tensor<1>,
    teacher: Tensor<D>,
    mask: Option<Tensor<D>>,
) -> Tensor<1> {
    let (dims, dtype) = (mean.dims(), mean.dtype());
    let teacher = teacher.inner().cast(dtype);
    let mask = match mask {
        Some(mask) => mask.inner().cast(dtype),
        None => Tensor::ones([1; D], (&teacher.device(), dtype)),
    };
    let mut positions = dims;
    positions[1] = 1;
    let mask = mask.expand(positions);
    let gap = flatten(blank_invalid(teacher, &mask)) - flatten(blank_invalid(mean, &mask));
    let variance = variance.reshape([1, dims[1], 1]);
    let likelihood = gap.clone() * gap / variance.clone() + variance.log();
    mean_over_valid(likelihood.mean_dim(1).mul_scalar(0.5), Some(flatten(mask)))
}

/// Predicts the teacher's features from the student's, with a variance of its own per channel.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{initialize, loss::feature::VariationalRegressor};
///
/// let device = Device::flex();
/// let regressor = initialize(VariationalRegressor::new(4, 6, &device), 1);
/// let (mean, variance) = regressor.forward(Tensor::<4>::ones([2, 4, 5, 5], &device));
/// assert_eq!(mean.dims(), [2, 6, 5, 5]);
/// let variance = variance.into_data().try_into_vec::<f32>().unwrap();
/// assert!(variance.iter().all(|v| (v - 5.0).abs() < 1e-4)); // where it starts
/// ```
#[derive(Module, Debug)]
pub struct VariationalRegressor {
    first: Projection,
    second: Projection,
    third: Projection,
    raw_variance: Param<Tensor<1>>,
}

impl VariationalRegressor {
    /// Makes a regressor of three projections with ReLU between.
    #[must_use]
    pub fn new(student_channels: usize, teacher_channels: usize, device: &Device) -> Self {
        let onward = || Projection::new(teacher_channels, teacher_channels, device);
        Self {
            first: Projection::new(student_channels, teacher_channels, device),
            second: onward(),
            third: onward(),
            raw_variance: Param::from_tensor(Tensor::zeros([teacher_channels], device)),
        }
    }

    /// Mean `[batch, teacher channels, …spatial]` and variance `[teacher channels]`, which is above 0.
    pub fn forward<const D: usize>(&self, student: Tensor<D>) -> (Tensor<D>, Tensor<1>) {
        let hidden = relu(self.second.forward(relu(self.first.forward(student))));
        let raw = self.raw_variance.val().add_scalar(((START - EPSILON).exp() - 1.0).ln());
        (self.third.forward(hidden), softplus(raw).add_scalar(EPSILON))
    }
}
