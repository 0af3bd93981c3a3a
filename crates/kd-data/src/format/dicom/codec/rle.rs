//! RLE Lossless (PS3.5 annex G): the bytes of each sample, highest first, run-length coded one plane after the other.
//!
//! Own code, because `dicom-transfer-syntax-registry` 0.10.1 panics on segments that end early and stops at 16 bits.

use std::borrow::Cow;

use super::super::super::error::Problem;
use super::{Frame, native};

/// Decodes one frame of `pixels` × `samples` values of `allocated` bits; the samples of a pixel lie together.
pub(super) fn decode<'a>(data: &[u8], pixels: usize, samples: usize, allocated: u16) -> Result<Frame<'a>, Problem> {
    let width = usize::from(allocated.div_ceil(8));
    let planes = samples * width;
    let header =
        data.get(..64).ok_or_else(|| Problem::truncated("an RLE header of 64 bytes", data.len().to_string()))?;
    let numbers: Vec<usize> = header
        .as_chunks()
        .0
        .iter()
        .map(|&four| usize::try_from(u32::from_le_bytes(four)).unwrap_or(usize::MAX))
        .collect();
    if allocated == 1 || numbers[0] != planes || planes > 15 {
        let expected = format!("{planes} RLE segments for {samples} samples of {allocated} bits");
        return Err(Problem::new(expected, numbers[0].to_string()));
    }
    // One byte in a run of two makes at most 128.
    if pixels.div_ceil(64) > data.len() {
        return Err(Problem::truncated(format!("RLE data for {pixels} pixels"), format!("{} bytes", data.len())));
    }
    let mut frame = vec![0; pixels * planes];
    let mut plane = Vec::with_capacity(pixels);
    for segment in 0..planes {
        let start = numbers[segment + 1];
        let end = if segment + 1 < planes { numbers[segment + 2] } else { data.len() };
        let bytes = data.get(start..end).ok_or_else(|| {
            Problem::truncated(format!("RLE segment {segment} within {} bytes", data.len()), "outside")
        })?;
        plane.clear();
        unpack(bytes, pixels, &mut plane);
        if plane.len() < pixels {
            let expected = format!("{pixels} bytes in RLE segment {segment}");
            return Err(Problem::truncated(expected, plane.len().to_string()));
        }
        // The highest byte comes first in the file and last in memory.
        let offset = segment / width * width + (width - 1 - segment % width);
        for (pixel, &byte) in frame.chunks_exact_mut(planes).zip(&plane) {
            pixel[offset] = byte;
        }
    }
    Ok(Frame { samples: native(Cow::Owned(frame), allocated, false), planar: false, precision: None })
}

/// PackBits up to `limit` bytes.
fn unpack(bytes: &[u8], limit: usize, into: &mut Vec<u8>) {
    let mut at = 0;
    while let (true, Some(&control)) = (into.len() < limit, bytes.get(at)) {
        at += 1;
        match control {
            0..=127 => {
                let end = (at + usize::from(control) + 1).min(bytes.len());
                into.extend_from_slice(&bytes[at..end]);
                at = end;
            }
            128 => {}
            129.. => {
                let Some(&byte) = bytes.get(at) else { break };
                into.extend(std::iter::repeat_n(byte, 257 - usize::from(control)));
                at += 1;
            }
        }
    }
    into.truncate(limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_packbits_unpacks() {
        // Apple Technical Note TN1023.
        let packed = [0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7, 0xAA];
        let mut unpacked = Vec::new();
        unpack(&packed, 100, &mut unpacked);
        assert_eq!(unpacked[..7], [0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA]);
        assert_eq!(unpacked.len(), 24);
    }
}
