//! Every operator against a plain one in `f64`, and every gradient against finite differences of that one, on each
//! instruction set that this machine can run.

mod conv;
mod divergence;
mod norm;
mod pool;
mod upsample;

use proptest::prelude::*;

/// Numbers in -1 to 1 from a seed.
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            #[expect(clippy::cast_precision_loss, reason = "24 random bits fit an f32")]
            let unit = (state >> 40) as f32 / 8_388_608.0;
            unit - 1.0
        })
        .collect()
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Sums of up to some thousand products of numbers below 1, in `f32`: the error grows with the root of their count.
const ROUNDING: f64 = 1e-4;

fn assert_close(what: &str, found: &[f32], expected: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len(), "{}", what);
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        prop_assert!(error <= ROUNDING * (1.0 + expected.abs()), "{what}[{index}]: {found}, expected {expected}");
    }
    Ok(())
}

/// The slope of `function` at `at` along `direction`.
fn slope(function: impl Fn(&[f64]) -> f64, at: &[f64], direction: &[f64]) -> f64 {
    const STEP: f64 = 1e-5;
    let moved = |step: f64| -> Vec<f64> { at.iter().zip(direction).map(|(a, d)| a + step * d).collect() };
    (function(&moved(STEP)) - function(&moved(-STEP))) / (2.0 * STEP)
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// A gradient along a random direction is the slope along it.
fn assert_slope(
    what: &str,
    gradient: &[f32],
    function: impl Fn(&[f64]) -> f64,
    at: &[f64],
    seed: u64,
) -> Result<(), TestCaseError> {
    let direction = widened(&numbers(at.len(), seed));
    let (found, expected) = (dot(&widened(gradient), &direction), slope(function, at, &direction));
    // The direction has as many parts as there are numbers, each with its rounding.
    let scale = gradient.iter().map(|g| f64::from(g.abs())).sum::<f64>() + 1.0;
    prop_assert!((found - expected).abs() <= ROUNDING * scale, "{what}: slope {found}, expected {expected}");
    Ok(())
}
