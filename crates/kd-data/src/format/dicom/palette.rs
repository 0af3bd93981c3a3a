//! PALETTE COLOR: stored indices to red, green and blue, by plain or segmented tables (PS3.3 C.7.9.2).

use super::super::error::Problem;
use super::data_set::DataSet;
use super::lookup::{Descriptor, LookupTable, entries};
use super::tag::{self, Tag};

/// Three tables.
#[derive(Clone, PartialEq)]
pub(super) struct Palette {
    channels: [LookupTable; 3],
}

impl Palette {
    pub(super) fn read(set: &DataSet<'_>, signed: bool) -> Result<Self, Problem> {
        let channel = |descriptor_tag, plain, segmented| {
            let descriptor = Descriptor::read(set, descriptor_tag, signed)?;
            if set.bytes(plain).is_none() && set.bytes(segmented).is_some() {
                let segments = words(set, segmented, &descriptor)?;
                let expanded = expand(&segments, descriptor.bits > 8, descriptor.count, segmented)?;
                return LookupTable::new(&descriptor, expanded, segmented);
            }
            LookupTable::new(&descriptor, entries(set, plain, &descriptor)?, plain)
        };
        let channels: [LookupTable; 3] = [
            channel(tag::RED_DESCRIPTOR, tag::RED_DATA, tag::RED_SEGMENTS)?,
            channel(tag::GREEN_DESCRIPTOR, tag::GREEN_DATA, tag::GREEN_SEGMENTS)?,
            channel(tag::BLUE_DESCRIPTOR, tag::BLUE_DATA, tag::BLUE_SEGMENTS)?,
        ];
        Ok(Self { channels })
    }

    /// The colour of an index.
    pub(super) fn color(&self, index: i64) -> [u16; 3] {
        [self.channels[0].at(index), self.channels[1].at(index), self.channels[2].at(index)]
    }

    /// Bits of one colour value.
    pub(super) fn bits(&self) -> u16 {
        self.channels.iter().map(|channel| channel.bits).max().unwrap_or(16)
    }
}

/// The numbers of a segmented table: bytes or words, by the width of the entries.
fn words(set: &DataSet<'_>, tag: Tag, descriptor: &Descriptor) -> Result<Vec<u16>, Problem> {
    let (element, bytes) = set.bytes(tag).ok_or_else(|| Problem::new(tag.to_string(), "nothing there"))?;
    if descriptor.bits > 8 {
        return Ok(element.encoding.words(bytes).collect());
    }
    let swap = element.encoding.big_endian && &element.vr == b"OW";
    let pair = |pair: &[u8]| -> Vec<u16> {
        let bytes = pair.iter().map(|&byte| u16::from(byte));
        if swap { bytes.rev().collect() } else { bytes.collect() }
    };
    Ok(bytes.chunks(2).flat_map(pair).collect())
}

/// Expands segments: 0 lists values, 1 runs in a line to a value, 2 repeats earlier segments.
///
/// An indirect segment names its target by a byte offset from the start of the data (C.7.9.2.3); pydicom 3.0.2 takes the
/// number for an index of words where entries have 16 bits.
fn expand(segments: &[u16], wide: bool, count: usize, tag: Tag) -> Result<Vec<u16>, Problem> {
    let cut = || Problem::truncated(format!("whole segments in {tag}"), "a shorter one");
    let mut table = Vec::with_capacity(count);
    let mut at = 0;
    while table.len() < count && at < segments.len() {
        at += match segments[at] {
            2 => {
                let numbers = if wide { 4 } else { 6 };
                let indirect = segments.get(at..at + numbers).ok_or_else(cut)?;
                let width = if wide { 16 } else { 8 };
                let offset =
                    indirect[2..].iter().rev().fold(0usize, |offset, &part| offset << width | usize::from(part));
                let mut target = if wide { offset / 2 } else { offset };
                for _ in 0..indirect[1] {
                    let rest = segments.get(target..).filter(|rest| !rest.is_empty());
                    let missing = || Problem::truncated(format!("an earlier segment in {tag}"), "none there");
                    // Kind 2 within kind 2 is forbidden, so nothing here can go in circles.
                    target += segment(rest.ok_or_else(missing)?, &mut table, count, tag)?;
                }
                numbers
            }
            _ => segment(&segments[at..], &mut table, count, tag)?,
        };
    }
    Ok(table)
}

/// One discrete or linear segment; returns the numbers it took.
fn segment(segments: &[u16], table: &mut Vec<u16>, count: usize, tag: Tag) -> Result<usize, Problem> {
    let cut = || Problem::truncated(format!("whole segments in {tag}"), "a shorter one");
    let length = usize::from(*segments.get(1).ok_or_else(cut)?);
    let room = count.saturating_sub(table.len());
    match segments[0] {
        0 => {
            let values = segments.get(2..2 + length).ok_or_else(cut)?;
            table.extend(values.iter().take(room));
            Ok(2 + length)
        }
        1 => {
            let end = f64::from(*segments.get(2).ok_or_else(cut)?);
            let Some(&start) = table.last() else {
                return Err(Problem::new(format!("a value in front of the first line in {tag}"), "none"));
            };
            let (start, steps) = (f64::from(start), length as f64);
            // Between two 16-bit numbers, so the cast loses nothing but the fraction.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let step = |k: usize| (start + (end - start) * k as f64 / steps).round_ties_even() as u16;
            table.extend((1..=length).take(room).map(step));
            Ok(3)
        }
        code => Err(Problem::new(format!("segments of kind 0, 1 or 2 in {tag}"), format!("{code}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_runs_from_the_value_before_it_to_its_own() {
        let table = expand(&[0, 2, 5, 10, 1, 5, 20], true, 7, tag::RED_SEGMENTS).unwrap();
        assert_eq!(table, [5, 10, 12, 14, 16, 18, 20]);
    }

    #[test]
    fn an_indirect_segment_repeats_the_values_it_points_to() {
        let table = expand(&[0, 2, 5, 10, 1, 2, 20, 2, 1, 8, 0], true, 6, tag::RED_SEGMENTS).unwrap();
        assert_eq!(table, [5, 10, 15, 20, 20, 20]);
        let table = expand(&[0, 2, 5, 10, 1, 2, 20, 2, 2, 0, 0, 0, 0], false, 8, tag::RED_SEGMENTS).unwrap();
        assert_eq!(table, [5, 10, 15, 20, 5, 10, 15, 20]);
    }

    #[test]
    fn a_line_without_a_start_is_refused() {
        assert!(expand(&[1, 5, 20], true, 5, tag::RED_SEGMENTS).is_err());
    }
}
