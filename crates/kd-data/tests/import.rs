//! Imports: what is accepted becomes a set that opens, what is refused leaves nothing behind.
#![cfg(feature = "formats")]

mod place;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use kd_data::decode::{DecodeError, RawDataset};
use kd_data::format::{NpyArray, NpyValue, gray8_png, rgb8_png, write_npz};
use kd_data::import::{ImportError, ImportFormat, ImportRequest, generate_dataset, import_dataset};
use kd_data::manifest::{ImageSize, SplitPolicy, Task};
use kd_data::verify::{FileStatus, describe, verify};
use kd_data::{Manifest, catalog};
use kd_image::{Split, Target};
use place::Place;

impl Place {
    /// An npz of 2 x 3 images whose first pixel is 10, 11, … within each split.
    fn npz(&self, name: &str, labels: [&[u8]; 3], width: usize, groups: Option<[&[i64]; 3]>) -> PathBuf {
        let mut arrays = Vec::new();
        for (n, split) in ["train", "val", "test"].iter().enumerate() {
            let samples = labels[n].len() / width;
            let values = (0..samples).flat_map(|s| [10 + 50 * n as u8 + s as u8, 1, 2, 3, 4, 5]).collect();
            let images = NpyArray { shape: vec![samples, 2, 3], values };
            arrays.push((format!("{split}_images"), NpyValue::U8(images)));
            let labels = NpyArray { shape: vec![samples, width], values: labels[n].to_vec() };
            arrays.push((format!("{split}_labels"), NpyValue::U8(labels)));
            if let Some(groups) = groups {
                let groups = NpyArray { shape: vec![samples], values: groups[n].to_vec() };
                arrays.push((format!("{split}_groups"), NpyValue::I64(groups)));
            }
        }
        let path = self.path(name);
        let named: Vec<(&str, NpyValue)> = arrays.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        write_npz(&path, &named).unwrap();
        path
    }

