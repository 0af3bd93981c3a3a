//! Every store gives back what was stored or an error, whatever happened to its bytes meanwhile.

#![cfg(feature = "formats")]

mod damage;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use kd_data::prepare::{Channels, Normalization, PreparePlan, Resize};
use kd_data::store::{
    CheckpointStore, Element, PreparedEntry, PreparedSource, PreparedStore, PreparedWriter, SoftKey, SoftStore,
    SoftStoreWriter, StoreError, read_package, write_package,
};
use kd_image::{
    Geometry, Image, Intensity, SampleId, SampleSource, SoftTargetSource, SourceError, Split, SubjectId, Target,
};

fn key() -> SoftKey {
    SoftKey {
        data: "data".into(),
        preparation: "preparation".into(),
        teacher: "teacher".into(),
        view_policy: "flip-free".into(),
        n_views: 2,
        folds: None,
    }
}

fn ids(count: usize) -> Vec<SampleId> {
    (0..count).map(|number| SampleId::new(format!("s{number}")).unwrap()).collect()
}

fn answer(sample: usize, view: u32) -> [f32; 3] {
    [sample as f32, view as f32, 0.1]
}

fn soft(folder: &Path, element: Element) {
    let mut writer = SoftStoreWriter::create(folder, key(), &ids(3), 3, element).unwrap();
    // Backwards: order does not matter.
    for sample in (0..3).rev() {
        for view in 0..2 {
            writer.write(sample, view, &answer(sample, view)).unwrap();
        }
    }
    writer.finish().unwrap();
}

fn read_soft(folder: &Path, in_memory: bool) -> Result<Vec<f32>, String> {
    let mut store = SoftStore::open(folder, &key()).map_err(|error| error.to_string())?;
    if in_memory {
        store.load().map_err(|error| error.to_string())?;
    }
    let mut all = Vec::new();
    for id in ids(3) {
        for view in 0..2 {
            let mut values = [0.0; 3];
            store.read(&id, view, &mut values).map_err(|error| error.to_string())?;
            all.extend(values);
        }
    }
    Ok(all)
}

fn plan() -> PreparePlan {
    PreparePlan {
        size: [2, 3],
        channels: 1,
        resize: Resize::Refuse,
        convert: Channels::Refuse,
        normalization: Normalization::ZScore { mean: vec![0.25], std: vec![0.5] },
    }
}

fn pixels(index: usize) -> Vec<f32> {
    (0..6).map(|value| (value * (index + 1)) as f32 / 7.0).collect()
}

fn entries() -> Vec<PreparedEntry> {
    let rows = [
        (Split::Train, Target::Class(1)),
        (Split::Test, Target::Labels(vec![true, false])),
        (Split::Train, Target::Unlabelled),
    ];
    let entry = |(index, (split, target)): (usize, (Split, Target))| PreparedEntry {
        id: SampleId::new(format!("s{index}")).unwrap(),
        subject: SubjectId::new(format!("p{}", index / 2)).unwrap(),
        split,
        target,
    };
    rows.into_iter().enumerate().map(entry).collect()
}

fn image(values: Vec<f32>) -> Image<2> {
    Image::new(1, Geometry::without_spacing([2, 3]).unwrap(), Intensity::ZScore, values).unwrap()
}

fn prepared(folder: &Path) {
    let mut writer = PreparedWriter::create(folder, "identity", plan(), entries(), Element::F32).unwrap();
    for index in 0..3 {
        writer.write(index, &image(pixels(index))).unwrap();
    }
    writer.finish().unwrap();
}

/// Name, subject, answer and pixels.
type Row = (String, String, Target, Vec<f32>);

fn read_prepared(folder: &Path) -> Result<Vec<Row>, String> {
    let store = PreparedStore::open(folder, "identity").map_err(|error| error.to_string())?;
    let source = PreparedSource::of_positions(Arc::new(store), vec![2, 0, 1]).map_err(|error| error.to_string())?;
    (0..3)
        .map(|index| {
            let sample = source.read(index).map_err(|error| error.to_string())?;
            Ok((sample.id.to_string(), sample.subject.to_string(), sample.target, sample.image.into_values()))
        })
        .collect()
}

