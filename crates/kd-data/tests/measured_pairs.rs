//! What a scanner measured beside what it should have: paired by patient and place, prepared as it is.

#![cfg(feature = "formats")]

mod place;

use kd_data::Manifest;
use kd_data::decode::VolumeDataset;
use kd_data::degrade::Degradation;
use kd_data::format::{DicomModality, Nifti, NiftiType, NotFinite, SeriesFacts, write_dicom_series, write_nifti_image};
use kd_data::import::{VolumeFormat, VolumeImportRequest, import_volumes};
use kd_data::leak::LeakPolicy;
use kd_data::manifest::{Layout, SplitPolicy, SplitShares};
use kd_data::prepare::{DenseIntensity, DenseRequest, PairRequest, VolumeSet, prepare_pairs};
use kd_data::store::{DenseSource, Element};
use kd_data::verify::verify;
use kd_image::{Affine, Geometry, Image, Intensity, SampleSource, Split};
use place::Place;

const SHAPE: [usize; 3] = [2, 4, 4];

/// Values that count up from `first`, on a grid that begins at `z`.
fn volume(first: f32, z: f64) -> Image<3> {
    let matrix = [[-0.5, 0.0, 0.0, 9.0], [0.0, -0.5, 0.0, 8.0], [0.0, 0.0, 3.0, z], [0.0, 0.0, 0.0, 1.0]];
    let grid = Geometry::placed(SHAPE, Affine { matrix }).unwrap();
    Image::new(1, grid, Intensity::Hounsfield, (0..32u8).map(|n| first + f32::from(n)).collect()).unwrap()
}

