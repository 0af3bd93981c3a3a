//! What one stored voxel is.

use kd_image::Image;

use crate::format::error::Problem;

/// The element types that are read: every real number of at most 64 bits, and two kinds of colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NiftiType {
    /// Code 2.
    U8,
    /// Code 256.
    I8,
    /// Code 512.
    U16,
    /// Code 4.
    I16,
    /// Code 768.
    U32,
    /// Code 8.
    I32,
    /// Code 1280.
    U64,
    /// Code 1024.
    I64,
    /// Code 16.
    F32,
    /// Code 64.
    F64,
    /// Code 128: red, green, blue, a byte each.
    Rgb24,
    /// Code 2304: red, green, blue and opacity, a byte each.
    Rgba32,
}

impl NiftiType {
    pub(crate) const ALL: [Self; 12] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F32,
        Self::F64,
        Self::Rgb24,
        Self::Rgba32,
    ];

    /// The type that a volume is written in where nobody asks for another: `int16` where it holds every value as it is,
    /// else `float32`; colours of 8 bits for three channels.
    #[must_use]
    pub fn holding(image: &Image<3>) -> Self {
        let (low, high) = (f32::from(i16::MIN), f32::from(i16::MAX));
        let whole = |value: &f32| value.fract() == 0.0 && (low..=high).contains(value);
        match image.channels() {
            3 => Self::Rgb24,
            _ if image.values().iter().all(whole) => Self::I16,
            _ => Self::F32,
        }
    }

    /// The number that stands for it in a header.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::U8 => 2,
            Self::I16 => 4,
            Self::I32 => 8,
            Self::F32 => 16,
            Self::F64 => 64,
            Self::Rgb24 => 128,
            Self::I8 => 256,
            Self::U16 => 512,
            Self::U32 => 768,
            Self::I64 => 1024,
            Self::U64 => 1280,
            Self::Rgba32 => 2304,
        }
    }

    /// Its name, as errors and `kd inspect` show it.
    ///
    /// ```
    /// assert_eq!(kd_data::format::NiftiType::I16.name(), "int16");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::Rgb24 => "RGB24",
            Self::Rgba32 => "RGBA32",
        }
    }

    /// Bytes of one voxel.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::Rgb24 => 3,
            Self::U32 | Self::I32 | Self::F32 | Self::Rgba32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Bytes of one voxel that are a colour each; none for a number.
    #[must_use]
    pub const fn colours(self) -> Option<usize> {
        match self {
            Self::Rgb24 => Some(3),
            Self::Rgba32 => Some(4),
            _ => None,
        }
    }

    pub(super) fn of_code(code: i16) -> Result<Self, Problem> {
        if let Some(found) = Self::ALL.into_iter().find(|kind| kind.code() == code) {
            return Ok(found);
        }
        let what = match code {
            0 => "no type at all",
            1 => "one bit a voxel",
            32 => "complex numbers, 64 bits",
            1536 => "floats of 128 bits",
            1792 => "complex numbers, 128 bits",
            2048 => "complex numbers, 256 bits",
            _ => "a type that NIfTI does not know",
        };
        let expected =
            "datatype code 2, 4, 8, 16, 64, 256, 512, 768, 1024 or 1280 (real numbers), 128 or 2304 (colour)";
        Err(Problem::new(expected, format!("datatype code {code} ({what})"))
            .hint("save it as real numbers, such as float32; of complex numbers keep the magnitude"))
    }
}
