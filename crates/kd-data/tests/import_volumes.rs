//! Importing volumes without masks: every layout becomes the same cases, and each kind of bad input is named with a hint.

#![cfg(feature = "formats")]

mod dicom_files;
mod place;

use std::fs;
use std::path::Path;

use kd_data::decode::{RawDataset, VolumeDataset};
use kd_data::format::{NpyArray, NpyValue, write_nifti};
use kd_data::import::{VolumeFormat, VolumeImportRequest, import_volumes};
use kd_data::leak::{LeakPolicy, check, rows, volume_pixel_hashes};
use kd_data::manifest::{Layout, SplitPolicy, Task};
use kd_data::mask_facts::describe_volumes;
use kd_data::split::split_of_volumes;
use kd_data::verify::verify;
use kd_data::{Manifest, catalog};
use kd_image::{Geometry, Intensity, Split};
use place::Place;

impl Place {
    /// A volume of 2 × 3 × 4 voxels that count up from `first`.
    fn volume(&self, name: &str, first: f32) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        let voxels = NpyValue::F32(NpyArray { shape: vec![2, 3, 4], values: numbers(first) });
        write_nifti(&self.path(name), &voxels, &grid()).unwrap();
    }

    /// Three slices of a CT of 4 × 5 pixels; `place` shifts them, so that volumes differ.
    fn series(&self, folder: &str, place: u16) {
        let slice = |index: u16| {
            let position = [0.0, 0.0, 2.5 * f64::from(index)];
            dicom_files::file(&dicom_files::slice(index + place, position, AXIAL, [0.5, 0.75], (4, 5)))
        };
        fs::create_dir_all(self.path(folder)).unwrap();
        dicom_files::write(&self.path(folder), &[slice(0), slice(1), slice(2)]);
    }

    #[track_caller]
    fn refused(&self, request: &VolumeImportRequest) -> String {
        let text = import_volumes(&self.root, request).unwrap_err().to_string();
        let left: Vec<_> = fs::read_dir(self.root.raw()).map(|d| d.flatten().collect()).unwrap_or_default();
        assert!(left.is_empty(), "{left:?}");
        let folder = self.folder.path().file_name().unwrap().to_string_lossy().into_owned();
        assert!(!text.contains(&folder), "the folder's name is in: {text}");
        text
    }
}

const AXIAL: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];

fn grid() -> Geometry<3> {
    Geometry::<3>::with_spacing([2, 3, 4], [3.0, 0.5, 0.75]).unwrap()
}

fn numbers(first: f32) -> Vec<f32> {
    (0..24u8).map(|n| first + f32::from(n)).collect()
}

fn request(format: VolumeFormat, path: &Path) -> VolumeImportRequest {
    VolumeImportRequest {
        name: "mine".into(),
        format,
        path: path.into(),
        inputs: None,
        groups_csv: None,
        copy: false,
        intensity: (format != VolumeFormat::Dicom).then_some(Intensity::Hounsfield),
        like: None,
        license: "LicenseRef-own".into(),
        citation: None,
        split: None,
    }
}

/// Imports and opens again by name.
#[track_caller]
fn import(place: &Place, request: &VolumeImportRequest) -> (Manifest, VolumeDataset) {
    let manifest = import_volumes(&place.root, request).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(catalog::resolve(&place.root, "mine").unwrap(), manifest);
    assert_eq!(Manifest::parse(&manifest.to_toml(), "dataset.toml").unwrap(), manifest);
    assert!(!manifest.to_toml().contains("\nclasses"));
    let report = verify(&place.root, &manifest);
    assert!(report.ok, "{:?}", report.problems);
    let set = VolumeDataset::open(&place.root, &manifest).unwrap();
    assert_eq!((report.samples, report.readable), (set.records().len(), set.records().len()));
    (manifest, set)
}

fn ids(set: &VolumeDataset) -> Vec<&str> {
    set.records().iter().map(|record| record.sample.as_str()).collect()
}

