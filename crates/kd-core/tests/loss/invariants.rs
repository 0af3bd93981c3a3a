//! What must hold whatever the numbers are: closed forms, identities between losses, masks, scale.

use burn::tensor::{DType, Tensor};
use kd_core::loss::{BernoulliKd, DistillLoss, HintonKd, LogitMse, SoftCrossEntropy};
use proptest::prelude::*;

use crate::tensors::{assert_all_near, assert_near, distill, scalar, tau, tensor};

/// Rounding of float64 through sums of some tens of terms of order 1 to 100.
const ROUNDING: f64 = 1e-10;

fn matrix(values: &[f64], classes: usize) -> Tensor<2> {
    tensor(values, [values.len() / classes, classes], DType::F64)
}

fn every_loss<const D: usize>(temperature: f64) -> Vec<Box<dyn DistillLoss<D>>> {
    vec![
        Box::new(HintonKd::new(tau(temperature))),
        Box::new(SoftCrossEntropy::new(tau(temperature))),
        Box::new(BernoulliKd::new(tau(temperature))),
        Box::new(LogitMse::new(false)),
        Box::new(LogitMse::new(true)),
    ]
}

#[test]
fn hinton_has_its_closed_form_and_its_limit() {
    let (student, teacher) = (matrix(&[0.0, 0.0], 2), matrix(&[3f64.ln(), 0.0], 2));
    let at = |t: f64| distill(&HintonKd::new(tau(t)), &student, &teacher, None).0;
    let exact = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
    assert_near(at(1.0), exact, 1e-14, 0.0, "τ = 1");
    assert_near(at(1.0), 0.13081, 5e-6, 0.0, "τ = 1, rounded");
    assert_near(at(2.0), 0.14536, 5e-6, 0.0, "τ = 2");
    assert_near(at(100.0), 0.15087, 1e-5, 0.0, "τ = 100");
}

#[test]
fn hinton_at_high_temperature_is_centered_logit_matching_over_the_classes() {
    let student = matrix(&[1.0, -0.5, 0.25, 2.0, 0.0, -1.0, 0.5, 0.75, -2.0, 1.5], 5);
    let teacher = matrix(&[0.5, 1.5, -1.0, 0.0, 3.0, 2.0, -0.5, 1.0, 0.25, -1.25], 5);
    let (hinton, gradient) = distill(&HintonKd::new(tau(100.0)), &student, &teacher, None);
    let (matching, limit) = distill(&LogitMse::new(true), &student, &teacher, None);
    // The next term of the expansion is of order z/τ = 0.03 of the first.
    assert_near(hinton, matching / 5.0, 0.0, 0.03, "value");
    let limit: Vec<f64> = limit.iter().map(|g| g / 5.0).collect();
    assert_all_near(&gradient, &limit, 0.01, 0.0, "gradient");
}

#[test]
fn a_mask_without_a_valid_position_gives_exactly_zero_and_a_zero_gradient() {
    let student = matrix(&[1.0, 2.0, -3.0, 0.5], 2);
    let teacher = matrix(&[f64::NAN, 1.0, 1e4, -1e4], 2);
    let nothing = tensor(&[0.0, 0.0], [2, 1], DType::F64);
    for loss in every_loss(2.0) {
        let (value, gradient) = distill(&*loss, &student, &teacher, Some(&nothing));
        assert!(value == 0.0 && gradient.iter().all(|g| *g == 0.0), "{}: {value} {gradient:?}", loss.name());
    }
}

#[test]
fn whatever_stands_at_a_masked_pixel_changes_neither_value_nor_gradient() {
    let dims = [1, 2, 2, 3];
    let mask = tensor(&[1.0, 0.0, 1.0, 1.0, 1.0, 0.0], [1, 1, 2, 3], DType::F64);
    let numbers = |hidden: f64, phase: f64| -> Vec<f64> {
        (0..12).map(|i| if i % 6 == 1 || i % 6 == 5 { hidden } else { (f64::from(i) + phase).sin() }).collect()
    };
    for loss in every_loss::<4>(3.0) {
        let run = |hidden_s: f64, hidden_t: f64| {
            let student = tensor(&numbers(hidden_s, 0.0), dims, DType::F64);
            distill(&*loss, &student, &tensor(&numbers(hidden_t, 2.0), dims, DType::F64), Some(&mask))
        };
        let (value, gradient) = run(0.5, -0.25);
        for (s, t) in [(1e4, -1e4), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            let (other, other_gradient) = run(s, t);
            assert!(value.to_bits() == other.to_bits(), "{} {s} {t}: {value} {other}", loss.name());
            assert_eq!(gradient, other_gradient, "{} {s} {t}", loss.name());
        }
        for hidden in [1, 5, 7, 11] {
            assert!(gradient[hidden] == 0.0, "{}", loss.name());
        }
        assert!(gradient[0] != 0.0 && gradient[2] != 0.0, "{}", loss.name());
    }
}

