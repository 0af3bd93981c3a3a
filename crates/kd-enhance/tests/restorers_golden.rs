//! Answers and costs against PyTorch (`oracles/enhance_networks/make.py`).

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use kd_core::{State, Values};
use kd_enhance::{Cost, NetworkSpec, cost};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    forward: Vec<Forward>,
    cost: Vec<Counted>,
}

#[derive(Deserialize)]
struct Forward {
    spec: NetworkSpec,
    size: [usize; 2],
    shape: [usize; 4],
    answer: Vec<f64>,
    weights: BTreeMap<String, Vec<usize>>,
}

#[derive(Deserialize)]
struct Counted {
    spec: NetworkSpec,
    size: [usize; 2],
    parameters: u64,
    statistics: u64,
    multiply_adds: u64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("oracle/networks.json")).unwrap()
}

/// SplitMix64 over FNV-1a of the name, in [-1, 1): the oracle's formula.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let seed = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (1..=count as u64).map(move |index| {
        let mut z = seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f64 / f64::from(1 << 23) - 1.0
    })
}

fn formula_values(name: &str, shape: &[usize]) -> Vec<f32> {
    let rule: Box<dyn Fn(f64) -> f64> = if shape.len() > 1 {
        let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
        Box::new(move |value| value * bound)
    } else if name.ends_with("running_var") {
        Box::new(|value| 1.0 + 0.5 * value)
    } else if name.ends_with("weight") {
        Box::new(|value| 1.0 + 0.2 * value)
    } else {
        Box::new(|value| 0.1 * value)
    };
    uniform(name, shape.iter().product()).map(|value| rule(value) as f32).collect()
}

/// PyTorch's name of a parameter here: no variant in front, and a norm's scale and shift by their names there.
fn torch_name(path: &str) -> String {
    let (_, name) = path.split_once('.').unwrap();
    name.replace("norm.gamma", "norm.weight").replace("norm.beta", "norm.bias")
}

fn check_answers(architecture: &str) {
    let cases = golden().forward.into_iter().filter(|case| case.spec.design().architecture.name() == architecture);
    let mut n_cases = 0;
    for case in cases {
        n_cases += 1;
        let device = Device::flex();
        let network = case.spec.init(&device);
        let layout = State::of(&network);
        let found: BTreeMap<String, Vec<usize>> =
            layout.tensors().iter().map(|(path, tensor)| (torch_name(path), tensor.shape.clone())).collect();
        assert_eq!(found, case.weights, "{}", case.spec);
        let values = |path: &str, shape: &[usize]| Values {
            shape: shape.to_vec(),
            values: formula_values(&torch_name(path), shape),
        };
        let tensors =
            layout.tensors().iter().map(|(path, tensor)| (path.clone(), values(path, &tensor.shape))).collect();
        let network = State::from_tensors(tensors).load_into(network).unwrap();

        let shape = [2, case.spec.channels(), case.size[0], case.size[1]];
        let images: Vec<f32> = uniform("images", shape.iter().product()).map(|value| value as f32).collect();
        let answer = network.forward(Tensor::from_data(TensorData::new(images, shape), &device));
        assert_eq!(answer.dims(), case.shape, "{}", case.spec);
        let found: Vec<f32> = answer.into_data().try_into_vec().unwrap();
        let scale = case.answer.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        // Both sides sum up some hundred f32 products per value in another order; a misplaced tensor, a mirrored kernel
        // or a swapped axis shows as 1e-1.
        for (found, expected) in found.iter().zip(&case.answer) {
            let error = (f64::from(*found) - expected).abs() / scale;
            assert!(error < 1e-5, "{}: {found} where PyTorch has {expected}", case.spec);
        }
    }
    assert!(n_cases > 0, "the oracle has no case for {architecture}");
}

#[test]
fn dncnn_answers_as_pytorch_does() {
    check_answers("dncnn");
}

#[test]
fn red_cnn_answers_as_the_transposed_convolutions_of_pytorch_do() {
    check_answers("red-cnn");
}

#[test]
fn u_net_answers_as_pytorch_does_also_where_poolings_do_not_divide_the_image() {
    check_answers("u-net");
}

#[test]
fn edsr_answers_as_pytorch_does_at_both_factors() {
    check_answers("edsr");
}

#[test]
fn costs_are_those_that_pytorch_counts() {
    for case in golden().cost {
        let Counted { spec, size, parameters, statistics, multiply_adds } = case;
        let expected = Cost { parameters, statistics, multiply_adds, f32_bytes: 4 * (parameters + statistics) };
        assert_eq!(cost(&spec, size).unwrap(), expected, "{spec} at {size:?}");
    }
}
