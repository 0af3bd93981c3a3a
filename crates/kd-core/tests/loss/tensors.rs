//! Tensors of a chosen precision for the loss tests, and a value with its gradient as plain numbers.

use burn::tensor::{DType, Device, Tensor, TensorData};
use kd_core::{Temperature, loss::DistillLoss};

/// A tensor on the plain CPU device; `F64` where a test compares to more digits than `f32` has.
pub(crate) fn tensor<const D: usize>(values: &[f64], dims: [usize; D], dtype: DType) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), (&Device::flex(), dtype))
}

/// Value of `f` at `student`, and its gradient there.
pub(crate) fn value_and_gradient<const D: usize>(
    student: Tensor<D>,
    f: impl FnOnce(Tensor<D>) -> Tensor<1>,
) -> (f64, Vec<f64>) {
    let leaf = student.autodiff().require_grad();
    let loss = f(leaf.clone());
    assert_eq!(loss.dims(), [1]);
    let gradient = leaf.grad(&loss.backward()).expect("the loss depends on the student");
    (scalar(loss), numbers(gradient))
}

/// Value and student gradient of a distillation loss.
pub(crate) fn distill<const D: usize>(
    loss: &dyn DistillLoss<D>,
    student: &Tensor<D>,
    teacher: &Tensor<D>,
    mask: Option<&Tensor<D>>,
) -> (f64, Vec<f64>) {
    value_and_gradient(student.clone(), |student| loss.forward(student, teacher.clone(), mask.cloned()))
}

pub(crate) fn scalar(tensor: Tensor<1>) -> f64 {
    numbers(tensor)[0]
}

pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_into_vec().expect("converted to f64")
}

pub(crate) fn tau(value: f64) -> Temperature {
    Temperature::new(value).expect("a temperature in range")
}

/// `|found − expected| ≤ absolute + relative·|expected|`, and both finite.
#[track_caller]
pub(crate) fn assert_near(found: f64, expected: f64, absolute: f64, relative: f64, what: &str) {
    assert!(
        found.is_finite() && (found - expected).abs() <= absolute + relative * expected.abs(),
        "{what}: found {found}, expected {expected}"
    );
}

#[track_caller]
pub(crate) fn assert_all_near(found: &[f64], expected: &[f64], absolute: f64, relative: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert_near(*f, *e, absolute, relative, &format!("{what} [{i}]"));
    }
}
