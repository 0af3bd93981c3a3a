//! JPEG-LS, lossless and near-lossless (ITU-T T.87).
//!
//! Own code, because the only library, CharLS, is C++: this way every build reads these files, on every machine.

mod bits;
mod scan;

use self::bits::Bits;
use self::scan::{Coding, Interleave};
use super::super::super::error::Problem;
use super::super::pixel_format::{PixelFormat, SampleType};
use super::{Frame, Samples};

fn cut() -> Problem {
    Problem::truncated("a whole JPEG-LS stream", "markers that make none")
}

/// What markers have defined so far.
struct Stream {
    precision: u8,
    ids: Vec<u8>,
    /// Largest sample, three thresholds and the reset interval; 0 for the default.
    presets: [u16; 5],
}

/// Decodes one frame.
pub(super) fn decode<'a>(data: &[u8], format: &PixelFormat) -> Result<Frame<'a>, Problem> {
    if !data.starts_with(&[0xFF, 0xD8]) {
        return Err(Problem::new("a JPEG-LS stream", "other bytes at its start"));
    }
    let mut stream = Stream { precision: 0, ids: Vec::new(), presets: [0; 5] };
    let mut samples = Vec::new();
    let (mut at, mut done) = (2, 0u32);
    while let (Some(0xFF), Some(&marker)) = (data.get(at), data.get(at + 1)) {
        match marker {
            0xFF => {
                at += 1;
                continue;
            }
            0xD9 => break,
            _ => {}
        }
        let length = data.get(at + 2..at + 4).ok_or_else(cut)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let segment = data.get(at + 4..at + 2 + length).ok_or_else(cut)?;
        at += 2 + length;
        match marker {
            0xF7 => {
                stream.frame_header(segment, format)?;
                samples = vec![0; format.rows * format.columns * format.samples];
            }
            0xF8 => stream.presets(segment)?,
            0xDA if !stream.ids.is_empty() => {
                let (coding, components) = stream.scan_header(segment)?;
                done |= components.iter().fold(0, |bits, component| bits | 1 << component);
                let mut bits = Bits::new(data, at);
                scan::decode(&mut bits, &coding, &components, &mut samples, format)?;
                at = bits.end();
            }
            0xDA => return Err(cut()),
            0xDD if segment.iter().any(|&byte| byte != 0) => {
                return Err(Problem::new("JPEG-LS without restart markers", "some"));
            }
            // The extension by HP that turns colours around before coding.
            0xE8 if segment.starts_with(b"mrfx") && segment.get(4).is_some_and(|&kind| kind != 0) => {
                return Err(Problem::new("JPEG-LS without a colour transform", "one of HP's"));
            }
            _ => {}
        }
    }
    if samples.is_empty() || done.count_ones() as usize != format.samples {
        return Err(Problem::truncated("a JPEG-LS scan of every component", "fewer"));
    }
    Ok(Frame { samples: Samples::Decoded(samples), planar: false, precision: Some(u16::from(stream.precision)) })
}

impl Stream {
    fn frame_header(&mut self, segment: &[u8], format: &PixelFormat) -> Result<(), Problem> {
        let [precision, r0, r1, c0, c1, count, parts @ ..] = segment else { return Err(cut()) };
        let parts: Vec<[u8; 3]> = parts.as_chunks().0.iter().take(usize::from(*count)).copied().collect();
        let (rows, columns) = (u16::from_be_bytes([*r0, *r1]), u16::from_be_bytes([*c0, *c1]));
        let expected = (format.rows, format.columns, format.samples);
        let found = (usize::from(rows), usize::from(columns), parts.len());
        if expected != found {
            return Err(Problem::new(
                format!("a JPEG-LS frame of (rows, columns, samples) {expected:?}, as the header says"),
                format!("{found:?}"),
            ));
        }
        let SampleType::Integer { allocated, .. } = format.sample_type else {
            return Err(Problem::new("whole numbers in a JPEG-LS stream", "floating-point pixels"));
        };
        if !(2..=16).contains(precision) || u16::from(*precision) > allocated {
            let expected = format!("JPEG-LS samples of 2 to {} bits", allocated.min(16));
            return Err(Problem::new(expected, format!("{precision} bits")));
        }
        if parts.iter().any(|part| part[1] != 0x11) {
            return Err(Problem::new("JPEG-LS components of one size", "different sampling factors"));
        }
        self.precision = *precision;
        self.ids = parts.iter().map(|part| part[0]).collect();
        Ok(())
    }

    fn presets(&mut self, segment: &[u8]) -> Result<(), Problem> {
        match segment {
            [1, numbers @ ..] => {
                let numbers: &[[u8; 2]] = numbers.as_chunks().0;
                let numbers: [[u8; 2]; 5] = numbers.try_into().map_err(|_| cut())?;
                self.presets = numbers.map(u16::from_be_bytes);
                Ok(())
            }
            _ => Err(Problem::new("JPEG-LS without mapping tables", "a preset of another kind")),
        }
    }

    fn scan_header(&self, segment: &[u8]) -> Result<(Coding, Vec<usize>), Problem> {
        let [count, rest @ ..] = segment else { return Err(cut()) };
        let (parts, rest) = rest.split_at_checked(2 * usize::from(*count)).ok_or_else(cut)?;
        let [near, interleave, shift, ..] = *rest else { return Err(cut()) };
        let mut components = Vec::new();
        for [id, table] in parts.as_chunks().0 {
            let index = self.ids.iter().position(|known| known == id).filter(|index| !components.contains(index));
            components.push(index.ok_or_else(cut)?);
            if *table != 0 {
                return Err(Problem::new("JPEG-LS without mapping tables", "one"));
            }
        }
        let interleave = match (interleave, components.len()) {
            (0..=2, 1) => Interleave::Line,
            (1, 2..) => Interleave::Line,
            (2, 2..) => Interleave::Sample,
            _ => return Err(Problem::new("JPEG-LS components alone, by line or by sample", "another order")),
        };
        if shift != 0 {
            return Err(Problem::new("JPEG-LS without a point transform", shift.to_string()));
        }
        Ok((Coding::new(self.precision, self.presets, near, interleave)?, components))
    }
}
