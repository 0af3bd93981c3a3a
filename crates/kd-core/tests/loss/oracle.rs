//! Values and gradients of every loss against PyTorch (`oracles/losses/make.py`; versions stand in the file).
//!
//! The golden numbers are float64 with 12 digits. `F64` tensors must agree to 1e-10, relative to a scale of 1 or the
//! number itself; `F32` ones to some units of 2⁻²⁴, times τ² for values and times τ or
//! the largest gradient of the case for gradients.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use kd_core::{
    Head,
    loss::{BinaryCrossEntropy, BinaryWeights, CrossEntropy, Parameters, build},
};
use serde_json::Value;

use crate::tensors::{assert_all_near, assert_near, distill, tensor, value_and_gradient};

const ORACLE: &str = include_str!("../oracle/losses.json");

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is a list"))
}

fn floats(value: &Value, key: &str) -> Vec<f64> {
    list(value, key).iter().map(|v| v.as_f64().unwrap()).collect()
}

fn dims<const D: usize>(case: &Value) -> [usize; D] {
    let dims: Vec<usize> = list(case, "shape").iter().map(|v| v.as_u64().unwrap() as usize).collect();
    dims.try_into().unwrap()
}

fn mask_dims<const D: usize>(mut dims: [usize; D]) -> [usize; D] {
    dims[1] = 1;
    dims
}

/// Checks one group of distillation cases; returns how many it checked.
fn check_group<const D: usize>(group: &Value, dtype: DType) -> usize {
    let dims = dims::<D>(group);
    let student = tensor(&floats(group, "student"), dims, dtype);
    let teacher = tensor(&floats(group, "teacher"), dims, dtype);
    let mask = tensor(&floats(group, "mask"), mask_dims(dims), dtype);
    for case in list(group, "results") {
        let name = case["loss"].as_str().unwrap();
        let tau = case["temperature"].as_f64();
        let parameters = match tau {
            Some(tau) => Parameters::new().with("temperature", tau),
            None => Parameters::new().with("centered", case["centered"].as_bool().unwrap()),
        };
        let softmax = name != "bernoulli" && dims[1] > 1;
        let head = if softmax { Head::softmax(dims[1]).unwrap() } else { Head::MultiLabel { labels: dims[1] } };
        let loss = build::<D>(name, &parameters, head).unwrap();
        let masked = case["masked"].as_bool().unwrap().then_some(&mask);
        let (value, gradient) = distill(&*loss, &student, &teacher, masked);
        let (digits, tau) = (if dtype == DType::F64 { 1e-10 } else { 2e-6 }, tau.unwrap_or(1.0));
        let what = format!("{} {name} τ={tau} masked={} {dtype:?}", group["name"], masked.is_some());
        assert_near(value, case["value"].as_f64().unwrap(), digits * tau * tau, digits, &what);
        // Centering subtracts logits of the largest size, whose rounding stays in the small differences.
        let expected = floats(case, "grad");
        let largest = expected.iter().fold(tau, |largest, g| g.abs().max(largest));
        assert_all_near(&gradient, &expected, digits * largest, digits, &what);
    }
    list(group, "results").len()
}

#[test]
fn distillation_losses_agree_with_pytorch_in_value_and_gradient() {
    let oracle: Value = serde_json::from_str(ORACLE).unwrap();
    for dtype in [DType::F64, DType::F32] {
        let checked: usize = list(&oracle, "distillation")
            .iter()
            .map(|group| match list(group, "shape").len() {
                2 => check_group::<2>(group, dtype),
                3 => check_group::<3>(group, dtype),
                4 => check_group::<4>(group, dtype),
                5 => check_group::<5>(group, dtype),
                rank => panic!("rank {rank}"),
            })
            .sum();
        assert_eq!(checked, 6 * 28 + 10, "six groups with all losses, one channel without the softmax ones");
    }
}

fn optional(case: &Value, key: &str) -> Option<Vec<f64>> {
    case[key].is_array().then(|| floats(case, key))
}

fn digits(dtype: DType) -> f64 {
    if dtype == DType::F64 { 1e-10 } else { 2e-6 }
}

fn check_cross_entropy<const D: usize, const L: usize>(case: &Value, dtype: DType) {
    let dims = dims::<D>(case);
    let mut label_dims = vec![dims[0]];
    label_dims.extend(&dims[2..]);
    let labels: Vec<i64> = list(case, "labels").iter().map(|v| v.as_i64().unwrap()).collect();
    let labels = Tensor::<L, Int>::from_data(TensorData::new(labels, label_dims), &Device::flex());
    let mask = optional(case, "mask").map(|mask| tensor(&mask, mask_dims(dims), dtype));
    let smoothing = case["label_smoothing"].as_f64().unwrap();
    let loss = CrossEntropy::new(optional(case, "class_weights"), smoothing).unwrap();
    let logits = tensor(&floats(case, "logits"), dims, dtype);
    let (value, gradient) = value_and_gradient(logits, |logits| loss.forward(logits, labels, mask));
    let what = format!("{loss:?} {dims:?}");
    assert_near(value, case["value"].as_f64().unwrap(), digits(dtype), digits(dtype), &what);
    assert_all_near(&gradient, &floats(case, "grad"), digits(dtype), digits(dtype), &what);
}

#[test]
fn cross_entropy_agrees_with_pytorch_with_weights_smoothing_and_ignored_labels() {
    let oracle: Value = serde_json::from_str(ORACLE).unwrap();
    let cases = list(&oracle, "cross_entropy");
    assert_eq!(cases.len(), 24);
    for dtype in [DType::F64, DType::F32] {
        for case in cases {
            match list(case, "shape").len() {
                2 => check_cross_entropy::<2, 1>(case, dtype),
                4 => check_cross_entropy::<4, 3>(case, dtype),
                5 => check_cross_entropy::<5, 4>(case, dtype),
                rank => panic!("rank {rank}"),
            }
        }
    }
}

fn check_binary_cross_entropy<const D: usize>(case: &Value, dtype: DType) {
    let dims = dims::<D>(case);
    let targets = tensor(&floats(case, "targets"), dims, dtype);
    let mask = optional(case, "mask").map(|mask| tensor(&mask, mask_dims(dims), dtype));
    let weights = optional(case, "positive_weights").map_or(BinaryWeights::Equal, BinaryWeights::Positive);
    let loss = BinaryCrossEntropy::new(weights, case["label_smoothing"].as_f64().unwrap()).unwrap();
    let logits = tensor(&floats(case, "logits"), dims, dtype);
    let (value, gradient) = value_and_gradient(logits, |logits| loss.forward(logits, targets, mask));
    let what = format!("{loss:?} {dims:?}");
    assert_near(value, case["value"].as_f64().unwrap(), digits(dtype), digits(dtype), &what);
    assert_all_near(&gradient, &floats(case, "grad"), digits(dtype), digits(dtype), &what);
}

#[test]
fn binary_cross_entropy_agrees_with_pytorch_with_weights_smoothing_and_masks() {
    let oracle: Value = serde_json::from_str(ORACLE).unwrap();
    let cases = list(&oracle, "binary_cross_entropy");
    assert_eq!(cases.len(), 24);
    for dtype in [DType::F64, DType::F32] {
        for case in cases {
            match list(case, "shape").len() {
                2 => check_binary_cross_entropy::<2>(case, dtype),
                4 => check_binary_cross_entropy::<4>(case, dtype),
                rank => panic!("rank {rank}"),
            }
        }
    }
}