impl Place {
    fn nifti(&self, name: &str, image: &Image<3>) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        write_nifti_image(&self.path(name), image, NiftiType::I16).unwrap();
    }

    fn series(&self, name: &str, patient: &str, image: &Image<3>) {
        let facts = SeriesFacts {
            modality: DicomModality::Ct,
            study: None,
            series: None,
            frame_of_reference: None,
            patient_id: patient.into(),
            description: name.into(),
        };
        write_dicom_series(&self.path(name), image, &facts).unwrap();
    }

    fn request(&self, format: VolumeFormat) -> VolumeImportRequest {
        VolumeImportRequest {
            name: "mine".into(),
            format,
            path: self.path("clean"),
            inputs: Some(self.path("measured")),
            groups_csv: None,
            copy: false,
            intensity: (format == VolumeFormat::Nifti).then_some(Intensity::Hounsfield),
            like: None,
            license: "LicenseRef-own".into(),
            citation: None,
            split: Some(SplitPolicy::BySubject { seed: 0, shares: SplitShares::new(0.5, 0.25, 0.25).unwrap() }),
        }
    }

    #[track_caller]
    fn import(&self, format: VolumeFormat) -> (Manifest, VolumeDataset) {
        let manifest = import_volumes(&self.root, &self.request(format)).unwrap_or_else(|refused| panic!("{refused}"));
        let report = verify(&self.root, &manifest);
        assert!(report.ok, "{:?}", report.problems);
        let set = VolumeDataset::open(&self.root, &manifest).unwrap();
        assert!(set.has_inputs());
        (manifest, set)
    }

    #[track_caller]
    fn refused(&self, expected: &[&str]) {
        let text = import_volumes(&self.root, &self.request(VolumeFormat::Nifti)).unwrap_err().to_string();
        assert!(expected.iter().all(|part| text.contains(part)) && text.contains("hint: "), "{text}");
        let left: Vec<_> = std::fs::read_dir(self.root.raw()).map(|d| d.flatten().collect()).unwrap_or_default();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// First values of a clean volume and of what was measured of it.
fn firsts(set: &VolumeDataset, index: usize) -> [f32; 2] {
    let (clean, input) = set.read_pair(index).unwrap();
    [clean.values()[0], input.unwrap().values()[0]]
}

#[test]
fn places_decide_and_not_the_names_of_files() {
    let place = Place::new();
    for (name, first, z) in [("a", 100.0, 0.0), ("b", 200.0, 50.0)] {
        place.nifti(&format!("clean/{name}.nii.gz"), &volume(first, z));
    }
    // Called the other way round.
    place.nifti("measured/b.nii.gz", &volume(101.0, 0.0));
    place.nifti("measured/a.nii.gz", &volume(202.0, 50.0));
    let (manifest, set) = place.import(VolumeFormat::Nifti);
    assert_eq!(manifest.source.layout, Layout::NiftiVolumes);
    assert!(manifest.notes.iter().any(|note| note.starts_with("pairs:")), "{:?}", manifest.notes);
    assert_eq!((firsts(&set, 0), firsts(&set, 1)), ([100.0, 101.0], [200.0, 202.0]));
}

#[test]
fn patients_tell_series_of_one_place_apart_and_names_those_of_nobody() {
    let place = Place::new();
    for (patient, first) in [("Doe", 100.0), ("Roe", 200.0)] {
        place.series(&format!("clean/{patient}"), patient, &volume(first, 0.0));
    }
    place.series("measured/1", "Roe", &volume(202.0, 0.0));
    place.series("measured/2", "Doe", &volume(101.0, 0.0));
    let (manifest, set) = place.import(VolumeFormat::Dicom);
    assert_eq!(manifest.source.layout, Layout::NiftiVolumes);
    assert!(!manifest.to_toml().contains("Doe"), "{}", manifest.to_toml());
    assert_eq!((firsts(&set, 0), firsts(&set, 1)), ([100.0, 101.0], [200.0, 202.0]));
    assert_ne!(set.records()[0].subject, set.records()[1].subject);

    let place = Place::new();
    for (name, first) in [("a", 100.0), ("b", 200.0)] {
        place.nifti(&format!("clean/{name}.nii.gz"), &volume(first, 0.0));
        place.nifti(&format!("measured/{name}.nii"), &volume(first + 1.0, 0.0));
    }
    let (_, set) = place.import(VolumeFormat::Nifti);
    assert_eq!((firsts(&set, 0), firsts(&set, 1)), ([100.0, 101.0], [200.0, 201.0]));
}

#[test]
fn what_has_no_partner_is_refused_by_name() {
    let place = Place::new();
    place.nifti("clean/a.nii.gz", &volume(1.0, 0.0));
    place.nifti("clean/b.nii.gz", &volume(2.0, 0.0));
    place.nifti("measured/x.nii.gz", &volume(3.0, 0.0));
    place.nifti("measured/y.nii.gz", &volume(4.0, 0.0));
    place.refused(&["`a`", "`x`, `y`"]);
    std::fs::remove_file(place.path("measured/y.nii.gz")).unwrap();
    place.refused(&["`b`", "found none"]);
    std::fs::remove_file(place.path("clean/b.nii.gz")).unwrap();
    place.nifti("measured/far.nii.gz", &volume(5.0, 0.5));
    place.refused(&["`far`", "a clean volume"]);
    std::fs::remove_file(place.path("measured/x.nii.gz")).unwrap();
    place.refused(&["`a`", "on its grid"]);
}

#[test]
fn prepared_inputs_are_what_was_measured_in_every_view() {
    let place = Place::new();
    for n in 0..4u8 {
        let (first, z) = (100.0 * f32::from(n), 40.0 * f64::from(n));
        place.nifti(&format!("clean/{n}.nii.gz"), &volume(first, z));
        place.nifti(&format!("measured/{n}.nii.gz"), &volume(first + 7.0, z));
    }
    let (manifest, _) = place.import(VolumeFormat::Nifti);
    let set = VolumeSet::open(&place.root, &manifest, LeakPolicy::Stop, None).unwrap();
    let clean = DenseRequest {
        size: vec![4, 4],
        spacing_mm: None,
        intensity: DenseIntensity::Linear { offset: 0.0, scale: 1.0 },
        element: Element::F32,
        objects: None,
    };
    let request = PairRequest { clean, degradation: Degradation::Measured, seed: 0, n_views: 2 };
    let hash = manifest.content_hash();
    let mut store = prepare_pairs(&set, &request, 1, &hash, &place.root.prepared()).unwrap();
    store.load().unwrap();
    let store = std::sync::Arc::new(store);
    for split in Split::ALL {
        let source = DenseSource::<2, Image<2>>::of_split(std::sync::Arc::clone(&store), split);
        assert!(source.len() >= 2, "{split}");
        for index in 0..source.len() {
            for view in 0..if split == Split::Train { 2 } else { 1 } {
                let pair = source.read_view(index, view).unwrap();
                let off: Vec<f32> = pair.image.values().iter().zip(pair.target.values()).map(|(a, b)| a - b).collect();
                assert!(off.iter().all(|off| (off - 7.0).abs() < 1e-3), "{off:?}");
            }
        }
    }
    // A set without inputs has nothing to give.
    let mut alone = place.request(VolumeFormat::Nifti);
    (alone.name, alone.inputs) = ("alone".into(), None);
    let alone = import_volumes(&place.root, &alone).unwrap();
    let set = VolumeSet::open(&place.root, &alone, LeakPolicy::Stop, None).unwrap();
    let refused = prepare_pairs(&set, &request, 1, &hash, &place.root.prepared()).unwrap_err().to_string();
    assert!(refused.contains("--inputs") && refused.contains("clean volumes alone"), "{refused}");
}

#[test]
fn an_input_that_was_moved_afterwards_is_found() {
    let place = Place::new();
    place.nifti("clean/a.nii.gz", &volume(1.0, 0.0));
    place.nifti("measured/a.nii.gz", &volume(2.0, 0.0));
    let mut request = place.request(VolumeFormat::Nifti);
    request.copy = true;
    let manifest = import_volumes(&place.root, &request).unwrap();
    let path = place.root.raw_set("mine").join("inputs/a.nii.gz");
    let moved = volume(2.0, 1.0);
    std::fs::remove_file(&path).unwrap();
    write_nifti_image(&path, &moved, NiftiType::I16).unwrap();
    assert!(Nifti::open(&path).unwrap().image(Intensity::Hounsfield, NotFinite::Refuse).is_ok());
    let report = verify(&place.root, &manifest);
    assert!(!report.ok && report.problems[0].contains("inputs/a.nii.gz"), "{:?}", report.problems);
}
