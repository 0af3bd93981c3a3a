//! Preparation against Pillow and against hand-made numbers, and its store.

#![cfg(feature = "formats")]

use std::path::Path;

use kd_data::prepare::{
    Channels, Normalization, NormalizationRequest, PrepareError, PreparePlan, PrepareRequest, RawSource, Resize,
    fit_plan, prepare,
};
use kd_data::store::{Element, StoreError};
use kd_image::{Geometry, Image, ImageError, Intensity, SampleId, Split, SubjectId, Target};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn side(value: &Value) -> [usize; 2] {
    std::array::from_fn(|i| usize::try_from(value[i].as_u64().unwrap()).unwrap())
}

fn unit_plan(size: [usize; 2], channels: usize) -> PreparePlan {
    PreparePlan {
        size,
        channels,
        resize: Resize::Antialiased,
        convert: Channels::Convert,
        normalization: Normalization::Unit,
    }
}

fn image(channels: usize, size: [usize; 2], intensity: Intensity, values: Vec<f32>) -> Image<2> {
    Image::new(channels, Geometry::without_spacing(size).unwrap(), intensity, values).unwrap()
}

#[test]
fn resizing_gives_pillows_bilinear_values() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/resized.json");
    let oracle: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    #[allow(clippy::cast_possible_truncation)]
    let values = numbers(&oracle["source"]["values"]).into_iter().map(|v| v as f32).collect();
    let source = image(1, side(&oracle["source"]["size"]), Intensity::Unit, values);
    for case in oracle["cases"].as_array().unwrap() {
        let found = unit_plan(side(&case["size"]), 1).apply(&source).unwrap();
        for (found, expected) in found.values().iter().zip(numbers(&case["values"])) {
            // Pillow keeps single precision between its two passes.
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{}: {found} {expected}", case["size"]);
        }
    }
}

#[test]
fn color_becomes_luma_and_grey_is_repeated() {
    let color = image(3, [1, 1], Intensity::Stored { bits: 8 }, vec![255.0, 0.0, 51.0]);
    let grey = unit_plan([1, 1], 1).apply(&color).unwrap();
    assert!((grey.values()[0] - (0.299 + 0.114 * 0.2)).abs() < 1e-6);
    let repeated =
        unit_plan([1, 1], 3).apply(&image(1, [1, 1], Intensity::Stored { bits: 16 }, vec![65_535.0])).unwrap();
    assert_eq!((repeated.values(), repeated.intensity()), (&[1.0, 1.0, 1.0][..], Intensity::Unit));
}

#[test]
fn an_image_that_the_plan_does_not_take_is_refused() {
    let strict = PreparePlan { resize: Resize::Refuse, convert: Channels::Refuse, ..unit_plan([2, 2], 1) };
    let refused = |image: Image<2>| strict.apply(&image).unwrap_err().to_string();
    let stored = Intensity::Stored { bits: 8 };
    assert!(refused(image(1, [2, 3], stored, vec![0.0; 6])).contains("image size is [2, 3], expected [2, 2]"));
    assert!(refused(image(3, [2, 2], stored, vec![0.0; 12])).contains("image channels is 3, expected 1"));
    assert!(refused(image(1, [2, 2], Intensity::Hounsfield, vec![0.0; 4])).contains("hounsfield"));
    let two = image(2, [2, 2], stored, vec![0.0; 8]);
    assert!(unit_plan([2, 2], 3).apply(&two).is_err());
    for broken in [
        PreparePlan { size: [0, 2], ..strict.clone() },
        PreparePlan { channels: 2, ..strict.clone() },
        PreparePlan { normalization: Normalization::ZScore { mean: vec![0.0], std: vec![0.0] }, ..strict.clone() },
        PreparePlan { normalization: Normalization::ZScore { mean: vec![], std: vec![1.0] }, ..strict.clone() },
    ] {
        assert!(matches!(broken.check(), Err(PrepareError::Plan { .. })));
    }
}

struct Memory {
    rows: Vec<(SampleId, SubjectId, Split, Target, Vec<f32>)>,
}

impl RawSource for Memory {
    type Error = ImageError;
    fn len(&self) -> usize {
        self.rows.len()
    }
    fn id(&self, index: usize) -> &SampleId {
        &self.rows[index].0
    }
    fn subject(&self, index: usize) -> &SubjectId {
        &self.rows[index].1
    }
    fn split(&self, index: usize) -> Split {
        self.rows[index].2
    }
    fn target(&self, index: usize) -> &Target {
        &self.rows[index].3
    }
    fn read(&self, index: usize) -> Result<Image<2>, ImageError> {
        let geometry = Geometry::without_spacing([1, 2]).unwrap();
        Image::new(1, geometry, Intensity::Stored { bits: 8 }, self.rows[index].4.clone())
    }
}

