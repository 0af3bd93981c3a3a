//! DICOM against damage: thousands of variants of small files, none of which may panic or take memory that is not there.

#![cfg(feature = "formats")]

mod dicom_files;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use dicom_files::{file, replace, slice, text, word, write};
use kd_data::format::{Tilt, Voi, find_dicom_stacks, read_dicom, sniff};
use kd_data::host::peak_memory_bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// Compressed pixels may be 64 MiB whatever their file has, and decoders hold a few numbers for each of them. All files
/// here are below 8 kB.
const MOST_MEMORY: u64 = 128 << 20;
const VARIANTS: usize = 100;

fn cases() -> Vec<(String, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/dicom.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let bytes =
        |hex: &str| (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let cases = document["cases"].as_array().unwrap().iter();
    cases.map(|case| (case["name"].as_str().unwrap().to_owned(), bytes(case["file"].as_str().unwrap()))).collect()
}

/// Errors name the file, an attribute by its tag (or the container, where there is none yet), expected, found.
fn check(text: &str, what: &str) {
    let container = ["a DICOM file", "an image, found a DICOMDIR", "deflate stream", "the modality step"];
    let place = text
        .match_indices('(')
        .any(|(at, _)| text.get(at + 5..at + 6) == Some(",") && text.get(at + 10..at + 11) == Some(")"))
        || text.contains("at byte")
        || container.iter().any(|known| text.contains(known));
    let complete = text.contains("changed.dcm`") && text.contains("expected ") && text.contains(", found ") && place;
    assert!(complete || text.contains("is empty: expected "), "{what}: {text}");
}

/// Reads a file in every way; whether it could be read.
fn read_all(path: &Path, what: &str) -> bool {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _ = sniff(path).map_err(|error| assert!(error.to_string().contains("is empty"), "{error}"));
        let series = find_dicom_stacks(&[path.to_path_buf()]);
        series.refused.iter().for_each(|error| check(&error.to_string(), what));
        for stack in &series.stacks {
            let _ = stack.read(Tilt::KeepSheared).map_err(|error| check(&error.to_string(), what));
        }
        let image = match read_dicom(path) {
            Ok(image) => image,
            Err(error) => {
                check(&error.to_string(), what);
                return false;
            }
        };
        let _ = image.modality().map_err(|error| check(&error.to_string(), what));
        let _ = image.padding_mask();
        for voi in [Voi::File, Voi::Window(0), Voi::Table(0), Voi::WholeRange] {
            let _ = image.display(voi).map_err(|error| assert!(error.to_string().contains(", found "), "{error}"));
        }
        true
    }));
    outcome.unwrap_or_else(|_| panic!("{what} panicked or gave a poor error"))
}

/// Tags whose values say how much there is.
const COUNTS: [[u8; 4]; 9] = [
    [0x28, 0, 0x02, 0],
    [0x28, 0, 0x08, 0],
    [0x28, 0, 0x10, 0],
    [0x28, 0, 0x11, 0],
    [0x28, 0, 0x00, 1],
    [0x28, 0, 0x01, 1],
    [0x28, 0, 0x02, 0x30],
    [0x28, 0, 0x01, 0x11],
    [0xE0, 0x7F, 0x10, 0],
];

fn change(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    let length = bytes.len();
    // What is in front of byte 128 is nobody's.
    let mut place = |room: usize| {
        random.random_range(length.min(128)..=length.max(128 + room) - room).min(length - room.min(length))
    };
    let (at, other) = (place(4), place(4));
    if length < 140 {
        bytes.truncate(random.random_range(0..=length));
        return;
    }
    match random.random_range(0..8u8) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << random.random_range(0..8u8),
        2 => bytes[at] = random.random(),
        // Lengths, of two bytes and of four.
        3 => bytes[at..at + 2].fill([0, 0x7F, 0x80, 0xFF][random.random_range(0..4usize)]),
        4 => bytes[at..at + 4].fill([0, 0x7F, 0x80, 0xFF][random.random_range(0..4usize)]),
        5 => (0..[2, 4][random.random_range(0..2usize)]).for_each(|n| bytes.swap(at + n, other + n)),
        6 => {
            let part = bytes[at.min(other)..at.max(other)].to_vec();
            bytes.splice(at..at, part);
        }
        _ => {
            let tag = COUNTS[random.random_range(0..COUNTS.len())];
            if let Some(found) = bytes.windows(4).position(|window| window == tag) {
                // Either the length or the value.
                let from = found + [4, 6, 8][random.random_range(0..3usize)];
                let to = (from + random.random_range(1..=4usize)).min(length);
                random.fill(&mut bytes[from.min(to)..to]);
            }
        }
    }
}

