//! Transfer syntaxes: how a data set is written and how its pixels are compressed, and which of them this build reads.

use super::super::error::Problem;
use super::data_set::{Encoding, is_known_vr};
use super::tag;

/// The compression of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// Not compressed.
    Native,
    /// Not compressed, in a data set that is.
    Deflated,
    /// Run lengths.
    Rle,
    /// JPEG baseline, extended and lossless.
    Jpeg,
    /// JPEG-LS.
    JpegLs,
    /// JPEG 2000, part 1.
    Jpeg2000,
    /// One deflate stream a frame.
    DeflatedFrame,
}

/// A transfer syntax, as far as reading needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TransferSyntax {
    pub(super) syntax: Syntax,
    pub(super) encoding: Encoding,
    pub(super) name: &'static str,
}

const PREFIX: &str = "1.2.840.10008.1.2";

impl TransferSyntax {
    const fn compressed(syntax: Syntax, name: &'static str) -> Self {
        Self { syntax, encoding: Encoding::EXPLICIT, name }
    }

    /// Looks a UID up.
    pub(super) fn named(uid: &str) -> Result<Self, Problem> {
        let native = |encoding, name| Ok(Self { syntax: Syntax::Native, encoding, name });
        let no_codec = |name: &str| {
            Err(Problem::new(format!("{} that this build reads", tag::TRANSFER_SYNTAX), format!("{name}, UID {uid}"))
                .hint("decompress the file with another program, for instance to Explicit VR Little Endian"))
        };
        // Anything else than a UID of the standard could be whatever a damaged file has there, so it is not repeated.
        let Some(rest) = uid.strip_prefix(PREFIX) else {
            return Err(Problem::new(format!("{} of the standard", tag::TRANSFER_SYNTAX), "a private or damaged one"));
        };
        match rest {
            "" => native(Encoding::IMPLICIT, "Implicit VR Little Endian"),
            ".1" => native(Encoding::EXPLICIT, "Explicit VR Little Endian"),
            ".2" => native(Encoding { explicit: true, big_endian: true }, "Explicit VR Big Endian"),
            ".1.99" => Ok(Self::compressed(Syntax::Deflated, "Deflated Explicit VR Little Endian")),
            ".5" => Ok(Self::compressed(Syntax::Rle, "RLE Lossless")),
            ".4.50" => Ok(Self::compressed(Syntax::Jpeg, "JPEG Baseline")),
            ".4.51" => Ok(Self::compressed(Syntax::Jpeg, "JPEG Extended")),
            ".4.57" => Ok(Self::compressed(Syntax::Jpeg, "JPEG Lossless")),
            ".4.70" => Ok(Self::compressed(Syntax::Jpeg, "JPEG Lossless SV1")),
            ".4.80" | ".4.81" => Ok(Self::compressed(Syntax::JpegLs, "JPEG-LS")),
            ".4.90" | ".4.91" => Ok(Self::compressed(Syntax::Jpeg2000, "JPEG 2000")),
            ".8.1" => Ok(Self::compressed(Syntax::DeflatedFrame, "Deflated Image Frame Compression")),
            ".4.92" | ".4.93" => no_codec("JPEG 2000 part 2 (multi-component)"),
            ".4.201" | ".4.202" | ".4.203" => no_codec("High-Throughput JPEG 2000"),
            ".4.110" | ".4.111" | ".4.112" => no_codec("JPEG XL"),
            _ if rest.starts_with(".4.10") => no_codec("a video"),
            _ if rest.len() <= 12 && rest.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()) => {
                no_codec("a syntax without a reader")
            }
            _ => Err(Problem::new(format!("{} of the standard", tag::TRANSFER_SYNTAX), "a damaged one")),
        }
    }

    /// The syntax of a data set that does not name one, by its first attribute.
    pub(super) fn guessed(start: &[u8]) -> Self {
        let Some(first) = start.first_chunk::<6>() else {
            return Self { syntax: Syntax::Native, encoding: Encoding::IMPLICIT, name: "unknown" };
        };
        let explicit = is_known_vr([first[4], first[5]]);
        // Groups are small numbers, so the larger reading is the wrong one.
        let big_endian = u16::from_be_bytes([first[0], first[1]]) < u16::from_le_bytes([first[0], first[1]]);
        Self { syntax: Syntax::Native, encoding: Encoding { explicit, big_endian }, name: "not named" }
    }
}
