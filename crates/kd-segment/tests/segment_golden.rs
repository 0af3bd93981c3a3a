//! Logits, costs, hard-label losses and their gradients against PyTorch (`oracles/segment_networks/make.py`,
//! `oracles/segment_losses/make.py`; versions stand in the files).

use std::collections::BTreeMap;

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use kd_core::{Network, State, Values};
use kd_metrics::Grid;
use kd_segment::loss::{boundary, focal, generalized_dice, signed_distances, soft_dice, tversky};
use kd_segment::{Cost, NetworkDesign};
use serde::Deserialize;

#[derive(Deserialize)]
struct Networks {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    axes: usize,
    design: NetworkDesign,
    channels: usize,
    outputs: usize,
    size: Vec<usize>,
    parameters: u64,
    statistics: u64,
    multiply_adds: u64,
    shapes: BTreeMap<String, Vec<usize>>,
    logits: Option<Vec<f64>>,
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
    } else if name.ends_with("gamma") {
        Box::new(|value| 1.0 + 0.2 * value)
    } else {
        Box::new(|value| 0.1 * value)
    };
    uniform(name, shape.iter().product()).map(|value| rule(value) as f32).collect()
}

/// Puts the oracle's weights in and compares the answers to the oracle's images.
fn check_logits<N: Network<R, R>, const R: usize>(case: &Case, network: N, what: &str) {
    let Some(expected) = &case.logits else { return };
    let named = |(name, shape): (&String, &Vec<usize>)| {
        (name.clone(), Values { shape: shape.clone(), values: formula_values(name, shape) })
    };
    let network = State::from_tensors(case.shapes.iter().map(named).collect()).load_into(network).unwrap();
    let dims: [usize; R] = std::array::from_fn(|axis| match axis {
        0 => 2,
        1 => case.channels,
        _ => case.size[axis - 2],
    });
    let images: Vec<f32> = uniform("images", dims.iter().product()).map(|value| value as f32).collect();
    let logits = network.forward(Tensor::<R>::from_data(TensorData::new(images, dims), &Device::flex()));
    assert_eq!(logits.dims()[1], case.outputs, "{what}");
    let found: Vec<f32> = logits.into_data().try_into_vec().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0_f64, |most, logit| most.max(logit.abs()));
    for (found, expected) in found.iter().zip(expected) {
        // Sums of f32 products in another order, through up to 29 layers; a misplaced tensor shows as 1e-1.
        let error = (f64::from(*found) - expected).abs() / scale;
        assert!(error < 1e-5, "{what}: {found} where PyTorch has {expected}");
    }
}

#[test]
fn networks_answer_and_cost_as_in_pytorch() {
    let golden: Networks = serde_json::from_str(include_str!("oracle/networks.json")).unwrap();
    assert_eq!(golden.cases.len(), 15);
    for case in golden.cases {
        let cost = match case.axes {
            2 => {
                let spec = case.design.clone().spec::<2>(case.channels, case.outputs).unwrap();
                check_logits(&case, spec.init(&Device::flex()), &spec.to_string());
                spec.cost([case.size[0], case.size[1]]).unwrap()
            }
            _ => {
                let spec = case.design.clone().spec::<3>(case.channels, case.outputs).unwrap();
                check_logits(&case, spec.init(&Device::flex()), &spec.to_string());
                spec.cost([case.size[0], case.size[1], case.size[2]]).unwrap()
            }
        };
        let Case { parameters, statistics, multiply_adds, .. } = case;
        assert_eq!(cost, Cost { parameters, statistics, multiply_adds }, "{:?}", case.design);
    }
}

#[derive(Deserialize)]
struct Losses {
    alpha: f64,
    beta: f64,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    shape: Vec<usize>,
    spacing_mm: Vec<f64>,
    logits: Vec<f64>,
    labels: Vec<i32>,
    mask: Vec<f64>,
    distances: Vec<f64>,
    results: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    loss: String,
    masked: bool,
    value: f64,
    gradient: Vec<f64>,
}

