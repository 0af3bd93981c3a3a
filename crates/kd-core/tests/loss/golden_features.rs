//! Golden values of the losses on features and between images (`oracles/losses_features`, `oracles/losses_images`).

use burn::tensor::{DType, Tensor};
use kd_core::loss::{
    Beside,
    feature::{
        AffinityNorm, AttentionTransfer, CrossImage, FeatureLoss, FitNetHint, GeneratedFeatures, HierarchicalContext,
        InBatchContrast, IntraClassVariation, PairAffinity, PearsonFeatures, RegionAffinity, RelationAngle,
        RelationDistance, SimilarityPreserving, variational_information,
    },
    image::{SsimWindow, charbonnier, frequency_l1, gradient_l1, l1, mse, one_minus_ssim},
};
use serde_json::Value as Json;

use crate::golden::{check_case, input, labels, list};
use crate::tensors::{tau, tensor};

fn feature_loss(name: &str) -> Box<dyn FeatureLoss<4>> {
    match name {
        "hint" => Box::new(FitNetHint),
        "mgd" => Box::new(GeneratedFeatures),
        "attention-2" => Box::new(AttentionTransfer::squares()),
        "attention-4" => Box::new(AttentionTransfer::fourth_powers()),
        "similarity-preserving" => Box::new(SimilarityPreserving),
        "relation-distance" => Box::new(RelationDistance),
        "relation-angle" => Box::new(RelationAngle),
        "pkd" => Box::new(PearsonFeatures),
        "affinity-squared-2" => Box::new(PairAffinity::new(AffinityNorm::Squared, 2)),
        "affinity-absolute-8" => Box::new(PairAffinity::new(AffinityNorm::Absolute, 8)),
        "ifvd" => Box::new(IntraClassVariation::new(3)),
        "region-affinity" => Box::new(RegionAffinity::new(3)),
        "cross-image" => Box::new(CrossImage::new(tau(0.5), 3)),
        "hierarchical-context" => Box::new(HierarchicalContext),
        "in-batch-contrast" => Box::new(InBatchContrast::new(tau(0.2))),
        other => panic!("no loss {other}"),
    }
}

#[test]
fn feature_losses_agree_with_pytorch_in_value_and_gradient() {
    let oracle: Json = serde_json::from_str(include_str!("../oracle/losses_features.json")).unwrap();
    for dtype in [DType::F64, DType::F32] {
        let mut checked = 0;
        for group in list(&oracle, "groups") {
            let student = input::<4>(group, "student", dtype).unwrap();
            let teacher = input::<4>(group, "teacher", dtype).unwrap();
            for case in list(group, "cases") {
                let name = case["loss"].as_str().unwrap();
                let mask = input(group, "mask", dtype).filter(|_| case["masked"] == true);
                let beside = Beside::new(teacher.clone()).with_mask(mask).with_labels(labels(group));
                let what = format!("{} {name} masked={} {dtype:?}", group["name"], case["masked"]);
                check_case(&what, case, student.clone(), |student| {
                    if name == "vid" {
                        let variance = tensor::<1>(&[0.5, 1.0, 2.0], [3], dtype);
                        return variational_information(student, variance, beside.teacher, beside.mask);
                    }
                    feature_loss(name).evaluate(student, beside)
                });
                checked += 1;
            }
        }
        assert_eq!(checked, 2 * (16 + 10), "all losses, and those that take any channels");
    }
}

fn image_loss<const D: usize>(
    name: &str,
    student: Tensor<D>,
    reference: Tensor<D>,
    mask: Option<Tensor<D>>,
) -> Tensor<1> {
    match name {
        "l1" => l1(student, reference, mask),
        "mse" => mse(student, reference, mask),
        "charbonnier" => charbonnier(student, reference, mask, 0.25),
        "gradient" => gradient_l1(student, reference, mask),
        "frequency" => frequency_l1(student, reference, mask),
        "ssim-5" => one_minus_ssim(student, reference, mask, 4.0, SsimWindow { size: 5, sigma: 1.2 }),
        "ssim-11" => one_minus_ssim(student, reference, mask, 4.0, SsimWindow::PUBLISHED),
        other => panic!("no loss {other}"),
    }
}

fn check_images<const D: usize>(group: &Json, dtype: DType) -> usize {
    let student = input::<D>(group, "student", dtype).unwrap();
    for case in list(group, "cases") {
        let name = case["loss"].as_str().unwrap();
        let mask = input(group, "mask", dtype).filter(|_| case["masked"] == true);
        let reference = input(group, "teacher", dtype).unwrap();
        let what = format!("{} {name} masked={} {dtype:?}", group["name"], case["masked"]);
        check_case(&what, case, student.clone(), |student| image_loss(name, student, reference, mask));
    }
    list(group, "cases").len()
}

#[test]
fn image_losses_agree_with_pytorch_and_scikit_image() {
    let oracle: Json = serde_json::from_str(include_str!("../oracle/losses_images.json")).unwrap();
    for dtype in [DType::F64, DType::F32] {
        let groups = list(&oracle, "groups");
        let counts = [
            check_images::<4>(&groups[0], dtype),
            check_images::<5>(&groups[1], dtype),
            check_images::<4>(&groups[2], dtype),
        ];
        assert_eq!(counts, [12, 12, 1]);
    }
}
