//! NIfTI against nibabel: every type, both versions, both byte orders, pairs, gzip, slopes, forms, units and axes.

#![cfg(feature = "formats")]

mod nifti_files;

use std::path::{Path, PathBuf};

use kd_data::format::{
    FileFormat, Nifti, NiftiType, NiftiVersion, NotFinite, NpyArray, NpyValue, PlacementSource, read_raster, sniff,
    write_nifti, write_nifti_image, write_nifti_labels,
};
use kd_image::{Affine, Geometry, Image, Intensity, LabelMap};
use proptest::prelude::*;
use serde_json::Value;

/// Writes the files of a case; gives the path of each.
fn write_files(case: &Value, folder: &Path) -> Vec<PathBuf> {
    let write = |(name, text): (&String, &Value)| {
        let path = folder.join(name);
        std::fs::write(&path, nifti_files::bytes(text.as_str().unwrap())).unwrap();
        path
    };
    case["files"].as_object().unwrap().iter().map(write).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn matrix(value: &Value) -> [[f64; 4]; 4] {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    std::array::from_fn(|row| std::array::from_fn(|column| rows[row][column]))
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * b.abs().max(1.0)
}

/// Stored numbers as text: exact for integers, and floats print every digit that tells them apart.
fn stored_text(value: &NpyValue) -> Vec<String> {
    macro_rules! text {
        ($array:expr) => {
            $array.values.iter().map(ToString::to_string).collect()
        };
    }
    match value {
        NpyValue::U8(a) => text!(a),
        NpyValue::I8(a) => text!(a),
        NpyValue::U16(a) => text!(a),
        NpyValue::I16(a) => text!(a),
        NpyValue::U32(a) => text!(a),
        NpyValue::I32(a) => text!(a),
        NpyValue::U64(a) => text!(a),
        NpyValue::I64(a) => text!(a),
        NpyValue::F32(a) => a.values.iter().map(|v| f64::from(*v).to_string()).collect(),
        NpyValue::F64(a) => text!(a),
        NpyValue::Text(_) => Vec::new(),
    }
}

#[test]
fn every_file_reads_as_nibabel_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let document = nifti_files::document();
    let cases = document["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 69);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        // Either half of a pair leads to the other.
        for path in write_files(case, folder.path()) {
            let file = Nifti::open(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            check_header(name, &file, case);
            check_voxels(name, &file, case);
        }
    }
}

fn check_header(name: &str, file: &Nifti, case: &Value) {
    let header = file.header();
    assert_eq!(serde_json::json!(header.dims), case["dims"], "{name}");
    assert_eq!(i64::from(header.datatype.code()), case["datatype"].as_i64().unwrap(), "{name}");
    assert_eq!(header.version == NiftiVersion::Two, case["version"] == 2, "{name}");
    assert_eq!(Some(header.big_endian), case["big_endian"].as_bool(), "{name}");
    assert_eq!(header.time_step_s, case.get("time_step_s").and_then(Value::as_f64), "{name}");
    let placement = match header.placement {
        PlacementSource::Sform => "sform",
        PlacementSource::Qform => "qform",
        PlacementSource::SpacingOnly => "spacing",
    };
    assert_eq!(placement, case["placement"], "{name}");
    match header.geometry.affine() {
        None => {
            assert!(case["affine"].is_null(), "{name}");
            let mut spacing = numbers(&case["spacing"]);
            spacing.reverse();
            assert_eq!(header.geometry.spacing_mm().unwrap()[..], spacing, "{name}");
        }
        Some(affine) => {
            for (row, expected) in affine.matrix.iter().zip(matrix(&case["affine"])) {
                for (found, expected) in row.iter().zip(expected) {
                    // nibabel takes 32-bit floats of a qform to 64 bits at the same place; the rest is rounding.
                    assert!(close(*found, expected, 1e-12), "{name}: {found} {expected}");
                }
            }
        }
    }
    let expected: Vec<&str> = case.get("warning").and_then(Value::as_str).into_iter().collect();
    let behind = match file.bytes_behind().unwrap() {
        0 => None,
        behind => Some(format!("{behind} bytes behind the voxels are ignored")),
    };
    let warnings: Vec<&String> = header.warnings.iter().chain(&behind).collect();
    assert_eq!(warnings.len(), expected.len(), "{name}: {warnings:?}");
    for (warning, expected) in warnings.iter().zip(expected) {
        assert!(warning.contains(expected), "{name}: {warning}");
    }
}

fn check_voxels(name: &str, file: &Nifti, case: &Value) {
    let stored = stored_text(&file.stored().unwrap());
    let expected = case["stored"].as_array().unwrap();
    assert_eq!(stored.len(), expected.len(), "{name}");
    for (found, expected) in stored.iter().zip(expected) {
        match expected.as_f64() {
            // The JSON reader may miss the last place of a number of 17 digits.
            Some(expected) if case["datatype"] == 16 || case["datatype"] == 64 => {
                assert!(close(found.parse().unwrap(), expected, 4e-16), "{name}: {found} {expected}");
            }
            _ => assert_eq!(*found, expected.to_string(), "{name}"),
        }
    }
    let meant = file.meant(NotFinite::Refuse).unwrap();
    for (found, expected) in meant.values.iter().zip(numbers(&case["meant"])) {
        // One rounding from 64 to 32 bits.
        assert!(close(f64::from(*found), expected, 6e-8), "{name}: {found} {expected}");
    }
    let is_colour = file.header().datatype.colours().is_some();
    let image = file.image(Intensity::Arbitrary, NotFinite::Refuse);
    if file.header().n_volumes() > 1 {
        let text = image.unwrap_err().to_string();
        assert!(text.contains("expected one volume") && text.contains("\nhint: "), "{name}: {text}");
        let channels = file.channels(Intensity::Arbitrary, NotFinite::Refuse).unwrap();
        assert_eq!((channels.values(), channels.channels()), (&meant.values[..], file.header().n_volumes()), "{name}");
        assert!(file.labels(9).is_err());
    } else if case.get("see_through").is_some() {
        assert!(image.unwrap_err().to_string().contains("opacity 254"), "{name}");
    } else if is_colour {
        let image = image.unwrap();
        let stored = *meant.shape.last().unwrap();
        for channel in 0..3 {
            let expected: Vec<f32> = meant.values.iter().skip(channel).step_by(stored).copied().collect();
            assert_eq!(image.channel(channel), expected, "{name}");
        }
        assert!(file.labels(256).unwrap_err().to_string().contains("one number a voxel"), "{name}");
        assert!(file.channels(Intensity::Arbitrary, NotFinite::Refuse).is_err(), "{name}");
    } else {
        let image = image.unwrap();
        assert_eq!((image.values(), image.channels()), (&meant.values[..], 1), "{name}");
        assert_eq!(image.geometry(), &file.header().geometry, "{name}");
    }
    if case.get("labels").is_some() {
        let labels = file.labels(4).unwrap();
        let expected: Vec<f64> = numbers(&case["meant"]).iter().map(|v| v.round()).collect();
        assert_eq!(labels.labels().iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), expected, "{name}");
        assert!(file.labels(3).unwrap_err().to_string().contains("labels of 3 classes"), "{name}");
    }
}

