//! Data sets to bytes: attributes in order, every value of even length, sequences of stated length.

use std::collections::BTreeMap;

use super::super::error::Problem;
use super::data_set::{Encoding, is_long};
use super::dictionary;
use super::tag::{self, Tag};

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// Bytes of a data set under construction.
pub(crate) struct Encoder {
    pub(crate) bytes: Vec<u8>,
    encoding: Encoding,
}

impl Encoder {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self { bytes: Vec::new(), encoding }
    }

    fn u16(&mut self, value: u16) {
        let bytes = if self.encoding.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend(bytes);
    }

    fn u32(&mut self, value: u32) {
        let bytes = if self.encoding.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend(bytes);
    }

    fn header(&mut self, tag: Tag, vr: [u8; 2], length: u32) -> Result<(), Problem> {
        self.u16(tag.0);
        self.u16(tag.1);
        if tag.0 == 0xFFFE || !self.encoding.explicit || vr == *b"  " {
            self.u32(length);
        } else if is_long(vr) {
            self.bytes.extend(vr);
            self.bytes.extend([0, 0]);
            self.u32(length);
        } else {
            self.bytes.extend(vr);
            let short = u16::try_from(length);
            let short = short.map_err(|_| Problem::new(format!("at most 65535 bytes in {tag}"), length.to_string()))?;
            self.u16(short);
        }
        Ok(())
    }

    fn length(tag: Tag, length: usize) -> Result<u32, Problem> {
        let counted = u32::try_from(length).ok().filter(|&length| length != u32::MAX);
        counted.ok_or_else(|| Problem::new(format!("fewer than 4 GiB in {tag}"), length.to_string()))
    }

    /// One value; an odd one is padded as its representation asks.
    pub(crate) fn element(&mut self, tag: Tag, vr: [u8; 2], value: &[u8]) -> Result<(), Problem> {
        let padded = value.len().next_multiple_of(2);
        self.header(tag, vr, Self::length(tag, padded)?)?;
        self.bytes.extend_from_slice(value);
        if padded > value.len() {
            let binary = matches!(&vr, b"UI" | b"OB" | b"OW" | b"UN" | b"  ");
            self.bytes.push(if binary { 0 } else { b' ' });
        }
        Ok(())
    }

    /// A sequence; each item is written by `item`.
    pub(crate) fn sequence<T>(
        &mut self,
        tag: Tag,
        vr: [u8; 2],
        items: &[T],
        mut item: impl FnMut(&mut Self, &T) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        // What is inside an unknown representation is implicit and little-endian (PS3.5 6.2.2).
        let encoding = if vr == *b"UN" { Encoding::IMPLICIT } else { self.encoding };
        let mut all = Self::new(encoding);
        for each in items {
            let mut inner = Self::new(encoding);
            item(&mut inner, each)?;
            all.header(ITEM, *b"  ", Self::length(tag, inner.bytes.len())?)?;
            all.bytes.append(&mut inner.bytes);
        }
        self.header(tag, vr, Self::length(tag, all.bytes.len())?)?;
        self.bytes.append(&mut all.bytes);
        Ok(())
    }

    /// Compressed pixels: a table of offsets first, then fragments.
    pub(crate) fn fragments(&mut self, tag: Tag, vr: [u8; 2], fragments: &[&[u8]]) -> Result<(), Problem> {
        self.header(tag, vr, u32::MAX)?;
        for fragment in fragments {
            self.header(ITEM, *b"  ", Self::length(tag, fragment.len())?)?;
            self.bytes.extend_from_slice(fragment);
        }
        self.header(SEQUENCE_END, *b"  ", 0)
    }
}

/// What a new attribute holds.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    Items(Vec<Attributes>),
}

/// A data set under construction; representations come from the dictionary.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes(BTreeMap<Tag, Content>);

impl Attributes {
    /// What `fill` puts into an empty data set.
    pub(crate) fn of(fill: impl FnOnce(&mut Self)) -> Self {
        let mut set = Self::default();
        fill(&mut set);
        set
    }

    pub(crate) fn set(&mut self, tag: Tag, content: Content) {
        self.0.insert(tag, content);
    }

    pub(crate) fn text_if_missing(&mut self, group: u16, element: u16, value: &str) {
        self.0.entry(Tag(group, element)).or_insert_with(|| Content::Bytes(value.as_bytes().to_vec()));
    }

    pub(crate) fn text(&mut self, group: u16, element: u16, value: &str) {
        self.0.insert(Tag(group, element), Content::Bytes(value.as_bytes().to_vec()));
    }

    pub(crate) fn bytes(&mut self, group: u16, element: u16, value: Vec<u8>) {
        self.0.insert(Tag(group, element), Content::Bytes(value));
    }

