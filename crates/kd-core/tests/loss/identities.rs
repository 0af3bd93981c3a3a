//! Closed forms and identities between losses, and the heads on which some of them collapse.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use kd_core::Head;
use kd_core::loss::{
    AdaptiveHinton, Beside, Certainty, ChannelWiseKd, Dist, DistillLoss, Dkd, HintonKd, LossError, MultiLevel,
    Standardized, VirtualTeacher, standardize,
};
use proptest::prelude::*;

use crate::tensors::{assert_all_near, assert_near, distill, numbers, scalar, tau, tensor, value_and_gradient};

/// Rounding of float64 through sums of some tens of terms of order 1 to 100.
const ROUNDING: f64 = 1e-10;

fn matrix(values: &[f64], classes: usize) -> Tensor<2> {
    tensor(values, [values.len() / classes, classes], DType::F64)
}

fn label(class: i32) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(vec![class], [1, 1]), &Device::flex())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn hinton_is_the_target_term_plus_doubt_times_the_non_target_term(
        s in prop::collection::vec(-6.0f64..6.0, 7), z in prop::collection::vec(-6.0f64..6.0, 7),
        class in 0i32..7, t in 0.5f64..20.0,
    ) {
        let (student, teacher) = (matrix(&s, 7), matrix(&z, 7));
        let part = |alpha: f64, beta: f64| {
            let beside = Beside::new(teacher.clone()).with_labels(Some(label(class)));
            value_and_gradient(student.clone(), |s| Dkd::new(tau(t), alpha, beta).evaluate(s, beside))
        };
        let soft: Vec<f64> = z.iter().map(|v| (v / t).exp()).collect();
        let doubt = 1.0 - soft[class as usize] / soft.iter().sum::<f64>();
        let (whole, gradient) = distill(&HintonKd::new(tau(t)), &student, &teacher, None);
        let (found, found_gradient) = part(1.0, doubt);
        assert_near(found, whole, ROUNDING, ROUNDING, "value");
        assert_all_near(&found_gradient, &gradient, ROUNDING, ROUNDING, "gradient");
        assert_near(part(1.0, 0.0).0 + doubt * part(0.0, 1.0).0, whole, ROUNDING, ROUNDING, "sum of parts");
    }

    #[test]
    fn one_channel_map_is_one_hinton_over_its_pixels(
        s in prop::collection::vec(-6.0f64..6.0, 6), z in prop::collection::vec(-6.0f64..6.0, 6), t in 0.5f64..20.0,
    ) {
        let map = |v: &[f64]| tensor::<4>(v, [1, 1, 2, 3], DType::F64);
        let channel_wise = distill(&ChannelWiseKd::new(tau(t)), &map(&s), &map(&z), None);
        let hinton = distill(&HintonKd::new(tau(t)), &matrix(&s, 6), &matrix(&z, 6), None);
        assert_near(channel_wise.0, hinton.0, ROUNDING, ROUNDING, "value");
        assert_all_near(&channel_wise.1, &hinton.1, ROUNDING, ROUNDING, "gradient");
    }

    #[test]
    fn one_temperature_for_all_is_hinton(
        s in prop::collection::vec(-6.0f64..6.0, 12), z in prop::collection::vec(-6.0f64..6.0, 12), t in 0.5f64..20.0,
    ) {
        let (student, teacher) = (matrix(&s, 4), matrix(&z, 4));
        let hinton = distill(&HintonKd::new(tau(t)), &student, &teacher, None);
        for certainty in [Certainty::Entropy, Certainty::Confidence] {
            let adaptive = distill(&AdaptiveHinton::new(certainty, tau(t), tau(t)), &student, &teacher, None);
            assert_near(adaptive.0, hinton.0, ROUNDING, ROUNDING, "value");
            assert_all_near(&adaptive.1, &hinton.1, ROUNDING, ROUNDING, "gradient");
        }
    }

    #[test]
    fn dist_is_unchanged_by_a_positive_affine_map_of_the_teachers_probabilities(
        s in prop::collection::vec(-3.0f64..3.0, 12), z in prop::collection::vec(-3.0f64..3.0, 12), a in 0.2f64..0.9,
    ) {
        // p ↦ a·p + (1−a)/K keeps rows sums of 1, so it is again a softmax, of its logarithm.
        let (student, teacher) = (matrix(&s, 4), matrix(&z, 4));
        let p = burn::tensor::activation::softmax(teacher.clone(), 1);
        let mapped = p.mul_scalar(a).add_scalar((1.0 - a) / 4.0).log();
        let loss = Dist::new(tau(1.0), 1.0, 1.0, Head::Softmax { classes: 4 }).unwrap();
        let value = |teacher: &Tensor<2>| distill(&loss, &student, teacher, None).0;
        assert_near(value(&mapped), value(&teacher), 1e-9, 0.0, "affine teacher");
    }
}

