//! Relational distillation: distances and angles between samples, free of where and how large the features are.

use burn::tensor::Tensor;

use super::{FeatureLoss, Pairing, Taps};
use crate::loss::{Beside, correlation::unit, reduce::total};

/// Computes the Huber distance of the pairwise distances, each divided by the mean of its side.
///
/// `(1/N²) Σ_ij h(d_s,ij/μ_s − d_t,ij/μ_t)`: `d` is the Euclidean distance of two samples' features, μ its mean over
/// pairs that are apart, `h(x) = ½x²` below 1 and `|x| − ½` above.
///
/// # Shapes
/// Equal batch; channels and map size may differ (all axes of a sample are one vector); see [`FeatureLoss`].
///
/// # Policy
/// The divisor is that of the published code, all N² ordered pairs, the diagonal of zeros among them. Only whole samples
/// can be masked out; a sample's masked positions are 0. Memory: N² times the length of a sample.
///
/// # Source
/// Park et al. 2019, arXiv 1904.05068, equations 5 to 8.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::{FeatureLoss, RelationDistance};
///
/// let device = Device::flex();
/// let student = Tensor::<2>::from_data([[0.0], [1.0], [3.0]], &device); // distances 1 2 3, mean 2
/// let teacher = Tensor::<2>::from_data([[0.0], [2.0], [4.0]], &device); // distances 2 2 4, mean 8/3
/// let value = RelationDistance.forward(student, teacher, None).into_scalar::<f32>();
/// let half_squares = 0.5 * (0.25f32.powi(2) + 0.25f32.powi(2)); // ½ − ¾, 1 − ¾, 1½ − 1½
/// assert!((value - 2.0 * half_squares / 9.0).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelationDistance;

impl<const D: usize> FeatureLoss<D> for RelationDistance {
    fn name(&self) -> &'static str {
        "relation-distance"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Batch
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let taps = Taps::new(self, student, beside);
        let (present, samples) = (taps.present(), taps.samples());
        let pairs = present.clone().matmul(present.transpose()); // [batch, batch]
        let relative = |features: Tensor<3>| {
            let gap = differences(features);
            let [batch, ..] = gap.dims();
            let square = (gap.clone() * gap).sum_dim(2).reshape([batch, batch]);
            // The root has no gradient at 0: pairs that coincide are taken out before it and put back after.
            let together = square.clone().equal_elem(0.0);
            let distance = square.mask_fill(together.clone(), 1.0).sqrt().mask_fill(together.clone(), 0.0);
            let apart = pairs.clone().mask_fill(together, 0.0);
            let mean = total(distance.clone() * apart.clone()) / total(apart).clamp_min(1.0);
            let nothing = mean.clone().equal_elem(0.0);
            distance / mean.mask_fill(nothing, 1.0).unsqueeze::<2>()
        };
        let huber = huber(relative(taps.student) - relative(taps.teacher));
        total(huber * pairs) / (samples.clone() * samples)
    }
}

/// Computes the Huber distance of the cosines of the angles between triples of samples.
///
/// `(1/N³) Σ_ijk h(cos_s − cos_t)` with `cos = e_ij·e_kj`, `e_ij` the unit vector from sample j to sample i and h as
/// in [`RelationDistance`].
///
/// # Shapes
/// As [`RelationDistance`].
///
/// # Policy
/// The divisor is that of the published code, all N³ ordered triples. Memory: N³, and N² times the length of a sample.
///
/// # Source
/// Park et al. 2019, arXiv 1904.05068, equations 9 to 11.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::{FeatureLoss, RelationAngle};
///
/// let device = Device::flex();
/// let corner = Tensor::<2>::from_data([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], &device);
/// let larger = corner.clone().mul_scalar(3.0).add_scalar(2.0);
/// assert!(RelationAngle.forward(corner, larger, None).into_scalar::<f32>() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelationAngle;

impl<const D: usize> FeatureLoss<D> for RelationAngle {
    fn name(&self) -> &'static str {
        "relation-angle"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Batch
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let taps = Taps::new(self, student, beside);
        let (present, samples) = (taps.present(), taps.samples());
        let cosines = |features: Tensor<3>| {
            let unit_vectors = directions(differences(features));
            unit_vectors.clone().matmul(unit_vectors.swap_dims(1, 2)) // [vertex, end, end]
        };
        let huber = huber(cosines(taps.student) - cosines(taps.teacher));
        let [batch, _] = present.dims();
        let ends = present.clone().matmul(present.clone().transpose()).unsqueeze::<3>();
        let triples = ends * present.reshape([batch, 1, 1]);
        total(huber * triples) / (samples.clone() * samples.clone() * samples)
    }
}

/// `[batch, channel, position]` to `x_i − x_j` at `[j, i, value]`.
fn differences(features: Tensor<3>) -> Tensor<3> {
    let [batch, channels, positions] = features.dims();
    let length = channels * positions;
    let rows = features.reshape([batch, length]);
    let dims = [batch, batch, length];
    rows.clone().reshape([1, batch, length]).expand(dims) - rows.reshape([batch, 1, length]).expand(dims)
}

/// Unit vectors; a vector of exactly 0 stays so and takes no gradient.
fn directions(vectors: Tensor<3>) -> Tensor<3> {
    let dims = vectors.dims();
    let nothing = (vectors.clone() * vectors.clone()).sum_dim(2).equal_elem(0.0).expand(dims);
    unit(vectors, 2).mask_fill(nothing, 0.0)
}

/// ½x² below 1, |x| − ½ above.
fn huber<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let size = x.abs();
    let near = size.clone().clamp_max(1.0);
    near.clone() * near.clone().mul_scalar(0.5) + size - near
}
