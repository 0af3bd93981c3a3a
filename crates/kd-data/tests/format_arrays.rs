//! npy and npz against NumPy, and against damage.

#![cfg(feature = "formats")]

mod damage;

use std::path::{Path, PathBuf};

use kd_data::format::{FileFormat, FormatError, NpyArray, NpyValue, Npz, read_npy, sniff, write_npy, write_npz};
use proptest::prelude::*;
use serde_json::Value;

fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(name)
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(oracle("arrays.json")).unwrap()).unwrap()
}

fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|n| usize::try_from(n.as_u64().unwrap()).unwrap()).collect()
}

#[test]
fn every_numeric_type_and_order_reads_as_numpy_reads_it() {
    let npz = Npz::open(&oracle("arrays.npz")).unwrap();
    let numbers = expected()["numbers"].as_object().unwrap().clone();
    assert_eq!(numbers.len(), 27);
    for (name, array) in numbers {
        let stored = npz.array(&name).unwrap();
        assert_eq!(stored.dtype(), array["dtype"].as_str().unwrap(), "{name}");
        let found = stored.floats().unwrap();
        let values: Vec<f64> = array["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert_eq!(found.shape, sizes(&array["shape"]), "{name}");
        assert_eq!(found.values.len(), values.len(), "{name}");
        for (found, expected) in found.values.iter().zip(&values) {
            // The JSON reader may miss the last place of a number of 17 digits.
            assert!((found - expected).abs() <= 4e-16 * expected.abs(), "{name}: {found} {expected}");
        }
        if !stored.dtype().contains('f') {
            let integers = stored.integers().unwrap().values;
            let expected: Vec<i64> = array["values"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
            assert_eq!(integers, expected, "{name}");
        }
    }
}

#[test]
fn compressed_members_read_like_stored_ones() {
    let (stored, packed) = (Npz::open(&oracle("arrays.npz")).unwrap(), Npz::open(&oracle("packed.npz")).unwrap());
    assert_eq!(packed.names(), ["big_f4", "fortran"]);
    for name in packed.names() {
        assert_eq!(packed.floats(name).unwrap(), stored.floats(name).unwrap());
    }
}

#[test]
fn text_arrays_read_as_numpy_reads_them() {
    let npz = Npz::open(&oracle("arrays.npz")).unwrap();
    for (name, array) in expected()["texts"].as_object().unwrap() {
        let values: Vec<String> =
            array["values"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_string()).collect();
        assert_eq!(npz.texts(name).unwrap(), NpyArray { shape: sizes(&array["shape"]), values });
        assert!(npz.floats(name).is_err() && npz.integers(name).is_err() && npz.array_u8(name).is_err());
    }
}

#[test]
fn all_header_versions_are_read() {
    for version in 1..=3 {
        let path = oracle(&format!("version{version}.npy"));
        assert_eq!(sniff(&path).unwrap(), FileFormat::Npy);
        let array = read_npy(&path).unwrap().integers().unwrap();
        assert_eq!(array, NpyArray { shape: vec![1, 3], values: vec![1, 2, 3] });
    }
}

#[test]
fn arrays_that_are_no_plain_numbers_are_refused_by_name() {
    let npz = Npz::open(&oracle("refused.npz")).unwrap();
    for (name, reason) in [
        ("object", "an object array of pickled Python values"),
        ("complex", "complex numbers"),
        ("date", "dates"),
        ("record", "records with named fields"),
    ] {
        let text = npz.array(name).unwrap_err().to_string();
        assert!(text.contains(&format!("refused.npz#{name}`")) && text.contains(reason), "{text}");
        assert!(text.contains("\nhint: "), "{text}");
    }
    let text = npz.floats("nan").unwrap_err().to_string();
    assert!(text.contains("NaN at position 1"), "{text}");
    assert!(npz.integers("large").unwrap_err().to_string().contains("below 2^63"));
    assert!(npz.floats("wide").unwrap_err().to_string().contains("9007199254740993"));
    assert_eq!(npz.integers("wide").unwrap().values, [9_007_199_254_740_993]);
}

#[test]
fn a_missing_array_is_refused_with_the_names_that_are_there() {
    let text = Npz::open(&oracle("packed.npz")).unwrap().array_u8("train_images").unwrap_err().to_string();
    assert!(text.contains("`train_images`") && text.contains("big_f4, fortran"), "{text}");
}

#[test]
fn other_files_and_empty_files_are_refused() {
    assert!(Npz::open(&oracle("no_arrays.zip")).unwrap_err().to_string().contains("no member ending in .npy"));
    assert!(Npz::open(&oracle("gray8.png")).is_err());
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(Npz::open(file.path()), Err(FormatError::Empty { .. })));
    assert!(matches!(read_npy(file.path()), Err(FormatError::Empty { .. })));
}

fn everything(npz: &Npz) -> Vec<Option<Vec<u64>>> {
    npz.names().iter().map(|name| Some(npz.floats(name).ok()?.values.iter().map(|v| v.to_bits()).collect())).collect()
}

#[test]
fn an_npz_cut_anywhere_is_refused() {
    let whole = std::fs::read(oracle("packed.npz")).unwrap();
    for length in 0..whole.len() {
        assert!(Npz::from_bytes(whole[..length].to_vec(), Path::new("cut.npz")).is_err(), "{length} bytes");
    }
}

#[test]
fn an_npz_with_one_changed_byte_gives_an_error_or_the_same_values() {
    let whole = std::fs::read(oracle("packed.npz")).unwrap();
    let right = everything(&Npz::from_bytes(whole.clone(), Path::new("a.npz")).unwrap());
    for at in 0..whole.len() {
        for bit in [0x01, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= bit;
            if let Ok(npz) = Npz::from_bytes(changed, Path::new("a.npz")) {
                for values in everything(&npz).into_iter().flatten() {
                    assert!(right.contains(&Some(values)), "byte {at} ^ {bit:#x}");
                }
            }
        }
    }
}

#[test]
fn an_npy_cut_anywhere_is_refused_and_a_changed_byte_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    std::fs::copy(oracle("version1.npy"), &path).unwrap();
    damage::cut(&path, |length| assert!(read_npy(&path).is_err(), "{length} bytes"));
    damage::change(&path, &[0x01, 0x10, 0xff], |_, _| {
        if let Ok(array) = read_npy(&path) {
            let _ = (array.floats(), array.integers(), array.texts(), array.bytes());
        }
    });
}

