//! JPEG as DICOM uses it: baseline, extended and lossless with Huffman codes, 2 to 16 bits, without a colour step.
//!
//! Own code, because no library in Rust reads all of it: `jpeg-decoder` 0.3.2 has no 12 bits, gives wrong values for
//! three components when told to leave colours alone, and panics when they are sampled at different rates; `zune-jpeg`
//! has neither 12 bits nor lossless.

mod blocks;
mod entropy;
mod lossless;

use self::entropy::{Bits, Huffman};
use super::super::super::error::Problem;
use super::super::pixel_format::{PixelFormat, SampleType};
use super::{Frame, Samples};

struct Component {
    id: u8,
    sampling: (usize, usize),
    quantisation: usize,
}

/// The frame header.
struct Header {
    lossless: bool,
    precision: u8,
    rows: usize,
    columns: usize,
    components: Vec<Component>,
}

fn cut() -> Problem {
    Problem::truncated("a whole JPEG stream", "markers that make none")
}

/// The segment behind each marker, up to the entropy-coded bytes of a scan.
struct Segments<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    fn new(data: &'a [u8]) -> Result<Self, Problem> {
        if !data.starts_with(&[0xFF, 0xD8]) {
            return Err(Problem::new("a JPEG stream", "other bytes at its start"));
        }
        Ok(Self { data, at: 2 })
    }

    /// The next marker and its segment; `None` at the end of the image or of the bytes.
    fn next(&mut self) -> Result<Option<(u8, &'a [u8])>, Problem> {
        loop {
            let (Some(&first), Some(&marker)) = (self.data.get(self.at), self.data.get(self.at + 1)) else {
                return Ok(None);
            };
            match (first, marker) {
                (0xFF, 0xFF) => self.at += 1,
                (0xFF, 0xD9) => return Ok(None),
                (0xFF, 0x01 | 0xD0..=0xD8) => self.at += 2,
                (0xFF, _) => {
                    let length = self.data.get(self.at + 2..self.at + 4).ok_or_else(cut)?;
                    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
                    let segment = self.data.get(self.at + 4..self.at + 2 + length).ok_or_else(cut)?;
                    self.at += 2 + length;
                    return Ok(Some((marker, segment)));
                }
                _ => return Err(cut()),
            }
        }
    }
}

impl Header {
    fn read(marker: u8, segment: &[u8]) -> Result<Self, Problem> {
        let [precision, r0, r1, c0, c1, count, parts @ ..] = segment else { return Err(cut()) };
        let name = match marker {
            0xC0 | 0xC1 | 0xC3 => "",
            0xC2 => "progressive",
            0xC9..=0xCB => "arithmetic coding",
            _ => "a hierarchy",
        };
        if !name.is_empty() {
            return Err(Problem::new("JPEG baseline, extended or lossless with Huffman codes", name)
                .hint("decompress the file with another program"));
        }
        let part = |part: &[u8; 3]| Component {
            id: part[0],
            sampling: (usize::from(part[1] >> 4), usize::from(part[1] & 15)),
            quantisation: usize::from(part[2]),
        };
        let components: Vec<Component> = parts.as_chunks::<3>().0.iter().take(usize::from(*count)).map(part).collect();
        if components.len() != usize::from(*count) || components.is_empty() {
            return Err(cut());
        }
        let lossless = marker == 0xC3;
        let precisions = if lossless { 2..=16 } else { 8..=12 };
        if !precisions.contains(precision) {
            return Err(Problem::new(format!("JPEG samples of {precisions:?} bits"), precision.to_string()));
        }
        if components.iter().any(|c| !(1..=4).contains(&c.sampling.0) || !(1..=4).contains(&c.sampling.1)) {
            return Err(Problem::new("JPEG sampling factors from 1 to 4", "others"));
        }
        Ok(Self {
            lossless,
            precision: *precision,
            rows: usize::from(u16::from_be_bytes([*r0, *r1])),
            columns: usize::from(u16::from_be_bytes([*c0, *c1])),
            components,
        })
    }

