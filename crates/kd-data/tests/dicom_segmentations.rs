//! DICOM segmentations: labels against highdicom (`oracles/dicom/make_segmentations.py`), the way back from what is
//! written here, and imports of series with masks.

#![cfg(feature = "formats")]

mod place;

use std::fs;
use std::path::{Path, PathBuf};

use kd_data::Manifest;
use kd_data::decode::{MaskedDataset, ReadMasked};
use kd_data::format::{
    DerivedFrom, DicomModality, DicomSegmentation, SegmentationFacts, SeriesFacts, Tilt, read_dicom_volume,
    write_dicom_series, write_fractional_segmentation, write_segmentation,
};
use kd_data::import::{EmptyMasks, MaskFormat, MaskImportRequest, import_masks};
use kd_data::manifest::{Layout, MaskValues};
use kd_data::verify::verify;
use kd_image::{Affine, Geometry, Image, Intensity, LabelMap};
use place::Place;
use serde_json::Value;

const SHAPE: [usize; 3] = [3, 4, 5];

fn oracle() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/dicom_segmentations.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn with_background(names: &[String]) -> Vec<String> {
    std::iter::once("background".to_owned()).chain(names.iter().cloned()).collect()
}

fn grid(place: f64) -> Geometry<3> {
    let matrix = [[-0.5, 0.0, 0.0, 9.0], [0.0, -0.75, 0.0, 8.0], [0.0, 0.0, 2.5, place], [0.0, 0.0, 0.0, 1.0]];
    Geometry::placed(SHAPE, Affine { matrix }).unwrap()
}

fn named(segments: &[&str]) -> SegmentationFacts {
    SegmentationFacts {
        description: "Masks".into(),
        segments: segments.iter().map(|&name| name.to_owned()).collect(),
        algorithm: "hand".into(),
        made: ["20261129".into(), "101500".into()],
    }
}

fn spots(first: usize) -> Vec<u16> {
    (0..60).map(|index| u16::from(index == first) + 2 * u16::from(index == 40)).collect()
}

impl Place {
    fn files(&self, name: &str) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.path(name)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }

    /// A CT of its own numbers and place in the folder `name`.
    fn series(&self, name: &str, patient: &str, place: f64) -> DerivedFrom {
        let values = (0..60).map(|index| place as f32 + index as f32).collect();
        let image = Image::new(1, grid(place), Intensity::Hounsfield, values).unwrap();
        let facts = SeriesFacts {
            modality: DicomModality::Ct,
            study: None,
            series: None,
            frame_of_reference: None,
            patient_id: patient.into(),
            description: name.into(),
        };
        write_dicom_series(&self.path(name), &image, &facts).unwrap();
        DerivedFrom::series(&self.files(name)).unwrap()
    }

    /// A segmentation of it as one file.
    fn segmentation(&self, name: &str, labels: Vec<u16>, segments: &[&str], of: &DerivedFrom) {
        let labels = LabelMap::new(of.geometry().clone(), labels, segments.len() + 1).unwrap();
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        write_segmentation(&self.path(name), &labels, &named(segments), of).unwrap();
    }

    fn request(&self) -> MaskImportRequest {
        MaskImportRequest {
            name: "mine".into(),
            format: MaskFormat::Dicom,
            path: self.path("set"),
            groups_csv: None,
            subgroups_csv: None,
            run_lengths: None,
            held_out: Vec::new(),
            copy: false,
            classes: None,
            values: None,
            intensity: None,
            empty_masks: EmptyMasks::Refuse,
            like: None,
            license: "LicenseRef-own".into(),
            citation: None,
            split: None,
        }
    }

    #[track_caller]
    fn import(&self, request: &MaskImportRequest) -> (Manifest, MaskedDataset<3>) {
        let manifest = import_masks(&self.root, request).unwrap_or_else(|refused| panic!("{refused}"));
        let report = verify(&self.root, &manifest);
        assert!(report.ok, "{:?}", report.problems);
        let set = MaskedDataset::<3>::open(&self.root, &manifest).unwrap();
        (manifest, set)
    }

    #[track_caller]
    fn refused(&self, request: &MaskImportRequest, expected: &[&str]) {
        let text = import_masks(&self.root, request).unwrap_err().to_string();
        let left: Vec<_> = fs::read_dir(self.root.raw()).map(|d| d.flatten().collect()).unwrap_or_default();
        assert!(left.is_empty(), "{left:?}");
        for part in expected {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
        assert!(!text.contains("Doe") && text.contains("\nhint: "), "{text}");
    }
}

