//! A DICOM data set over the bytes of its file: which attribute lies where.
//!
//! Own code, although `dicom-object` parses data sets: version 0.10.1 takes the memory a length field declares before it
//! looks whether the file is that long (4 GiB for a file of 200 bytes), calls itself for every level of nesting (a file
//! of 400 KB overflows the stack, which ends the process), and reads no file without meta information. Here a value
//! borrows from the file, every length is compared with what is left, nesting stops at [`DEEPEST`], and attributes that
//! `tag.rs` does not list are stepped over unread, unless every one is asked for.

use std::collections::BTreeMap;

use super::super::error::Problem;
use super::dictionary;
use super::tag::{self, Tag};

/// Levels of sequences within sequences; enhanced images use three.
const DEEPEST: usize = 16;
const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// How headers and numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) explicit: bool,
    pub(crate) big_endian: bool,
}

impl Encoding {
    pub(crate) const IMPLICIT: Self = Self { explicit: false, big_endian: false };
    pub(crate) const EXPLICIT: Self = Self { explicit: true, big_endian: false };

    pub(crate) fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// What an attribute holds.
pub(crate) enum Value<'a> {
    Bytes(&'a [u8]),
    Items(Vec<DataSet<'a>>),
    /// Encapsulated pixel data: offset table first, then fragments.
    Fragments(Vec<&'a [u8]>),
}

pub(crate) struct Element<'a> {
    /// Two letters, or blanks where the file does not say.
    pub(crate) vr: [u8; 2],
    pub(crate) encoding: Encoding,
    pub(crate) value: Value<'a>,
}

impl Element<'_> {
    /// The representation that the attribute has, also where the file does not say.
    pub(super) fn meant_vr(&self, tag: Tag) -> [u8; 2] {
        match (&self.value, &self.vr) {
            (Value::Items(_), _) => *b"SQ",
            (_, b"  " | b"UN") => dictionary::vr(tag).unwrap_or(self.vr),
            _ => self.vr,
        }
    }
}

/// Attributes by tag.
#[derive(Default)]
pub(crate) struct DataSet<'a> {
    pub(crate) elements: BTreeMap<Tag, Element<'a>>,
}

struct Header {
    tag: Tag,
    vr: [u8; 2],
    length: u32,
    value_at: usize,
}

/// Which attributes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Select {
    /// Those that `tag.rs` lists, up to the pixels; all others are stepped over.
    Listed,
    /// Every one, to the end of the file.
    All,
}

impl Select {
    fn keeps(self, tag: Tag) -> bool {
        self == Self::All || tag::is_kept(tag)
    }

    /// Whether a value is a sequence of items; implicit files do not say so themselves.
    fn opens(self, tag: Tag, vr: [u8; 2]) -> bool {
        match self {
            Self::Listed => tag::is_kept(tag) && tag::is_sequence(tag),
            Self::All => {
                vr == *b"SQ" || matches!(&vr, b"  " | b"UN") && dictionary::vr(tag).is_some_and(|vr| vr == *b"SQ")
            }
        }
    }
}

/// A place in the bytes of one file.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) encoding: Encoding,
    pub(super) select: Select,
}

fn is_vr(vr: [u8; 2]) -> bool {
    vr.iter().all(u8::is_ascii_uppercase)
}

/// Representations whose length takes four bytes behind two that are reserved.
pub(super) fn is_long(vr: [u8; 2]) -> bool {
    const LONG: [&[u8; 2]; 13] =
        [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];
    LONG.contains(&&vr)
}

/// Whether two bytes are a value representation of the standard.
pub(super) fn is_known_vr(vr: [u8; 2]) -> bool {
    const SHORT: [&[u8; 2]; 21] = [
        b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
        b"ST", b"TM", b"UI", b"UL", b"US",
    ];
    is_long(vr) || SHORT.contains(&&vr)
}

fn cut(what: impl std::fmt::Display, expected: usize, at: usize, left: usize) -> Problem {
    Problem::truncated(format!("{expected} bytes for {what} at byte {at}"), format!("{left}"))
}

impl<'a> Reader<'a> {
    fn left(&self, end: usize) -> usize {
        end.saturating_sub(self.at)
    }

    fn array<const N: usize>(&self, at: usize, end: usize) -> Option<[u8; N]> {
        self.bytes.get(at..at.checked_add(N)?.min(end))?.first_chunk().copied()
    }

    /// The tag that comes next, if there is room for one.
    pub(super) fn peek_tag(&self, end: usize) -> Option<Tag> {
        let bytes: [u8; 4] = self.array(self.at, end)?;
        Some(Tag(self.encoding.u16([bytes[0], bytes[1]]), self.encoding.u16([bytes[2], bytes[3]])))
    }

    /// Files that say one thing and write another are common; the first header of a data set tells.
    fn correct_encoding(&mut self, end: usize) {
        let Some(vr) = self.array::<2>(self.at.saturating_add(4), end) else { return };
        if self.encoding.explicit && !is_vr(vr) {
            self.encoding.explicit = false;
        } else if !self.encoding.explicit && !self.encoding.big_endian && is_known_vr(vr) {
            self.encoding.explicit = true;
        }
    }

