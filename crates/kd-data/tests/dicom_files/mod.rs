//! DICOM files for tests, written attribute by attribute, so that a test can leave out or bend each of them.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// One attribute: group, element, representation, value.
pub(crate) type Attribute = (u16, u16, &'static [u8; 2], Vec<u8>);

pub(crate) fn text(group: u16, element: u16, vr: &'static [u8; 2], value: impl Into<String>) -> Attribute {
    (group, element, vr, value.into().into_bytes())
}

pub(crate) fn word(group: u16, element: u16, value: u16) -> Attribute {
    (group, element, b"US", value.to_le_bytes().to_vec())
}

/// A file in Explicit VR Little Endian; the attributes are sorted, and a later one replaces an earlier one.
pub(crate) fn file(attributes: &[Attribute]) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    let mut sorted = std::collections::BTreeMap::new();
    for (group, element, vr, value) in attributes {
        sorted.insert((*group, *element), (*vr, value.clone()));
    }
    sorted.entry((2, 0x10)).or_insert((b"UI", b"1.2.840.10008.1.2.1".to_vec()));
    for ((group, element), (vr, mut value)) in sorted {
        if value.len() % 2 == 1 {
            value.push(if vr == b"UI" { 0 } else { b' ' });
        }
        bytes.extend(group.to_le_bytes());
        bytes.extend(element.to_le_bytes());
        bytes.extend(vr);
        let length = u32::try_from(value.len()).unwrap();
        if [b"OB", b"OW", b"SQ", b"UN"].contains(&vr) {
            bytes.extend([0, 0]);
            bytes.extend(length.to_le_bytes());
        } else {
            bytes.extend(u16::try_from(length).unwrap().to_le_bytes());
        }
        bytes.extend(value);
    }
    bytes
}

fn decimals(values: &[f64]) -> String {
    // Sixteen characters are what a decimal string may have.
    let one = |value: &f64| format!("{value:.9}").chars().take(16).collect::<String>();
    values.iter().map(one).collect::<Vec<_>>().join("\\")
}

/// Slice `index` of a CT series of 16 bits, whose values count up from `100 · index`.
pub(crate) fn slice(
    index: u16,
    position: [f64; 3],
    orientation: [f64; 6],
    spacing: [f64; 2],
    (rows, columns): (u16, u16),
) -> Vec<Attribute> {
    let pixels = (0..rows * columns).flat_map(|pixel| (100 * index + pixel).to_le_bytes()).collect();
    vec![
        text(0x0008, 0x0008, b"CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        text(0x0008, 0x0060, b"CS", "CT"),
        text(0x0010, 0x0010, b"PN", "Name^Secret"),
        text(0x0010, 0x0020, b"LO", "SECRET-1"),
        text(0x0020, 0x000E, b"UI", "1.2.3.4"),
        text(0x0020, 0x0032, b"DS", decimals(&position)),
        text(0x0020, 0x0037, b"DS", decimals(&orientation)),
        text(0x0020, 0x0052, b"UI", "1.2.3.5"),
        word(0x0028, 0x0002, 1),
        text(0x0028, 0x0004, b"CS", "MONOCHROME2"),
        word(0x0028, 0x0010, rows),
        word(0x0028, 0x0011, columns),
        text(0x0028, 0x0030, b"DS", decimals(&spacing)),
        word(0x0028, 0x0100, 16),
        word(0x0028, 0x0101, 16),
        word(0x0028, 0x0102, 15),
        word(0x0028, 0x0103, 0),
        text(0x0028, 0x1052, b"DS", "-1024"),
        text(0x0028, 0x1053, b"DS", "1"),
        (0x7FE0, 0x0010, b"OW", pixels),
    ]
}

/// Changes a file where it stands: some file systems flush a file that is truncated and written anew, which takes a
/// thousand times as long.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

/// Writes files `000.dcm`, `001.dcm` and so on.
pub(crate) fn write(folder: &Path, files: &[Vec<u8>]) -> Vec<PathBuf> {
    let one = |(index, bytes): (usize, &Vec<u8>)| {
        let path = folder.join(format!("{index:03}.dcm"));
        replace(&path, bytes);
        path
    };
    files.iter().enumerate().map(one).collect()
}
