//! Headerless files: nothing but numbers, whose shape and type somebody has to say.

use std::path::Path;
use std::str::FromStr;

use super::error::Problem;
use super::{FormatError, NiftiType, NpyArray, NpyValue, read_bytes};

/// What one number of a headerless file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawElement {
    kind: NiftiType,
    big_endian: bool,
}

/// A name of no known element type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "element type is `{found}`, expected uint8, int8, uint16, int16, uint32, int32, uint64, int64, float32 or float64, `-be` behind it where the largest byte stands first"
)]
pub struct RawElementError {
    found: String,
}

impl FromStr for RawElement {
    type Err = RawElementError;

    /// Reads a name such as `int16` or `float32-be`.
    ///
    /// ```
    /// use kd_data::format::RawElement;
    /// assert!("uint16-be".parse::<RawElement>().is_ok());
    /// assert!("complex64".parse::<RawElement>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, RawElementError> {
        let (name, big_endian) = text.strip_suffix("-be").map_or((text, false), |name| (name, true));
        let is_number = |kind: &&NiftiType| kind.colours().is_none() && kind.name() == name;
        match NiftiType::ALL.iter().find(is_number) {
            Some(&kind) => Ok(Self { kind, big_endian }),
            None => Err(RawElementError { found: text.into() }),
        }
    }
}

/// Reads a headerless file of `shape`, slowest axis first.
///
/// # Policy
/// The file holds exactly the numbers of the shape; one that is longer has a header, or another shape.
///
/// # Errors
/// [`FormatError`] for a file of another size, an empty one, and a shape that cannot be counted.
///
/// # Example
/// ```
/// use kd_data::format::{NpyArray, NpyValue, read_raw};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.raw");
/// std::fs::write(&path, [0, 1, 1, 0])?;
/// let array = NpyArray { shape: vec![1, 1, 2], values: vec![256, 1] };
/// assert_eq!(read_raw(&path, [1, 1, 2], "int16".parse()?)?, NpyValue::I16(array));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_raw(path: &Path, shape: [usize; 3], element: RawElement) -> Result<NpyValue, FormatError> {
    let expected = || format!("{} numbers of {} for shape {shape:?}", product(shape), element.kind.name());
    let size = shape.iter().try_fold(element.kind.bytes(), |size, &axis| size.checked_mul(axis));
    let found = std::fs::metadata(path).map_err(|source| FormatError::read(path, source))?.len();
    if found > 0 && size.is_none_or(|size| size as u64 != found) {
        let bytes = size.map_or_else(String::new, |size| format!(", {size} bytes"));
        return Err(Problem::new(format!("{}{bytes}", expected()), format!("{found} bytes"))
            .hint("correct shape and element type; a file with a header of its own is no headerless file")
            .at(path, None));
    }
    let bytes = read_bytes(path, &expected())?;
    let shape = shape.to_vec();
    macro_rules! array {
        ($variant:ident, $kind:ty) => {{
            let (items, _) = bytes.as_chunks::<{ size_of::<$kind>() }>();
            let values = items.iter().map(|item| {
                if element.big_endian { <$kind>::from_be_bytes(*item) } else { <$kind>::from_le_bytes(*item) }
            });
            NpyValue::$variant(NpyArray { shape, values: values.collect() })
        }};
    }
    Ok(match element.kind {
        NiftiType::I8 => array!(I8, i8),
        NiftiType::U16 => array!(U16, u16),
        NiftiType::I16 => array!(I16, i16),
        NiftiType::U32 => array!(U32, u32),
        NiftiType::I32 => array!(I32, i32),
        NiftiType::U64 => array!(U64, u64),
        NiftiType::I64 => array!(I64, i64),
        NiftiType::F32 => array!(F32, f32),
        NiftiType::F64 => array!(F64, f64),
        NiftiType::U8 | NiftiType::Rgb24 | NiftiType::Rgba32 => NpyValue::U8(NpyArray { shape, values: bytes }),
    })
}

fn product(shape: [usize; 3]) -> String {
    let points = shape.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis));
    points.map_or_else(|| "uncountable".into(), |n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_size_is_refused_with_both_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.raw");
        let read = |bytes: &[u8], shape, element: &str| {
            std::fs::write(&path, bytes).unwrap();
            read_raw(&path, shape, element.parse().unwrap())
        };
        let text = read(&[0; 9], [1, 2, 2], "uint16").unwrap_err().to_string();
        assert!(text.contains("4 numbers of uint16 for shape [1, 2, 2], 8 bytes, found 9 bytes\nhint: "), "{text}");
        assert!(read(&[], [1, 2, 2], "uint16").unwrap_err().to_string().contains("0 bytes"));
        assert!(read(&[0; 9], [usize::MAX, 2, 2], "uint16").unwrap_err().to_string().contains("uncountable"));
        assert!(read(&[], [1, 0, 2], "uint8").is_err());
    }

    #[test]
    fn the_largest_byte_stands_where_the_name_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.raw");
        std::fs::write(&path, (-2.5f32).to_be_bytes()).unwrap();
        let array = NpyArray { shape: vec![1, 1, 1], values: vec![-2.5f32] };
        assert_eq!(read_raw(&path, [1, 1, 1], "float32-be".parse().unwrap()).unwrap(), NpyValue::F32(array));
    }
}
