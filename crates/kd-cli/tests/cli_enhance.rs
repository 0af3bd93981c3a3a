//! Enhancement from recipe to restored volume, with the built program: small numbers, every stage.

mod program;

use kd_data::format::{Nifti, NotFinite, Tilt, files_below, read_dicom_volume};
use kd_image::Intensity;
use program::{ct_series, kd, recipe, text};

/// A set of 8 subjects, seconds to learn.
const DATASET: &str = r#"
name = "small-ct"
title = "Small thoraxes"
task = "enhancement"
notes = ["generated"]
[image]
channels = 1
size = [32, 32]
intensity = "hounsfield"
[license]
spdx = "MIT"
[citation]
text = "none"
[split]
policy = "official"
[generator]
kind = "ct"
region = "thorax"
size = 32
slices = 4
spacing_mm = 10.4
slice_mm = 10.0
n_subjects = 8
split = [0.5, 0.25, 0.25]
difficulty = 0.0
seed = 1
[source]
layout = "generator"
"#;

const RECIPE: &str = r#"
title = "small"
task = "enhance"
[data]
name = "NAME"
size = [32, 32]
intensity = { kind = "linear", offset = -1000.0, scale = 1000.0 }
degradation_seed = 0
degradation = DEGRADATION
leak_policy = "stop"
unit = "generated subject"
hard_loss = [{ loss = "l1", weight = 1.0 }]
[augment]
views = 2
patch = PATCH
mirror_columns = true
[teacher]
name = "large"
network = NETWORK
[teacher.train]
epochs = 40
batch_size = 4
learning_rate = 0.01
STEADILY
select = "psnr_db"
[student]
seeds = [0, 1]
[[student.size]]
name = "small"
network = NETWORK
[student.train]
epochs = 1
batch_size = 4
learning_rate = 0.003
STEADILY
select = "psnr_db"
[[arm]]
name = "alone"
[[arm.term]]
loss = "task"
weight = 1.0
[[arm]]
name = "control"
[[arm.term]]
loss = "task"
weight = 0.5
[[arm.term]]
loss = "gradient"
weight = 0.5
against = "truth"
[[arm]]
name = "distilled"
[[arm.term]]
loss = "task"
weight = 0.5
[[arm.term]]
loss = "gradient"
weight = 0.5
[score]
primary = "psnr_db"
secondary = ["ssim"]
range = [-1000.0, 1000.0]
clip = true
regions = [{ name = "lung", range = [-950.0, -500.0] }, { name = "soft tissue", range = [-150.0, 150.0] }]
REPORTED
"#;

const DENOISER: &str = r#"{ architecture = "dncnn", width = 8, layers = 3, norm = "none" }"#;
const NOISE: &str = r#"{ kind = "gaussian", sigma = 60.0 }"#;

fn folder(degradation: &str, network: &str, patch: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dataset.toml"), DATASET).unwrap();
    let recipe = recipe(RECIPE)
        .replace("NAME", text(&folder.path().join("dataset.toml")))
        .replace("DEGRADATION", degradation)
        .replace("NETWORK", network)
        .replace("PATCH", patch);
    std::fs::write(folder.path().join("small.toml"), recipe).unwrap();
    folder
}

fn package(folder: &std::path::Path) -> std::path::PathBuf {
    let reports = folder.join("artifacts/reports");
    let report = std::fs::read_dir(&reports).unwrap().next().unwrap().unwrap().path();
    report.join("small-ct_small_distilled.kdp")
}