    /// Nothing of that name exists, and nothing is left of the attempt.
    fn assert_nothing_left(&self) {
        let left: Vec<_> = fs::read_dir(self.root.raw()).map(|d| d.flatten().collect()).unwrap_or_default();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn request(format: ImportFormat, path: &Path) -> ImportRequest {
    ImportRequest {
        name: "mine".into(),
        format,
        paths: vec![path.into()],
        groups_csv: None,
        copy: false,
        task: None,
        classes: None,
        license: "LicenseRef-own".into(),
        citation: None,
        split: None,
    }
}

/// Imports and opens again by name.
fn import(place: &Place, request: &ImportRequest) -> Result<(Manifest, RawDataset), ImportError> {
    let manifest = import_dataset(&place.root, request)?;
    assert_eq!(catalog::resolve(&place.root, "mine").unwrap(), manifest);
    assert_eq!(catalog::imported(&place.root).unwrap(), std::slice::from_ref(&manifest));
    let set = RawDataset::open(&place.root, &manifest)?;
    Ok((manifest, set))
}

#[track_caller]
fn refused(place: &Place, request: &ImportRequest) -> ImportError {
    let refused = import_dataset(&place.root, request).unwrap_err();
    place.assert_nothing_left();
    let text = refused.to_string();
    let folder = place.folder.path().file_name().unwrap().to_string_lossy().into_owned();
    assert!(!text.contains(&folder), "the folder's name is in: {text}");
    refused
}

#[test]
fn an_npz_with_groups_becomes_numbered_subjects() {
    let place = Place::new();
    let path = place.npz("set.npz", [&[0, 1, 1], &[1, 0], &[0]], 1, Some([&[700, 9, 700], &[80, 81], &[9]]));
    let (manifest, set) = import(&place, &request(ImportFormat::Npz, &path)).unwrap();
    assert_eq!((manifest.task, manifest.classes.len()), (Task::Binary, 2));
    assert_eq!(manifest.split, SplitPolicy::Official);
    let subjects: Vec<&str> = set.records().iter().map(|record| record.subject.as_str()).collect();
    let number = |n: u32| format!("subject-{n:05}");
    assert_eq!(subjects, [number(4), number(1), number(4), number(2), number(3), number(1)]);
    assert_eq!(set.records()[4].sample.as_str(), "val/00001");
    assert_eq!(set.records()[4].split, Some(Split::Val));
    assert_eq!(set.records()[1].target, Target::Class(1));
    let image = set.read(4).unwrap();
    assert_eq!((image.geometry().shape(), image.values()), ([2, 3], &[61.0, 1.0, 2.0, 3.0, 4.0, 5.0][..]));
}

#[test]
fn several_labels_an_image_are_multi_label() {
    let place = Place::new();
    let path = place.npz("set.npz", [&[0, 1, 1, 1, 0, 0], &[1, 0, 0], &[0, 0, 0]], 3, None);
    let (manifest, set) = import(&place, &request(ImportFormat::Npz, &path)).unwrap();
    assert_eq!(manifest.task, Task::MultiLabel);
    assert_eq!(set.records()[0].target, Target::Labels(vec![false, true, true]));
    assert_eq!(set.records()[0].subject.as_str(), "train/00000");
    let facts = describe(&set).unwrap();
    assert_eq!(facts.splits["train"].per_class, [1, 1, 1]);
    assert_eq!((facts.range, facts.subjects, facts.size), ([1.0, 110.0], 4, [[2, 3], [2, 3]]));
}

#[test]
fn a_label_outside_of_the_classes_is_refused_with_its_sample() {
    let place = Place::new();
    let path = place.npz("set.npz", [&[0, 1, 2], &[1, 0], &[0]], 1, None);
    let mut wanted = request(ImportFormat::Npz, &path);
    wanted.classes = Some(vec!["a".into(), "b".into()]);
    let text = refused(&place, &wanted).to_string();
    assert!(
        text.starts_with("label of `train/00002` is 2, expected 0 to 1 (2 classes in the manifest)\nhint: "),
        "{text}"
    );
}

#[test]
fn an_empty_a_cut_off_and_an_object_npz_are_refused() {
    let place = Place::new();
    let empty = place.put("empty.npz", b"");
    let text = refused(&place, &request(ImportFormat::Npz, &empty)).to_string();
    assert!(text.contains("0 bytes"), "{text}");
    let whole = fs::read(place.npz("set.npz", [&[0, 1, 1], &[1, 0], &[0]], 1, None)).unwrap();
    for length in [1, 40, whole.len() / 2, whole.len() - 1] {
        let cut = place.put("cut.npz", &whole[..length]);
        refused(&place, &request(ImportFormat::Npz, &cut));
    }
    let header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n";
    let mut member = b"\x93NUMPY\x01\x00".to_vec();
    member.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    member.extend(header.as_bytes());
    member.extend(b"\x80\x04N.");
    let mut archive = zip::ZipWriter::new(fs::File::create(place.path("object.npz")).unwrap());
    for name in ["train_labels.npy", "train_images.npy"] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&member).unwrap();
    }
    archive.finish().unwrap();
    let text = refused(&place, &request(ImportFormat::Npz, &place.path("object.npz"))).to_string();
    assert!(text.contains("object"), "{text}");
}

#[test]
fn a_taken_name_and_a_published_one_are_refused() {
    let place = Place::new();
    let path = place.npz("set.npz", [&[0, 1, 1], &[1, 0], &[0]], 1, None);
    let mut wanted = request(ImportFormat::Npz, &path);
    wanted.name = "bloodmnist".into();
    assert!(matches!(refused(&place, &wanted), ImportError::Catalogue { .. }));
    wanted.name = "../mine".into();
    assert!(matches!(refused(&place, &wanted), ImportError::Name { .. }));
    wanted.name = "mine".into();
    import(&place, &wanted).unwrap();
    assert!(matches!(import_dataset(&place.root, &wanted).unwrap_err(), ImportError::Taken { .. }));
}