#[test]
fn a_folder_of_volumes_keeps_grids_and_numbers() {
    let place = Place::new();
    for (n, name) in ["b.nii", "a.nii.gz", "deep/c.nii.gz"].into_iter().enumerate() {
        place.volume(&format!("set/{name}"), n as f32 * 100.0);
    }
    let (manifest, set) = import(&place, &request(VolumeFormat::Nifti, &place.path("set")));
    assert_eq!((manifest.task, manifest.source.layout), (Task::Enhancement, Layout::NiftiVolumes));
    assert!(manifest.classes.is_empty() && matches!(manifest.split, SplitPolicy::BySubject { .. }));
    assert_eq!(ids(&set), ["a", "b", "deep/c"]);
    let image = set.read(2).unwrap();
    assert_eq!(
        (image.values(), image.geometry(), image.intensity()),
        (&numbers(200.0)[..], &grid(), Intensity::Hounsfield)
    );
    let table = split_of_volumes(&set, manifest.split).unwrap();
    let hashes = volume_pixel_hashes(&set).unwrap();
    assert!(check(&rows(&table, &hashes), LeakPolicy::Stop).is_ok());
    let facts = describe_volumes(&set).unwrap();
    assert_eq!((facts.cases, facts.range, facts.classes.len()), (3, [0.0, 223.0], 0));
    let refused = RawDataset::open(&place.root, &manifest).unwrap_err().to_string();
    assert!(refused.contains("layout `nifti-volumes`") && refused.contains("use it for enhancement"), "{refused}");
}

#[test]
fn one_file_and_one_folder_of_a_series_are_one_volume() {
    let place = Place::new();
    place.volume("scan.nii.gz", 7.0);
    let (_, set) = import(&place, &request(VolumeFormat::Nifti, &place.path("scan.nii.gz")));
    assert_eq!((ids(&set), set.read(0).unwrap().values()[0] as i32), (vec!["scan"], 7));
    let place = Place::new();
    place.series("Doe^Jane", 0);
    let (manifest, set) = import(&place, &request(VolumeFormat::Dicom, &place.path("Doe^Jane")));
    assert_eq!((manifest.image.intensity, manifest.source.layout), (Intensity::Hounsfield, Layout::DicomSeries));
    assert_eq!(ids(&set), ["series-00001"]);
    let image = set.read(0).unwrap();
    assert_eq!(image.geometry().shape(), [3, 4, 5]);
    assert_eq!(image.geometry().spacing_mm(), Some([2.5, 0.5, 0.75]));
    // Slice 2, first pixel: 200 stored, 1024 below that in Hounsfield units.
    assert_eq!(image.values()[40] as i32, 200 - 1024);
}

#[test]
fn series_are_numbered_and_their_folders_names_are_gone() {
    let place = Place::new();
    place.series("set/Doe^Jane/ct 1", 0);
    place.series("set/Doe^Jane/ct 2", 1);
    place.series("set/Roe/ct", 2);
    place.put("groups.csv", b"file,group\nDoe^Jane/ct 1,Jane\nDoe^Jane/ct 2,Jane\nRoe/ct,Roe\n");
    let asked = VolumeImportRequest {
        groups_csv: Some(place.path("groups.csv")),
        copy: true,
        ..request(VolumeFormat::Dicom, &place.path("set"))
    };
    let (manifest, set) = import(&place, &asked);
    assert_eq!(ids(&set), ["series-00001", "series-00002", "series-00003"]);
    let subjects: Vec<&str> = set.records().iter().map(|record| record.subject.as_str()).collect();
    assert_eq!(subjects, ["subject-00002", "subject-00002", "subject-00001"]);
    assert!(!manifest.to_toml().contains("Jane") && !manifest.to_toml().contains("Roe"));
    assert_eq!(manifest.source.files.len(), 10);
}

