//! Input that has no metric is refused by name, and never turned into a number.

use kd_metrics::*;

#[test]
fn probabilities_that_are_none_are_refused() {
    let truth = [0, 1];
    let refused = |p: &[f64]| MulticlassPredictions::new(p, 2, &truth).unwrap_err();
    assert_eq!(refused(&[0.5, 0.5, 1.5, -0.5]), Undefined::NotAProbability { sample: 1, column: 0, found: 1.5 });
    assert!(matches!(refused(&[0.5, 0.5, f64::NAN, 0.5]), Undefined::NotAProbability { sample: 1, column: 0, .. }));
    assert!(matches!(refused(&[0.5, 0.5, 0.9, 0.9]), Undefined::RowSum { sample: 1, .. }));
    assert!(matches!(refused(&[0.5, 0.5]), Undefined::LengthMismatch { expected: 4, found: 2, .. }));
    assert_eq!(BinaryPredictions::new(&[], &[]), Err(Undefined::NoSamples));
    assert!(MultiLabelPredictions::new(&[0.1; 4], 2, &[true; 3]).is_err());
    assert!(MultiLabelPredictions::new(&[], 0, &[]).is_err());
}

#[test]
fn rounded_probabilities_are_taken_as_they_are() {
    let p = MulticlassPredictions::new(&[0.333, 0.333, 0.333], 3, &[2]).unwrap();
    assert_eq!(p.rows().next().unwrap(), [0.333, 0.333, 0.333]);
    assert_eq!(p.predicted(), [0]);
}

#[test]
fn labels_that_the_head_does_not_have_are_refused() {
    let refused = MulticlassPredictions::new(&[0.5, 0.5], 2, &[2]);
    assert_eq!(refused, Err(Undefined::LabelOutOfRange { sample: 0, label: 2, classes: 2 }));
    assert!(ConfusionMatrix::new(&[0, 1], &[0, 3], 3).is_err());
    assert!(ConfusionMatrix::new(&[0], &[0, 0], 3).is_err());
    assert!(ConfusionMatrix::new(&[], &[], 3).is_err());
}

#[test]
fn logits_that_are_not_finite_are_refused() {
    assert!(softmax(&[0.0, f64::INFINITY], 2).is_err());
    assert!(softmax(&[0.0; 5], 2).is_err());
    assert!(sigmoid(&[f64::NAN]).is_err());
    assert!(RankedScores::new(&[f64::NAN, 0.0], &[true, false]).is_err());
    assert!(fit_temperature_multiclass(&[1e308, -1e308, -1e308, 1e308], 2, &[1, 0]).is_err());
}

#[test]
fn one_class_has_no_ranking() {
    let only = |truth| RankedScores::new(&[0.2, 0.7], &[truth; 2]).unwrap();
    assert_eq!(auroc(&only(true)), Err(Undefined::OneClassOnly { positive: true }));
    assert_eq!(auroc(&only(false)), Err(Undefined::OneClassOnly { positive: false }));
    assert_eq!(average_precision(&only(false)), Err(Undefined::OneClassOnly { positive: false }));
    assert!(roc_curve(&only(true)).is_err());
    assert_eq!(auroc_of(&only(true), &[]), Err(Undefined::NoSamples));
}

#[test]
fn zero_divided_by_zero_follows_the_policy() {
    let never = Counts { true_positive: 0, false_positive: 0, false_negative: 3, true_negative: 5 };
    assert!(matches!(
        rate(&never, Rate::Precision, ZeroDivision::Undefined),
        Err(Undefined::ZeroDenominator { rate: "precision", .. })
    ));
    assert_eq!(rate(&never, Rate::Precision, ZeroDivision::Zero), Ok(0.0));
    assert_eq!(rate(&never, Rate::Specificity, ZeroDivision::Undefined), Ok(1.0));
    assert_eq!(macro_rate(&[], Rate::F1, ZeroDivision::Zero, AbsentClass::Skip), Err(Undefined::NoSamples));
    let constant = ConfusionMatrix::new(&[0, 1, 1], &[1, 1, 1], 2).unwrap();
    assert!(matches!(matthews_correlation(&constant), Err(Undefined::ZeroVariance { .. })));
}

#[test]
fn negative_zero_ties_with_zero() {
    let scores = RankedScores::new(&[-0.0, 0.0], &[true, false]).unwrap();
    assert_eq!(auroc(&scores), Ok(0.5));
}

#[test]
fn an_infinite_loss_is_named_and_clipped_only_on_request() {
    let p = Predictions::binary(&[0.9, 1.0], &[true, false]).unwrap();
    assert_eq!(log_loss(&p, Clip::None), Err(Undefined::InfiniteLoss { sample: 1 }));
    let expected = -(0.9_f64.ln() + 1e-3_f64.ln()) / 2.0;
    assert!((log_loss(&p, Clip::At(1e-3)).unwrap() - expected).abs() < 1e-12);
    assert!(log_loss(&p, Clip::At(0.5)).is_err() && log_loss(&p, Clip::At(f64::NAN)).is_err());
}

