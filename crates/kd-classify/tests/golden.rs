//! Logits and costs against PyTorch and torchvision (`oracles/classify/make.py`).

use burn::tensor::{Device, Tensor, TensorData};
use kd_classify::{Cost, HeadPolicy, NamedTensors, NetworkSpec, StemChannels, cost, load_pretrained};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    forward: Vec<Forward>,
    cost: Vec<Counted>,
}

#[derive(Deserialize)]
struct Forward {
    spec: NetworkSpec,
    size: [usize; 2],
    logits: Vec<Vec<f64>>,
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

fn check_logits(architecture: &str) {
    let cases = golden().forward.into_iter().filter(|case| case.spec.design().architecture.name() == architecture);
    let mut n_cases = 0;
    for case in cases {
        n_cases += 1;
        let device = Device::flex();
        let weights: NamedTensors = case
            .weights
            .iter()
            .map(|(name, shape)| (name.clone(), (shape.clone(), formula_values(name, shape))))
            .collect();
        let network =
            load_pretrained(&case.spec, case.spec.init(&device), &weights, HeadPolicy::Require, StemChannels::Require)
                .unwrap();

        let shape = [2, case.spec.in_channels(), case.size[0], case.size[1]];
        let images: Vec<f32> = uniform("images", shape.iter().product()).map(|value| value as f32).collect();
        let logits = network.forward(Tensor::from_data(TensorData::new(images, shape), &device));
        assert_eq!(logits.dims(), [2, case.spec.outputs()]);
        let found: Vec<f32> = logits.into_data().try_into_vec().unwrap();
        let expected: Vec<f64> = case.logits.into_iter().flatten().collect();
        let scale = expected.iter().fold(0.0_f64, |most, logit| most.max(logit.abs()));
        // Both sides sum up to some thousand f32 products per value in another order, through up to 50 layers: a few
        // ulp (1e-7) each, amplified by the residual sums. A misplaced tensor shows as 1e-1 or more, swapped images
        // as 1e-2.
        for (found, expected) in found.iter().zip(&expected) {
            let error = (f64::from(*found) - expected).abs() / scale;
            assert!(error < 2e-5, "{}: {found} where PyTorch has {expected}", case.spec);
        }
    }
    assert!(n_cases > 0, "the oracle has no case for {architecture}");
}

#[test]
fn resnet_18_answers_as_torchvision_does() {
    check_logits("resnet-18");
}

#[test]
fn resnet_34_answers_as_torchvision_does() {
    check_logits("resnet-34");
}

#[test]
fn resnet_50_answers_as_torchvision_does() {
    check_logits("resnet-50");
}

#[test]
fn thin_resnet_answers_as_pytorch_does() {
    check_logits("thin-resnet");
}

#[test]
fn vgg_16_answers_as_pytorch_does() {
    check_logits("vgg-16");
}

#[test]
fn vgg_16_bn_answers_as_pytorch_does() {
    check_logits("vgg-16-bn");
}

#[test]
fn mobile_answers_as_pytorch_does() {
    check_logits("mobile");
}

#[test]
fn costs_are_those_that_pytorch_counts() {
    for case in golden().cost {
        let Counted { spec, size, parameters, statistics, multiply_adds } = case;
        let expected = Cost { parameters, statistics, multiply_adds, f32_bytes: 4 * (parameters + statistics) };
        assert_eq!(cost(&spec, size).unwrap(), expected, "{spec} at {size:?}");
    }
}

#[test]
fn the_default_teacher_costs_what_its_time_budget_assumes() {
    let spec: NetworkSpec =
        toml::from_str("architecture = \"resnet-18\"\nstem = \"small\"\nin_channels = 1\noutputs = 2").unwrap();
    let multiply_adds = cost(&spec, [28, 28]).unwrap().multiply_adds;
    assert!((455_000_000..465_000_000).contains(&multiply_adds), "{multiply_adds}");
}
