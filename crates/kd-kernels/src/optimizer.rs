//! Optimiser steps in one pass: a dozen element-wise operators, one after the other, wait for memory a dozen times.

use rayon::prelude::*;

use crate::shared::all_written;
use crate::simd::{Isa, Work, on};

/// Numbers of one task.
const PIECE: usize = 1 << 14;

/// Stochastic gradient descent with momentum: `v ← µv + g + λw`, then `w ← w − ηv`, with Nesterov
/// `w ← w − η(g + λw + µv)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MomentumStep {
    /// η.
    pub rate: f64,
    /// µ.
    pub momentum: f64,
    /// λ.
    pub weight_decay: f64,
    /// Look ahead by one momentum step.
    pub nesterov: bool,
}

/// Adam with weight decay apart from the gradient: `m ← β₁m + (1 − β₁)g`, `s ← β₂s + (1 − β₂)g²`,
/// `w ← (1 − ηλ)w − η · (m / (1 − β₁ᵗ)) / (√(s / (1 − β₂ᵗ)) + ε)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// η.
    pub rate: f64,
    /// β₁ and β₂.
    pub betas: [f64; 2],
    /// ε.
    pub epsilon: f64,
    /// λ.
    pub weight_decay: f64,
    /// t, from 1.
    pub step: usize,
}

/// The factors of an AdamW step as the element-wise operators see them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamWFactors {
    pub(crate) keep: [f64; 2],
    pub(crate) take: [f64; 2],
    pub(crate) correction: [f64; 2],
    pub(crate) decay: f64,
}

impl AdamWStep {
    pub(crate) fn factors(&self) -> AdamWFactors {
        let steps = i32::try_from(self.step).unwrap_or(i32::MAX);
        AdamWFactors {
            keep: self.betas,
            take: self.betas.map(|beta| 1.0 - beta),
            correction: self.betas.map(|beta| 1.0 - beta.powi(steps)),
            decay: 1.0 - self.rate * self.weight_decay,
        }
    }
}

/// `N` results of one length from four operands, number by number.
fn stepped<const N: usize>(
    isa: Isa,
    operands: [&[f32]; 4],
    function: impl Fn([f32; 4]) -> [f32; N] + Copy + Sync,
) -> [Vec<f32>; N] {
    let len = operands[0].len();
    assert!(operands.iter().all(|operand| operand.len() == len), "operands of one length");
    // SAFETY: the pieces together are all numbers of every result.
    #[expect(unsafe_code, reason = "the results are written whole")]
    unsafe {
        all_written(len, |targets| {
            (0..len.div_ceil(PIECE)).into_par_iter().for_each(|piece| {
                let range = piece * PIECE..((piece + 1) * PIECE).min(len);
                // SAFETY: this task alone writes this piece of each result.
                let to = targets.each_ref().map(|target| target.stretch(range.start, range.len()));
                on(isa, Step { from: operands.map(|operand| &operand[range.clone()]), to, function });
            });
        })
    }
}

/// A piece of a step.
struct Step<'a, F, const N: usize> {
    from: [&'a [f32]; 4],
    to: [&'a mut [std::mem::MaybeUninit<f32>]; N],
    function: F,
}

impl<F: Fn([f32; 4]) -> [f32; N], const N: usize> Work for Step<'_, F, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from: [a, b, c, d], mut to, function } = self;
        let len = a.len();
        let (b, c, d) = (&b[..len], &c[..len], &d[..len]);
        for to in &to {
            assert_eq!(to.len(), len, "pieces of one length");
        }
        for at in 0..len {
            let results = function([a[at], b[at], c[at], d[at]]);
            for (to, result) in to.iter_mut().zip(results) {
                to[at].write(result);
            }
        }
    }
}

/// The weight and its momentum after a step.
#[expect(clippy::cast_possible_truncation, reason = "factors are applied in f32")]
pub(crate) fn momentum_step(
    isa: Isa,
    weight: &[f32],
    gradient: &[f32],
    momentum: &[f32],
    step: MomentumStep,
) -> [Vec<f32>; 2] {
    let [rate, keep, decay] = [step.rate, step.momentum, step.weight_decay].map(|factor| factor as f32);
    stepped(isa, [weight, gradient, momentum, momentum], |[weight, gradient, momentum, _]| {
        let slope = if decay == 0.0 { gradient } else { gradient + weight * decay };
        let moved = momentum * keep + slope;
        let direction = if step.nesterov { slope + moved * keep } else { moved };
        [weight - direction * rate, moved]
    })
}

/// The weight, its mean gradient and its mean squared gradient after a step.
#[expect(clippy::cast_possible_truncation, reason = "factors are applied in f32")]
pub(crate) fn adamw_step(isa: Isa, [weight, gradient, mean, square]: [&[f32]; 4], step: AdamWStep) -> [Vec<f32>; 3] {
    let AdamWFactors { keep, take, correction, decay } = step.factors();
    let [keep, take, correction] = [keep, take, correction].map(|pair| pair.map(|factor| factor as f32));
    let [rate, epsilon, decay] = [step.rate, step.epsilon, decay].map(|factor| factor as f32);
    stepped(isa, [weight, gradient, mean, square], |[weight, gradient, mean, square]| {
        let mean = mean * keep[0] + gradient * take[0];
        let square = square * keep[1] + gradient * gradient * take[1];
        let root = (square / correction[1]).sqrt() + epsilon;
        [weight * decay - mean / correction[0] / root * rate, mean, square]
    })
}
