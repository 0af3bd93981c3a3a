//! Pearson's correlation of rows, and vectors of length 1: with a gradient that is finite where a row is constant.

use burn::tensor::Tensor;

/// Added in squares under roots. Far below what `f32` resolves beside any row that is not constant; at a constant row
/// it makes the correlation and the unit vector 0 instead of 0/0.
const EPSILON_SQUARED: f64 = 1e-16;

/// Correlation of each row of `a` with that row of `b` along axis 1, weighted by `weight` `[1, columns]`.
///
/// `Σ w·(a−ā)(b−b̄) / √(Σ w·(a−ā)² + ε²) / √(Σ w·(b−b̄)² + ε²)`, ε = 10⁻⁸; `[rows, columns]` to `[rows, 1]`.
pub(super) fn correlation(a: Tensor<2>, b: Tensor<2>, weight: &Tensor<2>) -> Tensor<2> {
    let count = weight.clone().sum_dim(1);
    let count = count.clone().mask_fill(count.equal_elem(0.0), 1.0);
    let center = |x: Tensor<2>| x.clone() - (x * weight.clone()).sum_dim(1) / count.clone();
    let (a, b) = (center(a), center(b));
    let dot = |x: &Tensor<2>, y: &Tensor<2>| (x.clone() * y.clone() * weight.clone()).sum_dim(1);
    let norm = |x: &Tensor<2>| dot(x, x).add_scalar(EPSILON_SQUARED).sqrt();
    dot(&a, &b) / norm(&a) / norm(&b)
}

/// Divides by the Euclidean norm along an axis, `√(Σx² + ε²)`: a vector of zeros stays one.
pub(super) fn unit<const D: usize>(x: Tensor<D>, axis: usize) -> Tensor<D> {
    let norm = (x.clone() * x.clone()).sum_dim(axis).add_scalar(EPSILON_SQUARED).sqrt();
    x / norm
}
