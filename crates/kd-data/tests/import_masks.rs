//! Importing images with masks: every layout becomes the same cases, and each kind of bad input is named with a hint.

#![cfg(feature = "formats")]

mod place;

use std::fs;
use std::path::Path;

use kd_data::decode::{MaskedDataset, RawDataset, ReadMasked};
use kd_data::format::{NpyArray, NpyValue, gray8_png, gray16_png, rgb8_png, write_nifti, write_nifti_labels};
use kd_data::import::{EmptyMasks, MaskFormat, MaskImportRequest, RawFacts, import_masks};
use kd_data::leak::{LeakPolicy, check, masked_pixel_hashes, rows};
use kd_data::manifest::{Layout, MaskValues, SplitPolicy, SplitShares, Task};
use kd_data::mask_facts::describe_masked;
use kd_data::split::split_of_masked;
use kd_data::verify::{FileStatus, verify};
use kd_data::{Manifest, catalog};
use kd_image::{Affine, Geometry, Intensity, LabelMap, Split};
use place::Place;

const SHAPE: [usize; 3] = [2, 3, 4];
const N: usize = 24;

impl Place {
    fn volume(&self, name: &str, values: Vec<f32>, grid: &Geometry<3>) {
        let shape = grid.shape().to_vec();
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        write_nifti(&self.path(name), &NpyValue::F32(NpyArray { shape, values }), grid).unwrap();
    }

    fn mask(&self, name: &str, labels: &[u16], grid: &Geometry<3>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        write_nifti_labels(&self.path(name), &LabelMap::new(grid.clone(), labels.to_vec(), 300).unwrap()).unwrap();
    }

    /// `images/a.nii.gz`, `labels/a.nii.gz` and so on below `set`, each with a value and a label of its own.
    fn pairs(&self, cases: &[&str]) -> MaskImportRequest {
        for (n, case) in cases.iter().enumerate() {
            self.volume(&format!("set/images/{case}.nii.gz"), numbers(n as f32), &grid());
            self.mask(&format!("set/labels/{case}.nii.gz"), &spots(1 + n as u16 % 2), &grid());
        }
        request(MaskFormat::Nifti, &self.path("set"))
    }

    #[track_caller]
    fn refused(&self, request: &MaskImportRequest) -> String {
        let text = import_masks(&self.root, request).unwrap_err().to_string();
        let left: Vec<_> = fs::read_dir(self.root.raw()).map(|d| d.flatten().collect()).unwrap_or_default();
        assert!(left.is_empty(), "{left:?}");
        let folder = self.folder.path().file_name().unwrap().to_string_lossy().into_owned();
        assert!(!text.contains(&folder), "the folder's name is in: {text}");
        assert!(text.contains("\nhint: ") && text.contains("expected"), "{text}");
        text
    }
}

fn numbers(first: f32) -> Vec<f32> {
    (0..N).map(|n| first + n as f32 * 0.5).collect()
}

fn spots(label: u16) -> Vec<u16> {
    (0..N).map(|n| if n % 5 == 1 { label } else { 0 }).collect()
}

fn placed(shape: [usize; 3], shift: f64) -> Geometry<3> {
    let matrix = [[-0.5, 0.0, 0.0, 9.0 + shift], [0.0, -0.75, 0.0, 4.0], [0.0, 0.0, 2.0, -3.0], [0.0, 0.0, 0.0, 1.0]];
    Geometry::<3>::placed(shape, Affine { matrix }).unwrap()
}

