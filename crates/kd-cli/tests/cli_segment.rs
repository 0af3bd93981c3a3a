//! Segmentation from recipe to mask, with the built program: small numbers, every stage.

mod program;

use std::path::Path;

use kd_data::format::read_dicom;
use program::{ct_series, kd, recipe, text};

/// A set of 8 subjects, seconds to learn.
const DATASET: &str = r#"
name = "small-thorax"
title = "Small thoraxes"
task = "segmentation"
classes = ["background", "lung", "heart and vessels", "bone", "lesion"]
notes = ["generated"]
[image]
channels = 1
size = [32, 32]
intensity = "hounsfield"
[mask]
values = [0, 1, 2, 3, 4]
[license]
spdx = "MIT"
[citation]
text = "none"
[split]
policy = "official"
[generator]
kind = "thorax-organs"
size = 32
slices = 4
spacing_mm = 10.4
slice_mm = 10.0
n_subjects = 8
split = [0.5, 0.25, 0.25]
difficulty = 0.0
noise_hu = 10.0
seed = 1
[source]
layout = "generator"
"#;

const RECIPE: &str = r#"
title = "small"
task = "segment"
[data]
name = "NAME"
head = "softmax"
size = SIZE
intensity = { kind = "window", low = -1000.0, high = 600.0 }
leak_policy = "stop"
unit = "generated subject"
hard_loss = { cross_entropy = 1.0, dice = 1.0 }
[augment]
views = 2
rotate_deg = 5.0
[teacher]
name = "large"
network = { architecture = "u-net", width = 4, depth = 1, block = "plain", norm = "NORM" }
[teacher.train]
epochs = 2
batch_size = 4
learning_rate = 0.01
STEADILY
select = "dice"
[student]
seeds = [0, 1]
[[student.size]]
name = "small"
network = { architecture = "u-net", width = 2, depth = 1, block = "depthwise", norm = "NORM" }
[student.train]
epochs = 1
batch_size = 4
learning_rate = 0.01
STEADILY
select = "dice"
[[arm]]
name = "alone"
[[arm.term]]
loss = "task"
weight = 1.0
[[arm]]
name = "distilled"
[[arm.term]]
loss = "task"
weight = 0.5
[[arm.term]]
loss = "LOSS"
weight = 0.5
temperature = 2.0
[score]
primary = "dice"
secondary = ["hd95"]
tolerance_mm = 10.0
REPORTED
"#;

fn folder(size: &str, norm: &str, loss: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dataset.toml"), DATASET).unwrap();
    let recipe = recipe(RECIPE)
        .replace("NAME", text(&folder.path().join("dataset.toml")))
        .replace("SIZE", size)
        .replace("NORM", norm)
        .replace("LOSS", loss);
    std::fs::write(folder.path().join("small.toml"), recipe).unwrap();
    folder
}

/// The record of a run with one more arm, each of whose terms had a part in the gradient.
fn learned(folder: &Path, arm: &str, terms: usize) -> serde_json::Value {
    let path = folder.join("small.toml");
    let recipe = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, recipe.replace("[score]", arm)).unwrap();
    let record = kd(folder, &["run", "small.toml", "--json", "--seeds", "0"]).exits(0).json();
    let found = record["students"][0]["arms"][2]["curves"][0]["terms"].as_array().unwrap();
    let shares: Vec<f64> = found.iter().map(|term| term["gradient_share"][0].as_f64().unwrap()).collect();
    assert!(shares.iter().all(|&share| share > 0.0) && shares.len() == terms, "{shares:?}");
    record
}

#[test]
fn regions_at_a_tap_teach_a_student_of_slices_and_of_volumes() {
    let arm = r#"[[arm]]
name = "regions"
term = [
    { loss = "task", weight = 1.0 },
    { loss = "region-affinity", weight = 1.0, least_share = 0.5, student_tap = "up0", teacher_tap = "up0" },
    { loss = "pkd", weight = 1.0, student_tap = "down1", teacher_tap = "down1" },
]
[score]"#;
    for size in ["[32, 32]", "[4, 32, 32]"] {
        let folder = folder(size, "instance", "hinton");
        learned(folder.path(), arm, 3);
    }
}

