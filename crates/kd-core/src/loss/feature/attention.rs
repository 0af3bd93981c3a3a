//! Attention transfer: where a network is active, whatever its channels mean.

use burn::tensor::Tensor;

use super::{FeatureLoss, Pairing, Taps};
use crate::loss::{Beside, correlation::unit, reduce::total};

/// Computes the squared distance of normalised attention maps, summed over positions, mean over samples.
///
/// `(1/N) Σ_n ‖Q_s/‖Q_s‖ − Q_t/‖Q_t‖‖²` with `Q = (1/C) Σ_c F_c^p` at each position of a sample, p even.
///
/// # Shapes
/// Equal batch and map size, any channels; see [`FeatureLoss`].
///
/// # Policy
/// Masked positions are out of the map and of its norm; a weight multiplies Q. Positions are summed, so the weight of
/// this term does not depend on the resolution.
///
/// # Source
/// Zagoruyko and Komodakis 2017, arXiv 1612.03928, equation 2.
///
/// # Deviations
/// Squared norm, as the authors' code, which has a gradient where the maps agree; the code's mean over positions is
/// this loss divided by their number.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::{AttentionTransfer, FeatureLoss};
///
/// let device = Device::flex();
/// let left = Tensor::<3>::from_data([[[2.0, 0.0]]], &device);
/// let right = Tensor::<3>::from_data([[[0.0, 5.0]]], &device);
/// let loss = AttentionTransfer::squares();
/// assert!((loss.forward(left, right, None).into_scalar::<f32>() - 2.0).abs() < 1e-6); // orthogonal unit maps
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionTransfer {
    half_power: u32,
}

impl AttentionTransfer {
    /// p = 2.
    #[must_use]
    pub fn squares() -> Self {
        Self { half_power: 1 }
    }

    /// p = 4, which looks at peaks.
    #[must_use]
    pub fn fourth_powers() -> Self {
        Self { half_power: 2 }
    }
}

impl<const D: usize> FeatureLoss<D> for AttentionTransfer {
    fn name(&self) -> &'static str {
        "attention-transfer"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Positions
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let taps = Taps::new(self, student, beside);
        let samples = taps.samples();
        let attention = |features: Tensor<3>| {
            let square = features.clone() * features;
            let power = if self.half_power == 1 { square } else { square.clone() * square };
            unit(power.mean_dim(1) * taps.weight.clone(), 2)
        };
        let gap = attention(taps.student.clone()) - attention(taps.teacher.clone());
        total(gap.clone() * gap) / samples
    }
}
