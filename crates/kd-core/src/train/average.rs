//! An exponential average of the weights over steps.

use std::collections::BTreeMap;

use crate::{State, Values};

/// Moves `average` towards `current`: `a ← δ·a + (1 − δ)·w`.
///
/// # Policy
/// The decay is `min(δ, (1 + n)/(10 + n))` at step `n`, so that the first steps are not held back by the random start.
/// Running statistics are averaged like weights.
///
/// # Source
/// Polyak and Juditsky (1992) for averaging; the growing decay is the one of TensorFlow's moving average.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "weights are f32, steps few")]
pub(super) fn follow(average: &mut BTreeMap<String, Values>, current: &State, decay: f64, step: usize) {
    let n = step as f64;
    let decay = decay.min((1.0 + n) / (10.0 + n)) as f32;
    for (name, now) in current.tensors() {
        let Some(kept) = average.get_mut(name) else {
            average.insert(name.clone(), now.clone());
            continue;
        };
        for (kept, now) in kept.values.iter_mut().zip(&now.values) {
            *kept = decay * *kept + (1.0 - decay) * now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(value: f32) -> State {
        State::from_tensors([("w".to_owned(), Values { shape: vec![1], values: vec![value] })].into())
    }

    #[test]
    fn an_average_starts_at_the_first_weights_and_follows_slowly() {
        let mut average = BTreeMap::new();
        follow(&mut average, &state(1.0), 0.5, 0);
        assert_eq!(average["w"].values, [1.0]);
        follow(&mut average, &state(3.0), 0.5, 100);
        assert_eq!(average["w"].values, [2.0]);
        // At step 0 the decay is .1, whatever was asked for.
        let mut early = state(1.0).tensors().clone();
        follow(&mut early, &state(2.0), 0.999, 0);
        assert!((early["w"].values[0] - 1.9).abs() < 1e-6);
    }
}
