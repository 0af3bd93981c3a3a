//! Phantoms go out as DICOM and NIfTI and come in again: the same voxels, labels, splits and grids.

#![cfg(feature = "formats")]

use std::path::Path;

use kd_data::decode::{MaskRecord, MaskedDataset, ReadMasked, VolumeDataset};
use kd_data::export::{ExportFormat, export_volumes};
use kd_data::import::{
    EmptyMasks, MaskFormat, MaskImportRequest, VolumeFormat, VolumeImportRequest, generate_dataset, import_masks,
    import_volumes,
};
use kd_data::{Manifest, Root, catalog};
use kd_image::{Image, Intensity};

fn manifest(kind: &str, task: &str, [head, generator]: [&str; 2]) -> Manifest {
    let text = format!(
        "name = 'small'\ntitle = 'small'\ntask = '{task}'\nnotes = ['generated']\n{head}\n[image]\nchannels = 1\n\
         size = [32, 32]\nintensity = 'hounsfield'\n[license]\nspdx = 'MIT'\n[citation]\ntext = 'none'\n[split]\n\
         policy = 'official'\n[generator]\nkind = '{kind}'\nsize = 32\nslices = 5\nspacing_mm = 10.4\nslice_mm = 7.0\n\
         n_subjects = 6\nsplit = [0.5, 0.2, 0.3]\ndifficulty = 0.0\nseed = 4\n{generator}\n[source]\n\
         layout = 'generator'\n"
    );
    Manifest::parse(&text, "the test").unwrap()
}

const CLASSES: [&str; 5] = ["background", "lung", "heart", "bone", "lesion"];

fn organs() -> Manifest {
    let mask = "classes = ['background', 'lung', 'heart', 'bone', 'lesion']\n[mask]\nvalues = [0, 1, 2, 3, 4]";
    manifest("thorax-organs", "segmentation", [mask, "noise_hu = 5.0"])
}

fn clean() -> Manifest {
    manifest("ct", "enhancement", ["", "region = 'thorax'"])
}

fn exported(manifest: &Manifest, format: ExportFormat, folder: &Path) -> Root {
    let root = Root::new(folder.join("artifacts"));
    generate_dataset(&root, manifest).unwrap();
    let made = ["20261129".to_owned(), "120000".to_owned()];
    let volumes = export_volumes(&root, manifest, format, &folder.join("out"), &made).unwrap();
    assert_eq!(volumes, 6);
    let again = export_volumes(&root, manifest, format, &folder.join("out"), &made).unwrap_err();
    assert!(again.to_string().contains("out"), "{again}");
    root
}

#[track_caller]
fn same_image(ours: &Image<3>, theirs: &Image<3>, step: f32) {
    assert!(ours.geometry().same_grid(theirs.geometry(), 1e-3), "{} {}", ours.geometry(), theirs.geometry());
    assert_eq!(ours.intensity(), theirs.intensity());
    let off = ours.values().iter().zip(theirs.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off <= step, "{off}");
}

fn splits(records: &[MaskRecord]) -> Vec<Option<kd_image::Split>> {
    records.iter().map(|record| record.split).collect()
}

#[test]
fn volumes_with_masks_come_back_from_dicom_and_from_nifti() {
    for (format, import, step) in [
        // 16 bits over some 2,500 HU: half of a step.
        (ExportFormat::Dicom, MaskFormat::Dicom, 0.02),
        (ExportFormat::Nifti, MaskFormat::Nifti, 0.0),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let root = exported(&organs(), format, folder.path());
        let request = MaskImportRequest {
            name: "back".into(),
            format: import,
            path: folder.path().join("out"),
            groups_csv: None,
            subgroups_csv: None,
            run_lengths: None,
            held_out: Vec::new(),
            copy: true,
            classes: Some(CLASSES.map(str::to_owned).to_vec()),
            values: None,
            intensity: Some(Intensity::Hounsfield),
            empty_masks: EmptyMasks::Refuse,
            like: None,
            license: "LicenseRef-generated".into(),
            citation: None,
            split: None,
        };
        let back = import_masks(&root, &request).unwrap_or_else(|refused| panic!("{format:?}: {refused}"));
        let (ours, theirs) =
            (MaskedDataset::<3>::open(&root, &organs()).unwrap(), MaskedDataset::<3>::open(&root, &back).unwrap());
        assert_eq!(splits(ours.records()), splits(theirs.records()));
        for n in 0..6 {
            let (ours, theirs) = (ours.read(n).unwrap(), theirs.read(n).unwrap());
            assert_eq!(ours.labels.labels(), theirs.labels.labels(), "{format:?} {n}");
            same_image(&ours.image, &theirs.image, step);
        }
    }
}

#[test]
fn volumes_to_restore_come_back_from_dicom_and_from_nifti() {
    for (format, import, step) in
        [(ExportFormat::Dicom, VolumeFormat::Dicom, 0.02), (ExportFormat::Nifti, VolumeFormat::Nifti, 0.0)]
    {
        let folder = tempfile::tempdir().unwrap();
        let root = exported(&clean(), format, folder.path());
        let request = VolumeImportRequest {
            name: "back".into(),
            format: import,
            path: folder.path().join("out"),
            inputs: None,
            groups_csv: None,
            copy: true,
            intensity: Some(Intensity::Hounsfield),
            like: None,
            license: "LicenseRef-generated".into(),
            citation: None,
            split: None,
        };
        let back = import_volumes(&root, &request).unwrap_or_else(|refused| panic!("{format:?}: {refused}"));
        let (ours, theirs) =
            (VolumeDataset::open(&root, &clean()).unwrap(), VolumeDataset::open(&root, &back).unwrap());
        assert_eq!(splits(ours.records()), splits(theirs.records()));
        for n in 0..6 {
            same_image(&ours.read(n).unwrap(), &theirs.read(n).unwrap(), step);
        }
    }
}

#[test]
fn pictures_are_not_exported() {
    let folder = tempfile::tempdir().unwrap();
    let made = ["20261129".to_owned(), "120000".to_owned()];
    let chest = catalog::find("chest-phantom").unwrap();
    let root = Root::new(folder.path());
    let refused = export_volumes(&root, chest, ExportFormat::Dicom, &folder.path().join("out"), &made).unwrap_err();
    assert!(refused.to_string().contains("expected volumes"), "{refused}");
    assert!(!folder.path().join("out").exists());
}
