//! Masks and probabilities as a DICOM segmentation beside the series that they belong to.

use std::path::Path;

use kd_image::{Geometry, Image, LabelMap};
use sha2::{Digest as _, Sha256};

use super::super::data_set::Encoding;
use super::super::encode::{self, Attributes, Encoder};
use super::super::uid::Uid;
use super::plane::Planes;
use super::source::DerivedFrom;
use super::{EXPLICIT_LITTLE_ENDIAN, check_text, empty_where_missing, request};
use crate::store::{StoreError, write_atomic};

const CLASS: &str = "1.2.840.10008.5.1.4.1.1.66.4";
/// What a fractional value of 1 is stored as.
const WHOLE: u8 = 255;

/// What a segmentation says about itself.
#[derive(Debug, Clone)]
pub struct SegmentationFacts {
    /// Series Description, 64 characters at most.
    pub description: String,
    /// Name of each segment, from the first class behind the background; 64 characters at most.
    pub segments: Vec<String>,
    /// What made it (Segment Algorithm Name), 64 characters at most.
    pub algorithm: String,
    /// Content Date and Time, which the standard asks for: `YYYYMMDD` and `HHMMSS`.
    pub made: [String; 2],
}

/// Writes a label map as a binary segmentation of the series that it was made from.
///
/// # Policy
/// - One file, Explicit VR Little Endian, a bit a pixel. Classes 1 and up are segments 1 and up, which do not overlap;
///   planes without a point of a segment are left out. A map of background alone keeps all planes of the first segment,
///   as a segmentation has to have frames.
/// - Patient, study and frame of reference are the source's own; each frame names the slice at its place, and series
///   number, positions and orientation are those of the source's grid.
/// - Property category and type of each segment are "Tissue" (SNOMED CT 85756007): the name says what it is.
/// - The UIDs are made from the source's and all that is written, so equal calls give equal bytes.
///
/// # Errors
/// [`StoreError::Request`] for another grid than the source's (0.001 mm), as many names as there are no segments, text
/// that does not fit, and a date or time of another form; [`StoreError`] when writing fails.
///
/// # Source
/// PS3.3 A.51 and C.8.20; frames as C.7.6.16 orders them.
pub fn write_segmentation(
    path: &Path,
    labels: &LabelMap<3>,
    facts: &SegmentationFacts,
    source: &DerivedFrom,
) -> Result<(), StoreError> {
    let points: usize = labels.geometry().shape()[1..].iter().product();
    let plane = |segment: usize, place: usize| -> Vec<u8> {
        let plane = &labels.labels()[place * points..(place + 1) * points];
        plane.iter().map(|&label| u8::from(usize::from(label) == segment)).collect()
    };
    Segmentation { kind: Kind::Binary, grid: labels.geometry(), n_segments: labels.n_classes() - 1, facts, source }
        .write(path, plane)
}

/// Writes probabilities, a channel a segment, as a fractional segmentation of the series that they were made from.
///
/// # Policy
/// As [`write_segmentation`], with eight bits a pixel: 255 is a probability of 1, and a value is off by at most 1/510.
/// Planes that round to 0 everywhere are left out.
///
/// # Errors
/// As [`write_segmentation`]; [`StoreError::Request`] too for a value outside of 0 to 1.
pub fn write_fractional_segmentation(
    path: &Path,
    probabilities: &Image<3>,
    facts: &SegmentationFacts,
    source: &DerivedFrom,
) -> Result<(), StoreError> {
    if let Some(value) = probabilities.values().iter().find(|value| !(0.0..=1.0).contains(*value)) {
        return Err(request("value of a fractional segmentation", "0 to 1", value.to_string()));
    }
    let points: usize = probabilities.geometry().shape()[1..].iter().product();
    let plane = |segment: usize, place: usize| -> Vec<u8> {
        let plane = &probabilities.channel(segment - 1)[place * points..(place + 1) * points];
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 255
        plane.iter().map(|&value| (value * f32::from(WHOLE)).round() as u8).collect()
    };
    let (grid, n_segments) = (probabilities.geometry(), probabilities.channels());
    Segmentation { kind: Kind::Fractional, grid, n_segments, facts, source }.write(path, plane)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Binary,
    Fractional,
}