#[test]
fn noise_is_learned_away_and_a_student_restores_a_volume_on_its_grid() {
    let folder = folder(NOISE, DENOISER, "[16, 16]");
    let record = kd(folder.path(), &["run", "small.toml", "--json"]).exits(0).json();
    assert_eq!(record["task"], "enhance");
    assert_eq!(record["teacher"]["hash_before"], record["teacher"]["hash_after"]);
    let psnr = |of: &serde_json::Value| of["metrics"][0]["value"].as_f64().unwrap();
    let (nothing, teacher) = (psnr(&record["baselines"][0]), psnr(&record["teacher"]["arm"]));
    // 20 log10(2000 / 60) is 30.5; clipping makes the noise in air a little smaller.
    assert!((30.0..33.0).contains(&nothing), "{nothing}");
    assert!(teacher > nothing + 1.0, "{teacher} and {nothing}");
    for (of, noise) in [(&record["baselines"][0], 55.0..65.0), (&record["teacher"]["arm"], 1.0..57.0)] {
        let tissue = &of["per_class"][1];
        assert_eq!((&tissue["class"], &tissue["metrics"][1]["name"]), (&"soft tissue".into(), &"region_noise".into()));
        let value = |metric: usize| tissue["metrics"][metric]["value"].as_f64().unwrap();
        assert!(noise.contains(&value(1)) && value(0) < noise.end, "{tissue}");
    }
    let arms = record["students"][0]["arms"].as_array().unwrap();
    let roles: Vec<&str> = arms.iter().map(|arm| arm["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["alone", "control", "distilled"]);
    assert_eq!(arms[1]["terms"][1]["source"], "truth");
    let again = kd(folder.path(), &["run", "small.toml", "--json"]).exits(0).json();
    assert_eq!(record["students"], again["students"]);

    let package = package(folder.path());
    let told = kd(folder.path(), &["inspect", text(&package), "--json"]).exits(0).json();
    assert_eq!(told["contents"]["task"], "enhancement", "{told}");
    let scan = folder.path().join("artifacts/raw/small-ct/test/images");
    let answers =
        kd(folder.path(), &["predict", text(&package), text(&scan), "--out", "restored", "--json"]).exits(0).json();
    assert_eq!(answers["answers"].as_array().unwrap().len(), 2);
    let name = answers["answers"][0]["file"].as_str().unwrap();
    let (restored, image) = (folder.path().join("restored").join(name), scan.join(name));
    let grid = |path: &std::path::Path| Nifti::open(path).unwrap().header().geometry.clone();
    assert!(grid(&restored).same_grid(&grid(&image), 1e-3), "{} and {}", grid(&restored), grid(&image));

    ct_series(&image, &folder.path().join("scan"));
    let line = ["predict", text(&package), "scan", "--out", "derived", "--dicom", "--json"];
    assert_eq!(kd(folder.path(), &line).exits(0).json()["answers"][0]["file"], "series-1");
    let slices = files_below(&folder.path().join("derived/series-1")).unwrap();
    let slices: Vec<_> = slices.into_iter().map(|file| file.path).collect();
    let series = read_dicom_volume(&slices, Tilt::Refuse).unwrap().image;
    let nifti = Nifti::open(&restored).unwrap().image(Intensity::Hounsfield, NotFinite::Refuse).unwrap();
    assert!(series.geometry().same_grid(nifti.geometry(), 1e-3), "{} and {}", series.geometry(), nifti.geometry());
    let range = nifti.values().iter().fold(0.0f32, |most, value| most.max(value.abs())) * 2.0;
    let off = series.values().iter().zip(nifti.values()).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(off <= range / 65534.0, "{off} of {range}");
}

#[test]
fn affinities_at_a_tap_teach_a_restorer() {
    let arm = r#"[[arm]]
name = "affine"
term = [
    { loss = "task", weight = 1.0 },
    { loss = "pair-affinity", weight = 1.0, norm = "absolute", per_axis = 4, student_tap = "layer1", teacher_tap = "layer1" },
]
[score]"#;
    let folder = folder(NOISE, DENOISER, "[16, 16]");
    let path = folder.path().join("small.toml");
    let recipe = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, recipe.replace("[score]", arm)).unwrap();
    let record = kd(folder.path(), &["run", "small.toml", "--json"]).exits(0).json();
    let term = &record["students"][0]["arms"][3]["curves"][0]["terms"][1];
    assert!(term["name"] == "pair-affinity" && term["gradient_share"][0].as_f64().unwrap() > 0.0, "{term}");
}

#[test]
fn a_finer_answer_covers_the_same_field_of_view() {
    let network = r#"{ architecture = "edsr", width = 4, blocks = 1, factor = 2, residual_scale = 1.0 }"#;
    let folder = folder(r#"{ kind = "downsample", factor = 2, blur_sigma = 0.5 }"#, network, "[8, 8]");
    let record = kd(folder.path(), &["run", "small.toml", "--json", "--seeds", "0"]).exits(0).json();
    assert_eq!(record["baselines"][0]["name"], "bicubic");
    let scan = folder.path().join("artifacts/raw/small-ct/test/images");
    let package = package(folder.path());
    let answers =
        kd(folder.path(), &["predict", text(&package), text(&scan), "--out", "finer", "--json"]).exits(0).json();
    assert_eq!(answers["answers"][0]["shape"], serde_json::json!([4, 64, 64]));
    let name = answers["answers"][0]["file"].as_str().unwrap();
    let finer = Nifti::open(&folder.path().join("finer").join(name)).unwrap();
    let spacing = finer.header().geometry.spacing_mm().unwrap();
    assert!(spacing.iter().zip([10.0, 5.2, 5.2]).all(|(a, b)| (a - b).abs() < 1e-4), "{spacing:?}");
}

#[test]
fn a_sweep_compares_on_the_validation_split_and_what_it_learned_is_kept() {
    let folder = folder(NOISE, DENOISER, "[16, 16]");
    let artifacts = folder.path().join("artifacts");
    let weights = "arm.distilled.gradient.weight=0.1,0.9";
    let sweep = || kd(folder.path(), &["sweep", "small.toml", "--over", weights, "--json"]).exits(0).json();
    let swept = sweep();
    assert_eq!(swept["split"], "val");
    let rows = swept["rows"].as_array().unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row["arm"].as_str().unwrap(), row["set"][0].as_str())).collect();
    let set = ["arm.distilled.gradient.weight=0.1", "arm.distilled.gradient.weight=0.9"];
    assert_eq!(told, [("alone", None), ("distilled", Some(set[0])), ("distilled", Some(set[1]))]);
    assert!(rows.iter().all(|row| row["values"].as_array().unwrap().len() == 2 && row["measure"] == "psnr_db"));
    let mean = |row: &serde_json::Value| row["mean"].as_f64().unwrap();
    let best = rows.iter().max_by(|a, b| mean(a).total_cmp(&mean(b))).unwrap();
    let marked: Vec<_> = rows.iter().filter(|row| row["best"] == true).collect();
    assert_eq!(marked, [best]);
    // 16 slices of 4 training subjects, batches of 4, one epoch, 3 rows of 2 seeds.
    assert!(swept["optimizer_steps"].as_u64().unwrap() >= 6 * 4, "{swept}");
    assert!(!artifacts.join("scores").exists() && !artifacts.join("reports").exists());

    let runs = || std::fs::read_dir(artifacts.join("runs")).unwrap().count();
    let learned = runs();
    assert_eq!(sweep(), swept);
    assert_eq!(runs(), learned);
    // Only the control arm, which was not swept, is left to learn: two seeds.
    kd(folder.path(), &["run", "small.toml", "--set", set[1]]).exits(0);
    assert_eq!(runs(), learned + 2);
}

