//! Checksums of files and hashes of values.
//!
//! MD5 is what MedMNIST publishes, so it is read; what is written here is always SHA-256.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::error::FileError;

/// A published checksum and its method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checksum {
    /// 128 bits; good against accidents, not against malice.
    Md5([u8; 16]),
    /// 256 bits.
    Sha256([u8; 32]),
}

/// Why a text is no checksum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method} checksum is `{found}`, expected {expected} hexadecimal digits")]
pub struct ChecksumError {
    method: &'static str,
    expected: usize,
    found: String,
}

impl Checksum {
    /// Reads an MD5 from its 32 hexadecimal digits.
    ///
    /// # Errors
    /// [`ChecksumError`] for any other text.
    pub fn md5(text: &str) -> Result<Self, ChecksumError> {
        from_hex(text).map(Self::Md5).ok_or_else(|| ChecksumError { method: "md5", expected: 32, found: text.into() })
    }

    /// Reads a SHA-256 from its 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`ChecksumError`] for any other text.
    pub fn sha256(text: &str) -> Result<Self, ChecksumError> {
        from_hex(text).map(Self::Sha256).ok_or_else(|| ChecksumError {
            method: "sha256",
            expected: 64,
            found: text.into(),
        })
    }

    /// `md5` or `sha256`.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Md5(_) => "md5",
            Self::Sha256(_) => "sha256",
        }
    }

    /// The digits alone.
    #[must_use]
    pub fn hex(&self) -> String {
        match self {
            Self::Md5(bytes) => hex(bytes),
            Self::Sha256(bytes) => hex(bytes),
        }
    }

    /// A running checksum of the same method.
    #[must_use]
    pub fn running(&self) -> RunningChecksum {
        match self {
            Self::Md5(_) => RunningChecksum::Md5(Md5::new()),
            Self::Sha256(_) => RunningChecksum::Sha256(Sha256::new()),
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.method(), self.hex())
    }
}

impl FromStr for Checksum {
    type Err = ChecksumError;
    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        match text.split_once(':') {
            Some(("md5", digits)) => Self::md5(digits),
            Some(("sha256", digits)) => Self::sha256(digits),
            _ => Err(ChecksumError { method: "sha256", expected: 64, found: text.into() }),
        }
    }
}

/// A checksum that is fed piece by piece.
#[derive(Debug, Clone)]
pub enum RunningChecksum {
    /// See [`Checksum::Md5`].
    Md5(Md5),
    /// See [`Checksum::Sha256`].
    Sha256(Sha256),
}

impl RunningChecksum {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(state) => state.update(bytes),
            Self::Sha256(state) => state.update(bytes),
        }
    }

    /// The checksum of everything that was added.
    #[must_use]
    pub fn finish(self) -> Checksum {
        match self {
            Self::Md5(state) => Checksum::Md5(state.finalize().into()),
            Self::Sha256(state) => Checksum::Sha256(state.finalize().into()),
        }
    }

    /// Adds all that a reader gives; returns the number of bytes.
    ///
    /// # Errors
    /// Whatever the reader reports.
    pub fn read_all(&mut self, reader: &mut impl Read) -> io::Result<u64> {
        let mut buffer = vec![0u8; 1 << 16];
        let mut total = 0;
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(total),
                Ok(n) => {
                    self.update(&buffer[..n]);
                    total += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The SHA-256 of some bytes, in 64 hexadecimal digits.
///
/// ```
/// assert!(kd_data::digest::sha256_hex(b"").starts_with("e3b0c442"));
/// ```
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 and the size of a file.
///
/// # Errors
/// [`FileError`] when it cannot be read; `folder` is what its name is shown relative to.
pub fn sha256_file(path: &Path, folder: &Path) -> Result<(Checksum, u64), FileError> {
    checksum_file(path, folder, RunningChecksum::Sha256(Sha256::new()))
}

/// The checksum and the size of a file, by the method of `running`.
///
/// # Errors
/// [`FileError`] when it cannot be read; `folder` is what its name is shown relative to.
pub fn checksum_file(path: &Path, folder: &Path, mut running: RunningChecksum) -> Result<(Checksum, u64), FileError> {
    let failed = |source| FileError::new("read", path, folder, source);
    let bytes = File::open(path).and_then(|mut file| running.read_all(&mut file)).map_err(failed)?;
    Ok((running.finish(), bytes))
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_three_letters_are_the_published_ones() {
        // RFC 1321, A.5, and FIPS 180-2, B.1.
        let md5 = Checksum::md5("900150983cd24fb0d6963f7d28e17f72").unwrap();
        let mut running = md5.running();
        running.update(b"a");
        running.update(b"bc");
        assert_eq!(running.finish(), md5);
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_checksum_reads_back_from_its_text() {
        let sum = Checksum::sha256(&sha256_hex(b"x")).unwrap();
        assert_eq!(sum.to_string().parse(), Ok(sum));
        assert!("md5:00".parse::<Checksum>().is_err());
        assert!(Checksum::md5(&"é".repeat(16)).is_err());
    }
}