#[test]
fn files_that_lie_or_cannot_be_read_are_refused_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let document = nifti_files::document();
    let cases = document["refused"].as_array().unwrap();
    assert_eq!(cases.len(), 23);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, nifti_files::bytes(case["file"].as_str().unwrap())).unwrap();
        let text = Nifti::open(&path).and_then(|file| file.stored()).unwrap_err().to_string();
        let contains = case["contains"].as_str().unwrap();
        assert!(text.contains(contains) && text.contains(name) && text.contains("expected"), "{name}: {text}");
    }
}

#[test]
fn a_volume_is_told_from_other_files_packed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let document = nifti_files::document();
    for case in document["cases"].as_array().unwrap() {
        for path in write_files(case, folder.path()) {
            let is_voxels_alone = path.to_string_lossy().contains(".img");
            assert_eq!(sniff(&path).unwrap() == FileFormat::Nifti, !is_voxels_alone, "{}", path.display());
        }
    }
    assert!(FileFormat::Nifti.has_reader());
    let text = read_raster(&folder.path().join("packed.nii.gz")).unwrap_err().to_string();
    assert!(text.contains("found NIfTI\nhint: "), "{text}");
}

#[test]
fn half_a_pair_names_the_missing_one() {
    let folder = tempfile::tempdir().unwrap();
    let document = nifti_files::document();
    let case = document["cases"].as_array().unwrap().iter().find(|case| case["name"] == "pair-first").unwrap();
    write_files(case, folder.path());
    std::fs::rename(folder.path().join("pair-first.img"), folder.path().join("other.img")).unwrap();
    let text = Nifti::open(&folder.path().join("pair-first.hdr")).unwrap_err().to_string();
    assert!(text.contains("pair-first.img") && text.contains("\nhint: "), "{text}");
    let text = Nifti::open(&folder.path().join("other.img")).unwrap_err().to_string();
    assert!(text.contains("other.hdr"), "{text}");
}

