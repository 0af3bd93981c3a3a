//! Unique identifiers of DICOM: checked text, and new ones made out of what they name.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A unique identifier: digits and dots, at most 64 characters (PS3.5 section 9).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(String);

/// A text that is no unique identifier. The text itself is not repeated: an identifier names a patient's study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("UID: expected numbers without leading zeros, set apart by dots, 64 characters at most, found another text")]
pub struct UidError;

impl Uid {
    /// Checks a text.
    ///
    /// # Errors
    /// [`UidError`] for another form than numbers without leading zeros, set apart by dots, and for over 64 characters.
    ///
    /// # Example
    /// ```
    /// use kd_data::format::Uid;
    /// assert_eq!(Uid::new("1.2.840.10008.1.2")?.as_str(), "1.2.840.10008.1.2");
    /// assert!(Uid::new("1.02").is_err());
    /// # Ok::<(), kd_data::format::UidError>(())
    /// ```
    pub fn new(text: &str) -> Result<Self, UidError> {
        let number = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && (part == "0" || !part.starts_with('0'))
        };
        let fits = text.len() <= 64 && text.contains('.') && text.split('.').all(number);
        if fits { Ok(Self(text.to_owned())) } else { Err(UidError) }
    }

    /// A new identifier out of the parts that name a thing: equal parts give the same one, others another.
    ///
    /// # Policy
    /// SHA-256 over each part behind its length; the first 128 bits are a UUID of version 8, written as `2.25.` and its
    /// decimal number.
    ///
    /// # Source
    /// PS3.5 B.2; RFC 9562, section 5.8.
    #[must_use]
    pub fn derived(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self::from_digest(hash.finalize().into())
    }

    /// The first 128 bits of a digest as a UUID.
    pub(crate) fn from_digest(digest: [u8; 32]) -> Self {
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&digest[..16]);
        uuid[6] = uuid[6] & 0x0F | 0x80;
        uuid[8] = uuid[8] & 0x3F | 0x80;
        Self(format!("2.25.{}", u128::from_be_bytes(uuid)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_identifiers_are_well_formed_and_follow_their_parts() {
        let one = Uid::derived(&[b"ab", b"c"]);
        assert_eq!(one, Uid::derived(&[b"ab", b"c"]));
        assert_ne!(one, Uid::derived(&[b"a", b"bc"]));
        assert_eq!(Uid::new(one.as_str()), Ok(one.clone()));
        let number: u128 = one.as_str().strip_prefix("2.25.").unwrap().parse().unwrap();
        assert_eq!((number >> 76 & 0xF, number >> 62 & 3), (8, 2), "version and variant of a UUID");
    }

    #[test]
    fn other_texts_are_refused_without_being_repeated() {
        for text in ["", "1", "1..2", "1.a", "1.2 ", ".1", "1.00", &"1.".repeat(40)] {
            assert_eq!(Uid::new(text), Err(UidError), "{text}");
        }
    }
}