/// Cuts and changes each file of a folder at every place; the result is an error or the right one.
fn tamper<T: PartialEq + std::fmt::Debug>(folder: &Path, read: impl Fn() -> Result<T, String>) {
    let right = read().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        damage::cut(&path, |length| assert!(read().is_err(), "{} cut to {length} bytes", path.display()));
        damage::change(&path, &[0x01, 0x20, 0x80], |at, mask| {
            if let Ok(found) = read() {
                assert_eq!(found, right, "{} byte {at} ^ {mask:#x}", path.display());
            }
        });
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(read().is_err(), "without {}", path.display());
        std::fs::write(&path, &whole).unwrap();
    }
    assert_eq!(read().unwrap(), right);
}

#[test]
fn soft_labels_are_right_or_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(key().hash());
    soft(&folder, Element::F32);
    tamper(&folder, || read_soft(&folder, false));
    let expected: Vec<f32> = (0..3).flat_map(|sample| [answer(sample, 0), answer(sample, 1)]).flatten().collect();
    assert_eq!(read_soft(&folder, true).unwrap(), expected);
    SoftStore::open(&folder, &key()).unwrap().verify().unwrap();
}

#[test]
fn half_precision_answers_are_rounded_and_too_large_ones_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("x");
    soft(&folder, Element::F16);
    assert_eq!(read_soft(&folder, false).unwrap()[2].to_bits(), Element::F16.rounded(0.1).to_bits());
    assert_ne!(read_soft(&folder, true).unwrap()[2].to_bits(), 0.1f32.to_bits());
    let mut writer = SoftStoreWriter::create(&root.path().join("y"), key(), &ids(1), 1, Element::F16).unwrap();
    assert!(writer.write(0, 0, &[70_000.0]).unwrap_err().to_string().contains("store f32"));
    assert!(writer.write(0, 0, &[f32::NAN]).is_err());
}

#[test]
fn the_answers_of_something_else_are_refused_with_both_values() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("x");
    soft(&folder, Element::F32);
    let others = [
        ("teacher", SoftKey { teacher: "another".into(), ..key() }),
        ("preparation", SoftKey { preparation: "another".into(), ..key() }),
        ("data set", SoftKey { data: "another".into(), ..key() }),
        ("view policy", SoftKey { view_policy: "another".into(), ..key() }),
        ("number of views", SoftKey { n_views: 3, ..key() }),
        ("fold plan", SoftKey { folds: Some("5 another".into()), ..key() }),
    ];
    for (what, other) in others {
        assert_ne!(other.hash(), key().hash());
        let error = SoftStore::open(&folder, &other).unwrap_err();
        assert!(matches!(&error, StoreError::Mismatch { what: found, .. } if found == what), "{error}");
        assert!(error.to_string().contains("hint: "), "{error}");
    }
    assert_ne!(SoftKey { folds: Some(String::new()), ..key() }.hash(), key().hash());
}

#[test]
fn unfinished_soft_labels_leave_no_folder() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("x");
    let mut writer = SoftStoreWriter::create(&folder, key(), &ids(2), 1, Element::F32).unwrap();
    writer.write(0, 1, &[1.0]).unwrap();
    assert!(writer.write(0, 1, &[1.0]).is_err() && writer.write(2, 0, &[1.0]).is_err());
    assert!(writer.write(1, 2, &[1.0]).is_err() && writer.write(1, 0, &[1.0, 2.0]).is_err());
    let text = writer.finish().unwrap_err().to_string();
    assert!(text.contains("none for sample `s0` in view 0"), "{text}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn unknown_samples_and_views_have_no_soft_label() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("x");
    soft(&folder, Element::F32);
    let store = SoftStore::open(&folder, &key()).unwrap();
    let mut room = [0.0; 3];
    let unknown = SampleId::new("s9").unwrap();
    assert!(matches!(store.read(&unknown, 0, &mut room), Err(SourceError::NoSoftLabel { .. })));
    assert!(matches!(store.read(&ids(1)[0], 2, &mut room), Err(SourceError::NoSoftLabel { view: 2, .. })));
    assert!(matches!(store.read(&ids(1)[0], 0, &mut room[..2]), Err(SourceError::Width { expected: 3, found: 2 })));
    assert_eq!((store.teacher_hash(), store.n_values(), store.n_views()), ("teacher", 3, 2));
}

#[test]
fn prepared_samples_are_right_or_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("identity");
    prepared(&folder);
    let found = read_prepared(&folder).unwrap();
    assert_eq!(found[0], ("s2".into(), "p1".into(), Target::Unlabelled, pixels(2)));
    assert_eq!(found[2], ("s1".into(), "p0".into(), Target::Labels(vec![true, false]), pixels(1)));
    tamper(&folder, || read_prepared(&folder));
    assert!(matches!(PreparedStore::open(&folder, "other"), Err(StoreError::Mismatch { .. })));
}

