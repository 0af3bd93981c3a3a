//! DICOM that is written here is read by others as it was meant.
//!
//! Files of fixed bytes are left below the target folder; `oracles/dicom/check_written.py` reads them with pydicom,
//! highdicom and SimpleITK, runs a validator of the standard over them, and notes what it found with the checksum of
//! each file. Files whose bytes differ from the ones that were checked fail here.

mod dicom_files;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kd_data::format::{
    Deidentification, DerivedFacts, DerivedFrom, DicomModality, Salt, SegmentationFacts, SeriesFacts, Tilt, Uid,
    deidentify_dicom, files_below, read_dicom_volume, write_derived_series, write_dicom_series,
    write_fractional_segmentation, write_segmentation,
};
use kd_image::{Affine, Geometry, Image, Intensity, LabelMap};
use serde_json::Value;
use sha2::{Digest, Sha256};

const SHAPE: [usize; 3] = [3, 4, 5];

/// Axes turned by 20° and 10°, anisotropic; `signs` flips columns, rows and slices.
fn oblique(signs: [f64; 3]) -> Geometry<3> {
    let (a, b) = (20f64.to_radians(), 10f64.to_radians());
    let turned = [
        [a.cos(), -a.sin() * b.cos(), a.sin() * b.sin()],
        [a.sin(), a.cos() * b.cos(), -a.cos() * b.sin()],
        [0.0, b.sin(), b.cos()],
    ];
    let steps = [0.7 * signs[0], 0.9 * signs[1], 2.5 * signs[2]];
    let place = [-31.5, 12.25, 400.0];
    let row = |at: usize| [turned[at][0] * steps[0], turned[at][1] * steps[1], turned[at][2] * steps[2], place[at]];
    Geometry::placed(SHAPE, Affine { matrix: [row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]] }).unwrap()
}

fn ct(grid: Geometry<3>) -> Image<3> {
    let values = (0..60).map(|index| (index * 53 % 4096) as f32 - 1024.0).collect();
    Image::new(1, grid, Intensity::Hounsfield, values).unwrap()
}

fn facts(modality: DicomModality) -> SeriesFacts {
    SeriesFacts {
        modality,
        study: None,
        series: None,
        frame_of_reference: None,
        patient_id: "phantom-7".into(),
        description: "Sixty numbers".into(),
    }
}

fn segmentation(segments: &[&str]) -> SegmentationFacts {
    SegmentationFacts {
        description: "Masks".into(),
        segments: segments.iter().map(|&name| name.to_owned()).collect(),
        algorithm: "student of 5 k".into(),
        made: ["20261126".into(), "101500".into()],
    }
}

fn labels(grid: Geometry<3>) -> LabelMap<3> {
    let label = |index: usize| match index {
        7 | 8 | 26 => 1,
        45..=49 => 2,
        _ => 0,
    };
    LabelMap::new(grid, (0..60).map(label).collect(), 3).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    files_below(folder).unwrap().into_iter().map(|file| file.path).collect()
}

/// Writes every kind of file; the same bytes each time.
fn write_all(folder: &Path) {
    write_dicom_series(&folder.join("ct"), &ct(oblique([-1.0, -1.0, 1.0])), &facts(DicomModality::Ct)).unwrap();
    let values = (0..60).map(|index| (index as f32 * 0.37).sin() * 250.0).collect();
    let mr = Image::new(1, oblique([1.0, -1.0, 1.0]), Intensity::Arbitrary, values).unwrap();
    write_dicom_series(&folder.join("mr"), &mr, &facts(DicomModality::Mr)).unwrap();
    let source = DerivedFrom::series(&files(&folder.join("ct"))).unwrap();
    let restored = ct(source.geometry().clone());
    let restored = Image::new(
        1,
        source.geometry().clone(),
        Intensity::Hounsfield,
        restored.values().iter().map(|value| value * 0.5 + 0.125).collect(),
    )
    .unwrap();
    let derived = DerivedFacts { description: "Restored".into(), derivation: "Noise taken off".into() };
    write_derived_series(&folder.join("derived"), &restored, &derived, &source).unwrap();
    let grid = source.geometry().clone();
    let facts = segmentation(&["liver", "läsion"]);
    write_segmentation(&folder.join("binary.dcm"), &labels(grid.clone()), &facts, &source).unwrap();
    let nothing = LabelMap::new(grid.clone(), vec![0; 60], 3).unwrap();
    write_segmentation(&folder.join("nothing.dcm"), &nothing, &facts, &source).unwrap();
    let share: Vec<f32> = (0..60).map(|index| if index < 20 { 0.0 } else { index as f32 / 59.0 }).collect();
    let other: Vec<f32> = share.iter().map(|share| 1.0 - share).collect();
    let probabilities = Image::new(2, grid, Intensity::Arbitrary, [share, other].concat()).unwrap();
    write_fractional_segmentation(&folder.join("fractional.dcm"), &probabilities, &facts, &source).unwrap();
    let salt = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(salt.path(), b"the same for every run").unwrap();
    let request = Deidentification { retain: BTreeSet::new(), salt: Salt::of_file(salt.path()).unwrap() };
    let with_reference: Vec<PathBuf> =
        files(&folder.join("ct")).into_iter().chain(files(&folder.join("derived"))).collect();
    let told = deidentify_dicom(&with_reference, &folder.join("deidentified"), &request).unwrap();
    assert_eq!((told.files, told.series, told.subjects), (6, 2, 1));
}