    /// Numbers of 16 bits.
    pub(crate) fn words(&mut self, group: u16, element: u16, values: &[u16]) {
        self.bytes(group, element, values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }

    /// Numbers of 32 bits.
    pub(crate) fn longs(&mut self, group: u16, element: u16, values: &[u32]) {
        self.bytes(group, element, values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }

    /// Decimal text, as precise as its 16 characters allow.
    pub(crate) fn decimals(&mut self, group: u16, element: u16, values: &[f64]) {
        let texts: Vec<String> = values.iter().map(|&value| decimal_text(value)).collect();
        self.text(group, element, &texts.join("\\"));
    }

    pub(crate) fn items(&mut self, group: u16, element: u16, items: Vec<Attributes>) {
        self.0.insert(Tag(group, element), Content::Items(items));
    }

    /// Explicit VR Little Endian.
    pub(crate) fn encode(&self, into: &mut Encoder) -> Result<(), Problem> {
        for (&tag, content) in &self.0 {
            match content {
                Content::Bytes(bytes) => into.element(tag, dictionary::vr(tag).unwrap_or(*b"UN"), bytes)?,
                Content::Items(items) => into.sequence(tag, *b"SQ", items, |into, item| item.encode(into))?,
            }
        }
        Ok(())
    }
}

/// A decimal string: at most 16 characters, the shortest that reads back as the same number where one fits.
pub(crate) fn decimal_text(value: f64) -> String {
    // −0 reads as a number of its own in some programs.
    let value = value + 0.0;
    let plain = format!("{value}");
    if plain.len() <= 16 {
        return plain;
    }
    let fixed = (0..=15).rev().map(|digits| format!("{value:.digits$}")).find(|text| text.len() <= 16);
    let scientific = (0..=15).rev().map(|digits| format!("{value:.digits$e}")).find(|text| text.len() <= 16);
    let off = |text: &Option<String>| {
        text.as_ref().and_then(|text| text.parse::<f64>().ok()).map_or(f64::INFINITY, |read| (read - value).abs())
    };
    let best = if off(&fixed) <= off(&scientific) { fixed } else { scientific };
    best.unwrap_or(plain)
}

/// The root of what this program writes into the meta information: a UUID of its own, fixed once.
const IMPLEMENTATION: &str = "2.25.215874239608371524806129357401863290175";

/// A file around the bytes of a data set: preamble, meta information, body.
pub(crate) fn file(class: &str, instance: &str, transfer_syntax: &str, body: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut meta = Encoder::new(Encoding::EXPLICIT);
    meta.element(Tag(2, 0x0001), *b"OB", &[0, 1])?;
    meta.element(tag::MEDIA_CLASS, *b"UI", class.as_bytes())?;
    meta.element(Tag(2, 0x0003), *b"UI", instance.as_bytes())?;
    meta.element(tag::TRANSFER_SYNTAX, *b"UI", transfer_syntax.as_bytes())?;
    meta.element(Tag(2, 0x0012), *b"UI", IMPLEMENTATION.as_bytes())?;
    meta.element(Tag(2, 0x0013), *b"SH", concat!("KD_", env!("CARGO_PKG_VERSION")).as_bytes())?;
    let mut whole = Encoder::new(Encoding::EXPLICIT);
    whole.bytes = vec![0; 128];
    whole.bytes.extend(b"DICM");
    let length = Encoder::length(Tag(2, 0), meta.bytes.len())?;
    whole.element(Tag(2, 0), *b"UL", &length.to_le_bytes())?;
    whole.bytes.append(&mut meta.bytes);
    whole.bytes.extend_from_slice(body);
    Ok(whole.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_fits_and_reads_back() {
        for value in [
            0.0,
            -0.0,
            1.5,
            -1234.0,
            0.1 + 0.2,
            -0.123_456_789_012_345_67,
            1e-7 / 3.0,
            -1e300 / 7.0,
            12_345.678_901_234_5,
        ] {
            let text = decimal_text(value);
            assert!(text.len() <= 16, "{text}");
            let read: f64 = text.parse().unwrap();
            assert!((read - value).abs() <= value.abs() * 1e-9, "{value} {text}");
        }
        assert_eq!(decimal_text(-0.0), "0");
    }

    #[test]
    fn odd_values_are_padded_by_their_kind() {
        let mut into = Encoder::new(Encoding::EXPLICIT);
        into.element(Tag(8, 0x16), *b"UI", b"1.2").unwrap();
        into.element(Tag(8, 0x60), *b"CS", b"CTX").unwrap();
        assert_eq!(into.bytes, b"\x08\0\x16\0UI\x04\x001.2\0\x08\0\x60\0CS\x04\0CTX ");
    }

    #[test]
    fn a_value_too_long_for_its_header_is_refused() {
        let mut into = Encoder::new(Encoding::EXPLICIT);
        assert!(into.element(Tag(0x10, 0x10), *b"PN", &[b'x'; 70_000]).is_err());
    }
}
