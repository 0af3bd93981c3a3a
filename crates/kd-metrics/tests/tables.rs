//! The tables of `kd metrics segment` and `kd metrics enhance`: what they state, count and refuse.

use kd_metrics::*;
use serde_json::Value;

fn protocol(undefined: UndefinedCases) -> CaseProtocol {
    let plan = BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 300, level: 0.95, seed: 4 };
    CaseProtocol { undefined, weight: CaseWeight::EachCase, plan }
}

fn segment(undefined: UndefinedCases, one: OneEmpty) -> SegmentProtocol {
    SegmentProtocol {
        classes: vec![(2, "head".into()), (5, "tail".into())],
        tolerance_mm: 1.5,
        empty: EmptyMasks { both: BothEmpty::Undefined, one },
        zero_division: ZeroDivision::Undefined,
        lesions: Some((Connectivity::Faces, LesionOverlap::Touch)),
        cases: protocol(undefined),
    }
}

fn grid() -> Grid {
    Grid::volume([4, 6, 7], [2.0, 1.0, 0.5]).unwrap()
}

/// A box of label 2 and a smaller one of label 5, both moved along the width.
fn labels(by: usize, with_tail: bool) -> Vec<u16> {
    let label = |i: usize| match [i / 42, i / 7 % 6, i % 7] {
        [1..3, 1..4, x] if (1 + by..4 + by).contains(&x) => 2,
        [1..3, 4..6, x] if with_tail && (by..2 + by).contains(&x) => 5,
        _ => 0,
    };
    (0..168).map(label).collect()
}

/// Five scans of three subjects: the tail is missed once, absent twice, and invented once.
fn scans(protocol: SegmentProtocol) -> SegmentCases {
    let mut cases = SegmentCases::new(protocol).unwrap();
    for (id, subject, by, predicted_tail, true_tail) in [
        ("a", "anna", 0, true, true),
        ("b", "anna", 1, false, true),
        ("c", "bert", 2, true, true),
        ("d", "cleo", 1, false, false),
        ("e", "cleo", 0, true, false),
    ] {
        cases.add(id, subject, grid(), &labels(by, predicted_tail), &labels(0, true_tail)).unwrap();
    }
    cases
}

