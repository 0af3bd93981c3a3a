//! Region affinity: how alike lesion, organ and background look to a network.

use burn::tensor::Tensor;

use super::{FeatureLoss, Pairing, Taps, prototype::class_means};
use crate::loss::{
    Beside,
    axes::matrix,
    correlation::unit,
    reduce::{ratio_or_zero, total},
};

/// Computes the squared difference of the cosines between mean features of regions, mean over pairs of regions.
///
/// `mean over images and pairs k < l of classes present there of (cos(c_s,k, c_s,l) − cos(c_t,k, c_t,l))²`; `c_k` is the
/// mean feature of the valid pixels of class k in one image. With two classes this is foreground against background.
///
/// # Shapes
/// Equal batch and map size, any channels; labels `[batch, 1, …spatial]` at that size; see [`FeatureLoss`].
///
/// # Policy
/// An image with fewer than two classes has no pair and is left out; without any pair the loss is 0.
///
/// # Source
/// Qin et al. 2021, "Efficient Medical Image Segmentation Based on Knowledge Distillation", arXiv 2108.09987, section
/// III-C.
///
/// # Deviations
/// More than two regions; empty regions are left out instead of dividing by 0.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::loss::{Beside, feature::{FeatureLoss, RegionAffinity}};
///
/// let device = Device::flex();
/// let apart = Tensor::<3>::from_data([[[1.0, 0.0], [0.0, 1.0]]], &device); // cosine 0
/// let alike = Tensor::<3>::from_data([[[1.0, 2.0], [0.0, 0.0]]], &device); // cosine 1
/// let labels = Tensor::<3, Int>::from_data([[[0, 1]]], &device);
/// let beside = Beside::new(alike).with_labels(Some(labels));
/// assert!((RegionAffinity::new(2).evaluate(apart, beside).into_scalar::<f32>() - 1.0).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionAffinity {
    classes: usize,
}

impl RegionAffinity {
    /// Makes the loss for labels below `classes`.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self { classes }
    }
}

impl<const D: usize> FeatureLoss<D> for RegionAffinity {
    fn name(&self) -> &'static str {
        "region-affinity"
    }

    fn pairing(&self) -> Pairing {
        Pairing::Positions
    }

    fn needs_labels(&self) -> bool {
        true
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let Taps { student, teacher, weight, labels, .. } = Taps::new(self, student, beside);
        let labels = labels.expect("checked with the taps");
        let affinity = |features: Tensor<3>| {
            let (means, present) = class_means(features, &labels, &weight, self.classes);
            let vectors = unit(means, 1);
            (vectors.clone().swap_dims(1, 2).matmul(vectors), present)
        };
        let (of_teacher, present) = affinity(teacher);
        let gap = affinity(student).0 - of_teacher;
        let options = (&weight.device(), weight.dtype());
        let upper = matrix([self.classes; 2], options, |k, l| f64::from(u8::from(k < l)));
        let pairs = present.clone().swap_dims(1, 2).matmul(present) * upper.unsqueeze::<3>();
        ratio_or_zero(total(gap.clone() * gap * pairs.clone()), total(pairs))
    }
}
