//! A restored and a reference image of one shape, checked once.

use std::borrow::Cow;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::grid::checked_points;
use crate::undefined::{Score, Undefined, check_length};

/// A restored image and its reference on one grid: finite values, last axis fastest. Borrows what it is given.
#[derive(Debug, Clone, PartialEq)]
pub struct ImagePair<'a> {
    shape: [usize; 3],
    axes: usize,
    prediction: Cow<'a, [f64]>,
    truth: Cow<'a, [f64]>,
    sums: Sums,
}

/// Sums over all points that every second metric asks for, taken on the way through the first check.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sums {
    squared_error: f64,
    truth: f64,
}

impl<'a> ImagePair<'a> {
    /// Two planes `[height, width]`.
    ///
    /// # Errors
    /// An axis without points, another length than the shape has points, a value that is NaN or infinite.
    pub fn plane(shape: [usize; 2], prediction: &'a [f64], truth: &'a [f64]) -> Result<Self, Undefined> {
        Self::checked([1, shape[0], shape[1]], 2, prediction, truth)
    }

    /// Two volumes `[depth, height, width]`.
    ///
    /// # Errors
    /// As [`ImagePair::plane`].
    ///
    /// # Example
    /// ```
    /// use kd_metrics::ImagePair;
    /// assert!(ImagePair::volume([1, 2, 2], &[0.0; 4], &[1.0, f64::NAN, 1.0, 1.0]).is_err());
    /// ```
    pub fn volume(shape: [usize; 3], prediction: &'a [f64], truth: &'a [f64]) -> Result<Self, Undefined> {
        Self::checked(shape, 3, prediction, truth)
    }

    fn checked(shape: [usize; 3], axes: usize, prediction: &'a [f64], truth: &'a [f64]) -> Result<Self, Undefined> {
        let points = checked_points(shape)?;
        check_length("prediction", points, prediction.len())?;
        check_length("truth", points, truth.len())?;
        let pair = Self::of_checked(shape, axes, prediction.into(), truth.into());
        // A NaN or an infinity leaves no sum finite; so does an overflow, which is no fault of the images.
        if !(pair.sums.squared_error.is_finite() && pair.sums.truth.is_finite()) {
            check_intensities("prediction", prediction)?;
            check_intensities("truth", truth)?;
        }
        Ok(pair)
    }

    /// A pair whose values are known to be finite, or looked at next.
    pub(crate) fn of_checked(
        shape: [usize; 3],
        axes: usize,
        prediction: Cow<'a, [f64]>,
        truth: Cow<'a, [f64]>,
    ) -> Self {
        let [squared_error, true_sum] = sums_over(&prediction, &truth, |p, t| [(p - t) * (p - t), t]);
        Self { shape, axes, prediction, truth, sums: Sums { squared_error, truth: true_sum } }
    }

    /// Points along each axis, slowest first: two or three numbers.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape[3 - self.axes..]
    }

    /// Two or three.
    #[must_use]
    pub fn axes(&self) -> usize {
        self.axes
    }

    /// The restored image.
    #[must_use]
    pub fn prediction(&self) -> &[f64] {
        &self.prediction
    }

    /// The reference.
    #[must_use]
    pub fn truth(&self) -> &[f64] {
        &self.truth
    }

    /// The shape as three axes; a plane has depth 1.
    pub(crate) fn shape3(&self) -> [usize; 3] {
        self.shape
    }

    /// `Σ (p − t)²`; infinite where it overflows.
    pub(crate) fn squared_error(&self) -> f64 {
        self.sums.squared_error
    }

    pub(crate) fn true_mean(&self) -> f64 {
        self.sums.truth / self.truth.len() as f64
    }
}

/// Refuses NaN and infinities, naming the first.
pub(crate) fn check_intensities(what: &'static str, values: &[f64]) -> Result<(), Undefined> {
    let is_broken = |value: &f64| !value.is_finite();
    match values.par_iter().with_min_len(1 << 14).position_first(is_broken) {
        None => Ok(()),
        Some(index) => Err(Undefined::NotFinite { what, index, found: values[index] }),
    }
}

/// Refuses a range of intensities that is not finite and above zero.
pub(crate) fn check_range(range: f64) -> Result<(), Undefined> {
    if range.is_finite() && range > 0.0 {
        Ok(())
    } else {
        Err(Undefined::OutOfRange { what: "range of intensities", expected: "finite and above 0", found: range })
    }
}

/// Values in one sum of [`sums_over`]. Fixed, so that the order of sums depends on the image alone.
const BLOCK: usize = 1 << 14;

/// Sums of functions of both intensities over all points: blocks in parallel, then the blocks' sums in order.
pub(crate) fn sums_over<const T: usize>(
    prediction: &[f64],
    truth: &[f64],
    term: impl Fn(f64, f64) -> [f64; T] + Sync,
) -> [f64; T] {
    let arch = Arch::new();
    let of_block = |(prediction, truth)| arch.dispatch(Block { prediction, truth, term: &term });
    let blocks: Vec<[f64; T]> = prediction.par_chunks(BLOCK).zip(truth.par_chunks(BLOCK)).map(of_block).collect();
    blocks.iter().fold([0.0; T], |total, sums| std::array::from_fn(|index| total[index] + sums[index]))
}

/// One block of a sum, for whatever vectors the machine has: always the same eight lanes, so always the same bits.
struct Block<'a, F> {
    prediction: &'a [f64],
    truth: &'a [f64],
    term: &'a F,
}

impl<const T: usize, F: Fn(f64, f64) -> [f64; T]> WithSimd for Block<'_, F> {
    type Output = [f64; T];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; T] {
        let term = self.term;
        // Eight running sums, so that one addition need not wait for the one before.
        let mut lanes = [[0.0; 8]; T];
        let (p, t) = (self.prediction.chunks_exact(8), self.truth.chunks_exact(8));
        let mut total = [0.0; T];
        for (&p, &t) in p.remainder().iter().zip(t.remainder()) {
            total.iter_mut().zip(term(p, t)).for_each(|(sum, value)| *sum += value);
        }
        for (p, t) in p.zip(t) {
            for lane in 0..8 {
                let values = term(p[lane], t[lane]);
                (0..T).for_each(|index| lanes[index][lane] += values[index]);
            }
        }
        std::array::from_fn(|index| total[index] + lanes[index].iter().sum::<f64>())
    }
}

/// Takes a sum that may have left the numbers for intensities near the end of `f64`.
pub(crate) fn within_numbers(value: f64) -> Score {
    if value.is_finite() { Ok(value) } else { Err(Undefined::NotFinite { what: "score", index: 0, found: value }) }
}

/// Whether `derived` values differ by more than rounding can make of equal intensities as large as the largest of
/// `intensities`: a constant of 0.1 must not vary because 0.1 has no end in binary.
pub(crate) fn varies(derived: &[f64], intensities: &[f64]) -> bool {
    let low = derived.iter().copied().fold(f64::INFINITY, f64::min);
    let high = derived.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let largest = intensities.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    high - low > 64.0 * f64::EPSILON * largest
}
