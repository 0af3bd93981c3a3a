//! The fixed part of a header, field by field: 348 bytes of NIfTI-1 or 540 of NIfTI-2, in either byte order.
//!
//! Nothing is judged here but what kind of header it is; both kinds become the same numbers, so that `header.rs` checks
//! each rule once.

use crate::format::error::Problem;

/// Bytes of a NIfTI-1 header.
pub(super) const SIZE_1: usize = 348;
/// Bytes of a NIfTI-2 header.
pub(super) const SIZE_2: usize = 540;

/// Which of the two standards a header follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NiftiVersion {
    /// 16-bit axes, 32-bit floats.
    One,
    /// 64-bit axes and floats.
    Two,
}

impl NiftiVersion {
    pub(super) fn is_two(self) -> bool {
        self == Self::Two
    }
}

/// The fields that are used, as numbers of one width.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawHeader {
    pub(super) version: NiftiVersion,
    pub(super) big_endian: bool,
    /// Voxels stand behind the header in the same file, not in an `.img` beside it.
    pub(super) single: bool,
    pub(super) dim: [i64; 8],
    pub(super) datatype: i16,
    pub(super) bitpix: i16,
    pub(super) pixdim: [f64; 8],
    pub(super) vox_offset: f64,
    pub(super) slope: f64,
    pub(super) intercept: f64,
    pub(super) units: i32,
    pub(super) qform_code: i32,
    pub(super) sform_code: i32,
    pub(super) quatern: [f64; 3],
    pub(super) qoffset: [f64; 3],
    pub(super) srow: [[f64; 4]; 3],
}

/// Reads numbers at fixed places; the header is as long as its kind says, so no place lies outside.
struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Fields<'_> {
    fn at<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.bytes[offset..offset + N]);
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }

    fn i16(&self, offset: usize) -> i16 {
        i16::from_le_bytes(self.at(offset))
    }

    fn i32(&self, offset: usize) -> i32 {
        i32::from_le_bytes(self.at(offset))
    }

    fn i64(&self, offset: usize) -> i64 {
        i64::from_le_bytes(self.at(offset))
    }

    fn f32(&self, offset: usize) -> f64 {
        f64::from(f32::from_le_bytes(self.at(offset)))
    }

    fn f64(&self, offset: usize) -> f64 {
        f64::from_le_bytes(self.at(offset))
    }
}

/// The kind of a header by its first four bytes: version, and whether the largest byte stands first.
pub(super) fn kind(start: [u8; 4]) -> Result<(NiftiVersion, bool), Problem> {
    match (i32::from_le_bytes(start), i32::from_be_bytes(start)) {
        (348, _) => Ok((NiftiVersion::One, false)),
        (_, 348) => Ok((NiftiVersion::One, true)),
        (540, _) => Ok((NiftiVersion::Two, false)),
        (_, 540) => Ok((NiftiVersion::Two, true)),
        (found, _) => {
            Err(Problem::new("sizeof_hdr 348 (NIfTI-1) or 540 (NIfTI-2), in either byte order", found.to_string())
                .hint("check that the file is what its name says, and that it is not cut off"))
        }
    }
}

