//! Which fragments of encapsulated pixel data make which frame (PS3.5 A.4).

use std::borrow::Cow;

use super::super::super::error::Problem;
use super::super::data_set::{DataSet, Value};
use super::super::syntax::Syntax;
use super::super::tag;

/// The fragments of all frames, and where each frame begins among them.
pub(in super::super) struct Fragments<'a> {
    fragments: Vec<&'a [u8]>,
    /// The first fragment of each frame, and the end of the last one.
    starts: Vec<usize>,
}

impl<'a> Fragments<'a> {
    /// Sorts fragments to frames: by number, by offset tables, else by the codec's start marker.
    pub(in super::super) fn read(set: &DataSet<'a>, frames: usize, syntax: Syntax) -> Result<Self, Problem> {
        let Some(Value::Fragments(all)) = set.elements.get(&tag::PIXELS).map(|element| &element.value) else {
            return Err(Problem::new(format!("compressed fragments in {}", tag::PIXELS), "uncompressed bytes"));
        };
        let table = all.first().copied().unwrap_or_default();
        let fragments: Vec<&[u8]> = all.iter().skip(1).copied().collect();
        let count = fragments.len();
        if count < frames {
            return Err(Problem::truncated(format!("fragments of {frames} frames"), format!("{count} fragments")));
        }
        let starts = if count == frames {
            (0..=count).collect()
        } else if frames == 1 {
            vec![0, count]
        } else {
            let positions: Vec<u64> = fragments
                .iter()
                .scan(0u64, |at, fragment| Some(std::mem::replace(at, *at + 8 + fragment.len() as u64)))
                .collect();
            let place = |offset: u64| positions.binary_search(&offset).ok();
            let basic = table.as_chunks().0.iter().map(|&four| u64::from(u32::from_le_bytes(four)));
            let extended = set.bytes(tag::EXTENDED_OFFSETS).map_or(&[][..], |(_, bytes)| bytes);
            let extended = extended.as_chunks().0.iter().map(|&eight| u64::from_le_bytes(eight));
            let by_table = |offsets: Vec<u64>| -> Option<Vec<usize>> {
                let mut starts: Vec<usize> = offsets.into_iter().map(place).collect::<Option<_>>()?;
                starts.push(count);
                (starts.len() == frames + 1 && starts.is_sorted_by(|a, b| a < b)).then_some(starts)
            };
            by_table(basic.collect())
                .or_else(|| by_table(extended.collect()))
                .or_else(|| Self::by_marker(&fragments, frames, syntax))
                .ok_or_else(|| {
                    Problem::new(
                        format!("an offset table that sorts {count} fragments to {frames} frames"),
                        "none that does",
                    )
                })?
        };
        Ok(Self { fragments, starts })
    }

    /// Codecs begin a frame with a marker of their own; run lengths have none.
    fn by_marker(fragments: &[&[u8]], frames: usize, syntax: Syntax) -> Option<Vec<usize>> {
        let marker: &[u8] = match syntax {
            Syntax::Jpeg | Syntax::JpegLs => &[0xFF, 0xD8, 0xFF],
            Syntax::Jpeg2000 => &[0xFF, 0x4F, 0xFF, 0x51],
            _ => return None,
        };
        let begins = fragments.iter().enumerate().filter(|(_, fragment)| fragment.starts_with(marker));
        let mut starts: Vec<usize> = begins.map(|(index, _)| index).collect();
        starts.push(fragments.len());
        (starts.len() == frames + 1 && starts[0] == 0).then_some(starts)
    }

    /// The bytes of one frame, joined where they are in pieces.
    pub(in super::super) fn frame(&self, frame: usize) -> Cow<'a, [u8]> {
        match &self.fragments[self.starts[frame]..self.starts[frame + 1]] {
            [one] => Cow::Borrowed(one),
            pieces => Cow::Owned(pieces.concat()),
        }
    }

    /// Compressed bytes in all.
    pub(in super::super) fn bytes(&self) -> usize {
        self.fragments.iter().map(|fragment| fragment.len()).sum()
    }
}
