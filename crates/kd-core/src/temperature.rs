//! The temperature of a distillation loss, checked once so that no loss has to.
//!
//! A bare `f64` would let 0, a negative number or NaN travel from a recipe into a division. The bounds are narrower
//! than "finite and positive" for a reason in numbers, not in taste: see [`Temperature`].

use thiserror::Error;

/// Divides the logits of teacher and student before the softmax or the sigmoid: 1 leaves them, more softens them.
///
/// A loss multiplies by τ² so that its gradient keeps its size when τ changes (Hinton, Vinyals, Dean 2015, section 2).
///
/// # Policy
/// [`Temperature::MIN`] ≤ τ ≤ [`Temperature::MAX`]. Below, logits of 10⁴ divided by τ leave the range in which `f32`
/// keeps a useful difference; above, the softened distributions differ by about as much as `f32` rounds and τ² turns
/// that rounding into the loss. Published values lie between 1 and 21.
///
/// # Example
/// ```
/// use kd_core::Temperature;
///
/// assert_eq!(Temperature::new(4.0)?.get(), 4.0);
/// assert!(Temperature::new(0.0).is_err());
/// assert!(Temperature::new(f64::NAN).is_err());
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Temperature(f64);

/// Says why a number is no temperature.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error(
    "temperature must be a number from {} to {}, found {found}\nhint: 2 to 6 is usual, 1 does not soften",
    Temperature::MIN,
    Temperature::MAX
)]
pub struct TemperatureError {
    /// The number that was refused.
    pub found: f64,
}

impl Temperature {
    /// The lowest temperature that is accepted.
    pub const MIN: f64 = 0.01;
    /// The highest temperature that is accepted.
    pub const MAX: f64 = 100.0;

    /// Checks a number.
    ///
    /// # Errors
    /// [`TemperatureError`] when `tau` is not finite or lies outside [`Temperature::MIN`] and [`Temperature::MAX`].
    pub fn new(tau: f64) -> Result<Self, TemperatureError> {
        if (Self::MIN..=Self::MAX).contains(&tau) { Ok(Self(tau)) } else { Err(TemperatureError { found: tau }) }
    }

    /// The number τ.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// τ², the factor that keeps the gradient's size when τ changes.
    #[must_use]
    pub fn squared(self) -> f64 {
        self.0 * self.0
    }
}

/// A temperature that changes from epoch to epoch.
///
/// # Example
/// ```
/// use kd_core::{Temperature, TemperatureSchedule};
///
/// let (start, end) = (Temperature::new(8.0)?, Temperature::new(2.0)?);
/// let schedule = TemperatureSchedule::Linear { start, end, epochs: 4 };
/// assert_eq!([0, 1, 3, 4, 9].map(|epoch| schedule.at(epoch).get()), [8.0, 6.0, 2.0, 2.0, 2.0]);
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TemperatureSchedule {
    /// The same in every epoch.
    Constant(Temperature),
    /// Straight from `start` in the first epoch to `end` in epoch `epochs` (counted from 1), and `end` after it.
    Linear {
        /// Temperature of the first epoch.
        start: Temperature,
        /// Temperature of the last epoch of the change and of all later ones.
        end: Temperature,
        /// Epochs until `end` is reached.
        epochs: usize,
    },
    /// As `Linear`, along half a cosine: slow at both ends.
    Cosine {
        /// Temperature of the first epoch.
        start: Temperature,
        /// Temperature of the last epoch of the change and of all later ones.
        end: Temperature,
        /// Epochs until `end` is reached.
        epochs: usize,
    },
}

impl TemperatureSchedule {
    /// The temperature in an epoch, counted from 0.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "epochs are few")]
    pub fn at(self, epoch: usize) -> Temperature {
        let (start, end, epochs, cosine) = match self {
            Self::Constant(temperature) => return temperature,
            Self::Linear { start, end, epochs } => (start, end, epochs, false),
            Self::Cosine { start, end, epochs } => (start, end, epochs, true),
        };
        if epoch + 1 >= epochs {
            return end;
        }
        let progress = epoch as f64 / (epochs - 1) as f64;
        let progress = if cosine { 0.5 - 0.5 * (std::f64::consts::PI * progress).cos() } else { progress };
        // Between two temperatures in range, so in range itself.
        Temperature(start.0 + (end.0 - start.0) * progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_numbers_between_the_bounds_are_temperatures() {
        for accepted in [0.01, 0.5, 1.0, 4.0, 100.0] {
            assert!((Temperature::new(accepted).unwrap().get() - accepted).abs() < f64::EPSILON);
        }
        for refused in [0.0, -0.0, -1.0, 0.009, 100.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Temperature::new(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn the_error_names_what_was_expected_and_found() {
        let text = Temperature::new(-2.0).unwrap_err().to_string();
        assert!(text.starts_with("temperature must be a number from 0.01 to 100, found -2\nhint: "), "{text}");
    }
}