#[test]
fn inner_levels_learn_from_the_mask_and_from_a_peer_and_a_packed_student_teaches_the_next() {
    let arm = r#"[[arm]]
name = "supervised"
teacher = "peer"
term = [
    { loss = "task", weight = 1.0 },
    { loss = "task", name = "deep-task", weight = 0.5, exit = "down1" },
    { loss = "hinton", weight = 0.5, temperature = 2.0, exit = "down1" },
    { loss = "channel-wise", weight = 0.5, temperature = 2.0 },
]
[score]"#;
    for size in ["[32, 32]", "[4, 32, 32]"] {
        let folder = folder(size, "instance", "hinton");
        let path = folder.path().join("small.toml");
        let recipe = std::fs::read_to_string(&path).unwrap();
        let record = learned(folder.path(), arm, 4);
        let refused = arm.replace("down1", "pooled");
        std::fs::write(&path, recipe.replace("[score]", &refused)).unwrap();
        kd(folder.path(), &["run", "small.toml"]).exits(2).says(&["names tap `pooled`"]);

        let report = std::fs::read_dir(folder.path().join("artifacts/reports")).unwrap().next().unwrap().unwrap();
        let package = report.path().join("small-thorax_small_distilled.kdp");
        let (head, rest) = recipe.split_once("[teacher.train]").unwrap();
        let (_, rest) = rest.split_once("[student]").unwrap();
        let head =
            head.replace("width = 4, depth = 1, block = \"plain\"", "width = 2, depth = 1, block = \"depthwise\"");
        std::fs::write(&path, format!("{head}package = '{}'\n[student]{rest}", text(&package))).unwrap();
        let next = kd(folder.path(), &["run", "small.toml", "--json", "--seeds", "0"]).exits(0).json();
        let taught = &record["students"][0]["arms"][1]["metrics"];
        assert_eq!(&next["teacher"]["arm"]["metrics"][0]["value"], &taught[0]["value"], "{}", next["teacher"]);
    }
}

#[test]
fn several_teachers_segment_as_one() {
    for size in ["[32, 32]", "[4, 32, 32]"] {
        let folder = folder(size, "instance", "hinton");
        let path = folder.path().join("small.toml");
        let recipe = std::fs::read_to_string(&path).unwrap();
        let run = |members: &str| {
            std::fs::write(&path, recipe.replace("[teacher.train]", &format!("{members}\n[teacher.train]"))).unwrap();
            kd(folder.path(), &["run", "small.toml", "--json", "--seeds", "0"]).exits(0).json()
        };
        let (one, two) = (run(""), run("members = 2\nmember_weights = [1.0, 1e-12]"));
        let dice = |record: &serde_json::Value| record["teacher"]["arm"]["metrics"][0]["value"].clone();
        assert_eq!(dice(&one), dice(&two), "a member that counts for nothing changes no mask");
        assert_eq!(two["teacher"]["arm"]["curves"].as_array().unwrap().len(), 2);
        assert_ne!(dice(&one), dice(&run("members = 2\nmember_weights = [1e-12, 1.0]")));
    }
}

#[test]
fn given_answers_to_masks_are_one_for_each_view() {
    let folder = folder("[32, 32]", "instance", "hinton");
    let path = folder.path().join("small.toml");
    let recipe = std::fs::read_to_string(&path).unwrap();
    kd(folder.path(), &["label", "small.toml", "--to", "own.npz"]).exits(0);
    let arm = r#"[[arm]]
name = "given"
answers = "own.npz"
term = [{ loss = "task", weight = 0.5 }, { loss = "hinton", weight = 0.5, temperature = 2.0 }]
[score]"#;
    std::fs::write(&path, recipe.replace("[score]", arm)).unwrap();
    let record = kd(folder.path(), &["run", "small.toml", "--json", "--seeds", "0"]).exits(0).json();
    let arms = &record["students"][0]["arms"];
    assert_eq!(arms[1]["curves"], arms[2]["curves"], "the teacher's own answers teach as the teacher does");
    std::fs::write(
        &path,
        recipe.replace("views = 2\nrotate_deg = 5.0", "views = 3\nrotate_deg = 5.0").replace("[score]", arm),
    )
    .unwrap();
    kd(folder.path(), &["run", "small.toml"]).exits(1).says(&["has shape [2, 5, 32, 32], expected [3, 5, 32, 32]"]);
}