fn grid(matrix: [[f64; 4]; 4]) -> Geometry<3> {
    Geometry::<3>::placed([2, 3, 4], Affine { matrix }).unwrap()
}

#[test]
fn a_qform_is_written_as_nibabel_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    for case in nifti_files::document()["quaternions"].as_array().unwrap() {
        let grid = grid(matrix(&case["affine"]));
        write_nifti_labels(&path, &LabelMap::new(grid, vec![0; 24], 2).unwrap()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let float = |at: usize| f64::from(f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
        let mut fields = vec![(76, case["qfac"].as_f64().unwrap())];
        fields.extend(numbers(&case["pixdim"]).into_iter().enumerate().map(|(n, v)| (80 + 4 * n, v)));
        fields.extend(numbers(&case["quatern"]).into_iter().enumerate().map(|(n, v)| (256 + 4 * n, v)));
        fields.extend(numbers(&case["qoffset"]).into_iter().enumerate().map(|(n, v)| (268 + 4 * n, v)));
        for (at, expected) in fields {
            // nibabel finds the quaternion from eigenvectors; both round to 32 bits.
            assert!(close(float(at), expected, 2e-7), "byte {at}: {} {expected} of {case}", float(at));
        }
        assert_eq!(bytes[252..256], [1, 0, 1, 0], "both forms have code 1");
        assert!(Nifti::open(&path).unwrap().header().warnings.is_empty());
    }
}

#[test]
fn a_sheared_grid_is_written_as_sform_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    let grid = grid(matrix(&nifti_files::document()["sheared"]));
    write_nifti_labels(&path, &LabelMap::new(grid.clone(), vec![1; 24], 2).unwrap()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap()[252..256], [0, 0, 1, 0]);
    assert!(Nifti::open(&path).unwrap().header().geometry.same_grid(&grid, 1e-5));
}

#[test]
fn a_written_header_names_nobody_and_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let grid = Geometry::<3>::with_spacing([2, 3, 4], [3.0, 0.5, 0.75]).unwrap();
    let image = Image::new(1, grid, Intensity::Arbitrary, (0..24u8).map(f32::from).collect()).unwrap();
    let (plain, packed) = (folder.path().join("plain.nii"), folder.path().join("packed.nii.gz"));
    write_nifti_image(&plain, &image, NiftiType::U8).unwrap();
    write_nifti_image(&packed, &image, NiftiType::U8).unwrap();
    let bytes = std::fs::read(&plain).unwrap();
    // descrip and aux_file; intent_name; data_type, db_name and session_error.
    for texts in [148..252, 328..344, 4..38] {
        assert!(bytes[texts].iter().all(|&byte| byte == 0));
    }
    assert_eq!(bytes.len(), 352 + 24);
    let first = std::fs::read(&packed).unwrap();
    // The time in the gzip header.
    assert_eq!(first[4..8], [0; 4]);
    write_nifti_image(&packed, &image, NiftiType::U8).unwrap();
    assert_eq!(std::fs::read(&packed).unwrap(), first);
    assert_eq!(Nifti::open(&packed).unwrap().image(Intensity::Arbitrary, NotFinite::Refuse).unwrap(), image);
    let header = Nifti::open(&plain).unwrap().header().clone();
    assert_eq!(
        (header.geometry.spacing_mm(), header.placement),
        (Some([3.0, 0.5, 0.75]), PlacementSource::SpacingOnly)
    );
}

