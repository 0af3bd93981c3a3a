//! Affinity between places of one image, on a pooled grid so that memory does not grow with the image.

use burn::tensor::Tensor;

use super::{FeatureLoss, Pairing, Taps};
use crate::loss::{
    Beside,
    axes::nodes,
    correlation::unit,
    reduce::{ratio_or_zero, total},
};

/// How two affinities are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AffinityNorm {
    /// Squared difference: structured distillation for segmentation.
    Squared,
    /// Absolute difference: FAKD for super-resolution.
    Absolute,
}

/// Computes the mean difference of the cosines between all pairs of nodes of an image.
///
/// `mean over images of (1/M²) Σ_ij |a_s,ij − a_t,ij|^q` with `a_ij = f_i·f_j / (‖f_i‖‖f_j‖)` and q 2 or 1; the M nodes
/// are means of features over a grid of at most `per_axis` bins along each axis.
///
/// # Shapes
/// Equal batch and map size, any channels; see [`FeatureLoss`].
///
/// # Policy
/// The divisor is the papers': pairs of nodes, and images. A node averages its valid positions only; one without any is
/// out. Memory: the square of `per_axis` to the number of axes, per image.
///
/// # Source
/// Squared: Liu et al. 2019, arXiv 1903.04197, equation 2. Absolute: He et al. 2020, "FAKD", ICIP, equations 1 and 2.
///
/// # Deviations
/// Pooling by means rather than maxima (Liu et al.) or none (He et al.: `per_axis` of the map size); norms are not
/// taken as constants.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::{AffinityNorm, FeatureLoss, PairAffinity};
///
/// let device = Device::flex();
/// let apart = Tensor::<3>::from_data([[[1.0, 0.0], [0.0, 1.0]]], &device); // two positions at a right angle
/// let alike = Tensor::<3>::from_data([[[1.0, 1.0], [0.0, 0.0]]], &device); // two equal positions
/// let loss = PairAffinity::new(AffinityNorm::Squared, 8);
/// assert!((loss.forward(apart, alike, None).into_scalar::<f32>() - 0.5).abs() < 1e-6); // 2 of 4 pairs differ by 1
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairAffinity {
    norm: AffinityNorm,
    per_axis: usize,
}

impl PairAffinity {
    /// Makes the loss; `per_axis` bounds the nodes along each axis (at least 1 is taken).
    #[must_use]
    pub fn new(norm: AffinityNorm, per_axis: usize) -> Self {
        Self { norm, per_axis: per_axis.max(1) }
    }
}

impl<const D: usize> FeatureLoss<D> for PairAffinity {
    fn name(&self) -> &'static str {
        "pair-affinity"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Positions
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let taps = Taps::new(self, student, beside);
        let affinity = |features: Tensor<3>| {
            let (nodes, present) = nodes(features, &taps.weight, &taps.spatial, self.per_axis);
            let vectors = unit(nodes, 1);
            (vectors.clone().swap_dims(1, 2).matmul(vectors), present)
        };
        let (of_teacher, present) = affinity(taps.teacher.clone());
        let gap = affinity(taps.student.clone()).0 - of_teacher;
        let distance = match self.norm {
            AffinityNorm::Squared => gap.clone() * gap,
            AffinityNorm::Absolute => gap.abs(),
        };
        let pairs = present.clone().swap_dims(1, 2).matmul(present);
        let count = pairs.clone().sum_dim(2).sum_dim(1);
        let sum = (distance * pairs).sum_dim(2).sum_dim(1);
        let empty = count.clone().equal_elem(0.0);
        let images = total(count.ones_like().mask_fill(empty.clone(), 0.0));
        ratio_or_zero(total(sum / count.mask_fill(empty, 1.0)), images)
    }
}
