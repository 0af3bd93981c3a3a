//! `kd metrics classify` on files that NumPy and csv wrote, against scikit-learn's numbers of the same files.

mod program;

use std::path::Path;

use program::{Ran, kd, oracle, text};
use serde_json::Value;

/// Draws for tests that look at values and not at intervals.
const FEW: [&str; 4] = ["--resamples", "100", "--method", "percentile"];

fn golden(case: &str) -> Value {
    let document: Value = serde_json::from_slice(&std::fs::read(oracle("files.json")).unwrap()).unwrap();
    document["cases"][case].clone()
}

fn classify(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    kd(folder.path(), &[&["metrics", "classify"], arguments].concat())
}

fn file(name: &str) -> String {
    text(&oracle(name)).to_owned()
}

/// Every metric of the golden case, within `tolerance`.
#[track_caller]
fn agrees(found: &Value, case: &str, tolerance: f64) {
    for (name, expected) in golden(case).as_object().unwrap().iter().filter(|(name, _)| *name != "subjects") {
        let value = found["metrics"][name]["value"].as_f64();
        let value = value.unwrap_or_else(|| panic!("{case}: no {name} in {}", found["metrics"]));
        let expected = expected.as_f64().unwrap();
        assert!((value - expected).abs() < tolerance, "{case} {name}: {value}, scikit-learn has {expected}");
    }
}

#[test]
fn binary_logits_of_numpy_agree_and_groups_are_the_unit() {
    let (pred, truth, groups) = (file("binary_logits.npy"), file("binary_truth.npy"), file("binary_groups.npy"));
    let arguments = ["--pred", &pred, "--truth", &truth, "--groups", &groups, "--scores", "logits", "--json"];
    let found = classify(&arguments).exits(0).json();
    // Both sides are double precision from the same float32 logits.
    agrees(&found, "binary", 1e-9);
    assert_eq!((&found["schema"], &found["task"], &found["n"]), (&1.into(), &"binary".into(), &60.into()));
    let interval = &found["policy"]["interval"];
    assert_eq!((&interval["unit"], &interval["units"]), (&"subject".into(), &golden("binary")["subjects"]));
    assert_eq!((&interval["method"], &interval["resamples"]), (&"bca".into(), &2000.into()));
    let auroc = &found["metrics"]["auroc"];
    let (low, high) = (auroc["ci"][0].as_f64().unwrap(), auroc["ci"][1].as_f64().unwrap());
    let value = auroc["value"].as_f64().unwrap();
    assert!(0.0 <= low && low < value && value < high && high <= 1.0, "{auroc}");
    assert_eq!(found["metrics"]["medmnist_auc"]["value"], auroc["value"]);
    assert!(!found.to_string().contains("patient"), "groups are used and not shown");
    // The two sides of one question swap sensitivity and specificity.
    let (negative, positive) = (&found["per_class"][0], &found["per_class"][1]);
    assert_eq!(negative["sensitivity"], positive["specificity"]);
    assert_ne!(negative["sensitivity"], positive["sensitivity"]);
    assert_eq!(found["per_case"].as_array().unwrap().len(), 60);
}

#[test]
fn an_archive_in_fortran_order_agrees_and_its_arrays_have_to_be_named() {
    let archive = file("multiclass.npz");
    let (pred, truth) = (format!("{archive}:probs"), format!("{archive}:labels"));
    let arguments = [&["--pred", &pred, "--truth", &truth, "--scores", "probs", "--json"], &FEW[..]].concat();
    let found = classify(&arguments).exits(0).json();
    agrees(&found, "multiclass", 1e-9);
    assert_eq!(found["task"], "multi-class");
    classify(&["--pred", &archive, "--truth", &truth, "--scores", "probs"])
        .exits(1)
        .says(&["holds 2 arrays (labels, probs)", "hint: "]);
}

#[test]
fn several_labels_from_big_endian_half_floats_agree() {
    let (pred, truth) = (file("multilabel_logits.npy"), file("multilabel_truth.npy"));
    let arguments = [&["--pred", &pred, "--truth", &truth, "--scores", "logits", "--json"], &FEW[..]].concat();
    let found = classify(&arguments).exits(0).json();
    agrees(&found, "multilabel", 1e-9);
    assert_eq!(found["task"], "multi-label");
}

