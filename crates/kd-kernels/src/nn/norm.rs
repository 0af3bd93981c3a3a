//! Norm layers, and a convolution with its norm and activation.

use burn::backend::Dispatch;
use burn::module::{Flag, Module, Param, RunningState};
use burn::nn::BatchNormConfig;
use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::{Device, Tensor};

use super::conv::{Conv, convolve};
use crate::extension::{KernelOps, NormOptions};
use crate::norm::{Activation, Statistics};

/// A norm by the statistics of the input itself.
fn normalise<const RANK: usize>(
    input: Tensor<RANK>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    options: NormOptions,
) -> (Tensor<RANK>, [Tensor<1>; 2]) {
    let (input, gamma, beta) = (input.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch());
    let (output, mean, variance) = <Dispatch as KernelOps>::normalise(input, gamma, beta, options);
    (Tensor::from_dispatch(output), [Tensor::from_dispatch(mean), Tensor::from_dispatch(variance)])
}

fn activate<const RANK: usize>(output: Tensor<RANK>, activation: Activation) -> Tensor<RANK> {
    match activation {
        Activation::None => output,
        Activation::Relu => relu(output),
        Activation::LeakyRelu(slope) => leaky_relu(output, f64::from(slope)),
    }
}

fn assert_channels<const RANK: usize>(layer: &str, input: &Tensor<RANK>, gamma: &Param<Tensor<1>>) {
    let ([channels], sizes) = (gamma.shape().dims(), input.dims());
    assert_eq!(sizes[1], channels, "{layer}: input {sizes:?} has {} channels, expected {channels}", sizes[1]);
}

/// Batch norm with Burn's parameters and rules: it trains where the input is on an autodiff device and its flag is on;
/// running statistics take the biased variance.
///
/// # Source
/// Ioffe and Szegedy (2015), algorithms 1 and 2.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scales.
    pub gamma: Param<Tensor<1>>,
    /// Shifts.
    pub beta: Param<Tensor<1>>,
    /// Whether it learns.
    pub training: Param<Flag>,
    /// Means that inference takes.
    pub running_mean: RunningState<Tensor<1>>,
    /// Variances that inference takes.
    pub running_var: RunningState<Tensor<1>>,
    /// Share of a batch in the running statistics.
    pub momentum: f64,
    /// Added to the variance.
    pub epsilon: f64,
}

impl BatchNorm {
    /// A norm that leaves normalised numbers as they are; momentum .1, epsilon 1e-5.
    #[must_use]
    pub fn init(channels: usize, device: &Device) -> Self {
        let stock = BatchNormConfig::new(channels).init(device);
        Self {
            gamma: stock.gamma,
            beta: stock.beta,
            training: stock.training,
            running_mean: stock.running_mean,
            running_var: stock.running_var,
            momentum: stock.momentum,
            epsilon: stock.epsilon,
        }
    }

    /// The normalised input.
    ///
    /// # Panics
    /// When the input has other channels than the layer.
    #[must_use]
    pub fn forward<const RANK: usize>(&self, input: Tensor<RANK>) -> Tensor<RANK> {
        self.forward_with(input, Activation::None)
    }

    /// The normalised input and an activation in one pass.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn forward_with<const RANK: usize>(&self, input: Tensor<RANK>, activation: Activation) -> Tensor<RANK> {
        assert_channels("batch norm", &input, &self.gamma);
        if !self.trains(&input.device()) {
            let [mean, variance] = self.running(&input.device());
            let (gamma, beta) = (self.gamma.val(), self.beta.val());
            let output = burn::tensor::module::batch_norm(input, gamma, beta, mean, variance, self.epsilon);
            return activate(output, activation);
        }
        let device = input.device();
        let options = NormOptions { statistics: Statistics::Batch, epsilon: self.epsilon, activation };
        let (output, statistics) = normalise(input, self.gamma.val(), self.beta.val(), options);
        for (running, of_batch) in [&self.running_mean, &self.running_var].into_iter().zip(statistics) {
            let kept = running.value_sync().to_device(&device).mul_scalar(1.0 - self.momentum);
            running.update(kept.add(of_batch.detach().mul_scalar(self.momentum)).detach());
        }
        output
    }

    fn trains(&self, device: &Device) -> bool {
        device.is_autodiff() && self.training.is_enabled()
    }

    fn running(&self, device: &Device) -> [Tensor<1>; 2] {
        [&self.running_mean, &self.running_var].map(|running| running.value().to_device(device))
    }
}

