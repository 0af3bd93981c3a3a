//! The gradients of a norm by its input, scale and shift.

use rayon::prelude::*;

use super::sums::pair_sums;
use super::{Activation, Affine, NormError, NormShape};
use crate::shared::{Shared, written};
use crate::simd::{Isa, Work, on};

/// What [`norm_gradient`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct NormGradients {
    /// By the input, `[batch, channel, points]`.
    pub input: Vec<f32>,
    /// By gamma, `[channel]`.
    pub gamma: Vec<f32>,
    /// By beta, `[channel]`.
    pub beta: Vec<f32>,
}

/// The gradients of [`norm`](super::norm), given one by its output. With `g` the output gradient where the activation
/// lets it pass, `x̂` the normalised input, `s = 1/√(variance + epsilon)` and means over the unit:
/// `input = s · (γg − mean(γg) − x̂ · mean(γg · x̂))`, `gamma = Σ g · x̂`, `beta = Σ g`.
///
/// # Shapes
/// As in [`norm`](super::norm), whose mean and variance are given.
///
/// # Policy
/// Where the activation's argument is exactly 0, ReLU and leaky ReLU count as negative. Sums as in
/// [`norm`](super::norm).
///
/// # Errors
/// As [`norm`](super::norm).
///
/// # Source
/// Ioffe and Szegedy (2015), section 3, chain rule of algorithm 1.
///
/// # Example
/// ```
/// use kd_kernels::{Activation, Isa, NormShape, Statistics, norm, norm_gradient};
/// let shape = NormShape { batch: 1, channels: 1, points: 2, statistics: Statistics::Groups(1) };
/// let (input, gamma, beta) = ([1.0, 3.0], [1.0], [0.0]);
/// let normed = norm(Isa::best(), &shape, &input, &gamma, &beta, 0.0, Activation::None)?;
/// let statistics = [&normed.mean[..], &normed.variance[..]];
/// let output_gradient = [1.0, 0.0];
/// let gradients = norm_gradient(
///     Isa::best(), &shape, &input, &output_gradient, [&gamma, &beta], statistics, 0.0, Activation::None,
/// )?;
/// assert_eq!(gradients.input, [0.0, 0.0]); // Two numbers normalised are -1 and 1, whatever they were.
/// assert_eq!((gradients.gamma[0], gradients.beta[0]), (-1.0, 1.0));
/// # Ok::<(), kd_kernels::NormError>(())
/// ```
#[expect(clippy::too_many_arguments, reason = "the operands of a gradient")]
pub fn norm_gradient(
    isa: Isa,
    shape: &NormShape,
    input: &[f32],
    output_gradient: &[f32],
    [gamma, beta]: [&[f32]; 2],
    [mean, variance]: [&[f32]; 2],
    epsilon: f64,
    activation: Activation,
) -> Result<NormGradients, NormError> {
    shape.check(input.len(), &[("gamma", gamma.len()), ("beta", beta.len())])?;
    for (what, found, expected) in [
        ("output gradient", output_gradient.len(), input.len()),
        ("mean", mean.len(), shape.units()),
        ("variance", variance.len(), shape.units()),
    ] {
        if found != expected {
            return Err(NormError::Length { what, expected, found });
        }
    }
    // Of each unit, of each of its stretches: the sums of `g` and of `g · x̂`.
    let mut sums = vec![Vec::new(); shape.units()];
    // SAFETY: the units together have every number of the input.
    #[expect(unsafe_code, reason = "the gradient is written whole")]
    let input_gradient = unsafe {
        written(input.len(), |target| {
            sums.par_iter_mut().enumerate().for_each(|(unit, sums)| {
                let statistics = [mean[unit], variance[unit]];
                let operands = Operands { shape, input, output_gradient, gamma, beta, statistics, epsilon };
                *sums = match activation {
                    Activation::None => on(isa, GradientUnit { operands, unit, target, slope: None }),
                    Activation::Relu => on(isa, GradientUnit { operands, unit, target, slope: Some(0.0) }),
                    Activation::LeakyRelu(slope) => {
                        on(isa, GradientUnit { operands, unit, target, slope: Some(slope) })
                    }
                };
            });
        })
    };
    let mut by_channel = vec![[0.0; 2]; shape.channels];
    for (unit, sums) in sums.iter().enumerate() {
        for ((_, channel), sums) in shape.stretches(unit).zip(sums) {
            by_channel[channel][0] += sums[0];
            by_channel[channel][1] += sums[1];
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
    let (beta, gamma) = by_channel.into_iter().map(|[plain, scaled]| (plain as f32, scaled as f32)).unzip();
    Ok(NormGradients { input: input_gradient, gamma, beta })
}

#[derive(Clone, Copy)]
struct Operands<'a> {
    shape: &'a NormShape,
    input: &'a [f32],
    output_gradient: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    statistics: [f32; 2],
    epsilon: f64,
}

/// One unit: its sums, then its numbers. `slope` is what is left of the gradient on the negative side; `None` where
/// nothing follows the norm.
struct GradientUnit<'a> {
    operands: Operands<'a>,
    unit: usize,
    target: &'a Shared<'a>,
    slope: Option<f32>,
}

impl Work for GradientUnit<'_> {
    type Output = Vec<[f64; 2]>;

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "gradients are f32")]
    fn run(self) -> Vec<[f64; 2]> {
        let Self { operands, unit, target, slope } = self;
        let Operands { shape, input, output_gradient, gamma, beta, statistics: [mean, variance], epsilon } = operands;
        let stretches = |at: usize| [&input[at..at + shape.points], &output_gradient[at..at + shape.points]];
        let affine = |channel: usize| Affine::new(mean, variance, epsilon, gamma[channel], beta[channel]);
        let mut sums = Vec::with_capacity(shape.stretches(unit).len());
        let mut means = [0.0; 2];
        for (at, channel) in shape.stretches(unit) {
            let [values, gradients] = stretches(at);
            let affine = affine(channel);
            let [plain, scaled] = match slope {
                None => pair_sums(values, gradients, |value, gradient| [gradient, gradient * affine.normalised(value)]),
                Some(slope) => pair_sums(values, gradients, |value, gradient| {
                    let passed = affine.passed(value, gradient, slope);
                    [passed, passed * affine.normalised(value)]
                }),
            };
            means[0] += plain * f64::from(affine.gamma);
            means[1] += scaled * f64::from(affine.gamma);
            sums.push([plain, scaled]);
        }
        let [plain, scaled] = means.map(|sum| (sum / shape.unit_len() as f64) as f32);
        for (at, channel) in shape.stretches(unit) {
            let [values, gradients] = stretches(at);
            let affine = affine(channel);
            let scale = affine.inverse_deviation;
            // SAFETY: a stretch belongs to one unit, and this is its only writer.
            #[expect(unsafe_code, reason = "units write disjoint stretches of one buffer")]
            let to = unsafe { target.stretch(at, shape.points) };
            let pairs = to.iter_mut().zip(values.iter().zip(gradients));
            match slope {
                None => {
                    for (to, (&value, &gradient)) in pairs {
                        to.write(scale * (affine.gamma * gradient - plain - affine.normalised(value) * scaled));
                    }
                }
                Some(slope) => {
                    for (to, (&value, &gradient)) in pairs {
                        let passed = affine.passed(value, gradient, slope);
                        to.write(scale * (affine.gamma * passed - plain - affine.normalised(value) * scaled));
                    }
                }
            }
        }
        sums
    }
}
