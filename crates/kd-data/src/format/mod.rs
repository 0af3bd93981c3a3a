//! Readers and writers of file formats, and the table that tells formats apart by their first bytes.
//!
//! File names lie (`.dcm` files without a suffix, `.pth` files that are zip archives), so a reader is chosen by content.
//! Everything read here was written by somebody else: every length a file declares is checked against the bytes that are
//! there before memory is taken for it, and no content makes a reader panic.

mod dicom;
mod error;
mod images;
mod labelled_png;
mod nifti;
mod npy;
mod npy_value;
mod npz;
mod raster;
mod raw;
mod table;
mod weights;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

pub(crate) use dicom::belonging_of;
pub use dicom::{
    Change, Deidentification, Deidentified, DerivedFacts, DerivedFrom, DicomImage, DicomModality, DicomSegmentation,
    DicomSeries, DicomStack, DicomVolume, Photometric, Retain, Salt, SegmentationFacts, SeriesFacts, Tilt, Uid,
    UidError, Voi, Window, WindowFunction, deidentify_dicom, dicom_name, find_dicom_stacks, read_dicom,
    read_dicom_volume, write_derived_series, write_dicom_series, write_fractional_segmentation, write_segmentation,
};
pub use error::FormatError;
pub use images::{FoundFile, ImageFile, ImageStack, files_below};
pub use labelled_png::{LABELS_FILE, LabelledPng, labels_csv, read_labelled_png};
pub use nifti::{
    Nifti, NiftiHeader, NiftiScaling, NiftiType, NiftiVersion, NotFinite, PlacementSource, write_nifti,
    write_nifti_image, write_nifti_labels,
};
pub use npy::{NpyArray, StoredArray, read_npy};
pub use npy_value::{NpyValue, write_npy};
pub use npz::{Npz, write_npz};
pub use raster::{gray8_png, gray16_png, read_raster, rgb8_png, rgb16_png};
pub use raw::{RawElement, RawElementError, read_raw};
pub use table::{Table, read_table, table_csv};
pub use weights::{WeightTensor, Weights, read_weights, safetensors_bytes, write_safetensors};

/// A file format, as told by content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG (JFIF, Exif).
    Jpeg,
    /// One NumPy array.
    Npy,
    /// A zip archive of NumPy arrays.
    Npz,
    /// A gzip stream that holds something else than NIfTI.
    Gzip,
    /// DICOM, with or without its preamble.
    Dicom,
    /// NIfTI-1 or NIfTI-2, plain or in gzip.
    Nifti,
    /// Named tensors behind a JSON header.
    Safetensors,
    /// A PyTorch checkpoint, zip layout (1.6 and later).
    TorchZip,
    /// A PyTorch checkpoint, pickle stream or tar (before 1.6).
    TorchLegacy,
    /// Any other zip archive.
    Zip,
    /// None of these.
    Unknown,
}

impl FileFormat {
    /// The format's name, as errors and `kd inspect` show it.
    ///
    /// ```
    /// assert_eq!(kd_data::format::FileFormat::Png.name(), "PNG");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Gzip => "gzip",
            Self::Dicom => "DICOM",
            Self::Nifti => "NIfTI",
            Self::Safetensors => "safetensors",
            Self::TorchZip => "PyTorch checkpoint (zip)",
            Self::TorchLegacy => "PyTorch checkpoint (legacy)",
            Self::Zip => "zip archive",
            Self::Unknown => "an unknown format",
        }
    }

    /// Whether this build reads it.
    #[must_use]
    pub const fn has_reader(self) -> bool {
        !matches!(self, Self::Gzip | Self::Zip | Self::Unknown)
    }

    /// What an error says when the format stands where another one should.
    pub(crate) fn refused(self, expected: &str) -> error::Problem {
        let problem = error::Problem::new(expected, self.name());
        match self {
            Self::Gzip => problem.hint("this build has no reader for it; convert it to PNG, npy or npz first"),
            Self::Nifti => problem.hint("a volume cannot stand here; save its slices as PNG, or as an array in an npz"),
            Self::Dicom => {
                problem.hint("a scanner's file cannot stand here; save its image as PNG, or as an array in an npz")
            }
            Self::Unknown => problem.hint("check that the file is what its name says, and that it is not cut off"),
            _ => problem,
        }
    }
}