#[test]
fn two_classes_collapse_where_the_table_says_so() {
    // What is refused, computed by hand: nothing is left for a student to learn.
    let two = standardize(matrix(&[3.0, -1.0, 0.2, 0.1], 2));
    let half = 0.5f64.sqrt();
    // ε = 1e-7 inside of the root against differences of 4 and of 0.1.
    assert_all_near(&numbers(two), &[half, -half, half, -half], 1e-11, 0.0, "sign only");
    let beside = |labels| Beside::new(matrix(&[0.3, -0.4], 2)).with_labels(Some(labels));
    let dkd = std::panic::catch_unwind(|| {
        scalar(Dkd::new(tau(1.0), 1.0, 1.0).evaluate(matrix(&[1.0, 0.0], 2), beside(label(0))))
    });
    assert!(dkd.is_err(), "dkd on two classes is refused");
    for head in [Head::OneChannel, Head::TwoClassSoftmax, Head::MultiLabel { labels: 4 }, Head::Ordinal { classes: 4 }]
    {
        assert!(
            matches!(Dist::new(tau(1.0), 1.0, 1.0, head), Err(LossError::FewerThanThree { .. })),
            "{}",
            head.name()
        );
        assert!(Dist::new(tau(1.0), 0.0, 1.0, head).is_ok(), "{}", head.name());
    }
}

#[test]
fn losses_with_labels_are_refused_without_them_and_with_labels_of_another_shape() {
    let student = matrix(&[0.0, 1.0, 2.0], 3);
    let loss = Dkd::new(tau(1.0), 1.0, 1.0);
    let message = |beside: Beside<2>| {
        let student = student.clone();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| loss.evaluate(student, beside)));
        *panicked.expect_err("refused").downcast::<String>().expect("words")
    };
    assert!(
        message(Beside::new(student.clone())).starts_with("dkd: dkd needs a label per sample or pixel, found none")
    );
    let wrong = Tensor::<2, Int>::from_data([[0, 1]], &Device::flex());
    let text = message(Beside::new(student.clone()).with_labels(Some(wrong)));
    assert_eq!(text, "dkd: labels must have shape [1, 1] for logits [1, 3], found [1, 2]");
}

#[test]
fn impossible_numbers_are_refused() {
    assert!(Dist::new(tau(1.0), 0.0, 0.0, Head::Softmax { classes: 3 }).is_err());
    assert!(Dist::new(tau(1.0), -1.0, 2.0, Head::Softmax { classes: 3 }).is_err());
    assert!(MultiLevel::new(0, 3).is_err() && MultiLevel::new(4, 3).is_err() && MultiLevel::new(2, 101).is_err());
    for probability in [0.0, 1.0, f64::NAN] {
        assert!(VirtualTeacher::new(tau(1.0), probability).is_err());
    }
}

#[test]
fn a_student_that_is_the_teacher_but_for_location_and_scale_has_nothing_to_learn_when_standardised() {
    let teacher = matrix(&[1.0, -2.0, 0.5, 3.0, 0.0, -1.0], 3);
    let student = teacher.clone().mul_scalar(3.0).add_scalar(-4.0);
    let loss = Standardized::new(Box::new(HintonKd::new(tau(2.0))));
    let (value, gradient) = distill(&loss, &student, &teacher, None);
    assert_near(value, 0.0, 1e-12, 0.0, "value");
    assert_all_near(&gradient, &[0.0; 6], 1e-12, 0.0, "gradient");
}