#[test]
fn labels_are_those_of_highdicom() {
    let oracle = oracle();
    let folder = tempfile::tempdir().unwrap();
    let slices = oracle["series"].as_array().unwrap().iter().enumerate().map(|(n, slice)| {
        let path = folder.path().join(format!("{n}.dcm"));
        fs::write(&path, bytes(slice)).unwrap();
        path
    });
    let volume = read_dicom_volume(&slices.collect::<Vec<_>>(), Tilt::Refuse).unwrap().image;
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let path = folder.path().join("segmentation.dcm");
        fs::write(&path, bytes(&case["file"])).unwrap();
        let file = DicomSegmentation::open(&path).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        let names = texts(&case["names"]);
        assert_eq!(file.names().collect::<Vec<_>>(), names, "{name}");
        let labels = DicomSegmentation::labels(&[&file], volume.geometry(), &with_background(&names)).unwrap();
        let expected: Vec<u16> = serde_json::from_value(case["labels"].clone()).unwrap();
        assert_eq!(labels.labels(), expected, "{name}");
    }
}

#[test]
fn a_mask_comes_back_as_it_was_written() {
    let place = Place::new();
    let source = place.series("ct", "Doe", 100.0);
    place.segmentation("seg.dcm", spots(7), &["liver", "läsion"], &source);
    let file = DicomSegmentation::open(&place.path("seg.dcm")).unwrap();
    let classes = with_background(&["liver".into(), "läsion".into()]);
    let labels = DicomSegmentation::labels(&[&file], source.geometry(), &classes).unwrap();
    assert_eq!(labels.labels(), spots(7));
    // What nobody asks for is background.
    let lesions = DicomSegmentation::labels(&[&file], source.geometry(), &with_background(&["läsion".into()])).unwrap();
    assert_eq!(lesions.labels().iter().sum::<u16>(), 1);
    assert_eq!(lesions.labels()[40], 1);
}

#[test]
fn a_mask_of_another_grid_is_refused() {
    let place = Place::new();
    let source = place.series("ct", "Doe", 100.0);
    place.segmentation("seg.dcm", spots(7), &["liver", "lesion"], &source);
    let file = DicomSegmentation::open(&place.path("seg.dcm")).unwrap();
    let classes = with_background(&["liver".into(), "lesion".into()]);
    let refused = |grid: &Geometry<3>| DicomSegmentation::labels(&[&file], grid, &classes).unwrap_err().to_string();
    let moved = refused(&grid(101.0));
    assert!(moved.contains("the first pixel 0.4") && moved.contains("hint"), "{moved}");
    let mut affine = *source.geometry().affine().unwrap();
    affine.matrix[0][0] *= 1.02;
    let stretched = refused(&Geometry::placed(SHAPE, affine).unwrap());
    assert!(stretched.contains("the end of a row"), "{stretched}");
    let short = refused(&Geometry::placed([2, 4, 5], *source.geometry().affine().unwrap()).unwrap());
    assert!(short.contains("a voxel outside"), "{short}");
    let nowhere = refused(&Geometry::<3>::with_spacing(SHAPE, [2.5, 0.75, 0.5]).unwrap());
    assert!(nowhere.contains("a place in the patient"), "{nowhere}");
}

#[test]
fn shares_images_and_overlaps_are_no_masks() {
    let place = Place::new();
    let source = place.series("ct", "Doe", 100.0);
    let half = Image::new(1, source.geometry().clone(), Intensity::Arbitrary, vec![0.5; 60]).unwrap();
    write_fractional_segmentation(&place.path("share.dcm"), &half, &named(&["liver"]), &source).unwrap();
    let share = DicomSegmentation::open(&place.path("share.dcm")).unwrap_err().to_string();
    assert!(share.contains("FRACTIONAL") && share.contains("cut it"), "{share}");
    let image = DicomSegmentation::open(&place.files("ct")[0]).unwrap_err().to_string();
    assert!(image.contains("another kind of file"), "{image}");

    place.segmentation("a.dcm", spots(7), &["liver", "lesion"], &source);
    place.segmentation("b.dcm", vec![1; 60], &["body"], &source);
    let files = ["a.dcm", "b.dcm"].map(|name| DicomSegmentation::open(&place.path(name)).unwrap());
    let classes = with_background(&["liver".into(), "lesion".into(), "body".into()]);
    let both = DicomSegmentation::labels(&[&files[0], &files[1]], source.geometry(), &classes).unwrap_err();
    assert!(both.to_string().contains("`liver` and `body` at one voxel"), "{both}");
    let fewer = with_background(&["body".into()]);
    let body = DicomSegmentation::labels(&[&files[0], &files[1]], source.geometry(), &fewer).unwrap();
    assert!(body.labels().iter().all(|&label| label == 1));
}

