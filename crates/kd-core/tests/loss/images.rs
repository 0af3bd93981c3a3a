//! Losses between images by name: what a recipe can say, what it is told otherwise, and what a mask does.

use burn::tensor::{DType, Tensor};
use kd_core::loss::{
    CATALOG, DistillLoss, LossError, On, Parameters, build_image,
    image::{SsimWindow, charbonnier, frequency_l1, gradient_l1, l1, mse, one_minus_ssim},
};

use crate::catalog::valid;
use crate::tensors::tensor;

fn image(seed: usize) -> Tensor<4> {
    let values: Vec<f64> = (0..144).map(|index| ((index * 37 + seed * 11) % 29) as f64 / 29.0).collect();
    tensor(&values, [1, 1, 12, 12], DType::F64)
}

fn number(value: Tensor<1>) -> f64 {
    value.into_scalar::<f64>()
}

fn refusal(name: &str, parameters: &Parameters) -> String {
    build_image::<4>(name, parameters).err().unwrap().to_string()
}

#[test]
fn every_loss_between_images_is_built_by_its_name_and_no_other_loss_is() {
    let mut built = Vec::new();
    for entry in CATALOG {
        match build_image::<4>(entry.name, &valid(entry.name)) {
            Ok(loss) => built.push(loss.name()),
            Err(LossError::Refused { loss, refusal, .. }) => {
                assert!(entry.on != On::Images || loss == "response", "{loss}");
                assert!(refusal.reason.len() > 20 && refusal.instead.starts_with("use "), "{loss}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(built, ["l1", "mse", "charbonnier", "gradient", "frequency", "ssim"]);
}

#[test]
fn a_loss_by_name_is_the_function_with_the_parameters_given() {
    let (student, teacher) = (image(1), image(2));
    let by_name = |name: &str, parameters: &Parameters| {
        number(build_image::<4>(name, parameters).unwrap().forward(student.clone(), teacher.clone(), None))
    };
    let (s, t, none) = (student.clone(), teacher.clone(), Parameters::new());
    let ssim = none.clone().with("range", 2.0).with("window", 5.0).with("sigma", 1.25);
    let window = SsimWindow { size: 5, sigma: 1.25 };
    let pairs = [
        (by_name("l1", &none), l1(s.clone(), t.clone(), None)),
        (by_name("mse", &none), mse(s.clone(), t.clone(), None)),
        (by_name("charbonnier", &none.clone().with("epsilon", 0.5)), charbonnier(s.clone(), t.clone(), None, 0.5)),
        (by_name("gradient", &none), gradient_l1(s.clone(), t.clone(), None)),
        (by_name("frequency", &none), frequency_l1(s.clone(), t.clone(), None)),
        (by_name("ssim", &ssim), one_minus_ssim(s, t, None, 2.0, window)),
    ];
    for (position, (found, expected)) in pairs.into_iter().enumerate() {
        let expected = number(expected);
        assert!((found - expected).abs() < 1e-15 && expected > 0.01, "{position}: {found} and {expected}");
    }
}

#[test]
fn a_masked_pixel_changes_neither_value_nor_gradient_and_nothing_reaches_the_teacher() {
    let mut weights = vec![1.0; 144];
    weights[17] = 0.0;
    let mask: Tensor<4> = tensor(&weights, [1, 1, 12, 12], DType::F64);
    let hole = mask.clone().equal_elem(0.0);
    for (name, parameters) in [
        ("l1", Parameters::new()),
        ("mse", Parameters::new()),
        ("charbonnier", valid("charbonnier")),
        ("gradient", Parameters::new()),
        ("frequency", Parameters::new()),
        ("ssim", valid("ssim").with("window", 3.0)),
    ] {
        let loss = build_image::<4>(name, &parameters).unwrap();
        let student = Tensor::from_inner(image(1)).require_grad();
        let teacher = Tensor::from_inner(image(2)).require_grad();
        let value = loss.forward(student.clone(), teacher.clone(), Some(mask.clone()));
        let gradients = value.backward();
        assert!(teacher.grad(&gradients).is_none(), "{name}");
        let gradient: Vec<f64> = student.grad(&gradients).unwrap().into_data().try_into_vec().unwrap();
        assert!(gradient[17].abs() < 1e-300 && gradient.iter().any(|g| g.abs() > 1e-6), "{name}");

        let broken = image(2).mask_fill(hole.clone(), f64::NAN);
        let with_hole = number(loss.forward(image(1), broken, Some(mask.clone())));
        let whole = number(loss.forward(image(1), image(2), Some(mask.clone())));
        assert!((with_hole - whole).abs() < 1e-15, "{name}");
    }
}

#[test]
fn losses_of_another_kind_are_refused_with_the_reason() {
    assert_eq!(
        refusal("hinton", &valid("hinton")),
        "loss `hinton` does not fit answers that are images: it compares what logits say about classes, and an intensity \
         says nothing about a class\nhint: use `l1`, or another loss between images (`kd losses` lists them)"
    );
    assert!(refusal("pkd", &Parameters::new()).contains("compares features at a pair of taps"));
    let text = refusal("response", &valid("response"));
    assert!(text.ends_with("hint: use `l1` beside the task's own loss, with weights α and 1 − α"), "{text}");
    assert!(build_image::<2>("l1", &Parameters::new()).is_err());
}

#[test]
fn misspelled_missing_and_unfit_parameters_are_named() {
    assert!(refusal("charbonier", &Parameters::new()).ends_with("hint: did you mean `charbonnier`?"));
    assert!(refusal("charbonnier", &Parameters::new()).starts_with("loss `charbonnier` needs parameter `epsilon`"));
    let text = refusal("charbonnier", &Parameters::new().with("epsilon", 0.0));
    assert!(text.starts_with("parameter `epsilon` of loss `charbonnier` must be a number from"), "{text}");
    let text = refusal("l1", &Parameters::new().with("epsilon", 0.1));
    assert!(text.starts_with("loss `l1` has no parameter `epsilon`"), "{text}");
    let text = refusal("ssim", &valid("ssim").with("window", 8.0));
    assert_eq!(text, "parameter `window` of loss `ssim` must be an odd whole number from 3 to 63, found 8");
    let text = refusal("ssim", &valid("ssim").with("window", 7.5));
    assert_eq!(text, "parameter `window` of loss `ssim` must be a whole number from 3 to 63, found 7.5");
}

#[test]
fn images_that_cannot_be_compared_are_refused_before_training() {
    let loss: Box<dyn DistillLoss<4>> = build_image("ssim", &valid("ssim")).unwrap();
    assert!(loss.check(&[4, 1, 16, 11], &[4, 1, 16, 11], Some(&[4, 1, 16, 11])).is_ok());
    let text = loss.check(&[4, 1, 16, 10], &[4, 1, 16, 10], None).unwrap_err().to_string();
    assert!(text.starts_with("ssim window of 11 points needs images at least as long along each axis, found [16, 10]"));
    let text = loss.check(&[4, 1, 32, 32], &[4, 1, 16, 16], None).unwrap_err().to_string();
    assert!(text.contains("[4, 1, 32, 32], found [4, 1, 16, 16]\nhint: networks that answer"), "{text}");
    assert!(matches!(loss.check(&[4, 1], &[4, 1], None), Err(LossError::ImageRank { .. })));
    let mask = loss.check(&[4, 1, 16, 16], &[4, 1, 16, 16], Some(&[4, 2, 16, 16]));
    assert!(matches!(mask, Err(LossError::MaskShape { .. })));
}
