//! What the header says about stored samples: how many, how wide, and what they stand for.

use super::super::error::Problem;
use super::data_set::DataSet;
use super::tag;

/// What samples stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Photometric {
    /// Grey; the smallest value is white.
    Monochrome1,
    /// Grey; the smallest value is black.
    Monochrome2,
    /// An index into a table of colours.
    Palette,
    /// Red, green, blue.
    Rgb,
    /// Luminance and two colour differences, one of each per pixel.
    YbrFull,
    /// Luminance per pixel, colour differences per two pixels of a row.
    YbrFull422,
    /// JPEG 2000's irreversible transform; its decoder gives RGB.
    YbrIct,
    /// JPEG 2000's reversible transform; its decoder gives RGB.
    YbrRct,
}

impl Photometric {
    /// The code used in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monochrome1 => "MONOCHROME1",
            Self::Monochrome2 => "MONOCHROME2",
            Self::Palette => "PALETTE COLOR",
            Self::Rgb => "RGB",
            Self::YbrFull => "YBR_FULL",
            Self::YbrFull422 => "YBR_FULL_422",
            Self::YbrIct => "YBR_ICT",
            Self::YbrRct => "YBR_RCT",
        }
    }

    /// Whether samples are grey values, to which modality and window steps apply.
    #[must_use]
    pub const fn is_grey(self) -> bool {
        matches!(self, Self::Monochrome1 | Self::Monochrome2)
    }

    fn read(set: &DataSet<'_>) -> Result<Self, Problem> {
        const ALL: [Photometric; 8] = [
            Photometric::Monochrome1,
            Photometric::Monochrome2,
            Photometric::Palette,
            Photometric::Rgb,
            Photometric::YbrFull,
            Photometric::YbrFull422,
            Photometric::YbrIct,
            Photometric::YbrRct,
        ];
        const RETIRED: [&str; 6] = ["YBR_PARTIAL_422", "YBR_PARTIAL_420", "HSV", "ARGB", "CMYK", "XYB"];
        let code = set.code(tag::PHOTOMETRIC).map(str::to_ascii_uppercase);
        let expected = || format!("{} that this build reads", tag::PHOTOMETRIC);
        let Some(code) = code else { return Err(Problem::new(tag::PHOTOMETRIC.to_string(), "nothing there")) };
        match (ALL.into_iter().find(|known| known.name() == code), RETIRED.into_iter().find(|name| *name == code)) {
            (Some(known), _) => Ok(known),
            (None, Some(name)) => Err(Problem::new(expected(), name)),
            (None, None) => Err(Problem::new(expected(), "another text")),
        }
    }
}

/// The element type of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleType {
    /// `allocated` bits each (1, 8, 16 or 32), of which `stored` count, the highest of them at `stored + shift − 1`.
    Integer {
        allocated: u16,
        stored: u16,
        shift: u16,
        signed: bool,
    },
    Float32,
    Float64,
}

/// Shape and element type of the pixels of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PixelFormat {
    pub(super) frames: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) samples: usize,
    pub(super) sample_type: SampleType,
    /// Whether all red samples of a frame come first, then all green ones.
    pub(super) planar: bool,
    pub(super) photometric: Photometric,
}

fn one_of(tag: tag::Tag, found: u16, allowed: &[u16]) -> Result<u16, Problem> {
    if allowed.contains(&found) {
        return Ok(found);
    }
    let allowed: Vec<String> = allowed.iter().map(u16::to_string).collect();
    Err(Problem::new(format!("{tag} of {}", allowed.join(", ")), found.to_string()))
}