#[test]
fn a_prepared_source_of_one_split_holds_its_samples_only() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("identity");
    prepared(&folder);
    let mut store = PreparedStore::open(&folder, "identity").unwrap();
    store.load().unwrap();
    store.verify().unwrap();
    let source = PreparedSource::of_split(Arc::new(store), Split::Train);
    assert_eq!((source.len(), source.id(1).as_str(), source.subject(1).as_str()), (2, "s2", "p1"));
    assert_eq!(source.target(0), &Target::Class(1));
    assert!(matches!(source.read(2), Err(SourceError::Index { index: 2, len: 2 })));
    assert_eq!(source.read(1).unwrap().image.values(), pixels(2));
}

#[test]
fn a_prepared_store_lacking_a_sample_is_never_finished() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("identity");
    let mut writer = PreparedWriter::create(&folder, "identity", plan(), entries(), Element::F32).unwrap();
    writer.write(0, &image(pixels(0))).unwrap();
    assert!(writer.finish().unwrap_err().to_string().contains("none for sample `s1`"));
    assert!(!folder.exists());
}

#[test]
fn checkpoints_are_right_or_refused() {
    let root = tempfile::tempdir().unwrap();
    let store = CheckpointStore::new(root.path());
    assert_eq!(store.load().unwrap(), None);
    for epoch in 0..5u8 {
        store.save(&[epoch; 20]).unwrap();
        assert_eq!(CheckpointStore::new(root.path()).load().unwrap().unwrap().bytes, [epoch; 20]);
    }
    let newest = root.path().join("checkpoint-0.bin");
    let falls_back = |at: usize| {
        let found = store.load().unwrap().unwrap();
        assert_eq!(found.bytes, [3; 20], "byte {at}");
        assert!(found.note.unwrap().contains("checkpoint-0.bin` is damaged"));
    };
    damage::change(&newest, &[0x10], |at, _| falls_back(at));
    damage::cut(&newest, falls_back);
    std::fs::write(&newest, b"kd-ckpt1").unwrap();
    // A new process goes on from the good one and replaces the damaged one.
    CheckpointStore::new(root.path()).save(&[9; 4]).unwrap();
    let found = store.load().unwrap().unwrap();
    assert_eq!((found.bytes, found.note, found.generation), (vec![9; 4], None, 4));
    for slot in ["checkpoint-0.bin", "checkpoint-1.bin"] {
        std::fs::write(root.path().join(slot), b"").unwrap();
    }
    assert!(matches!(store.load(), Err(StoreError::Damaged { .. })));
}

#[test]
fn packages_are_right_or_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("student.kd");
    let entries = BTreeMap::from([
        ("network.toml".to_string(), b"network = 1\n".repeat(9)),
        ("weights.safetensors".to_string(), (0..200u8).collect()),
        ("empty".to_string(), Vec::new()),
    ]);
    write_package(&path, 3, &entries).unwrap();
    let first = std::fs::read(&path).unwrap();
    write_package(&path, 3, &entries).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first);
    tamper(root.path(), || read_package(&path, 3).map_err(|error| error.to_string()));
    let error = read_package(&path, 4).unwrap_err();
    assert!(error.to_string().contains("another schema: expected 4, found 3\nhint: "), "{error}");
    for name in ["../x", "a//b", "checksums.json", "", "a\\b", "/abs"] {
        assert!(write_package(&path, 3, &BTreeMap::from([(name.to_string(), vec![])])).is_err(), "{name}");
    }
}

#[test]
fn a_package_with_one_entry_more_or_less_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("student.kd");
    let entries = BTreeMap::from([("a".to_string(), vec![1]), ("b".to_string(), vec![2])]);
    write_package(&path, 1, &entries).unwrap();
    let rebuilt = |names: &[&str]| {
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for name in names {
            match archive.by_name(name) {
                Ok(member) => writer.raw_copy_file(member).unwrap(),
                Err(_) => writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap(),
            }
        }
        let changed = root.path().join("changed.kd");
        std::fs::write(&changed, writer.finish().unwrap().into_inner()).unwrap();
        read_package(&changed, 1)
    };
    assert_eq!(rebuilt(&["checksums.json", "a", "b"]).unwrap(), entries);
    assert!(rebuilt(&["checksums.json", "a"]).is_err());
    assert!(rebuilt(&["checksums.json", "a", "b", "c"]).is_err());
    assert!(rebuilt(&["checksums.json", "a", "c"]).is_err());
    assert!(rebuilt(&["a", "b"]).is_err());
}
