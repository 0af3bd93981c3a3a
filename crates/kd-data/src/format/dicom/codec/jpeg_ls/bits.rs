//! The bits of a JPEG-LS scan: behind a byte of ones, the next one brings seven bits only (T.87, annex A.1).

use super::super::super::super::error::Problem;

pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the top.
    buffer: u64,
    held: u32,
    after_ones: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, buffer: 0, held: 0, after_ones: false }
    }

    fn fill(&mut self) {
        while self.held <= 56 {
            let Some(&byte) = self.data.get(self.at) else { return };
            let bits = if self.after_ones { 7 } else { 8 };
            let next_is_marker = byte == 0xFF && self.data.get(self.at + 1).is_none_or(|&next| next >= 0x80);
            if next_is_marker || (self.after_ones && byte >= 0x80) {
                return;
            }
            self.buffer |= u64::from(byte) << (64 - bits - self.held);
            self.held += bits;
            self.after_ones = byte == 0xFF;
            self.at += 1;
        }
    }

    /// The next bits as a number; at most 32.
    pub(super) fn number(&mut self, bits: u32) -> Result<u32, Problem> {
        if bits == 0 {
            return Ok(0);
        }
        if self.held < bits {
            self.fill();
        }
        let value = u32::try_from(self.buffer >> (64 - bits)).unwrap_or(u32::MAX);
        if bits > self.held {
            return Err(Problem::truncated("JPEG-LS codes of all samples", "the end of the stream or of a scan"));
        }
        self.buffer <<= bits;
        self.held -= bits;
        Ok(value)
    }

    /// A Golomb code with parameter `k` whose unary part ends at `limit` (A.5.3).
    pub(super) fn golomb(&mut self, k: u32, limit: u32, escape_bits: u32) -> Result<i32, Problem> {
        let longest = limit.saturating_sub(escape_bits + 1);
        let mut zeros = 0;
        while self.number(1)? == 0 {
            zeros += 1;
            if zeros > longest {
                return Err(Problem::truncated("a JPEG-LS code", "bits that are none"));
            }
        }
        let value = if zeros < longest {
            u64::from(zeros) << k | u64::from(self.number(k)?)
        } else {
            u64::from(self.number(escape_bits)?) + 1
        };
        i32::try_from(value).map_err(|_| Problem::truncated("a JPEG-LS code below 2^31", "a larger one"))
    }

    /// Where the next marker begins, or the stream ends.
    pub(super) fn end(mut self) -> usize {
        while let Some(&byte) = self.data.get(self.at) {
            if byte == 0xFF && self.data.get(self.at + 1).is_none_or(|&next| next >= 0x80 && next != 0xFF) {
                break;
            }
            self.at += 1;
        }
        self.at
    }
}