#[test]
fn series_of_one_patient_id_are_of_one_subject_and_the_id_is_gone() {
    let place = Place::new();
    for (n, (folder, id)) in
        [("a", "SECRET-1"), ("b", "SECRET-2"), ("c", "        "), ("d", "SECRET-1"), ("e", "        ")]
            .into_iter()
            .enumerate()
    {
        place.series(&format!("set/{folder}"), n as u16);
        for file in fs::read_dir(place.path(&format!("set/{folder}"))).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            let at = bytes.windows(8).position(|window| window == b"SECRET-1").unwrap();
            bytes[at..at + 8].copy_from_slice(id.as_bytes());
            fs::write(&path, bytes).unwrap();
        }
    }
    let (manifest, set) = import(&place, &request(VolumeFormat::Dicom, &place.path("set")));
    let subjects: Vec<&str> = set.records().iter().map(|record| record.subject.as_str()).collect();
    let distinct: std::collections::BTreeSet<&str> = subjects.iter().copied().collect();
    assert_eq!(subjects[0], subjects[3]);
    assert_eq!(distinct.len(), 4, "two series that name nobody are two subjects: {subjects:?}");
    assert!(!manifest.to_toml().contains("SECRET"));
    let table = fs::read_to_string(place.root.raw_set("mine").join("groups.csv")).unwrap();
    assert!(!table.contains("SECRET") && table.lines().count() == 6, "{table}");
}

#[test]
fn splits_in_folders_are_kept_and_counted() {
    let place = Place::new();
    for (n, name) in ["train/images/a", "train/images/b", "val/c", "test/d"].into_iter().enumerate() {
        place.volume(&format!("set/{name}.nii.gz"), n as f32);
    }
    let (manifest, set) = import(&place, &request(VolumeFormat::Nifti, &place.path("set")));
    assert_eq!(ids(&set), ["test/d", "train/a", "train/b", "val/c"]);
    assert_eq!(manifest.split, SplitPolicy::Official);
    assert_eq!(manifest.counts.map(|n| (n.train, n.val, n.test)), Some((2, 1, 1)));
    assert_eq!(set.records()[0].split, Some(Split::Test));
    fs::remove_dir_all(place.path("set/val")).unwrap();
    let again = VolumeImportRequest { name: "other".into(), ..request(VolumeFormat::Nifti, &place.path("set")) };
    let text = import_volumes(&place.root, &again).unwrap_err().to_string();
    assert!(text.contains("splits train and test"), "{text}");
}

#[test]
fn headerless_files_become_nifti_with_the_spacing_that_was_said() {
    let place = Place::new();
    let bytes: Vec<u8> = (0..24i16).flat_map(|n| (n - 1000).to_le_bytes()).collect();
    place.put("set/x.raw", &bytes);
    let format =
        VolumeFormat::Raw { shape: [2, 3, 4], element: "int16".parse().unwrap(), spacing_mm: [3.0, 0.5, 0.75] };
    let (_, set) = import(&place, &request(format, &place.path("set")));
    let image = set.read(0).unwrap();
    assert_eq!((image.values(), image.geometry()), (&numbers(-1000.0)[..], &grid()));
}

#[test]
fn padding_is_air_in_a_ct_and_the_least_value_elsewhere() {
    let place = Place::new();
    for index in 0..2u16 {
        let mut slice = dicom_files::slice(index, [0.0, 0.0, f64::from(index)], AXIAL, [1.0, 1.0], (2, 2));
        // Stored 100 · index + 0..4; 1 is no measurement.
        slice.push(dicom_files::word(0x0028, 0x0120, 1));
        place.put(&format!("set/{index}.dcm"), &dicom_files::file(&slice));
    }
    let (_, set) = import(&place, &request(VolumeFormat::Dicom, &place.path("set")));
    assert_eq!(set.read(0).unwrap().values()[..4], [-1024.0, -1000.0, -1022.0, -1021.0]);
    let other = VolumeImportRequest {
        name: "other".into(),
        intensity: Some(Intensity::Arbitrary),
        ..request(VolumeFormat::Dicom, &place.path("set"))
    };
    let manifest = import_volumes(&place.root, &other).unwrap();
    let set = VolumeDataset::open(&place.root, &manifest).unwrap();
    assert_eq!(set.read(0).unwrap().values()[..4], [-1024.0, -1024.0, -1022.0, -1021.0]);
}

