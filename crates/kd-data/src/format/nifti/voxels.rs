//! From stored bytes to numbers: as they are, as they are meant, as labels.

use std::path::Path;

use super::datatype::NiftiType;
use super::file::read_voxels;
use super::header::NiftiHeader;
use crate::format::error::Problem;
use crate::format::{FormatError, NpyArray, NpyValue};

/// What to do with a voxel that is no finite number: NaN and infinities mark what was not measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NotFinite {
    /// The file is refused.
    Refuse,
    /// This finite value takes its place.
    Replace(f32),
}

/// How far from a whole number a scaled label may lie: a slope of 32 bits does not multiply exactly.
const WHOLE: f64 = 1e-4;

/// Appends every item of `bytes` as a number of one type, passed on.
macro_rules! each {
    ($kind:ty, $bytes:expr, $big_endian:expr, $values:expr, $each:expr) => {{
        let (items, _) = $bytes.as_chunks::<{ size_of::<$kind>() }>();
        if $big_endian {
            $values.extend(items.iter().map(|item| ($each)(<$kind>::from_be_bytes(*item))));
        } else {
            $values.extend(items.iter().map(|item| ($each)(<$kind>::from_le_bytes(*item))));
        }
    }};
}

/// The voxels as stored, slowest axis first, at least `[depth, rows, columns]`; colours come last.
pub(super) fn stored(path: &Path, header: &NiftiHeader) -> Result<NpyValue, FormatError> {
    let shape = shape_of(header);
    macro_rules! array {
        ($variant:ident, $kind:ty) => {{
            let values = read_voxels(path, header, |block, values| {
                each!($kind, block, header.big_endian, values, |value: $kind| value);
                Ok(())
            })?;
            NpyValue::$variant(NpyArray { shape, values })
        }};
    }
    Ok(match header.datatype {
        NiftiType::U8 | NiftiType::Rgb24 | NiftiType::Rgba32 => array!(U8, u8),
        NiftiType::I8 => array!(I8, i8),
        NiftiType::U16 => array!(U16, u16),
        NiftiType::I16 => array!(I16, i16),
        NiftiType::U32 => array!(U32, u32),
        NiftiType::I32 => array!(I32, i32),
        NiftiType::U64 => array!(U64, u64),
        NiftiType::I64 => array!(I64, i64),
        NiftiType::F32 => array!(F32, f32),
        NiftiType::F64 => array!(F64, f64),
    })
}

/// Axes of an array of all voxels: single axes behind the third are dropped at the end, missing ones up to it are 1.
pub(super) fn shape_of(header: &NiftiHeader) -> Vec<usize> {
    let used = header.dims.iter().rposition(|&points| points > 1).map_or(0, |last| last + 1).max(3);
    let axis = |n: usize| header.dims.get(n).copied().unwrap_or(1);
    (0..used).rev().map(axis).chain(header.datatype.colours()).collect()
}

/// The numbers that are meant, in `f32`; colours stay interleaved.
pub(super) fn meant(path: &Path, header: &NiftiHeader, not_finite: NotFinite) -> Result<Vec<f32>, FormatError> {
    let may_be_odd = matches!(header.datatype, NiftiType::F32 | NiftiType::F64) || header.scaling.is_some();
    read_voxels(path, header, |block, values| {
        let first = values.len();
        append_meant(header, block, values);
        if may_be_odd { settle(header, block, first, not_finite, &mut values[first..]) } else { Ok(()) }
    })
}

fn append_meant(header: &NiftiHeader, block: &[u8], values: &mut Vec<f32>) {
    // One pass each, so that the compiler sees a loop without a choice in it.
    macro_rules! numbers {
        ($kind:ty) => {
            match header.scaling {
                #[allow(clippy::cast_lossless, clippy::cast_precision_loss, clippy::cast_possible_truncation)]
                None => each!($kind, block, header.big_endian, values, |value: $kind| value as f32),
                #[allow(clippy::cast_lossless, clippy::cast_precision_loss, clippy::cast_possible_truncation)]
                Some(scaling) => {
                    let (slope, intercept) = (scaling.slope, scaling.intercept);
                    let meant = |value: $kind| (value as f64 * slope + intercept) as f32;
                    each!($kind, block, header.big_endian, values, meant);
                }
            }
        };
    }
    match header.datatype {
        NiftiType::U8 | NiftiType::Rgb24 | NiftiType::Rgba32 => numbers!(u8),
        NiftiType::I8 => numbers!(i8),
        NiftiType::U16 => numbers!(u16),
        NiftiType::I16 => numbers!(i16),
        NiftiType::U32 => numbers!(u32),
        NiftiType::I32 => numbers!(i32),
        NiftiType::U64 => numbers!(u64),
        NiftiType::I64 => numbers!(i64),
        NiftiType::F32 => numbers!(f32),
        NiftiType::F64 => numbers!(f64),
    }
}

