//! Task losses: the policies that PyTorch has no counterpart for, and every refusal.

use burn::tensor::{DType, Device, Int, Tensor};
use kd_core::loss::{BinaryCrossEntropy, BinaryWeights, CrossEntropy, LossError, cumulative_targets};

use crate::tensors::{assert_all_near, assert_near, distill, numbers, scalar, tensor, value_and_gradient};

fn matrix(values: &[f64], classes: usize) -> Tensor<2> {
    tensor(values, [values.len() / classes, classes], DType::F64)
}

fn labels(values: &[i32]) -> Tensor<1, Int> {
    Tensor::from_data(values, &Device::flex())
}

fn softplus(x: f64) -> f64 {
    x.exp().ln_1p()
}

#[test]
fn unlabelled_samples_may_hold_any_label_and_any_logit() {
    let loss = CrossEntropy::new(Some(vec![1.0, 2.0, 0.5]), 0.1).unwrap();
    let mask = matrix(&[1.0, 0.0, 1.0], 1);
    let run = |hidden: f64, label: i32| {
        let logits = matrix(&[0.5, -1.0, 2.0, hidden, hidden, 0.0, 1.0, 1.5, -0.5], 3);
        value_and_gradient(logits, |z| loss.forward(z, labels(&[2, label, 1]), Some(mask.clone())))
    };
    let expected = run(0.25, 0);
    for (hidden, label) in [(1e4, 1), (f64::NAN, -1), (0.0, 255)] {
        assert_eq!(run(hidden, label), expected);
    }
    assert_all_near(&expected.1[3..6], &[0.0; 3], 0.0, 0.0, "gradient of the unlabelled sample");
}

#[test]
fn nothing_labelled_gives_exactly_zero_and_a_zero_gradient() {
    let nothing = matrix(&[0.0, 0.0], 1);
    for weights in [None, Some(vec![1.0, 3.0])] {
        let loss = CrossEntropy::new(weights, 0.1).unwrap();
        let logits = matrix(&[1.0, -2.0, 0.5, 3.0], 2);
        let (value, gradient) = value_and_gradient(logits, |z| loss.forward(z, labels(&[0, 1]), Some(nothing.clone())));
        assert!(value == 0.0 && gradient == [0.0; 4], "{value} {gradient:?}");
    }
    for weights in [BinaryWeights::Equal, BinaryWeights::Classes { negative: 1.0, positive: 2.0 }] {
        let loss = BinaryCrossEntropy::new(weights, 0.1).unwrap();
        let targets = matrix(&[1.0, f64::NAN], 1);
        let (value, gradient) =
            value_and_gradient(matrix(&[1.0, -2.0], 1), |z| loss.forward(z, targets, Some(nothing.clone())));
        assert!(value == 0.0 && gradient == [0.0; 2], "{value} {gradient:?}");
    }
}

#[test]
fn a_common_factor_on_class_weights_changes_nothing() {
    let logits = matrix(&[0.5, -1.0, 2.0, 0.0, 1.0, 1.5], 3);
    let run = |factor: f64| {
        let loss = CrossEntropy::new(Some(vec![factor, 2.0 * factor, 0.5 * factor]), 0.1).unwrap();
        scalar(loss.forward(logits.clone(), labels(&[2, 1]), None))
    };
    assert_near(run(8.0), run(1.0), 1e-14, 0.0, "factor 8");
}

#[test]
fn one_channel_class_weights_are_two_class_cross_entropy_on_zero_and_z() {
    let z = [0.5, -1.5, 2.0, 0.25, -3.0];
    let truth = [1, 0, 0, 1, 1];
    let mask = matrix(&[1.0, 1.0, 1.0, 0.0, 1.0], 1);
    let targets = matrix(&truth.map(f64::from), 1);
    let pairs: Vec<f64> = z.iter().flat_map(|z| [0.0, *z]).collect();
    for smoothing in [0.0, 0.2] {
        let one = BinaryCrossEntropy::new(BinaryWeights::Classes { negative: 0.5, positive: 3.0 }, smoothing).unwrap();
        let two = CrossEntropy::new(Some(vec![0.5, 3.0]), smoothing).unwrap();
        let (one, one_gradient) =
            value_and_gradient(matrix(&z, 1), |z| one.forward(z, targets.clone(), Some(mask.clone())));
        let (two, two_gradient) =
            value_and_gradient(matrix(&pairs, 2), |z| two.forward(z, labels(&truth), Some(mask.clone())));
        assert_near(one, two, 1e-13, 0.0, "value");
        let second: Vec<f64> = two_gradient.iter().skip(1).step_by(2).copied().collect();
        assert_all_near(&one_gradient, &second, 1e-13, 0.0, "gradient");
    }
}

#[test]
fn known_labels_are_summed_and_positions_with_one_are_counted() {
    let logits = matrix(&[1.0, -2.0, 0.5, 3.0, -1.0, 2.0], 2);
    let targets = matrix(&[1.0, f64::NAN, 0.0, 1.0, f64::NAN, f64::NAN], 2);
    let known = matrix(&[1.0, 0.0, 1.0, 1.0, 0.0, 0.0], 2);
    let loss = BinaryCrossEntropy::new(BinaryWeights::Equal, 0.0).unwrap();
    let (value, gradient) = value_and_gradient(logits, |z| loss.forward(z, targets, Some(known)));
    assert_near(
        value,
        (softplus(-1.0) + softplus(0.5) + softplus(-3.0)) / 2.0,
        1e-14,
        0.0,
        "three labels, two samples",
    );
    for unknown in [1, 4, 5] {
        assert!(gradient[unknown] == 0.0, "{gradient:?}");
    }
}