#[test]
fn changed_files_never_panic_and_take_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.dcm");
    let mut random = ChaCha8Rng::seed_from_u64(20_261);
    let before = peak_memory_bytes();
    let (mut read, mut refused) = (0, 0);
    for (name, whole) in cases() {
        assert!(whole.len() < 8 << 10, "{name}");
        for variant in 0..VARIANTS {
            let mut bytes = whole.clone();
            (0..random.random_range(1..4u8)).for_each(|_| change(&mut bytes, &mut random));
            replace(&path, &bytes);
            let is_read = read_all(&path, &format!("{name}, variant {variant}"));
            *(if is_read { &mut read } else { &mut refused }) += 1;
        }
    }
    assert_eq!(read + refused, 103 * VARIANTS);
    // Damage to values and to attributes that nobody needs passes; damage to lengths does not.
    assert!(read > 1000 && refused > 2000, "{read} read, {refused} refused");
    if let (Some(before), Some(after)) = (before, peak_memory_bytes()) {
        assert!(after - before < MOST_MEMORY, "{} bytes more", after - before);
    }
}

#[test]
fn files_cut_anywhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.dcm");
    let wanted =
        ["rescale to Hounsfield units", "RLE, 16 bits", "JPEG-LS, 12 bits", "JPEG lossless, predictor 4", "deflated"];
    let mut seen = 0;
    for (name, whole) in cases().into_iter().filter(|(name, _)| wanted.contains(&name.as_str())) {
        seen += 1;
        // An odd number of bytes is padded by one.
        for length in (0..whole.len() - 1).rev() {
            replace(&path, &whole[..length]);
            assert!(!read_all(&path, &name), "{name} of {length} bytes");
        }
    }
    assert_eq!(seen, wanted.len());
}

#[test]
fn series_with_changed_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(77);
    let orientation = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let whole: Vec<Vec<u8>> =
        (0..4u16).map(|k| file(&slice(k, [0.0, 0.0, f64::from(k) * 2.0], orientation, [0.5, 0.5], (2, 3)))).collect();
    let (mut stacks, mut refused) = (0, 0);
    for _ in 0..1500 {
        let mut files = whole.clone();
        let index = random.random_range(0..4usize);
        change(&mut files[index], &mut random);
        let paths: Vec<PathBuf> = write(folder.path(), &files);
        let series = find_dicom_stacks(&paths);
        refused += series.refused.len();
        for stack in &series.stacks {
            match stack.read(Tilt::Refuse) {
                Ok(volume) => {
                    stacks += 1;
                    assert_eq!(volume.image.values().len(), stack.geometry().n_points() * volume.image.channels());
                }
                Err(error) => assert!(error.to_string().contains(", found "), "{error}"),
            }
        }
    }
    assert!(stacks > 500 && refused > 500, "{stacks} {refused}");
}

#[test]
fn a_header_that_promises_much_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.dcm");
    let before = peak_memory_bytes();
    let orientation = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let mut attributes = slice(0, [0.0; 3], orientation, [1.0, 1.0], (2, 3));
    attributes.extend([word(0x28, 0x10, u16::MAX), word(0x28, 0x11, u16::MAX), text(0x28, 8, b"IS", "2147483647")]);
    replace(&path, &file(&attributes));
    let error = read_dicom(&path).unwrap_err().to_string();
    assert!(error.contains("found 2147483647 of 65535 × 65535"), "{error}");
    attributes.push(text(0x28, 8, b"IS", "1000000"));
    replace(&path, &file(&attributes));
    let error = read_dicom(&path).unwrap_err().to_string();
    assert!(error.contains("8589672450000000 bytes of pixels for 1000000 frames of 65535 × 65535"), "{error}");
    for name in
        ["JPEG lossless, predictor 1", "JPEG-LS, runs", "RLE, 16 bits", "JPEG 2000, 12 bits", "JPEG baseline, 8 bits"]
    {
        let (_, mut bytes) = cases().into_iter().find(|(known, _)| known == name).unwrap();
        for tag in [[0x28, 0, 0x10, 0], [0x28, 0, 0x11, 0]] {
            let at = bytes.windows(4).position(|window| window == tag).unwrap();
            bytes[at + 8..at + 10].fill(0xFF);
        }
        replace(&path, &bytes);
        let error = read_dicom(&path).unwrap_err().to_string();
        assert!(
            error.contains("bytes of pixels from") && error.contains("a header that promises more"),
            "{name}: {error}"
        );
    }
    if let (Some(before), Some(after)) = (before, peak_memory_bytes()) {
        assert!(after - before < MOST_MEMORY, "{} bytes more", after - before);
    }
}

#[test]
fn sequences_within_sequences_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.dcm");
    let mut bytes = file(&[]);
    // Undefined lengths: 50 000 sequences, each in an item of the one before.
    for _ in 0..50_000 {
        bytes.extend(b"\x28\x00\x00\x30SQ\x00\x00\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\xFF\xFF\xFF\xFF");
    }
    replace(&path, &bytes);
    let error = read_dicom(&path).unwrap_err().to_string();
    assert!(error.contains("expected at most 16 sequences within each other, found more in (0028,3000)"), "{error}");
}