fn document(table: &impl serde::Serialize) -> Value {
    let text = serde_json::to_string(table).unwrap();
    assert!(!text.contains("NaN"));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_table_counts_the_cases_that_a_mean_is_over() {
    let table = scans(segment(UndefinedCases::LeaveOut, OneEmpty::Undefined)).table().unwrap();
    assert_eq!((table.n, table.per_case.len(), table.per_class.len()), (5, 10, 2));
    let tail = &table.per_class[1];
    assert_eq!(tail.empty, EmptyCounts { both: 1, prediction: 1, truth: 1 });
    let counts = |name: &str| (tail.metrics[name].n, tail.metrics[name].left_out, tail.metrics[name].subjects);
    // One empty mask is a Dice of 0, two have none; a distance needs both surfaces.
    assert_eq!(counts("dice"), (4, 1, 3));
    assert_eq!(counts("hd95_mm"), (2, 3, 2));
    assert_eq!(counts("relative_volume_error"), (3, 2, 2));
    assert_eq!(counts("volume_error_mm3"), (5, 0, 3));
    let dice = |by: f64| (3.0 - by) / 3.0;
    let head = table.per_class[0].metrics["dice"].value.unwrap().value();
    assert!((head - (2.0 + 2.0 * dice(1.0) + dice(2.0)) / 5.0).abs() < 1e-12);
    // Over classes: a case's classes first, then the cases.
    let over = table.metrics["dice"].value.unwrap().value();
    let expected = (1.0 + (dice(1.0) + 0.0) / 2.0 + (dice(2.0) + 0.0) / 2.0 + dice(1.0) + (1.0 + 0.0) / 2.0) / 5.0;
    assert!((over - expected).abs() < 1e-12, "{over} {expected}");
    assert!(!table.metrics.contains_key("volume_error_mm3") && table.metrics.contains_key("lesion_f1"));
    let ends = table.metrics["dice"].ci.unwrap().map(Number::value);
    assert!(ends[0] < over && over < ends[1]);
}

#[test]
fn a_refused_case_leaves_no_mean_but_the_reason() {
    let table = scans(segment(UndefinedCases::Refuse, OneEmpty::Undefined)).table().unwrap();
    let tail = &table.per_class[1].metrics["dice"];
    assert_eq!((tail.value, tail.ci, tail.left_out), (None, None, 1));
    assert_eq!(
        tail.undefined.as_deref(),
        Some("case `d`: prediction and truth: expected at least one point, found none")
    );
    assert!(table.metrics["dice"].undefined.as_deref().is_some_and(|reason| reason.starts_with("case `d`: class 5: ")));
    assert!(table.per_class[0].metrics["dice"].value.is_some());
}

#[test]
fn infinite_distances_are_counted_and_written_as_a_string() {
    let table = scans(segment(UndefinedCases::LeaveOut, OneEmpty::Infinite)).table().unwrap();
    let tail = &table.per_class[1].metrics["hd95_mm"];
    assert_eq!((tail.n, tail.left_out, tail.infinite), (4, 1, 2));
    let json = document(&table);
    let hd95 = &json["per_class"][1]["metrics"]["hd95_mm"];
    assert_eq!((&hd95["value"], &hd95["ci"]), (&Value::from("inf"), &Value::Null));
    assert_eq!(hd95["undefined"], "interval: the mean is infinite");
    let row = json["per_case"].as_array().unwrap().iter().find(|row| row["case"] == "b" && row["class"] == "tail");
    assert_eq!(row.unwrap()["hd95_mm"], "inf");
    // A stated penalty gives a finite mean.
    let table = scans(segment(UndefinedCases::LeaveOut, OneEmpty::PenaltyMm(100.0))).table().unwrap();
    let tail = &table.per_class[1].metrics["hd95_mm"];
    assert!(tail.infinite == 0 && tail.value.unwrap().value() > 50.0 && tail.ci.is_some());
    assert!(table.policy.metrics["hd95_mm"].contains("one empty: 100 mm"));
}

#[test]
fn the_document_of_segmentation_has_its_policy_and_every_case() {
    let json = document(&scans(segment(UndefinedCases::LeaveOut, OneEmpty::Undefined)).table().unwrap());
    assert_eq!((&json["schema"], &json["task"], &json["n"]), (&1.into(), &"segment".into(), &5.into()));
    let (policy, metrics) = (&json["policy"], json["metrics"].as_object().unwrap());
    for (name, metric) in metrics {
        assert!(policy["metrics"][name].is_string(), "{name} without a policy");
        for key in ["value", "ci", "n", "left_out", "infinite", "subjects", "undefined"] {
            assert!(metric.get(key).is_some(), "{name} without {key}");
        }
    }
    assert!(policy["metrics"]["surface_dice"].as_str().unwrap().contains("1.5 mm"));
    assert_eq!((&policy["interval"]["units"], &policy["interval"]["unit"]), (&3.into(), &"subject".into()));
    assert!(policy["undefined_cases"].as_str().unwrap().contains("left out"));
    let row = &json["per_case"][3];
    assert_eq!((&row["case"], &row["subject"], &row["class"]), (&"b".into(), &"anna".into(), &"tail".into()));
    assert_eq!((row["dice"].as_f64(), &row["hd95_mm"]), (Some(0.0), &Value::Null));
    assert_eq!(row["undefined"]["hd95_mm"], "prediction: expected at least one point, found none");
}

#[test]
fn volumes_are_compared_as_bland_and_altman_do() {
    let table = scans(segment(UndefinedCases::LeaveOut, OneEmpty::Undefined)).table().unwrap();
    // The head is moved and never resized: no difference varies.
    let head = &table.per_class[0].volume_agreement_mm3;
    assert!(head.bias.is_none() && head.undefined.as_deref().is_some_and(|reason| reason.contains("does not vary")));
    // Tails of 8 points of 1 mm³: equal, missed, equal, absent on both sides, invented.
    let tail = &table.per_class[1].volume_agreement_mm3;
    let (bias, deviation) = (0.0, (2.0 * 64.0 / 4.0_f64).sqrt());
    let figure = |figure: Option<Figure>| figure.unwrap().value.value();
    assert!((figure(tail.bias) - bias).abs() < 1e-12);
    assert!((figure(tail.upper) - 1.959_963_985 * deviation).abs() < 1e-6 && tail.n == 5);
}

#[test]
fn planes_have_no_volume_and_say_so() {
    let mut cases = SegmentCases::new(segment(UndefinedCases::LeaveOut, OneEmpty::Undefined)).unwrap();
    let plane = Grid::plane([2, 3], [1.0, 1.0]).unwrap();
    cases.add("a", "a", plane, &[2, 2, 0, 5, 0, 0], &[2, 0, 0, 5, 5, 0]).unwrap();
    cases.add("b", "b", plane, &[2, 2, 0, 5, 0, 0], &[2, 2, 2, 5, 0, 0]).unwrap();
    let table = cases.table().unwrap();
    let error = &table.per_class[0].metrics["volume_error_mm3"];
    assert_eq!((error.value, error.n, error.left_out), (None, 0, 2));
    assert!(error.undefined.as_deref().is_some_and(|reason| reason.contains("found a plane")));
    assert_eq!(table.per_class[0].volume_agreement_mm3.n, 0);
    assert!(table.per_class[0].metrics["relative_volume_error"].value.is_some());
}

#[test]
fn one_subject_has_means_and_no_intervals() {
    let mut cases = SegmentCases::new(segment(UndefinedCases::LeaveOut, OneEmpty::Undefined)).unwrap();
    cases.add("a", "anna", grid(), &labels(0, true), &labels(0, true)).unwrap();
    cases.add("b", "anna", grid(), &labels(1, true), &labels(0, true)).unwrap();
    let dice = &cases.table().unwrap().metrics["dice"];
    assert!(dice.value.is_some() && dice.ci.is_none());
    assert_eq!(dice.undefined.as_deref(), Some("interval: expected at least 2 subjects, found 1"));
}

#[test]
fn broken_cases_are_refused_and_change_nothing() {
    let mut cases = scans(segment(UndefinedCases::LeaveOut, OneEmpty::Undefined));
    let before = cases.clone();
    let (good, mut odd) = (labels(0, true), labels(0, true));
    odd[17] = 9;
    assert_eq!(cases.add("a", "x", grid(), &good, &good), Err(Undefined::DuplicateCase { id: "a".into() }));
    let unknown = |which: &'static str| Err(Undefined::UnknownLabel { which, point: 17, label: 9 });
    assert_eq!(cases.add("f", "x", grid(), &odd, &good), unknown("prediction"));
    assert_eq!(cases.add("f", "x", grid(), &good, &odd), unknown("truth"));
    assert!(cases.add("f", "x", grid(), &good[1..], &good).is_err());
    assert_eq!(cases, before);
    cases.add("f", "x", grid(), &good, &good).unwrap();
    assert_eq!(cases.len(), 6);
}

#[test]
fn protocols_that_cannot_be_meant_are_refused() {
    let of = |change: fn(&mut SegmentProtocol)| {
        let mut protocol = segment(UndefinedCases::LeaveOut, OneEmpty::Undefined);
        change(&mut protocol);
        SegmentCases::new(protocol).map(|cases| cases.is_empty())
    };
    assert_eq!(of(|_| ()), Ok(true));
    for refused in [
        of(|p| p.classes.clear()),
        of(|p| p.classes.push((0, "background".into()))),
        of(|p| p.classes.push((2, "neck".into()))),
        of(|p| p.classes.push((7, "tail".into()))),
        of(|p| p.tolerance_mm = f64::NAN),
        of(|p| p.tolerance_mm = -1.0),
        of(|p| p.empty.one = OneEmpty::PenaltyMm(-1.0)),
        of(|p| p.lesions = Some((Connectivity::Faces, LesionOverlap::ShareAtLeast(0.0)))),
        of(|p| p.cases.plan.resamples = 3),
        of(|p| p.cases.plan.level = 1.0),
    ] {
        assert!(refused.is_err());
    }
    assert_eq!(
        SegmentCases::new(segment(UndefinedCases::Refuse, OneEmpty::Infinite)).unwrap().table(),
        Err(Undefined::NoSamples)
    );
    let enhance = |metrics: Vec<EnhanceMetric>| {
        EnhanceCases::new(EnhanceProtocol { metrics, cases: protocol(UndefinedCases::LeaveOut) }).is_ok()
    };
    let (one, other) = (EnhanceMetric::Psnr { range: 1.0 }, EnhanceMetric::Psnr { range: 2.0 });
    assert!(enhance(vec![one]) && !enhance(vec![]) && !enhance(vec![one, other]));
    assert!(!enhance(vec![EnhanceMetric::Vif { range: f64::NAN }]));
    let both =
        [SsimVariant::Reference, SsimVariant::Skimage].map(|variant| EnhanceMetric::Ssim { range: 1.0, variant });
    assert!(enhance(both.to_vec()));
}

/// Three restored planes: better than untouched, exact, and worse.
fn planes(with_untouched: bool) -> EnhanceCases {
    let metrics = vec![
        EnhanceMetric::Psnr { range: 100.0 },
        EnhanceMetric::RootMeanSquaredError,
        EnhanceMetric::Ssim { range: 100.0, variant: SsimVariant::Skimage },
        EnhanceMetric::Vif { range: 100.0 },
    ];
    let mut cases = EnhanceCases::new(EnhanceProtocol { metrics, cases: protocol(UndefinedCases::LeaveOut) }).unwrap();
    let truth: Vec<f64> = (0..80).map(|i| f64::from(i * i % 97)).collect();
    let plus = |by: f64| truth.iter().map(|value| value + by).collect::<Vec<f64>>();
    for (id, subject, restored, untouched) in [("a", "x", 1.0, 10.0), ("b", "y", 0.0, 10.0), ("c", "z", 10.0, 1.0)] {
        let (restored, untouched) = (plus(restored), plus(untouched));
        let pair = ImagePair::plane([8, 10], &restored, &truth).unwrap();
        let beside = ImagePair::plane([8, 10], &untouched, &truth).unwrap();
        cases.add(id, subject, &pair, with_untouched.then_some(&beside)).unwrap();
    }
    cases
}

#[test]
fn restored_cases_stand_beside_the_untouched_ones() {
    let table = planes(true).table().unwrap();
    let (psnr, rmse) = (&table.metrics["psnr_db"], &table.metrics["rmse"]);
    // The exact case is infinite by policy, and says so.
    assert_eq!((psnr.value.map(Number::value), psnr.infinite, psnr.ci), (Some(f64::INFINITY), 1, None));
    assert!((rmse.value.unwrap().value() - 11.0 / 3.0).abs() < 1e-12);
    let untouched = &table.do_nothing.as_ref().unwrap()["rmse"];
    assert!((untouched.value.unwrap().value() - 7.0).abs() < 1e-12);
    let gain = &table.gain.as_ref().unwrap()["rmse"];
    assert!((gain.value.unwrap().value() - (11.0 / 3.0 - 7.0)).abs() < 1e-12 && gain.ci.is_some());
    // Planes of 8 × 10 are too small for four scales: no value, three times.
    let vif = &table.metrics["vif"];
    assert_eq!((vif.value, vif.n, vif.left_out), (None, 0, 3));
    let json = document(&table);
    assert_eq!((&json["task"], json["per_case"].as_array().unwrap().len()), (&"enhance".into(), 6));
    assert_eq!((&json["per_case"][0]["of"], &json["per_case"][1]["of"]), (&"do_nothing".into(), &"prediction".into()));
    assert_eq!(json["per_case"][3]["psnr_db"], "inf");
    assert!(json["policy"]["metrics"]["psnr_db"].as_str().unwrap().contains("range 100"));
    assert!(json["policy"].get("over_classes").is_none());
}

#[test]
fn without_untouched_images_there_is_no_gain() {
    let json = document(&planes(false).table().unwrap());
    assert!(json.get("gain").is_none() && json.get("do_nothing").is_none());
    assert!(json["per_case"][0].get("of").is_none() && json["per_case"][0].get("class").is_none());
}

#[test]
fn cases_of_another_make_are_refused() {
    let image = vec![1.0; 80];
    let other = vec![2.0; 80];
    let plane = ImagePair::plane([8, 10], &image, &image).unwrap();
    let volume = ImagePair::volume([1, 8, 10], &image, &image).unwrap();
    let another_truth = ImagePair::plane([8, 10], &image, &other).unwrap();
    let another_shape = ImagePair::plane([10, 8], &image, &image).unwrap();
    for with_untouched in [true, false] {
        let mut cases = planes(with_untouched);
        let before = cases.clone();
        let beside = |pair| if with_untouched { Some(pair) } else { None };
        assert!(matches!(cases.add("a", "x", &plane, beside(&plane)), Err(Undefined::DuplicateCase { .. })));
        assert!(cases.add("d", "x", &volume, beside(&volume)).is_err());
        assert!(cases.add("d", "x", &plane, if with_untouched { None } else { Some(&plane) }).is_err());
        if with_untouched {
            assert_eq!(cases.add("d", "x", &plane, Some(&another_truth)), Err(Undefined::TruthMismatch { sample: 0 }));
            assert!(cases.add("d", "x", &plane, Some(&another_shape)).is_err());
        }
        assert_eq!(cases, before);
    }
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let of = || {
        serde_json::to_string(&scans(segment(UndefinedCases::LeaveOut, OneEmpty::Undefined)).table().unwrap()).unwrap()
    };
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(of), of());
}