fn memory(rows: &[(Split, [f32; 2])]) -> Memory {
    let row = |(number, (split, values)): (usize, &(Split, [f32; 2]))| {
        let name = format!("s{number}");
        (SampleId::new(&name).unwrap(), SubjectId::new(name).unwrap(), *split, Target::Class(1), values.to_vec())
    };
    Memory { rows: rows.iter().enumerate().map(row).collect() }
}

fn request() -> PrepareRequest {
    PrepareRequest {
        size: [1, 2],
        channels: 1,
        resize: Resize::Refuse,
        convert: Channels::Refuse,
        normalization: NormalizationRequest::TrainStatistics,
        element: Element::F32,
    }
}

const ROWS: [(Split, [f32; 2]); 4] = [
    (Split::Test, [255.0, 255.0]),
    (Split::Train, [0.0, 51.0]),
    (Split::Val, [9.0, 9.0]),
    (Split::Train, [102.0, 153.0]),
];

#[test]
fn statistics_come_from_training_samples_only() {
    let plan = fit_plan(&memory(&ROWS), &request()).unwrap();
    let Normalization::ZScore { mean, std } = plan.normalization else { panic!("no statistics") };
    // Of 0, 0.2, 0.4 and 0.6, divisor 4; pixels are single precision.
    assert!((mean[0] - 0.3).abs() < 1e-7 && (std[0] - 0.05f64.sqrt()).abs() < 1e-7, "{mean:?} {std:?}");
}

#[test]
fn training_samples_that_say_nothing_are_refused() {
    let flat = memory(&[(Split::Train, [7.0, 7.0]), (Split::Train, [7.0, 7.0])]);
    assert!(matches!(fit_plan(&flat, &request()), Err(PrepareError::Constant { channel: 0, .. })));
    assert!(matches!(fit_plan(&memory(&ROWS[..1]), &request()), Err(PrepareError::NoTraining)));
}

#[test]
fn a_prepared_set_is_made_once_with_the_same_bytes_everywhere() {
    let roots = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (root, threads) in roots.iter().zip([1, 3]) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let store = pool.install(|| prepare(&memory(&ROWS), &request(), "m", "s", root.path())).unwrap();
        assert_eq!(store.positions(Split::Train), [1, 3]);
        assert_eq!(store.entries()[2].split, Split::Val);
        // Opened, not made again: the images are no longer needed.
        let opened = prepare(&memory(&[]), &request(), "m", "s", root.path()).unwrap();
        assert_eq!((opened.identity(), opened.plan()), (store.identity(), store.plan()));
    }
    let folder = request().identity("m", "s").unwrap();
    for name in ["samples.bin", "index.csv", "plan.json", "checksum"] {
        let read = |root: &tempfile::TempDir| std::fs::read(root.path().join(&folder).join(name)).unwrap();
        assert_eq!(read(&roots[0]), read(&roots[1]), "{name}");
    }
}

#[test]
fn the_identity_changes_with_all_that_goes_in() {
    let of = |request: &PrepareRequest, manifest, split| request.identity(manifest, split).unwrap();
    let given = NormalizationRequest::Given { mean: vec![0.5], std: vec![0.5] };
    let all = [
        of(&request(), "m", "s"),
        of(&request(), "n", "s"),
        of(&request(), "m", "t"),
        of(&PrepareRequest { size: [2, 1], ..request() }, "m", "s"),
        of(&PrepareRequest { channels: 3, ..request() }, "m", "s"),
        of(&PrepareRequest { resize: Resize::Antialiased, ..request() }, "m", "s"),
        of(&PrepareRequest { normalization: given, ..request() }, "m", "s"),
        of(&PrepareRequest { element: Element::F16, ..request() }, "m", "s"),
    ];
    assert_eq!(std::collections::BTreeSet::from(all.clone()).len(), all.len());
}

#[test]
fn an_image_that_fails_leaves_no_folder_and_is_named() {
    let root = tempfile::tempdir().unwrap();
    let mut source = memory(&ROWS);
    source.rows[2].4.pop();
    let text = prepare(&source, &request(), "m", "s", root.path()).unwrap_err().to_string();
    assert!(text.contains("sample `s2`: image holds 1 values, expected 2"), "{text}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_damaged_prepared_folder_is_refused_and_not_used() {
    let root = tempfile::tempdir().unwrap();
    prepare(&memory(&ROWS), &request(), "m", "s", root.path()).unwrap();
    let table = root.path().join(request().identity("m", "s").unwrap()).join("index.csv");
    let text = std::fs::read_to_string(&table).unwrap().replace("class:1", "class:0");
    std::fs::write(&table, text).unwrap();
    let again = prepare(&memory(&ROWS), &request(), "m", "s", root.path());
    assert!(matches!(again, Err(PrepareError::Store(StoreError::Damaged { .. }))));
}
