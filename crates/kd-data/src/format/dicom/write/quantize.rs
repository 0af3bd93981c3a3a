//! Floats to the 16-bit numbers that CT and MR images hold, and the two numbers that undo it.

use super::super::encode::decimal_text;

/// `value ≈ stored · slope + intercept`; slope and intercept are those that the file's text holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantizer {
    pub(super) slope: f64,
    pub(super) intercept: f64,
}

impl Quantizer {
    /// # Policy
    /// Whole numbers that span at most 65535 are kept as they are (slope 1): without an intercept where 16 signed bits
    /// hold them, else moved by a whole number. All others are spread over 65534 steps; each is then off by at most half
    /// a step, a 131068th of the range.
    pub(super) fn of(values: &[f32]) -> Self {
        let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
            (low.min(f64::from(value)), high.max(f64::from(value)))
        });
        let (least, most) = (f64::from(i16::MIN), f64::from(i16::MAX));
        let whole = values.iter().all(|value| value.fract().abs() <= 0.0);
        if whole && least <= low && high <= most {
            return Self { slope: 1.0, intercept: 0.0 };
        }
        // Whole numbers below 2^24 have ten characters at most.
        if whole && high - low <= most - least && low.abs().max(high.abs()) < f64::from(1 << 24) {
            return Self { slope: 1.0, intercept: low - least };
        }
        let as_written = |value: f64| decimal_text(value).parse().unwrap_or(value);
        let range = high - low;
        if range <= 0.0 {
            return Self { slope: 1.0, intercept: as_written(low) };
        }
        Self { slope: as_written(range / 65534.0), intercept: as_written(low + range / 2.0) }
    }

    pub(super) fn is_identity(self) -> bool {
        self == Self { slope: 1.0, intercept: 0.0 }
    }

    #[allow(clippy::cast_possible_truncation)] // clamped, and the range was fitted
    pub(super) fn bytes(self, values: &[f32]) -> Vec<u8> {
        let stored = |&value: &f32| ((f64::from(value) - self.intercept) / self.slope).round().clamp(-32768.0, 32767.0);
        values.iter().flat_map(|value| (stored(value) as i16).to_le_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_back(values: &[f32]) -> Vec<f32> {
        let quantizer = Quantizer::of(values);
        let bytes = quantizer.bytes(values);
        let stored = bytes.as_chunks().0.iter().map(|&two| f64::from(i16::from_le_bytes(two)));
        stored.map(|stored| (stored * quantizer.slope + quantizer.intercept) as f32).collect()
    }

    #[test]
    fn whole_numbers_are_exact_wherever_they_span_16_bits() {
        for values in
            [vec![-1024.0, 3071.0], vec![-32768.0, 32767.0], vec![0.0, 65535.0], vec![-40000.0, 1.0], vec![9e5, 9.5e5]]
        {
            assert_eq!(read_back(&values), values);
        }
        assert_eq!(Quantizer::of(&[-1000.0, 40.0]), Quantizer { slope: 1.0, intercept: 0.0 });
    }

    #[test]
    fn one_value_alone_is_exact() {
        assert_eq!(read_back(&[0.3, 0.3]), [0.3, 0.3]);
    }

    proptest! {
        #[test]
        fn other_numbers_are_off_by_half_a_step(values in proptest::collection::vec(-1e4f32..1e4, 2..50)) {
            let quantizer = Quantizer::of(&values);
            for (value, read) in values.iter().zip(read_back(&values)) {
                // And the rounding of two floats.
                let most = quantizer.slope / 2.0 + 1e-6 * f64::from(value.abs().max(1.0));
                prop_assert!((f64::from(*value) - f64::from(read)).abs() <= most, "{} {}", value, read);
            }
        }
    }
}
