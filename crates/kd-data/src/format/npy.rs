//! NumPy's array file: a text header and raw values.
//!
//! Own code, because MedMNIST files come in every integer type, Fortran order occurs, and a header that promises more
//! values than the file holds has to be refused before memory is taken for them.

use std::path::Path;

use half::f16;

use super::error::Problem;
use super::{FormatError, read_bytes};

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// No header of a plain array comes near this.
const LONGEST_HEADER: usize = 1 << 20;
const LARGEST_EXACT: i64 = 1 << 53;

/// An array in C order: last axis fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct NpyArray<T> {
    /// Points along each axis, slowest first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Their product of values.
    pub values: Vec<T>,
}

impl<T> NpyArray<T> {
    fn map<U>(self, each: impl FnMut(T) -> U) -> NpyArray<U> {
        NpyArray { shape: self.shape, values: self.values.into_iter().map(each).collect() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Unsigned,
    Signed,
    Float,
    Bytes,
    Unicode,
}

/// Shape and element type of an array, as its header tells them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Header {
    descr: String,
    kind: Kind,
    item: usize,
    big_endian: bool,
    fortran: bool,
    pub(crate) shape: Vec<usize>,
    pub(crate) data_start: usize,
    pub(crate) data_bytes: usize,
}

/// Bytes of the header in front of the values, once the first 12 bytes are known.
pub(crate) fn header_length(start: &[u8]) -> Result<usize, Problem> {
    if !start.starts_with(MAGIC) {
        return Err(Problem::new("a NumPy array", "other bytes at its start"));
    }
    let cut = || Problem::truncated("a whole NumPy header", format!("{} bytes", start.len()));
    let (prefix, length) = match start.get(6).ok_or_else(cut)? {
        1 => {
            let bytes = start.get(8..10).ok_or_else(cut)?;
            (10, usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
        }
        2 | 3 => {
            let bytes = start.get(8..12).and_then(|bytes| bytes.first_chunk::<4>()).ok_or_else(cut)?;
            (12, usize::try_from(u32::from_le_bytes(*bytes)).map_err(|_| cut())?)
        }
        other => return Err(Problem::new("NumPy format version 1, 2 or 3", format!("version {other}"))),
    };
    if length > LONGEST_HEADER {
        return Err(Problem::new(format!("a header of at most {LONGEST_HEADER} bytes"), format!("{length}")));
    }
    Ok(prefix + length)
}

/// Reads a header; `bytes` holds at least all of it.
pub(crate) fn parse_header(bytes: &[u8]) -> Result<Header, Problem> {
    let data_start = header_length(bytes)?;
    let prefix = if bytes[6] == 1 { 10 } else { 12 };
    let text = bytes
        .get(prefix..data_start)
        .ok_or_else(|| Problem::truncated(format!("a header of {data_start} bytes"), format!("{}", bytes.len())))?;
    let text = std::str::from_utf8(text).map_err(|_| Problem::new("a header of text", "other bytes"))?;
    let fields = Fields::parse(text)
        .ok_or_else(|| Problem::new("a header with descr, fortran_order and shape", format!("`{}`", shown(text))))?;
    let (kind, item, big_endian) = element(&fields.descr)?;
    let too_large = || Problem::new("a shape that can be counted", format!("{:?}", fields.shape));
    let count = fields.shape.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis)).ok_or_else(too_large)?;
    let data_bytes = count.checked_mul(item).ok_or_else(too_large)?;
    Ok(Header {
        kind,
        item,
        big_endian,
        fortran: fields.fortran,
        descr: fields.descr,
        shape: fields.shape,
        data_start,
        data_bytes,
    })
}

fn shown(text: &str) -> String {
    text.trim().chars().take(80).collect()
}

struct Fields {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Fields {
    /// Reads the Python dictionary that a header is, and nothing beyond it.
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let quote = rest.chars().next().filter(|c| "'\"".contains(*c))?;
            let (key, after) = rest[1..].split_once(quote)?;
            let value = after.trim_start().strip_prefix(':')?.trim_start();
            let end;
            match key {
                "descr" if value.starts_with('[') => {
                    end = value.rfind(']')? + 1;
                    // A list of fields; the element table refuses it by what it is.
                    let last = value[end..].trim_start().trim_start_matches(',').trim();
                    descr = Some(value[..end].to_string());
                    if !last.is_empty() {
                        rest = last;
                        continue;
                    }
                }
                "descr" => {
                    let quote = value.chars().next().filter(|c| "'\"".contains(*c))?;
                    let (name, _) = value[1..].split_once(quote)?;
                    descr = Some(name.to_string());
                    end = name.len() + 2;
                }
                "fortran_order" => {
                    let yes = value.starts_with("True");
                    end = if yes { 4 } else { value.starts_with("False").then_some(5)? };
                    fortran = Some(yes);
                }
                "shape" => {
                    end = value.find(')')? + 1;
                    let axes = value[..end].strip_prefix('(')?.strip_suffix(')')?.trim().trim_end_matches(',');
                    let mut sizes = Vec::new();
                    if !axes.trim().is_empty() {
                        for axis in axes.split(',') {
                            // Python 2 wrote `3L`.
                            sizes.push(axis.trim().trim_end_matches('L').parse().ok()?);
                        }
                    }
                    shape = Some(sizes);
                }
                _ => return None,
            }
            rest = value[end..].trim_start();
            rest = rest
                .strip_prefix(',')
                .map_or_else(|| if rest.is_empty() { Some("") } else { None }, |r| Some(r.trim_start()))?;
        }
        Some(Self { descr: descr?, fortran: fortran?, shape: shape? })
    }
}

