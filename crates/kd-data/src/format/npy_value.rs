//! NumPy arrays that are written.

use std::path::Path;

use super::NpyArray;
use super::npy::MAGIC;
use crate::store::{StoreError, write_atomic};

/// An array to be written.
#[derive(Debug, Clone, PartialEq)]
pub enum NpyValue {
    /// `|u1`
    U8(NpyArray<u8>),
    /// `<u2`
    U16(NpyArray<u16>),
    /// `<i2`
    I16(NpyArray<i16>),
    /// `<i4`
    I32(NpyArray<i32>),
    /// `<i8`
    I64(NpyArray<i64>),
    /// `<f4`
    F32(NpyArray<f32>),
    /// `<f8`
    F64(NpyArray<f64>),
    /// `|i1`
    I8(NpyArray<i8>),
    /// `<u4`
    U32(NpyArray<u32>),
    /// `<u8`
    U64(NpyArray<u64>),
    /// `<U…`, as wide as the longest text
    Text(NpyArray<String>),
}

impl NpyValue {
    /// Points along each axis, slowest first; empty for a scalar.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::U8(array) => &array.shape,
            Self::U16(array) => &array.shape,
            Self::I16(array) => &array.shape,
            Self::I32(array) => &array.shape,
            Self::I64(array) => &array.shape,
            Self::F32(array) => &array.shape,
            Self::F64(array) => &array.shape,
            Self::I8(array) => &array.shape,
            Self::U32(array) => &array.shape,
            Self::U64(array) => &array.shape,
            Self::Text(array) => &array.shape,
        }
    }

    /// The element type by NumPy's name.
    #[must_use]
    pub fn dtype(&self) -> &'static str {
        match self {
            Self::U8(_) => "uint8",
            Self::U16(_) => "uint16",
            Self::I16(_) => "int16",
            Self::I32(_) => "int32",
            Self::I64(_) => "int64",
            Self::F32(_) => "float32",
            Self::F64(_) => "float64",
            Self::I8(_) => "int8",
            Self::U32(_) => "uint32",
            Self::U64(_) => "uint64",
            Self::Text(_) => "str",
        }
    }

    /// The bytes of a version 1 `.npy` file in C order.
    ///
    /// # Errors
    /// [`StoreError::Request`] when the shape and the number of values disagree.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        macro_rules! raw {
            ($name:literal, $array:expr) => {
                (
                    $name.to_string(),
                    &$array.shape,
                    $array.values.len(),
                    $array.values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(),
                )
            };
        }
        let (descr, shape, count, data) = match self {
            Self::U8(array) => raw!("|u1", array),
            Self::U16(array) => raw!("<u2", array),
            Self::I16(array) => raw!("<i2", array),
            Self::I32(array) => raw!("<i4", array),
            Self::I64(array) => raw!("<i8", array),
            Self::F32(array) => raw!("<f4", array),
            Self::F64(array) => raw!("<f8", array),
            Self::I8(array) => raw!("|i1", array),
            Self::U32(array) => raw!("<u4", array),
            Self::U64(array) => raw!("<u8", array),
            Self::Text(array) => {
                let width = array.values.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
                let padded = |text: &String| {
                    let codes: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
                    let missing = width * 4 - codes.len();
                    codes.into_iter().chain(std::iter::repeat_n(0, missing)).collect::<Vec<u8>>()
                };
                let data = array.values.iter().flat_map(padded).collect();
                (format!("<U{width}"), &array.shape, array.values.len(), data)
            }
        };
        let expected = shape.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis));
        if expected != Some(count) {
            return Err(StoreError::Request {
                what: format!("values of an array of shape {shape:?}"),
                expected: expected.map_or_else(|| "a shape that can be counted".into(), |n| n.to_string()),
                found: count.to_string(),
            });
        }
        let axes: Vec<String> = shape.iter().map(ToString::to_string).collect();
        let comma = if shape.len() == 1 { "," } else { "" };
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}{comma}), }}", axes.join(", "));
        // NumPy aligns values to 64 bytes and ends the header with a line break.
        let padding = (64 - (10 + text.len() + 1) % 64) % 64;
        let length = u16::try_from(text.len() + padding + 1).map_err(|_| StoreError::Request {
            what: "array shape".into(),
            expected: "a header below 64 KiB".into(),
            found: format!("{} axes", shape.len()),
        })?;
        let mut bytes = Vec::with_capacity(10 + usize::from(length) + data.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[1, 0]);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend(std::iter::repeat_n(b' ', padding));
        bytes.push(b'\n');
        bytes.extend_from_slice(&data);
        Ok(bytes)
    }
}

/// Writes a `.npy` file, whole or not at all.
///
/// # Errors
/// [`StoreError`].
///
/// # Example
/// ```
/// use kd_data::format::{NpyArray, NpyValue, read_npy, write_npy};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.npy");
/// let array = NpyArray { shape: vec![1, 2], values: vec![3i64, -4] };
/// write_npy(&path, &NpyValue::I64(array.clone()))?;
/// assert_eq!(read_npy(&path)?.integers()?, array);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_npy(path: &Path, value: &NpyValue) -> Result<(), StoreError> {
    write_atomic(path, &value.to_bytes()?)
}
