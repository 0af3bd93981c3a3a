//! Pictures whose masks number their objects: sorts of images, what is held out, insides and borders.

#![cfg(feature = "formats")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kd_data::Root;
use kd_data::format::{gray8_png, gray16_png};
use kd_data::import::{EmptyMasks, ImportError, MaskFormat, MaskImportRequest, import_masks};
use kd_data::leak::LeakPolicy;
use kd_data::manifest::MaskValues;
use kd_data::prepare::{CaseSet, DenseIntensity, DenseRequest, ObjectTarget, prepare_cases};
use kd_data::store::{DenseSource, Element};
use kd_image::{LabelMap, SampleSource, Split};

const SIDE: usize = 8;

/// Two objects that touch, moved a bit from picture to picture.
fn objects(n: usize) -> Vec<u16> {
    let of = |index: usize| match (index / SIDE, index % SIDE) {
        (1..=4, 0..=2) => 300,
        (1..=4, 3..=5) => 7,
        (6, column) if column == n % SIDE => 9,
        _ => 0,
    };
    (0..SIDE * SIDE).map(of).collect()
}

/// Pictures `0.png` to `11.png`; every fourth one is bright.
fn pictures(folder: &Path) -> MaskImportRequest {
    for part in ["images", "masks"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    let mut table = "file,subgroup\n".to_owned();
    for n in 0..12 {
        let objects = objects(n);
        let pixels: Vec<u8> = objects.iter().map(|&object| (object % 200) as u8 + 5 * n as u8).collect();
        fs::write(folder.join(format!("images/{n}.png")), gray8_png([SIDE; 2], &pixels).unwrap()).unwrap();
        fs::write(folder.join(format!("masks/{n}.png")), gray16_png([SIDE; 2], &objects).unwrap()).unwrap();
        table += &format!("{n}.png,{}\n", if n % 4 == 0 { "bright" } else { "dark" });
    }
    fs::write(folder.join("subgroups.csv"), table).unwrap();
    MaskImportRequest {
        name: "cells".into(),
        format: MaskFormat::ImageMask,
        path: folder.into(),
        groups_csv: None,
        subgroups_csv: Some(folder.join("subgroups.csv")),
        run_lengths: None,
        held_out: vec!["bright".into()],
        copy: true,
        classes: Some(vec!["background".into(), "cell".into()]),
        values: Some(MaskValues::Instances),
        intensity: None,
        empty_masks: EmptyMasks::Refuse,
        like: None,
        license: "LicenseRef-own".into(),
        citation: None,
        split: None,
    }
}

fn place() -> (tempfile::TempDir, Root, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (root, files) = (Root::new(folder.path().join("artifacts")), folder.path().join("files"));
    (folder, root, files)
}

fn request(objects: Option<ObjectTarget>) -> DenseRequest {
    let intensity = DenseIntensity::EachVolume;
    DenseRequest { size: vec![SIDE; 2], spacing_mm: None, intensity, element: Element::F32, objects }
}

#[test]
fn what_is_held_out_is_tested_and_never_learned_from() {
    let (_folder, root, files) = place();
    let manifest = import_masks(&root, &pictures(&files)).unwrap();
    assert_eq!(kd_data::Manifest::parse(&manifest.to_toml(), "dataset.toml").unwrap(), manifest);
    let set = CaseSet::open(&root, &manifest, LeakPolicy::Stop).unwrap();
    let of = |split| set.positions(split);
    for split in [Split::Train, Split::Val] {
        assert!(!of(split).is_empty());
        assert!(of(split).iter().all(|&case| set.subgroup(case) == Some("dark") && !set.is_held_out(case)));
    }
    let held: Vec<&str> = of(Split::Test)
        .into_iter()
        .filter(|&case| set.is_held_out(case))
        .map(|case| set.sample(case).as_str())
        .collect();
    assert_eq!(held, ["0", "4", "8"]);
    assert!(of(Split::Test).len() > 3, "the headline has cases of its own");
}

#[test]
fn networks_learn_insides_and_borders() {
    let (_folder, root, files) = place();
    let manifest = import_masks(&root, &pictures(&files)).unwrap();
    let set = CaseSet::open(&root, &manifest, LeakPolicy::Stop).unwrap();
    let request = request(Some(ObjectTarget { border: 1, min_points: 1 }));
    let store = prepare_cases(&set, &request, (1, 3), &manifest.content_hash(), &root.prepared()).unwrap();
    let source: DenseSource<2, LabelMap<2>> = DenseSource::of_split(Arc::new(store), Split::Train);
    let sample = source.read(0).unwrap();
    let row = |n: usize| &sample.target.labels()[n * SIDE..(n + 1) * SIDE];
    // At the edge of the picture an object goes on: its border is where something else begins.
    assert_eq!(row(1), [2, 2, 2, 2, 2, 2, 0, 0]);
    assert_eq!(row(2), [1, 1, 2, 2, 1, 2, 0, 0]);
    assert!(row(6).iter().filter(|&&label| label == 2).count() == 1);
}

#[test]
fn objects_are_asked_of_masks_that_number_them() {
    let (_folder, root, files) = place();
    let mut import = pictures(&files);
    import.values = Some(MaskValues::Classes(vec![0, 7]));
    assert!(import_masks(&root, &import).unwrap_err().to_string().contains("300"));
    import.values = Some(MaskValues::Instances);
    let manifest = import_masks(&root, &import).unwrap();
    let wide = request(Some(ObjectTarget { border: 17, min_points: 1 })).check().unwrap_err().to_string();
    assert!(wide.contains("at most 16 points") && wide.contains("17"), "{wide}");
    // The classes alone need another folder.
    let identity = |objects| request(objects).identity(&manifest.content_hash(), "split").unwrap();
    assert_ne!(identity(None), identity(Some(ObjectTarget { border: 1, min_points: 1 })));
}

#[test]
fn sorts_that_do_not_fit_are_refused_and_leave_nothing() {
    let (_folder, root, files) = place();
    let good = pictures(&files);
    let refused = |import: &MaskImportRequest| -> String {
        let refused: ImportError = import_masks(&root, import).unwrap_err();
        assert!(!root.raw_set("cells").exists());
        refused.to_string()
    };
    let mut unknown = good.clone();
    unknown.held_out = vec!["pale".into()];
    assert!(refused(&unknown).contains("`pale`, expected one of bright, dark"));
    let mut all = good.clone();
    all.held_out = vec!["bright".into(), "dark".into()];
    assert!(refused(&all).contains("expected a subgroup to learn from"));
    let mut none = good.clone();
    none.subgroups_csv = None;
    assert!(refused(&none).contains("split.held_out"));
    let other = files.join("groups.csv");
    fs::write(&other, "file,group\n0.png,bright\n").unwrap();
    let mut header = good.clone();
    header.subgroups_csv = Some(other);
    assert!(refused(&header).contains("`file,subgroup`"));
    let short = files.join("short.csv");
    fs::write(&short, "file,subgroup\n0.png,bright\n").unwrap();
    let mut missing = good.clone();
    missing.subgroups_csv = Some(short);
    assert!(refused(&missing).contains("none for `1`"));
    let mut both = good.clone();
    let groups = files.join("patients.csv");
    fs::write(&groups, (0..12).fold("file,group\n".to_owned(), |text, n| text + &format!("{n}.png,{}\n", n / 2)))
        .unwrap();
    both.groups_csv = Some(groups);
    let text = refused(&both);
    assert!(text.contains("all their images on one side") && text.contains("subject-00001"), "{text}");
}