#[test]
fn a_recipe_that_does_not_fit_is_refused_before_anything_is_made() {
    let folder = folder(NOISE, DENOISER, "[16, 16]");
    let refused = |set: &str| kd(folder.path(), &["run", "small.toml", "--set", set]).exits(2);
    refused("data.intensity.kind=each-volume").says(&["intensity"]);
    refused("augment.patch=[64, 16]").says(&["patch is 64 x 16", "32 x 32"]);
    refused("augment.views=0").says(&["views"]);
    refused("data.degradation={ kind = \"rician\", sigma = 1.0 }").says(&["rician", "hounsfield", "hint:"]);
    refused("data.degradation={ kind = \"downsample\", factor = 2, blur_sigma = 0.0 }")
        .says(&["network `large`", "expected 2"]);
    refused("arm.distilled.gradient.loss=hinton").says(&["hinton", "images", "hint:"]);
    refused("arm.alone.task.smoothing=0.1").says(&["arm `alone` smooths labels"]);
    refused("arm.control.gradient.against=mirror").says(&["`against` = text `mirror`", "truth"]);
    refused("score.primary=dice").says(&["`score.primary` is \"dice\"", "psnr_db"]);
    refused("data.name=thorax-phantom").says(&["restores", "segmentation", "hint:"]);
    assert!(!folder.path().join("artifacts").exists());
}

#[test]
fn measured_pairs_are_learned_from_as_they_are() {
    let folder = folder(r#"{ kind = "measured" }"#, DENOISER, "[16, 16]");
    let root = folder.path();
    kd(root, &["data", "get", "dataset.toml"]).exits(0);
    kd(root, &["data", "export", "dataset.toml", "clean", "--format", "nifti"]).exits(0);
    for file in files_below(&root.join("clean")).unwrap() {
        let clean = Nifti::open(&file.path).unwrap().image(Intensity::Hounsfield, NotFinite::Refuse).unwrap();
        // A checkerboard of 40 HU, which no draw of noise would give.
        let noisy = clean.values().iter().enumerate().map(|(n, value)| {
            let [x, y] = [n % 32, n / 32 % 32];
            value + if (x + y) % 2 == 0 { 40.0 } else { -40.0 }
        });
        let noisy = kd_image::Image::new(1, clean.geometry().clone(), Intensity::Hounsfield, noisy.collect()).unwrap();
        let path = root.join("measured").join(&file.name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        kd_data::format::write_nifti_image(&path, &noisy, kd_data::format::NiftiType::F32).unwrap();
    }
    // Without what was measured there is nothing to learn from.
    kd(root, &["run", "small.toml"]).exits(1).says(&["what was measured of every volume", "--inputs"]);
    let import = ["data", "import", "pairs", "--format", "nifti", "--task", "enhancement", "clean"];
    let more = ["--inputs", "measured", "--license", "MIT", "--intensity", "hounsfield"];
    kd(root, &[&import[..], &more[..]].concat()).exits(0);
    let recipe = std::fs::read_to_string(root.join("small.toml")).unwrap();
    let recipe = recipe.replace(text(&root.join("dataset.toml")), "pairs");
    std::fs::write(root.join("pairs.toml"), recipe).unwrap();
    let record = kd(root, &["run", "pairs.toml", "--json"]).exits(0).json();
    let psnr = |of: &serde_json::Value| of["metrics"][0]["value"].as_f64().unwrap();
    let (nothing, teacher) = (psnr(&record["baselines"][0]), psnr(&record["teacher"]["arm"]));
    // 20 log10(2000 / 40) is 34.0; what is clipped is less.
    assert!((33.9..36.0).contains(&nothing), "{nothing}");
    assert!(teacher > nothing + 3.0, "{teacher} and {nothing}");
    let facts = record["protocol"].as_array().unwrap();
    assert!(facts.iter().any(|fact| fact["value"].as_str().unwrap().starts_with("measured: inputs as the scanner")));
}
