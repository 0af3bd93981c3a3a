//! Classification metrics against scikit-learn, SciPy and the MedMNIST evaluator.

mod golden;

use golden::{all_close, cases, close, document, flags, labels, number, numbers};
use kd_metrics::*;
use serde_json::Value;

/// Same formula in f64 on both sides: only the order of sums differs.
const EXACT: f64 = 1e-12;

fn assert_confusion(matrix: &ConfusionMatrix, expected: &Value) {
    for (row, expected) in matrix.rows().zip(expected.as_array().unwrap()) {
        assert_eq!(row.iter().map(|&c| c as usize).collect::<Vec<_>>(), labels(expected));
    }
    assert_eq!(matrix.classes(), expected.as_array().unwrap().len());
}

const RATES: [(Rate, &str); 4] =
    [(Rate::Precision, "precision"), (Rate::Recall, "recall"), (Rate::Specificity, "specificity"), (Rate::F1, "f1")];

fn assert_medmnist(predictions: &Predictions, expected: &Value) {
    let task = match expected["task"].as_str().unwrap() {
        "multi-class" => MedmnistTask::MultiClass,
        "ordinal-regression" => MedmnistTask::OrdinalRegression,
        "binary-class" => MedmnistTask::BinaryClass,
        "multi-label, binary-class" => MedmnistTask::MultiLabel,
        other => panic!("unknown task {other}"),
    };
    close(medmnist_auc(predictions, task).unwrap(), &expected["auc"], EXACT);
    close(medmnist_accuracy(predictions, task).unwrap(), &expected["acc"], EXACT);
}

#[test]
fn binary_metrics_agree_with_scikit_learn() {
    for case in cases("binary") {
        let (scores, truth) = (numbers(&case["scores"]), flags(&case["truth"]));
        let binary = BinaryPredictions::new(&scores, &truth).unwrap();
        let predictions = Predictions::Binary(binary.clone());
        let ranked = binary.ranked();
        let matrix = binary.confusion(Cut::Above(0.5));
        assert_confusion(&matrix, &case["confusion_above_half"]);
        close(auroc(&ranked).unwrap(), &case["auroc"], EXACT);
        close(average_precision(&ranked).unwrap(), &case["average_precision"], EXACT);
        close(brier_binary(&binary).unwrap(), &case["brier"], EXACT);
        let clip = Clip::At(number(&case["log_loss_clip"]));
        close(log_loss(&predictions, clip).unwrap(), &case["log_loss"], EXACT);
        close(matthews_correlation(&matrix).unwrap(), &case["mcc"], EXACT);
        close(cohen_kappa(&matrix, KappaWeights::Unweighted).unwrap(), &case["kappa"], EXACT);
        for (which, name) in RATES {
            let found = rate(&binary.counts(Cut::Above(0.5)), which, ZeroDivision::Undefined).unwrap();
            close(found, &case["rates_positive"][name][0], EXACT);
        }
        assert_medmnist(&predictions, &case["medmnist"]);
    }
}

#[test]
fn roc_points_agree_with_scikit_learn() {
    for case in cases("binary") {
        let ranked = RankedScores::new(&numbers(&case["scores"]), &flags(&case["truth"])).unwrap();
        let curve = roc_curve(&ranked).unwrap();
        let column = |f: fn(&RocPoint) -> f64| curve.points().iter().map(f).collect::<Vec<_>>();
        all_close(&column(|p| p.false_positive_rate), &case["roc"]["fpr"], EXACT);
        all_close(&column(|p| p.true_positive_rate), &case["roc"]["tpr"], EXACT);
        all_close(&column(|p| p.threshold)[1..], &case["roc"]["thresholds"], EXACT);
        // The trapezoid area of the curve is the AUROC.
        let area: f64 = curve
            .points()
            .windows(2)
            .map(|w| {
                (w[1].false_positive_rate - w[0].false_positive_rate)
                    * f64::midpoint(w[0].true_positive_rate, w[1].true_positive_rate)
            })
            .sum();
        close(area, &case["auroc"], EXACT);
    }
}