#[test]
fn folders_by_class_take_groups_from_a_table() {
    let place = Place::new();
    for (name, value) in [("set/b/1.png", 1), ("set/a/x y.png", 2), ("set/a/deep/3.png", 3), ("set/b/4.png", 4)] {
        place.put(name, &gray8_png([1, 2], &[value, 9]).unwrap());
    }
    place.put("set/README.txt", b"not an image");
    let mut wanted = request(ImportFormat::ImageFolder, &place.path("set"));
    let table = "file,group\nb/1.png,doe\na/x y.png,roe\na/deep/3.png,doe\nb/4.png,poe\nc/other.png,x\n";
    wanted.groups_csv = Some(place.put("groups.csv", table.as_bytes()));
    let (manifest, set) = import(&place, &wanted).unwrap();
    assert_eq!(manifest.classes, ["a", "b"]);
    assert!(matches!(manifest.split, SplitPolicy::BySubject { seed: 0, .. }));
    let rows: Vec<_> = set.records().iter().map(|r| (r.sample.as_str(), r.subject.as_str(), r.split)).collect();
    assert_eq!(rows[0], ("a/deep/3.png", "subject-00001", None));
    assert_eq!(rows[1], ("a/x_y.png", "subject-00003", None));
    assert_eq!(rows[2], ("b/1.png", "subject-00001", None));
    assert_eq!(set.read(1).unwrap().values(), [2.0, 9.0]);
    // What the groups were called stays outside.
    for entry in ["groups.csv", "dataset.toml"] {
        let text = fs::read_to_string(place.root.raw_set("mine").join(entry)).unwrap();
        assert!(!text.contains("doe") && !text.contains("poe"), "{text}");
    }
    wanted.groups_csv = Some(place.put("few.csv", b"file,group\nb/1.png,doe\n"));
    wanted.name = "other".into();
    let text = import_dataset(&place.root, &wanted).unwrap_err().to_string();
    assert!(text.starts_with("groups `few.csv`: none for `a/deep/3.png`"), "{text}");
    assert!(!place.root.raw_set("other").exists());
}

#[test]
fn folders_by_split_are_official_and_sizes_may_vary() {
    let place = Place::new();
    for (n, split) in ["train", "Validation", "test"].iter().enumerate() {
        for class in ["cat", "ant", "bee"] {
            place.put(&format!("set/{split}/{class}/1.png"), &rgb8_png([1, 1 + n], &vec![7; 3 + 3 * n]).unwrap());
        }
    }
    let mut wanted = request(ImportFormat::ImageFolder, &place.path("set"));
    wanted.task = Some(Task::Ordinal);
    wanted.classes = Some(vec!["cat".into(), "ant".into(), "bee".into()]);
    wanted.copy = true;
    let (manifest, set) = import(&place, &wanted).unwrap();
    assert_eq!((manifest.task, manifest.image.channels, manifest.image.size), (Task::Ordinal, 3, ImageSize::Varies));
    assert_eq!(manifest.counts.map(|n| (n.train, n.val, n.test)), Some((3, 3, 3)));
    let cat = set.records().iter().find(|r| r.sample.as_str() == "Validation/cat/1.png").unwrap();
    assert_eq!((cat.split, &cat.target), (Some(Split::Val), &Target::Class(0)));
    fs::remove_dir_all(place.path("set")).unwrap();
    assert!(verify(&place.root, &manifest).ok);
    fs::remove_dir_all(place.root.raw_set("mine").join("test/bee")).unwrap();
    let report = verify(&place.root, &manifest);
    assert_eq!((report.ok, report.files_ok, report.files[0].status), (false, 8, FileStatus::Missing));
}

#[test]
fn empty_folders_foreign_files_and_missing_splits_are_refused() {
    let place = Place::new();
    fs::create_dir_all(place.path("set")).unwrap();
    let wanted = request(ImportFormat::ImageFolder, &place.path("set"));
    let empty = import_dataset(&place.root, &wanted).unwrap_err();
    assert!(matches!(&empty, ImportError::Empty { .. }) && empty.to_string().contains("\nhint: "), "{empty}");
    place.put("set/a/1.png", &gray8_png([1, 1], &[1]).unwrap());
    fs::create_dir_all(place.path("set/b")).unwrap();
    assert!(matches!(refused(&place, &wanted), ImportError::Empty { folder } if folder == "b"));
    let mut dicom = vec![0; 132];
    dicom[128..].copy_from_slice(b"DICM");
    place.put("set/b/2.png", &dicom);
    assert!(matches!(refused(&place, &wanted), ImportError::Foreign { found: "DICOM", file } if file == "b/2.png"));
    place.put("set/b/2.png", &rgb8_png([1, 1], &[1, 2, 3]).unwrap());
    assert!(matches!(refused(&place, &wanted), ImportError::Mixed { .. }));
    place.put("two/train/a/1.png", &gray8_png([1, 1], &[1]).unwrap());
    place.put("two/test/a/1.png", &gray8_png([1, 1], &[1]).unwrap());
    let two = request(ImportFormat::ImageFolder, &place.path("two"));
    assert!(matches!(refused(&place, &two), ImportError::Splits { .. }));
}

