//! JPEG 2000, by `hayro-jpeg2000`: memory-safe, where the alternative (`openjp2`) is C translated line by line.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::super::super::error::Problem;
use super::super::pixel_format::PixelFormat;
use super::{Frame, Samples};

const CODESTREAM: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];

/// The size marker, as far as the decoder does not tell it.
struct Size {
    columns: u32,
    rows: u32,
    /// Bits and sign of each component.
    components: Vec<(u16, bool)>,
}

impl Size {
    fn read(stream: &[u8]) -> Option<Self> {
        let long = |at: usize| Some(u32::from_be_bytes(*stream.get(at..at + 4)?.first_chunk()?));
        let count = usize::from(u16::from_be_bytes(*stream.get(40..42)?.first_chunk()?));
        let parts = stream.get(42..42 + count * 3)?;
        Some(Self {
            columns: long(8)?.checked_sub(long(16)?)?,
            rows: long(12)?.checked_sub(long(20)?)?,
            components: parts.chunks_exact(3).map(|part| (u16::from(part[0] & 0x7F) + 1, part[0] >= 0x80)).collect(),
        })
    }
}

/// Decodes one frame. A component transform of the stream is undone, so YBR_ICT and YBR_RCT come out as RGB.
pub(super) fn decode<'a>(data: &[u8], format: &PixelFormat) -> Result<Frame<'a>, Problem> {
    // Some writers put a JP2 file where the bare stream belongs; its boxes say nothing that DICOM does not.
    let start = data.windows(4).take(4096).position(|four| four == CODESTREAM);
    let stream = &data[start.ok_or_else(|| Problem::truncated("a JPEG 2000 stream", "other bytes"))?..];
    let size = Size::read(stream).ok_or_else(|| Problem::truncated("a JPEG 2000 size marker", "a shorter one"))?;
    let expected = (format.rows, format.columns, format.samples);
    let found = (size.rows as usize, size.columns as usize, size.components.len());
    if expected != found {
        return Err(Problem::new(
            format!("a JPEG 2000 frame of (rows, columns, samples) {expected:?}, as the header says"),
            format!("{found:?}"),
        ));
    }
    let (precision, _) = size.components[0];
    if size.components.iter().any(|&(bits, _)| bits != precision) || precision > 16 {
        return Err(Problem::new("JPEG 2000 components of one precision up to 16 bits", format!("{precision} bits")));
    }
    let refused =
        |error: &dyn std::fmt::Display| Problem::truncated("a JPEG 2000 stream that decodes", error.to_string());
    let settings = DecodeSettings { strict: true, resolve_palette_indices: false, target_resolution: None };
    let image = Image::new(stream, &settings).map_err(|error| refused(&error))?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|error| refused(&error))?;
    let planes = decoded.components();
    let points = format.rows * format.columns;
    if planes.len() != format.samples || planes.iter().any(|plane| plane.samples().len() != points) {
        return Err(Problem::new("all samples of a JPEG 2000 frame", "fewer"));
    }
    let mut samples = vec![0; points * planes.len()];
    for (index, plane) in planes.iter().enumerate() {
        let signed = size.components[index].1;
        // The decoder shifts every component to zero and above, signed ones as well.
        let shift = if signed { 1i64 << (precision - 1) } else { 0 };
        let highest = (1i64 << precision) - 1;
        for (pixel, &value) in samples.chunks_exact_mut(planes.len()).zip(plane.samples()) {
            // Not a number becomes 0, and lossy streams overshoot.
            #[allow(clippy::cast_possible_truncation)]
            let value = (value.round() as i64).clamp(0, highest) - shift;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let bits = value as u32;
            pixel[index] = bits;
        }
    }
    Ok(Frame { samples: Samples::Decoded(samples), planar: false, precision: Some(precision) })
}