#[test]
fn operating_points_agree_with_the_roc_of_scikit_learn() {
    for case in cases("binary") {
        let binary = BinaryPredictions::new(&numbers(&case["scores"]), &flags(&case["truth"])).unwrap();
        let criteria = [
            (Criterion::Youden, "youden"),
            (Criterion::SensitivityAtLeast(0.9), "sensitivity_90"),
            (Criterion::SpecificityAtLeast(0.9), "specificity_90"),
        ];
        for (criterion, name) in criteria {
            let point = choose_operating_point(&binary, criterion).unwrap();
            close(point.cut.threshold(), &case[name]["threshold"], 0.0);
            close(point.sensitivity, &case[name]["sensitivity"], EXACT);
            close(point.specificity, &case[name]["specificity"], EXACT);
            let counts = binary.counts(point.cut);
            close(rate(&counts, Rate::Recall, ZeroDivision::Undefined).unwrap(), &case[name]["sensitivity"], EXACT);
        }
    }
}

#[test]
fn multiclass_metrics_agree_with_scikit_learn() {
    for case in cases("multiclass") {
        let (classes, truth) = (number(&case["classes"]) as usize, labels(&case["truth"]));
        let probabilities = softmax(&numbers(&case["logits"]), classes).unwrap();
        all_close(&probabilities, &case["probabilities"], 1e-15);
        // Ties between samples are part of the case, so the tool's own bits are used from here.
        let p = MulticlassPredictions::new(&numbers(&case["probabilities"]), classes, &truth).unwrap();
        let matrix = p.confusion();
        assert_confusion(&matrix, &case["confusion"]);
        close(accuracy(&matrix).unwrap(), &case["accuracy"], EXACT);
        close(balanced_accuracy(&matrix, AbsentClass::Skip).unwrap(), &case["balanced_accuracy"], EXACT);
        close(matthews_correlation(&matrix).unwrap(), &case["mcc"], EXACT);
        for (weights, name) in [
            (KappaWeights::Unweighted, "unweighted"),
            (KappaWeights::Linear, "linear"),
            (KappaWeights::Quadratic, "quadratic"),
        ] {
            close(cohen_kappa(&matrix, weights).unwrap(), &case["kappa"][name], EXACT);
        }
        let counts = matrix.one_vs_rest();
        for (which, name) in RATES {
            let per_class: Vec<f64> = counts.iter().map(|c| rate(c, which, ZeroDivision::Zero).unwrap()).collect();
            all_close(&per_class, &case["per_class"][name], EXACT);
            close(micro_rate(&counts, which, ZeroDivision::Undefined).unwrap(), &case["micro"][name], EXACT);
            if case["absent"].as_array().unwrap().is_empty() || which != Rate::Specificity {
                let found = macro_rate(&counts, which, ZeroDivision::Zero, AbsentClass::Skip).unwrap();
                close(found, &case["macro_present"][name], EXACT);
            }
        }
        close(brier_multiclass(&p).unwrap(), &case["brier"], EXACT);
        let loss = log_loss(&Predictions::Multiclass(p.clone()), Clip::At(number(&case["log_loss_clip"]))).unwrap();
        close(loss, &case["log_loss"], EXACT);
        let present: Vec<f64> = auroc_one_vs_rest(&p).into_iter().flatten().collect();
        all_close(&present, &case["auroc_present"], EXACT);
        let mean = present.iter().sum::<f64>() / present.len() as f64;
        assert!((auroc_macro(&p, AbsentClass::Skip).unwrap() - mean).abs() < EXACT);
        if let Some(absent) = case["absent"].as_array().unwrap().first() {
            let class = absent.as_u64().unwrap() as usize;
            let refused = auroc_macro(&p, AbsentClass::Undefined).unwrap_err();
            assert!(matches!(refused, Undefined::InClass { class: c, .. } if c == class));
            assert_eq!(balanced_accuracy(&matrix, AbsentClass::Undefined), Err(Undefined::ClassAbsent { class }));
        } else {
            close(auroc_macro(&p, AbsentClass::Undefined).unwrap(), &case["auroc_macro"], EXACT);
            assert_medmnist(&Predictions::Multiclass(p), &case["medmnist"]);
        }
    }
}

