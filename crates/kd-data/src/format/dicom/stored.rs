//! Pixel data to stored values: bits cut out, signs spread, colour planes interleaved, frames one after the other.

use std::borrow::Cow;

use rayon::prelude::*;

use super::super::error::Problem;
use super::codec::{Fragments, Frame, Samples, check_ratio, decode, is_ybr, native};
use super::data_set::{DataSet, Element, Value};
use super::pixel_format::{Photometric, PixelFormat, SampleType};
use super::syntax::{Syntax, TransferSyntax};
use super::tag;
use crate::format::{NpyArray, NpyValue};

/// Stored values, and whether the three samples of a pixel are luminance and colour differences.
pub(super) struct Stored {
    pub(super) values: NpyValue,
    pub(super) ybr: bool,
}

/// Which bits of a sample count.
#[derive(Clone, Copy)]
struct Bits {
    width: u16,
    shift: u16,
}

impl Bits {
    fn unsigned(self, raw: u32) -> u32 {
        raw >> self.shift & (u32::MAX >> (32 - self.width))
    }

    /// Shifting up and back down spreads the sign bit.
    fn signed(self, raw: u32) -> i32 {
        (raw << (32 - self.shift - self.width)).cast_signed() >> (32 - self.width)
    }
}

/// Decodes all frames.
pub(super) fn read(set: &DataSet<'_>, format: &PixelFormat, syntax: TransferSyntax) -> Result<Stored, Problem> {
    let by_header = matches!(format.photometric, Photometric::YbrFull | Photometric::YbrFull422);
    let pixels = |tag| {
        let element = set.elements.get(&tag);
        element.ok_or_else(|| Problem::new(format!("{}", tag::PIXELS), "nothing there").hint("the file holds no image"))
    };
    match format.sample_type {
        SampleType::Float32 => {
            let element = pixels(tag::FLOAT_PIXELS)?;
            let bytes = enough(element, format)?;
            let values = bytes.as_chunks().0.iter().map(|&four| element.encoding.f32(four)).collect();
            Ok(Stored { values: NpyValue::F32(NpyArray { shape: format.shape(), values }), ybr: false })
        }
        SampleType::Float64 => {
            let element = pixels(tag::DOUBLE_PIXELS)?;
            let bytes = enough(element, format)?;
            let values = bytes.as_chunks().0.iter().map(|&eight| element.encoding.f64(eight)).collect();
            Ok(Stored { values: NpyValue::F64(NpyArray { shape: format.shape(), values }), ybr: false })
        }
        SampleType::Integer { .. } => {
            let element = pixels(tag::PIXELS)?;
            if let Value::Fragments(_) = element.value {
                let fragments = Fragments::read(set, format.frames, syntax.syntax)?;
                let decoded = format.frame_bits().and_then(|bits| bits.div_ceil(8).checked_mul(format.frames));
                check_ratio(decoded, fragments.bytes())?;
                let ybr = format.samples == 3 && is_ybr(&fragments.frame(0), syntax, format.photometric);
                let values = gather(format, |frame| decode(&fragments.frame(frame), syntax, format))?;
                return Ok(Stored { values, ybr });
            }
            if !matches!(syntax.syntax, Syntax::Native | Syntax::Deflated) {
                return Err(Problem::new(
                    format!("compressed fragments in {} ({})", tag::PIXELS, syntax.name),
                    "bytes",
                ));
            }
            Ok(Stored { values: uncompressed(element, format)?, ybr: by_header })
        }
    }
}

/// The bytes of uncompressed pixels, if they are as many as the header says; files pad them.
fn enough<'a>(element: &Element<'a>, format: &PixelFormat) -> Result<&'a [u8], Problem> {
    let Value::Bytes(bytes) = element.value else {
        return Err(Problem::new("uncompressed pixels", "fragments"));
    };
    let expected = format.frame_bits().and_then(|bits| bits.checked_mul(format.frames)).map(|bits| bits.div_ceil(8));
    match expected.and_then(|expected| bytes.get(..expected)) {
        Some(bytes) => Ok(bytes),
        None => Err(Problem::truncated(
            format!(
                "{} bytes of pixels for {} frames of {} × {}",
                expected.unwrap_or(usize::MAX),
                format.frames,
                format.rows,
                format.columns
            ),
            bytes.len().to_string(),
        )),
    }
}