/// Tells a format by the first bytes of a file.
///
/// # Policy
/// A zip archive is `Npz` when a member ends in `.npy`, `TorchZip` when one is called `data.pkl`, else `Zip`. A gzip
/// stream is `Nifti` when one begins inside. Only what is looked at is checked: a file that starts like a PNG may still
/// be broken behind.
///
/// # Errors
/// [`FormatError::Read`] when the file cannot be opened, [`FormatError::Empty`] for 0 bytes.
///
/// # Example
/// ```
/// use kd_data::format::{FileFormat, sniff};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("image.txt");
/// std::fs::write(&path, b"\x89PNG\r\n\x1a\n and more")?;
/// assert_eq!(sniff(&path)?, FileFormat::Png);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn sniff(path: &Path) -> Result<FileFormat, FormatError> {
    let mut head = Vec::new();
    let mut file = File::open(path).map_err(|source| FormatError::read(path, source))?;
    (&mut file).take(512).read_to_end(&mut head).map_err(|source| FormatError::read(path, source))?;
    if head.is_empty() {
        return Err(FormatError::Empty { path: crate::store::path_tail(path), expected: "a file with content".into() });
    }
    Ok(match by_magic(&head) {
        FileFormat::Zip => npz::kind_of_zip(file),
        FileFormat::Gzip => kind_of_gzip(&head, &file),
        format => format,
    })
}

fn by_magic(head: &[u8]) -> FileFormat {
    // PyTorch's magic number, little-endian, stands within the first pickle.
    const TORCH: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if at(0, b"\x89PNG\r\n\x1a\n") {
        FileFormat::Png
    } else if at(0, &[0xff, 0xd8, 0xff]) {
        FileFormat::Jpeg
    } else if at(0, b"\x93NUMPY") {
        FileFormat::Npy
    } else if at(0, b"PK\x03\x04") || at(0, b"PK\x05\x06") {
        FileFormat::Zip
    } else if at(0, &[0x1f, 0x8b]) {
        FileFormat::Gzip
    } else if at(128, b"DICM") {
        FileFormat::Dicom
    } else if at(344, b"n+1\0") || at(344, b"ni1\0") || at(4, b"n+2\0") || at(4, b"ni2\0") {
        FileFormat::Nifti
    } else if head.first_chunk::<8>().is_some_and(|n| u64::from_le_bytes(*n) <= 100_000_000) && at(8, b"{") {
        FileFormat::Safetensors
    } else if at(257, b"ustar") || head[..head.len().min(64)].windows(TORCH.len()).any(|window| window == TORCH) {
        FileFormat::TorchLegacy
    } else if dicom::starts_like_a_data_set(head) {
        FileFormat::Dicom
    } else {
        FileFormat::Unknown
    }
}

/// What a gzip stream begins with inside; a broken one is just a gzip stream. `head` was taken from `rest`.
fn kind_of_gzip(head: &[u8], rest: &File) -> FileFormat {
    let mut inside = Vec::new();
    // What a stream gives before it breaks is enough to tell.
    let _ = GzDecoder::new(head.chain(rest)).take(512).read_to_end(&mut inside);
    match by_magic(&inside) {
        FileFormat::Nifti => FileFormat::Nifti,
        _ => FileFormat::Gzip,
    }
}

/// Reads a file whole, naming it when that fails and when it is empty.
pub(crate) fn read_bytes(path: &Path, expected: &str) -> Result<Vec<u8>, FormatError> {
    let bytes = std::fs::read(path).map_err(|source| FormatError::read(path, source))?;
    if bytes.is_empty() {
        return Err(FormatError::Empty { path: crate::store::path_tail(path), expected: expected.into() });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn formats_are_told_by_content() {
        let mut dicom = vec![0; 132];
        dicom[128..].copy_from_slice(b"DICM");
        let mut nifti = vec![0; 348];
        nifti[0] = 92;
        nifti[1] = 1;
        nifti[344..].copy_from_slice(b"n+1\0");
        assert_eq!(by_magic(&dicom), FileFormat::Dicom);
        assert_eq!(by_magic(&nifti), FileFormat::Nifti);
        assert_eq!(by_magic(&[0x1f, 0x8b, 8]), FileFormat::Gzip);
        assert_eq!(by_magic(&[0xff, 0xd8, 0xff, 0xe0]), FileFormat::Jpeg);
        assert_eq!(by_magic(b"\x10\0\0\0\0\0\0\0{\"a\":1}"), FileFormat::Safetensors);
        assert_eq!(by_magic(b"text"), FileFormat::Unknown);
    }

    #[test]
    fn a_volume_is_told_inside_of_gzip() {
        let packed = |bytes: &[u8]| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap()
        };
        let mut nifti = vec![0; 1000];
        nifti[344..348].copy_from_slice(b"n+1\0");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), packed(&nifti)).unwrap();
        assert_eq!(sniff(file.path()).unwrap(), FileFormat::Nifti);
        std::fs::write(file.path(), packed(b"a text")).unwrap();
        assert_eq!(sniff(file.path()).unwrap(), FileFormat::Gzip);
    }

    #[test]
    fn an_empty_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(sniff(file.path()), Err(FormatError::Empty { .. })));
    }

    #[test]
    fn a_format_without_a_reader_is_named() {
        let text = FileFormat::Dicom.refused("PNG or JPEG").at(Path::new("a/b.dcm"), None).to_string();
        assert!(text.starts_with("`a/b.dcm`: expected PNG or JPEG, found DICOM\nhint: "), "{text}");
    }
}
