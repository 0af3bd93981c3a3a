//! Scores of anybody's masks and images, with the built program, against numbers that can be worked out by hand.

mod program;

use std::path::Path;

use kd_data::format::{NpyArray, NpyValue, gray8_png, write_nifti};
use kd_image::Geometry;
use program::kd;

fn volume(folder: &Path, name: &str, values: Vec<u8>) {
    std::fs::create_dir_all(folder).unwrap();
    let grid = Geometry::<3>::with_spacing([2, 4, 4], [2.0, 1.0, 1.0]).unwrap();
    let array = NpyValue::U8(NpyArray { shape: vec![2, 4, 4], values });
    write_nifti(&folder.join(name), &array, &grid).unwrap();
}

fn picture(folder: &Path, name: &str, side: usize, value: impl Fn(usize) -> u8) {
    std::fs::create_dir_all(folder).unwrap();
    let pixels: Vec<u8> = (0..side * side).map(value).collect();
    std::fs::write(folder.join(name), gray8_png([side, side], &pixels).unwrap()).unwrap();
}

/// Class 1 in the first `n` voxels.
fn first(n: usize) -> Vec<u8> {
    (0..32).map(|voxel| u8::from(voxel < n)).collect()
}

#[test]
fn masks_are_scored_by_case_and_by_class_with_policy_and_interval() {
    let folder = tempfile::tempdir().unwrap();
    let [truth, pred] = ["truth", "pred"].map(|name| folder.path().join(name));
    volume(&truth, "a.nii.gz", first(8));
    volume(&pred, "a.nii.gz", first(8));
    volume(&truth, "b.nii.gz", first(8));
    volume(&pred, "b.nii", first(4));
    let score = ["metrics", "segment", "--pred", "pred", "--truth", "truth", "--classes", "background,organ"];
    let told = kd(folder.path(), &[&score[..], &["--tolerance-mm", "1", "--json"]].concat()).exits(0).json();
    // (1 + 2 · 4 / 12) / 2
    assert!((told["metrics"]["dice"]["value"].as_f64().unwrap() - 5.0 / 6.0).abs() < 1e-9, "{told}");
    assert_eq!(told["per_class"][0]["class"], "organ");
    assert_eq!(told["per_case"][0]["dice"], 1.0);
    assert_eq!(told["n"], 2);
    let page = kd(folder.path(), &[&score[..], &["--tolerance-mm", "1"]].concat()).exits(0).stdout;
    assert!(["dice", "0.8333", "2 cases of 2 groups", "organ"].iter().all(|text| page.contains(text)), "{page}");
    let refused = |more: &[&str], code: i32, words: &[&str]| {
        kd(folder.path(), &[&score[..], more].concat()).exits(code).says(words);
    };
    refused(&["--tolerance-mm", "-1"], 2, &["tolerance"]);
    volume(&pred, "c.nii", first(4));
    refused(&["--tolerance-mm", "1"], 1, &["case `c`", "predictions", "none in the folder of the truth"]);
    volume(&truth, "c.nii", vec![7; 32]);
    refused(&["--tolerance-mm", "1"], 1, &["case `c`", "7"]);
}

#[test]
fn pictures_need_a_spacing_and_groups_join_cases() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.png", "b.png", "c.png"] {
        for side in ["truth", "pred"] {
            picture(&folder.path().join(side), name, 8, |pixel| u8::from(pixel % 8 > 3));
        }
    }
    std::fs::write(folder.path().join("groups.csv"), "id,group\na,x\nb,x\nc,y\n").unwrap();
    let score = "metrics segment --pred pred --truth truth --classes background,cell --tolerance-mm 1 --json";
    let run = |more: &[&str]| kd(folder.path(), &[&score.split(' ').collect::<Vec<_>>()[..], more].concat());
    run(&[]).exits(1).says(&["case `a`", "how far apart", "--spacing"]);
    let told = run(&["--spacing", "1,1", "--groups", "groups.csv"]).exits(0).json();
    assert_eq!((&told["n"], &told["groups"]), (&serde_json::json!(3), &serde_json::json!(2)));
    assert_eq!(told["metrics"]["nsd"]["value"], 1.0);
}

#[test]
fn images_are_scored_in_a_stated_range_beside_doing_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let truth = |pixel: usize| 100 + (pixel % 16) as u8;
    picture(&folder.path().join("truth"), "a.png", 16, truth);
    picture(&folder.path().join("pred"), "a.png", 16, |pixel| truth(pixel) + 1);
    picture(&folder.path().join("input"), "a.png", 16, |pixel| truth(pixel) + 10);
    let score = "metrics enhance --pred pred --truth truth --json";
    let run = |more: &[&str]| kd(folder.path(), &[&score.split(' ').collect::<Vec<_>>()[..], more].concat());
    let told = run(&["--input", "input", "--range", "0,255"]).exits(0).json();
    let psnr = &told["metrics"]["psnr_db"];
    let expected = 20.0 * 255.0f64.log10();
    assert!((psnr["value"].as_f64().unwrap() - expected).abs() < 1e-9, "{psnr}");
    assert!((psnr["do_nothing"].as_f64().unwrap() - (expected - 20.0)).abs() < 1e-9, "{psnr}");
    assert!(psnr["policy"].as_str().unwrap().contains("range 255"), "{psnr}");
    run(&["--range", "0,50"]).exits(1).says(&["expected 0 to 50", "hint:"]);
    run(&["--range", "0"]).exits(2).says(&["--range"]);
    run(&["--range", "-10,200", "--clip"]).exits(0);
    // Equal images: an infinite PSNR by policy, which JSON has no number for.
    let same = kd(
        folder.path(),
        &"metrics enhance --pred truth --truth truth --range 0,255 --json".split(' ').collect::<Vec<_>>(),
    );
    assert_eq!(same.exits(0).json()["metrics"]["rmse"]["value"], 0.0);
}
