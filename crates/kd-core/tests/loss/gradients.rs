//! Gradients of every loss against central differences in float64, and what no gradient may reach.
//!
//! With a step of 1e-5 and third derivatives of order 1 the difference is 1e-10 off by truncation and 1e-11 by rounding;
//! 1e-8 leaves room for τ² and for sums.

use burn::tensor::{DType, Device, Int, Tensor};

use crate::tensors::{assert_near, numbers, scalar, tau, tensor, value_and_gradient};
use kd_core::loss::{
    BernoulliKd, BinaryCrossEntropy, BinaryWeights, CrossEntropy, DistillLoss, HintonKd, LogitMse, SoftCrossEntropy,
};

const DIMS: [usize; 4] = [2, 3, 2, 2];

/// Fixed, asymmetric, without repeats: a sine of the index.
fn logits(phase: f64, spread: f64) -> Vec<f64> {
    (0..24).map(|i| spread * (1.7 * f64::from(i) + phase).sin()).collect()
}

fn mask() -> Tensor<4> {
    tensor(&[1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0], [2, 1, 2, 2], DType::F64)
}

fn check_by_differences(what: &str, at: &[f64], f: impl Fn(Tensor<4>) -> Tensor<1>) {
    let (_, gradient) = value_and_gradient(tensor(at, DIMS, DType::F64), &f);
    assert!(gradient.iter().any(|g| g.abs() > 1e-3), "{what}: a zero gradient would prove nothing");
    for i in 0..at.len() {
        let shifted = |step: f64| {
            let mut moved = at.to_vec();
            moved[i] += step;
            scalar(f(tensor(&moved, DIMS, DType::F64)))
        };
        let difference = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
        assert_near(gradient[i], difference, 1e-8, 1e-8, &format!("{what} [{i}]"));
    }
}

fn every_distillation_loss(temperature: f64) -> Vec<Box<dyn DistillLoss<4>>> {
    vec![
        Box::new(HintonKd::new(tau(temperature))),
        Box::new(SoftCrossEntropy::new(tau(temperature))),
        Box::new(BernoulliKd::new(tau(temperature))),
        Box::new(LogitMse::new(false)),
        Box::new(LogitMse::new(true)),
    ]
}

#[test]
fn distillation_gradients_are_the_derivatives() {
    let teacher = tensor::<4>(&logits(0.4, 3.0), DIMS, DType::F64);
    for temperature in [1.0, 4.0] {
        for loss in every_distillation_loss(temperature) {
            for mask in [None, Some(mask())] {
                let what = format!("{} τ={temperature} masked={}", loss.name(), mask.is_some());
                check_by_differences(&what, &logits(2.0, 2.0), |s| loss.forward(s, teacher.clone(), mask.clone()));
            }
        }
    }
}

#[test]
fn task_gradients_are_the_derivatives() {
    let labels = Tensor::<3, Int>::from_data([[[0, 2], [1, 1]], [[2, 0], [0, 1]]], &Device::flex());
    let targets = tensor::<4>(&logits(1.0, 1.0), DIMS, DType::F64).greater_elem(0.0).float();
    for smoothing in [0.0, 0.2] {
        for weights in [None, Some(vec![0.5, 2.0, 3.0])] {
            let softmax = CrossEntropy::new(weights.clone(), smoothing).unwrap();
            check_by_differences("cross-entropy", &logits(2.0, 2.0), |z| {
                softmax.forward(z, labels.clone(), Some(mask()))
            });
            let weights = weights.map_or(BinaryWeights::Equal, BinaryWeights::Positive);
            let binary = BinaryCrossEntropy::new(weights, smoothing).unwrap();
            check_by_differences("binary-cross-entropy", &logits(2.0, 2.0), |z| {
                binary.forward(z, targets.clone(), Some(mask()))
            });
        }
    }
}

#[test]
fn a_logit_of_exactly_zero_has_the_gradient_of_its_neighbours() {
    // Where softplus is written with |x| or max(x, 0), an autodiff rule for the kink can give 0 here.
    let teacher = tensor::<4>(&logits(0.4, 3.0), DIMS, DType::F64);
    for loss in every_distillation_loss(1.0) {
        check_by_differences(loss.name(), &[0.0; 24], |s| loss.forward(s, teacher.clone(), None));
    }
}

#[test]
fn no_gradient_reaches_a_teacher_or_a_mask_that_asks_for_one() {
    for loss in every_distillation_loss(2.0) {
        let student = tensor::<4>(&logits(2.0, 2.0), DIMS, DType::F32).autodiff().require_grad();
        let teacher = tensor::<4>(&logits(0.4, 3.0), DIMS, DType::F32).autodiff().require_grad();
        let mask = mask().cast(DType::F32).autodiff().require_grad();
        let gradients = loss.forward(student.clone(), teacher.clone(), Some(mask.clone())).backward();
        assert!(student.grad(&gradients).is_some(), "{}", loss.name());
        assert!(teacher.grad(&gradients).is_none(), "{}", loss.name());
        assert!(mask.grad(&gradients).is_none(), "{}", loss.name());
    }
}

#[test]
fn teacher_logits_stored_in_another_precision_are_taken() {
    let teacher = [1.5, -2.0, 0.25]; // exact in half precision
    let student = tensor::<2>(&[0.5, 1.0, -1.0], [1, 3], DType::F32);
    let half = tensor::<2>(&teacher, [1, 3], DType::F16);
    let full = tensor::<2>(&teacher, [1, 3], DType::F32);
    let loss = HintonKd::new(tau(2.0));
    let of_half = loss.forward(student.clone(), half, None);
    assert_eq!(of_half.dtype(), DType::F32);
    assert_eq!(numbers(of_half), numbers(loss.forward(student, full, None)));
}
