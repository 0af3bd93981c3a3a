//! JPEG: baseline, extended and lossless, without a colour step.

use std::borrow::Cow;

use jpeg_decoder::{ColorTransform, Decoder};

use super::super::super::error::Problem;
use super::super::pixel_format::{PixelFormat, SampleType};
use super::{Frame, Samples};

/// What the markers in front of the first scan say.
#[derive(Default)]
struct Markers {
    precision: u8,
    rows: u16,
    columns: u16,
    components: Vec<u8>,
    jfif: bool,
    /// The colour transform that Adobe's marker names.
    adobe: Option<u8>,
}

impl Markers {
    fn read(data: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        let mut at = 2;
        data.starts_with(&[0xFF, 0xD8]).then_some(())?;
        loop {
            if *data.get(at)? != 0xFF {
                return None;
            }
            let marker = *data.get(at + 1)?;
            match marker {
                0xFF => {
                    at += 1;
                    continue;
                }
                0x01 | 0xD0..=0xD7 => {
                    at += 2;
                    continue;
                }
                _ => {}
            }
            let length = usize::from(u16::from_be_bytes([*data.get(at + 2)?, *data.get(at + 3)?]));
            let segment = data.get(at + 4..at + 2 + length)?;
            match marker {
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                    let [precision, r0, r1, c0, c1, count, ..] = *segment else { return None };
                    found.precision = precision;
                    found.rows = u16::from_be_bytes([r0, r1]);
                    found.columns = u16::from_be_bytes([c0, c1]);
                    found.components =
                        segment[6..].chunks_exact(3).take(usize::from(count)).map(|part| part[0]).collect();
                    if found.components.len() != usize::from(count) {
                        return None;
                    }
                }
                0xE0 if segment.starts_with(b"JFIF") => found.jfif = true,
                0xEE if segment.starts_with(b"Adobe") => found.adobe = segment.get(11).copied(),
                0xDA => return (!found.components.is_empty()).then_some(found),
                _ => {}
            }
            at += 2 + length;
        }
    }
}

/// Whether three components are luminance and colour differences; `None` where the stream does not say.
pub(super) fn is_ybr(data: &[u8]) -> Option<bool> {
    let markers = Markers::read(data)?;
    match (markers.components.as_slice(), markers.adobe) {
        ([82, 71, 66] | [114, 103, 98], _) => Some(false),
        (_, Some(0)) => Some(false),
        (_, Some(1)) => Some(true),
        _ if markers.jfif => Some(true),
        _ => None,
    }
}

/// Decodes one frame.
pub(super) fn decode<'a>(data: &[u8], format: &PixelFormat) -> Result<Frame<'a>, Problem> {
    let markers = Markers::read(data).ok_or_else(|| Problem::truncated("a JPEG stream", "markers that make none"))?;
    let SampleType::Integer { allocated, .. } = format.sample_type else { unreachable_type()? };
    let expected = (format.rows, format.columns, format.samples);
    let found = (usize::from(markers.rows), usize::from(markers.columns), markers.components.len());
    if expected != found {
        return Err(Problem::new(
            format!("a JPEG frame of (rows, columns, samples) {expected:?}, as the header says"),
            format!("{found:?}"),
        ));
    }
    let precision = u16::from(markers.precision);
    if precision > allocated {
        return Err(Problem::new(format!("JPEG samples of at most {allocated} bits"), format!("{precision} bits")));
    }
    let mut decoder = Decoder::new(data);
    decoder.set_color_transform(ColorTransform::None);
    decoder.set_max_decoding_buffer_size(format.frame_samples().unwrap_or(usize::MAX).saturating_mul(2));
    // The decoder's message may repeat numbers of the stream, never text.
    let bytes = decoder.decode().map_err(|error| Problem::truncated("a JPEG stream that decodes", error.to_string()))?;
    let width = if precision > 8 { 2 } else { 1 };
    if Some(bytes.len()) != format.frame_samples().and_then(|samples| samples.checked_mul(width)) {
        return Err(Problem::new("all samples of a JPEG frame", format!("{} bytes", bytes.len())));
    }
    let big_endian = cfg!(target_endian = "big");
    let samples = if width == 2 { Samples::Words(Cow::Owned(bytes), big_endian) } else { Samples::Bytes(Cow::Owned(bytes)) };
    Ok(Frame { samples, planar: false, precision: Some(precision) })
}

fn unreachable_type<T>() -> Result<T, Problem> {
    Err(Problem::new("whole numbers in a JPEG stream", "floating-point pixels"))
}
