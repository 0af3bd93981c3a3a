//! DICOM pixels against pydicom: every kind of sample, container and codec (`oracles/dicom/make.py`).

#![cfg(feature = "formats")]

use std::path::Path;

use kd_data::format::{DicomImage, FormatError, NpyValue, Voi, read_dicom};
use serde_json::Value;

fn cases() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/dicom.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    document["cases"].as_array().unwrap().clone()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn read(bytes: &[u8]) -> Result<DicomImage, FormatError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    read_dicom(file.path())
}

#[allow(clippy::cast_precision_loss)]
fn floats(array: &NpyValue) -> Vec<f64> {
    match array {
        NpyValue::U8(a) => a.values.iter().map(|&v| v.into()).collect(),
        NpyValue::I8(a) => a.values.iter().map(|&v| v.into()).collect(),
        NpyValue::U16(a) => a.values.iter().map(|&v| v.into()).collect(),
        NpyValue::I16(a) => a.values.iter().map(|&v| v.into()).collect(),
        NpyValue::U32(a) => a.values.iter().map(|&v| v.into()).collect(),
        NpyValue::I32(a) => a.values.iter().map(|&v| v.into()).collect(),
        NpyValue::F32(a) => a.values.iter().map(|&v| v.into()).collect(),
        NpyValue::F64(a) => a.values.clone(),
        NpyValue::I64(_) | NpyValue::U64(_) | NpyValue::Text(_) => panic!("no stored pixels are of this type"),
    }
}

fn case(name: &str) -> Value {
    cases().into_iter().find(|case| case["name"] == name).unwrap()
}

/// Fails with the case's name unless all values agree within `tolerance`.
fn assert_close(name: &str, what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}: number of {what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        // The JSON reader may miss the last place of a number of 17 digits.
        let tolerance = tolerance.max(4e-16 * expected.abs());
        assert!((found - expected).abs() <= tolerance, "{name}: {what} {at}: {found}, expected {expected}");
    }
}

#[test]
fn stored_values_are_those_that_pydicom_reads() {
    let cases = cases();
    assert_eq!(cases.len(), 103);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let image = read(&bytes(case["file"].as_str().unwrap())).unwrap_or_else(|error| panic!("{name}: {error}"));
        let shape: Vec<usize> = numbers(&case["shape"]).iter().map(|&n| n as usize).collect();
        assert_eq!(image.shape(), shape, "{name}");
        // A lossy decoder may round each inverse transform its own way: 1 at most.
        let tolerance = case["lossy"].as_f64().unwrap();
        assert_close(name, "stored value", &floats(image.raw()), &numbers(&case["raw"]), tolerance);
    }
}

#[test]
fn modality_values_are_those_of_pydicom_rounded_to_32_bits() {
    for case in &cases() {
        let name = case["name"].as_str().unwrap();
        let image = read(&bytes(case["file"].as_str().unwrap())).unwrap();
        let found: Vec<f64> = image.modality().unwrap().values.iter().map(|&v| v.into()).collect();
        let expected = case.get("modality").unwrap_or(&case["raw"]);
        // Where luminance and both differences are off by 1, blue moves by 1 + 1.772 and is then rounded.
        let tolerance = case["lossy"].as_f64().unwrap() * if image.shape().len() == 4 { 3.0 } else { 1.0 };
        let expected: Vec<f64> = numbers(expected).iter().map(|&v| f64::from(v as f32)).collect();
        assert_close(name, "modality value", &found, &expected, tolerance);
    }
}

#[test]
fn shades_are_those_of_pydicom_s_windows_and_tables() {
    let mut seen = 0;
    for case in &cases() {
        let name = case["name"].as_str().unwrap();
        let shown = |key: &str, voi: fn(usize) -> Voi| {
            let expected = case.get(key)?;
            let index = usize::try_from(expected["index"].as_u64().unwrap()).unwrap();
            let image = read(&bytes(case["file"].as_str().unwrap())).unwrap();
            let found: Vec<f64> = image.display(voi(index)).unwrap().values.iter().map(|&v| v.into()).collect();
            assert_close(name, "shade", &found, &numbers(&expected["shades"]), 0.0);
            Some(())
        };
        seen += usize::from(shown("window", Voi::Window).is_some());
        seen += usize::from(shown("table", Voi::Table).is_some());
    }
    assert_eq!(seen, 11);
}

#[test]
fn padding_is_what_the_header_declares() {
    let mut seen = 0;
    for case in &cases() {
        let image = read(&bytes(case["file"].as_str().unwrap())).unwrap();
        let Some(expected) = case.get("padding") else {
            assert_eq!(image.padding_mask(), None, "{}", case["name"]);
            continue;
        };
        let expected: Vec<bool> = expected.as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
        assert_eq!(image.padding_mask(), Some(expected), "{}", case["name"]);
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn spacing_is_rows_before_columns_wherever_it_stands() {
    for case in &cases() {
        let image = read(&bytes(case["file"].as_str().unwrap())).unwrap();
        let found = image.pixel_spacing_mm().map(|spacing| spacing.to_vec());
        assert_eq!(found, case.get("spacing").map(numbers), "{}", case["name"]);
    }
}

#[test]
fn a_codec_that_is_not_built_in_is_named_with_its_uid() {
    let file = bytes(case("JPEG baseline, 8 bits")["file"].as_str().unwrap());
    let at = file.windows(22).position(|bytes| bytes == b"1.2.840.10008.1.2.4.50").unwrap();
    for (uid, name) in [
        ("1.2.840.10008.1.2.4.92", "JPEG 2000 part 2"),
        ("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000"),
        ("1.2.840.10008.1.2.4.112", "JPEG XL"),
        ("1.2.840.10008.1.2.4.102", "a video"),
    ] {
        let mut file = file.clone();
        let padded = format!("{uid}{}", if uid.len() % 2 == 1 { "\0" } else { "" });
        file[at - 2] = u8::try_from(padded.len()).unwrap();
        file.splice(at..at + 22, padded.bytes());
        let text = read(&file).unwrap_err().to_string();
        assert!(text.contains("expected (0002,0010) Transfer Syntax UID that this build reads"), "{text}");
        assert!(text.contains(name) && text.contains(&format!("UID {uid}")) && text.contains("\nhint: "), "{text}");
    }
}

#[test]
fn a_comma_in_a_decimal_is_its_point() {
    let case = case("a fractional slope");
    let mut file = bytes(case["file"].as_str().unwrap());
    let at = file.windows(7).position(|bytes| bytes == b"0.37251").unwrap();
    file[at + 1] = b',';
    let found: Vec<f64> = read(&file).unwrap().modality().unwrap().values.iter().map(|&v| v.into()).collect();
    assert_eq!(found, numbers(&case["modality"]).iter().map(|&v| f64::from(v as f32)).collect::<Vec<_>>());
}

#[test]
fn text_of_a_patient_never_stands_in_an_error() {
    let file = bytes(case("names in three character sets, an empty frame count")["file"].as_str().unwrap());
    let error = read(&file[..file.len() - 6]).unwrap_err().to_string();
    assert!(error.contains("(7FE0,0010) Pixel Data") && error.contains("hint: "), "{error}");
    assert!(!error.contains("Yamada"), "{error}");
}