/// Instance norm: each channel of each sample by its own mean and variance, while learning and afterwards.
///
/// # Source
/// Ulyanov et al. (2016), "Instance Normalization", equation 4.
#[derive(Module, Debug)]
pub struct InstanceNorm {
    /// Scales.
    pub gamma: Param<Tensor<1>>,
    /// Shifts.
    pub beta: Param<Tensor<1>>,
    /// Added to the variance.
    pub epsilon: f64,
}

impl InstanceNorm {
    /// A norm that leaves normalised numbers as they are; epsilon 1e-5.
    #[must_use]
    pub fn init(channels: usize, device: &Device) -> Self {
        let BatchNorm { gamma, beta, epsilon, .. } = BatchNorm::init(channels, device);
        Self { gamma, beta, epsilon }
    }

    /// The normalised input and an activation in one pass.
    ///
    /// # Panics
    /// When the input has other channels than the layer.
    #[must_use]
    pub fn forward_with<const RANK: usize>(&self, input: Tensor<RANK>, activation: Activation) -> Tensor<RANK> {
        assert_channels("instance norm", &input, &self.gamma);
        let statistics = Statistics::Groups(input.dims()[1]);
        let options = NormOptions { statistics, epsilon: self.epsilon, activation };
        normalise(input, self.gamma.val(), self.beta.val(), options).0
    }
}

/// A convolution, its batch norm and an activation: what most layers of a network are.
#[derive(Module, Debug)]
pub struct ConvNormAct<const RANK: usize> {
    /// The convolution.
    pub conv: Conv<RANK>,
    /// The norm over its output channels.
    pub norm: BatchNorm,
    /// What follows.
    #[module(skip)]
    pub activation: Activation,
}

impl<const RANK: usize> ConvNormAct<RANK> {
    /// The layers' output, as [`conv_norm`].
    ///
    /// # Panics
    /// As [`conv_norm`].
    #[must_use]
    pub fn forward(&self, input: Tensor<RANK>) -> Tensor<RANK> {
        conv_norm(&self.conv, &self.norm, input, self.activation)
    }
}

/// A convolution, its batch norm and an activation. Where the norm does not learn it becomes part of the kernels, and a
/// ReLU part of the convolution: one pass instead of three.
///
/// # Panics
/// When the input or the norm has other channels than the convolution.
#[must_use]
pub fn conv_norm<const RANK: usize>(
    conv: &Conv<RANK>,
    norm: &BatchNorm,
    input: Tensor<RANK>,
    activation: Activation,
) -> Tensor<RANK> {
    let device = input.device();
    if norm.trains(&device) {
        return norm.forward_with(conv.forward(input), activation);
    }
    let [mean, variance] = norm.running(&device);
    let scale = norm.gamma.val().div(variance.add_scalar(norm.epsilon).sqrt());
    let [outputs] = scale.dims();
    let mut by_output = [1; RANK];
    by_output[0] = outputs;
    let weight = conv.weight.val().mul(scale.clone().reshape(by_output));
    let shift = match &conv.bias {
        Some(bias) => bias.val().sub(mean),
        None => mean.neg(),
    };
    let bias = norm.beta.val().add(shift.mul(scale));
    match activation {
        Activation::Relu => convolve(input, weight, Some(bias), conv.geometry, true),
        other => activate(convolve(input, weight, Some(bias), conv.geometry, false), other),
    }
}
