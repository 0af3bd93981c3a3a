//! Golden values of what learns beside a student, and of maps on a tap's grid (`oracles/losses_adaptors`).
//!
//! Parameters are float32, so values are compared to its digits.

use std::collections::BTreeMap;

use burn::tensor::{DType, Device, Tensor};
use kd_core::loss::{
    Beside, CurriculumTemperature,
    feature::{
        MaskedGeneration, ReviewFusion, VariationalRegressor, kept_positions, labels_on_grid, mask_on_grid,
        variational_information,
    },
};
use kd_core::{State, Values};
use kd_image::SampleId;
use serde_json::Value as Json;

use crate::golden::{check_case, floats, input, labels, list};
use crate::tensors::{assert_all_near, assert_near, numbers, scalar, tensor};

fn oracle() -> Vec<Json> {
    let oracle: Json = serde_json::from_str(include_str!("../oracle/losses_adaptors.json")).unwrap();
    list(&oracle, "groups").to_vec()
}

fn group(name: &str) -> Json {
    oracle().into_iter().find(|group| group["name"] == name).expect("a group of that name")
}

/// Fills a module with the parameters of a case, all of them.
fn filled<M: burn::module::Module>(module: M, case: &Json) -> M {
    let stored = case["parameters"].as_object().unwrap().iter().map(|(name, value)| {
        let shape = list(value, "shape").iter().map(|n| n.as_u64().unwrap() as usize).collect();
        (name.clone(), Values { shape, values: floats(value, "values").iter().map(|v| *v as f32).collect() })
    });
    State::from_tensors(stored.collect::<BTreeMap<_, _>>()).load_into(module).expect("names and shapes fit")
}

fn half_mean_square(maps: &[Tensor<4>]) -> Tensor<1> {
    let n: usize = maps.iter().map(|map| map.dims().iter().product::<usize>()).sum();
    let sum = maps.iter().map(|map| (map.clone() * map.clone()).sum()).reduce(|a, b| a + b).expect("a map");
    sum.mul_scalar(0.5 / n as f64)
}

#[test]
fn review_fusion_agrees_with_pytorch() {
    let (group, device) = (group("review"), Device::flex().autodiff());
    let case = &list(&group, "cases")[0];
    let fusion = filled(ReviewFusion::new(&[(2, 4), (4, 5)], 3, &device), case);
    let shallow = Tensor::from_inner(input::<4>(&group, "shallow", DType::F32).unwrap());
    check_case("review", case, input::<4>(&group, "student", DType::F32).unwrap(), |deep| {
        half_mean_square(&fusion.forward(vec![shallow, deep]))
    });
}

#[test]
fn masked_generation_agrees_with_pytorch() {
    let (group, device) = (group("mgd"), Device::flex().autodiff());
    let case = &list(&group, "cases")[0];
    let generator = filled(MaskedGeneration::new(2, 4, &device), case);
    let kept = Tensor::from_inner(input::<4>(&group, "kept", DType::F32).unwrap());
    check_case("mgd", case, input::<4>(&group, "student", DType::F32).unwrap(), |student| {
        half_mean_square(&[generator.forward(student, kept)])
    });
}

#[test]
fn a_variational_regressor_agrees_with_pytorch() {
    let (group, device) = (group("vid"), Device::flex().autodiff());
    let case = &list(&group, "cases")[0];
    let regressor = filled(VariationalRegressor::new(2, 3, &device), case);
    let teacher = input::<4>(&group, "teacher", DType::F32).unwrap();
    check_case("vid", case, input::<4>(&group, "student", DType::F32).unwrap(), |student| {
        let (mean, variance) = regressor.forward(student);
        variational_information(mean, variance, teacher, None)
    });
}

