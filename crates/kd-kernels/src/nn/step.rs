//! Optimiser steps on plain tensors.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::extension::KernelOps;
use crate::optimizer::{AdamWStep, MomentumStep};

fn assert_shapes<const RANK: usize>(name: &str, tensors: &[&Tensor<RANK>]) {
    let shapes: Vec<[usize; RANK]> = tensors.iter().map(|tensor| tensor.dims()).collect();
    assert!(
        shapes.windows(2).all(|pair| pair[0] == pair[1]),
        "{name}: expected tensors of one shape, found {shapes:?}"
    );
    let tracked = tensors.iter().any(|tensor| tensor.device().is_autodiff());
    assert!(!tracked, "{name}: expected tensors of the plain device, found tracked ones");
}

/// A step of gradient descent with momentum: the weight and the momentum after it. A first step has a momentum of zeros.
///
/// # Panics
/// When the shapes differ, or a tensor is on an autodiff device.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_kernels::{MomentumStep, nn::momentum_step};
/// let [weight, gradient, momentum] = [1.0, 2.0, 4.0].map(|value| Tensor::<1>::full([1], value, &Device::flex()));
/// let step = MomentumStep { rate: 0.125, momentum: 0.5, weight_decay: 0.0, nesterov: false };
/// let moved = momentum_step(weight, gradient, momentum, step);
/// assert_eq!(moved.map(|tensor| tensor.into_scalar::<f32>()), [0.5, 4.0]);
/// ```
#[must_use]
pub fn momentum_step<const RANK: usize>(
    weight: Tensor<RANK>,
    gradient: Tensor<RANK>,
    momentum: Tensor<RANK>,
    step: MomentumStep,
) -> [Tensor<RANK>; 2] {
    assert_shapes("momentum step", &[&weight, &gradient, &momentum]);
    let [weight, gradient, momentum] = [weight, gradient, momentum].map(Tensor::into_dispatch);
    let (weight, momentum) = <Dispatch as KernelOps>::momentum_step(weight, gradient, momentum, step);
    [weight, momentum].map(Tensor::from_dispatch)
}

/// A step of AdamW: the weight, the mean gradient and the mean squared gradient after it. A first step has means of
/// zeros.
///
/// # Panics
/// As [`momentum_step`].
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_kernels::{AdamWStep, nn::adamw_step};
/// let [weight, gradient, zero] = [1.0, 2.0, 0.0].map(|value| Tensor::<1>::full([1], value, &Device::flex()));
/// let step = AdamWStep { rate: 0.25, betas: [0.5, 0.75], epsilon: 0.0, weight_decay: 0.0, step: 1 };
/// let moved = adamw_step(weight, gradient, [zero.clone(), zero], step);
/// assert_eq!(moved.map(|tensor| tensor.into_scalar::<f32>()), [0.75, 1.0, 1.0]);
/// ```
#[must_use]
pub fn adamw_step<const RANK: usize>(
    weight: Tensor<RANK>,
    gradient: Tensor<RANK>,
    [mean, square]: [Tensor<RANK>; 2],
    step: AdamWStep,
) -> [Tensor<RANK>; 3] {
    assert_shapes("AdamW step", &[&weight, &gradient, &mean, &square]);
    let [weight, gradient, mean, square] = [weight, gradient, mean, square].map(Tensor::into_dispatch);
    let (weight, mean, square) = <Dispatch as KernelOps>::adamw_step(weight, gradient, mean, square, step);
    [weight, mean, square].map(Tensor::from_dispatch)
}
