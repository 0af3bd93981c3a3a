//! The value representation of each attribute of the standard: implicit files do not say it, and writers need it.
//!
//! A table in a text file beside this one; the representations are facts of PS3.6.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::tag::Tag;

static REPRESENTATIONS: LazyLock<BTreeMap<Tag, [u8; 2]>> = LazyLock::new(|| {
    let two = |(tag, rest): (Tag, &'static str)| Some((tag, *rest.as_bytes().first_chunk::<2>()?));
    entries(include_str!("dictionary.txt")).filter_map(two).collect()
});

/// The attributes of a table, each with what stands behind its element: a word of four digits is a group, and longer ones
/// are elements of the group before them. Lines that begin with `#` are read by people.
pub(super) fn entries(table: &'static str) -> impl Iterator<Item = (Tag, &'static str)> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let mut group = 0;
    lines.flat_map(str::split_ascii_whitespace).filter_map(move |word| {
        let (number, rest) = word.split_at(4);
        // Tests of the tables hold that every word reads.
        let number = u16::from_str_radix(number, 16).unwrap_or_default();
        if rest.is_empty() {
            group = number;
            return None;
        }
        Some((Tag(group, number), rest))
    })
}

/// The representation of an attribute of the standard; `None` for any other. Where the standard leaves a choice, the
/// first; overlays and curves are not listed.
pub(crate) fn vr(tag: Tag) -> Option<[u8; 2]> {
    REPRESENTATIONS.get(&tag).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::dicom::data_set::is_known_vr;

    #[test]
    fn every_word_of_the_table_reads() {
        assert_eq!(REPRESENTATIONS.len(), 5027);
        assert!(REPRESENTATIONS.values().all(|&vr| is_known_vr(vr)));
        assert!(REPRESENTATIONS.keys().all(|tag| tag.0 >= 8 && tag.0.is_multiple_of(2)));
        assert_eq!(vr(Tag(0x0010, 0x0010)), Some(*b"PN"));
        assert_eq!(vr(Tag(0x0008, 0x1140)), Some(*b"SQ"));
        assert_eq!(vr(Tag(0x7FE0, 0x0010)), Some(*b"OW"));
        assert_eq!(vr(Tag(0x0009, 0x0010)), None);
    }
}
