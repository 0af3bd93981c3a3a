//! `kd inspect` and `kd predict`: files that somebody hands over, good ones and bad ones.

mod program;

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use kd_classify::{Architecture, NetworkDesign, Stem};
use kd_core::{State, initialize};
use kd_data::format::{NpyArray, NpyValue, WeightTensor, Weights, gray8_png, write_npz, write_safetensors};
use kd_data::store::write_package;
use program::kd;
use serde_json::{Value, json};

const SIDE: usize = 16;
const TEMPERATURE: f64 = 1.5;

fn pixels(seed: usize) -> Vec<u8> {
    (0..SIDE * SIDE).map(|p| ((p * 7 + seed * 31) % 251) as u8).collect()
}

/// Writes a package around an untrained student; gives its one logit for an image.
fn package(path: &Path, schema: u32) -> impl Fn(&[u8]) -> f64 + use<> {
    let device = Device::flex();
    let mut design = NetworkDesign::new(Architecture::ThinResNet, Stem::Small);
    design.width = Some(4);
    design.blocks = Some(vec![1, 1]);
    let network = initialize(design.clone().spec(1, 1).unwrap().init(&device), 7);
    let state = State::of(&network);
    let card = json!({
        "schema": schema,
        "name": "tiny",
        "network": design,
        "head": "one-channel",
        "classes": ["normal", "finding, any"],
        "preparation": {
            "size": [SIDE, SIDE],
            "channels": 1,
            "resize": "refuse",
            "convert": "refuse",
            "normalization": { "kind": "z-score", "mean": [0.5], "std": [0.25] },
        },
        "temperature": TEMPERATURE,
        "decision": { "rule": "youden", "threshold": 0.0, "sensitivity": 0.9, "specificity": 0.8 },
        "parameters": 1,
        "multiply_adds": 1,
        "intended_use": "tests",
        "provenance": {
            "recipe": "r", "recipe_toml": "", "arm": "kd", "seed": 0, "chosen_epoch": 0, "dataset": "d",
            "dataset_license": "CC0-1.0", "dataset_citation": "c", "preparation_hash": "p", "teacher": "t",
            "teacher_hash": "h", "weights_hash": state.hash(), "revision": "unknown", "program": "kd",
        },
    });
    let entries = BTreeMap::from([
        ("card.json".to_owned(), serde_json::to_vec(&card).unwrap()),
        ("weights.safetensors".to_owned(), state.to_bytes()),
        ("LICENSE.txt".to_owned(), b"none".to_vec()),
    ]);
    write_package(path, schema, &entries).unwrap();
    move |pixels| {
        let values: Vec<f32> = pixels.iter().map(|&p| (f32::from(p) / 255.0 - 0.5) / 0.25).collect();
        let input = Tensor::<4>::from_data(TensorData::new(values, [1, 1, SIDE, SIDE]), &device);
        let logits: Vec<f32> = network.forward(input).into_data().convert::<f32>().try_into_vec().unwrap();
        f64::from(logits[0])
    }
}

fn write_png(path: &Path, seed: usize) {
    std::fs::write(path, gray8_png([SIDE, SIDE], &pixels(seed)).unwrap()).unwrap();
}

fn answers(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("answers/predictions.json")).unwrap()).unwrap()
}