#[test]
fn every_number_type_is_written_exactly_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii.gz");
    let grid = || Geometry::<3>::with_spacing([1, 1, 3], [1.0; 3]).unwrap();
    let image = |values: [f32; 3]| Image::new(1, grid(), Intensity::Arbitrary, values.to_vec()).unwrap();
    use NiftiType::{F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    for (kind, good, bad) in [
        (U8, [0.0, 7.0, 255.0], 256.0),
        (I8, [-128.0, 7.0, 127.0], 128.0),
        (U16, [0.0, 7.0, 65_535.0], -1.0),
        (I16, [-32_768.0, 7.0, 32_767.0], 0.5),
        (U32, [0.0, 7.0, 16_777_216.0], 4_294_967_296.0),
        (I32, [-16_777_216.0, 7.0, 16_777_216.0], 2_147_483_648.0),
        (U64, [0.0, 7.0, 9_223_372_036_854_775_808.0], 18_446_744_073_709_551_616.0),
        (I64, [-9_223_372_036_854_775_808.0, 7.0, 1.0], 9_223_372_036_854_775_808.0),
    ] {
        write_nifti_image(&path, &image(good), kind).unwrap();
        let file = Nifti::open(&path).unwrap();
        assert_eq!(file.header().datatype, kind);
        assert_eq!(file.meant(NotFinite::Refuse).unwrap().values, good, "{kind:?}");
        let text = write_nifti_image(&path, &image([1.0, bad, 1.0]), kind).unwrap_err().to_string();
        assert!(text.contains("at position 1"), "{text}");
    }
    for kind in [F32, F64] {
        write_nifti_image(&path, &image([0.1, -1e30, 7.0]), kind).unwrap();
        assert_eq!(Nifti::open(&path).unwrap().meant(NotFinite::Refuse).unwrap().values, [0.1, -1e30, 7.0]);
    }
}

#[test]
fn colours_come_back_in_their_planes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    let grid = Geometry::<3>::with_spacing([1, 1, 2], [1.0; 3]).unwrap();
    let image = Image::new(3, grid, Intensity::Stored { bits: 8 }, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    write_nifti_image(&path, &image, NiftiType::Rgb24).unwrap();
    let file = Nifti::open(&path).unwrap();
    let stored = NpyValue::U8(NpyArray { shape: vec![1, 1, 2, 3], values: vec![1, 3, 5, 2, 4, 6] });
    assert_eq!(file.stored().unwrap(), stored);
    assert_eq!(file.image(Intensity::Stored { bits: 8 }, NotFinite::Refuse).unwrap(), image);
    assert!(write_nifti_image(&path, &image, NiftiType::U8).is_err());
}