fn uncompressed(element: &Element<'_>, format: &PixelFormat) -> Result<NpyValue, Problem> {
    let SampleType::Integer { allocated, .. } = format.sample_type else {
        return Err(Problem::new("whole numbers", "floating-point pixels"));
    };
    let big_endian = element.encoding.big_endian;
    let in_words = big_endian && allocated < 16 && &element.vr == b"OW";
    let swapped: Vec<u8>;
    let mut format = *format;
    // Full-rate colour under the name of the half-rate one: the length tells.
    if format.photometric == Photometric::YbrFull422
        && let Value::Bytes(bytes) = element.value
        && format.n_samples().is_some_and(|samples| bytes.len() >= samples)
    {
        format.photometric = Photometric::YbrFull;
    }
    let mut bytes = enough(element, &format)?;
    if in_words {
        // Bytes in 16-bit words change places with their neighbours; an odd last one has its own behind the padding.
        let Value::Bytes(all) = element.value else { return Err(Problem::new("uncompressed pixels", "fragments")) };
        swapped = all.chunks(2).flat_map(|pair| pair.iter().rev().copied()).take(bytes.len()).collect();
        bytes = &swapped;
    }
    let samples = format.frame_samples().unwrap_or(usize::MAX);
    if format.photometric == Photometric::YbrFull422 {
        if !format.columns.is_multiple_of(2) {
            return Err(Problem::new("an even number of columns in YBR_FULL_422", format.columns.to_string()));
        }
        return gather(&format, |frame| {
            // Two luminances, then the colour differences that both pixels share.
            let pairs = bytes[frame * samples / 3 * 2..(frame + 1) * samples / 3 * 2].as_chunks::<4>().0;
            let spread = pairs.iter().flat_map(|&[y0, y1, cb, cr]| [y0, cb, cr, y1, cb, cr]).collect();
            Ok(Frame { samples: Samples::Bytes(Cow::Owned(spread)), planar: false, precision: None })
        });
    }
    gather(&format, |frame| {
        let samples = if allocated == 1 {
            Samples::Bits(bytes, frame * samples)
        } else {
            let width = usize::from(allocated / 8);
            native(Cow::Borrowed(&bytes[frame * samples * width..(frame + 1) * samples * width]), allocated, big_endian)
        };
        Ok(Frame { samples, planar: format.planar, precision: None })
    })
}

/// All frames in one array of the stored type.
fn gather<'a>(
    format: &PixelFormat,
    frame: impl Fn(usize) -> Result<Frame<'a>, Problem> + Sync,
) -> Result<NpyValue, Problem> {
    let SampleType::Integer { allocated, stored, shift, signed } = format.sample_type else {
        return Err(Problem::new("whole numbers", "floating-point pixels"));
    };
    let shape = format.shape();
    let header = Bits { width: stored, shift };
    #[allow(clippy::cast_possible_truncation)] // the allocated width holds what the bits of it hold
    Ok(match (allocated, signed) {
        (..=8, false) => NpyValue::U8(fill(format, shape, header, frame, |bits, raw| bits.unsigned(raw) as u8)?),
        (..=8, true) => NpyValue::I8(fill(format, shape, header, frame, |bits, raw| bits.signed(raw) as i8)?),
        (..=16, false) => NpyValue::U16(fill(format, shape, header, frame, |bits, raw| bits.unsigned(raw) as u16)?),
        (..=16, true) => NpyValue::I16(fill(format, shape, header, frame, |bits, raw| bits.signed(raw) as i16)?),
        (_, false) => NpyValue::U32(fill(format, shape, header, frame, Bits::unsigned)?),
        (_, true) => NpyValue::I32(fill(format, shape, header, frame, Bits::signed)?),
    })
}

fn fill<'a, T: Copy + Default + Send>(
    format: &PixelFormat,
    shape: Vec<usize>,
    header: Bits,
    frame: impl Fn(usize) -> Result<Frame<'a>, Problem> + Sync,
    cast: impl Fn(Bits, u32) -> T + Copy + Sync,
) -> Result<NpyArray<T>, Problem> {
    let counted = format.frame_samples().zip(format.n_samples());
    let (samples, all) = counted.ok_or_else(|| Problem::new("a shape that can be counted", "a larger one"))?;
    let mut values = vec![T::default(); all];
    values.par_chunks_mut(samples).enumerate().try_for_each(|(index, into)| {
        let named = |problem: Problem| problem.inside(format!("frame {index} of {}", tag::PIXELS));
        let frame = frame(index).map_err(named)?;
        let bits = match frame.precision {
            Some(width) => Bits { width, shift: 0 },
            None => header,
        };
        let planar = frame.planar;
        let cast = |raw| cast(bits, raw);
        match &frame.samples {
            Samples::Bits(bytes, start) => {
                let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| u32::from(byte >> (at % 8) & 1));
                place(into, (*start..start.saturating_add(samples)).map(bit), planar, cast);
            }
            Samples::Bytes(bytes) => place(into, bytes.iter().map(|&byte| u32::from(byte)), planar, cast),
            Samples::Words(bytes, false) => {
                place(into, bytes.as_chunks().0.iter().map(|&two| u32::from(u16::from_le_bytes(two))), planar, cast);
            }
            Samples::Words(bytes, true) => {
                place(into, bytes.as_chunks().0.iter().map(|&two| u32::from(u16::from_be_bytes(two))), planar, cast);
            }
            Samples::Longs(bytes, false) => {
                place(into, bytes.as_chunks().0.iter().map(|&four| u32::from_le_bytes(four)), planar, cast);
            }
            Samples::Longs(bytes, true) => {
                place(into, bytes.as_chunks().0.iter().map(|&four| u32::from_be_bytes(four)), planar, cast);
            }
            Samples::Decoded(values) => place(into, values.iter().copied(), planar, cast),
        }
        Ok(())
    })?;
    Ok(NpyArray { shape, values })
}

fn place<T>(into: &mut [T], from: impl Iterator<Item = u32>, planar: bool, cast: impl Fn(u32) -> T) {
    if planar {
        let pixels = into.len() / 3;
        for (index, raw) in from.enumerate().take(into.len()) {
            into[index % pixels * 3 + index / pixels] = cast(raw);
        }
    } else {
        for (value, raw) in into.iter_mut().zip(from) {
            *value = cast(raw);
        }
    }
}
