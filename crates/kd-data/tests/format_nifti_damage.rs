//! NIfTI against damage: thousands of variants of tiny files, none of which may panic or take memory that is not there.

#![cfg(feature = "formats")]

mod nifti_files;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use kd_data::format::{Nifti, NotFinite, NpyValue, sniff};
use kd_data::host::peak_memory_bytes;
use kd_image::Intensity;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Everything here reads files below 2 kB.
const MOST_MEMORY: u64 = 64 << 20;

/// A file that is changed where it stands: some file systems flush one that is truncated and written anew, which takes
/// a thousand times as long.
struct Changed {
    path: PathBuf,
    file: File,
}

impl Changed {
    fn new(folder: &Path, name: &str) -> Self {
        let path = folder.join(name);
        Self { file: File::create(&path).unwrap(), path }
    }

    fn put(&self, bytes: &[u8]) -> &Path {
        self.file.write_all_at(bytes, 0).unwrap();
        self.file.set_len(bytes.len() as u64).unwrap();
        &self.path
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Reads a file in every way and tells whether its voxels could be read; errors have to name it, and say what was expected
/// and what was found.
fn read_all(path: &Path, what: &str) -> bool {
    let _ = sniff(path).map_err(|error| check(&error.to_string(), what));
    let file = match Nifti::open(path) {
        Ok(file) => file,
        Err(error) => {
            check(&error.to_string(), what);
            return false;
        }
    };
    let stored = file.stored().map_err(|error| check(&error.to_string(), what));
    let behind = file.bytes_behind().map_err(|error| check(&error.to_string(), what));
    assert_eq!(stored.is_ok(), behind.is_ok(), "{what}");
    let _ = file.meant(NotFinite::Refuse).map_err(|error| check(&error.to_string(), what));
    let channels = file.channels(Intensity::Arbitrary, NotFinite::Replace(0.0));
    let _ = channels.map_err(|error| check(&error.to_string(), what));
    let _ = file.image(Intensity::Arbitrary, NotFinite::Refuse).map_err(|error| check(&error.to_string(), what));
    let _ = file.labels(3).map_err(|error| check(&error.to_string(), what));
    stored.is_ok()
}

/// What is said of a file whose voxels cannot be read.
fn refusal(path: &Path) -> String {
    Nifti::open(path).and_then(|file| file.stored()).unwrap_err().to_string()
}

fn check(text: &str, what: &str) {
    let names_all = text.contains("changed.") && text.contains("expected") && text.contains("found");
    assert!(names_all, "{what}: {text}");
}

/// Bytes of the fields that hold lengths, offsets and types, in both versions.
const LENGTHS: [(usize, usize); 12] =
    [(0, 4), (40, 2), (42, 2), (44, 2), (46, 2), (48, 2), (70, 2), (72, 2), (108, 4), (16, 8), (24, 8), (168, 8)];

fn change(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    let length = bytes.len();
    match random.random_range(0..6u8) {
        0 => bytes.truncate(random.random_range(0..length)),
        1 => {
            let at = random.random_range(0..length);
            bytes[at] ^= 1 << random.random_range(0..8u8);
        }
        2 => {
            let (at, size) = LENGTHS[random.random_range(0..LENGTHS.len())];
            let end = (at + size).min(length);
            random.fill_bytes(&mut bytes[at.min(end)..end]);
        }
        3 => {
            // Two lengths change places.
            let (a, b) = (random.random_range(0..7usize), random.random_range(0..7usize));
            if length > 58 {
                (0..2).for_each(|n| bytes.swap(40 + 2 * a + n, 40 + 2 * b + n));
            }
        }
        4 => {
            let (at, size) = LENGTHS[random.random_range(0..LENGTHS.len())];
            let end = (at + size).min(length);
            bytes[at.min(end)..end].fill([0, 0x7f, 0x80, 0xff][random.random_range(0..4usize)]);
        }
        _ => bytes.extend((0..random.random_range(1..40usize)).map(|n| n as u8)),
    }
}

#[test]
fn changed_files_never_panic_and_take_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let document = nifti_files::document();
    let mut random = ChaCha8Rng::seed_from_u64(1908);
    let (plain, gzip) = (Changed::new(folder.path(), "changed.nii"), Changed::new(folder.path(), "changed.nii.gz"));
    let before = peak_memory_bytes();
    let (mut read, mut refused) = (0, 0);
    let wanted = ["little-i2", "big-f4", "second-u2", "second-big-i2", "rgba", "seven-axes", "qform", "extension"];
    for case in document["cases"].as_array().unwrap() {
        if !wanted.iter().any(|name| case["name"] == *name) {
            continue;
        }
        let (name, text) = case["files"].as_object().unwrap().iter().next().unwrap();
        let whole = nifti_files::bytes(text.as_str().unwrap());
        for variant in 0..800 {
            let mut bytes = whole.clone();
            for _ in 0..random.random_range(1..4u8) {
                if !bytes.is_empty() {
                    change(&mut bytes, &mut random);
                }
            }
            // Every fourth one lies inside of a sound gzip stream, every fifth of those in a damaged one.
            let changed = if variant % 4 == 0 { &gzip } else { &plain };
            if variant % 4 == 0 {
                bytes = packed(&bytes);
                if variant % 20 == 0 {
                    change(&mut bytes, &mut random);
                }
            }
            let is_read = read_all(changed.put(&bytes), &format!("{name}, variant {variant}"));
            *(if is_read { &mut read } else { &mut refused }) += 1;
        }
    }
    assert_eq!(read + refused, 6400);
    // Damage to values and to odd fields passes; damage to lengths does not.
    assert!(read > 1000 && refused > 2000, "{read} read, {refused} refused");
    if let (Some(before), Some(after)) = (before, peak_memory_bytes()) {
        assert!(after - before < MOST_MEMORY, "{} bytes more", after - before);
    }
}

#[test]
fn files_cut_anywhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let document = nifti_files::document();
    for name in ["little-i2", "second-u2", "packed"] {
        let case = document["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap();
        let (_, text) = case["files"].as_object().unwrap().iter().next().unwrap();
        let whole = nifti_files::bytes(text.as_str().unwrap());
        let changed = Changed::new(folder.path(), "changed.nii");
        for length in 0..whole.len() {
            assert!(!read_all(changed.put(&whole[..length]), name), "{name} of {length} bytes");
        }
    }
}

#[test]
fn a_gzip_stream_that_unpacks_without_end_is_refused_by_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let document = nifti_files::document();
    let case = document["cases"].as_array().unwrap().iter().find(|case| case["name"] == "little-u1").unwrap();
    let whole = nifti_files::bytes(case["files"]["little-u1.nii"].as_str().unwrap());
    let path = folder.path().join("changed.nii.gz");
    let before = peak_memory_bytes();

