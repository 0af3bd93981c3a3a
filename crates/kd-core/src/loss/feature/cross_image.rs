//! Cross-image relations: how a place of one image compares with the places of every image of the batch.

use burn::tensor::{Tensor, activation::log_softmax};

use super::{FeatureLoss, Pairing, Taps};
use crate::loss::{
    Beside,
    axes::nodes,
    correlation::unit,
    reduce::{ratio_or_zero, total},
    target::ABSENT,
};
use crate::temperature::Temperature;

/// Computes the divergence of the softmaxed similarities of each node to the nodes of each image, mean over nodes and
/// pairs of images.
///
/// `(1/N²) Σ_ij (1/M) Σ_rows KL(softmax(S_t,ij/τ) ‖ softmax(S_s,ij/τ))`: `S_ij` are the cosines between nodes of image i
/// (rows) and of image j; nodes are means over a grid of at most `per_axis` bins along each axis.
///
/// # Shapes
/// Equal batch and map size, any channels; see [`FeatureLoss`].
///
/// # Policy
/// The divisor is the paper's and there is no τ²; the published τ is 0.1. Nodes and images without a valid position are
/// out. Memory: the square of batch times nodes.
///
/// # Source
/// Yang et al. 2022, "Cross-Image Relational Knowledge Distillation", arXiv 2204.06986, equations 4 to 6 (mini-batch
/// pixel-to-pixel).
///
/// # Deviations
/// No memory bank: neither pixel-to-pixel nor pixel-to-region beyond the batch.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Temperature, loss::feature::{CrossImage, FeatureLoss}};
///
/// let features = Tensor::<3>::from_data([[[1.0, 0.5], [0.0, 1.0]], [[0.2, 1.0], [2.0, 0.1]]], &Device::flex());
/// let loss = CrossImage::new(Temperature::new(0.1)?, 4);
/// let turned = features.clone().flip([1]); // the same similarities in other channels
/// assert!(loss.forward(features, turned, None).into_scalar::<f32>().abs() < 1e-6);
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossImage {
    temperature: Temperature,
    per_axis: usize,
}

impl CrossImage {
    /// Makes the loss; `per_axis` bounds the nodes along each axis (at least 1 is taken).
    #[must_use]
    pub fn new(temperature: Temperature, per_axis: usize) -> Self {
        Self { temperature, per_axis: per_axis.max(1) }
    }
}

impl<const D: usize> FeatureLoss<D> for CrossImage {
    fn name(&self) -> &'static str {
        "cross-image"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Positions
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let taps = Taps::new(self, student, beside);
        let pooled = |features: Tensor<3>| nodes(features, &taps.weight, &taps.spatial, self.per_axis);
        let (of_teacher, present) = pooled(taps.teacher.clone());
        let (of_student, _) = pooled(taps.student.clone());
        let [batch, _, count] = present.dims();
        let dims = [batch * count, batch, count];
        let absent = present.clone().equal_elem(0.0).reshape([1, batch, count]).expand(dims);
        let log_similarity = |nodes: Tensor<3>| {
            let channels = nodes.dims()[1];
            let rows = unit(nodes, 1).swap_dims(1, 2).reshape([batch * count, channels]);
            let similarity = rows.clone().matmul(rows.transpose()).mul_scalar(1.0 / self.temperature.get());
            log_softmax(similarity.reshape(dims).mask_fill(absent.clone(), ABSENT), 2)
        };
        let (log_s, log_t) = (log_similarity(of_student), log_similarity(of_teacher));
        let gap = (log_t.clone() - log_s).mask_fill(absent.clone(), 0.0);
        let divergence = (log_t.exp() * gap).sum_dim(2).reshape([batch, count, batch]);
        // A row counts 1 over the valid nodes of its image; images without any count neither as rows nor as columns.
        let nodes_of_image = present.clone().sum_dim(2);
        let image = nodes_of_image.ones_like().mask_fill(nodes_of_image.clone().equal_elem(0.0), 0.0);
        let row = present.swap_dims(1, 2) / nodes_of_image.clamp_min(1.0);
        let weight = row * image.clone().reshape([1, 1, batch]);
        let images = total(image);
        ratio_or_zero(total(divergence * weight), images.clone() * images)
    }
}
