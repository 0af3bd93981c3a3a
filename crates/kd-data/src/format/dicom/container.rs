//! The file around a data set: preamble, meta information, transfer syntax, and what to do where one is missing.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use super::super::error::Problem;
use super::data_set::{DataSet, Encoding, Reader, Select, is_known_vr};
use super::syntax::{Syntax, TransferSyntax};
use super::tag::{self, Tag};
use crate::format::FormatError;

/// No data set of images inflates to more. Deflate makes at most 1032 bytes out of one, so a small file never gets there.
const LARGEST_INFLATED: u64 = 1 << 32;
pub(super) const DICOM_DIRECTORY: &str = "1.2.840.10008.1.3.10";
/// Headers of one image are rarely longer; a file whose header is, is read whole.
const HEAD_BYTES: u64 = 1 << 17;

/// The bytes behind the meta information, and how to read them.
pub(super) struct Container<'a> {
    pub(super) syntax: TransferSyntax,
    syntax_uid: Option<String>,
    body: Cow<'a, [u8]>,
    start: usize,
}

/// Whether bytes begin like a DICOM file without a preamble: with an attribute of the meta group, or with one of the
/// identifying group that starts a data set.
pub(in crate::format) fn starts_like_a_data_set(head: &[u8]) -> bool {
    let Some(first) = head.first_chunk::<8>() else { return false };
    let (group, element) = (u16::from_le_bytes([first[0], first[1]]), u16::from_le_bytes([first[2], first[3]]));
    let length = u32::from_le_bytes([first[4], first[5], first[6], first[7]]);
    let explicit = is_known_vr([first[4], first[5]]);
    let implicit = length <= 256 && length.is_multiple_of(2);
    match (group, element) {
        (2, 0..=0x102) => explicit,
        (8, 0..=0x60) => explicit || implicit,
        // Big-endian data sets were always explicit.
        (0x0800, element) => element.swap_bytes() <= 0x60 && explicit,
        _ => head.starts_with(b"DICM"),
    }
}

/// Where the meta information begins, or the data set where there is none.
pub(super) fn start_of(bytes: &[u8]) -> Result<usize, Problem> {
    if bytes.get(128..132) == Some(b"DICM") {
        Ok(132)
    } else if bytes.starts_with(b"DICM") {
        Ok(4)
    } else if starts_like_a_data_set(bytes) {
        Ok(0)
    } else {
        Err(Problem::new("a DICOM file", "other bytes at its start"))
    }
}

impl<'a> Container<'a> {
    /// Finds the data set in the bytes of a file.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Problem> {
        let start = start_of(bytes)?;
        // Meta information is little-endian and explicit, whatever follows; its stated length is often wrong.
        let mut reader = Reader { bytes, at: start, encoding: Encoding::EXPLICIT, select: Select::Listed };
        let meta = match reader.peek_tag(bytes.len()) {
            Some(Tag(2, _)) => reader.data_set(bytes.len(), 0, |tag| tag.0 != 2)?,
            _ => DataSet::default(),
        };
        if meta.code(tag::MEDIA_CLASS) == Some(DICOM_DIRECTORY) {
            return Err(Problem::new("an image", "a DICOMDIR, the list of other files")
                .hint("give the folder that it lies in, or the files that it lists"));
        }
        let syntax = match meta.code(tag::TRANSFER_SYNTAX) {
            Some(uid) => TransferSyntax::named(uid)?,
            None => TransferSyntax::guessed(bytes.get(reader.at..).unwrap_or_default()),
        };
        let body = match syntax.syntax {
            Syntax::Deflated => Cow::Owned(inflated(bytes.get(reader.at..).unwrap_or_default())?),
            _ => Cow::Borrowed(bytes),
        };
        let start = if syntax.syntax == Syntax::Deflated { 0 } else { reader.at };
        let syntax_uid = meta.code(tag::TRANSFER_SYNTAX).map(str::to_owned);
        Ok(Self { syntax, syntax_uid, body, start })
    }

    /// Reads the data set with its pixels.
    pub(super) fn data_set(&self) -> Result<DataSet<'_>, Problem> {
        self.reader(Select::Listed).data_set(self.body.len(), 0, |_| false)
    }

    /// Reads every attribute, behind the pixels too.
    pub(super) fn whole(&self) -> Result<DataSet<'_>, Problem> {
        self.reader(Select::All).data_set(self.body.len(), 0, |_| false)
    }

    /// The transfer syntax that the file names.
    pub(super) fn syntax_uid(&self) -> Option<&str> {
        self.syntax_uid.as_deref()
    }

    /// Reads what stands in front of the pixels, and refuses a data set without any.
    fn header(&self, select: Select) -> Result<DataSet<'_>, Problem> {
        let is_pixels = |tag| matches!(tag, tag::PIXELS | tag::FLOAT_PIXELS | tag::DOUBLE_PIXELS);
        let mut reader = self.reader(select);
        let set = reader.data_set(self.body.len(), 0, is_pixels)?;
        if !reader.peek_tag(self.body.len()).is_some_and(is_pixels) {
            return Err(no_image());
        }
        Ok(set)
    }

    fn reader(&self, select: Select) -> Reader<'_> {
        Reader { bytes: &self.body, at: self.start, encoding: self.syntax.encoding, select }
    }
}

/// A data set without pixels.
pub(super) fn no_image() -> Problem {
    Problem::new(tag::PIXELS.to_string(), "nothing there").hint("the file holds no image")
}

pub(super) fn inflated(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut inflated = Vec::new();
    let read = flate2::read::DeflateDecoder::new(bytes).take(LARGEST_INFLATED).read_to_end(&mut inflated);
    match read {
        Err(_) => Err(Problem::truncated("a whole deflate stream behind the meta information", "a broken one")),
        Ok(_) if inflated.len() as u64 == LARGEST_INFLATED => {
            Err(Problem::new("a data set below 4 GiB", "a deflate stream that holds more"))
        }
        Ok(_) => Ok(inflated),
    }
}

/// Reads the attributes of a file that stand in front of its pixels, and gives them to `each`.
///
/// Sorting a series needs the headers of all its files, so only the first bytes of each are read where they are enough.
pub(super) fn with_header<T>(
    path: &Path,
    select: Select,
    each: impl Fn(&DataSet<'_>) -> Result<T, Problem>,
) -> Result<T, FormatError> {
    let attempt = |bytes: &[u8]| {
        let container = Container::open(bytes)?;
        each(&container.header(select)?)
    };
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(|source| FormatError::read(path, source))?;
    file.take(HEAD_BYTES).read_to_end(&mut head).map_err(|source| FormatError::read(path, source))?;
    let whole = (head.len() as u64) < HEAD_BYTES;
    match attempt(&head) {
        Ok(value) => Ok(value),
        Err(problem) if whole => Err(problem.at(path, None)),
        Err(_) => {
            drop(head);
            let bytes = super::super::read_bytes(path, "a DICOM file")?;
            attempt(&bytes).map_err(|problem| problem.at(path, None))
        }
    }
}
