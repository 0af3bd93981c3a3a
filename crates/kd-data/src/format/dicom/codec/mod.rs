//! One frame of pixel data in, samples out.
//!
//! The codecs are called directly and not through `dicom-transfer-syntax-registry` 0.10.1: its adapters index past the
//! end of damaged run lengths and of images larger than their header says, refuse 32-bit run lengths, and let JPEG
//! convert colours by markers that DICOM overrules.

mod fragments;
mod jpeg;
mod jpeg_2000;
mod jpeg_ls;
mod rle;

use std::borrow::Cow;
use std::io::Read;

pub(super) use fragments::Fragments;

use super::super::error::Problem;
use super::pixel_format::{Photometric, PixelFormat, SampleType};
use super::syntax::{Syntax, TransferSyntax};

/// Decoded bytes one byte of compressed data may stand for; empty backgrounds reach some hundreds.
const LARGEST_RATIO: usize = 4096;
/// What may be decoded whatever the ratio.
const ALWAYS_ALLOWED: usize = 64 << 20;

/// Samples of one frame, as bit patterns of the allocated width.
pub(super) enum Samples<'a> {
    /// Eight samples a byte, the first in the lowest bit, starting at a bit.
    Bits(&'a [u8], usize),
    Bytes(Cow<'a, [u8]>),
    /// Two bytes each.
    Words(Cow<'a, [u8]>, bool),
    /// Four bytes each.
    Longs(Cow<'a, [u8]>, bool),
    Decoded(Vec<u32>),
}

/// One decoded frame.
pub(super) struct Frame<'a> {
    pub(super) samples: Samples<'a>,
    pub(super) planar: bool,
    /// Bits that the codec says each sample has, which then lie lowest; `None` where the header decides.
    pub(super) precision: Option<u16>,
}

/// Refuses a header that promises far more than its data can hold.
pub(super) fn check_ratio(decoded_bytes: Option<usize>, compressed_bytes: usize) -> Result<(), Problem> {
    let limit = compressed_bytes.saturating_mul(LARGEST_RATIO).saturating_add(ALWAYS_ALLOWED);
    match decoded_bytes {
        Some(bytes) if bytes <= limit => Ok(()),
        _ => Err(Problem::new(
            format!("at most {limit} bytes of pixels from {compressed_bytes} compressed ones"),
            "a header that promises more",
        )),
    }
}

/// Decodes one compressed frame.
pub(super) fn decode<'a>(data: &[u8], syntax: TransferSyntax, format: &PixelFormat) -> Result<Frame<'a>, Problem> {
    let SampleType::Integer { allocated, .. } = format.sample_type else {
        return Err(Problem::new("floating-point pixels without compression", syntax.name));
    };
    let samples = format.frame_samples().unwrap_or(usize::MAX);
    match syntax.syntax {
        Syntax::Rle => rle::decode(data, format.rows * format.columns, format.samples, allocated),
        Syntax::Jpeg => jpeg::decode(data, format),
        Syntax::Jpeg2000 => jpeg_2000::decode(data, format),
        Syntax::JpegLs => jpeg_ls::decode(data, format),
        Syntax::DeflatedFrame => {
            let bytes = format.frame_bits().unwrap_or(usize::MAX).div_ceil(8);
            let mut frame = Vec::new();
            let read = flate2::read::DeflateDecoder::new(data).take(bytes as u64).read_to_end(&mut frame);
            if read.is_err() || frame.len() != bytes {
                return Err(Problem::truncated(format!("a deflate stream of {bytes} bytes"), "another"));
            }
            Ok(Frame { samples: native(Cow::Owned(frame), allocated, false), planar: format.planar, precision: None })
        }
        _ => Err(Problem::new("pixels in fragments", format!("{samples} samples in {}", syntax.name))),
    }
}

/// Names the samples of uncompressed bytes.
pub(super) fn native(bytes: Cow<'_, [u8]>, allocated: u16, big_endian: bool) -> Samples<'_> {
    match (allocated, bytes) {
        (8, bytes) => Samples::Bytes(bytes),
        (16, bytes) => Samples::Words(bytes, big_endian),
        (32, bytes) => Samples::Longs(bytes, big_endian),
        (_, Cow::Borrowed(bytes)) => Samples::Bits(bytes, 0),
        // One bit a sample, spread because nothing lives to lend the bytes.
        (_, Cow::Owned(bytes)) => {
            Samples::Decoded(bytes.iter().flat_map(|byte| (0..8).map(move |bit| u32::from(byte >> bit & 1))).collect())
        }
    }
}

/// Whether the samples of a compressed colour image are luminance and colour differences. The codec's own markers win
/// over the header, which writers often leave as it was before compression.
pub(super) fn is_ybr(first_frame: &[u8], syntax: TransferSyntax, photometric: Photometric) -> bool {
    let by_header = matches!(photometric, Photometric::YbrFull | Photometric::YbrFull422);
    match syntax.syntax {
        Syntax::Jpeg => jpeg::is_ybr(first_frame).unwrap_or(by_header),
        _ => by_header,
    }
}