#[test]
fn two_tables_are_joined_by_id_and_the_order_is_weighed() {
    let (pred, truth) = (file("ordinal_scores.csv"), file("ordinal_truth.csv"));
    let arguments =
        [&["--pred", &pred, "--truth", &truth, "--scores", "probs", "--task", "ordinal", "--json"], &FEW[..]].concat();
    let found = classify(&arguments).exits(0).json();
    // The table keeps six decimals, so rows miss the sum 1 by up to 3e-6; scikit-learn was given them divided by it.
    agrees(&found, "ordinal", 1e-5);
    assert_eq!(found["per_case"][0]["case"], "eye-00");
}

#[test]
fn one_table_needs_no_truth_beside_it_and_takes_none() {
    let pred = file("binary.csv");
    let found = classify(&[&["--pred", &pred, "--scores", "probs", "--json"], &FEW[..]].concat()).exits(0).json();
    agrees(&found, "one_table", 1e-9);
    let truth = file("binary_truth.npy");
    classify(&["--pred", &pred, "--truth", &truth, "--scores", "probs"]).exits(2).says(&["leave --truth out"]);
}

#[test]
fn the_table_for_people_shows_value_interval_and_policy() {
    let pred = file("binary.csv");
    let page = classify(&["--pred", &pred, "--scores", "probs"]).exits(0).stdout;
    for words in
        ["binary, one-channel head, probabilities, 40 samples", "95 % interval", "auroc", "ties count half", "bca"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let pred = file("binary.csv");
    let of = |extra: &[&str]| {
        classify(&[&["--pred", &pred, "--scores", "probs", "--json", "--resamples", "200"], extra].concat())
            .exits(0)
            .stdout
    };
    assert_eq!(of(&["--threads", "1"]), of(&["--threads", "2"]));
    assert_ne!(of(&[]), of(&["--seed", "1"]));
}

fn scores(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    program::text(&path).to_owned()
}

#[test]
fn logits_read_as_probabilities_are_refused_with_the_way_out() {
    let (pred, truth) = (file("binary_logits.npy"), file("binary_truth.npy"));
    classify(&["--pred", &pred, "--truth", &truth, "--scores", "probs"]).exits(1).says(&["--scores logits"]);
}

#[test]
fn files_that_do_not_fit_are_refused_by_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let pred = scores(folder, "p.csv", "id,score_0\na,0.1\nb,0.9\n");
    let run = |truth: &str, extra: &[&str]| {
        let truth = scores(folder, "t.csv", truth);
        classify(&[&["--pred", &pred, "--truth", &truth, "--scores", "probs"], extra].concat())
    };
    run("id,truth\na,0\nc,1\n", &[]).exits(1).says(&["id `b`", "missing"]);
    run("id,truth\na,0\na,1\n", &[]).exits(1).says(&["id `a` stands twice"]);
    run("truth\n0\n1\n1\n", &[]).exits(1).says(&["truth has 3 samples, expected 2"]);
    run("truth\n0\n2\n", &[]).exits(1).says(&["truth of sample 1 is 2, expected a class from 0 to 1"]);
    run("truth\n0\n0.5\n", &[]).exits(1).says(&["is 0.5"]);
    run("truth\n0\nyes\n", &[]).exits(1).says(&["line 3, column truth", "`yes`"]);
    run("label\n0\n1\n", &[]).exits(1).says(&["columns label, expected truth"]);
    run("truth\n0\n1\n", &["--task", "multi-class"]).exits(1).says(&["--task binary"]);
    let groups = scores(folder, "g.csv", "id,group\nb,x\n");
    run("truth\n0\n1\n", &["--groups", &groups]).exits(1).says(&["groups are given for 1 samples, expected 2"]);
    let wide = scores(folder, "wide.csv", "truth,score_0,score_1\n1,0.9,0.9\n0,0.5,0.5\n");
    classify(&["--pred", &wide, "--scores", "probs"]).exits(1).says(&["sum 1"]);
}

#[test]
fn a_truth_of_one_class_leaves_auroc_without_a_value_and_never_nan() {
    let folder = tempfile::tempdir().unwrap();
    let pred = scores(folder.path(), "p.csv", "truth,score_0\n1,0.2\n1,0.9\n1,0.7\n");
    let ran = classify(&[&["--pred", &pred, "--scores", "probs", "--json"], &FEW[..]].concat()).exits(0);
    let auroc = &ran.json()["metrics"]["auroc"];
    assert!(auroc["value"].is_null() && auroc["ci"].is_null(), "{auroc}");
    assert!(auroc["undefined"].as_str().unwrap().contains("positive ones only"), "{auroc}");
    assert!(!ran.stdout.contains("NaN"));
}