fn grid() -> Geometry<3> {
    placed(SHAPE, 0.0)
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn request(format: MaskFormat, path: &Path) -> MaskImportRequest {
    MaskImportRequest {
        name: "mine".into(),
        format,
        path: path.into(),
        groups_csv: None,
        subgroups_csv: None,
        run_lengths: None,
        held_out: Vec::new(),
        copy: false,
        classes: names(&["background", "head", "tail"]),
        values: None,
        intensity: Some(Intensity::Arbitrary),
        empty_masks: EmptyMasks::Refuse,
        like: None,
        license: "LicenseRef-own".into(),
        citation: None,
        split: None,
    }
}

/// Imports and opens again by name.
#[track_caller]
fn import<const D: usize>(place: &Place, request: &MaskImportRequest) -> (Manifest, MaskedDataset<D>) {
    let manifest = import_masks(&place.root, request).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(catalog::resolve(&place.root, "mine").unwrap(), manifest);
    assert_eq!(Manifest::parse(&manifest.to_toml(), "dataset.toml").unwrap(), manifest);
    let report = verify(&place.root, &manifest);
    assert!(report.ok, "{:?}", report.problems);
    let set = MaskedDataset::open(&place.root, &manifest).unwrap();
    (manifest, set)
}

#[test]
fn volumes_keep_their_place_and_their_labels() {
    let place = Place::new();
    let request = place.pairs(&["a", "deep/b", "c"]);
    let (manifest, set) = import::<3>(&place, &request);
    assert_eq!((manifest.task, manifest.source.layout), (Task::Segmentation, Layout::NiftiMasks));
    assert!(matches!(manifest.split, SplitPolicy::BySubject { seed: 0, .. }));
    let ids: Vec<&str> = set.records().iter().map(|record| record.sample.as_str()).collect();
    assert_eq!(ids, ["a", "c", "deep/b"]);
    let case = set.read(2).unwrap();
    assert_eq!(case.image.values(), numbers(1.0));
    assert_eq!(case.labels.labels(), spots(2));
    assert_eq!((case.labels.geometry(), case.image.geometry()), (&grid(), &grid()));
    assert_eq!((case.labels.n_classes(), case.instances), (3, None));
    let facts = describe_masked(&set).unwrap();
    assert_eq!((facts.cases, facts.subjects, facts.splits["all"]), (3, 3, 3));
    assert_eq!(
        facts.classes.iter().map(|class| (class.points, class.cases)).collect::<Vec<_>>(),
        [(57, 3), (10, 2), (5, 1)]
    );
    assert_eq!((facts.shape, facts.orientations["LPS"]), ([SHAPE.to_vec(), SHAPE.to_vec()], 3));
    assert_eq!(facts.range.map(f64::to_bits), [0.0f64, 13.5].map(f64::to_bits));
    // Classification has no use for it, and says so.
    let text = RawDataset::open(&place.root, &manifest).unwrap_err().to_string();
    assert!(text.contains("nifti-masks") && text.contains("\nhint: "), "{text}");
    assert!(MaskedDataset::<2>::open(&place.root, &manifest).is_err());
}

#[test]
fn the_decathlons_folders_say_classes_meaning_and_channels() {
    let place = Place::new();
    for case in ["liver_1", "liver_2"] {
        let grid = grid();
        place.volume(&format!("set/imagesTr/{case}.nii.gz"), numbers(0.0), &grid);
        place.mask(&format!("set/labelsTr/{case}.nii.gz"), &spots(4), &grid);
    }
    place.put("set/imagesTr/._liver_1.nii.gz", b"a tar of another system");
    place.volume("set/imagesTs/liver_9.nii.gz", numbers(0.0), &grid());
    let json = r#"{"modality": {"0": "CT"}, "labels": {"0": "background", "4": "tumour"}, "numTraining": 2}"#;
    place.put("set/dataset.json", json.as_bytes());
    let mut wanted = request(MaskFormat::Nifti, &place.path("set"));
    (wanted.classes, wanted.intensity) = (None, None);
    let (manifest, set) = import::<3>(&place, &wanted);
    assert_eq!(manifest.classes, ["background", "tumour"]);
    assert_eq!((manifest.image.intensity, manifest.image.channels), (Intensity::Hounsfield, 1));
    assert_eq!(manifest.mask, Some(MaskValues::Classes(vec![0, 4])));
    assert!(manifest.notes.iter().any(|note| note.starts_with("1 files of images without masks")));
    assert_eq!(set.read(0).unwrap().labels.labels(), spots(1));
    place.put("set/dataset.json", json.replace("2}", "3}").as_bytes());
    let text = import_masks(&Place::new().root, &wanted).unwrap_err().to_string();
    assert!(text.contains("expected numTraining 3 cases in imagesTr, found 2\nhint: "), "{text}");
}

#[test]
fn nnunets_channel_files_become_channels_of_one_image() {
    let place = Place::new();
    for case in ["case_01", "case_02"] {
        place.volume(&format!("set/imagesTr/{case}_0000.nii.gz"), numbers(0.0), &grid());
        place.volume(&format!("set/imagesTr/{case}_0001.nii.gz"), numbers(100.0), &grid());
        place.mask(&format!("set/labelsTr/{case}.nii.gz"), &spots(1), &grid());
    }
    let json = r#"{"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "lesion": 1}, "numTraining": 2,
                   "file_ending": ".nii.gz"}"#;
    place.put("set/dataset.json", json.as_bytes());
    let mut wanted = request(MaskFormat::Nifti, &place.path("set"));
    (wanted.classes, wanted.intensity) = (None, None);
    let (manifest, set) = import::<3>(&place, &wanted);
    assert_eq!((manifest.image.channels, manifest.image.intensity), (2, Intensity::Arbitrary));
    let image = set.read(1).unwrap().image;
    assert_eq!((image.channel(0), image.channel(1)), (&numbers(0.0)[..], &numbers(100.0)[..]));
    // One channel of one case is gone.
    fs::remove_file(place.path("set/imagesTr/case_02_0001.nii.gz")).unwrap();
    let other = Place::new();
    let text = other.refused(&wanted);
    assert!(text.contains("channels 0 to 1 of `case_02`") && text.contains("found channels [0]"), "{text}");
    // Two channels on two grids.
    place.volume("set/imagesTr/case_02_0001.nii.gz", numbers(100.0), &placed(SHAPE, 1.0));
    let text = other.refused(&wanted);
    assert!(text.starts_with("case `case_02`: channel lies on another grid: expected 2 × 3 × 4"), "{text}");
}