#[test]
fn ordinal_targets_are_the_questions_whether_the_class_is_above() {
    let targets: Tensor<4> = cumulative_targets(Tensor::<3, Int>::from_data([[[0, 3]], [[1, 2]]], &Device::flex()), 4);
    assert_eq!(targets.dims(), [2, 3, 1, 2]);
    assert_eq!(numbers(targets), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);

    let loss = BinaryCrossEntropy::new(BinaryWeights::Equal, 0.0).unwrap();
    let logits = matrix(&[2.0, 0.5, -1.0], 3);
    let value = scalar(loss.forward(logits, cumulative_targets(labels(&[2]), 4), None));
    assert_near(value, softplus(-2.0) + softplus(-0.5) + softplus(-1.0), 1e-14, 0.0, "class 2 of 4");
}

#[test]
fn extreme_logits_stay_finite_in_single_precision() {
    let logits = tensor::<2>(&[1e4, -1e4, -1e4, 1e4], [2, 2], DType::F32);
    let softmax = CrossEntropy::new(None, 0.1).unwrap();
    let (value, gradient) = value_and_gradient(logits.clone(), |z| softmax.forward(z, labels(&[1, 1]), None));
    assert_near(value, 0.5 * (0.95 + 0.05) * 2e4, 0.0, 1e-5, "one wrong, one right, smoothed");
    assert!(gradient.iter().all(|g| g.is_finite()));
    let binary = BinaryCrossEntropy::new(BinaryWeights::Positive(vec![2.0, 1.0]), 0.0).unwrap();
    let targets = tensor::<2>(&[0.0, 1.0, 1.0, 1.0], [2, 2], DType::F32);
    let (value, gradient) = value_and_gradient(logits, |z| binary.forward(z, targets, None));
    assert_near(value, (1e4 + 1e4 + 2e4) / 2.0, 0.0, 1e-6, "three wrong labels, one of them weighted");
    assert!(gradient.iter().all(|g| g.is_finite()));
}

#[test]
fn impossible_weights_and_smoothings_are_refused() {
    for weights in [vec![], vec![0.0, 0.0], vec![1.0, -1.0], vec![1.0, f64::NAN], vec![1.0, f64::INFINITY]] {
        assert!(matches!(CrossEntropy::new(Some(weights.clone()), 0.0), Err(LossError::Weights { .. })));
        let binary = BinaryCrossEntropy::new(BinaryWeights::Positive(weights), 0.0);
        assert!(matches!(binary, Err(LossError::Weights { .. })));
    }
    for smoothing in [-0.1, 1.0, f64::NAN] {
        assert!(matches!(CrossEntropy::new(None, smoothing), Err(LossError::LabelSmoothing { .. })));
        let binary = BinaryCrossEntropy::new(BinaryWeights::Equal, smoothing);
        assert!(matches!(binary, Err(LossError::LabelSmoothing { .. })));
    }
}

#[test]
fn labels_masks_and_weights_that_do_not_fit_are_refused_with_words() {
    let loss = CrossEntropy::new(Some(vec![1.0, 2.0]), 0.0).unwrap();
    assert!(loss.check(&[4, 2, 8, 8], &[4, 8, 8], Some(&[4, 1, 8, 8])).is_ok());
    assert!(matches!(loss.check(&[4, 2], &[4, 1], None), Err(LossError::LabelShape { .. })));
    assert!(matches!(loss.check(&[4, 1], &[4], None), Err(LossError::TooFewClasses { .. })));
    let text = loss.check(&[4, 3], &[4], None).unwrap_err().to_string();
    assert_eq!(text, "class_weights must be finite numbers of at least 0, not all 0, 3 of them, found [1.0, 2.0]");

    let loss = BinaryCrossEntropy::new(BinaryWeights::Classes { negative: 1.0, positive: 2.0 }, 0.0).unwrap();
    assert!(loss.check(&[4, 1], &[4, 1], Some(&[4, 1])).is_ok());
    assert!(matches!(loss.check(&[4, 3], &[4, 3], None), Err(LossError::Weights { .. })));
    assert!(matches!(loss.check(&[4, 1], &[4, 2], None), Err(LossError::LabelShape { .. })));
    assert!(matches!(loss.check(&[4, 1], &[4, 1], Some(&[3, 1])), Err(LossError::MaskShape { .. })));
}

#[test]
fn hard_targets_are_the_limit_of_a_certain_teacher() {
    let student = matrix(&[0.5, -1.0, 2.0], 3);
    let certain = matrix(&[-1e4, 1e4, -1e4], 3);
    let soft = kd_core::loss::SoftCrossEntropy::new(crate::tensors::tau(1.0));
    let (soft, soft_gradient) = distill(&soft, &student, &certain, None);
    let hard = CrossEntropy::new(None, 0.0).unwrap();
    let (hard, hard_gradient) = value_and_gradient(student, |z| hard.forward(z, labels(&[1]), None));
    assert_near(soft, hard, 1e-14, 0.0, "value");
    assert_all_near(&soft_gradient, &hard_gradient, 1e-14, 0.0, "gradient");
}
