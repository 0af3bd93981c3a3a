//! Closed forms and identities between losses, and the heads on which some of them collapse.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use kd_core::Head;
use kd_core::loss::feature::{FeatureLoss, FitNetHint, HierarchicalContext, PearsonFeatures, Projection};
use kd_core::loss::{
    AdaptiveHinton, Beside, Certainty, ChannelWiseKd, CurriculumTemperature, Dist, DistillLoss, Dkd, HintonKd,
    LogitMse, LossError, MultiLevel, Sizes, SoftCrossEntropy, Standardized, VirtualTeacher, find_published,
    standardize,
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

#[test]
fn pkd_is_half_the_mean_squared_distance_of_standardised_features() {
    let wave = |step: f64| -> Vec<f64> { (0..24).map(|i| 2.0 * (step * f64::from(i)).sin()).collect() };
    let (student, teacher) = (wave(1.7), wave(2.3));
    // [2, 3, 2, 2]: channel c of image n holds positions (3n + c)·4 to (3n + c)·4 + 3.
    let channel = |v: &[f64], c: usize| -> Vec<f64> { [&v[4 * c..4 * c + 4], &v[12 + 4 * c..16 + 4 * c]].concat() };
    let standard = |v: Vec<f64>| -> Vec<f64> {
        let mean = v.iter().sum::<f64>() / 8.0;
        let deviation = (v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 8.0).sqrt();
        v.iter().map(|x| (x - mean) / deviation).collect()
    };
    let by_hand: f64 = (0..3)
        .map(|c| {
            let (s, t) = (standard(channel(&student, c)), standard(channel(&teacher, c)));
            0.5 * s.iter().zip(&t).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 8.0
        })
        .sum::<f64>()
        / 3.0;
    let map = |v: &[f64]| tensor::<4>(v, [2, 3, 2, 2], DType::F64);
    assert_near(scalar(PearsonFeatures.forward(map(&student), map(&teacher), None)), by_hand, 1e-12, 0.0, "1 − ρ");
}

#[test]
fn a_published_weight_has_the_effect_here_that_it_has_in_its_code() {
    let [n, k, h, w] = [3, 4, 2, 5];
    let wave = |step: f64| -> Vec<f64> { (0..n * k * h * w).map(|i| 2.0 * (step * i as f64).sin()).collect() };
    let map = |v: &[f64]| tensor::<4>(v, [n, k, h, w], DType::F64);
    let (s, t) = (map(&wave(1.3)), map(&wave(2.1)));
    let sizes = Sizes { samples: n, classes: k, pixels: h * w };
    let log_softmax = |z: &Tensor<4>| burn::tensor::activation::log_softmax(z.clone(), 1);
    let sum = |x: Tensor<4>| numbers(x).iter().sum::<f64>();
    let cross = -sum(log_softmax(&t).exp() * log_softmax(&s));
    let divergence = cross + sum(log_softmax(&t).exp() * log_softmax(&t));
    let squares = sum((s.clone() - t.clone()) * (s.clone() - t.clone()));
    let ours = |loss: &dyn DistillLoss<4>| distill(loss, &s, &t, None).0;
    let count = |n: usize| n as f64;
    // What each code computes, by its own divisor, beside what our term gives with the translated weight.
    for (loss, name, term, theirs) in [
        ("hinton", "mmrazor-imagenet", ours(&HintonKd::new(tau(1.0))), 3.0 * divergence / count(n)),
        ("hinton", "cirkd-cityscapes", ours(&HintonKd::new(tau(1.0))), divergence / count(n * h * w)),
        ("soft-cross-entropy", "skd-cityscapes", ours(&SoftCrossEntropy::new(tau(1.0))), 10.0 * cross / count(h * w)),
        ("logit-mse", "kd-zoo", ours(&LogitMse::new(false)), 0.1 * squares / count(n * k * h * w)),
    ] {
        let here = find_published(loss, name).unwrap().weight_here(sizes) * term;
        assert_near(here, theirs, 0.0, 1e-12, name);
    }
}

#[test]
fn review_weights_sum_to_one_and_seven_eighths() {
    let sum = |shortest| HierarchicalContext::weights(shortest).iter().map(|(_, weight)| weight).sum::<f64>();
    assert_all_near(&[16, 5, 4, 2, 1].map(sum), &[1.875, 1.875, 1.75, 1.5, 1.0], 0.0, 0.0, "sums of the weights");
}

#[test]
fn a_learned_temperature_starts_at_15_62_and_climbs_against_the_loss() {
    let curriculum = CurriculumTemperature::new(&Device::flex().autodiff());
    assert_near(curriculum.temperature(), 1.0 + 20.0 / (1.0 + (-1f64).exp()), 1e-6, 0.0, "τ₀");
    assert_near(curriculum.temperature(), 15.62, 5e-3, 0.0, "τ₀, rounded");
    let (student, teacher) = (matrix(&[0.5, -1.0, 2.0], 3), matrix(&[2.0, 1.0, -3.0], 3));
    let theta = |module: &CurriculumTemperature| {
        let mut found = None;
        struct Find<'a>(&'a mut Option<Tensor<1>>);
        impl burn::module::ModuleVisitor for Find<'_> {
            fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
                *self.0 = Some(param.val().reshape([1]));
            }
        }
        burn::module::Module::visit(module, &mut Find(&mut found));
        found.expect("one parameter")
    };
    assert_near(scalar(theta(&curriculum)), 1.0, 0.0, 0.0, "θ₀");

    // The value is Hinton's at that temperature; the student's gradient too; θ's has its sign turned and λ as factor.
    let at = |reversal: f64| {
        let leaf = student.clone().autodiff().require_grad();
        let loss = curriculum.forward(leaf.clone(), Beside::new(teacher.clone()), reversal);
        let gradients = loss.backward();
        let mut of_theta = None;
        struct Gradient<'a>(&'a mut Option<f64>, &'a burn::tensor::Gradients);
        impl burn::module::ModuleVisitor for Gradient<'_> {
            fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
                *self.0 = param.val().grad(self.1).map(|gradient| numbers(gradient)[0]);
            }
        }
        burn::module::Module::visit(&curriculum, &mut Gradient(&mut of_theta, &gradients));
        (scalar(loss), numbers(leaf.grad(&gradients).unwrap()), of_theta.expect("θ has a gradient"))
    };
    let hinton = |t: f64| distill(&HintonKd::new(tau(t)), &student, &teacher, None);
    let start = curriculum.temperature();
    let (value, gradient, forward_theta) = at(1.0);
    assert_near(value, hinton(start).0, 1e-6, 1e-6, "value");
    assert_all_near(&gradient, &hinton(start).1, 1e-6, 1e-6, "student");
    // θ is f32, so the chain rule below holds to its digits: dτ/dθ = 20·σ(1)·(1 − σ(1)).
    let slope = (hinton(start + 1e-4).0 - hinton(start - 1e-4).0) / 2e-4;
    let sigma = 1.0 / (1.0 + (-1f64).exp());
    let uphill = slope * 20.0 * sigma * (1.0 - sigma);
    assert_near(forward_theta, -uphill, 1e-6, 1e-4, "reversed");
    assert_near(at(0.5).2, -0.5 * uphill, 1e-6, 1e-4, "half reversed");
    assert!(at(0.0).2.abs() < 1e-12, "no reversal, no movement");
    let ramp = [0, 5, 10, 50].map(|epoch| CurriculumTemperature::reversal(epoch, 10));
    assert_all_near(&ramp, &[0.0, 0.5, 1.0, 1.0], 1e-12, 0.0, "λ");
}

#[test]
fn adaptors_bring_a_student_to_the_teachers_channels_and_get_gradients() {
    let device = Device::flex().autodiff();
    let projection = kd_core::initialize(Projection::new(2, 5, &device), 3);
    let student = Tensor::<4>::ones([2, 2, 3, 3], &device);
    let teacher = Tensor::<4>::ones([2, 5, 3, 3], &Device::flex());
    let loss = FitNetHint.forward(projection.forward(student), teacher, None);
    let gradients = burn::optim::GradientsParams::from_grads(loss.backward(), &projection);
    assert_eq!(gradients.len(), 2, "weight and bias");
}