#[test]
fn a_learned_temperature_agrees_with_pytorch_in_value_and_both_gradients() {
    struct OfTheta<'a>(&'a mut f64, &'a burn::tensor::Gradients);
    impl burn::module::ModuleVisitor for OfTheta<'_> {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            *self.0 = numbers(param.val().grad(self.1).expect("θ has a gradient"))[0];
        }
    }
    let group = group("curriculum");
    let teacher = input::<2>(&group, "teacher", DType::F32).unwrap();
    for case in list(&group, "cases") {
        let theta = Values { shape: vec![1], values: vec![case["theta"].as_f64().unwrap() as f32] };
        let module = CurriculumTemperature::new(&Device::flex().autodiff());
        let module = State::from_tensors([("theta".to_owned(), theta)].into()).load_into(module).unwrap();
        let reversal = case["reversal"].as_f64().unwrap();
        let beside = || Beside::new(teacher.clone());
        let student = input::<2>(&group, "student", DType::F32).unwrap();
        check_case("curriculum", case, student.clone(), |student| module.forward(student, beside(), reversal));
        let gradients = module.forward(student.autodiff(), beside(), reversal).backward();
        let mut found = 0.0;
        burn::module::Module::visit(&module, &mut OfTheta(&mut found, &gradients));
        assert_near(found, case["theta_grad"].as_f64().unwrap(), 1e-5, 1e-4, "θ");
    }
}

#[test]
fn masks_and_labels_on_a_grid_are_those_of_exact_areas() {
    let group = group("grid");
    let mask = input::<4>(&group, "student", DType::F64).unwrap();
    let labels = labels::<4>(&group).unwrap();
    for case in list(&group, "cases") {
        let grid: Vec<usize> = list(case, "grid").iter().map(|n| n.as_u64().unwrap() as usize).collect();
        let found = numbers(mask_on_grid(mask.clone(), &grid).unwrap());
        assert_all_near(&found, &floats(case, "mask"), 1e-11, 1e-11, &format!("mask on {grid:?}"));
        for (share, expected) in case["labels"].as_object().unwrap() {
            let found = labels_on_grid(labels.clone(), 4, &grid, share.parse().unwrap()).unwrap();
            let found: Vec<i64> = found.into_data().convert::<i64>().try_into_vec().unwrap();
            let expected: Vec<i64> = expected.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
            assert_eq!(found, expected, "labels on {grid:?} with {share}");
        }
    }
}

#[test]
fn a_grid_that_does_not_fit_is_refused_and_a_mask_for_whole_images_stays() {
    let mask = || tensor::<4>(&[1.0, 0.0], [2, 1, 1, 1], DType::F32);
    assert_eq!(mask_on_grid(mask(), &[3, 2]).unwrap().dims(), [2, 1, 1, 1]);
    let error = mask_on_grid(Tensor::<4>::ones([2, 1, 4, 4], &Device::flex()), &[5, 4]).unwrap_err().to_string();
    assert_eq!(
        error,
        "a map [2, 1, 4, 4] cannot be brought to the grid [5, 4]: expected as many spatial axes, none finer"
    );
    assert!(mask_on_grid(mask(), &[3]).is_err() && mask_on_grid(mask(), &[0, 1]).is_err());
    let labels = Tensor::<4, burn::tensor::Int>::ones([1, 1, 2, 2], &Device::flex());
    for share in [0.0, 1.5, f64::NAN] {
        assert!(labels_on_grid(labels.clone(), 2, &[1, 1], share).is_err(), "{share}");
    }
}

#[test]
fn what_a_student_must_fill_in_depends_on_sample_epoch_and_seed_alone() {
    let ids = ["a", "b"].map(|name| SampleId::new(name).unwrap());
    let draw =
        |ids: &[SampleId], seed, epoch| numbers(kept_positions(ids, [30, 40], 0.75, seed, epoch, &Device::flex()));
    let both = draw(&ids, 5, 2);
    assert_eq!(both[1200..], draw(&ids[1..], 5, 2)[..], "not on the batch");
    assert_ne!(both, draw(&ids, 6, 2));
    assert_ne!(both, draw(&ids, 5, 3));
    assert_ne!(both[..1200], both[1200..]);
    // 2400 draws: the standard deviation of the share is .009.
    assert_near(both.iter().sum::<f64>() / 2400.0, 0.25, 0.04, 0.0, "share that is kept");
    assert_near(scalar(tensor::<1>(&both[..1], [1], DType::F32)).fract(), 0.0, 0.0, 0.0, "0 or 1");
}