    fn header(&self, end: usize) -> Result<Header, Problem> {
        let short = || cut("the header of an attribute", 8, self.at, self.left(end));
        let tag = self.peek_tag(end).ok_or_else(short)?;
        let rest: [u8; 4] = self.array(self.at + 4, end).ok_or_else(short)?;
        let vr = [rest[0], rest[1]];
        if tag.0 == 0xFFFE || !self.encoding.explicit || !is_vr(vr) {
            return Ok(Header { tag, vr: *b"  ", length: self.encoding.u32(rest), value_at: self.at + 8 });
        }
        if !is_long(vr) {
            let length = u32::from(self.encoding.u16([rest[2], rest[3]]));
            return Ok(Header { tag, vr, length, value_at: self.at + 8 });
        }
        let length: [u8; 4] = self.array(self.at + 8, end).ok_or_else(|| cut(tag, 12, self.at, self.left(end)))?;
        Ok(Header { tag, vr, length: self.encoding.u32(length), value_at: self.at + 12 })
    }

    /// The bytes of a value whose length is stated.
    fn value(&mut self, header: &Header, end: usize) -> Result<&'a [u8], Problem> {
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        let left = end.saturating_sub(header.value_at);
        if length > left {
            return Err(cut(header.tag, length, header.value_at, left));
        }
        let value = &self.bytes[header.value_at..header.value_at + length];
        self.at = header.value_at + length;
        Ok(value)
    }

    /// Reads attributes up to `end`, the end of an item, or the first tag for which `stop` holds.
    pub(super) fn data_set(
        &mut self,
        end: usize,
        depth: usize,
        stop: impl Fn(Tag) -> bool,
    ) -> Result<DataSet<'a>, Problem> {
        let mut set = DataSet::default();
        self.correct_encoding(end);
        // Fewer bytes than a header has are padding.
        while self.left(end) >= 8 {
            let header = self.header(end)?;
            if header.tag == ITEM_END || stop(header.tag) {
                break;
            }
            let (vr, encoding) = (header.vr, self.encoding);
            if let Some(value) = self.element(&header, end, depth)? {
                set.elements.insert(header.tag, Element { vr, encoding, value });
            }
            // Nothing behind the pixels of an image is needed, and much that is there is broken.
            if header.tag == tag::PIXELS && self.select == Select::Listed {
                break;
            }
        }
        Ok(set)
    }

    /// Reads or steps over one value; `None` when it is not kept.
    fn element(&mut self, header: &Header, end: usize, depth: usize) -> Result<Option<Value<'a>>, Problem> {
        let kept = self.select.keeps(header.tag);
        if header.length == UNDEFINED && header.tag == tag::PIXELS {
            self.at = header.value_at;
            return self.fragments(end).map(|fragments| Some(Value::Fragments(fragments)));
        }
        let undefined = header.length == UNDEFINED;
        let opened = undefined || self.select.opens(header.tag, header.vr);
        if !opened {
            let value = self.value(header, end)?;
            return Ok(kept.then_some(Value::Bytes(value)));
        }
        let inner_end = if undefined {
            end
        } else {
            let start = header.value_at;
            start + self.value(header, end)?.len()
        };
        self.at = header.value_at;
        let outer = self.encoding;
        // PS3.5 6.2.2: what is inside an unknown representation is implicit and little-endian.
        if header.vr == *b"UN" {
            self.encoding = Encoding::IMPLICIT;
        }
        let items = self.items(header.tag, inner_end, undefined, depth)?;
        self.encoding = outer;
        if !undefined {
            self.at = inner_end;
        }
        let shown = self.select == Select::All || self.select.opens(header.tag, header.vr);
        Ok(shown.then_some(Value::Items(items)))
    }

    fn items(&mut self, of: Tag, end: usize, undefined: bool, depth: usize) -> Result<Vec<DataSet<'a>>, Problem> {
        if depth >= DEEPEST {
            return Err(Problem::new(
                format!("at most {DEEPEST} sequences within each other"),
                format!("more in {of}"),
            ));
        }
        let mut items = Vec::new();
        loop {
            if self.left(end) < 8 {
                if undefined {
                    return Err(cut(format!("the end of {of}"), 8, self.at, self.left(end)));
                }
                return Ok(items);
            }
            let header = self.header(end)?;
            if header.tag == SEQUENCE_END {
                self.at = header.value_at;
                return Ok(items);
            }
            if header.tag != ITEM {
                let found = format!("another tag at byte {}", self.at);
                return Err(Problem::new(format!("an item of {of}"), found));
            }
            let outer = self.encoding;
            if header.length == UNDEFINED {
                self.at = header.value_at;
                items.push(self.data_set(end, depth + 1, |_| false)?);
                self.encoding = outer;
                if self.peek_tag(end) != Some(ITEM_END) {
                    return Err(cut(format!("the end of an item of {of}"), 8, self.at, self.left(end)));
                }
                self.at = self.at.saturating_add(8);
            } else {
                let start = header.value_at;
                let item_end = start + self.value(&header, end)?.len();
                self.at = start;
                items.push(self.data_set(item_end, depth + 1, |_| false)?);
                self.encoding = outer;
                self.at = item_end;
            }
        }
    }

    fn fragments(&mut self, end: usize) -> Result<Vec<&'a [u8]>, Problem> {
        let mut fragments = Vec::new();
        loop {
            if self.left(end) < 8 {
                return Err(cut(format!("the end of {}", tag::PIXELS), 8, self.at, self.left(end)));
            }
            let header = self.header(end)?;
            match header.tag {
                SEQUENCE_END => {
                    self.at = header.value_at;
                    return Ok(fragments);
                }
                ITEM => fragments.push(self.value(&header, end)?),
                _ => {
                    let found = format!("another tag at byte {}", self.at);
                    return Err(Problem::new(format!("a fragment of {}", tag::PIXELS), found));
                }
            }
        }
    }
}