#[test]
fn one_weight_per_image_masks_the_whole_image() {
    let values: Vec<f64> = (0..24).map(|i| (f64::from(i) * 0.9).sin()).collect();
    let student = tensor::<4>(&values, [2, 3, 2, 2], DType::F64);
    let teacher = student.clone().mul_scalar(-2.0);
    let second = tensor::<4>(&[0.0, 1.0], [2, 1, 1, 1], DType::F64);
    for loss in every_loss(2.0) {
        let masked = scalar(loss.forward(student.clone(), teacher.clone(), Some(second.clone())));
        let alone = scalar(loss.forward(student.clone().narrow(0, 1, 1), teacher.clone().narrow(0, 1, 1), None));
        assert_near(masked, alone, ROUNDING, 0.0, loss.name());
    }
}

#[test]
fn the_divisor_is_the_number_of_positions_so_map_size_batch_and_dimension_do_not_change_the_scale() {
    let (student, teacher) = ([0.5, -1.0, 2.0], [1.5, 0.0, -0.5]);
    let constant = |column: [f64; 3], batch: usize, positions: usize| -> Vec<f64> {
        (0..batch).flat_map(|_| column.iter().flat_map(move |v| vec![*v; positions])).collect()
    };
    let pooled = every_loss::<2>(4.0)
        .iter()
        .map(|loss| distill(&**loss, &matrix(&student, 3), &matrix(&teacher, 3), None).0)
        .collect::<Vec<_>>();
    for (height, width) in [(1, 1), (4, 4), (16, 8)] {
        for batch in [1, 5] {
            let map = |column| tensor(&constant(column, batch, height * width), [batch, 3, height, width], DType::F64);
            let volume =
                |column| tensor(&constant(column, batch, 2 * height * width), [batch, 3, 2, height, width], DType::F64);
            for (i, expected) in pooled.iter().enumerate() {
                let what = format!("{} {batch}×{height}×{width}", every_loss::<4>(4.0)[i].name());
                let dense = distill(&*every_loss(4.0)[i], &map(student), &map(teacher), None).0;
                assert_near(dense, *expected, ROUNDING, 0.0, &what);
                let dense = distill(&*every_loss(4.0)[i], &volume(student), &volume(teacher), None).0;
                assert_near(dense, *expected, ROUNDING, 0.0, &what);
            }
        }
    }
}

#[test]
fn extreme_logits_stay_finite_in_single_precision() {
    let student = tensor::<2>(&[1e4, -1e4, -1e4, 1e4, 1e4, 1e4], [3, 2], DType::F32);
    let teacher = tensor::<2>(&[-1e4, 1e4, -1e4, 1e4, -1e4, -1e4], [3, 2], DType::F32);
    for temperature in [0.01, 1.0, 100.0] {
        for loss in every_loss(temperature) {
            let (value, gradient) = distill(&*loss, &student, &teacher, None);
            assert!(value.is_finite() && value >= 0.0, "{} {value}", loss.name());
            assert!(gradient.iter().all(|g| g.is_finite()), "{} {gradient:?}", loss.name());
        }
    }
}