fn element(descr: &str) -> Result<(Kind, usize, bool), Problem> {
    let refused = |what: &str| {
        Err(Problem::new("numbers, truth values or text", format!("{what} (`{}`)", shown(descr)))
            .hint("save the array again with a plain type, such as `array.astype(\"int64\")`"))
    };
    if descr.starts_with('[') {
        return refused("records with named fields");
    }
    let mut letters = descr.chars();
    let order = letters.next().unwrap_or(' ');
    let (order, rest) = if "<>|=".contains(order) { (order, letters.as_str()) } else { ('=', descr) };
    let Some(letter) = rest.chars().next() else { return refused("no element type") };
    let size: Option<usize> = rest[letter.len_utf8()..].parse().ok();
    let big_endian = order == '>';
    match (letter, size) {
        ('O', _) => refused("an object array of pickled Python values"),
        ('b', Some(1)) => Ok((Kind::Bool, 1, false)),
        ('u', Some(size @ (1 | 2 | 4 | 8))) => Ok((Kind::Unsigned, size, big_endian)),
        ('i', Some(size @ (1 | 2 | 4 | 8))) => Ok((Kind::Signed, size, big_endian)),
        ('f', Some(size @ (2 | 4 | 8))) => Ok((Kind::Float, size, big_endian)),
        ('S' | 'a', Some(size @ 1..)) => Ok((Kind::Bytes, size, false)),
        ('U', Some(size @ 1..=0xff_ffff)) => Ok((Kind::Unicode, size * 4, big_endian)),
        ('c', _) => refused("complex numbers"),
        ('M' | 'm', _) => refused("dates or time differences"),
        ('V', _) => refused("raw records"),
        _ => refused("an element type without a reader"),
    }
}

/// An array as it was stored, before it is asked for as numbers or text.
#[derive(Debug, Clone)]
pub struct StoredArray {
    header: Header,
    data: Vec<u8>,
    path: std::path::PathBuf,
    inside: Option<String>,
}

impl StoredArray {
    pub(crate) fn new(header: Header, data: Vec<u8>, path: &Path, inside: Option<&str>) -> Result<Self, FormatError> {
        if data.len() != header.data_bytes {
            let expected = format!("{} bytes of values for shape {:?}", header.data_bytes, header.shape);
            return Err(Problem::truncated(expected, format!("{}", data.len())).at(path, inside));
        }
        Ok(Self { header, data, path: path.to_path_buf(), inside: inside.map(Into::into) })
    }

    /// Points along each axis, slowest first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// NumPy's name of the element type, such as `<f4`.
    #[must_use]
    pub fn dtype(&self) -> &str {
        &self.header.descr
    }

    /// The values of an array of `uint8` or `bool` (as 0 and 1).
    ///
    /// # Errors
    /// [`FormatError::Content`] for any other element type.
    pub fn bytes(&self) -> Result<NpyArray<u8>, FormatError> {
        match (self.header.kind, self.header.item) {
            (Kind::Bool, _) => Ok(self.gather(|item| u8::from(item[0] != 0))),
            (Kind::Unsigned, 1) => Ok(self.gather(|item| item[0])),
            _ => Err(self.refused("uint8", &format!("element type `{}`", self.header.descr))),
        }
    }

    /// The values of an array of any integer type or `bool` (as 0 and 1).
    ///
    /// # Errors
    /// [`FormatError::Content`] for floats and text, and for unsigned values above 2⁶³ − 1.
    pub fn integers(&self) -> Result<NpyArray<i64>, FormatError> {
        let array = self.gather(|item| self.integer(item));
        match (self.header.kind, array.values.iter().position(Option::is_none)) {
            (Kind::Bool | Kind::Unsigned | Kind::Signed, None) => Ok(array.map(Option::unwrap_or_default)),
            (Kind::Unsigned, Some(position)) => {
                Err(self.refused("integers below 2^63", &format!("a larger one at position {position}")))
            }
            _ => Err(self.refused("integers", &format!("element type `{}`", self.header.descr))),
        }
    }

