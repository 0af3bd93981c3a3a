//! Series of DICOM files to volumes: against highdicom and SimpleITK (`oracles/dicom/make_series.py`), for any placement,
//! and for what has to be split or refused.

#![cfg(feature = "formats")]

mod dicom_files;

use std::path::{Path, PathBuf};

use dicom_files::{Attribute, file, slice, text, word, write};
use kd_data::format::{DicomSeries, Tilt, find_dicom_stacks, read_dicom_volume};
use kd_image::Intensity;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::Value;

const AXIAL: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
const SAGITTAL: [f64; 6] = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0];

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Axial slices of 2 × 3 pixels at these heights, with whatever `change` does to each.
fn axial(heights: &[f64], change: impl Fn(usize, &mut Vec<Attribute>)) -> Vec<Vec<u8>> {
    let one = |(index, &z): (usize, &f64)| {
        let number = u16::try_from(index).unwrap();
        let mut attributes = slice(number, [-10.0, -20.0, z], AXIAL, [0.5, 0.75], (2, 3));
        change(index, &mut attributes);
        file(&attributes)
    };
    heights.iter().enumerate().map(one).collect()
}

fn found(files: &[Vec<u8>]) -> (DicomSeries, Vec<PathBuf>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let paths = write(folder.path(), files);
    (find_dicom_stacks(&paths), paths, folder)
}

fn refusal(files: &[Vec<u8>]) -> String {
    let (series, ..) = found(files);
    assert!(series.stacks.is_empty(), "{:?}", series.stacks);
    assert_eq!(series.refused.len(), 1, "{:?}", series.refused);
    let text = series.refused[0].to_string();
    assert!(!text.contains("SECRET") && !text.contains("1.2.3"), "{text}");
    text
}

#[test]
fn volumes_are_those_of_highdicom_and_simpleitk() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/dicom_series.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let series = document["series"].as_array().unwrap();
    assert_eq!(series.len(), 6);
    for series in series {
        let name = series["name"].as_str().unwrap();
        let bytes = |hex: &str| -> Vec<u8> {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let files: Vec<Vec<u8>> =
            series["files"].as_array().unwrap().iter().map(|hex| bytes(hex.as_str().unwrap())).collect();
        let folder = tempfile::tempdir().unwrap();
        let volume =
            read_dicom_volume(&write(folder.path(), &files), Tilt::Refuse).unwrap_or_else(|e| panic!("{name}: {e}"));
        let geometry = volume.image.geometry();
        let shape: Vec<f64> = geometry.shape().iter().map(|&n| n as f64).collect();
        assert_eq!(shape, numbers(&series["shape"]), "{name}");
        let expected = numbers(&series["affine"]);
        for (at, (found, expected)) in geometry.affine().unwrap().matrix.iter().flatten().zip(&expected).enumerate() {
            // Positions have ten digits in the files, and highdicom takes its step from other pairs of slices.
            assert!((found - expected).abs() < 1e-6, "{name}: affine {at}: {found} {expected}");
        }
        let values: Vec<f32> = numbers(&series["values"]).iter().map(|&value| value as f32).collect();
        assert_eq!(volume.image.values(), values, "{name}");
    }
}

