//! Normalisation by the mean and variance of what lies together: of a channel over the batch (batch norm), or of a group
//! of channels of one sample (group norm; instance norm where each channel is a group of its own).
//!
//! One unit of statistics at a time, so that it stays in a core's cache while it is read twice or three times.

mod gradient;
mod shape;
mod sums;

pub use gradient::{NormGradients, norm_gradient};
pub use shape::{Activation, NormError, NormShape, Statistics};

use rayon::prelude::*;

use crate::shared::{Shared, written};
use crate::simd::{Isa, Work, on};
use sums::centred_squares;
pub(crate) use sums::total;

/// What [`norm`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Normed {
    /// The normalised numbers, `[batch, channel, points]`.
    pub output: Vec<f32>,
    /// Means, one for each unit of statistics.
    pub mean: Vec<f32>,
    /// Biased variances, one for each unit.
    pub variance: Vec<f32>,
}

/// `output = activation((input − mean) / √(variance + epsilon) · gamma + beta)`, mean and variance taken over each unit
/// of statistics: a channel over the whole batch, or a group of channels of one sample.
///
/// # Shapes
/// `input` `[batch, channel, points]`, `gamma` and `beta` `[channel]`; means and variances `[channel]` for
/// [`Statistics::Batch`], else `[batch · groups]`.
///
/// # Policy
/// The variance is the biased one (divisor: numbers of the unit), as two passes find it. Sums run in `f64` over stretches
/// that are summed in 16 strands of `f32`; they do not depend on threads or instruction set.
///
/// # Errors
/// [`NormError`] for sizes of 0, groups that do not divide the channels, and operands of another length.
///
/// # Source
/// Ioffe and Szegedy (2015), algorithm 1; Wu and He (2018), "Group Normalization", equations 1 to 6.
///
/// # Example
/// ```
/// use kd_kernels::{Activation, Isa, NormShape, Statistics, norm};
/// let shape = NormShape { batch: 2, channels: 1, points: 2, statistics: Statistics::Batch };
/// let normed = norm(Isa::best(), &shape, &[0.0, 4.0, 4.0, 8.0], &[2.0], &[1.0], 0.0, Activation::Relu)?;
/// assert_eq!((normed.mean[0], normed.variance[0]), (4.0, 8.0));
/// assert_eq!(normed.output[..3], [0.0, 1.0, 1.0]);
/// # Ok::<(), kd_kernels::NormError>(())
/// ```
pub fn norm(
    isa: Isa,
    shape: &NormShape,
    input: &[f32],
    gamma: &[f32],
    beta: &[f32],
    epsilon: f64,
    activation: Activation,
) -> Result<Normed, NormError> {
    shape.check(input.len(), &[("gamma", gamma.len()), ("beta", beta.len())])?;
    let mut statistics = vec![[0.0; 2]; shape.units()];
    // SAFETY: the units together have every number of the input.
    #[expect(unsafe_code, reason = "the output is written whole")]
    let output = unsafe {
        written(input.len(), |output| {
            statistics.par_iter_mut().enumerate().for_each(|(unit, statistics)| {
                let work = NormUnit { shape, unit, input, gamma, beta, epsilon, activation, output };
                *statistics = on(isa, work);
            });
        })
    };
    let (mean, variance) = statistics.into_iter().map(|[mean, variance]| (mean, variance)).unzip();
    Ok(Normed { output, mean, variance })
}

/// The scale and shift of one channel, so that the gradient sees the very numbers that the norm gave.
#[derive(Clone, Copy)]
struct Affine {
    mean: f32,
    inverse_deviation: f32,
    gamma: f32,
    beta: f32,
}

impl Affine {
    #[expect(clippy::cast_possible_truncation, reason = "statistics are stored as f32")]
    fn new(mean: f32, variance: f32, epsilon: f64, gamma: f32, beta: f32) -> Self {
        Self { mean, inverse_deviation: (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32, gamma, beta }
    }

    #[inline(always)]
    fn normalised(self, value: f32) -> f32 {
        (value - self.mean) * self.inverse_deviation
    }

    #[inline(always)]
    fn applied(self, value: f32) -> f32 {
        self.normalised(value) * self.gamma + self.beta
    }

    /// What an activation with this slope on the negative side lets through of a gradient.
    #[inline(always)]
    fn passed(self, value: f32, gradient: f32, slope: f32) -> f32 {
        let negative = if slope == 0.0 { 0.0 } else { gradient * slope };
        if self.applied(value) <= 0.0 { negative } else { gradient }
    }
}

/// One unit: its statistics, then its numbers.
struct NormUnit<'a> {
    shape: &'a NormShape,
    unit: usize,
    input: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    epsilon: f64,
    activation: Activation,
    output: &'a Shared<'a>,
}

impl Work for NormUnit<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "statistics are stored as f32")]
    fn run(self) -> [f32; 2] {
        let Self { shape, unit, input, gamma, beta, epsilon, activation, output } = self;
        let count = shape.unit_len() as f64;
        let stretch = |at: usize| &input[at..at + shape.points];
        let mean = (shape.stretches(unit).map(|(at, _)| total(stretch(at))).sum::<f64>() / count) as f32;
        let squares: f64 = shape.stretches(unit).map(|(at, _)| centred_squares(stretch(at), mean)).sum();
        let variance = (squares / count) as f32;
        for (at, channel) in shape.stretches(unit) {
            let affine = Affine::new(mean, variance, epsilon, gamma[channel], beta[channel]);
            // SAFETY: a stretch belongs to one unit, and this is its only writer.
            #[expect(unsafe_code, reason = "units write disjoint stretches of one buffer")]
            let to = unsafe { output.stretch(at, shape.points) };
            match activation {
                Activation::None => apply(stretch(at), to, |value| affine.applied(value)),
                Activation::Relu => apply(stretch(at), to, |value| relu(affine.applied(value))),
                Activation::LeakyRelu(slope) => apply(stretch(at), to, |value| leaky(affine.applied(value), slope)),
            }
        }
        [mean, variance]
    }
}

#[inline(always)]
fn apply(from: &[f32], to: &mut [std::mem::MaybeUninit<f32>], function: impl Fn(f32) -> f32) {
    for (to, &value) in to.iter_mut().zip(from) {
        to.write(function(value));
    }
}

/// The larger of a number and 0; a NaN stays one.
#[inline(always)]
fn relu(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

#[inline(always)]
fn leaky(value: f32, slope: f32) -> f32 {
    if value < 0.0 { value * slope } else { value }
}