#[test]
fn png_and_npz_get_the_calibrated_probabilities_of_the_student() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let logit = package(&folder.join("student.kd"), 1);
    std::fs::create_dir_all(folder.join("scans/deep")).unwrap();
    write_png(&folder.join("scans/deep/a.png"), 1);
    let images = NpyArray { shape: vec![2, SIDE, SIDE], values: [pixels(2), pixels(3)].concat() };
    write_npz(&folder.join("more.npz"), &[("test_images", NpyValue::U8(images))]).unwrap();
    let ran = kd(folder, &["predict", "student.kd", "scans", "more.npz", "--out", "answers", "--json"]).exits(0);
    let document = answers(folder);
    assert_eq!(ran.json(), document, "stdout and file hold the same");
    let names: Vec<&str> =
        document["answers"].as_array().unwrap().iter().map(|answer| answer["input"].as_str().unwrap()).collect();
    assert_eq!(names, ["deep/a.png", "more.npz#test_images/00000", "more.npz#test_images/00001"]);
    for (answer, seed) in document["answers"].as_array().unwrap().iter().zip([1, 2, 3]) {
        let expected = 1.0 / (1.0 + (-logit(&pixels(seed)) / TEMPERATURE).exp());
        let found = answer["probabilities"][1].as_f64().unwrap();
        // Single precision, and batches of another size may add in another order.
        assert!((found - expected).abs() < 1e-5, "{found} and {expected}");
        let sum = found + answer["probabilities"][0].as_f64().unwrap();
        assert!((sum - 1.0).abs() < 1e-12);
        // Every probability reaches an operating point of 0.
        assert_eq!(answer["decision"], "finding, any");
    }
    let csv = std::fs::read_to_string(folder.join("answers/predictions.csv")).unwrap();
    assert!(csv.starts_with("input,probability_normal,\"probability_finding, any\",predicted,decision\n"), "{csv}");
    assert_eq!(csv.lines().count(), 4);
    // Answers are never mixed with what stands there.
    kd(folder, &["predict", "student.kd", "scans", "--out", "answers"]).exits(1).says(&["not empty", "another --out"]);
}

#[test]
fn a_bad_input_is_named_the_others_are_answered_and_the_exit_code_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _ = package(&folder.join("student.kd"), 1);
    write_png(&folder.join("good.png"), 1);
    std::fs::write(folder.join("empty.png"), "").unwrap();
    std::fs::write(folder.join("small.png"), gray8_png([2, 2], &[1, 2, 3, 4]).unwrap()).unwrap();
    let mut dicom = vec![0; 200];
    dicom[128..132].copy_from_slice(b"DICM");
    std::fs::write(folder.join("scan.dcm"), dicom).unwrap();
    let inputs = ["empty.png", "good.png", "small.png", "scan.dcm", "gone.png"];
    kd(folder, &[&["predict", "student.kd"], &inputs[..], &["--out", "answers"]].concat()).exits(1).says(&[
        "empty.png: ",
        "0 bytes",
        "small.png: ",
        "[2, 2]",
        "found DICOM",
        "gone.png: ",
        "4 of 5 inputs",
    ]);
    let document = answers(folder);
    assert_eq!(document["answers"].as_array().unwrap().len(), 1);
    assert_eq!(document["failed"].as_array().unwrap().len(), 4);
    kd(folder, &["predict", "student.kd", "empty.png", "--out", "none"]).exits(1).says(&["none of 1 inputs"]);
    assert!(!folder.join("none").exists());
}

#[test]
fn a_damaged_package_and_one_of_another_schema_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_png(&folder.join("a.png"), 1);
    let _ = package(&folder.join("other.kd"), 2);
    let run = |name: &str| kd(folder, &["predict", name, "a.png", "--out", "answers"]).exits(1);
    run("other.kd").says(&["another schema", "expected 1, found 2", "hint: "]);
    let _ = package(&folder.join("student.kd"), 1);
    let whole = std::fs::read(folder.join("student.kd")).unwrap();
    std::fs::write(folder.join("cut.kd"), &whole[..whole.len() / 2]).unwrap();
    run("cut.kd").says(&["damaged"]);
    run("a.png").says(&["a.png", "damaged"]);
    run("gone.kd").says(&["gone.kd"]);
    assert!(!folder.join("answers").exists());
}