/// One segment on one plane.
struct Frame {
    segment: usize,
    place: usize,
    values: Vec<u8>,
}

struct Segmentation<'a> {
    kind: Kind,
    grid: &'a Geometry<3>,
    n_segments: usize,
    facts: &'a SegmentationFacts,
    source: &'a DerivedFrom,
}

impl Segmentation<'_> {
    /// `plane` gives the values of a segment at a place.
    fn write(&self, path: &Path, plane: impl Fn(usize, usize) -> Vec<u8>) -> Result<(), StoreError> {
        self.check()?;
        let planes = Planes::of(self.source.geometry())?;
        let places = 0..self.grid.shape()[0];
        let mut frames = Vec::new();
        for segment in 1..=self.n_segments {
            for place in places.clone() {
                let values = plane(segment, place);
                if values.iter().any(|&value| value > 0) {
                    frames.push(Frame { segment, place, values });
                }
            }
        }
        if frames.is_empty() {
            frames.extend(places.map(|place| Frame { segment: 1, place, values: plane(1, place) }));
        }
        let bytes = self.file(&planes, &frames).map_err(|problem| problem.refused("DICOM segmentation"))?;
        write_atomic(path, &bytes)
    }

    fn check(&self) -> Result<(), StoreError> {
        let facts = self.facts;
        let texts = [("description", &facts.description), ("algorithm", &facts.algorithm)];
        let segments = facts.segments.iter().map(|name| ("segment", name));
        for (what, text) in texts.into_iter().chain(segments) {
            let what = format!("{what} of a DICOM segmentation");
            check_text(&what, text, 64)?;
            self.source.check_characters(&what, text)?;
        }
        for (what, text, form) in [("date", &facts.made[0], "YYYYMMDD"), ("time", &facts.made[1], "HHMMSS")] {
            if text.len() != form.len() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(request(&format!("{what} of a DICOM segmentation"), form, text));
            }
        }
        if facts.segments.len() != self.n_segments || self.n_segments == 0 {
            let expected = format!("a name for each of {} segments, and one at least", self.n_segments);
            return Err(request("segments of a DICOM segmentation", expected, facts.segments.len().to_string()));
        }
        if !self.grid.same_grid(self.source.geometry(), 1e-3) {
            let source = self.source.geometry().to_string();
            return Err(request(
                "grid of a DICOM segmentation",
                format!("its source's, {source}"),
                self.grid.to_string(),
            ));
        }
        let [_, rows, columns] = self.grid.shape();
        if rows.max(columns) > usize::from(u16::MAX) {
            return Err(request(
                "rows and columns of a DICOM segmentation",
                "65535 at most",
                format!("{rows} × {columns}"),
            ));
        }
        Ok(())
    }

    fn file(&self, planes: &Planes, frames: &[Frame]) -> Result<Vec<u8>, crate::format::error::Problem> {
        let pixels = self.pixels(frames);
        let digest: [u8; 32] = {
            let mut hash = Sha256::new();
            for frame in frames {
                hash.update((frame.segment as u64).to_le_bytes());
                hash.update((frame.place as u64).to_le_bytes());
            }
            hash.update(&pixels);
            hash.finalize().into()
        };
        let facts = self.facts;
        let mut parts: Vec<&[u8]> = vec![self.kind.name().as_bytes(), self.source.series.as_str().as_bytes(), &digest];
        parts.extend([&facts.description, &facts.algorithm, &facts.made[0], &facts.made[1]].map(String::as_bytes));
        parts.extend(facts.segments.iter().map(String::as_bytes));
        let uid = |purpose: &[u8]| {
            let parts: Vec<&[u8]> = std::iter::once(purpose).chain(parts.iter().copied()).collect();
            Uid::derived(&parts)
        };
        let instance = uid(b"segmentation");
        let dimensions = uid(b"dimensions");
        let mut set = self.source.shared();
        self.describe(&mut set);
        set.text(0x0008, 0x0018, instance.as_str());
        set.text(0x0020, 0x000E, uid(b"segmentation series").as_str());
        set.items(0x0020, 0x9221, vec![Attributes::of(|item| item.text(0x0020, 0x9164, dimensions.as_str()))]);
        set.items(0x0020, 0x9222, dimension_index(dimensions.as_str()));
        set.items(0x5200, 0x9229, vec![shared_groups(planes)]);
        let groups: Vec<Attributes> = frames.iter().map(|frame| self.frame_groups(planes, frame)).collect();
        set.items(0x5200, 0x9230, groups);
        set.text(0x0028, 0x0008, &frames.len().to_string());
        set.bytes(0x7FE0, 0x0010, pixels);
        let mut body = Encoder::new(Encoding::EXPLICIT);
        set.encode(&mut body)?;
        encode::file(CLASS, instance.as_str(), EXPLICIT_LITTLE_ENDIAN, &body.bytes)
    }

    /// Modules of series, equipment, image and segments.
    fn describe(&self, set: &mut Attributes) {
        empty_where_missing(set);
        let facts = self.facts;
        set.text(0x0008, 0x0008, "DERIVED\\PRIMARY");
        set.text(0x0008, 0x0016, CLASS);
        set.text(0x0008, 0x0023, &facts.made[0]);
        set.text(0x0008, 0x0033, &facts.made[1]);
        set.text(0x0008, 0x0060, "SEG");
        set.text(0x0008, 0x0070, "kd");
        set.text(0x0008, 0x103E, &facts.description);
        set.text(0x0008, 0x1090, "kd");
        set.items(0x0008, 0x1115, vec![self.source.referenced_series()]);
        set.text(0x0018, 0x1000, "none");
        set.text(0x0018, 0x1020, env!("CARGO_PKG_VERSION"));
        set.text(0x0020, 0x0011, "1");
        set.text(0x0020, 0x0013, "1");
        let [_, rows, columns] = self.grid.shape();
        #[allow(clippy::cast_possible_truncation)] // checked before
        for (element, value) in [(0x0002, 1), (0x0010, rows as u16), (0x0011, columns as u16), (0x0103, 0)] {
            set.words(0x0028, element, &[value]);
        }
        set.text(0x0028, 0x0004, "MONOCHROME2");
        let bits: u16 = if self.kind == Kind::Binary { 1 } else { 8 };
        for (element, value) in [(0x0100, bits), (0x0101, bits), (0x0102, bits - 1)] {
            set.words(0x0028, element, &[value]);
        }
        set.text_if_missing(0x0028, 0x2110, "00");
        set.text(0x0062, 0x0001, self.kind.name());
        if self.kind == Kind::Fractional {
            set.text(0x0062, 0x0010, "PROBABILITY");
            set.words(0x0062, 0x000E, &[u16::from(WHOLE)]);
        }
        let overlap = if self.kind == Kind::Binary { "NO" } else { "UNDEFINED" };
        set.text(0x0062, 0x0013, overlap);
        set.items(0x0062, 0x0002, facts.segments.iter().zip(1..).map(|(name, n)| self.segment(n, name)).collect());
        set.text(0x0070, 0x0080, "SEGMENTATION");
        set.text(0x0070, 0x0081, "");
        set.text(0x0070, 0x0084, "");
    }

    fn segment(&self, number: u16, name: &str) -> Attributes {
        Attributes::of(|item| {
            let tissue = || vec![code("85756007", "SCT", "Tissue")];
            item.words(0x0062, 0x0004, &[number]);
            item.text(0x0062, 0x0005, name);
            item.text(0x0062, 0x0008, "AUTOMATIC");
            item.text(0x0062, 0x0009, &self.facts.algorithm);
            item.items(0x0062, 0x0003, tissue());
            item.items(0x0062, 0x000F, tissue());
        })
    }

    fn frame_groups(&self, planes: &Planes, frame: &Frame) -> Attributes {
        #[allow(clippy::cast_possible_truncation)] // segments and slices of one file
        let index = [frame.segment as u32, frame.place as u32 + 1];
        Attributes::of(|item| {
            item.items(0x0008, 0x9124, vec![self.derivation(frame.place)]);
            item.items(0x0020, 0x9111, vec![Attributes::of(|content| content.longs(0x0020, 0x9157, &index))]);
            let position = planes.position(frame.place);
            item.items(0x0020, 0x9113, vec![Attributes::of(|place| place.decimals(0x0020, 0x0032, &position))]);
            #[allow(clippy::cast_possible_truncation)] // labels are 16 bits wide
            let number = frame.segment as u16;
            item.items(0x0062, 0x000A, vec![Attributes::of(|segment| segment.words(0x0062, 0x000B, &[number]))]);
        })
    }

    /// The slice that a frame was made from.
    fn derivation(&self, place: usize) -> Attributes {
        let mut source = self.source.reference(place);
        source.text(0x0028, 0x135A, "YES");
        source.items(0x0040, 0xA170, vec![code("121322", "DCM", "Source image for image processing operation")]);
        Attributes::of(|item| {
            item.items(0x0008, 0x2112, vec![source]);
            item.items(0x0008, 0x9215, vec![code("113076", "DCM", "Segmentation")]);
        })
    }

    /// Bytes of all frames; bits follow one another across frames, the first in the lowest place (PS3.5 8.1.1).
    fn pixels(&self, frames: &[Frame]) -> Vec<u8> {
        let values = frames.iter().flat_map(|frame| frame.values.iter().copied());
        if self.kind == Kind::Fractional {
            return values.collect();
        }
        let bits: Vec<u8> = values.collect();
        bits.chunks(8).map(|eight| eight.iter().zip(0..).fold(0, |byte, (&bit, place)| byte | bit << place)).collect()
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Binary => "BINARY",
            Self::Fractional => "FRACTIONAL",
        }
    }
}