fn with_header(text: &str, data: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&u16::try_from(text.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend(std::iter::repeat_n(0, data));
    bytes
}

#[test]
fn a_header_that_promises_too_much_is_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    for (shape, descr) in [
        ("(1000000000000,)", "<f8"),
        ("(18446744073709551615, 2)", "|u1"),
        ("(99999999999999999999,)", "|u1"),
        ("(4294967296, 4294967296)", "<i8"),
        ("(1000000000000,)", "<U0"),
        ("(1000000000000,)", "|S0"),
    ] {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        std::fs::write(&path, with_header(&header, 16)).unwrap();
        assert!(read_npy(&path).is_err(), "{header}");
    }
    let swapped = "{'shape': (2L,), 'fortran_order': True, 'descr': '|i1'}";
    std::fs::write(&path, with_header(swapped, 2)).unwrap();
    assert_eq!(read_npy(&path).unwrap().integers().unwrap().values, [0, 0]);
}

#[test]
fn equal_arrays_give_equal_archives() {
    let folder = tempfile::tempdir().unwrap();
    let array = NpyValue::Text(NpyArray { shape: vec![2], values: vec!["ä".into(), "bcd".into()] });
    let number = NpyValue::F32(NpyArray { shape: vec![], values: vec![0.1] });
    let paths = [folder.path().join("1.npz"), folder.path().join("2.npz")];
    for path in &paths {
        write_npz(path, &[("t", array.clone()), ("n", number.clone())]).unwrap();
    }
    assert_eq!(std::fs::read(&paths[0]).unwrap(), std::fs::read(&paths[1]).unwrap());
    assert_eq!(sniff(&paths[0]).unwrap(), FileFormat::Npz);
    let npz = Npz::open(&paths[0]).unwrap();
    assert_eq!(npz.texts("t").unwrap().values, ["ä", "bcd"]);
    assert_eq!(npz.floats("n").unwrap(), NpyArray { shape: vec![], values: vec![f64::from(0.1f32)] });
    assert!(write_npz(&paths[0], &[("n", NpyValue::U8(NpyArray { shape: vec![3], values: vec![1] }))]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn written_arrays_read_back(values in proptest::collection::vec(any::<i64>(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let array = NpyArray { shape: vec![1, values.len()], values };
        write_npy(&path, &NpyValue::I64(array.clone())).unwrap();
        prop_assert_eq!(read_npy(&path).unwrap().integers().unwrap(), array);
    }

    #[test]
    fn headers_of_any_text_never_panic(text in "[{}()\\[\\]'\":, a-zA-Z0-9<>|]{0,80}") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        std::fs::write(&path, with_header(&text, 8)).unwrap();
        let _ = read_npy(&path);
        std::fs::write(&path, with_header(&format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({text}), }}"), 8)).unwrap();
        let _ = read_npy(&path);
    }
}