#[test]
fn voxels_without_a_number_need_a_policy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    let grid = Geometry::<3>::with_spacing([2, 1, 2], [1.0; 3]).unwrap();
    let odd = |values: Vec<f64>| NpyValue::F64(NpyArray { shape: vec![2, 1, 2], values });
    write_nifti(&path, &odd(vec![1.0, f64::INFINITY, 3.0, f64::NAN]), &grid).unwrap();
    let file = Nifti::open(&path).unwrap();
    let text = file.image(Intensity::Arbitrary, NotFinite::Refuse).unwrap_err().to_string();
    assert!(text.contains("expected finite numbers, found inf at voxel (1, 0, 0)\nhint: "), "{text}");
    let image = file.image(Intensity::Arbitrary, NotFinite::Replace(-9.0)).unwrap();
    assert_eq!(image.values(), [1.0, -9.0, 3.0, -9.0]);
    assert!(file.labels(9).unwrap_err().to_string().contains("inf at voxel (1, 0, 0)"));
    // A finite number is never replaced.
    write_nifti(&path, &odd(vec![1.0, 2.0, 3.0, 1e300]), &grid).unwrap();
    let refused = Nifti::open(&path).unwrap().image(Intensity::Arbitrary, NotFinite::Replace(0.0)).unwrap_err();
    assert!(refused.to_string().contains("32-bit floats"), "{refused}");
}

#[test]
fn an_axis_too_long_for_the_first_version_takes_the_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii.gz");
    let grid = Geometry::<3>::with_spacing([1, 1, 40_000], [1.0; 3]).unwrap();
    let labels = LabelMap::new(grid, (0..40_000).map(|n| n % 300).collect(), 300).unwrap();
    write_nifti_labels(&path, &labels).unwrap();
    let file = Nifti::open(&path).unwrap();
    assert_eq!((file.header().version, file.header().datatype), (NiftiVersion::Two, NiftiType::U16));
    assert_eq!(file.labels(300).unwrap(), labels);
}

#[test]
fn what_does_not_fit_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let grid = Geometry::<3>::with_spacing([1, 2, 2], [1.0; 3]).unwrap();
    let array = |shape: &[usize], n: u8| NpyValue::U8(NpyArray { shape: shape.to_vec(), values: (0..n).collect() });
    write_nifti(&path("a.nii"), &array(&[1, 2, 2], 4), &grid).unwrap();
    for (name, voxels) in [
        ("a.img", array(&[1, 2, 2], 4)),
        ("a.nii", array(&[2, 2, 1], 4)),
        ("a.nii", array(&[1, 2, 2], 3)),
        ("a.nii", array(&[1, 2, 2, 4], 16)),
        ("a.nii", array(&[2, 2], 4)),
    ] {
        assert!(write_nifti(&path(name), &voxels, &grid).is_err(), "{name} {voxels:?}");
    }
    let unknown = Geometry::<3>::without_spacing([1, 2, 2]).unwrap();
    assert!(write_nifti(&path("a.nii"), &array(&[1, 2, 2], 4), &unknown).is_err());
    assert_eq!(stored_text(&Nifti::open(&path("a.nii")).unwrap().stored().unwrap()), ["0", "1", "2", "3"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn written_images_read_back_on_their_grid(
        values in proptest::collection::vec(-1e6f32..1e6, 24),
        entries in proptest::array::uniform12(-5.0f64..5.0),
        packed: bool,
    ) {
        let mut matrix = [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        for row in 0..3 {
            matrix[row].copy_from_slice(&entries[4 * row..4 * row + 4]);
        }
        let Ok(grid) = Geometry::<3>::placed([2, 3, 4], Affine { matrix }) else { return Ok(()) };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(if packed { "a.nii.gz" } else { "a.nii" });
        let image = Image::new(1, grid, Intensity::Arbitrary, values).unwrap();
        write_nifti_image(&path, &image, NiftiType::F32).unwrap();
        let back = Nifti::open(&path).unwrap().image(Intensity::Arbitrary, NotFinite::Refuse);
        // Rounding to 32 bits can flatten what was nearly flat.
        let Ok(back) = back else { return Ok(()) };
        prop_assert_eq!(back.values(), image.values());
        // 32-bit floats below 5 are at most 2.4e-7 from their neighbours.
        prop_assert!(back.geometry().same_grid(image.geometry(), 5e-7));
        // A second trip changes nothing at all.
        write_nifti_image(&path, &back, NiftiType::F32).unwrap();
        let again = Nifti::open(&path).unwrap().image(Intensity::Arbitrary, NotFinite::Refuse).unwrap();
        prop_assert_eq!(again, back);
    }
}
