//! What must hold for any input.

use kd_metrics::*;
use proptest::prelude::*;

/// Scores on a coarse grid, so that ties are common, with both classes present.
fn scored() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    prop::collection::vec((0_u8..12, any::<bool>()), 4..60)
        .prop_filter("both classes", |v| v.iter().any(|x| x.1) && v.iter().any(|x| !x.1))
        .prop_map(|v| v.into_iter().map(|(s, t)| (f64::from(s) / 11.0, t)).unzip())
}

/// Pairs of labels of four classes.
fn labeled() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0_usize..4, 0_usize..4), 2..80)
}

fn matrix(pairs: &[(usize, usize)]) -> ConfusionMatrix {
    let (truth, predicted): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    ConfusionMatrix::new(&truth, &predicted, 4).unwrap()
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

proptest! {
    #[test]
    fn auroc_does_not_change_under_a_rising_map((scores, truth) in scored()) {
        let mapped: Vec<f64> = scores.iter().map(|s| (3.0 * s).exp() - 40.0).collect();
        let (a, b) = (RankedScores::new(&scores, &truth).unwrap(), RankedScores::new(&mapped, &truth).unwrap());
        prop_assert_eq!(auroc(&a).unwrap().to_bits(), auroc(&b).unwrap().to_bits());
        prop_assert_eq!(average_precision(&a).unwrap().to_bits(), average_precision(&b).unwrap().to_bits());
    }

    #[test]
    fn swapped_labels_turn_auroc_round((scores, truth) in scored()) {
        let swapped: Vec<bool> = truth.iter().map(|t| !t).collect();
        let a = auroc(&RankedScores::new(&scores, &truth).unwrap()).unwrap();
        let b = auroc(&RankedScores::new(&scores, &swapped).unwrap()).unwrap();
        prop_assert!(same(a + b, 1.0));
    }

    #[test]
    fn auroc_equals_the_count_over_all_pairs((scores, truth) in scored()) {
        let (mut won, mut pairs) = (0.0, 0.0);
        for (a, _) in scores.iter().zip(&truth).filter(|x| *x.1) {
            for (b, _) in scores.iter().zip(&truth).filter(|x| !*x.1) {
                pairs += 1.0;
                won += if a > b { 1.0 } else if a < b { 0.0 } else { 0.5 };
            }
        }
        prop_assert!(same(auroc(&RankedScores::new(&scores, &truth).unwrap()).unwrap(), won / pairs));
    }

    #[test]
    fn the_order_of_samples_changes_no_bit((scores, truth) in scored(), turn in 1_usize..50) {
        let order: Vec<usize> = (0..scores.len()).map(|i| (i + turn) % scores.len()).rev().collect();
        let p = BinaryPredictions::new(&scores, &truth).unwrap();
        let q = p.select(&order);
        prop_assert_eq!(auroc(&p.ranked()).unwrap().to_bits(), auroc(&q.ranked()).unwrap().to_bits());
        prop_assert_eq!(
            average_precision(&p.ranked()).unwrap().to_bits(),
            average_precision(&q.ranked()).unwrap().to_bits()
        );
        prop_assert_eq!(roc_curve(&p.ranked()).unwrap(), roc_curve(&q.ranked()).unwrap());
        let of = |p| expected_calibration_error(&Predictions::Binary(p), Confidence::PositiveClass, 5).unwrap();
        prop_assert_eq!(of(p).to_bits(), of(q).to_bits());
    }

    #[test]
    fn a_draw_counted_equals_a_draw_sorted((scores, truth) in scored(), seed in any::<u32>()) {
        let ranked = RankedScores::new(&scores, &truth).unwrap();
        let drawn: Vec<usize> =
            (0..scores.len()).map(|i| (i * 7 + seed as usize) * (i + 3) % scores.len()).collect();
        let p = BinaryPredictions::new(&scores, &truth).unwrap().select(&drawn).ranked();
        prop_assert_eq!(auroc_of(&ranked, &drawn), auroc(&p));
        prop_assert_eq!(roc_curve_of(&ranked, &drawn), roc_curve(&p));
        prop_assert_eq!(average_precision_of(&ranked, &drawn), average_precision(&p));
    }

    #[test]
    fn raters_who_agree_have_kappa_and_mcc_one(pairs in labeled()) {
        let equal: Vec<_> = pairs.iter().map(|&(t, _)| (t, t)).collect();
        let m = matrix(&equal);
        let constant = equal.iter().all(|pair| *pair == equal[0]);
        for weights in [KappaWeights::Unweighted, KappaWeights::Linear, KappaWeights::Quadratic] {
            match cohen_kappa(&m, weights) {
                Ok(value) => prop_assert!(same(value, 1.0) && !constant),
                Err(reason) => {
                    let zero_variance = matches!(reason, Undefined::ZeroVariance { .. });
                    prop_assert!(constant && zero_variance);
                }
            }
        }
        prop_assert_eq!(matthews_correlation(&m).is_ok(), !constant);
    }

    #[test]
    fn kappa_and_mcc_are_symmetric_in_the_raters(pairs in labeled()) {
        let (m, t) = (matrix(&pairs), matrix(&pairs.iter().map(|&(a, b)| (b, a)).collect::<Vec<_>>()));
        if let Ok(value) = cohen_kappa(&m, KappaWeights::Quadratic) {
            prop_assert!(same(value, cohen_kappa(&t, KappaWeights::Quadratic).unwrap()));
        }
        if let Ok(value) = matthews_correlation(&m) {
            prop_assert!(same(value, matthews_correlation(&t).unwrap()) && value.abs() <= 1.0 + 1e-12);
        }
    }

    #[test]
    fn micro_rates_of_one_label_per_sample_are_the_accuracy(pairs in labeled()) {
        let m = matrix(&pairs);
        for which in [Rate::Precision, Rate::Recall, Rate::F1] {
            let micro = micro_rate(&m.one_vs_rest(), which, ZeroDivision::Undefined).unwrap();
            prop_assert!(same(micro, accuracy(&m).unwrap()));
        }
    }

    #[test]
    fn reliability_bins_hold_every_sample_and_rise((scores, truth) in scored(), bins in 1_usize..20) {
        let p = Predictions::binary(&scores, &truth).unwrap();
        let curve = reliability(&p, Confidence::PositiveClass, bins).unwrap();
        prop_assert_eq!(curve.bins().iter().map(|b| b.samples).sum::<usize>(), scores.len());
        prop_assert!(curve.bins().len() <= bins);
        prop_assert!(curve.bins().windows(2).all(|w| w[0].high < w[1].low));
    }

    #[test]
    fn sensitivity_on_the_curve_never_falls((scores, truth) in scored()) {
        let curve = roc_curve(&RankedScores::new(&scores, &truth).unwrap()).unwrap();
        let grid: Vec<f64> = (0..=40).map(|i| curve.sensitivity_at(f64::from(i) / 40.0).unwrap()).collect();
        prop_assert!(grid.windows(2).all(|w| w[0] <= w[1] + 1e-12));
        prop_assert!(same(grid[40], 1.0));
    }

    #[test]
    fn an_operating_point_keeps_its_promise((scores, truth) in scored(), target in 0.05_f64..1.0) {
        let p = BinaryPredictions::new(&scores, &truth).unwrap();
        let achieved = |point: OperatingPoint, which| {
            rate(&p.counts(point.cut), which, ZeroDivision::Undefined).unwrap()
        };
        let point = choose_operating_point(&p, Criterion::SensitivityAtLeast(target)).unwrap();
        prop_assert!(achieved(point, Rate::Recall) >= target);
        prop_assert!(same(achieved(point, Rate::Specificity), point.specificity));
        if let Ok(point) = choose_operating_point(&p, Criterion::SpecificityAtLeast(target)) {
            prop_assert!(achieved(point, Rate::Specificity) >= target - 1e-12);
        }
    }

    #[test]
    fn scaled_logits_scale_the_fitted_temperature(scale in 0.3_f64..3.0) {
        let logits = [2.0, -1.0, 0.5, 3.0, -2.0, 1.0, 0.2, -0.7];
        let truth = [true, false, false, true, true, true, false, false];
        let scaled: Vec<f64> = logits.iter().map(|z| z * scale).collect();
        let base = fit_temperature_bernoulli(&logits, &truth).unwrap();
        let other = fit_temperature_bernoulli(&scaled, &truth).unwrap();
        prop_assert!((other.temperature / base.temperature / scale - 1.0).abs() < 1e-9);
        prop_assert!((other.log_loss_after - base.log_loss_after).abs() < 1e-12);
    }

    #[test]
    fn two_class_softmax_and_one_channel_agree(margins in prop::collection::vec((-4.0_f64..4.0, any::<bool>()), 2..40)) {
        let pairs: Vec<f64> = margins.iter().flat_map(|&(z, _)| [0.0, z]).collect();
        let single: Vec<f64> = margins.iter().map(|m| m.0).collect();
        let yes: Vec<bool> = margins.iter().map(|m| m.1).collect();
        let classes: Vec<usize> = yes.iter().map(|&t| usize::from(t)).collect();
        let two = Predictions::multiclass(&softmax(&pairs, 2).unwrap(), 2, &classes).unwrap();
        let one = Predictions::binary(&sigmoid(&single).unwrap(), &yes).unwrap();
        prop_assert!(same(log_loss(&two, Clip::None).unwrap(), log_loss(&one, Clip::None).unwrap()));
        if let (Predictions::Multiclass(two), Predictions::Binary(one)) = (&two, &one) {
            prop_assert!(same(brier_multiclass(two).unwrap(), 2.0 * brier_binary(one).unwrap()));
        }
        let fitted = (fit_temperature_multiclass(&pairs, 2, &classes), fit_temperature_bernoulli(&single, &yes));
        match fitted {
            (Ok(a), Ok(b)) => prop_assert!((a.temperature / b.temperature - 1.0).abs() < 1e-6),
            (a, b) => prop_assert_eq!(a.is_ok(), b.is_ok()),
        }
    }

    #[test]
    fn percentile_interval_of_a_mean_holds_the_mean(values in prop::collection::vec(-5.0_f64..5.0, 8..40), seed in any::<u64>()) {
        let mean = |drawn: &[usize]| Ok(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64);
        let grouping = Grouping::each_sample(values.len()).unwrap();
        let all: Vec<usize> = (0..values.len()).collect();
        let plan = BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 400, level: 0.95, seed };
        let interval = bootstrap_interval(&grouping, &mean, plan).unwrap();
        prop_assert!(interval.contains(mean(&all).unwrap()));
    }

    #[test]
    fn holm_keeps_order_and_never_lowers_a_p_value(p in prop::collection::vec(0.0_f64..=1.0, 1..20)) {
        let adjusted = holm(&p).unwrap();
        for i in 0..p.len() {
            prop_assert!(adjusted[i] >= p[i] && adjusted[i] <= 1.0);
            prop_assert!((0..p.len()).all(|j| p[i] > p[j] || adjusted[i] <= adjusted[j]));
        }
    }

    #[test]
    fn wilson_holds_the_share_and_mirrors(total in 1_u64..500, part in 0.0_f64..=1.0) {
        let successes = (total as f64 * part) as u64;
        let interval = wilson_interval(successes, total, 0.95).unwrap();
        let mirrored = wilson_interval(total - successes, total, 0.95).unwrap();
        prop_assert!(interval.contains(successes as f64 / total as f64));
        prop_assert!(same(interval.low, 1.0 - mirrored.high) && interval.low < interval.high);
    }

    #[test]
    fn no_metric_gives_nan((scores, truth) in scored()) {
        let p = BinaryPredictions::new(&scores, &truth).unwrap();
        let m = p.confusion(Cut::AtLeast(0.5));
        let predictions = Predictions::Binary(p.clone());
        let found = [
            accuracy(&m),
            balanced_accuracy(&m, AbsentClass::Undefined),
            matthews_correlation(&m),
            cohen_kappa(&m, KappaWeights::Linear),
            log_loss(&predictions, Clip::None),
            brier_binary(&p),
            delong(&p.ranked(), 0.95).map(|d| d.interval.low),
            choose_operating_point(&p, Criterion::Youden).map(|point| point.cut.threshold()),
        ];
        prop_assert!(found.iter().flatten().all(|value| value.is_finite()));
    }
}