    /// Refuses a stream of another shape than the file's header says, before memory is taken for it.
    fn check(&self, format: &PixelFormat) -> Result<(), Problem> {
        let expected = (format.rows, format.columns, format.samples);
        let found = (self.rows, self.columns, self.components.len());
        if expected != found {
            return Err(Problem::new(
                format!("a JPEG frame of (rows, columns, samples) {expected:?}, as the header says"),
                format!("{found:?}"),
            ));
        }
        let SampleType::Integer { allocated, .. } = format.sample_type else {
            return Err(Problem::new("whole numbers in a JPEG stream", "floating-point pixels"));
        };
        if u16::from(self.precision) > allocated {
            let expected = format!("JPEG samples of at most {allocated} bits");
            return Err(Problem::new(expected, format!("{} bits", self.precision)));
        }
        if self.lossless && self.components.len() > 1 && self.components.iter().any(|c| c.sampling != (1, 1)) {
            return Err(Problem::new("components of one size in lossless JPEG", "different sampling factors"));
        }
        Ok(())
    }
}

const FRAME_HEADERS: [u8; 13] = [0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF];

/// Whether three components are luminance and colour differences; `None` where the stream does not say.
pub(super) fn is_ybr(data: &[u8]) -> Option<bool> {
    let mut segments = Segments::new(data).ok()?;
    let (mut jfif, mut adobe, mut ids) = (false, None, Vec::new());
    while let Some((marker, segment)) = segments.next().ok()? {
        match marker {
            0xE0 if segment.starts_with(b"JFIF") => jfif = true,
            0xEE if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied(),
            0xDA => break,
            marker if FRAME_HEADERS.contains(&marker) => {
                let header = Header::read(marker, segment).ok()?;
                ids = header.components.iter().map(|component| component.id).collect();
            }
            _ => {}
        }
    }
    match (ids.as_slice(), adobe) {
        (b"RGB" | b"rgb", _) | (_, Some(0)) => Some(false),
        (_, Some(1)) => Some(true),
        _ if jfif => Some(true),
        _ => None,
    }
}

/// What has been defined so far, and what has been decoded.
#[derive(Default)]
struct Decoder {
    quantisation: [Option<[u16; 64]>; 4],
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    restart_every: usize,
    /// Components that a scan has brought.
    done: Vec<bool>,
}

/// Decodes one frame.
pub(super) fn decode<'a>(data: &[u8], format: &PixelFormat) -> Result<Frame<'a>, Problem> {
    let mut segments = Segments::new(data)?;
    let mut decoder = Decoder::default();
    let mut header = None;
    let (mut planes, mut pixels) = (Vec::new(), Vec::new());
    while let Some((marker, segment)) = segments.next()? {
        match marker {
            0xDB => decoder.define_quantisation(segment)?,
            0xC4 => decoder.define_codes(segment)?,
            0xDD => {
                let interval = segment.first_chunk().ok_or_else(cut)?;
                decoder.restart_every = usize::from(u16::from_be_bytes(*interval));
            }
            0xDA => {
                let Some(header) = &header else { return Err(cut()) };
                let mut bits = Bits::new(data, segments.at);
                decoder.scan(&mut bits, segment, header, &mut planes, &mut pixels)?;
                segments.at = bits.end();
            }
            marker if FRAME_HEADERS.contains(&marker) => {
                let found = Header::read(marker, segment)?;
                found.check(format)?;
                decoder.done = vec![false; found.components.len()];
                if found.lossless {
                    pixels = vec![0; found.rows * found.columns * found.components.len()];
                } else {
                    let sampling: Vec<_> = found.components.iter().map(|component| component.sampling).collect();
                    planes = blocks::planes(&sampling, found.columns, found.rows);
                }
                header = Some(found);
            }
            _ => {}
        }
    }
    let header = header.ok_or_else(cut)?;
    if decoder.done.contains(&false) {
        return Err(Problem::truncated("a JPEG scan of every component", "fewer"));
    }
    if !header.lossless {
        pixels = blocks::interleaved(&planes, header.columns, header.rows);
    }
    Ok(Frame { samples: Samples::Decoded(pixels), planar: false, precision: Some(u16::from(header.precision)) })
}

