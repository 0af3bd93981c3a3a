//! ReviewKD's hierarchical context loss: features compared whole and at coarser and coarser grids.

use burn::tensor::Tensor;

use super::{FeatureLoss, Pairing, Taps};
use crate::loss::{Beside, axes::nodes, reduce::mean_over_valid};

/// Computes the mean squared distance of features at full size and pooled to 4, 2 and 1 nodes an axis, weighted.
///
/// `Σ_l w_l · mean(‖F_s − F_t‖²/C at level l) / Σ_l w_l` with w = 1, ½, ¼, ⅛; the mean is over channels, samples and
/// positions or nodes.
///
/// # Shapes
/// Equal shapes; see [`FeatureLoss`].
///
/// # Policy
/// The divisor is the paper's, all elements of a level, and the sum of the weights: a constant difference d gives d².
/// Levels that are no coarser than the map are left out. Nodes average their valid positions; nodes without any do not
/// count.
///
/// # Source
/// Chen et al. 2021, "Distilling Knowledge via Knowledge Review", arXiv 2104.09044, section 3.3 and its code.
///
/// # Deviations
/// A level is left out when it is not smaller than the shortest axis, so maps need not be square.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::{FeatureLoss, HierarchicalContext};
///
/// let student = Tensor::<4>::zeros([1, 2, 8, 8], &Device::flex());
/// let teacher = student.clone().add_scalar(3.0);
/// let value = HierarchicalContext.forward(student, teacher, None).into_scalar::<f32>();
/// assert!((value - 9.0).abs() < 1e-5);
/// assert_eq!(HierarchicalContext::weights(8).iter().map(|(_, weight)| weight).sum::<f64>(), 1.875);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HierarchicalContext;

impl HierarchicalContext {
    /// Nodes an axis (`None` for the map itself) and weight of each level, for a map whose shortest axis is `shortest`.
    #[must_use]
    pub fn weights(shortest: usize) -> Vec<(Option<usize>, f64)> {
        let coarse = [4, 2, 1].into_iter().filter(|&nodes| nodes < shortest).map(Some);
        std::iter::once(None).chain(coarse).zip([1.0, 0.5, 0.25, 0.125]).collect()
    }
}

impl<const D: usize> FeatureLoss<D> for HierarchicalContext {
    fn name(&self) -> &'static str {
        "hierarchical-context"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Shape
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let Taps { student, teacher, weight, spatial, .. } = Taps::new(self, student, beside);
        let levels = Self::weights(spatial.iter().copied().min().unwrap_or(1));
        let sum: f64 = levels.iter().map(|(_, weight)| weight).sum();
        let gap = student - teacher; // pooling is linear
        let of_level = levels.into_iter().map(|(per_axis, share)| {
            let (gap, valid) = match per_axis {
                None => (gap.clone(), weight.clone()),
                Some(per_axis) => nodes(gap.clone(), &weight, &spatial, per_axis),
            };
            mean_over_valid((gap.clone() * gap).mean_dim(1), Some(valid)).mul_scalar(share / sum)
        });
        of_level.reduce(|a, b| a + b).expect("the map itself is a level")
    }
}
