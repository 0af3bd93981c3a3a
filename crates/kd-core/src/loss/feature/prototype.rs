//! Intra-class feature variation: how far each pixel lies from the mean of its class.

use burn::tensor::{Int, Tensor};

use super::{FeatureLoss, Pairing, Taps};
use crate::loss::{Beside, correlation::unit, operands::one_hot, reduce::mean_over_valid};

/// Computes the squared difference of the cosines between pixels and their class prototypes, mean over labelled pixels.
///
/// `(1/M) Σ_i (m_s,i − m_t,i)²`, `m_i = cos(f_i, c_{y_i})`; the prototype `c_k` is the mean feature of the valid pixels of
/// class k in one image, computed on each side.
///
/// # Shapes
/// Equal batch and map size, any channels; labels `[batch, 1, …spatial]` at that size; see [`FeatureLoss`].
///
/// # Policy
/// The divisor is the number of valid labelled positions; unlabelled ones do not dilute it. Gradients flow through the
/// prototypes. Bring labels to the features' size so that small lesions survive.
///
/// # Source
/// Wang et al. 2020, "Intra-class Feature Variation Distillation", ECCV, equations 1 to 3.
///
/// # Deviations
/// Ignored pixels are left out, rather than counted with a cosine of 1.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::loss::{Beside, feature::{FeatureLoss, IntraClassVariation}};
///
/// let device = Device::flex();
/// let spread = Tensor::<3>::from_data([[[1.0, 0.0], [0.0, 1.0]]], &device); // each at 45° to the mean
/// let equal = Tensor::<3>::from_data([[[1.0, 1.0], [0.0, 0.0]]], &device); // cosine 1
/// let labels = Tensor::<3, Int>::from_data([[[0, 0]]], &device);
/// let beside = Beside::new(equal).with_labels(Some(labels));
/// let value = IntraClassVariation::new(2).evaluate(spread, beside).into_scalar::<f32>();
/// assert!((value - (1.0 - 0.5f32.sqrt()).powi(2)).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntraClassVariation {
    classes: usize,
}

impl IntraClassVariation {
    /// Makes the loss for labels below `classes`.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self { classes }
    }
}

impl<const D: usize> FeatureLoss<D> for IntraClassVariation {
    fn name(&self) -> &'static str {
        "ifvd"
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
        let member = one_hot(labels.clone(), self.classes).float().cast(weight.dtype());
        let closeness = |features: Tensor<3>| {
            let (prototypes, _) = class_means(features.clone(), &labels, &weight, self.classes);
            let own = prototypes.matmul(member.clone()); // [batch, channel, position]
            (unit(features, 1) * unit(own, 1)).sum_dim(1)
        };
        let gap = closeness(student) - closeness(teacher);
        mean_over_valid(gap.clone() * gap, Some(weight))
    }
}

/// Mean feature of each class in each image, `[batch, channel, class]`, and which classes are there, `[batch, 1, class]`.
pub(super) fn class_means(
    features: Tensor<3>,
    labels: &Tensor<3, Int>,
    weight: &Tensor<3>,
    classes: usize,
) -> (Tensor<3>, Tensor<3>) {
    let member = one_hot(labels.clone(), classes).float().cast(weight.dtype()) * weight.clone();
    let count = member.clone().sum_dim(2).swap_dims(1, 2); // [batch, 1, class]
    let empty = count.clone().equal_elem(0.0);
    let present = count.ones_like().mask_fill(empty.clone(), 0.0);
    let sum = features.matmul(member.swap_dims(1, 2));
    (sum / count.mask_fill(empty, 1.0), present)
}