#[test]
fn studies_are_imported_with_the_masks_that_refer_to_them() {
    let place = Place::new();
    let first = place.series("set/doe/ct", "Doe", 100.0);
    let second = place.series("set/doe/later", "Doe", 200.0);
    let third = place.series("set/roe", "Roe", 300.0);
    place.series("set/without", "Roe", 400.0);
    place.segmentation("set/masks/1.dcm", spots(7), &["liver", "lesion"], &first);
    place.segmentation("set/masks/2.dcm", spots(8), &["liver", "lesion"], &second);
    place.segmentation("set/roe/mask.dcm", vec![1; 60], &["liver"], &third);
    let (manifest, set) = place.import(&place.request());
    assert_eq!(manifest.source.layout, Layout::NiftiMasks);
    assert_eq!(manifest.classes, ["background", "lesion", "liver"]);
    assert_eq!(manifest.mask, Some(MaskValues::Classes(vec![0, 1, 2])));
    assert_eq!(manifest.image.intensity, Intensity::Hounsfield);
    assert!(manifest.notes.iter().any(|note| note.contains("1 series without")), "{:?}", manifest.notes);
    let text = manifest.to_toml();
    assert!(!text.contains("Doe") && !text.contains("doe") && !text.contains("1.2."), "{text}");
    let records = set.records();
    assert_eq!(
        records.iter().map(|one| one.sample.as_str()).collect::<Vec<_>>(),
        ["series-00001", "series-00002", "series-00003"]
    );
    assert_eq!(records[0].subject, records[1].subject);
    assert_ne!(records[0].subject, records[2].subject);
    // The classes are in the order of the alphabet: lesion 1, liver 2.
    for (n, (spot, place)) in [(7, 100.0), (8, 200.0)].into_iter().enumerate() {
        let case = set.read(n).unwrap();
        let expected: Vec<u16> = spots(spot).iter().map(|label| [0, 2, 1][usize::from(*label)]).collect();
        assert_eq!(case.labels.labels(), expected);
        assert_eq!(case.image.values()[5..6], [place + 5.0]);
        assert!(case.image.geometry().same_grid(&grid(f64::from(place)), 1e-4));
    }
}

#[test]
fn classes_that_are_named_are_those_that_are_kept() {
    let place = Place::new();
    let source = place.series("set/ct", "Doe", 100.0);
    place.segmentation("set/mask.dcm", spots(7), &["liver", "lesion"], &source);
    let mut wanted = place.request();
    wanted.classes = Some(vec!["rest".into(), "lesion".into()]);
    let (manifest, set) = place.import(&wanted);
    assert_eq!(manifest.classes, ["rest", "lesion"]);
    assert_eq!(set.read(0).unwrap().labels.labels().iter().sum::<u16>(), 1);
    wanted.name = "other".into();
    wanted.classes = Some(vec!["rest".into(), "leison".into()]);
    let text = import_masks(&place.root, &wanted).unwrap_err().to_string();
    assert!(text.contains("`leison`") && text.contains("`lesion`, `liver`"), "{text}");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let place = Place::new();
    let source = place.series("set/ct", "Doe", 100.0);
    place.refused(&place.request(), &["holds no DICOM segmentation"]);

    let elsewhere = place.series("elsewhere", "Roe", 200.0);
    place.segmentation("set/masks/a.dcm", spots(7), &["liver", "lesion"], &elsewhere);
    place.refused(&place.request(), &["`masks/a.dcm`", "the series that it refers to"]);

    place.segmentation("set/masks/a.dcm", spots(7), &["liver", "lesion"], &source);
    place.segmentation("set/masks/b.dcm", spots(9), &["lesion", "cyst"], &source);
    place.refused(&place.request(), &["`masks/b.dcm`", "`lesion`", "`masks/a.dcm`"]);

    fs::remove_file(place.path("set/masks/b.dcm")).unwrap();
    place.segmentation("set/masks/a.dcm", vec![0; 60], &["liver"], &source);
    place.refused(&place.request(), &["series-00001", "all background", "--empty-masks keep"]);

    fs::write(place.path("set/note.rtf"), "no picture").unwrap();
    place.refused(&place.request(), &["`note.rtf`", "DICOM images and segmentations"]);
    fs::remove_file(place.path("set/note.rtf")).unwrap();
    fs::remove_file(&place.files("set/ct")[1]).unwrap();
    place.segmentation("set/masks/a.dcm", (0..60).map(|index| u16::from(index == 25)).collect(), &["liver"], &source);
    place.refused(&place.request(), &["masks", "hint"]);
}
