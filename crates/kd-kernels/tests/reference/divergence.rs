//! The divergence of two softmaxes against its formula in `f64`, through Burn, with gradients.

use burn::tensor::{Device, Tensor, TensorData};
use kd_kernels::nn::softmax_divergence;
use proptest::prelude::*;

use crate::{assert_close, numbers, slope, widened};

fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|z| (z - top).exp()).sum();
    logits.iter().map(|z| z - top - sum.ln()).collect()
}

/// Logits `[batch, channel, points]`; the divergence at each position.
fn expected(student: &[f64], teacher: &[f64], [batch, channels, points]: [usize; 3], factor: f64) -> Vec<f64> {
    let of = |side: &[f64], sample: usize, point: usize| -> Vec<f64> {
        let logits = (0..channels).map(|k| factor * side[(sample * channels + k) * points + point]);
        log_softmax(&logits.collect::<Vec<_>>())
    };
    let positions = (0..batch).flat_map(|sample| (0..points).map(move |point| (sample, point)));
    let at = |(sample, point)| {
        let (s, t) = (of(student, sample, point), of(teacher, sample, point));
        s.iter().zip(&t).map(|(s, t)| t.exp() * (t - s)).sum()
    };
    positions.map(at).collect()
}

fn found(student: &[f32], teacher: &[f32], shape: [usize; 3], factor: f64) -> (Vec<f32>, Vec<f32>) {
    let device = Device::flex();
    let tensor = |values: &[f32]| Tensor::<3>::from_data(TensorData::new(values.to_vec(), shape), &device);
    let leaf = Tensor::from_inner(tensor(student)).require_grad();
    let map = softmax_divergence(leaf.clone(), tensor(teacher), factor);
    let gradient = leaf.grad(&map.clone().sum().backward()).unwrap();
    (map.into_data().try_into_vec().unwrap(), gradient.into_data().try_into_vec().unwrap())
}

proptest! {
    #[test]
    fn values_are_those_of_the_formula_and_gradients_its_slopes(
        batch in 1usize..3, channels in 2usize..6, points in 1usize..600, seed: u64, factor in 0.1f64..2.0,
    ) {
        let shape = [batch, channels, points];
        let n = batch * channels * points;
        let [student, teacher] = [seed, seed ^ 0xff].map(|seed| numbers(n, seed).iter().map(|z| 6.0 * z).collect::<Vec<_>>());
        let (map, gradient) = found(&student, &teacher, shape, factor);
        let (wide, wide_teacher) = (widened(&student), widened(&teacher));
        assert_close("divergence", &map, &expected(&wide, &wide_teacher, shape, factor))?;
        let direction = widened(&numbers(n, seed ^ 0xabc));
        let total = |student: &[f64]| expected(student, &wide_teacher, shape, factor).iter().sum::<f64>();
        let along: f64 = widened(&gradient).iter().zip(&direction).map(|(g, d)| g * d).sum();
        let slope = slope(total, &wide, &direction);
        prop_assert!((along - slope).abs() <= 1e-4 * (1.0 + slope.abs()) + 1e-6 * n as f64, "{along} {slope}");
    }
}

#[test]
fn equal_logits_give_exactly_zero_and_no_gradient() {
    let shape = [2, 3, 300];
    let logits: Vec<f32> = numbers(1800, 3).iter().map(|z| 9.0 * z).collect();
    let (map, gradient) = found(&logits, &logits, shape, 0.37);
    assert!(map.iter().chain(&gradient).all(|&value| value == 0.0));
}

#[test]
fn extreme_logits_give_finite_numbers_and_a_nan_stays_where_it_is() {
    let shape = [1, 2, 16];
    let student: Vec<f32> = (0..32).map(|n| if n % 2 == 0 { 1e4 } else { -1e4 }).collect();
    let teacher: Vec<f32> = student.iter().map(|z| -z).collect();
    let (map, gradient) = found(&student, &teacher, shape, 1.0);
    assert!(map.iter().chain(&gradient).all(|value| value.is_finite()));
    let mut broken = student.clone();
    broken[5] = f32::NAN;
    let (map, _) = found(&broken, &teacher, shape, 1.0);
    let odd: Vec<usize> = (0..16).filter(|&at| map[at].is_nan()).collect();
    assert_eq!(odd, [5]);
}
