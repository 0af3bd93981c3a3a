//! Cross-fitted soft labels, through the program: who trains whom, who learns from whom, and what is refused.

mod program;

use program::{classify_recipe, kd, text};

const FOLDS: &str = "folds = 3\ncalibrate = true";

const ARMS: &str = r#"
[[arm]]
name = "alone"
term = [{ loss = "task", weight = 1.0 }]

[[arm]]
name = "distilled"
against = ["in-sample"]
term = [{ loss = "hinton", weight = 1.0, temperature = 2.0 }]

[[arm]]
name = "in-sample"
in_sample = true
term = [{ loss = "hinton", weight = 1.0, temperature = 2.0 }]
"#;

#[test]
fn answers_by_folds_teach_other_things_than_those_of_a_teacher_that_saw_the_samples() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("folds.toml");
    std::fs::write(&path, classify_recipe(FOLDS, ARMS)).unwrap();
    let run = || kd(folder.path(), &["run", text(&path), "--json"]).exits(0);
    let first = run().says(&[
        "teacher tiny without fold 1 of 3",
        "teacher tiny without fold 3 of 3",
        "soft labels of tiny by folds",
        "cross-fitted answers calibrated on training samples: T = ",
        "training samples stay (`data.train_fraction`)",
    ]);
    let record = first.json();
    let facts = record["protocol"].as_array().unwrap();
    let value = |name: &str| facts.iter().find(|fact| fact["name"] == name).unwrap()["value"].as_str().unwrap();
    assert!(value("Cross-fitting").starts_with("3 teachers"), "{}", value("Cross-fitting"));
    assert!(value("Soft labels by folds").starts_with("largest probability 0."));
    let arms = record["students"][0]["arms"].as_array().unwrap();
    let curve = |arm: usize| arms[arm]["curves"][0]["terms"].clone();
    assert!(arms[1]["name"] == "distilled" && arms[2]["name"] == "in-sample" && !curve(1).is_null());
    assert_ne!(curve(1), curve(2));
    let differences = record["differences"].as_array().unwrap();
    assert!(differences.iter().any(|one| one["a"] == "distilled" && one["b"] == "in-sample"), "{differences:?}");
    assert!(!differences.iter().any(|one| one["a"] == "in-sample" && one["b"] == "distilled"), "{differences:?}");
    // All that was trained and asked is opened again, not made again, and what a kill after the last write leaves is removed.
    let runs = folder.path().join("artifacts/runs");
    let finished = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let left = finished.with_extension("work");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("checkpoint-0.bin"), [0; 8]).unwrap();
    let again = run();
    assert!(finished.is_dir() && !left.exists());
    assert!(!again.stderr.contains("without fold 1 of 3:"), "{}", again.stderr);
    assert_eq!(again.json()["students"], record["students"]);
    let dry = kd(folder.path(), &["run", text(&path), "--dry-run", "--json"]).exits(0).json();
    let steps = dry["steps"].as_array().unwrap();
    assert_eq!(steps.iter().filter(|step| step["name"].as_str().unwrap().contains("without fold")).count(), 3);
    assert!(steps.iter().all(|step| step["state"] == "finished"), "{dry}");
}

#[test]
fn folds_that_make_no_sense_are_refused_when_the_recipe_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |from: &str, to: &str, expected: &str| {
        let path = folder.path().join("refused.toml");
        std::fs::write(&path, classify_recipe(FOLDS, ARMS).replace(from, to)).unwrap();
        kd(folder.path(), &["run", text(&path)]).exits(2).says(&[expected]);
    };
    refused("folds = 3", "folds = 1", "`teacher.folds` is 1, expected 2 or more");
    refused("folds = 3", "", "arm `in-sample` is `in_sample`, which needs a distillation term and `teacher.folds`");
    refused("folds = 3", "fold_seed = 3", "`teacher.fold_seed` is set without `teacher.folds`");
    let against = "against = [\"in-sample\"]";
    refused(against, "against = [\"nobody\"]", "arm `distilled` is `against` \"nobody\", which no `arm` is named");
    refused(against, "against = [\"distilled\"]", "arm `distilled` is `against` itself, expected other arms");
    let needs = "arm `in-sample` is `in_sample`, which needs a distillation term";
    refused(
        "in_sample = true\nterm = [{ loss = \"hinton\", weight = 1.0, temperature = 2.0 }]",
        "in_sample = true\nterm = [{ loss = \"task\", weight = 1.0 }]",
        needs,
    );
}
