//! Pixel padding: stored values that fill the image up to a rectangle and are no measurement (PS3.3 C.7.5.1.1.2).

use super::super::error::Problem;
use super::data_set::DataSet;
use super::pixel_format::{PixelFormat, SampleType};
use super::tag::{self, Tag};

/// A value, or a range with both ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Padding {
    low: f64,
    high: f64,
}

impl Padding {
    pub(super) fn read(set: &DataSet<'_>, format: &PixelFormat) -> Result<Option<Self>, Problem> {
        let (value, limit) = match format.sample_type {
            // Colour has no padding.
            SampleType::Integer { .. } if format.samples != 1 => return Ok(None),
            SampleType::Integer { signed, .. } => {
                let number = |tag: Tag| {
                    let stored = set.u16(tag)?;
                    Ok(stored.map(|bits| if signed { f64::from(bits.cast_signed()) } else { f64::from(bits) }))
                };
                (number(tag::PADDING_VALUE)?, number(tag::PADDING_LIMIT)?)
            }
            SampleType::Float32 => (set.decimal(tag::FLOAT_PADDING_VALUE)?, set.decimal(tag::FLOAT_PADDING_LIMIT)?),
            SampleType::Float64 => (set.decimal(tag::DOUBLE_PADDING_VALUE)?, set.decimal(tag::DOUBLE_PADDING_LIMIT)?),
        };
        Ok(value.map(|value| {
            let limit = limit.unwrap_or(value);
            Self { low: value.min(limit), high: value.max(limit) }
        }))
    }

    pub(super) fn holds(&self, stored: f64) -> bool {
        (self.low..=self.high).contains(&stored)
    }
}
