//! Writing a volume: one `.nii` or `.nii.gz`, little-endian, on the grid that it came from.
//!
//! No free text is written and no time, so a file names neither a patient nor a day, and equal volumes give equal bytes.

use std::io::Write;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use kd_image::{Geometry, Image, LabelMap};

use super::datatype::NiftiType;
use super::placement::qform_parts;
use super::raw::{NiftiVersion, RawHeader, SIZE_1, SIZE_2};
use crate::format::{NpyArray, NpyValue};
use crate::store::{StoreError, path_tail, write_atomic};

/// The most points of an axis that NIfTI-1 can tell.
const LONGEST_AXIS_1: usize = i16::MAX as usize;
/// The usual middle between time and size.
const LEVEL: u32 = 6;

/// Writes an array of one volume, whole or not at all; the name ends in `.nii` or `.nii.gz`.
///
/// # Shapes
/// `[depth, rows, columns]` of any number type, or `[depth, rows, columns, 3]` of bytes (red, green, blue).
///
/// # Policy
/// The numbers stand as given (slope 1, intercept 0), in mm. A placed grid is written as sform, and as qform too unless
/// its axes are sheared (a cosine above 1e-4), both with code 1 (scanner); a grid with spacing alone gets neither.
/// NIfTI-1, which stores places as 32-bit floats; NIfTI-2 for an axis beyond 32767 points. All text fields are empty.
///
/// # Errors
/// [`StoreError::Request`] for another name, a shape that is not the grid's, text, and a grid without spacing;
/// [`StoreError`] when writing fails.
pub fn write_nifti(path: &Path, voxels: &NpyValue, grid: &Geometry<3>) -> Result<(), StoreError> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is_packed = match name.as_str() {
        name if name.ends_with(".nii.gz") => true,
        name if name.ends_with(".nii") => false,
        _ => return Err(request("name of a NIfTI file", "one that ends in .nii or .nii.gz", path_tail(path))),
    };
    let bytes = nifti_bytes(voxels, grid)?;
    if !is_packed {
        return write_atomic(path, &bytes);
    }
    // Without a time and a name in the gzip header the bytes depend on the voxels alone.
    let mut packer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(LEVEL));
    let packed = packer.write_all(&bytes).and_then(|()| packer.finish());
    write_atomic(path, &packed.map_err(|source| StoreError::io("packing", path, source))?)
}

/// Writes an image, whole or not at all, as `stored` numbers.
///
/// # Policy
/// As [`write_nifti`]. Nothing is rounded and nothing scaled: a value that `stored` cannot hold exactly is refused.
/// Three channels are written as colours.
///
/// # Errors
/// As [`write_nifti`]; [`StoreError::Request`] for a value that does not fit, and for a number of channels but 1 (of
/// numbers) and 3 (of [`NiftiType::Rgb24`]).
///
/// # Example
/// ```
/// use kd_data::format::{Nifti, NiftiType, NotFinite, write_nifti_image};
/// use kd_image::{Affine, Geometry, Image, Intensity};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("ct.nii.gz");
/// let affine = Affine { matrix: [[-0.5, 0.0, 0.0, 9.0], [0.0, -0.5, 0.0, 8.0], [0.0, 0.0, 2.0, -7.0], [0.0, 0.0, 0.0, 1.0]] };
/// let grid = Geometry::<3>::placed([1, 1, 2], affine)?;
/// let ct = Image::new(1, grid, Intensity::Hounsfield, vec![-1000.0, 40.0])?;
/// write_nifti_image(&path, &ct, NiftiType::I16)?;
/// let back = Nifti::open(&path)?;
/// assert_eq!(back.header().datatype, NiftiType::I16);
/// assert_eq!(back.image(Intensity::Hounsfield, NotFinite::Refuse)?, ct);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_nifti_image(path: &Path, image: &Image<3>, stored: NiftiType) -> Result<(), StoreError> {
    write_nifti(path, &array_of(image, stored)?, image.geometry())
}