/// Compares values and gradients of one group; returns how many parts it compared.
fn check_losses<const R: usize>(group: &Group, alpha: f64, beta: f64) -> usize {
    let device = Device::flex();
    let options = (&device, DType::F64);
    let dims = |channels: usize| -> [usize; R] {
        std::array::from_fn(|axis| if axis == 1 { channels } else { group.shape[axis] })
    };
    let (outputs, foreground) = (group.shape[1], (group.shape[1] - 1).max(1));
    let logits = Tensor::<R>::from_data(TensorData::new(group.logits.clone(), dims(outputs)), options);
    let classes = Tensor::<R, Int>::from_data(TensorData::new(group.labels.clone(), dims(1)), &device);
    let given = Tensor::<R>::from_data(TensorData::new(group.mask.clone(), dims(1)), options);
    let distances = Tensor::<R>::from_data(TensorData::new(group.distances.clone(), dims(foreground)), options);
    let planes = if outputs == 1 { 1..2 } else { 0..i32::try_from(outputs).unwrap() };
    let with_background = |one: Tensor<R>| Tensor::cat(vec![one.clone().neg().add_scalar(1.0), one], 1);
    let truth =
        Tensor::cat(planes.map(|class| classes.clone().equal_elem(class).float().cast(DType::F64)).collect(), 1);
    for part in &group.results {
        let mask = part.masked.then(|| given.clone());
        let leaf = logits.clone().autodiff().require_grad();
        let p = if outputs == 1 { sigmoid(leaf.clone()) } else { softmax(leaf.clone(), 1) };
        let truth = truth.clone();
        let loss = match part.loss.as_str() {
            "dice" => soft_dice(p, truth, mask),
            "tversky" => tversky(p, truth, mask, alpha, beta),
            "generalized_dice" if outputs == 1 => generalized_dice(with_background(p), with_background(truth), mask),
            "generalized_dice" => generalized_dice(p, truth, mask),
            "boundary" => boundary(p, distances.clone(), mask),
            other => {
                let gamma = other.strip_prefix("focal_").and_then(|gamma| gamma.parse().ok()).unwrap();
                focal(leaf.clone(), classes.clone(), mask, gamma)
            }
        };
        let what = format!("{} of {:?}, masked {}", part.loss, group.shape, part.masked);
        let gradient = leaf.grad(&loss.backward()).unwrap();
        let value = loss.into_data().convert::<f64>().try_into_vec::<f64>().unwrap()[0];
        // Both in f64; the file has 12 digits.
        assert!((value - part.value).abs() < 1e-10, "{what}: {value}, expected {}", part.value);
        let gradient: Vec<f64> = gradient.into_data().convert::<f64>().try_into_vec().unwrap();
        assert_eq!(gradient.len(), part.gradient.len());
        for (found, expected) in gradient.iter().zip(&part.gradient) {
            assert!((found - expected).abs() < 1e-10, "{what}: gradient {found}, expected {expected}");
        }
    }
    group.results.len()
}

#[test]
fn hard_losses_have_pytorch_s_values_and_gradients() {
    let golden: Losses = serde_json::from_str(include_str!("oracle/losses.json")).unwrap();
    let check = |group: &Group| match group.shape.len() {
        4 => check_losses::<4>(group, golden.alpha, golden.beta),
        _ => check_losses::<5>(group, golden.alpha, golden.beta),
    };
    assert_eq!(golden.groups.iter().map(check).sum::<usize>(), 3 * 7 * 2);
}

#[test]
fn signed_distances_are_scipy_s() {
    let golden: Losses = serde_json::from_str(include_str!("oracle/losses.json")).unwrap();
    for group in golden.groups {
        let grid = match (&group.shape[2..], group.spacing_mm.as_slice()) {
            ([height, width], [y, x]) => Grid::plane([*height, *width], [*y, *x]).unwrap(),
            ([depth, height, width], [z, y, x]) => Grid::volume([*depth, *height, *width], [*z, *y, *x]).unwrap(),
            _ => panic!("{:?}", group.shape),
        };
        let foreground = i32::try_from((group.shape[1] - 1).max(1)).unwrap();
        let found: Vec<f32> = group
            .labels
            .chunks_exact(grid.points())
            .flat_map(|map| (1..=foreground).map(move |class| map.iter().map(|&label| label == class).collect()))
            .flat_map(|mask: Vec<bool>| signed_distances(&grid, &mask).unwrap())
            .collect();
        assert_eq!(found.len(), group.distances.len());
        for (found, expected) in found.iter().zip(&group.distances) {
            // Kept as f32.
            assert!((f64::from(*found) - expected).abs() <= 1e-6 * expected.abs(), "{found} and {expected}");
        }
    }
}