impl RawHeader {
    /// Reads a header; `bytes` holds the whole of its kind.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let cut = |size: usize| {
            Problem::truncated(format!("a header of {size} bytes"), format!("{} bytes in all", bytes.len()))
        };
        let start = bytes.first_chunk::<4>().ok_or_else(|| cut(SIZE_1))?;
        let (version, big_endian) = kind(*start)?;
        let size = if version == NiftiVersion::One { SIZE_1 } else { SIZE_2 };
        let bytes = bytes.get(..size).ok_or_else(|| cut(size))?;
        let fields = Fields { bytes, big_endian };
        match version {
            NiftiVersion::One => Self::one(&fields),
            NiftiVersion::Two => Self::two(&fields),
        }
    }

    fn one(fields: &Fields) -> Result<Self, Problem> {
        let single = match &fields.bytes[344..348] {
            b"n+1\0" => true,
            b"ni1\0" => false,
            // Analyze 7.5 has the same size and no magic.
            b"\0\0\0\0" => {
                let expected = "magic `n+1` or `ni1` at byte 344";
                return Err(Problem::new(expected, "none: this is Analyze 7.5, which stores no patient directions")
                    .hint("convert it to NIfTI with a tool that asks which side is left"));
            }
            other => return Err(Problem::new("magic `n+1` or `ni1` at byte 344", shown(other))),
        };
        let srow = |row: usize| std::array::from_fn(|n| fields.f32(280 + 16 * row + 4 * n));
        Ok(Self {
            version: NiftiVersion::One,
            big_endian: fields.big_endian,
            single,
            dim: std::array::from_fn(|n| i64::from(fields.i16(40 + 2 * n))),
            datatype: fields.i16(70),
            bitpix: fields.i16(72),
            pixdim: std::array::from_fn(|n| fields.f32(76 + 4 * n)),
            vox_offset: fields.f32(108),
            slope: fields.f32(112),
            intercept: fields.f32(116),
            units: i32::from(fields.bytes[123]),
            qform_code: i32::from(fields.i16(252)),
            sform_code: i32::from(fields.i16(254)),
            quatern: std::array::from_fn(|n| fields.f32(256 + 4 * n)),
            qoffset: std::array::from_fn(|n| fields.f32(268 + 4 * n)),
            srow: std::array::from_fn(srow),
        })
    }

    fn two(fields: &Fields) -> Result<Self, Problem> {
        let single = match &fields.bytes[4..8] {
            b"n+2\0" => true,
            b"ni2\0" => false,
            other => return Err(Problem::new("magic `n+2` or `ni2` at byte 4", shown(other))),
        };
        // A transfer in text mode changes these four.
        if fields.bytes[8..12] != *b"\r\n\x1a\n" {
            let expected = "bytes 8 to 11 of the magic to be \\r\\n\\x1a\\n";
            return Err(Problem::truncated(expected, shown(&fields.bytes[8..12])));
        }
        let srow = |row: usize| std::array::from_fn(|n| fields.f64(400 + 32 * row + 8 * n));
        Ok(Self {
            version: NiftiVersion::Two,
            big_endian: fields.big_endian,
            single,
            datatype: fields.i16(12),
            bitpix: fields.i16(14),
            dim: std::array::from_fn(|n| fields.i64(16 + 8 * n)),
            pixdim: std::array::from_fn(|n| fields.f64(104 + 8 * n)),
            // Exact below 2^53, and no file is longer.
            #[allow(clippy::cast_precision_loss)]
            vox_offset: fields.i64(168) as f64,
            slope: fields.f64(176),
            intercept: fields.f64(184),
            qform_code: fields.i32(344),
            sform_code: fields.i32(348),
            quatern: std::array::from_fn(|n| fields.f64(352 + 8 * n)),
            qoffset: std::array::from_fn(|n| fields.f64(376 + 8 * n)),
            srow: std::array::from_fn(srow),
            units: fields.i32(500),
        })
    }

    /// The little-endian bytes of the header; fields that are not held here are 0, free text among them.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self.version {
            NiftiVersion::One => self.one_bytes(),
            NiftiVersion::Two => self.two_bytes(),
        }
    }

    #[allow(clippy::cast_possible_truncation)] // whoever fills the fields chooses the version that holds them
    fn one_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; SIZE_1];
        let mut put = |offset: usize, value: &[u8]| bytes[offset..offset + value.len()].copy_from_slice(value);
        put(0, &348i32.to_le_bytes());
        // An old reader of Analyze wants to see it.
        put(38, b"r");
        for (n, axis) in self.dim.iter().enumerate() {
            put(40 + 2 * n, &(*axis as i16).to_le_bytes());
        }
        put(70, &self.datatype.to_le_bytes());
        put(72, &self.bitpix.to_le_bytes());
        for (n, step) in self.pixdim.iter().enumerate() {
            put(76 + 4 * n, &(*step as f32).to_le_bytes());
        }
        put(108, &(self.vox_offset as f32).to_le_bytes());
        put(112, &(self.slope as f32).to_le_bytes());
        put(116, &(self.intercept as f32).to_le_bytes());
        put(123, &[self.units as u8]);
        put(252, &(self.qform_code as i16).to_le_bytes());
        put(254, &(self.sform_code as i16).to_le_bytes());
        let floats = self.quatern.iter().chain(&self.qoffset).chain(self.srow.iter().flatten());
        for (n, value) in floats.enumerate() {
            put(256 + 4 * n, &(*value as f32).to_le_bytes());
        }
        put(344, if self.single { b"n+1\0" } else { b"ni1\0" });
        bytes
    }

    #[allow(clippy::cast_possible_truncation)] // an offset is a whole number
    fn two_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; SIZE_2];
        let mut put = |offset: usize, value: &[u8]| bytes[offset..offset + value.len()].copy_from_slice(value);
        put(0, &540i32.to_le_bytes());
        put(4, if self.single { b"n+2\0\r\n\x1a\n" } else { b"ni2\0\r\n\x1a\n" });
        put(12, &self.datatype.to_le_bytes());
        put(14, &self.bitpix.to_le_bytes());
        for (n, axis) in self.dim.iter().enumerate() {
            put(16 + 8 * n, &axis.to_le_bytes());
        }
        for (n, step) in self.pixdim.iter().enumerate() {
            put(104 + 8 * n, &step.to_le_bytes());
        }
        put(168, &(self.vox_offset as i64).to_le_bytes());
        put(176, &self.slope.to_le_bytes());
        put(184, &self.intercept.to_le_bytes());
        put(344, &self.qform_code.to_le_bytes());
        put(348, &self.sform_code.to_le_bytes());
        let floats = self.quatern.iter().chain(&self.qoffset).chain(self.srow.iter().flatten());
        for (n, value) in floats.enumerate() {
            put(352 + 8 * n, &value.to_le_bytes());
        }
        put(500, &self.units.to_le_bytes());
        bytes
    }
}

fn shown(bytes: &[u8]) -> String {
    format!("`{}`", bytes.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_either_version_reads_back_as_it_was_written() {
        for version in [NiftiVersion::One, NiftiVersion::Two] {
            let header = RawHeader {
                version,
                big_endian: false,
                single: version == NiftiVersion::One,
                dim: [3, 4, 5, 6, 1, 1, 1, 1],
                datatype: 4,
                bitpix: 16,
                pixdim: [-1.0, 0.5, 0.75, 2.0, 1.5, 0.25, 3.0, 7.0],
                vox_offset: 352.0,
                slope: 2.0,
                intercept: -3.0,
                units: 10,
                qform_code: 1,
                sform_code: 2,
                quatern: [0.125, 0.25, 0.5],
                qoffset: [-9.0, 8.0, 7.0],
                srow: [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]],
            };
            assert_eq!(RawHeader::parse(&header.to_bytes()).unwrap(), header);
        }
    }

    #[test]
    fn analyze_is_named() {
        let mut bytes = vec![0; SIZE_1];
        bytes[..4].copy_from_slice(&348i32.to_be_bytes());
        let text = RawHeader::parse(&bytes).unwrap_err().at("a.hdr".as_ref(), None).to_string();
        assert!(text.contains("Analyze 7.5"), "{text}");
    }
}
