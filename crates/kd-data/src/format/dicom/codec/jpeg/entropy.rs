//! Huffman codes and the bits between two markers of a JPEG stream (ITU-T T.81, annexes C and F.2.2).

use super::super::super::super::error::Problem;

/// Codes up to this length are found by one look.
const FAST_BITS: u32 = 9;

/// A table of codes, as `DHT` defines it.
pub(super) struct Huffman {
    /// Symbol and length by the next bits; length 0 where the code is longer.
    fast: Vec<(u8, u8)>,
    /// For each length, one past its last code, set at the upper end of 16 bits.
    limits: [u32; 17],
    /// For each length, what makes an index of `symbols` out of a code.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Huffman {
    /// Builds the codes out of how many there are of each length, 1 to 16.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, Problem> {
        let mut fast = vec![(0, 0); 1 << FAST_BITS];
        let (mut limits, mut offsets) = ([0; 17], [0; 17]);
        let (mut code, mut used) = (0u32, 0usize);
        for length in 1..=16u32 {
            let count = usize::from(counts[length as usize - 1]);
            let Some(here) = symbols.get(used..used + count) else {
                return Err(Problem::truncated("a JPEG code table with all its symbols", "fewer"));
            };
            offsets[length as usize] = i32::try_from(used).unwrap_or(i32::MAX) - code.cast_signed();
            for &symbol in here {
                if length <= FAST_BITS {
                    let first = (code << (FAST_BITS - length)) as usize;
                    let entries = fast.get_mut(first..first + (1 << (FAST_BITS - length)));
                    #[allow(clippy::cast_possible_truncation)] // at most 9
                    entries.ok_or_else(overfull)?.fill((symbol, length as u8));
                }
                code += 1;
            }
            if code > 1 << length {
                return Err(overfull());
            }
            limits[length as usize] = code << (16 - length);
            used += count;
            code <<= 1;
        }
        Ok(Self { fast, limits, offsets, symbols: symbols[..used].to_vec() })
    }
}

fn overfull() -> Problem {
    Problem::new("a JPEG code table whose codes fit their lengths", "more codes than there is room for")
}

/// Reads bits up to the next marker.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the top.
    buffer: u64,
    held: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, buffer: 0, held: 0 }
    }

    fn fill(&mut self) {
        while self.held <= 56 {
            let byte = match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.at += 2;
                    0xFF
                }
                // Bytes in front of a marker may be filled up with ones.
                (Some(0xFF), Some(0xFF)) => {
                    self.at += 1;
                    continue;
                }
                (Some(0xFF), _) | (None, _) => return,
                (Some(&byte), _) => {
                    self.at += 1;
                    byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.held);
            self.held += 8;
        }
    }

    fn take(&mut self, bits: u32) -> Result<(), Problem> {
        if bits > self.held {
            return Err(Problem::truncated("JPEG codes of all samples", "the end of the stream or of a scan"));
        }
        self.buffer <<= bits;
        self.held -= bits;
        Ok(())
    }

    /// The next symbol.
    pub(super) fn symbol(&mut self, table: &Huffman) -> Result<u8, Problem> {
        if self.held < 32 {
            self.fill();
        }
        let (symbol, length) = table.fast[(self.buffer >> (64 - FAST_BITS)) as usize];
        if length > 0 {
            self.take(u32::from(length))?;
            return Ok(symbol);
        }
        let next = u32::try_from(self.buffer >> 48).unwrap_or(u32::MAX);
        for length in FAST_BITS + 1..=16 {
            if next < table.limits[length as usize] {
                self.take(length)?;
                let code = (next >> (16 - length)).cast_signed() + table.offsets[length as usize];
                let symbol = usize::try_from(code).ok().and_then(|index| table.symbols.get(index));
                return symbol.copied().ok_or_else(no_code);
            }
        }
        if self.held < 16 { self.take(16).map(|()| 0) } else { Err(no_code()) }
    }

    /// A number of so many bits, whose upper half is positive and whose lower half is negative (F.2.2.1, EXTEND).
    pub(super) fn signed(&mut self, bits: u8) -> Result<i32, Problem> {
        if bits == 0 {
            return Ok(0);
        }
        let bits = u32::from(bits.min(16));
        if self.held < bits {
            self.fill();
        }
        let value = i32::try_from(self.buffer >> (64 - bits)).unwrap_or_default();
        self.take(bits)?;
        Ok(if value < 1 << (bits - 1) { value - (1 << bits) + 1 } else { value })
    }

    /// Steps over a restart marker.
    pub(super) fn restart(&mut self) -> Result<(), Problem> {
        (self.buffer, self.held) = (0, 0);
        self.fill();
        match (self.held, self.data.get(self.at), self.data.get(self.at + 1)) {
            (0, Some(0xFF), Some(0xD0..=0xD7)) => {
                self.at += 2;
                Ok(())
            }
            _ => Err(Problem::truncated("a JPEG restart marker", "other bytes")),
        }
    }

    /// Where the next marker begins, or the stream ends.
    pub(super) fn end(mut self) -> usize {
        while let Some(&byte) = self.data.get(self.at) {
            if byte == 0xFF && !matches!(self.data.get(self.at + 1), Some(0 | 0xFF | 0xD0..=0xD7)) {
                break;
            }
            self.at += 1;
        }
        self.at
    }
}

fn no_code() -> Problem {
    Problem::truncated("a code of the JPEG table", "bits that are none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_standard_s_luminance_table_decode() {
        // T.81 table K.3: category 0 is 00, 5 is 110, 8 is 111110, 11 is 111111110.
        let counts = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
        let table = Huffman::new(&counts, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]).unwrap();
        // 00 110 111110 111111110 and ones
        let data = [0b0011_0111, 0b1101_1111, 0b1110_1111];
        let mut bits = Bits::new(&data, 0);
        let read: Vec<u8> = (0..4).map(|_| bits.symbol(&table).unwrap()).collect();
        assert_eq!(read, [0, 5, 8, 11]);
        assert!(bits.symbol(&table).is_err());
    }

    #[test]
    fn the_lower_half_of_a_number_is_negative() {
        let mut bits = Bits::new(&[0b0001_1101, 0xFF, 0x00], 0);
        // 000 of three bits, 11 of two, 1 of one
        assert_eq!((bits.signed(3).unwrap(), bits.signed(2).unwrap(), bits.signed(1).unwrap()), (-7, 3, 1));
    }

    #[test]
    fn more_codes_than_a_length_has_room_for_are_refused() {
        assert!(Huffman::new(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 2, 3]).is_err());
    }
}
