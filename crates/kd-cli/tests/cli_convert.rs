//! `kd convert` and `kd inspect` on volumes, with the built program.

mod program;

use kd_data::format::{Nifti, NiftiType, NotFinite, write_nifti_image};
use kd_image::{Affine, Geometry, Image, Intensity};
use program::{ct_series, kd, text};

fn volume(values: Vec<f32>) -> Image<3> {
    let matrix = [[0.0, 0.0, 2.0, 5.0], [0.0, -1.5, 0.0, 7.0], [1.0, 0.0, 0.0, -3.0], [0.0, 0.0, 0.0, 1.0]];
    let grid = Geometry::<3>::placed([2, 3, 4], Affine { matrix }).unwrap();
    Image::new(1, grid, Intensity::Arbitrary, values).unwrap()
}

#[test]
fn a_volume_keeps_values_and_grid_and_takes_the_smallest_exact_type() {
    let folder = tempfile::tempdir().unwrap();
    let whole = volume((0..24).map(|n| n as f32 - 5.0).collect());
    write_nifti_image(&folder.path().join("a.nii"), &whole, NiftiType::F32).unwrap();
    let told = kd(folder.path(), &["convert", "a.nii", "b.nii.gz", "--json"]).exits(0).json();
    assert_eq!((&told["dtype"], &told["shape"]), (&"int16".into(), &serde_json::json!([2, 3, 4])));
    let back = Nifti::open(&folder.path().join("b.nii.gz")).unwrap();
    assert_eq!(back.header().datatype, NiftiType::I16);
    assert_eq!(back.image(Intensity::Arbitrary, NotFinite::Refuse).unwrap(), whole);
    let told = kd(folder.path(), &["inspect", "b.nii.gz", "--json"]).exits(0).json();
    assert_eq!(told["contents"]["dtype"], "int16", "{told}");
    assert_eq!(told["contents"]["range"]["low"], -5.0);
    assert_eq!(told["contents"]["shape"], serde_json::json!([2, 3, 4]));
    let parts = volume((0..24).map(|n| n as f32 + 0.5).collect());
    write_nifti_image(&folder.path().join("c.nii"), &parts, NiftiType::F32).unwrap();
    let told = kd(folder.path(), &["convert", "c.nii", "c.npy", "--json"]).exits(0).json();
    assert_eq!(told["dtype"], "float32");
    let array = kd_data::format::read_npy(&folder.path().join("c.npy")).unwrap();
    assert_eq!((array.shape(), array.floats().unwrap().values[23]), (&[2, 3, 4][..], 23.5));
}

#[test]
fn values_are_written_as_stored_as_measured_and_as_shown() {
    let folder = tempfile::tempdir().unwrap();
    let whole = volume((0..24).map(|n| n as f32 * 10.0).collect());
    write_nifti_image(&folder.path().join("a.nii"), &whole, NiftiType::F32).unwrap();
    ct_series(&folder.path().join("a.nii"), &folder.path().join("series"));
    let slice = std::fs::read_dir(folder.path().join("series")).unwrap().next().unwrap().unwrap().path();
    let array = |values: &str| {
        let name = format!("{values}.npy");
        kd(folder.path(), &["convert", text(&slice), &name, "--as", values]).exits(0);
        kd_data::format::read_npy(&folder.path().join(&name)).unwrap()
    };
    let (raw, modality, display) = (array("raw"), array("modality"), array("display"));
    assert_eq!((raw.dtype(), modality.dtype(), display.dtype()), ("<i2", "<f4", "|u1"));
    assert_eq!(raw.shape(), [1, 3, 4]);
    // What was measured is whole tens; what is shown goes up with it.
    let (modality, display) = (modality.floats().unwrap().values, display.floats().unwrap().values);
    assert!(modality.iter().all(|value| (value / 10.0).fract() == 0.0), "{modality:?}");
    let rises = |values: &[f64]| values.windows(2).map(|pair| pair[1] >= pair[0]).collect::<Vec<_>>();
    assert_eq!(rises(&modality), rises(&display));
    kd(folder.path(), &["convert", text(&slice), "a.png", "--as", "display"]).exits(0);
    assert_eq!(&std::fs::read(folder.path().join("a.png")).unwrap()[1..4], b"PNG");
    kd(folder.path(), &["convert", text(&slice), "b.png", "--as", "raw"]).exits(2).says(&["b.png", "expected .npy"]);
    kd(folder.path(), &["convert", "a.nii", "b.npy", "--as", "display"])
        .exits(1)
        .says(&["does not say how it is shown"]);
    kd(folder.path(), &["convert", "series", "b.npy", "--as", "raw"]).exits(1).says(&["is a folder", "file by file"]);
}

#[test]
fn what_cannot_be_converted_is_refused_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let whole = volume(vec![1.0; 24]);
    write_nifti_image(&folder.path().join("a.nii"), &whole, NiftiType::F32).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "nothing").unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    kd(folder.path(), &["convert", "a.nii", "a.jpg"]).exits(2).says(&["a.jpg", ".nii, .nii.gz or .npy"]);
    kd(folder.path(), &["convert", "a.nii", "a.nii"]).exits(1).says(&["there already"]);
    kd(folder.path(), &["convert", "notes.txt", "b.nii"]).exits(1).says(&["notes.txt", "expected NIfTI, DICOM"]);
    kd(folder.path(), &["convert", "empty", "b.nii"]).exits(1).says(&["no DICOM file"]);
    kd(folder.path(), &["convert", "none", "b.nii"]).exits(1);
    assert!(!folder.path().join("b.nii").exists());
}