#[test]
fn pictures_by_split_are_official_and_their_masks_may_be_black_and_white() {
    let place = Place::new();
    for (n, split) in ["train", "val", "test"].into_iter().enumerate() {
        let pixels: Vec<u16> = (0..6).map(|v| 1000 * (n as u16 + 1) + v).collect();
        place.put(&format!("set/{split}/images/x.png"), &gray16_png([2, 3], &pixels).unwrap());
        place.put(&format!("set/{split}/masks/x.png"), &gray8_png([2, 3], &[0, 255, 0, 0, 0, 255]).unwrap());
    }
    let mut wanted = request(MaskFormat::ImageMask, &place.path("set"));
    wanted.classes = names(&["background", "lung"]);
    let text = place.refused(&wanted);
    assert!(text.starts_with("label of `test/x` is 255, expected one of 0 (background), 1 (lung)\nhint: "), "{text}");
    wanted.values = Some(MaskValues::Classes(vec![0, 255]));
    let (manifest, set) = import::<2>(&place, &wanted);
    assert_eq!((manifest.split, manifest.counts.map(|n| n.train)), (SplitPolicy::Official, Some(1)));
    assert_eq!(manifest.image.intensity, Intensity::Stored { bits: 16 });
    assert_eq!(set.records()[2].split, Some(Split::Val));
    let case = set.read(1).unwrap();
    assert_eq!(case.labels.labels(), [0, 1, 0, 0, 0, 1]);
    assert_eq!(case.image.values(), [1000.0, 1001.0, 1002.0, 1003.0, 1004.0, 1005.0]);
}

#[test]
fn instances_are_one_class_and_stay_apart() {
    let place = Place::new();
    place.put("set/images/x.png", &rgb8_png([1, 3], &[7; 9]).unwrap());
    place.put("set/labels/x.png", &gray16_png([1, 3], &[0, 700, 3]).unwrap());
    let mut wanted = request(MaskFormat::ImageMask, &place.path("set"));
    wanted.classes = names(&["background", "nucleus"]);
    wanted.values = Some(MaskValues::Instances);
    let (_, set) = import::<2>(&place, &wanted);
    let case = set.read(0).unwrap();
    assert_eq!(case.labels.labels(), [0, 1, 1]);
    assert_eq!(case.instances.unwrap().labels(), [0, 700, 3]);
}