fn oracle() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/dicom_written.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

#[test]
fn the_bytes_are_those_that_others_have_read() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("written_dicom");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    write_all(&folder);
    let checksum = |path: &Path| -> String {
        Sha256::digest(std::fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let found: BTreeMap<String, String> = files_below(&folder)
        .unwrap()
        .into_iter()
        .filter(|file| file.name.ends_with(".dcm"))
        .map(|file| (file.name.clone(), checksum(&file.path)))
        .collect();
    let checked: BTreeMap<String, String> = serde_json::from_value(oracle()["sha256"].clone()).unwrap();
    assert_eq!(found, checked, "check them anew: oracles/dicom/check_written.py {}", folder.display());
}

#[test]
fn other_programs_find_every_voxel_at_its_place() {
    let oracle = oracle();
    assert_eq!(oracle["validator_errors"], serde_json::json!([]));
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    for name in ["ct", "mr", "derived"] {
        let volume = read_dicom_volume(&files(&folder.path().join(name)), Tilt::Refuse).unwrap().image;
        let theirs = &oracle["volumes"][name];
        let affine: Vec<f64> = volume.geometry().affine().unwrap().matrix.concat();
        for (ours, theirs) in affine.iter().zip(numbers(&theirs["affine"])) {
            // Sixteen characters of decimal text, and steps that are differences of two of them.
            assert!((ours - theirs).abs() < 1e-6, "{name}: {ours} {theirs}");
        }
        for (ours, theirs) in volume.values().iter().zip(numbers(&theirs["values"])) {
            assert!((f64::from(*ours) - theirs).abs() < 1e-4, "{name}: {ours} {theirs}");
        }
    }
    let grid = DerivedFrom::series(&files(&folder.path().join("ct"))).unwrap().geometry().clone();
    let ours = labels(grid);
    let binary = &oracle["segmentations"]["binary"];
    for (segment, theirs) in (1..).zip(binary["segments"].as_array().unwrap()) {
        let theirs: Vec<bool> = numbers(&theirs["values"]).iter().map(|&value| value > 0.0).collect();
        let ours: Vec<bool> = ours.labels().iter().map(|&label| label == segment).collect();
        assert_eq!(ours, theirs, "segment {segment}");
    }
    let names = |of: &Value| -> Vec<String> {
        of["segments"].as_array().unwrap().iter().map(|one| one["label"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(binary), ["liver", "läsion"]);
    assert_eq!(binary["references_match_positions"], true);
    let fractional = &oracle["segmentations"]["fractional"];
    for (index, theirs) in numbers(&fractional["segments"][0]["values"]).into_iter().enumerate() {
        let ours = if index < 20 { 0.0 } else { index as f64 / 59.0 };
        assert!((ours - theirs).abs() <= 0.5 / 255.0 + 1e-6, "{index}: {ours} {theirs}");
    }
    assert_eq!(oracle["shared_with_source"], true);
    assert_eq!(oracle["deidentified_references_meet"], true);
}

#[test]
fn oblique_flipped_and_anisotropic_grids_come_back() {
    for signs in (0..8).map(|bits| [0, 1, 2].map(|bit| if bits >> bit & 1 == 1 { -1.0 } else { 1.0 })) {
        let folder = tempfile::tempdir().unwrap();
        let written = ct(oblique(signs));
        write_dicom_series(&folder.path().join("ct"), &written, &facts(DicomModality::Ct)).unwrap();
        let read = read_dicom_volume(&files(&folder.path().join("ct")), Tilt::Refuse).unwrap().image;
        // A reader orders slices along their normal: the other order where the grid is left-handed.
        let [depth, rows, columns] = SHAPE;
        let flipped = !read.geometry().same_grid(written.geometry(), 1e-6);
        for place in 0..depth {
            let from = if flipped { depth - 1 - place } else { place };
            let plane = rows * columns;
            assert_eq!(read.values()[place * plane..][..plane], written.values()[from * plane..][..plane]);
            let corner = |grid: &Geometry<3>, place: usize| {
                let matrix = grid.affine().unwrap().matrix;
                [0, 1, 2].map(|axis| matrix[axis][3] + matrix[axis][2] * place as f64)
            };
            let (ours, theirs) = (corner(read.geometry(), place), corner(written.geometry(), from));
            assert!(ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-6), "{signs:?} {ours:?} {theirs:?}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let written = ct(oblique([1.0; 3]));
    write_dicom_series(&at("ct"), &written, &facts(DicomModality::Ct)).unwrap();
    let source = DerivedFrom::series(&files(&at("ct"))).unwrap();
    let refused = |error: kd_data::store::StoreError, texts: &[&str]| {
        let said = error.to_string();
        assert!(texts.iter().all(|text| said.contains(text)), "{said}");
    };
    let twice = write_dicom_series(&at("ct"), &written, &facts(DicomModality::Ct)).unwrap_err();
    refused(twice, &["ct"]);
    let unplaced = Geometry::<3>::with_spacing(SHAPE, [1.0; 3]).unwrap();
    refused(write_dicom_series(&at("x"), &ct(unplaced), &facts(DicomModality::Ct)).unwrap_err(), &["place"]);
    refused(write_dicom_series(&at("x"), &written, &facts(DicomModality::Mr)).unwrap_err(), &["hounsfield"]);
    let control = SeriesFacts { patient_id: "a\\b".into(), ..facts(DicomModality::Ct) };
    refused(write_dicom_series(&at("x"), &written, &control).unwrap_err(), &["backslash"]);
    let labels_of = |grid| labels(grid);
    let elsewhere = labels_of(oblique([1.0, 1.0, -1.0]));
    let named = segmentation(&["liver", "lesion"]);
    refused(write_segmentation(&at("x"), &elsewhere, &named, &source).unwrap_err(), &["source"]);
    let map = labels_of(source.geometry().clone());
    refused(write_segmentation(&at("x"), &map, &segmentation(&["liver"]), &source).unwrap_err(), &["2 segments", "1"]);
    let late = SegmentationFacts { made: ["2026-11-26".into(), "101500".into()], ..named.clone() };
    refused(write_segmentation(&at("x"), &map, &late, &source).unwrap_err(), &["YYYYMMDD"]);
    let above = Image::new(2, source.geometry().clone(), Intensity::Arbitrary, vec![1.5; 120]).unwrap();
    refused(write_fractional_segmentation(&at("x"), &above, &named, &source).unwrap_err(), &["0 to 1", "1.5"]);
    assert!(!at("x").exists());
}

#[test]
fn a_given_study_is_kept_and_debug_shows_no_identity() {
    let folder = tempfile::tempdir().unwrap();
    let study = Uid::new("1.2.3.4.5").unwrap();
    let facts = SeriesFacts { study: Some(study), patient_id: "SECRET-9".into(), ..facts(DicomModality::Ct) };
    write_dicom_series(&folder.path().join("ct"), &ct(oblique([1.0; 3])), &facts).unwrap();
    let bytes = std::fs::read(folder.path().join("ct/0001.dcm")).unwrap();
    assert!(bytes.windows(9).any(|window| window == b"1.2.3.4.5"));
    let source = DerivedFrom::series(&files(&folder.path().join("ct"))).unwrap();
    let shown = format!("{source:?}");
    assert!(!shown.contains("SECRET") && !shown.contains("1.2.3.4.5"), "{shown}");
}

#[test]
fn a_source_in_another_character_set_takes_ascii_alone() {
    let folder = tempfile::tempdir().unwrap();
    let slice = |index: u16| {
        let mut attributes =
            dicom_files::slice(index, [0.0, 0.0, f64::from(index)], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [1.0, 1.0], (4, 5));
        attributes.extend([
            dicom_files::text(0x0008, 0x0005, b"CS", "ISO_IR 100"),
            dicom_files::text(0x0008, 0x0016, b"UI", "1.2.840.10008.5.1.4.1.1.2"),
            dicom_files::text(0x0008, 0x0018, b"UI", format!("1.2.3.6.{}", index + 1)),
            dicom_files::text(0x0020, 0x000D, b"UI", "1.2.3.7"),
        ]);
        dicom_files::file(&attributes)
    };
    let paths = dicom_files::write(folder.path(), &[slice(0), slice(1), slice(2)]);
    let source = DerivedFrom::series(&paths).unwrap();
    let map = labels(source.geometry().clone());
    let at = folder.path().join("seg.dcm");
    let umlaut = write_segmentation(&at, &map, &segmentation(&["leber", "läsion"]), &source).unwrap_err();
    assert!(umlaut.to_string().contains("ASCII"), "{umlaut}");
    write_segmentation(&at, &map, &segmentation(&["leber", "tumor"]), &source).unwrap();
}