#[cfg(unix)]
#[test]
fn linked_class_folders_are_classes_and_a_broken_link_is_refused() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    for (n, name) in ["set/a/1.png", "elsewhere/2.png", "set/c/inside/3.png"].iter().enumerate() {
        place.put(name, &gray8_png([1, 1], &[n as u8]).unwrap());
    }
    symlink(place.path("elsewhere"), place.path("set/b")).unwrap();
    symlink(place.path("elsewhere"), place.path("set/c/more")).unwrap();
    symlink(place.path("set/c"), place.path("set/c/inside/back")).unwrap();
    let wanted = request(ImportFormat::ImageFolder, &place.path("set"));
    let (manifest, set) = import(&place, &wanted).unwrap();
    assert_eq!(manifest.classes, ["a", "b", "c"]);
    let samples: Vec<&str> = set.records().iter().map(|record| record.sample.as_str()).collect();
    assert_eq!(samples, ["a/1.png", "b/2.png", "c/inside/3.png", "c/more/2.png"]);
    assert!(verify(&place.root, &manifest).ok);
    symlink(place.path("nowhere"), place.path("set/a/4.png")).unwrap();
    let text = import_dataset(&place.root, &ImportRequest { name: "other".into(), ..wanted }).unwrap_err().to_string();
    assert!(text.contains("4.png"), "{text}");
}

#[test]
fn a_changed_file_is_not_opened() {
    let place = Place::new();
    let path = place.npz("set.npz", [&[0, 1, 1], &[1, 0], &[0]], 1, None);
    let mut wanted = request(ImportFormat::Npz, &path);
    wanted.copy = true;
    let (manifest, _) = import(&place, &wanted).unwrap();
    let stored = place.root.raw_set("mine").join("set.npz");
    fs::write(&stored, fs::read(place.npz("new.npz", [&[1, 1, 1], &[1, 0], &[0]], 1, None)).unwrap()).unwrap();
    let refused = RawDataset::open(&place.root, &manifest).unwrap_err();
    assert!(matches!(refused, DecodeError::Checksum { .. }), "{refused}");
    assert!(!verify(&place.root, &manifest).ok);
}

#[test]
fn a_published_set_with_other_counts_is_refused() {
    let place = Place::new();
    let path = place.npz("set.npz", [&[0, 1, 1], &[1, 0], &[0]], 1, None);
    let (manifest, _) = import(&place, &request(ImportFormat::Npz, &path)).unwrap();
    let text = manifest.to_toml().replace("train = 3", "train = 4");
    let other = Manifest::parse(&text, "dataset.toml").unwrap();
    let refused = RawDataset::open(&place.root, &other).unwrap_err();
    assert!(matches!(refused, DecodeError::Count { split: Split::Train, expected: 4, found: 3 }), "{refused}");
}

#[test]
fn a_generated_set_is_made_once_and_other_parameters_are_refused() {
    let place = Place::new();
    let changed = |manifest: &Manifest, key: &str, value: toml::Value| {
        let mut manifest = manifest.clone();
        manifest.generator.as_mut().unwrap().insert(key.to_owned(), value);
        manifest
    };
    let few = changed(catalog::find("chest-phantom").unwrap(), "n_subjects", 8.into());
    assert!(matches!(RawDataset::open(&place.root, &few).unwrap_err(), DecodeError::NotGenerated { .. }));
    assert!(generate_dataset(&place.root, &few).unwrap());
    assert!(!generate_dataset(&place.root, &few).unwrap());
    let set = RawDataset::open(&place.root, &few).unwrap();
    assert!(set.records().len() >= 8);
    set.read(0).unwrap();
    let harder = changed(&few, "difficulty", 0.9.into());
    assert!(matches!(RawDataset::open(&place.root, &harder).unwrap_err(), DecodeError::Changed { .. }));
    let table = place.root.raw_set("chest-phantom").join("labels.csv");
    fs::write(&table, fs::read_to_string(&table).unwrap().replace(",0\n", ",1\n")).unwrap();
    assert!(matches!(RawDataset::open(&place.root, &few).unwrap_err(), DecodeError::Changed { .. }));
    let wrong = Manifest::parse(&few.to_toml().replace("prevalence", "prevalance"), "dataset.toml").unwrap();
    let refused = generate_dataset(&place.root, &wrong).unwrap_err().to_string();
    assert!(refused.contains("prevalance") && refused.contains("hint: "), "{refused}");
}
