//! Golden values of the later losses: PyTorch's numbers, written from the papers (`oracles/losses_*/make.py`).
//!
//! The numbers are float64 with 12 digits; inputs are exact in float32. A tolerance is `digits`, relative to the number
//! itself or to the scale of its case: the largest gradient, and for values 1 or τ².

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use kd_core::{
    Head,
    loss::{Beside, Parameters, Value, build},
};
use serde_json::Value as Json;

use crate::tensors::{assert_all_near, assert_near, tensor, value_and_gradient};

pub(crate) fn list<'a>(value: &'a Json, key: &str) -> &'a [Json] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is a list in {value}"))
}

pub(crate) fn floats(value: &Json, key: &str) -> Vec<f64> {
    list(value, key).iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn dims<const D: usize>(input: &Json) -> [usize; D] {
    let dims: Vec<usize> = list(input, "shape").iter().map(|v| v.as_u64().expect("a length") as usize).collect();
    dims.try_into().expect("the rank of the group")
}

/// An input of a group, if it has one of that name.
pub(crate) fn input<const D: usize>(group: &Json, name: &str, dtype: DType) -> Option<Tensor<D>> {
    let input = &group["inputs"][name];
    input.is_object().then(|| tensor(&floats(input, "values"), dims(input), dtype))
}

/// Labels of a group.
pub(crate) fn labels<const D: usize>(group: &Json) -> Option<Tensor<D, Int>> {
    let input = &group["inputs"]["labels"];
    input.is_object().then(|| {
        let values: Vec<i32> = floats(input, "values").into_iter().map(|v| v as i32).collect();
        Tensor::from_data(TensorData::new(values, dims::<D>(input)), &Device::flex())
    })
}

/// Compares value and gradient of `f` at the student with a case.
pub(crate) fn check_case<const D: usize>(
    what: &str,
    case: &Json,
    student: Tensor<D>,
    f: impl FnOnce(Tensor<D>) -> Tensor<1>,
) {
    let single = student.dtype() == DType::F32;
    // f32: some tens of units of 2⁻²⁴ through sums, logarithms and quotients. f64: the 12 digits of the file.
    let digits = if single { 1e-5 } else { 1e-10 };
    let scale = case["scale"].as_f64().unwrap_or(1.0);
    let (value, gradient) = value_and_gradient(student, f);
    assert_near(value, case["value"].as_f64().expect("a value"), digits * scale, digits, what);
    let expected = floats(case, "grad");
    let largest = expected.iter().fold(0.0f64, |largest, g| g.abs().max(largest));
    assert_all_near(&gradient, &expected, digits * largest.max(0.1 * scale), digits, what);
}

fn parameters(case: &Json) -> Parameters {
    let object = case["parameters"].as_object().expect("parameters are an object");
    object.iter().fold(Parameters::new(), |parameters, (name, value)| match value {
        Json::Bool(flag) => parameters.with(name, *flag),
        Json::String(text) => parameters.with(name, text.as_str()),
        number => parameters.with(name, Value::Number(number.as_f64().expect("a number"))),
    })
}

fn check_group<const D: usize>(group: &Json, dtype: DType) -> usize {
    let student = input::<D>(group, "student", dtype).expect("a student");
    let head = match student.dims()[1] {
        1 => Head::OneChannel,
        classes => Head::softmax(classes).expect("at least 2"),
    };
    for case in list(group, "cases") {
        let name = case["loss"].as_str().expect("a name");
        let loss = build::<D>(name, &parameters(case), head).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mask = input(group, "mask", dtype).filter(|_| case["masked"] == true);
        let beside = Beside::new(input(group, "teacher", dtype).expect("a teacher"))
            .with_mask(mask)
            .with_labels(labels(group))
            .at_epoch(case["epoch"].as_u64().unwrap_or(0) as usize);
        let what = format!("{} {name} {} masked={} {dtype:?}", group["name"], case["parameters"], case["masked"]);
        let tau = case["parameters"]["temperature"].as_f64().unwrap_or(1.0);
        let mut scaled = case.clone();
        scaled["scale"] = (tau * tau).into();
        check_case(&what, &scaled, student.clone(), |student| loss.evaluate(student, beside));
    }
    list(group, "cases").len()
}

#[test]
fn logit_losses_agree_with_pytorch_in_value_and_gradient() {
    let oracle: Json = serde_json::from_str(include_str!("../oracle/losses_logits.json")).unwrap();
    for dtype in [DType::F64, DType::F32] {
        let checked =
            list(&oracle, "groups").iter().map(|group| match list(&group["inputs"]["student"], "shape").len() {
                2 => check_group::<2>(group, dtype),
                4 => check_group::<4>(group, dtype),
                5 => check_group::<5>(group, dtype),
                rank => panic!("rank {rank}"),
            });
        assert_eq!(checked.collect::<Vec<_>>(), [40, 44, 44, 24, 14, 12], "cases of each group");
    }
}
