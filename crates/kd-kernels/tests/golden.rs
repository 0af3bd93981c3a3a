//! The operators through Burn against PyTorch: outputs and gradients of `oracles/kernels/make.py`.

use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor, TensorData};
use kd_kernels::extension::{Geometry, KernelOps, NormOptions, Window};
use kd_kernels::nn::{max_pool, upsample};
use kd_kernels::{Activation, Statistics, Upsampling};
use serde_json::Value;

/// Sums of at most a few hundred `f32` products of numbers below 1, and divisions by deviations near 1/2.
const TOLERANCE: f64 = 2e-5;

fn document() -> Value {
    serde_json::from_str(include_str!("oracle/operators.json")).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "inputs are multiples of 1/64")]
    value.as_array().expect("numbers").iter().map(|number| number.as_f64().expect("a number") as f32).collect()
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a count")).expect("a count")
}

fn operand<const RANK: usize>(case: &Value, name: &str) -> Tensor<RANK> {
    let operand = &case["operands"][name];
    let shape: Vec<usize> = operand["shape"].as_array().expect("a shape").iter().map(count).collect();
    let data = TensorData::new(numbers(&operand["values"]), shape);
    Tensor::from_data(data, &Device::flex().autodiff()).require_grad()
}

fn rank(case: &Value) -> usize {
    case["operands"]["input"]["shape"].as_array().expect("a shape").len()
}

fn assert_values<const RANK: usize>(what: &str, found: Tensor<RANK>, expected: &Value) {
    let found: Vec<f32> = found.into_data().try_to_vec().expect("f32");
    let expected = expected.as_array().expect("numbers");
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let expected = expected.as_f64().expect("a number");
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= TOLERANCE * (1.0 + expected.abs()), "{what}[{at}]: {found}, expected {expected}");
    }
}

/// Checks an output and gives the gradients of its weighted sum.
fn checked<const RANK: usize>(what: &str, case: &Value, output: Tensor<RANK>) -> burn::tensor::Gradients {
    assert_values(what, output.clone(), &case["output"]["values"]);
    let weights = TensorData::new(numbers(&case["weights"]), output.shape());
    (output * Tensor::from_data(weights, &Device::flex().autodiff())).sum().backward()
}

fn convolution<const RANK: usize>(case: &Value) {
    let [stride, padding, dilation] = ["stride", "padding", "dilation"].map(|key| count(&case[key]));
    let groups = count(&case["groups"]);
    let geometry = if RANK == 4 {
        Geometry::flat([stride; 2], [padding; 2], [dilation; 2], groups)
    } else {
        Geometry { stride: [stride; 3], padding: [padding; 3], dilation: [dilation; 3], groups }
    };
    let (input, weight) = (operand::<RANK>(case, "input"), operand::<RANK>(case, "weight"));
    let bias = operand::<1>(case, "bias");
    let operands = (input.clone().into_dispatch(), weight.clone().into_dispatch(), bias.clone().into_dispatch());
    let output = <Dispatch as KernelOps>::convolve_biased(operands.0, operands.1, operands.2, geometry, false);
    let gradients = checked("convolution", case, Tensor::<RANK>::from_dispatch(output));
    assert_values("by input", input.grad(&gradients).expect("a gradient"), &case["gradients"]["input"]);
    assert_values("by weight", weight.grad(&gradients).expect("a gradient"), &case["gradients"]["weight"]);
    assert_values("by bias", bias.grad(&gradients).expect("a gradient"), &case["gradients"]["bias"]);
}

fn norm<const RANK: usize>(case: &Value) {
    let input = operand::<RANK>(case, "input");
    let statistics = match case["kind"].as_str().expect("a kind") {
        "batch" => Statistics::Batch,
        "instance" => Statistics::Groups(input.dims()[1]),
        _ => Statistics::Groups(count(&case["groups"])),
    };
    #[expect(clippy::cast_possible_truncation, reason = "a slope is one number of few digits")]
    let activation = match case["slope"].as_f64().expect("a slope") {
        1.0 => Activation::None,
        0.0 => Activation::Relu,
        slope => Activation::LeakyRelu(slope as f32),
    };
    let options = NormOptions { statistics, epsilon: case["epsilon"].as_f64().expect("a number"), activation };
    let (gamma, beta) = (operand::<1>(case, "gamma"), operand::<1>(case, "beta"));
    let (output, ..) = <Dispatch as KernelOps>::normalise(
        input.clone().into_dispatch(),
        gamma.clone().into_dispatch(),
        beta.clone().into_dispatch(),
        options,
    );
    let gradients = checked("norm", case, Tensor::<RANK>::from_dispatch(output));
    assert_values("by input", input.grad(&gradients).expect("a gradient"), &case["gradients"]["input"]);
    assert_values("by gamma", gamma.grad(&gradients).expect("a gradient"), &case["gradients"]["gamma"]);
    assert_values("by beta", beta.grad(&gradients).expect("a gradient"), &case["gradients"]["beta"]);
}

fn of_one<const RANK: usize>(what: &str, case: &Value, function: impl Fn(Tensor<RANK>) -> Tensor<RANK>) {
    let input = operand::<RANK>(case, "input");
    let gradients = checked(what, case, function(input.clone()));
    assert_values(what, input.grad(&gradients).expect("a gradient"), &case["gradients"]["input"]);
}

fn each(kind: &str, check: impl Fn(&Value)) {
    let document = document();
    let cases = document[kind].as_array().expect("cases");
    assert!(cases.len() > 3, "{kind}");
    cases.iter().for_each(check);
}

#[test]
fn convolutions_and_their_gradients_are_those_of_pytorch() {
    each("convolutions", |case| if rank(case) == 4 { convolution::<4>(case) } else { convolution::<5>(case) });
}

#[test]
fn norms_and_their_gradients_are_those_of_pytorch() {
    each("norms", |case| if rank(case) == 4 { norm::<4>(case) } else { norm::<5>(case) });
}

#[test]
fn max_pooling_and_its_gradient_are_those_of_pytorch() {
    each("poolings", |case| {
        let [kernel, stride, padding] = ["kernel", "stride", "padding"].map(|key| [count(&case[key]); 3]);
        let window = Window { kernel, stride, padding };
        if rank(case) == 4 {
            of_one::<4>("pooling", case, |input| max_pool(input, window));
        } else {
            of_one::<5>("pooling", case, |input| max_pool(input, window));
        }
    });
}

#[test]
fn upsampling_and_its_gradient_are_those_of_pytorch() {
    each("doublings", |case| {
        let linear = case["linear"].as_bool().expect("a flag");
        let how = if linear { Upsampling::Linear } else { Upsampling::Nearest };
        if rank(case) == 4 {
            of_one::<4>("doubling", case, |input| upsample(input, how));
        } else {
            of_one::<5>("doubling", case, |input| upsample(input, how));
        }
    });
}