impl PixelFormat {
    /// Reads and checks the image attributes of a data set.
    pub(super) fn read(set: &DataSet<'_>) -> Result<Self, Problem> {
        let photometric = Photometric::read(set)?;
        let extent = |tag| match set.required_u16(tag)? {
            0 => Err(Problem::new(format!("{tag} above 0"), "0")),
            extent => Ok(usize::from(extent)),
        };
        let (rows, columns) = (extent(tag::ROWS)?, extent(tag::COLUMNS)?);
        let frames = match set.integer(tag::FRAMES)? {
            None => 1,
            Some(frames @ 1..=0x7fff_ffff) => usize::try_from(frames).unwrap_or(usize::MAX),
            Some(frames) => return Err(Problem::new(format!("{} from 1", tag::FRAMES), frames.to_string())),
        };
        let expected: u16 = if photometric.is_grey() || photometric == Photometric::Palette { 1 } else { 3 };
        let samples =
            one_of(tag::SAMPLES_PER_PIXEL, set.u16(tag::SAMPLES_PER_PIXEL)?.unwrap_or(expected), &[expected])?;
        let planar = samples == 3 && one_of(tag::PLANAR, set.u16(tag::PLANAR)?.unwrap_or(0), &[0, 1])? == 1;
        let sample_type = Self::sample_type(set)?;
        let format = Self { frames, rows, columns, samples: usize::from(samples), sample_type, planar, photometric };
        if format.n_samples().and_then(|n| n.checked_mul(8)).is_none() {
            return Err(Problem::new(
                format!("{} that can be counted", tag::FRAMES),
                format!("{frames} of {rows} × {columns}"),
            ));
        }
        let integer = matches!(sample_type, SampleType::Integer { .. });
        let bits = match sample_type {
            SampleType::Integer { allocated, .. } => allocated,
            SampleType::Float32 => 32,
            SampleType::Float64 => 64,
        };
        match photometric {
            Photometric::Palette if !integer || !(8..=16).contains(&bits) => {
                Err(Problem::new(format!("{} of 8 or 16 for a palette", tag::BITS_ALLOCATED), bits.to_string()))
            }
            Photometric::YbrFull | Photometric::YbrFull422 if !integer || bits != 8 => {
                Err(Problem::new(format!("{} of 8 for {}", tag::BITS_ALLOCATED, photometric.name()), bits.to_string()))
            }
            Photometric::Rgb | Photometric::YbrIct | Photometric::YbrRct if !integer || bits < 8 => {
                Err(Problem::new(format!("{} of 8, 16 or 32 for colour", tag::BITS_ALLOCATED), bits.to_string()))
            }
            _ => Ok(format),
        }
    }

    fn sample_type(set: &DataSet<'_>) -> Result<SampleType, Problem> {
        if set.elements.contains_key(&tag::FLOAT_PIXELS) {
            return Ok(SampleType::Float32);
        }
        if set.elements.contains_key(&tag::DOUBLE_PIXELS) {
            return Ok(SampleType::Float64);
        }
        let allocated = one_of(tag::BITS_ALLOCATED, set.required_u16(tag::BITS_ALLOCATED)?, &[1, 8, 16, 32])?;
        let stored = set.u16(tag::BITS_STORED)?.unwrap_or(allocated);
        if stored == 0 || stored > allocated {
            return Err(Problem::new(format!("{} from 1 to {allocated}", tag::BITS_STORED), stored.to_string()));
        }
        let high = set.u16(tag::HIGH_BIT)?.unwrap_or(stored - 1);
        // A high bit that leaves no room below it, or lies outside, is a mistake of the header; the usual place is meant.
        let shift = if high < allocated { (high + 1).saturating_sub(stored) } else { 0 };
        let signed = one_of(tag::PIXEL_REPRESENTATION, set.required_u16(tag::PIXEL_REPRESENTATION)?, &[0, 1])? == 1;
        Ok(SampleType::Integer { allocated, stored, shift, signed: signed && allocated > 1 })
    }

    /// Samples of all frames.
    pub(super) fn n_samples(&self) -> Option<usize> {
        self.frame_samples()?.checked_mul(self.frames)
    }

    /// Samples of one frame.
    pub(super) fn frame_samples(&self) -> Option<usize> {
        self.rows.checked_mul(self.columns)?.checked_mul(self.samples)
    }

    /// Bits of one uncompressed frame; two pixels share their colour differences in `YBR_FULL_422`.
    pub(super) fn frame_bits(&self) -> Option<usize> {
        match self.sample_type {
            SampleType::Integer { .. } if self.photometric == Photometric::YbrFull422 => {
                self.rows.checked_mul(self.columns)?.checked_mul(16)
            }
            SampleType::Integer { allocated, .. } => self.frame_samples()?.checked_mul(usize::from(allocated)),
            SampleType::Float32 => self.frame_samples()?.checked_mul(32),
            SampleType::Float64 => self.frame_samples()?.checked_mul(64),
        }
    }

    /// Significant bits of a sample.
    pub(super) fn stored_bits(&self) -> u16 {
        match self.sample_type {
            SampleType::Integer { stored, .. } => stored,
            SampleType::Float32 => 32,
            SampleType::Float64 => 64,
        }
    }

    /// `[frames, rows, columns]`, with the samples of a pixel behind them where there are three.
    pub(super) fn shape(&self) -> Vec<usize> {
        let mut shape = vec![self.frames, self.rows, self.columns];
        if self.samples == 3 {
            shape.push(3);
        }
        shape
    }
}