/// Writes class numbers, whole or not at all: as `uint8` where 256 classes suffice, else as `uint16`.
///
/// # Policy
/// As [`write_nifti`].
///
/// # Errors
/// As [`write_nifti`].
pub fn write_nifti_labels(path: &Path, labels: &LabelMap<3>) -> Result<(), StoreError> {
    let shape = labels.geometry().shape().to_vec();
    let voxels = if labels.n_classes() <= 256 {
        // Below the number of classes, as every label of a map is.
        let values = labels.labels().iter().map(|&label| u8::try_from(label).unwrap_or(u8::MAX)).collect();
        NpyValue::U8(NpyArray { shape, values })
    } else {
        NpyValue::U16(NpyArray { shape, values: labels.labels().to_vec() })
    };
    write_nifti(path, &voxels, labels.geometry())
}

fn request(what: &str, expected: impl Into<String>, found: impl Into<String>) -> StoreError {
    StoreError::Request { what: what.into(), expected: expected.into(), found: found.into() }
}

fn array_of(image: &Image<3>, stored: NiftiType) -> Result<NpyValue, StoreError> {
    let colours = stored.colours().unwrap_or(1);
    if image.channels() != colours || stored == NiftiType::Rgba32 {
        let expected = "1 channel of numbers, or 3 of RGB24";
        return Err(request("channels of a NIfTI", expected, format!("{} of {}", image.channels(), stored.name())));
    }
    let mut shape = image.geometry().shape().to_vec();
    let values = image.values();
    macro_rules! exact {
        ($kind:ty) => {{
            // A cast stops at the type's end, and the largest 64-bit numbers have no float of their own.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_lossless)]
            #[allow(clippy::cast_precision_loss)]
            let fits = |value: f32| {
                let exact = f64::from(value);
                exact < <$kind>::MAX as f64 + 1.0 && (value as $kind as f64 - exact).abs() < f64::MIN_POSITIVE
            };
            if let Some(position) = values.iter().position(|&value| !fits(value)) {
                let what = format!("values of a NIfTI of {}", stored.name());
                let expected = "values that it holds exactly";
                return Err(request(&what, expected, format!("{} at position {position}", values[position])));
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            values.iter().map(|&value| value as $kind).collect::<Vec<$kind>>()
        }};
    }
    Ok(match stored {
        NiftiType::F32 => NpyValue::F32(NpyArray { shape, values: values.to_vec() }),
        NiftiType::F64 => NpyValue::F64(NpyArray { shape, values: values.iter().map(|&v| f64::from(v)).collect() }),
        NiftiType::U8 => NpyValue::U8(NpyArray { shape, values: exact!(u8) }),
        NiftiType::I8 => NpyValue::I8(NpyArray { shape, values: exact!(i8) }),
        NiftiType::U16 => NpyValue::U16(NpyArray { shape, values: exact!(u16) }),
        NiftiType::I16 => NpyValue::I16(NpyArray { shape, values: exact!(i16) }),
        NiftiType::U32 => NpyValue::U32(NpyArray { shape, values: exact!(u32) }),
        NiftiType::I32 => NpyValue::I32(NpyArray { shape, values: exact!(i32) }),
        NiftiType::U64 => NpyValue::U64(NpyArray { shape, values: exact!(u64) }),
        NiftiType::I64 => NpyValue::I64(NpyArray { shape, values: exact!(i64) }),
        NiftiType::Rgb24 | NiftiType::Rgba32 => {
            let planes = exact!(u8);
            let points = image.geometry().n_points();
            shape.push(3);
            let values = (0..points).flat_map(|n| [0, 1, 2].map(|c| planes[c * points + n])).collect();
            NpyValue::U8(NpyArray { shape, values })
        }
    })
}

/// The bytes of a `.nii` file.
fn nifti_bytes(voxels: &NpyValue, grid: &Geometry<3>) -> Result<Vec<u8>, StoreError> {
    let (mut datatype, shape, count) = kind_of(voxels)?;
    let points = grid.shape();
    let expected = match (datatype, shape) {
        (NiftiType::U8, [.., 3]) if shape.len() == 4 => {
            datatype = NiftiType::Rgb24;
            grid.n_points().checked_mul(3)
        }
        _ => Some(grid.n_points()),
    };
    if shape[..3.min(shape.len())] != points || shape.len() > 3 + usize::from(datatype == NiftiType::Rgb24) {
        let expected = format!("the grid's {points:?}, or with 3 colours of uint8 behind");
        return Err(request("shape of the voxels of a NIfTI", expected, format!("{shape:?}")));
    }
    if expected != Some(count) {
        let expected = expected.map_or_else(|| "a number that can be counted".into(), |n| n.to_string());
        return Err(request("voxels of a NIfTI", expected, count.to_string()));
    }
    let header = header_of(datatype, grid)?;
    let mut bytes = header.to_bytes();
    bytes.reserve(4 + count * 8);
    // No extension follows.
    bytes.extend_from_slice(&[0; 4]);
    append(voxels, &mut bytes);
    Ok(bytes)
}

fn header_of(datatype: NiftiType, grid: &Geometry<3>) -> Result<RawHeader, StoreError> {
    let Some(spacing) = grid.spacing_mm() else {
        return Err(request("grid of a NIfTI", "a spacing in mm", "an unknown one"));
    };
    let [depth, height, width] = grid.shape();
    let version = if depth.max(height).max(width) > LONGEST_AXIS_1 { NiftiVersion::Two } else { NiftiVersion::One };
    let axis = |points: usize| {
        i64::try_from(points).map_err(|_| request("axis of a NIfTI", "fewer points than 2^63", points.to_string()))
    };
    let identity = [[0.0; 4]; 3];
    let mut header = RawHeader {
        version,
        big_endian: false,
        single: true,
        dim: [3, axis(width)?, axis(height)?, axis(depth)?, 1, 1, 1, 1],
        datatype: datatype.code(),
        bitpix: datatype.bytes() as i16 * 8,
        pixdim: [1.0, spacing[2], spacing[1], spacing[0], 0.0, 0.0, 0.0, 0.0],
        vox_offset: if version == NiftiVersion::One { SIZE_1 as f64 + 4.0 } else { SIZE_2 as f64 + 4.0 },
        slope: 1.0,
        intercept: 0.0,
        units: 2,
        qform_code: 0,
        sform_code: 0,
        quatern: [0.0; 3],
        qoffset: [0.0; 3],
        srow: identity,
    };
    if let Some(affine) = grid.affine() {
        let [x, y, z, _] = affine.matrix;
        header.srow = [x, y, z];
        header.sform_code = 1;
        if let Some(parts) = qform_parts(affine) {
            header.qform_code = 1;
            header.quatern = parts.quatern;
            header.qoffset = [x[3], y[3], z[3]];
            header.pixdim[0] = parts.qfac;
        }
    }
    Ok(header)
}

fn kind_of(voxels: &NpyValue) -> Result<(NiftiType, &[usize], usize), StoreError> {
    Ok(match voxels {
        NpyValue::U8(array) => (NiftiType::U8, &array.shape, array.values.len()),
        NpyValue::I8(array) => (NiftiType::I8, &array.shape, array.values.len()),
        NpyValue::U16(array) => (NiftiType::U16, &array.shape, array.values.len()),
        NpyValue::I16(array) => (NiftiType::I16, &array.shape, array.values.len()),
        NpyValue::U32(array) => (NiftiType::U32, &array.shape, array.values.len()),
        NpyValue::I32(array) => (NiftiType::I32, &array.shape, array.values.len()),
        NpyValue::U64(array) => (NiftiType::U64, &array.shape, array.values.len()),
        NpyValue::I64(array) => (NiftiType::I64, &array.shape, array.values.len()),
        NpyValue::F32(array) => (NiftiType::F32, &array.shape, array.values.len()),
        NpyValue::F64(array) => (NiftiType::F64, &array.shape, array.values.len()),
        NpyValue::Text(_) => return Err(request("voxels of a NIfTI", "numbers", "text")),
    })
}

fn append(voxels: &NpyValue, bytes: &mut Vec<u8>) {
    macro_rules! append {
        ($array:expr) => {
            bytes.extend($array.values.iter().flat_map(|value| value.to_le_bytes()))
        };
    }
    match voxels {
        NpyValue::U8(array) => bytes.extend_from_slice(&array.values),
        NpyValue::I8(array) => append!(array),
        NpyValue::U16(array) => append!(array),
        NpyValue::I16(array) => append!(array),
        NpyValue::U32(array) => append!(array),
        NpyValue::I32(array) => append!(array),
        NpyValue::U64(array) => append!(array),
        NpyValue::I64(array) => append!(array),
        NpyValue::F32(array) => append!(array),
        NpyValue::F64(array) => append!(array),
        NpyValue::Text(_) => {}
    }
}