fn logits(count: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-6.0f64..6.0, count)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn equal_logits_give_zero_gradient_and_zero_loss_or_the_floor(z in logits(12), t in 0.5f64..20.0) {
        let logits = matrix(&z, 4);
        for loss in every_loss(t) {
            let (value, gradient) = distill(&*loss, &logits, &logits, None);
            assert_all_near(&gradient, &[0.0; 12], ROUNDING, 0.0, loss.name());
            if loss.name() == "soft-cross-entropy" {
                prop_assert!(value > 0.0);
            } else {
                assert_near(value, 0.0, 1e-12 * t * t, 0.0, loss.name());
            }
        }
    }

    #[test]
    fn divergences_are_never_negative(s in logits(12), z in logits(12), t in 0.5f64..20.0) {
        for loss in every_loss(t) {
            prop_assert!(distill(&*loss, &matrix(&s, 4), &matrix(&z, 4), None).0 >= -1e-12, "{}", loss.name());
        }
    }

    #[test]
    fn a_constant_on_all_logits_is_seen_only_by_losses_without_a_softmax(
        s in logits(12), z in logits(12), c in 1.0f64..9.0, t in 0.5f64..20.0,
    ) {
        let (student, teacher) = (matrix(&s, 4), matrix(&z, 4));
        let (moved_s, moved_t) = (student.clone().add_scalar(c), teacher.clone().add_scalar(-2.0 * c));
        for loss in [&HintonKd::new(tau(t)) as &dyn DistillLoss<2>, &SoftCrossEntropy::new(tau(t)), &LogitMse::new(true)] {
            let (value, gradient) = distill(loss, &student, &teacher, None);
            let (moved, moved_gradient) = distill(loss, &moved_s, &moved_t, None);
            assert_near(moved, value, ROUNDING, ROUNDING, loss.name());
            assert_all_near(&moved_gradient, &gradient, ROUNDING, 0.0, loss.name());
        }
        let plain = |s: &Tensor<2>, t: &Tensor<2>| distill(&LogitMse::new(false), s, t, None).0;
        prop_assert!((plain(&student, &student) - plain(&moved_s, &student)).abs() > 0.1);
    }

    #[test]
    fn soft_cross_entropy_is_hinton_plus_the_teachers_entropy(s in logits(12), z in logits(12), t in 0.5f64..20.0) {
        let (student, teacher) = (matrix(&s, 4), matrix(&z, 4));
        let (hinton, hinton_gradient) = distill(&HintonKd::new(tau(t)), &student, &teacher, None);
        let (soft, soft_gradient) = distill(&SoftCrossEntropy::new(tau(t)), &student, &teacher, None);
        let entropy: f64 = z.chunks(4).map(|row| {
            let e: Vec<f64> = row.iter().map(|v| (v / t).exp()).collect();
            let total: f64 = e.iter().sum();
            -e.iter().map(|v| v / total * (v / total).ln()).sum::<f64>()
        }).sum::<f64>() / 3.0;
        assert_near(soft - t * t * entropy, hinton, ROUNDING, ROUNDING, "value");
        assert_all_near(&soft_gradient, &hinton_gradient, ROUNDING, 0.0, "gradient");
    }

    #[test]
    fn bernoulli_is_two_class_hinton_with_a_second_logit_of_zero(s in logits(5), z in logits(5), t in 0.5f64..20.0) {
        let one = distill(&BernoulliKd::new(tau(t)), &matrix(&s, 1), &matrix(&z, 1), None);
        let pairs = |v: &[f64]| v.iter().flat_map(|x| [*x, 0.0]).collect::<Vec<_>>();
        let two = distill(&HintonKd::new(tau(t)), &matrix(&pairs(&s), 2), &matrix(&pairs(&z), 2), None);
        assert_near(one.0, two.0, ROUNDING, ROUNDING, "value");
        let first: Vec<f64> = two.1.iter().step_by(2).copied().collect();
        assert_all_near(&one.1, &first, ROUNDING, 0.0, "gradient");
    }

    #[test]
    fn several_labels_are_the_sum_of_one_channel_each(s in logits(12), z in logits(12), t in 0.5f64..20.0) {
        let together = distill(&BernoulliKd::new(tau(t)), &matrix(&s, 4), &matrix(&z, 4), None).0;
        let column = |v: &[f64], c: usize| v.iter().skip(c).step_by(4).copied().collect::<Vec<_>>();
        let apart: f64 = (0..4)
            .map(|c| distill(&BernoulliKd::new(tau(t)), &matrix(&column(&s, c), 1), &matrix(&column(&z, c), 1), None).0)
            .sum();
        assert_near(together, apart, ROUNDING, ROUNDING, "sum over labels");
    }
}
