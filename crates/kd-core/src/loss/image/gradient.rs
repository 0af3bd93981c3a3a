//! Edges: differences between neighbours.

use burn::tensor::Tensor;

use super::Images;
use crate::loss::{
    axes::{along, matrix},
    reduce::{ratio_or_zero, total},
};

/// Computes the absolute difference of the image gradients, summed over channels, mean over neighbouring pairs.
///
/// The gradient along an axis is the difference of neighbours, `x[i+1] − x[i]`; the pairs of all axes are averaged
/// together.
///
/// # Shapes
/// Images `[batch, channel, …spatial]` of equal shape, rank 3 to 5, mask `[batch, 1, …spatial]`; to `[1]`.
///
/// # Policy
/// In pixels, not in millimetres. A pair counts when both of its pixels are valid (by the product of their weights). No
/// pair gives 0.
///
/// # Panics
/// When shapes do not fit.
///
/// # Source
/// Mathieu, Couprie, LeCun 2016, arXiv 1511.05440, equation 6, with α = 1.
///
/// # Deviations
/// Signed differences are compared, not their absolute values: an edge in the wrong direction costs.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::image::gradient_l1;
///
/// let edge = Tensor::<3>::from_data([[[0.0, 0.0, 6.0]]], &Device::flex());
/// assert_eq!(gradient_l1(edge.clone(), edge.add_scalar(9.0), None).into_scalar::<f32>(), 0.0);
/// # let edge = Tensor::<3>::from_data([[[0.0, 0.0, 6.0]]], &Device::flex());
/// assert_eq!(gradient_l1(edge.clone(), edge.zeros_like(), None).into_scalar::<f32>(), 3.0); // 0 and 6
/// ```
pub fn gradient_l1<const D: usize>(student: Tensor<D>, reference: Tensor<D>, mask: Option<Tensor<D>>) -> Tensor<1> {
    let Images { student, reference, weight, spatial } = Images::new("gradient", student, reference, mask);
    let options = (&weight.device(), weight.dtype());
    let gap = student - reference;
    let mut parts = Vec::new();
    for (axis, &length) in spatial.iter().enumerate().filter(|(_, length)| **length > 1) {
        let of_pair = |first: f64, second: f64| {
            matrix([length - 1, length], options, move |row, at| match at.checked_sub(row) {
                Some(0) => first,
                Some(1) => second,
                _ => 0.0,
            })
        };
        let edges = along(gap.clone(), &mut spatial.clone(), axis, of_pair(-1.0, 1.0));
        let pick = |first, second| along(weight.clone(), &mut spatial.clone(), axis, of_pair(first, second));
        let pairs = pick(1.0, 0.0) * pick(0.0, 1.0);
        parts.push((total(edges.abs() * pairs.clone()), total(pairs)));
    }
    match parts.into_iter().reduce(|a, b| (a.0 + b.0, a.1 + b.1)) {
        Some((sum, count)) => ratio_or_zero(sum, count),
        None => total(gap).mul_scalar(0.0),
    }
}