    // 32767³ voxels promised by a few hundred bytes.
    let mut lie = whole.clone();
    (0..3).for_each(|axis| lie[42 + 2 * axis..44 + 2 * axis].copy_from_slice(&i16::MAX.to_le_bytes()));
    std::fs::write(&path, packed(&lie)).unwrap();
    let text = Nifti::open(&path).unwrap_err().to_string();
    assert!(text.contains("for dim [32767, 32767, 32767]") && text.contains("once unpacked"), "{text}");

    // 24 voxels promised, 200 MB of zeros behind them.
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&whole).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..200).for_each(|_| packer.write_all(&zeros).unwrap());
    std::fs::write(&path, packer.finish().unwrap()).unwrap();
    let text = refusal(&path);
    assert!(text.contains("expected the file to end"), "{text}");

    if let (Some(before), Some(after)) = (before, peak_memory_bytes()) {
        assert!(after - before < MOST_MEMORY, "{} bytes more", after - before);
    }
}

#[test]
fn a_changed_voxel_in_a_gzip_stream_is_found_by_its_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let document = nifti_files::document();
    let case = document["cases"].as_array().unwrap().iter().find(|case| case["name"] == "packed").unwrap();
    let whole = nifti_files::bytes(case["files"]["packed.nii.gz"].as_str().unwrap());
    let changed = Changed::new(folder.path(), "changed.nii.gz");
    for at in 10..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        assert!(!read_all(changed.put(&bytes), "packed"), "byte {at}");
    }
}

#[test]
fn a_gzip_stream_of_several_blocks_is_read_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let document = nifti_files::document();
    let case = document["cases"].as_array().unwrap().iter().find(|case| case["name"] == "little-u1").unwrap();
    let mut whole = nifti_files::bytes(case["files"]["little-u1.nii"].as_str().unwrap())[..352].to_vec();
    let axes = [211_i16, 160, 100];
    for (axis, points) in axes.iter().enumerate() {
        whole[42 + 2 * axis..44 + 2 * axis].copy_from_slice(&points.to_le_bytes());
    }
    let mut voxels = vec![0; 211 * 160 * 100];
    ChaCha8Rng::seed_from_u64(7).fill_bytes(&mut voxels);
    whole.extend_from_slice(&voxels);
    let good = packed(&whole);
    let changed = Changed::new(folder.path(), "changed.nii.gz");

    let NpyValue::U8(read) = Nifti::open(changed.put(&good)).unwrap().stored().unwrap() else { panic!("another type") };
    assert_eq!(read.shape, [100, 160, 211]);
    assert!(read.values == voxels, "the voxels differ");
    for length in [good.len() / 3, good.len() / 2, good.len() - 9] {
        let text = refusal(changed.put(&good[..length]));
        assert!(text.contains("expected a whole gzip stream"), "{length} bytes: {text}");
    }
    let mut bytes = good.clone();
    bytes[good.len() / 2] ^= 0x10;
    assert!(!read_all(changed.put(&bytes), "one byte"));
    let fewer = packed(&whole[..whole.len() - 1]);
    let text = refusal(changed.put(&fewer));
    assert!(text.contains("3376000 bytes") && text.contains("3375999"), "{text}");
}