#[test]
fn slices_go_from_recipe_to_report_and_a_student_answers_a_volume_on_its_grid() {
    let folder = folder("[32, 32]", "batch", "hinton");
    let record = kd(folder.path(), &["run", "small.toml", "--json"]).exits(0).json();
    assert_eq!(record["task"], "segment");
    assert_eq!(record["teacher"]["hash_before"], record["teacher"]["hash_after"]);
    let shares = record["students"][0]["arms"][1]["curves"][0]["terms"][1]["gradient_share"][0].as_f64().unwrap();
    assert!(shares > 0.0, "{shares}");
    // What is finished is not made again, and the same bytes come out.
    let again = kd(folder.path(), &["run", "small.toml", "--json"]).exits(0).json();
    assert_eq!(record["students"], again["students"]);
    let reports = folder.path().join("artifacts/reports");
    let report = std::fs::read_dir(&reports).unwrap().next().unwrap().unwrap().path();
    let package = report.join("small-thorax_small_distilled.kdp");
    let scan = folder.path().join("artifacts/raw/small-thorax/test/images");
    let told = kd(folder.path(), &["inspect", text(&package), "--json"]).exits(0).json();
    assert_eq!(told["contents"]["task"], "segmentation", "{told}");
    let answers =
        kd(folder.path(), &["predict", text(&package), text(&scan), "--out", "masks", "--json"]).exits(0).json();
    assert_eq!(answers["answers"].as_array().unwrap().len(), 2);
    let name = answers["answers"][0]["file"].as_str().unwrap();
    let (mask, image) = (folder.path().join("masks").join(name), scan.join(name));
    let grid = |path: &std::path::Path| kd_data::format::Nifti::open(path).unwrap().header().geometry.clone();
    assert!(grid(&mask).same_grid(&grid(&image), 1e-3), "{} and {}", grid(&mask), grid(&image));
    series_are_answered_in_their_study(folder.path(), &package, &image, &answers["answers"][0]);
    kd(folder.path(), &["predict", text(&package), text(&scan), "--out", "masks"]).exits(1).says(&["is not empty"]);
    kd(folder.path(), &["predict", text(&package), "small.toml", "--out", "none"])
        .exits(1)
        .says(&["none of 1 inputs could be answered", "NIfTI"]);
}

fn series_are_answered_in_their_study(folder: &Path, package: &Path, image: &Path, nifti_answer: &serde_json::Value) {
    ct_series(image, &folder.join("scan"));
    let line = ["predict", text(package), "scan", "--out", "objects", "--dicom", "--json"];
    let answers = kd(folder, &line).exits(0).json();
    let answer = &answers["answers"][0];
    assert_eq!(answer["file"], "series-1.dcm");
    assert_eq!(answer["points"], nifti_answer["points"], "the series holds the same numbers");
    let object = read_dicom(&folder.join("objects/series-1.dcm")).unwrap();
    let ones = object.modality().unwrap().values.iter().filter(|&&value| value > 0.0).count() as u64;
    let points: Vec<u64> = serde_json::from_value(answer["points"].clone()).unwrap();
    assert_eq!(object.shape()[1..], [32, 32]);
    assert_eq!(ones, points[1..].iter().sum::<u64>());
}

#[test]
fn whole_volumes_learn_channel_wise() {
    let folder = folder("[4, 32, 32]", "instance", "channel-wise");
    let record = kd(folder.path(), &["run", "small.toml", "--json", "--seeds", "0"]).exits(0).json();
    assert_eq!(record["dataset"]["splits"][0]["images"], 4);
    assert_eq!(record["students"][0]["arms"][1]["per_class"].as_array().unwrap().len(), 4);
    let dry = kd(folder.path(), &["run", "small.toml", "--dry-run", "--json", "--seeds", "0"]).exits(0).json();
    let steps = dry["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["name"].as_str().unwrap().starts_with("label")), "{dry}");
    assert!(steps.iter().all(|step| step["state"] == "finished"), "{dry}");
}

#[test]
fn a_forecast_names_every_step_and_trains_nothing() {
    let folder = folder("[32, 32]", "batch", "hinton");
    let told = kd(folder.path(), &["run", "small.toml", "--dry-run", "--json"]).exits(0).json();
    assert_eq!(told["steps"].as_array().unwrap().len(), 2 + 2 * 2);
    assert!(!folder.path().join("artifacts/runs").exists());
}

#[test]
fn a_recipe_that_does_not_fit_is_refused_before_anything_is_made() {
    let folder = folder("[32, 32]", "batch", "hinton");
    let refused = |set: &str| kd(folder.path(), &["run", "small.toml", "--set", set]).exits(2);
    refused("data.size=[30, 33]").says(&["axis 1 has 33 points", "hint: pad to 34"]);
    refused("arm.distilled.hinton.loss=bernoulli").says(&["bernoulli", "hint:"]);
    refused("score.primary=auroc").says(&["`score.primary` is \"auroc\"", "dice"]);
    refused("data.hard_loss.dise=1.0").says(&["dise"]);
    refused("data.name=chest-phantom").says(&["segments", "binary", "hint:"]);
    refused("augment.patch=[64, 16]").says(&["patch"]);
    assert!(!folder.path().join("artifacts").exists());
}