#[test]
fn what_cannot_be_a_volume_is_refused_with_its_name() {
    let place = Place::new();
    fs::create_dir_all(place.path("empty")).unwrap();
    assert!(place.refused(&request(VolumeFormat::Nifti, &place.path("empty"))).contains("holds no volume"));
    place.put("text/scan.bin", b"some text");
    let text = place.refused(&request(VolumeFormat::Dicom, &place.path("text")));
    assert!(text.contains("`scan.bin`: expected DICOM, one series a folder"), "{text}");
    place.volume("twice/a.nii", 0.0);
    place.volume("twice/a.nii.gz", 0.0);
    let text = place.refused(&request(VolumeFormat::Nifti, &place.path("twice")));
    assert!(text.contains("another file becomes the same case"), "{text}");
    place.volume("one/a.nii", 0.0);
    let unsaid = VolumeImportRequest { intensity: None, ..request(VolumeFormat::Nifti, &place.path("one")) };
    assert!(place.refused(&unsaid).contains("nobody says"));
    place.put("groups.csv", b"file,group\nb,1\n");
    let lacking = VolumeImportRequest {
        groups_csv: Some(place.path("groups.csv")),
        ..request(VolumeFormat::Nifti, &place.path("one"))
    };
    assert!(place.refused(&lacking).contains("none for `a`"));
    // Two series in one folder.
    place.series("mixed", 0);
    for index in 0..2u16 {
        let other = dicom_files::slice(index, [0.0, 0.0, f64::from(index)], AXIAL, [0.5, 0.75], (6, 5));
        place.put(&format!("mixed/other{index}.dcm"), &dicom_files::file(&other));
    }
    let text = place.refused(&request(VolumeFormat::Dicom, &place.path("mixed")));
    assert!(text.contains("files of one volume"), "{text}");
    // A second series of another meaning than the first.
    place.series("meanings/a", 0);
    for index in 0..2u16 {
        let mut slice = dicom_files::slice(index, [0.0, 0.0, f64::from(index)], AXIAL, [1.0, 1.0], (2, 2));
        slice.push(dicom_files::text(0x0008, 0x0060, b"CS", "MR"));
        place.put(&format!("meanings/b/{index}.dcm"), &dicom_files::file(&slice));
    }
    let text = place.refused(&request(VolumeFormat::Dicom, &place.path("meanings")));
    assert!(text.contains("`series-00002` has intensity Arbitrary, expected Hounsfield"), "{text}");
    let named =
        VolumeImportRequest { name: "chest-phantom".into(), ..request(VolumeFormat::Nifti, &place.path("one")) };
    assert!(place.refused(&named).contains("catalogue"));
}

#[test]
fn a_licence_and_a_text_beside_volumes_are_left_out() {
    let place = Place::new();
    place.series("scans/a", 0);
    place.put("scans/LICENSE", b"terms");
    place.put("scans/a/readme.TXT", b"some text");
    let (manifest, set) = import(&place, &request(VolumeFormat::Dicom, &place.path("scans")));
    // Three slices and the table of subjects.
    assert_eq!((set.records().len(), manifest.source.files.len()), (1, 4));
}

#[test]
fn a_file_that_changed_or_went_is_found_at_opening() {
    let place = Place::new();
    place.volume("set/a.nii.gz", 1.0);
    let copied = VolumeImportRequest { copy: true, ..request(VolumeFormat::Nifti, &place.path("set")) };
    let (manifest, _) = import(&place, &copied);
    let file = place.root.raw_set("mine").join("images/a.nii.gz");
    fs::write(&file, b"other").unwrap();
    assert!(VolumeDataset::open(&place.root, &manifest).unwrap_err().to_string().contains("checksum"));
    fs::remove_file(&file).unwrap();
    assert!(VolumeDataset::open(&place.root, &manifest).unwrap_err().to_string().contains("lacks the file"));
}

