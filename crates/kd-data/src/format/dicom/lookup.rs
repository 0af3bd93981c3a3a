//! Lookup tables: descriptor and entries, as modality, VOI and palette steps store them (PS3.3 C.11.1.1, C.7.6.3.1.5).

use super::super::error::Problem;
use super::data_set::DataSet;
use super::tag::{self, Tag};

/// A table from stored values to others; values outside take the nearest entry.
#[derive(Clone, PartialEq)]
pub(super) struct LookupTable {
    first: i64,
    pub(super) bits: u16,
    entries: Vec<u16>,
}

/// Number of entries, first value mapped, bits of an entry.
pub(super) struct Descriptor {
    pub(super) count: usize,
    pub(super) first: i64,
    pub(super) bits: u16,
}

impl Descriptor {
    /// Reads a descriptor; `signed` says how the first value is meant where the file does not.
    pub(super) fn read(set: &DataSet<'_>, tag: Tag, signed: bool) -> Result<Self, Problem> {
        let (element, bytes) = set.bytes(tag).ok_or_else(|| Problem::new(tag.to_string(), "nothing there"))?;
        let words: Vec<u16> = element.encoding.words(bytes).collect();
        let &[count, first, bits] = words.as_slice() else {
            return Err(Problem::new(format!("three numbers in {tag}"), words.len().to_string()));
        };
        let signed = match &element.vr {
            b"US" => false,
            b"SS" => true,
            _ => signed,
        };
        let first = if signed { i64::from(first.cast_signed()) } else { i64::from(first) };
        // Zero stands for 2^16, which 16 bits cannot say.
        let count = if count == 0 { 1 << 16 } else { usize::from(count) };
        if !(1..=16).contains(&bits) {
            return Err(Problem::new(format!("1 to 16 bits of an entry in {tag}"), bits.to_string()));
        }
        Ok(Self { count, first, bits })
    }
}

impl LookupTable {
    pub(super) fn new(descriptor: &Descriptor, entries: Vec<u16>, tag: Tag) -> Result<Self, Problem> {
        if entries.len() < descriptor.count {
            let expected = format!("{} entries in {tag}", descriptor.count);
            return Err(Problem::truncated(expected, entries.len().to_string()));
        }
        let mut entries = entries;
        entries.truncate(descriptor.count);
        // Writers state 16 bits for tables that use fewer, and the other way round; what does not fit shows it.
        let used = entries.iter().copied().max().map_or(1, |largest| (16 - largest.leading_zeros()).max(1));
        let bits = descriptor.bits.max(u16::try_from(used).unwrap_or(16));
        Ok(Self { first: descriptor.first, bits, entries })
    }

    /// Reads the item of a modality or VOI LUT sequence.
    pub(super) fn read(item: &DataSet<'_>, signed: bool) -> Result<Self, Problem> {
        let descriptor = Descriptor::read(item, tag::LUT_DESCRIPTOR, signed)?;
        Self::new(&descriptor, entries(item, tag::LUT_DATA, &descriptor)?, tag::LUT_DATA)
    }

    /// The entry of a value.
    pub(super) fn at(&self, value: i64) -> u16 {
        let last = self.entries.len() - 1;
        let index = usize::try_from(value.saturating_sub(self.first).max(0)).unwrap_or(usize::MAX);
        self.entries[index.min(last)]
    }

    /// The largest number that an entry can be.
    pub(super) fn highest(&self) -> u16 {
        u16::MAX >> (16 - self.bits)
    }
}

/// The entries of a table: two bytes each, or one where there are no more bytes than entries.
pub(super) fn entries(set: &DataSet<'_>, tag: Tag, descriptor: &Descriptor) -> Result<Vec<u16>, Problem> {
    let (element, bytes) = set.bytes(tag).ok_or_else(|| Problem::new(tag.to_string(), "nothing there"))?;
    if bytes.len() < 2 * descriptor.count {
        // Two entries a word: a big-endian word holds the second one first.
        let swap = element.encoding.big_endian && &element.vr == b"OW";
        let pair = |pair: &[u8]| -> Vec<u16> {
            let entries = pair.iter().map(|&byte| u16::from(byte));
            if swap { entries.rev().collect() } else { entries.collect() }
        };
        return Ok(bytes.chunks(2).flat_map(pair).collect());
    }
    Ok(element.encoding.words(bytes).collect())
}
