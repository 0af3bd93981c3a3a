//! Norms: random shapes, digits, refusals.

use kd_kernels::{Activation, Isa, NormError, NormShape, Statistics, norm, norm_gradient};
use proptest::prelude::*;

use crate::{assert_close, assert_slope, dot, numbers, widened};

/// The definition in `f64`, with leaky slopes as activation (1 where there is none).
fn plain(shape: &NormShape, [input, gamma, beta]: [&[f64]; 3], epsilon: f64, slope: f64) -> Vec<f64> {
    let unit = |row: usize| match shape.statistics {
        Statistics::Batch => row % shape.channels,
        Statistics::Groups(groups) => row / (shape.channels / groups),
    };
    let rows = shape.batch * shape.channels;
    let mut output = vec![0.0; input.len()];
    for row in 0..rows {
        let together: Vec<f64> = (0..rows)
            .filter(|&other| unit(other) == unit(row))
            .flat_map(|other| input[other * shape.points..][..shape.points].iter().copied())
            .collect();
        let count = together.len() as f64;
        let mean = together.iter().sum::<f64>() / count;
        let variance = together.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        let channel = row % shape.channels;
        for at in row * shape.points..(row + 1) * shape.points {
            let value = (input[at] - mean) / (variance + epsilon).sqrt() * gamma[channel] + beta[channel];
            output[at] = if value < 0.0 { value * slope } else { value };
        }
    }
    output
}

fn shapes() -> impl Strategy<Value = NormShape> {
    (1..=5usize, 1..=3usize, 1..=4usize, 1..=40usize, any::<bool>()).prop_filter_map(
        "numbers that have a variance",
        |(batch, groups, each, points, by_batch)| {
            let statistics = if by_batch { Statistics::Batch } else { Statistics::Groups(groups) };
            let together = if by_batch { batch * points } else { each * points };
            (together > 3).then_some(NormShape { batch, channels: groups * each, points, statistics })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_norm_and_its_gradients_are_those_of_the_definition(
        shape in shapes(), which in 0..3usize, seed in 0..1000u64,
    ) {
        let (activation, slope) =
            [(Activation::None, 1.0), (Activation::Relu, 0.0), (Activation::LeakyRelu(0.125), 0.125)][which];
        let input = numbers(shape.batch * shape.channels * shape.points, seed);
        let (gamma, beta) = (numbers(shape.channels, seed + 1), numbers(shape.channels, seed + 2));
        let gradient = numbers(input.len(), seed + 3);
        let wide = [&input, &gamma, &beta].map(|values| widened(values));
        // A large epsilon, so that rounding is not divided by a variance near 0.
        let epsilon = 0.1;
        let expected = plain(&shape, [&wide[0], &wide[1], &wide[2]], epsilon, slope);
        for isa in Isa::available() {
            let normed = norm(isa, &shape, &input, &gamma, &beta, epsilon, activation).expect("a sound shape");
            assert_close("output", &normed.output, &expected)?;
            let statistics = [&normed.mean[..], &normed.variance[..]];
            let found =
                norm_gradient(isa, &shape, &input, &gradient, [&gamma, &beta], statistics, epsilon, activation)
                    .expect("a sound shape");
            // Where a number lies so near to the bend that a step crosses it, there is no slope.
            let before = plain(&shape, [&wide[0], &wide[1], &wide[2]], epsilon, 1.0);
            prop_assume!(activation == Activation::None || before.iter().all(|value| value.abs() > 1e-3));
            let weights = widened(&gradient);
            let of = |which: usize, moved: &[f64]| {
                let mut operands = [&wide[0][..], &wide[1], &wide[2]];
                operands[which] = moved;
                dot(&plain(&shape, operands, epsilon, slope), &weights)
            };
            assert_slope("input", &found.input, |moved| of(0, moved), &wide[0], seed + 4)?;
            assert_slope("gamma", &found.gamma, |moved| of(1, moved), &wide[1], seed + 5)?;
            assert_slope("beta", &found.beta, |moved| of(2, moved), &wide[2], seed + 6)?;
        }
    }
}

#[test]
fn instruction_sets_and_threads_give_the_same_bits() {
    let shape = NormShape { batch: 3, channels: 4, points: 5000, statistics: Statistics::Batch };
    let input = numbers(3 * 4 * 5000, 1);
    let (gamma, beta) = (numbers(4, 2), numbers(4, 3));
    let all: Vec<_> = Isa::available()
        .into_iter()
        .flat_map(|isa| [1, 3].map(|threads| (isa, threads)))
        .map(|(isa, threads)| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| norm(isa, &shape, &input, &gamma, &beta, 1e-5, Activation::Relu)).expect("a sound shape")
        })
        .collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_large_mean_costs_no_digits_of_the_variance() {
    let shape = NormShape { batch: 1, channels: 1, points: 4096, statistics: Statistics::Batch };
    let input: Vec<f32> = (0..4096).map(|at| 10_000.0 + if at % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let normed = norm(Isa::best(), &shape, &input, &[1.0], &[0.0], 0.0, Activation::None).expect("a sound shape");
    assert_eq!((normed.mean[0], normed.variance[0]), (10_000.0, 1.0));
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let shape = NormShape { batch: 1, channels: 3, points: 2, statistics: Statistics::Groups(2) };
    let refused = |shape: &NormShape| {
        norm(Isa::best(), shape, &[0.0; 6], &[1.0; 3], &[0.0; 3], 0.0, Activation::None).expect_err("unsound")
    };
    assert_eq!(refused(&shape), NormError::Groups { channels: 3, groups: 2 });
    assert_eq!(refused(&NormShape { points: 0, ..shape }), NormError::Zero { what: "points" });
    let huge = NormShape { batch: usize::MAX, statistics: Statistics::Batch, ..shape };
    assert_eq!(refused(&huge), NormError::TooLarge);
}