#[test]
fn a_manifest_of_volumes_has_no_class_and_no_other_layout() {
    let text = |extra: &str, layout: &str| {
        format!(
            "name = \"x\"\ntitle = \"x\"\ntask = \"enhancement\"\n{extra}\n[image]\nchannels = 1\nsize = \"varies\"\n\
             intensity = \"hounsfield\"\n[license]\nspdx = \"MIT\"\n[citation]\ntext = \"x\"\n[split]\npolicy = \
             \"official\"\n[source]\nlayout = \"{layout}\"\n[[source.file]]\nname = \"images/a.nii\"\nsha256 = \"{}\"\n",
            "0".repeat(64)
        )
    };
    let parse = |extra: &str, layout: &str| Manifest::parse(&text(extra, layout), "dataset.toml");
    let good = parse("", "nifti-volumes").unwrap();
    assert_eq!(Manifest::parse(&good.to_toml(), "dataset.toml").unwrap(), good);
    for (extra, layout, key) in [
        ("classes = [\"a\", \"b\"]", "nifti-volumes", "classes"),
        ("positive = \"a\"", "nifti-volumes", "positive"),
        ("", "image-folder", "source.layout"),
        ("", "medmnist-npz", "source.layout"),
    ] {
        let refused = parse(extra, layout).unwrap_err().to_string();
        assert!(refused.contains(key) && refused.contains("hint: "), "{refused}");
    }
    let classes =
        text("", "nifti-volumes").replace("\"enhancement\"", "\"binary\"\nclasses = [\"a\", \"b\"]\npositive = \"b\"");
    let refused = Manifest::parse(&classes, "dataset.toml").unwrap_err().to_string();
    assert!(refused.contains("`nifti-volumes` for task `binary`"), "{refused}");
}

#[test]
fn radiographs_take_their_masks_from_run_lengths() {
    use kd_data::decode::{MaskedDataset, ReadMasked};
    use kd_data::import::{EmptyMasks, MaskFormat, MaskImportRequest, import_masks};
    let place = Place::new();
    for (n, uid) in ["1.9.1", "1.9.2", "1.9.3", "1.9.4"].into_iter().enumerate() {
        let number = u16::try_from(n).unwrap();
        let mut attributes = dicom_files::slice(number, [0.0; 3], AXIAL, [0.5, 0.75], (3, 2));
        attributes.push(dicom_files::text(0x0008, 0x0018, b"UI", uid));
        attributes.push(dicom_files::text(0x0010, 0x0020, b"LO", if n < 2 { "SECRET-1" } else { "SECRET-2" }));
        place.put(&format!("set/{n}.dcm"), &dicom_files::file(&attributes));
    }
    // The third by its file's name, the fourth not at all.
    place.put("runs.csv", b"ImageId, EncodedPixels\n1.9.1, 1 2 1 1\n1.9.2, -1\n2, 0 1\n");
    let mut request = MaskImportRequest {
        name: "mine".into(),
        format: MaskFormat::Dicom,
        path: place.path("set"),
        groups_csv: None,
        subgroups_csv: None,
        run_lengths: Some(place.path("runs.csv")),
        held_out: Vec::new(),
        copy: false,
        classes: Some(vec!["background".into(), "air".into()]),
        values: None,
        intensity: None,
        empty_masks: EmptyMasks::Keep,
        like: None,
        license: "LicenseRef-own".into(),
        citation: None,
        split: None,
    };
    let manifest = import_masks(&place.root, &request).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(
        (manifest.source.layout, manifest.image.intensity),
        (Layout::ImageMasks, Intensity::Stored { bits: 16 })
    );
    assert!(manifest.notes.iter().any(|note| note.starts_with("1 images that the table")), "{:?}", manifest.notes);
    assert!(!manifest.to_toml().contains("SECRET"), "{}", manifest.to_toml());
    let set = MaskedDataset::<2>::open(&place.root, &manifest).unwrap();
    let labels = |n: usize| set.read(n).unwrap().labels.labels().to_vec();
    assert_eq!([labels(0), labels(1), labels(2)], [[0, 0, 1, 1, 1, 0], [0; 6], [1, 0, 0, 0, 0, 0]]);
    assert_eq!(set.read(1).unwrap().image.values(), [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]);
    let subjects: Vec<&str> = set.records().iter().map(|record| record.subject.as_str()).collect();
    assert!(subjects[0] == subjects[1] && subjects[1] != subjects[2], "{subjects:?}");

    place.put("runs.csv", b"ImageId,EncodedPixels\n1.9.1,1 2\n1.9.9,0 1\n");
    request.name = "other".into();
    let text = import_masks(&place.root, &request).unwrap_err().to_string();
    assert!(text.contains("1 images of the table") && !text.contains("1.9.9"), "{text}");
}