/// Looks for numbers that are not finite among the `values` of a block, the first of which is number `first`.
fn settle(
    header: &NiftiHeader,
    block: &[u8],
    first: usize,
    not_finite: NotFinite,
    values: &mut [f32],
) -> Result<(), Problem> {
    for (position, value) in values.iter_mut().enumerate().filter(|(_, value)| !value.is_finite()) {
        let place = place_of(header, first + position);
        let stored = number_at(header, block, position, false);
        let meant = number_at(header, block, position, true);
        if stored.is_finite() {
            let found = format!("{meant} at {place}");
            return Err(Problem::new("numbers that 32-bit floats can hold", found)
                .hint("scale the image down, or correct scl_slope and scl_inter"));
        }
        match not_finite {
            NotFinite::Replace(other) => *value = other,
            NotFinite::Refuse => {
                return Err(Problem::new("finite numbers", format!("{stored} at {place}"))
                    .hint("give these voxels a number, such as that of air, or leave the image out"));
            }
        }
    }
    Ok(())
}

/// The labels that the numbers mean.
pub(super) fn labels(path: &Path, header: &NiftiHeader) -> Result<Vec<u16>, FormatError> {
    if header.datatype.colours().is_some() {
        return Err(Problem::new("one number a voxel for labels", header.datatype.name())
            .hint("save class numbers, not the colours that a viewer shows for them")
            .at(path, None));
    }
    read_voxels(path, header, |block, labels| {
        match (header.datatype, header.scaling) {
            (NiftiType::U8, None) => labels.extend(block.iter().map(|&label| u16::from(label))),
            (NiftiType::U16, None) => each!(u16, block, header.big_endian, labels, |label: u16| label),
            _ => {
                let first = labels.len();
                for position in 0..block.len() / header.datatype.bytes() {
                    let found = number_at(header, block, position, true);
                    labels.push(label_of(found).ok_or_else(|| {
                        let expected = format!("labels that are whole numbers from 0 to {}", u16::MAX);
                        let hint = "a mask is resampled with nearest neighbour; check that this file is not the image";
                        Problem::new(expected, format!("{found} at {}", place_of(header, first + position))).hint(hint)
                    })?);
                }
            }
        }
        Ok(())
    })
}

fn label_of(found: f64) -> Option<u16> {
    let whole = found.round();
    let is_label = (found - whole).abs() <= WHOLE && (0.0..=f64::from(u16::MAX)).contains(&whole);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a whole number in range
    is_label.then_some(whole as u16)
}

/// One number of a block, stored or meant; of a colour, one of its bytes. Slow, for odd values and odd types.
#[allow(clippy::cast_precision_loss)] // beyond 2^53 no label and no error needs the last digit
fn number_at(header: &NiftiHeader, block: &[u8], position: usize, is_meant: bool) -> f64 {
    let size = if header.datatype.colours().is_some() { 1 } else { header.datatype.bytes() };
    let mut item = [0; 8];
    item[..size].copy_from_slice(&block[position * size..(position + 1) * size]);
    if header.big_endian {
        item[..size].reverse();
    }
    let bits = u64::from_le_bytes(item);
    let unused = 64 - 8 * size as u32;
    let stored = match header.datatype {
        NiftiType::I8 | NiftiType::I16 | NiftiType::I32 | NiftiType::I64 => {
            (bits.cast_signed() << unused >> unused) as f64
        }
        #[allow(clippy::cast_possible_truncation)] // the upper half is 0
        NiftiType::F32 => f64::from(f32::from_bits(bits as u32)),
        NiftiType::F64 => f64::from_bits(bits),
        _ => bits as f64,
    };
    match header.scaling {
        Some(scaling) if is_meant => stored * scaling.slope + scaling.intercept,
        _ => stored,
    }
}

/// A voxel's number as `(x, y, z)`, with the number of the volume where there are several.
fn place_of(header: &NiftiHeader, voxel: usize) -> String {
    let [_, height, width] = header.geometry.shape();
    let points = header.geometry.n_points();
    let (volume, inside) = (voxel / points, voxel % points);
    let place = format!("voxel ({}, {}, {})", inside % width, inside / width % height, inside / (width * height));
    if header.n_volumes() > 1 { format!("{place} of volume {volume}") } else { place }
}