fn code(value: &str, scheme: &str, meaning: &str) -> Attributes {
    Attributes::of(|item| {
        item.text(0x0008, 0x0100, value);
        item.text(0x0008, 0x0102, scheme);
        item.text(0x0008, 0x0104, meaning);
    })
}

/// Frames are counted by segment, then by place.
fn dimension_index(dimensions: &str) -> Vec<Attributes> {
    let tag = |group: u16, element: u16| [group.to_le_bytes(), element.to_le_bytes()].concat();
    let index = |pointer: Vec<u8>, group: Vec<u8>, label: &str| {
        Attributes::of(|item| {
            item.text(0x0020, 0x9164, dimensions);
            item.bytes(0x0020, 0x9165, pointer);
            item.bytes(0x0020, 0x9167, group);
            item.text(0x0020, 0x9421, label);
        })
    };
    vec![
        index(tag(0x0062, 0x000B), tag(0x0062, 0x000A), "Segment Number"),
        index(tag(0x0020, 0x0032), tag(0x0020, 0x9113), "Image Position Patient"),
    ]
}

fn shared_groups(planes: &Planes) -> Attributes {
    Attributes::of(|item| {
        item.items(
            0x0020,
            0x9116,
            vec![Attributes::of(|orientation| orientation.decimals(0x0020, 0x0037, &planes.orientation()))],
        );
        item.items(
            0x0028,
            0x9110,
            vec![Attributes::of(|measures| {
                measures.decimals(0x0018, 0x0050, &[planes.gap()]);
                measures.decimals(0x0018, 0x0088, &[planes.gap()]);
                measures.decimals(0x0028, 0x0030, &planes.pixel_spacing);
            })],
        );
    })
}