    /// The values of an array of any numeric type, as `f64`.
    ///
    /// # Policy
    /// Nothing is rounded: integers beyond ±2⁵³ are refused. NaN and infinities are refused, with their position in
    /// C order.
    ///
    /// # Errors
    /// [`FormatError::Content`] for text, for integers that `f64` cannot hold, and for values that are not finite.
    pub fn floats(&self) -> Result<NpyArray<f64>, FormatError> {
        let array = match (self.header.kind, self.header.item) {
            (Kind::Float, 2) => self.gather(|item| f16::from_bits(self.bits(item) as u16).to_f64()),
            (Kind::Float, 4) => self.gather(|item| f64::from(f32::from_bits(self.bits(item) as u32))),
            (Kind::Float, _) => self.gather(|item| f64::from_bits(self.bits(item))),
            _ => {
                let integers = self.integers().map_err(|error| match self.header.kind {
                    Kind::Bytes | Kind::Unicode => {
                        self.refused("numbers", &format!("text (element type `{}`)", self.header.descr))
                    }
                    _ => error,
                })?;
                if let Some(large) = integers.values.iter().find(|v| !(-LARGEST_EXACT..=LARGEST_EXACT).contains(*v)) {
                    return Err(self.refused("integers within ±2^53", &large.to_string()));
                }
                #[allow(clippy::cast_precision_loss)] // within ±2^53, checked above
                integers.map(|value| value as f64)
            }
        };
        match array.values.iter().position(|value| !value.is_finite()) {
            None => Ok(array),
            Some(position) => {
                Err(self.refused("finite numbers", &format!("{} at position {position}", array.values[position])))
            }
        }
    }

    /// The values of a text array (`<U…` or `|S…`), without the padding at their ends.
    ///
    /// # Errors
    /// [`FormatError::Content`] for numbers, and for bytes that are no text (UTF-8 for `|S…`).
    pub fn texts(&self) -> Result<NpyArray<String>, FormatError> {
        let read: fn(&Self, &[u8]) -> Option<String> = match self.header.kind {
            Kind::Bytes => |_, item| {
                let end = item.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                String::from_utf8(item[..end].to_vec()).ok()
            },
            Kind::Unicode => |array, item| {
                let codes: Vec<u32> = item.chunks_exact(4).map(|code| array.bits(code) as u32).collect();
                let end = codes.iter().rposition(|&code| code != 0).map_or(0, |last| last + 1);
                codes[..end].iter().map(|&code| char::from_u32(code)).collect()
            },
            _ => return Err(self.refused("text", &format!("element type `{}`", self.header.descr))),
        };
        let array = self.gather(|item| read(self, item));
        match array.values.iter().position(Option::is_none) {
            None => Ok(array.map(Option::unwrap_or_default)),
            Some(position) => Err(self.refused("text", &format!("bytes that are none at position {position}"))),
        }
    }

    fn refused(&self, expected: &str, found: &str) -> FormatError {
        Problem::new(expected, found).at(&self.path, self.inside.as_deref())
    }

    /// The bits of one item of at most 8 bytes, in this machine's order.
    fn bits(&self, item: &[u8]) -> u64 {
        let place = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        if self.header.big_endian { item.iter().fold(0, place) } else { item.iter().rev().fold(0, place) }
    }

    fn integer(&self, item: &[u8]) -> Option<i64> {
        match self.header.kind {
            Kind::Bool => Some(i64::from(item[0] != 0)),
            Kind::Unsigned => i64::try_from(self.bits(item)).ok(),
            Kind::Signed => {
                let unused = 64 - 8 * item.len() as u32;
                // Shifting up and back down spreads the sign bit.
                Some(self.bits(item).cast_signed() << unused >> unused)
            }
            _ => None,
        }
    }

    /// All items in C order, whatever order they were stored in.
    fn gather<T>(&self, each: impl Fn(&[u8]) -> T) -> NpyArray<T> {
        let shape = self.header.shape.clone();
        let items = self.data.chunks_exact(self.header.item);
        if !self.header.fortran || shape.len() < 2 {
            return NpyArray { shape, values: items.map(each).collect() };
        }
        let mut strides = vec![1; shape.len()];
        for axis in 1..shape.len() {
            strides[axis] = strides[axis - 1] * shape[axis - 1];
        }
        let count = items.len();
        let mut index = vec![0; shape.len()];
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let position: usize = index.iter().zip(&strides).map(|(i, stride)| i * stride).sum();
            values.push(each(&self.data[position * self.header.item..(position + 1) * self.header.item]));
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        NpyArray { shape, values }
    }
}

/// Reads a `.npy` file.
///
/// # Policy
/// Versions 1 to 3, both byte orders, C and Fortran order. The file must hold exactly the bytes that its header
/// promises. Object arrays, records, complex numbers and dates are refused.
///
/// # Errors
/// [`FormatError`], naming what the header says and what is there.
pub fn read_npy(path: &Path) -> Result<StoredArray, FormatError> {
    let mut bytes = read_bytes(path, "a NumPy array")?;
    let header = parse_header(&bytes).map_err(|problem| problem.at(path, None))?;
    let data = bytes.split_off(header.data_start.min(bytes.len()));
    StoredArray::new(header, data, path, None)
}
