//! Initial parameters, drawn on the host from a stream per parameter, so that a seed gives the same network on every
//! backend and in any order of construction.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::seed::unit;
use crate::state::{Path, replace};
use crate::{Purpose, stream};

/// Name of the layer that makes what a network adds to its input.
const RESIDUAL: &str = "residual";

/// Draws every parameter of a network anew.
///
/// A convolution weight (rank 4 or 5, `[out, in, …kernel]`) is normal with variance `2 / (out · kernel points)`; a
/// linear weight (`[in, out]`) is uniform in `±1/√in`; scales of normalisation layers become 1; biases, shifts and
/// running means 0; running variances 1. A layer called `residual` starts at 0 whatever it is: its network adds the
/// layer's output to its input, and so begins by changing nothing.
///
/// # Policy
/// Each parameter has a stream keyed by `seed` and its path, so adding a layer does not change the others.
///
/// # Source
/// He et al. (2015), equation 14 (fan-out form, as ResNet reference code has it); the linear rule is the uniform one
/// of LeCun et al. (1998), section 4.6, with the range that PyTorch uses.
///
/// # Deviations
/// Linear biases start at 0 rather than uniform.
///
/// # Example
/// ```
/// use burn::{nn::LinearConfig, tensor::Device};
/// use kd_core::{State, initialize};
/// let linear = || LinearConfig::new(4, 2).init(&Device::flex());
/// let hash = |seed| State::of(&initialize(linear(), seed)).hash();
/// assert_eq!(hash(1), hash(1));
/// assert_ne!(hash(1), hash(2));
/// ```
#[must_use]
pub fn initialize<M: Module>(module: M, seed: u64) -> M {
    module.map(&mut Initializer { path: Path::default(), seed })
}

struct Initializer {
    path: Path,
    seed: u64,
}

impl ModuleMapper for Initializer {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let shape = param.dims().to_vec();
        let n_values = shape.iter().product();
        let mut rng = stream(self.seed, Purpose::Initialize, 0, &name);
        let values: Vec<f32> = match shape.as_slice() {
            _ if self.path.is_in(RESIDUAL) => vec![0.0; n_values],
            [out, _, kernel @ ..] if !kernel.is_empty() => {
                let fan_out = (out * kernel.iter().product::<usize>()).max(1);
                normal(&mut rng, n_values, (2.0 / to_f64(fan_out)).sqrt())
            }
            [fan_in, _] => uniform(&mut rng, n_values, 1.0 / to_f64(*fan_in).sqrt()),
            _ if name.ends_with("gamma") || name.ends_with("running_var") => vec![1.0; n_values],
            _ => vec![0.0; n_values],
        };
        param.map(|old| replace(&old, TensorData::new(values, shape)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a fan is far below 2^53")]
fn to_f64(fan: usize) -> f64 {
    fan as f64
}

#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
fn uniform(rng: &mut ChaCha8Rng, n_values: usize, bound: f64) -> Vec<f32> {
    (0..n_values).map(|_| (bound * (2.0 * unit(rng) - 1.0)) as f32).collect()
}

/// Box–Muller, one draw per pair of uniforms: slower than a table, but the same on every machine.
#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
fn normal(rng: &mut ChaCha8Rng, n_values: usize, deviation: f64) -> Vec<f32> {
    (0..n_values)
        .map(|_| {
            let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
            (deviation * radius * (std::f64::consts::TAU * unit(rng)).cos()) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::Device;

    #[test]
    fn convolution_weights_have_the_fan_out_variance() {
        let conv = Conv2dConfig::new([16, 32], [3, 3]).init(&Device::flex());
        let state = State::of(&initialize(conv, 1));
        let weight = &state.tensors()["weight"].values;
        let variance = weight.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / to_f64(weight.len());
        let expected = 2.0 / (32.0 * 9.0);
        // 4608 draws: relative standard error of a variance is √(2/n) = 2 %.
        assert!((variance / expected - 1.0).abs() < 0.08, "{variance} and {expected}");
    }

    #[derive(Module, Debug)]
    struct Adding {
        first: burn::nn::conv::Conv2d,
        residual: burn::nn::conv::Conv2d,
    }

    #[test]
    fn a_layer_called_residual_starts_at_zero_and_leaves_the_others_as_they_were() {
        let conv = || Conv2dConfig::new([2, 2], [3, 3]).init(&Device::flex());
        let state = State::of(&initialize(Adding { first: conv(), residual: conv() }, 1));
        assert!(state.tensors()["residual.weight"].values.iter().all(|&weight| weight == 0.0));
        assert!(state.tensors()["first.weight"].values.iter().all(|&weight| weight != 0.0));
    }

    #[test]
    fn an_autodiff_network_gets_the_same_numbers_and_keeps_its_gradients() {
        let plain = initialize(Conv2dConfig::new([2, 3], [3, 3]).init(&Device::flex()), 4);
        let tracked = initialize(Conv2dConfig::new([2, 3], [3, 3]).init(&Device::flex().autodiff()), 4);
        assert_eq!(State::of(&plain).hash(), State::of(&tracked).hash());
        assert!(tracked.weight.val().is_require_grad());
    }
}