#[test]
fn inspect_tells_what_each_kind_of_file_holds() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let look = |name: &str| kd(folder, &["inspect", name, "--json"]).exits(0).json();

    write_png(&folder.join("a.png"), 1);
    let png = look("a.png");
    assert_eq!((&png["format"], &png["contents"]["bits"]), (&"PNG".into(), &8.into()));
    assert_eq!(png["contents"]["shape"], json!([1, SIDE, SIDE]));
    assert_eq!(png["sha256"].as_str().unwrap().len(), 64);

    let flat = NpyValue::F32(NpyArray { shape: vec![2, 3], values: vec![4.0; 6] });
    let words = NpyValue::Text(NpyArray { shape: vec![1], values: vec!["x".to_owned()] });
    write_npz(&folder.join("set.npz"), &[("flat", flat), ("words", words)]).unwrap();
    let npz = look("set.npz");
    assert_eq!(npz["contents"]["arrays"][0]["shape"], json!([2, 3]));
    assert_eq!(npz["contents"]["arrays"][0]["dtype"], "<f4");
    assert!(npz["warnings"][0].as_str().unwrap().contains("every value is 4"), "{npz}");

    let mut weights = Weights::default();
    weights.tensors.insert("fc.weight".into(), WeightTensor { shape: vec![2, 3], values: vec![0.5; 6] });
    write_safetensors(&folder.join("w.safetensors"), &weights).unwrap();
    let tensors = look("w.safetensors");
    assert_eq!((&tensors["contents"]["tensors"], &tensors["contents"]["values"]), (&1.into(), &6.into()));

    let _ = package(&folder.join("student.kd"), 1);
    let student = look("student.kd");
    assert_eq!(student["contents"]["student"], "tiny");
    let page = kd(folder, &["inspect", "student.kd"]).exits(0).stdout;
    assert!(page.contains("student package") && page.contains("normal, finding, any"), "{page}");

    std::fs::write(folder.join("noise"), "just text").unwrap();
    assert!(look("noise")["warnings"][0].as_str().unwrap().contains("no reader"));
    std::fs::write(folder.join("scores.csv"), "id,score_0\na,1\nb,2\n").unwrap();
    assert_eq!(look("scores.csv")["contents"], json!({ "columns": ["id", "score_0"], "lines": 2 }));
    std::fs::write(folder.join("empty.npz"), "").unwrap();
    kd(folder, &["inspect", "empty.npz"]).exits(1).says(&["is empty", "0 bytes"]);
    std::fs::write(folder.join("cut.png"), &std::fs::read(folder.join("a.png")).unwrap()[..60]).unwrap();
    kd(folder, &["inspect", "cut.png"]).exits(1).says(&["cut.png"]);
}

#[test]
fn copies_without_names_are_told_of_without_names() {
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path().join("volume.nii.gz");
    let affine = kd_image::Affine {
        matrix: [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]],
    };
    let grid = kd_image::Geometry::placed([3, 4, 5], affine).unwrap();
    let image = kd_image::Image::new(1, grid, kd_image::Intensity::Hounsfield, vec![40.0; 60]).unwrap();
    kd_data::format::write_nifti_image(&volume, &image, kd_data::format::NiftiType::I16).unwrap();
    program::ct_series(&volume, &folder.path().join("scans"));
    std::fs::write(folder.path().join("scans/notes.txt"), "Phantom^One was here").unwrap();
    let told = kd(folder.path(), &["data", "deidentify", "scans", "copies", "--retain", "full-dates", "--json"])
        .exits(0)
        .json();
    assert_eq!((&told["files"], &told["subjects"], &told["refused"]), (&3.into(), &1.into(), &0.into()));
    assert_eq!(told["retained"][0]["code"], "113106");
    let record = std::fs::read_to_string(folder.path().join("copies/deidentified.json")).unwrap();
    assert!(record.contains("(0010,0020)") && record.contains("(0020,000D)"), "{record}");
    assert!(!record.contains("Phantom^One") && !record.contains("0001.dcm"), "{record}");
    let table = kd(folder.path(), &["data", "deidentify", "scans", "again"]).exits(0).says(&["1 files are no DICOM"]);
    assert!(table.stdout.starts_with("attribute") && table.stdout.contains("(0020,000D)"), "{}", table.stdout);
    kd(folder.path(), &["data", "deidentify", "scans", "copies"]).exits(1).says(&["copies"]);
    kd(folder.path(), &["data", "deidentify", "scans/notes.txt", "none"]).exits(1).says(&["no DICOM file"]);
    kd(folder.path(), &["data", "deidentify", "scans", "none", "--retain", "names"]).exits(2).says(&["full-dates"]);
    std::fs::write(folder.path().join("salt"), "short").unwrap();
    kd(folder.path(), &["data", "deidentify", "scans", "none", "--salt", "salt"]).exits(1).says(&["16 bytes", "hint:"]);
    assert!(!folder.path().join("none").exists());
}