#[test]
fn multi_label_metrics_agree_with_scikit_learn() {
    for case in cases("multi_label") {
        let width = number(&case["labels"]) as usize;
        let p = MultiLabelPredictions::new(&numbers(&case["probabilities"]), width, &flags(&case["truth"])).unwrap();
        close(auroc_multi_label(&p, AbsentClass::Undefined).unwrap(), &case["auroc_macro"], EXACT);
        let counts = p.counts(Cut::Above(0.5));
        for (which, name) in RATES {
            let per_label: Vec<f64> = counts.iter().map(|c| rate(c, which, ZeroDivision::Zero).unwrap()).collect();
            all_close(&per_label, &case["per_label"][name], EXACT);
            let mean = macro_rate(&counts, which, ZeroDivision::Zero, AbsentClass::Undefined).unwrap();
            close(mean, &case["macro"][name], EXACT);
            close(micro_rate(&counts, which, ZeroDivision::Undefined).unwrap(), &case["micro"][name], EXACT);
        }
        let predictions = Predictions::MultiLabel(p);
        close(log_loss(&predictions, Clip::At(number(&case["log_loss_clip"]))).unwrap(), &case["log_loss"], EXACT);
        assert_medmnist(&predictions, &case["medmnist"]);
    }
}

#[test]
fn untied_reliability_agrees_with_scikit_learn() {
    let case = &document("calibration")["untied"];
    let p = Predictions::binary(&numbers(&case["scores"]), &flags(&case["truth"])).unwrap();
    let bins = number(&case["bins"]) as usize;
    let curve = reliability(&p, Confidence::PositiveClass, bins).unwrap();
    all_close(&curve.bins().iter().map(|b| b.frequency).collect::<Vec<_>>(), &case["frequency"], EXACT);
    all_close(&curve.bins().iter().map(|b| b.confidence).collect::<Vec<_>>(), &case["confidence"], EXACT);
    close(curve.expected_calibration_error(), &case["ece"], EXACT);
}

#[test]
fn tied_and_top_label_reliability_agree_with_exact_fractions() {
    let document = document("calibration");
    let tied = &document["tied"];
    let top = &document["top_label"];
    let binary = Predictions::binary(&numbers(&tied["scores"]), &flags(&tied["truth"])).unwrap();
    let classes = number(&top["classes"]) as usize;
    let multi = Predictions::multiclass(&numbers(&top["probabilities"]), classes, &labels(&top["truth"])).unwrap();
    for (case, predictions, policy) in [(tied, binary, Confidence::PositiveClass), (top, multi, Confidence::TopLabel)] {
        let bins = number(&case["bins"]) as usize;
        let curve = reliability(&predictions, policy, bins).unwrap();
        let expected = case["curve"].as_array().unwrap();
        assert_eq!(curve.bins().len(), expected.len());
        for (bin, expected) in curve.bins().iter().zip(expected) {
            assert_eq!(bin.samples as u64, expected["samples"].as_u64().unwrap());
            close(bin.confidence, &expected["confidence"], EXACT);
            close(bin.frequency, &expected["frequency"], EXACT);
        }
        close(expected_calibration_error(&predictions, policy, bins).unwrap(), &case["ece"], EXACT);
    }
}

#[test]
fn temperature_agrees_with_a_minimizer_of_scipy() {
    // SciPy compares loss values, which are flat at the minimum: its answer is good to about the root of the machine epsilon.
    const MINIMUM: f64 = 1e-6;
    let document = document("temperature");
    let (multi, one) = (&document["multiclass"], &document["bernoulli"]);
    let found = fit_temperature_multiclass(&numbers(&multi["logits"]), 4, &labels(&multi["truth"])).unwrap();
    let found_one = fit_temperature_bernoulli(&numbers(&one["logits"]), &flags(&one["truth"])).unwrap();
    for (found, case) in [(found, multi), (found_one, one)] {
        close(found.temperature, &case["temperature"], MINIMUM);
        close(found.log_loss_before, &case["before"], EXACT);
        close(found.log_loss_after, &case["after"], EXACT);
        assert!(found.log_loss_after < found.log_loss_before);
    }
}