/// A rotation by a quaternion, as columns.
fn rotation([w, x, y, z]: [f64; 4]) -> Option<[[f64; 3]; 3]> {
    let length = (w * w + x * x + y * y + z * z).sqrt();
    let [w, x, y, z] = (length > 0.1).then(|| [w, x, y, z].map(|part| part / length))?;
    Some([
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + z * w), 2.0 * (x * z - y * w)],
        [2.0 * (x * y - z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + x * w)],
        [2.0 * (x * z + y * w), 2.0 * (y * z - x * w), 1.0 - 2.0 * (x * x + y * y)],
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_voxel_stands_where_its_file_says_in_whatever_order_files_come(
        turn in proptest::array::uniform4(-1.0f64..1.0),
        origin in proptest::array::uniform3(-200.0f64..200.0),
        spacing in (0.2f64..4.0, 0.2f64..4.0),
        gap in 0.4f64..6.0,
        flipped in any::<bool>(),
        order in Just((0..5usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let Some([along, down, across]) = rotation(turn) else { return Ok(()) };
        let (rows, columns) = (2u16, 3u16);
        let step = if flipped { -gap } else { gap };
        let position = |k: usize| -> [f64; 3] { std::array::from_fn(|axis| origin[axis] + across[axis] * step * k as f64) };
        let orientation = [along[0], along[1], along[2], down[0], down[1], down[2]];
        let one = |k: usize| {
            file(&slice(u16::try_from(k).unwrap(), position(k), orientation, [spacing.0, spacing.1], (rows, columns)))
        };
        let straight: Vec<Vec<u8>> = (0..5).map(one).collect();
        let shuffled: Vec<Vec<u8>> = order.iter().map(|&k| straight[k].clone()).collect();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let read = |folder: &tempfile::TempDir, files: &[Vec<u8>]| {
            let volume = read_dicom_volume(&write(folder.path(), files), Tilt::Refuse);
            volume.map_err(|error| TestCaseError::fail(error.to_string()))
        };
        let volume = read(&folders[0], &straight)?;
        prop_assert_eq!(&read(&folders[1], &shuffled)?, &volume);
        let affine = volume.image.geometry().affine().unwrap();
        for k in 0..5 {
            let place = if flipped { 4 - k } else { k };
            for row in 0..usize::from(rows) {
                for column in 0..usize::from(columns) {
                    let value = volume.image.values()[(place * usize::from(rows) + row) * usize::from(columns) + column];
                    let expected = (100 * k + row * usize::from(columns) + column) as f32 - 1024.0;
                    prop_assert_eq!(value.to_bits(), expected.to_bits());
                    let world = affine.world_mm([column as f64, row as f64, place as f64]);
                    let start = position(k);
                    for axis in 0..3 {
                        let (right, below) = (along[axis] * spacing.1 * column as f64, down[axis] * spacing.0 * row as f64);
                        let lps = start[axis] + right + below;
                        let ras = if axis < 2 { -lps } else { lps };
                        // Nine decimals in the files.
                        prop_assert!((world[axis] - ras).abs() < 1e-6, "{} {}", world[axis], ras);
                    }
                }
            }
        }
    }
}

#[test]
fn a_missing_slice_is_refused_with_its_place() {
    let text = refusal(&axial(&[0.0, 2.5, 5.0, 10.0, 12.5, 15.0], |_, _| {}));
    assert!(text.contains("expected slices every 2.500 mm, each gap within 0.030"), "{text}");
    assert!(text.contains("found 5.000 mm between slices 2 and 3 of 6\nhint: 1 missing there"), "{text}");
}

#[test]
fn uneven_gaps_are_refused_and_rounded_ones_are_not() {
    let text = refusal(&axial(&[0.0, 2.0, 4.0, 6.3, 8.3], |_, _| {}));
    assert!(text.contains("found 2.300 mm between slices 2 and 3 of 5") && !text.contains("missing"), "{text}");
    // 0.625 mm written with two decimals
    let (series, ..) = found(&axial(&[0.0, 0.63, 1.25, 1.88, 2.5], |_, _| {}));
    assert_eq!(series.stacks[0].geometry().spacing_mm(), Some([0.625, 0.5, 0.75]));
}

#[test]
fn gaps_that_creep_are_refused_although_each_is_small() {
    // Each gap is within 1 % of the median, and yet the middle is 0.2 mm off its place.
    let gaps = std::iter::repeat_n(1.012, 30).chain(std::iter::repeat_n(0.998, 30));
    let heights: Vec<f64> = std::iter::once(0.0)
        .chain(gaps.scan(0.0, |z, gap| {
            *z += gap;
            Some(*z)
        }))
        .collect();
    let text = refusal(&axial(&heights, |_, _| {}));
    assert!(text.contains("expected slices on one line within 0.030 mm"), "{text}");
}

#[test]
fn two_slices_at_one_place_are_refused() {
    let text = refusal(&axial(&[0.0, 2.0, 2.0, 4.0], |_, _| {}));
    assert!(
        text.contains(
            "expected one slice at each place in (0020,0032) Image Position (Patient), found 1 too many among 4"
        ),
        "{text}"
    );
}

#[test]
fn acquisitions_at_the_same_places_are_two_stacks() {
    let files = axial(&[0.0, 2.0, 4.0, 0.0, 2.0, 4.0], |index, attributes| {
        attributes.push(text(0x0020, 0x0012, b"IS", if index < 3 { "1" } else { "2" }));
    });
    let (series, _, _folder) = found(&files);
    assert!(series.refused.is_empty());
    let first = |stack: usize| series.stacks[stack].read(Tilt::Refuse).unwrap().image.values()[0];
    assert_eq!((series.stacks.len(), first(0), first(1)), (2, -1024.0, 300.0 - 1024.0));
}

#[test]
fn an_acquisition_number_that_changes_within_a_volume_does_not_split_it() {
    let files = axial(&[0.0, 2.0, 4.0, 6.0], |index, attributes| {
        attributes.push(text(0x0020, 0x0012, b"IS", if index < 2 { "1" } else { "2" }));
    });
    assert_eq!(found(&files).0.stacks[0].geometry().shape(), [4, 2, 3]);
}

#[test]
fn slices_of_another_series_direction_size_or_spacing_are_split_off() {
    for change in [
        text(0x0020, 0x000E, b"UI", "1.2.3.99"),
        text(0x0020, 0x0052, b"UI", "1.2.3.98"),
        text(0x0008, 0x0008, b"CS", "DERIVED\\SECONDARY\\AXIAL"),
        text(0x0028, 0x0030, b"DS", "0.5\\0.8"),
        text(0x0020, 0x0037, b"DS", "1\\0\\0\\0\\0.99875\\0.05"),
        word(0x0028, 0x0010, 1),
    ] {
        let files = axial(&[0.0, 2.0, 4.0, 1.0, 3.0, 5.0], |index, attributes| {
            if index >= 3 {
                attributes.push(change.clone());
            }
        });
        let (series, ..) = found(&files);
        // Leaning slices at these places make a sheared stack of their own.
        assert_eq!((series.stacks.len(), series.refused.len()), (2, 0), "{change:?} {series:?}");
        assert!(series.stacks.iter().all(|stack| stack.geometry().shape()[0] == 3), "{change:?}");
    }
    let mut files = axial(&[0.0, 2.0, 4.0], |_, _| {});
    files.extend([0, 1, 2].map(|k| file(&slice(k, [f64::from(k) * 1.5, 0.0, 0.0], SAGITTAL, [1.0, 1.0], (4, 4)))));
    let (series, ..) = found(&files);
    let mut letters: Vec<String> =
        series.stacks.iter().map(|stack| stack.geometry().orientation().unwrap().to_string()).collect();
    letters.sort();
    assert_eq!(letters, ["LPS", "PIR"]);
}

#[test]
fn a_leaning_stack_is_refused_unless_its_shear_is_kept() {
    let files: Vec<Vec<u8>> = (0..4u16)
        .map(|k| file(&slice(k, [0.0, f64::from(k) * 0.5, f64::from(k) * 2.0], AXIAL, [1.0, 1.0], (2, 2))))
        .collect();
    let (series, _, _folder) = found(&files);
    let stack = &series.stacks[0];
    let expected = (0.5f64 / 2.0).atan().to_degrees();
    assert!((stack.tilt_degrees() - expected).abs() < 1e-9);
    let text = stack.read(Tilt::Refuse).unwrap_err().to_string();
    assert!(text.contains("found a tilt of 14.04°\nhint: "), "{text}");
    let volume = stack.read(Tilt::KeepSheared).unwrap();
    let world = volume.image.geometry().affine().unwrap().world_mm([0.0, 0.0, 3.0]);
    assert!(world.iter().zip([0.0, -1.5, 6.0]).all(|(found, expected)| (found - expected).abs() < 1e-12), "{world:?}");
}

#[test]
fn a_localiser_is_left_out_by_name_and_never_merged() {
    let files = axial(&[0.0, 2.0, 4.0, 6.0], |index, attributes| {
        if index == 3 {
            attributes.push(text(0x0008, 0x0008, b"CS", "ORIGINAL\\PRIMARY\\LOCALIZER"));
        }
    });
    let (series, paths, _folder) = found(&files);
    assert_eq!(series.stacks[0].geometry().shape(), [3, 2, 3]);
    let text = series.refused[0].to_string();
    assert!(text.contains("003.dcm`: expected a slice of a volume, found a localiser"), "{text}");
    assert!(read_dicom_volume(&paths, Tilt::Refuse).unwrap_err().to_string().contains("a localiser"));
}

#[test]
fn one_slice_takes_its_thickness_and_without_it_makes_no_volume() {
    let thick = |attributes: &mut Vec<Attribute>| attributes.push(text(0x0018, 0x0050, b"DS", "3.5"));
    let (series, ..) = found(&axial(&[7.0], |_, attributes| thick(attributes)));
    assert_eq!(series.stacks[0].geometry().spacing_mm(), Some([3.5, 0.5, 0.75]));
    let text = refusal(&axial(&[7.0], |_, attributes| attributes.push(text(0x0018, 0x0050, b"DS", ""))));
    assert!(text.contains("expected two slices or more, or one with (0018,0050) Slice Thickness"), "{text}");
}

#[test]
fn an_image_without_a_place_makes_no_volume() {
    let text = refusal(&axial(&[7.0], |_, attributes| attributes.retain(|a| (a.0, a.1) != (0x0020, 0x0032))));
    assert!(text.contains("expected (0020,0032) Image Position (Patient) and"), "{text}");
}

#[test]
fn frames_without_places_of_their_own_are_refused_however_many_are_promised() {
    let text = refusal(&axial(&[7.0], |_, attributes| attributes.push(text(0x0028, 0x0008, b"IS", "2147483647"))));
    assert!(text.contains("expected a place for each of 2147483647 frames in (5200,9230) Per-Frame Functional Groups Sequence, found 1"), "{text}");
}

#[test]
fn a_file_that_is_no_dicom_is_listed_and_stops_a_volume_of_all() {
    let mut files = axial(&[0.0, 2.0], |_, _| {});
    files.push(b"notes about SECRET-1".to_vec());
    let (series, paths, _folder) = found(&files);
    assert_eq!((series.stacks.len(), series.refused.len()), (1, 1));
    let text = read_dicom_volume(&paths, Tilt::Refuse).unwrap_err().to_string();
    assert!(text.contains("002.dcm`: expected a DICOM file") && !text.contains("SECRET"), "{text}");
}

#[test]
fn padding_and_hounsfield_units_travel_with_the_volume() {
    let files = axial(&[0.0, 2.0, 4.0], |index, attributes| {
        if index == 1 {
            attributes.push(word(0x0028, 0x0120, 104));
        }
    });
    let (series, ..) = found(&files);
    let folder = tempfile::tempdir().unwrap();
    let volume = read_dicom_volume(&write(folder.path(), &files), Tilt::Refuse).unwrap();
    assert_eq!(series.stacks[0].n_files(), 3);
    assert_eq!(volume.image.intensity(), Intensity::Hounsfield);
    let places: Vec<usize> =
        volume.padding.unwrap().iter().enumerate().filter_map(|(at, &pad)| pad.then_some(at)).collect();
    assert_eq!(places, [6 + 4]);
}

#[test]
fn files_that_mean_different_things_make_no_volume() {
    let files = axial(&[0.0, 2.0, 4.0], |index, attributes| {
        if index == 1 {
            attributes.push(text(0x0028, 0x1054, b"LO", "US"));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let text = read_dicom_volume(&write(folder.path(), &files), Tilt::Refuse).unwrap_err().to_string();
    assert!(
        text.contains("001.dcm`: expected one meaning of values in all files, found hounsfield in one file"),
        "{text}"
    );
}

#[test]
fn colours_come_apart_into_channels() {
    let files = axial(&[0.0, 2.0], |_, attributes| {
        attributes.extend([text(0x0028, 0x0004, b"CS", "RGB"), word(0x0028, 0x0002, 3), word(0x0028, 0x0006, 0)]);
        attributes.extend([word(0x0028, 0x0100, 8), word(0x0028, 0x0101, 8), word(0x0028, 0x0102, 7)]);
        attributes.push((0x7FE0, 0x0010, b"OB", (0..18).collect()));
    });
    let folder = tempfile::tempdir().unwrap();
    let volume = read_dicom_volume(&write(folder.path(), &files), Tilt::Refuse).unwrap();
    assert_eq!(volume.image.channels(), 3);
    assert_eq!(volume.image.channel(1)[..7], [1.0, 4.0, 7.0, 10.0, 13.0, 16.0, 1.0]);
}