#[test]
fn headerless_files_become_volumes_with_spacing() {
    let place = Place::new();
    for case in ["a", "b"] {
        let bytes: Vec<u8> = (0..N as i16).flat_map(|v| (v - 500).to_be_bytes()).collect();
        place.put(&format!("set/images/{case}.raw"), &bytes);
        let labels: Vec<u8> = spots(2).into_iter().map(|label| label as u8).collect();
        place.put(&format!("set/masks/{case}.raw"), &labels);
    }
    let facts = RawFacts {
        shape: SHAPE,
        element: "int16-be".parse().unwrap(),
        mask_element: "uint8".parse().unwrap(),
        spacing_mm: [5.0, 0.5, 0.75],
    };
    let mut wanted = request(MaskFormat::Raw(facts), &place.path("set"));
    wanted.intensity = Some(Intensity::Hounsfield);
    let (manifest, set) = import::<3>(&place, &wanted);
    assert_eq!(manifest.source.layout, Layout::NiftiMasks);
    let case = set.read(1).unwrap();
    assert_eq!(case.image.values()[..2], [-500.0, -499.0]);
    assert_eq!(case.image.geometry().spacing_mm(), Some([5.0, 0.5, 0.75]));
    assert_eq!(case.image.geometry().affine(), None);
    let other = Place::new();
    wanted.format = MaskFormat::Raw(RawFacts { shape: [2, 3, 5], ..facts });
    let text = other.refused(&wanted);
    assert!(text.contains("30 numbers of int16 for shape [2, 3, 5], 60 bytes, found 48 bytes"), "{text}");
    wanted.format = MaskFormat::Raw(RawFacts { spacing_mm: [5.0, 0.0, 0.75], ..facts });
    assert!(import_masks(&other.root, &wanted).unwrap_err().to_string().contains("spacing of axis 1 is 0 mm"));
}

