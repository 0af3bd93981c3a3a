//! The divergence of two softmaxes, with its gradient.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::extension::KernelOps;

/// Computes the Kullback–Leibler divergence of a student's softmax from a teacher's over the channels, at each position.
///
/// `Σ_k p_t,k (ln p_t,k − ln p_s,k)` with `p = softmax(factor · z)` over axis 1; the gradient by a student logit is
/// `factor · (p_s − p_t)`. Each comes out of one pass over the logits.
///
/// # Shapes
/// Logits `[batch, class, …spatial]` of one shape, rank 2 or more; the result is `[batch, 1, …spatial]`. The teacher is taken
/// off the graph.
///
/// # Policy
/// Exactly 0, with gradient 0, where both sides hold the same logits. A NaN or an infinity at a position gives NaN there.
///
/// # Panics
/// When the shapes differ.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// let device = Device::flex();
/// let student = Tensor::<2>::from_data([[0.0, 0.0]], &device);
/// let teacher = Tensor::<2>::from_data([[3f32.ln(), 0.0]], &device); // probabilities 3/4, 1/4
/// let found = kd_kernels::nn::softmax_divergence(student, teacher, 1.0).into_scalar::<f32>();
/// assert!((found - (0.75 * 1.5f32.ln() + 0.25 * 0.5f32.ln())).abs() < 1e-6);
/// ```
#[must_use]
pub fn softmax_divergence<const RANK: usize>(
    student: Tensor<RANK>,
    teacher: Tensor<RANK>,
    factor: f64,
) -> Tensor<RANK> {
    assert_eq!(student.dims(), teacher.dims(), "softmax divergence: expected two tensors of one shape");
    let teacher = if teacher.device().is_autodiff() { teacher.inner() } else { teacher };
    let teacher = if student.device().is_autodiff() { Tensor::from_inner(teacher) } else { teacher };
    let map = <Dispatch as KernelOps>::softmax_divergence(student.into_dispatch(), teacher.into_dispatch(), factor);
    Tensor::from_dispatch(map)
}
