//! Private attributes that hold nothing of a person: those that the standard lists, told by the name of their maker.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::super::data_set::DataSet;
use super::super::tag::Tag;
use super::profile::Action;

/// Whether each safe attribute is a sequence, by its block's creator, its group and its place in the block.
static SAFE: LazyLock<BTreeMap<(&'static str, u16, u8), bool>> = LazyLock::new(|| {
    let lines = include_str!("safe_private.txt").lines().filter(|line| !line.starts_with('#'));
    let row = |line: &'static str| {
        let (creator, rest) = line.split_once(" = ")?;
        let mut words = rest.split_ascii_whitespace();
        let group = u16::from_str_radix(words.next()?, 16).ok()?;
        let place = move |word: &str| {
            let is_sequence = word.ends_with('s');
            // Tests of the table hold that every word reads.
            let place = u8::from_str_radix(word.trim_end_matches('s'), 16).ok()?;
            Some(((creator, group, place), is_sequence))
        };
        Some(words.filter_map(place))
    };
    lines.filter_map(row).flatten().collect()
});

/// What becomes of a private attribute where safe ones are kept; `vr` is what the file says of it.
pub(super) fn action(set: &DataSet<'_>, tag: Tag, vr: [u8; 2]) -> Action {
    // The creator of a block is kept with what it explains.
    if matches!(tag.1, 0x10..=0xFF) {
        let block = Tag(tag.0, tag.1 << 8)..=Tag(tag.0, tag.1 << 8 | 0xFF);
        let mut block = set.elements.range(block);
        let is_needed = block.any(|(&other, element)| action(set, other, element.meant_vr(other)) != Action::Remove);
        return if is_needed { Action::Keep } else { Action::Remove };
    }
    let [place, block] = tag.1.to_le_bytes();
    let creator = set.code(Tag(tag.0, block.into())).filter(|_| block >= 0x10).unwrap_or_default();
    let Some(&is_sequence) = SAFE.get(&(creator, tag.0, place)) else { return Action::Remove };
    match &vr {
        b"UI" => Action::NewUid,
        // None of the table is one of these: something else stands in its place.
        b"PN" | b"DA" | b"DT" | b"TM" => Action::Remove,
        // A sequence that was not opened could hold anything.
        _ if is_sequence != (vr == *b"SQ") => Action::Remove,
        _ => Action::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::dicom::data_set::{Element, Encoding, Value};

    fn set(elements: &[(u16, u16, &'static [u8; 2], &'static str)]) -> DataSet<'static> {
        let element = |&(group, element, vr, text): &(u16, u16, &'static [u8; 2], &'static str)| {
            let value = Value::Bytes(text.as_bytes());
            (Tag(group, element), Element { vr: *vr, encoding: Encoding::EXPLICIT, value })
        };
        DataSet { elements: elements.iter().map(element).collect() }
    }

    #[test]
    fn every_word_of_the_table_reads() {
        let words = include_str!("safe_private.txt").lines().filter(|line| !line.starts_with('#'));
        let words: usize = words.map(|line| line.split_once(" = ").unwrap().1.split(' ').count() - 1).sum();
        assert_eq!((SAFE.len(), words), (317, 317));
        assert_eq!(SAFE.values().filter(|&&is_sequence| is_sequence).count(), 10);
        assert!(SAFE.keys().all(|(_, group, _)| !group.is_multiple_of(2)));
    }

    #[test]
    fn a_safe_attribute_is_told_by_its_creator_in_whichever_block_it_stands() {
        let mixed = set(&[
            (0x0019, 0x0010, b"LO", "SIEMENS MR HEADER "),
            (0x0019, 0x0011, b"LO", "SOMEBODY"),
            (0x0019, 0x00E1, b"LO", "GEMS_ACQU_01"),
            (0x0019, 0x100C, b"IS", "1000"),
            (0x0019, 0x100F, b"LO", "name"),
            (0x0019, 0x110C, b"LO", "name"),
            (0x0019, 0xE123, b"DS", "1.5"),
            (0x0019, 0x120C, b"LO", "name"),
        ]);
        let is_kept = |&(&tag, element): &(&Tag, &Element<'_>)| action(&mixed, tag, element.vr) == Action::Keep;
        let kept: Vec<u16> = mixed.elements.iter().filter(is_kept).map(|(tag, _)| tag.1).collect();
        assert_eq!(kept, [0x0010, 0x00E1, 0x100C, 0xE123]);
    }

    #[test]
    fn a_representation_that_can_name_somebody_is_never_safe() {
        for (vr, expected) in [
            (b"PN", Action::Remove),
            (b"DA", Action::Remove),
            (b"UI", Action::NewUid),
            (b"SQ", Action::Remove),
            (b"FD", Action::Keep),
            (b"UN", Action::Keep),
        ] {
            let one = set(&[(0x0019, 0x0010, b"LO", "SIEMENS MR HEADER"), (0x0019, 0x1027, vr, "x")]);
            assert_eq!(action(&one, Tag(0x0019, 0x1027), *vr), expected, "{}", String::from_utf8_lossy(vr));
        }
        let closed = set(&[(0x0019, 0x0010, b"LO", "HOLOGIC, Inc."), (0x0019, 0x108A, b"UN", "x")]);
        assert_eq!(action(&closed, Tag(0x0019, 0x108A), *b"UN"), Action::Remove);
        assert_eq!(action(&closed, Tag(0x0019, 0x0010), *b"LO"), Action::Remove, "nothing is left to explain");
    }
}
