//! Numbers and codes out of a data set, each checked, none repeated in an error: text may hold what identifies a person.

use super::super::error::Problem;
use super::data_set::{DataSet, Element, Encoding, Value};
use super::tag::Tag;

impl Encoding {
    /// Each two bytes as a number.
    pub(super) fn words(self, bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
        bytes.chunks_exact(2).map(move |pair| self.u16([pair[0], pair[1]]))
    }
}

impl<'a> DataSet<'a> {
    /// The bytes of an attribute; `None` where it is missing, empty or a sequence.
    pub(super) fn bytes(&self, tag: Tag) -> Option<(&Element<'a>, &'a [u8])> {
        let element = self.elements.get(&tag)?;
        match element.value {
            Value::Bytes(bytes) if !bytes.is_empty() => Some((element, bytes)),
            _ => None,
        }
    }

    /// The items of a sequence; none where it is missing.
    pub(super) fn items(&self, tag: Tag) -> &[DataSet<'a>] {
        match self.elements.get(&tag) {
            Some(Element { value: Value::Items(items), .. }) => items,
            _ => &[],
        }
    }

    /// Text without the padding around it; `None` where it is missing, blank or not ASCII.
    pub(super) fn code(&self, tag: Tag) -> Option<&'a str> {
        let (_, bytes) = self.bytes(tag)?;
        let text = std::str::from_utf8(bytes).ok()?.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!text.is_empty() && text.is_ascii()).then_some(text)
    }

    /// An unsigned 16-bit number; `None` where it is missing.
    pub(super) fn u16(&self, tag: Tag) -> Result<Option<u16>, Problem> {
        let Some((element, bytes)) = self.bytes(tag) else { return Ok(None) };
        match (&element.vr, bytes) {
            (b"US" | b"SS" | b"  " | b"UN" | b"OW" | b"OB", [a, b]) => Ok(Some(element.encoding.u16([*a, *b]))),
            // Other representations come from files that are wrong about their own; a number in text is one still.
            (b"UL" | b"SL", [a, b, c, d]) => u16::try_from(element.encoding.u32([*a, *b, *c, *d]))
                .map(Some)
                .map_err(|_| Problem::new(format!("16 bits in {tag}"), "more")),
            (b"IS" | b"DS", _) => {
                let number = self.integer(tag)?;
                let too_large = || Problem::new(format!("a number of 16 bits in {tag}"), "another");
                number.map(|number| u16::try_from(number).map_err(|_| too_large())).transpose()
            }
            _ => Err(Problem::new(format!("one number of 2 bytes in {tag}"), format!("{} bytes", bytes.len()))),
        }
    }

    /// An unsigned 16-bit number that has to be there.
    pub(super) fn required_u16(&self, tag: Tag) -> Result<u16, Problem> {
        self.u16(tag)?.ok_or_else(|| Problem::new(format!("{tag}"), "nothing there"))
    }

    /// Decimal text or binary floats, as many as there are; `None` where the attribute is missing or blank.
    ///
    /// A comma is read as a decimal point: nothing else can be meant by it, several values being set apart by `\`.
    pub(super) fn decimals(&self, tag: Tag) -> Result<Option<Vec<f64>>, Problem> {
        let Some((element, bytes)) = self.bytes(tag) else { return Ok(None) };
        let encoding = element.encoding;
        let values: Option<Vec<f64>> = match &element.vr {
            b"FD" => bytes.as_chunks().0.iter().map(|eight| Some(encoding.f64(*eight))).collect(),
            b"FL" => bytes.as_chunks().0.iter().map(|four| Some(f64::from(encoding.f32(*four)))).collect(),
            b"US" => encoding.words(bytes).map(|word| Some(f64::from(word))).collect(),
            b"SS" => encoding.words(bytes).map(|word| Some(f64::from(word.cast_signed()))).collect(),
            _ => {
                let text = String::from_utf8_lossy(bytes);
                let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
                if text.is_empty() {
                    return Ok(None);
                }
                let number = |part: &str| {
                    let part = part.trim_matches(|c: char| c.is_whitespace() || c == '\0').replace(',', ".");
                    // `f64` reads `inf` and `nan` as well.
                    part.parse::<f64>().ok().filter(|value| value.is_finite())
                };
                text.split('\\').map(number).collect()
            }
        };
        match values {
            Some(values) if values.iter().all(|value| value.is_finite()) => Ok(Some(values)),
            _ => Err(Problem::new(format!("decimal numbers in {tag}"), "text that is none")),
        }
    }

    /// The first of [`decimals`](Self::decimals).
    pub(super) fn decimal(&self, tag: Tag) -> Result<Option<f64>, Problem> {
        Ok(self.decimals(tag)?.and_then(|values| values.first().copied()))
    }

    /// Exactly `N` decimals.
    pub(super) fn vector<const N: usize>(&self, tag: Tag) -> Result<Option<[f64; N]>, Problem> {
        let Some(values) = self.decimals(tag)? else { return Ok(None) };
        let found = values.len();
        <[f64; N]>::try_from(values)
            .map(Some)
            .map_err(|_| Problem::new(format!("{N} numbers in {tag}"), format!("{found}")))
    }

    /// A whole number in text.
    pub(super) fn integer(&self, tag: Tag) -> Result<Option<i64>, Problem> {
        let Some((_, bytes)) = self.bytes(tag) else { return Ok(None) };
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        if text.is_empty() {
            return Ok(None);
        }
        let first = text.split('\\').next().unwrap_or(text).trim();
        first.parse().map(Some).map_err(|_| Problem::new(format!("a whole number in {tag}"), "text that is none"))
    }
}

impl Encoding {
    pub(super) fn f32(self, bytes: [u8; 4]) -> f32 {
        if self.big_endian { f32::from_be_bytes(bytes) } else { f32::from_le_bytes(bytes) }
    }

    pub(super) fn f64(self, bytes: [u8; 8]) -> f64 {
        if self.big_endian { f64::from_be_bytes(bytes) } else { f64::from_le_bytes(bytes) }
    }
}