#[test]
fn groups_hold_subjects_together_and_their_names_stay_outside() {
    let place = Place::new();
    let mut wanted = place.pairs(&["a", "b", "c", "d", "e", "f"]);
    let table = "file,group\na.nii.gz,doe\nb,roe\nc,doe\nd.nii.gz,poe\ne,roe\nf,loe\nz,x\n";
    wanted.groups_csv = Some(place.put("groups.csv", table.as_bytes()));
    let (_, set) = import::<3>(&place, &wanted);
    let subjects: Vec<&str> = set.records().iter().map(|record| record.subject.as_str()).collect();
    assert_eq!((subjects[0], subjects[1]), (subjects[2], subjects[4]));
    assert_eq!(subjects.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    for entry in ["groups.csv", "dataset.toml"] {
        let text = fs::read_to_string(place.root.raw_set("mine").join(entry)).unwrap();
        assert!(!text.contains("doe") && !text.contains("poe"), "{text}");
    }
    let policy = SplitPolicy::BySubject { seed: 3, shares: SplitShares::new(0.5, 0.25, 0.25).unwrap() };
    let split = split_of_masked(&set, policy).unwrap();
    for (a, b) in [(0, 2), (1, 4)] {
        assert_eq!(split.rows()[a].split, split.rows()[b].split);
    }
    assert!(split_of_masked(&set, SplitPolicy::Official).is_err());
    let few = place.put("few.csv", b"file,group\na,doe\n");
    let other = Place::new();
    let text = other.refused(&MaskImportRequest { groups_csv: Some(few), ..wanted });
    assert!(text.starts_with("groups `few.csv`: none for `b`"), "{text}");
}

#[test]
fn the_same_volume_in_two_splits_is_a_leak() {
    let place = Place::new();
    for (split, first) in [("train", 5.0), ("val", 6.0), ("test", 5.0)] {
        place.volume(&format!("set/{split}/images/{split}_case.nii.gz"), numbers(first), &grid());
        place.mask(&format!("set/{split}/masks/{split}_case.nii.gz"), &spots(1), &grid());
    }
    let (manifest, set) = import::<3>(&place, &request(MaskFormat::Nifti, &place.path("set")));
    assert_eq!(verify(&place.root, &manifest).repeats.unwrap().shared_images.train_test, 1);
    let table = split_of_masked(&set, manifest.split).unwrap();
    let hashes = masked_pixel_hashes(&set).unwrap();
    let refused = check(&rows(&table, &hashes), LeakPolicy::Stop).unwrap_err().to_string();
    assert!(refused.contains("pixels of `train/train_case` (train) and `test/test_case` (test)"), "{refused}");
}

#[test]
fn a_mask_on_another_grid_is_refused_with_both_grids() {
    let place = Place::new();
    let wanted = place.pairs(&["a", "b"]);
    place.mask("set/labels/b.nii.gz", &spots(1), &placed(SHAPE, 0.4));
    let text = place.refused(&wanted);
    let grids = "case `b`: mask lies on another grid: expected 2 × 3 × 4 points of 2 × 0.75 × 0.5 mm, LPS from (9, 4, -3) mm, \
                 found 2 × 3 × 4 points of 2 × 0.75 × 0.5 mm, LPS from (9.4, 4, -3) mm (a corner lies 0.400 mm off, 0.025 mm allowed)";
    assert!(text.starts_with(grids), "{text}");
    place.mask("set/labels/b.nii.gz", &spots(1)[..12], &placed([1, 3, 4], 0.0));
    assert!(place.refused(&wanted).contains("another shape"));
    // A hundredth of a voxel is how a header was rounded.
    place.mask("set/labels/b.nii.gz", &spots(1), &placed(SHAPE, 0.005));
    import::<3>(&place, &wanted);
}

#[test]
fn labels_without_a_class_are_refused_with_the_case() {
    let place = Place::new();
    let wanted = place.pairs(&["a", "b"]);
    place.mask("set/labels/b.nii.gz", &spots(3), &grid());
    let text = place.refused(&wanted);
    let expected = "label of `b` is 3, expected one of 0 (background), 1 (head), 2 (tail)\nhint: ";
    assert!(text.starts_with(expected), "{text}");
    // Numbers between classes are what linear resampling leaves.
    place.volume("set/labels/b.nii.gz", numbers(0.0), &grid());
    assert!(place.refused(&wanted).contains("labels that are whole numbers"));
}

#[test]
fn what_has_no_partner_is_named() {
    let place = Place::new();
    let wanted = place.pairs(&["a", "b"]);
    fs::rename(place.path("set/labels/b.nii.gz"), place.path("kept.nii.gz")).unwrap();
    let text = place.refused(&wanted);
    assert!(text.starts_with("`images/b.nii.gz`: expected a mask named `b` beside it, found none"), "{text}");
    fs::rename(place.path("kept.nii.gz"), place.path("set/labels/b.nii.gz")).unwrap();
    fs::remove_file(place.path("set/images/b.nii.gz")).unwrap();
    let text = place.refused(&wanted);
    assert!(text.starts_with("`labels/b.nii.gz`: expected an image named `b` beside it, found none"), "{text}");
    fs::remove_dir_all(place.path("set/labels")).unwrap();
    assert!(place.refused(&wanted).contains("holds no images with masks"));
}

#[test]
fn a_mask_without_foreground_needs_a_word() {
    let place = Place::new();
    let mut wanted = place.pairs(&["a", "b", "c"]);
    for case in ["b", "c"] {
        place.mask(&format!("set/labels/{case}.nii.gz"), &[0; N], &grid());
    }
    let text = place.refused(&wanted);
    assert!(text.starts_with("the mask of `b` is all background") && text.contains("(2 such cases)"), "{text}");
    wanted.empty_masks = EmptyMasks::Keep;
    let (_, set) = import::<3>(&place, &wanted);
    assert_eq!(describe_masked(&set).unwrap().classes[1].cases, 1);
}

#[test]
fn a_single_slice_is_no_volume() {
    let place = Place::new();
    let wanted = place.pairs(&["a"]);
    let flat = placed([1, 4, 6], 0.0);
    place.volume("set/images/a.nii.gz", numbers(0.0), &flat);
    place.mask("set/labels/a.nii.gz", &spots(1), &flat);
    let text = place.refused(&wanted);
    assert!(text.contains("found shape [1, 4, 6]") && text.contains("--format image-mask"), "{text}");
}

#[test]
fn voxels_without_a_number_are_refused_with_their_place() {
    let place = Place::new();
    let wanted = place.pairs(&["a"]);
    for odd in [f32::NAN, f32::INFINITY] {
        let mut values = numbers(0.0);
        values[6] = odd;
        place.volume("set/images/a.nii.gz", values, &grid());
        let text = place.refused(&wanted);
        assert!(text.contains(&format!("expected finite numbers, found {odd} at voxel (2, 1, 0)")), "{text}");
    }
}

/// The bytes of a volume with a fourth axis of two points.
fn series() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    let grid = placed([2 * SHAPE[0], SHAPE[1], SHAPE[2]], 0.0);
    let values = (0..2 * N).map(|n| n as f32).collect();
    write_nifti(&path, &NpyValue::F32(NpyArray { shape: grid.shape().to_vec(), values }), &grid).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    for (at, value) in [(40, 4i16), (46, 2), (48, 2)] {
        bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

#[test]
fn a_fourth_axis_is_channels_only_where_somebody_says_so() {
    let place = Place::new();
    let wanted = place.pairs(&["a"]);
    fs::remove_file(place.path("set/images/a.nii.gz")).unwrap();
    place.put("set/images/a.nii", &series());
    let text = place.refused(&wanted);
    assert!(text.contains("case `a`: expected 1 volumes of numbers in a file, found 2 of float32"), "{text}");
    let json = r#"{"modality": {"0": "T1", "1": "T2"}, "labels": {"0": "background", "1": "head", "2": "tail"}}"#;
    place.put("set/dataset.json", json.as_bytes());
    let (_, set) = import::<3>(&place, &wanted);
    let image = set.read(0).unwrap().image;
    assert_eq!((image.channels(), image.channel(1)[0].to_bits()), (2, 24.0f32.to_bits()));
    // A mask with a fourth axis stays none.
    let other = Place::new();
    fs::remove_file(place.path("set/labels/a.nii.gz")).unwrap();
    place.put("set/labels/a.nii", &series());
    assert!(other.refused(&wanted).contains("expected one volume (three axes), found 2 volumes"));
}

#[test]
fn what_nobody_said_is_asked_for() {
    let place = Place::new();
    let wanted = place.pairs(&["a"]);
    let text = place.refused(&MaskImportRequest { classes: None, ..wanted.clone() });
    assert!(text.contains("classes are missing"), "{text}");
    let text = place.refused(&MaskImportRequest { intensity: None, ..wanted.clone() });
    assert!(text.contains("--intensity hounsfield"), "{text}");
    let values = Some(MaskValues::Classes(vec![0, 1]));
    let text = place.refused(&MaskImportRequest { values, ..wanted.clone() });
    assert!(text.contains("mask.values"), "{text}");
    place.put("set/images/notes.txt", b"a note");
    let text = place.refused(&wanted);
    assert!(text.starts_with("`images/notes.txt`: expected NIfTI in one file"), "{text}");
}

#[test]
fn coloured_and_differing_pictures_are_refused() {
    let place = Place::new();
    place.put("set/images/x.png", &gray8_png([1, 2], &[1, 2]).unwrap());
    place.put("set/masks/x.png", &rgb8_png([1, 2], &[0, 0, 0, 255, 0, 0]).unwrap());
    let mut wanted = request(MaskFormat::ImageMask, &place.path("set"));
    wanted.classes = names(&["background", "lung"]);
    let text = place.refused(&wanted);
    assert!(text.contains("expected a mask of one channel, found 3 channels"), "{text}");
    place.put("set/masks/x.png", &gray8_png([2, 1], &[0, 1]).unwrap());
    assert!(place.refused(&wanted).contains("mask lies on another grid"));
    place.put("set/masks/x.png", &gray8_png([1, 2], &[0, 1]).unwrap());
    place.put("set/images/y.png", &rgb8_png([1, 2], &[0; 6]).unwrap());
    place.put("set/masks/y.png", &gray8_png([1, 2], &[0, 1]).unwrap());
    assert!(place.refused(&wanted).contains("3 channels"));
}

#[test]
fn a_changed_mask_is_found_and_a_lost_one_too() {
    let place = Place::new();
    let wanted = MaskImportRequest { copy: true, ..place.pairs(&["a", "b"]) };
    let (manifest, _) = import::<3>(&place, &wanted);
    let mask = place.root.raw_set("mine").join("masks/a.nii.gz");
    write_nifti_labels(&mask, &LabelMap::new(grid(), spots(2), 3).unwrap()).unwrap();
    assert!(MaskedDataset::<3>::open(&place.root, &manifest).is_err());
    fs::remove_file(&mask).unwrap();
    let report = verify(&place.root, &manifest);
    assert_eq!((report.ok, report.files[0].status), (false, FileStatus::Missing));
}

#[test]
fn what_masks_mean_is_part_of_the_contents() {
    let place = Place::new();
    let (manifest, _) = import::<3>(&place, &place.pairs(&["a", "b"]));
    let other = Manifest::parse(
        &manifest.to_toml().replace("values = [\n    0,\n    1,\n    2,", "values = [\n    0,\n    2,\n    1,"),
        "x",
    );
    assert_ne!(other.unwrap().content_hash(), manifest.content_hash());
    for (from, to) in [("task = \"segmentation\"", "task = \"multi-class\""), ("nifti-masks", "image-folder")] {
        assert!(Manifest::parse(&manifest.to_toml().replace(from, to), "x").is_err(), "{to}");
    }
}
