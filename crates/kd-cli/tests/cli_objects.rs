//! Pictures with numbered objects from import to answered pictures, with the built program: small numbers, every stage.

mod program;

use std::path::Path;

use kd_data::format::{gray8_png, gray16_png, read_raster};
use program::{kd, recipe, text};

const SIDE: usize = 32;

const RECIPE: &str = r#"
title = "small"
task = "segment"
[data]
name = "cells"
head = "softmax"
size = [32, 32]
intensity = { kind = "each-volume" }
objects = { border = 1, min_points = 3 }
leak_policy = "stop"
unit = "image"
hard_loss = { cross_entropy = 1.0, dice = 1.0 }
[augment]
views = 2
patch = [16, 16]
foreground_share = 0.5
[teacher]
name = "large"
network = { architecture = "u-net", width = 6, depth = 2, block = "plain", norm = "batch" }
[teacher.train]
epochs = 12
batch_size = 8
learning_rate = 0.02
STEADILY
select = "dice"
[student]
seeds = [0, 1]
[[student.size]]
name = "small"
network = { architecture = "u-net", width = 2, depth = 2, block = "plain", norm = "batch" }
[student.train]
epochs = 2
batch_size = 8
learning_rate = 0.02
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
loss = "hinton"
weight = 0.5
temperature = 2.0
pixels = "all"
[score]
primary = "panoptic_quality"
secondary = ["dice"]
tolerance_mm = 1.0
REPORTED
"#;

/// Bright squares of 6 points in pairs that touch, on a grey that differs between the sorts.
fn pictures(folder: &Path) {
    for part in ["images", "masks"] {
        std::fs::create_dir_all(folder.join("set").join(part)).unwrap();
    }
    let mut table = "file,subgroup\n".to_owned();
    for n in 0..30 {
        let (top, left) = (2 + n % 5, 1 + n % 7);
        let object = |index: usize| {
            let (row, column) = (index / SIDE, index % SIDE);
            let inside = (top..top + 6).contains(&row) || (top + 14..top + 20).contains(&row);
            match column.checked_sub(left) {
                Some(offset @ 0..=11) if inside => 1 + u16::from(offset >= 6) + 2 * u16::from(row > top + 6),
                _ => 0,
            }
        };
        let objects: Vec<u16> = (0..SIDE * SIDE).map(object).collect();
        let ground = if n % 6 == 5 { 90 } else { 20 };
        // A dim line between two squares, as between cells.
        let value = |(index, &object): (usize, &u16)| match object {
            0 => ground + (index * 7 + n) as u8 % 5,
            _ if index % SIDE == left + 6 => 150,
            _ => 200 + (index * 3) as u8 % 5,
        };
        let pixels: Vec<u8> = objects.iter().enumerate().map(value).collect();
        let path = |part: &str| folder.join(format!("set/{part}/{n:02}.png"));
        std::fs::write(path("images"), gray8_png([SIDE; 2], &pixels).unwrap()).unwrap();
        std::fs::write(path("masks"), gray16_png([SIDE; 2], &objects).unwrap()).unwrap();
        table += &format!("{n:02}.png,{}\n", if n % 6 == 5 { "bright" } else { "dark" });
    }
    std::fs::write(folder.join("subgroups.csv"), table).unwrap();
    std::fs::write(folder.join("small.toml"), recipe(RECIPE)).unwrap();
}

fn import(folder: &Path, values: &str) -> program::Ran {
    let mut arguments = vec!["data", "import", "cells", "set", "--format", "image-mask", "--license", "LicenseRef-own"];
    arguments.extend(["--mask-values", values, "--subgroups", "subgroups.csv", "--hold-out", "bright"]);
    arguments.extend(["--classes", if values == "instances" { "background,cell" } else { "a,b,c,d,e" }]);
    kd(folder, &arguments)
}

#[test]
fn touching_objects_are_told_apart_and_a_held_out_sort_has_scores_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    import(folder.path(), "instances").exits(0);
    let record = kd(folder.path(), &["run", "small.toml", "--json"]).exits(0).json();
    let teacher = &record["teacher"]["arm"];
    let quality = |of: &serde_json::Value, name: &str| {
        let metrics = of["metrics"].as_array().unwrap();
        metrics.iter().find(|metric| metric["name"] == name).unwrap()["value"].as_f64().unwrap()
    };
    // Two squares that are taken for one match no true one: above one half, most are told apart.
    assert!(quality(teacher, "panoptic_quality") > 0.5, "{}", quality(teacher, "panoptic_quality"));
    let sorts = teacher["per_subgroup"].as_array().unwrap();
    let named: Vec<(&str, bool)> =
        sorts.iter().map(|sort| (sort["subgroup"].as_str().unwrap(), sort["held_out"].as_bool().unwrap())).collect();
    assert_eq!(named, [("dark", false), ("bright", true)]);
    assert_eq!(sorts[1]["n"], 5);
    // The headline is over the sort that was learned from, and so equals its row.
    assert_eq!(quality(&sorts[0], "panoptic_quality").to_bits(), quality(teacher, "panoptic_quality").to_bits());
    let arms = record["students"][0]["arms"].as_array().unwrap();
    assert!(arms[0]["per_subgroup"][1]["minus_alone"].is_null());
    assert_eq!(arms[1]["per_subgroup"][1]["minus_alone"]["name"], "panoptic_quality");

    let report = std::fs::read_dir(folder.path().join("artifacts/reports")).unwrap().next().unwrap().unwrap().path();
    let page = std::fs::read_to_string(report.join("report.html")).unwrap();
    assert!(page.contains("Each sort of images") && page.contains("held out"));
    let package = report.join("cells_small_distilled.kdp");
    let answers =
        kd(folder.path(), &["predict", text(&package), "set/images", "--out", "answers", "--json"]).exits(0).json();
    assert_eq!(answers["answers"].as_array().unwrap().len(), 30);
    let first = &answers["answers"][0];
    assert_eq!(first["file"], "00.png");
    let mask = read_raster(&folder.path().join("answers/00.png")).unwrap();
    assert_eq!(mask.geometry().shape(), [SIDE; 2]);
    let highest = mask.values().iter().copied().fold(0.0, f32::max);
    assert_eq!(format!("{highest}"), first["objects"].to_string());
}

#[test]
fn objects_that_cannot_be_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    import(folder.path(), "0,1,2,3,4").exits(0);
    let run = |set: &[&str]| {
        let sets = set.iter().flat_map(|set| ["--set", set]);
        kd(folder.path(), &["run", "small.toml"].into_iter().chain(sets).collect::<Vec<_>>())
    };
    run(&[]).exits(2).says(&["`data.objects`", "tell classes alone", "hint:"]);
    kd(folder.path(), &["data", "clean", "cells", "--yes"]).exits(0);
    import(folder.path(), "instances").exits(0);
    run(&["data.head=one-channel"]).exits(2).says(&["`data.objects.border` is 1", "hint:", "border = 0"]);
    run(&["data.objects.border=40"]).exits(2).says(&["at most 16 points", "40"]);
    run(&["score.primary=object_recall"]).exits(2).says(&["object_recall", "panoptic_quality"]);
}