#[test]
fn temperatures_without_a_minimum_are_refused() {
    let refused = |z: &[f64], t: &[bool]| {
        matches!(fit_temperature_bernoulli(z, t), Err(Undefined::TemperatureNotIdentifiable { .. }))
    };
    assert!(refused(&[3.0, -2.0, 1.0], &[true, false, true]), "every decision right");
    assert!(refused(&[3.0, -2.0, 1.0], &[false, true, false]), "worse than chance");
    assert!(refused(&[0.0, 0.0], &[true, false]), "no logit differs");
    assert!(fit_temperature_multiclass(&[1.0, 1.0, 2.0, 2.0], 2, &[0, 1]).is_err());
    assert_eq!(fit_temperature_bernoulli(&[], &[]), Err(Undefined::NoSamples));
}

#[test]
fn heads_that_do_not_fit_a_policy_are_refused() {
    let three = Predictions::multiclass(&[0.2, 0.3, 0.5], 3, &[2]).unwrap();
    let one = Predictions::binary(&[0.2, 0.9], &[false, true]).unwrap();
    assert!(matches!(reliability(&three, Confidence::PositiveClass, 5), Err(Undefined::HeadMismatch { .. })));
    assert!(matches!(reliability(&one, Confidence::TopLabel, 5), Err(Undefined::HeadMismatch { .. })));
    assert!(reliability(&one, Confidence::PositiveClass, 0).is_err());
    assert!(matches!(medmnist_auc(&three, MedmnistTask::BinaryClass), Err(Undefined::HeadMismatch { .. })));
    assert!(matches!(medmnist_accuracy(&one, MedmnistTask::MultiLabel), Err(Undefined::HeadMismatch { .. })));
}

#[test]
fn certain_and_right_is_perfectly_calibrated() {
    let sure = Predictions::multiclass(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], 3, &[0, 1]).unwrap();
    assert_eq!(expected_calibration_error(&sure, Confidence::TopLabel, 15), Ok(0.0));
    let wrong = Predictions::multiclass(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], 3, &[1, 0]).unwrap();
    assert_eq!(expected_calibration_error(&wrong, Confidence::TopLabel, 15), Ok(1.0));
}

#[test]
fn operating_points_that_do_not_exist_are_refused() {
    let backwards = BinaryPredictions::new(&[0.9, 0.1], &[false, true]).unwrap();
    let chosen = |criterion| choose_operating_point(&backwards, criterion);
    assert!(matches!(chosen(Criterion::Youden), Err(Undefined::NoOperatingPoint { .. })));
    assert!(matches!(chosen(Criterion::SpecificityAtLeast(0.5)), Err(Undefined::NoOperatingPoint { .. })));
    assert!(chosen(Criterion::SensitivityAtLeast(0.0)).is_err());
    assert_eq!(chosen(Criterion::Half).map(|point| point.sensitivity), Ok(0.0));
}

#[test]
fn delong_without_variance_is_refused() {
    let truth = [false, false, true, true];
    let perfect = RankedScores::new(&[0.1, 0.2, 0.8, 0.9], &truth).unwrap();
    assert!(matches!(delong(&perfect, 0.95), Err(Undefined::ZeroVariance { .. })));
    let single = RankedScores::new(&[0.1, 0.2, 0.9], &[false, false, true]).unwrap();
    assert!(matches!(delong(&single, 0.95), Err(Undefined::NotEnough { what: "positive samples", .. })));
    let mixed = RankedScores::new(&[0.1, 0.7, 0.3, 0.9], &truth).unwrap();
    assert!(matches!(delong_test(&mixed, &mixed, 0.95), Err(Undefined::ZeroVariance { .. })));
    let other = RankedScores::new(&[0.1, 0.7, 0.3, 0.9], &[false, true, true, false]).unwrap();
    assert_eq!(delong_test(&mixed, &other, 0.95), Err(Undefined::TruthMismatch { sample: 1 }));
    assert!(delong(&mixed, 1.0).is_err());
}

#[test]
fn small_tests_and_shares_are_checked() {
    assert_eq!(
        Mcnemar::new(&[true, false], &[true, false]).unwrap().exact_p_value(),
        Err(Undefined::NoDiscordantPairs)
    );
    let counted = Mcnemar::new(&[true, true, false], &[false, true, true]).unwrap();
    assert_eq!((counted.only_first, counted.only_second), (1, 1));
    assert!(wilson_interval(3, 2, 0.95).is_err() && wilson_interval(0, 0, 0.95).is_err());
    assert!(holm(&[0.2, f64::NAN]).is_err() && holm(&[]).is_err());
}

#[test]
fn messages_name_what_was_expected_and_found() {
    let message = Undefined::RowSum { sample: 4, found: 2.5 }.to_string();
    assert!(message.starts_with("sample 4: expected probabilities with the sum 1, found 2.5\nhint: "));
    let message = Undefined::InClass { class: 2, cause: Box::new(Undefined::OneClassOnly { positive: false }) };
    assert_eq!(message.to_string(), "class 2: expected positive and negative samples, found negative ones only");
}