impl Decoder {
    fn define_quantisation(&mut self, mut segment: &[u8]) -> Result<(), Problem> {
        while let [head, rest @ ..] = segment {
            let width = usize::from(head >> 4) + 1;
            let (numbers, after) = rest.split_at_checked(64 * width).ok_or_else(cut)?;
            let slot = self.quantisation.get_mut(usize::from(head & 15)).filter(|_| width <= 2).ok_or_else(cut)?;
            *slot = Some(std::array::from_fn(|index| match width {
                1 => u16::from(numbers[index]),
                _ => u16::from_be_bytes([numbers[2 * index], numbers[2 * index + 1]]),
            }));
            segment = after;
        }
        Ok(())
    }

    fn define_codes(&mut self, mut segment: &[u8]) -> Result<(), Problem> {
        while let [head, rest @ ..] = segment {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(cut)?;
            let used = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, after) = rest.split_at_checked(used).ok_or_else(cut)?;
            let tables = match head >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(cut()),
            };
            *tables.get_mut(usize::from(head & 15)).ok_or_else(cut)? = Some(Huffman::new(counts, symbols)?);
            segment = after;
        }
        Ok(())
    }

    fn scan(
        &mut self,
        bits: &mut Bits<'_>,
        segment: &[u8],
        header: &Header,
        planes: &mut [blocks::Plane],
        pixels: &mut [u32],
    ) -> Result<(), Problem> {
        let [count, rest @ ..] = segment else { return Err(cut()) };
        let (parts, rest) = rest.split_at_checked(2 * usize::from(*count)).ok_or_else(cut)?;
        let [start, _, shift, ..] = *rest else { return Err(cut()) };
        let mut components = Vec::new();
        for &[id, tables] in parts.as_chunks().0 {
            let index = header.components.iter().position(|component| component.id == id);
            let index = index.filter(|index| components.iter().all(|&(other, _)| other != *index)).ok_or_else(cut)?;
            components.push((index, tables));
        }
        if components.is_empty() {
            return Err(cut());
        }
        let table = |tables: &'_ [Option<Huffman>; 4], index: u8| -> Result<usize, Problem> {
            let index = usize::from(index);
            let defined = tables.get(index).is_some_and(Option::is_some);
            if defined { Ok(index) } else { Err(Problem::truncated("a JPEG code table for every component", "none")) }
        };
        if header.lossless {
            let mut tables = Vec::new();
            for &(index, selector) in &components {
                tables.push((index, table(&self.dc, selector >> 4)?));
            }
            let components =
                tables.iter().filter_map(|&(index, slot)| Some((index, self.dc[slot].as_ref()?))).collect();
            let point_transform = shift & 15;
            let scan =
                lossless::Scan { components, predictor: start, point_transform, restart_every: self.restart_every };
            lossless::scan(bits, &scan, pixels, (header.columns, header.components.len()), header.precision)?;
        } else {
            let mut sources = Vec::new();
            for &(plane, selector) in &components {
                let quantisation =
                    self.quantisation.get(header.components[plane].quantisation).and_then(Option::as_ref);
                let quantisation =
                    quantisation.ok_or_else(|| Problem::truncated("a JPEG quantisation table", "none"))?;
                let (dc, ac) = (table(&self.dc, selector >> 4)?, table(&self.ac, selector & 15)?);
                if let (Some(dc), Some(ac)) = (&self.dc[dc], &self.ac[ac]) {
                    sources.push(blocks::Source { plane, quantisation, dc, ac });
                }
            }
            blocks::scan(bits, &sources, planes, header.precision, self.restart_every)?;
        }
        for (index, _) in components {
            self.done[index] = true;
        }
        Ok(())
    }
}
