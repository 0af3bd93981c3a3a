//! Losses on features, through the program: taps by name, checked before anything is trained.

mod program;

use program::{classify_recipe, kd, text};

const ARMS: &str = r#"
[[arm]]
name = "alone"
term = [{ loss = "task", weight = 1.0 }]

[[arm]]
name = "distilled"
term = [{ loss = "task", weight = 1.0 }, { loss = "hint", weight = 0.01, student_tap = "layer2", teacher_tap = "layer2" }]
"#;

#[test]
fn a_hint_teaches_the_student_and_leaves_nothing_in_its_package() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taps.toml");
    std::fs::write(&path, classify_recipe("", ARMS)).unwrap();
    let record = kd(folder.path(), &["run", text(&path), "--json"]).exits(0).json();
    let student = &record["students"][0];
    let hint = &student["arms"][1]["curves"][0]["terms"][1];
    assert!(hint["name"] == "hint" && hint["gradient_share"][0].as_f64().unwrap() > 0.0, "{hint}");
    assert_eq!(record["teacher"]["hash_before"], record["teacher"]["hash_after"]);
    // The distilled student is packed; an adaptor would make it larger than the network that the record counts.
    let reports = std::fs::read_dir(folder.path().join("artifacts/reports")).unwrap();
    let package = reports.map(|entry| entry.unwrap().path()).next().unwrap().join("chest-phantom_small_distilled.kdp");
    let found = kd(folder.path(), &["inspect", text(&package), "--json"]).exits(0).json();
    assert_eq!(found["contents"]["parameters"], student["network"]["parameters"], "{found}");
}

#[test]
fn a_share_of_the_gradient_is_kept_in_every_epoch_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("share.toml");
    std::fs::write(&path, classify_recipe("", &ARMS.replace("weight = 0.01", "share = 0.25"))).unwrap();
    let record = kd(folder.path(), &["run", text(&path), "--json"]).exits(0).json();
    let arm = &record["students"][0]["arms"][1];
    let hint = &arm["curves"][0]["terms"][1];
    let shares = hint["gradient_share"].as_array().unwrap();
    assert!(shares.iter().all(|share| (share.as_f64().unwrap() - 0.25).abs() < 1e-9), "{hint}");
    assert_eq!(hint["weight"].as_array().unwrap().len(), shares.len());
    assert!(arm["terms"][1]["is_share"] == true && arm["terms"][1]["weight"] == 0.25, "{arm}");
    for (to, expected) in [
        ("share = 1.5", "share 1.5, expected a number above 0 and below 1"),
        ("share = 0.5, weight = 1.0", "`share` is set beside `weight`"),
    ] {
        std::fs::write(&path, classify_recipe("", &ARMS.replace("weight = 0.01", to))).unwrap();
        kd(folder.path(), &["run", text(&path)]).exits(2).says(&[expected]);
    }
}

#[test]
fn a_stage_of_features_comes_before_one_of_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stages.toml");
    let stages = ARMS.replace("weight = 0.01", "weight = 0.01, epochs = [1, 1]").replace(
        "term = [{ loss = \"task\", weight = 1.0 }, {",
        "term = [{ loss = \"task\", weight = 1.0, epochs = [2, 2] }, {",
    );
    std::fs::write(&path, classify_recipe("", &stages)).unwrap();
    let run = |epochs: &str| kd(folder.path(), &["run", text(&path), "--json", "--set", epochs]);
    let record = run("student.train.epochs=2").exits(0).json();
    let arm = &record["students"][0]["arms"][1];
    let shares = |term: usize| arm["curves"][0]["terms"][term]["gradient_share"].clone();
    assert_eq!([shares(0), shares(1)], [serde_json::json!([0.0, 1.0]), serde_json::json!([1.0, 0.0])]);
    assert_eq!(arm["terms"][1]["epochs"], serde_json::json!([1, 1]), "{arm}");
    run("student.train.epochs=1").exits(2).says(&["arm `distilled`", "term `task` counts in none of 1 epochs"]);
    run("student.train.epochs=3").exits(2).says(&["no term with a weight counts in epoch 3", "hint:"]);
}

#[test]
fn a_learned_temperature_is_told_epoch_by_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curriculum.toml");
    let hint = "loss = \"hint\", weight = 0.01, student_tap = \"layer2\", teacher_tap = \"layer2\"";
    let arms = ARMS.replace(hint, "loss = \"curriculum\", weight = 1.0, reversal_epochs = 1");
    std::fs::write(&path, classify_recipe("", &arms)).unwrap();
    let record = kd(folder.path(), &["run", text(&path), "--json"]).exits(0).json();
    let term = &record["students"][0]["arms"][1]["curves"][0]["terms"][1];
    let temperatures: Vec<f64> =
        term["temperature"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert!(temperatures.iter().all(|t| (1.0..=21.0).contains(t)), "{term}");
    assert_eq!(temperatures.len(), term["loss"].as_array().unwrap().len());
}

#[test]
fn taps_that_do_not_fit_are_refused_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |from: &str, to: &str, expected: &[&str]| {
        let path = folder.path().join("refused.toml");
        std::fs::write(&path, classify_recipe("", &ARMS.replace(from, to))).unwrap();
        kd(folder.path(), &["run", text(&path)]).exits(2).says(expected);
    };
    let names = ["which the student does not have, expected one of `stem` [1, 2, 16, 16]", "`pooled` [1, 4, 1, 1]"];
    refused("student_tap = \"layer2\"", "student_tap = \"layer7\"", &names);
    let shapes =
        ["student tap `layer1` [1, 2, 16, 16]", "teacher tap `layer2` [1, 8, 8, 8]", "expected maps of one size"];
    refused("student_tap = \"layer2\"", "student_tap = \"layer1\"", &shapes);
    refused(", teacher_tap = \"layer2\"", "", &["one of `student_tap` and `teacher_tap` is missing"]);
    refused("loss = \"hint\"", "loss = \"hinton\", temperature = 2.0", &["loss `hinton` does not fit a pair of taps"]);
    let without = ", student_tap = \"layer2\", teacher_tap = \"layer2\"";
    refused(without, "", &["loss `hint` does not fit a term without taps"]);
    refused("loss = \"hint\"", "loss = \"ifvd\", least_share = 0.5", &["needs a class for each point"]);
    assert!(!folder.path().join("artifacts/runs").exists());
}
