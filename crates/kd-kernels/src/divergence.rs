//! The Kullback–Leibler divergence of two softmaxes over the channels, and its gradient, each in one pass over the logits.
//!
//! Positions lie side by side, so that each step below is one loop over many of them; a block stays in the cache from its
//! first read to its last write. The gradient is worked out anew from the logits: keeping it from the first pass would cost
//! more memory traffic than the exponentials cost arithmetic.

use rayon::prelude::*;

use crate::shared::written;
use crate::simd::{Isa, Work, on};

/// Positions of a block.
const BLOCK: usize = 256;
/// Channels beyond which a block would leave the cache.
pub(crate) const MOST_CHANNELS: usize = 64;

/// Logits `[batch, channel, points]` of student and teacher, multiplied by `factor` first.
#[derive(Clone, Copy)]
pub(crate) struct Logits<'a> {
    student: &'a [f32],
    teacher: &'a [f32],
    batch: usize,
    channels: usize,
    factor: f32,
}

impl<'a> Logits<'a> {
    /// # Panics
    /// When the operands differ in length or are no whole batches of channels.
    pub(crate) fn new([student, teacher]: [&'a [f32]; 2], [batch, channels]: [usize; 2], factor: f32) -> Self {
        assert_eq!(student.len(), teacher.len(), "two operands of one shape");
        assert!(student.len().is_multiple_of(batch * channels), "whole samples");
        Self { student, teacher, batch, channels, factor }
    }

    fn points(&self) -> usize {
        self.student.len() / (self.batch * self.channels)
    }

    /// Divergence at each position, `[batch, points]`.
    pub(crate) fn divergence(self, isa: Isa) -> Vec<f32> {
        let points = self.points();
        // SAFETY: the blocks together are all positions.
        #[expect(unsafe_code, reason = "the result is written whole")]
        unsafe {
            written(self.batch * points, |target| {
                self.each_block(|block| {
                    let mut values = [0.0; BLOCK];
                    on(isa, Values { block, into: &mut values });
                    // SAFETY: this task alone writes this stretch.
                    target.write(block.sample * points + block.from, 1, &values[..block.len]);
                });
            })
        }
    }

    /// Gradient by the student, `[batch, channel, points]`, of divergences that weigh as much as `upstream` says,
    /// `[batch, points]`.
    ///
    /// # Panics
    /// When `upstream` has another number of positions.
    pub(crate) fn gradient(self, isa: Isa, upstream: &[f32]) -> Vec<f32> {
        let points = self.points();
        assert_eq!(upstream.len(), self.batch * points, "a weight for each position");
        // SAFETY: the blocks together are all positions of all channels.
        #[expect(unsafe_code, reason = "the result is written whole")]
        unsafe {
            written(self.student.len(), |target| {
                self.each_block(|block| {
                    let mut rows = vec![[0.0; BLOCK]; 2 * self.channels];
                    let upstream = padded(&upstream[block.sample * points + block.from..][..block.len]);
                    on(isa, Slopes { block, upstream, rows: &mut rows });
                    for (channel, row) in rows[..self.channels].iter().enumerate() {
                        let at = (block.sample * self.channels + channel) * points + block.from;
                        // SAFETY: this task alone writes this stretch of this sample's channels.
                        target.write(at, 1, &row[..block.len]);
                    }
                });
            })
        }
    }

    fn each_block(&self, work: impl Fn(Block<'_>) + Sync) {
        let (points, channels) = (self.points(), self.channels);
        let blocks = points.div_ceil(BLOCK);
        (0..self.batch * blocks).into_par_iter().for_each(|task| {
            let (sample, from) = (task / blocks, task % blocks * BLOCK);
            let [student, teacher] =
                [self.student, self.teacher].map(|side| &side[sample * channels * points..][..channels * points]);
            let len = BLOCK.min(points - from);
            work(Block { student, teacher, sample, points, from, len, channels, factor: self.factor });
        });
    }
}

/// A stretch of positions of one sample.
#[derive(Clone, Copy)]
struct Block<'a> {
    student: &'a [f32],
    teacher: &'a [f32],
    sample: usize,
    points: usize,
    from: usize,
    len: usize,
    channels: usize,
    factor: f32,
}

/// One number for each position of a block; those behind its end are 0 to begin with and never looked at.
type Row = [f32; BLOCK];

impl Block<'_> {
    /// The logits of a channel. Rows of a fixed length are what the loops below need to become wide ones.
    #[inline(always)]
    fn row(&self, side: &[f32], channel: usize) -> Row {
        padded(&side[channel * self.points + self.from..][..self.len])
    }

    /// The largest logit of each position: what is taken off before an exponential.
    #[inline(always)]
    fn tops(&self, side: &[f32]) -> Row {
        let mut tops = [f32::NEG_INFINITY; BLOCK];
        for channel in 0..self.channels {
            let row = self.row(side, channel);
            for at in 0..BLOCK {
                tops[at] = if tops[at] >= row[at] { tops[at] } else { row[at] };
            }
        }
        tops
    }

    /// Fills a row for each channel, and gives what makes slopes of them: weight and factor over their sum.
    #[inline(always)]
    fn exponentials(&self, side: &[f32], rows: &mut [Row], upstream: &Row) -> Row {
        let top = self.tops(side);
        let mut sum = [0.0; BLOCK];
        for (channel, row) in rows.iter_mut().enumerate() {
            let logits = self.row(side, channel);
            for at in 0..BLOCK {
                row[at] = exp((logits[at] - top[at]) * self.factor);
                sum[at] += row[at];
            }
        }
        let mut share = [0.0; BLOCK];
        for at in 0..BLOCK {
            share[at] = upstream[at] * self.factor / sum[at];
        }
        share
    }
}

#[inline(always)]
fn padded(numbers: &[f32]) -> Row {
    let mut row = [0.0; BLOCK];
    row[..numbers.len()].copy_from_slice(numbers);
    row
}

struct Values<'a> {
    block: Block<'a>,
    into: &'a mut Row,
}

impl Work for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { block, into } = self;
        let (student_top, teacher_top) = (block.tops(block.student), block.tops(block.teacher));
        let [mut student_sum, mut teacher_sum, mut product] = [[0.0; BLOCK]; 3];
        for channel in 0..block.channels {
            let (student, teacher) = (block.row(block.student, channel), block.row(block.teacher, channel));
            for at in 0..BLOCK {
                let below = (student[at] - student_top[at]) * block.factor;
                let teacher_below = (teacher[at] - teacher_top[at]) * block.factor;
                let exponential = exp(teacher_below);
                student_sum[at] += exp(below);
                teacher_sum[at] += exponential;
                product[at] += exponential * (teacher_below - below);
            }
        }
        for at in 0..BLOCK {
            into[at] = product[at] / teacher_sum[at] - (ln(teacher_sum[at]) - ln(student_sum[at]));
        }
    }
}

struct Slopes<'a> {
    block: Block<'a>,
    upstream: Row,
    /// The student's exponentials of each channel, then the gradient; then the teacher's exponentials.
    rows: &'a mut [Row],
}

impl Work for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { block, upstream, rows } = self;
        let (of_student, of_teacher) = rows.split_at_mut(block.channels);
        // Both sides by the same steps: equal logits have a gradient of exactly 0.
        let student_share = block.exponentials(block.student, of_student, &upstream);
        let teacher_share = block.exponentials(block.teacher, of_teacher, &upstream);
        for (gradient, teacher) in of_student.iter_mut().zip(of_teacher) {
            for at in 0..BLOCK {
                gradient[at] = gradient[at] * student_share[at] - teacher[at] * teacher_share[at];
            }
        }
    }
}

/// `e^x` for `x ≤ 0`, to 2 units in the last place; 0 below -87, a NaN for a NaN.
///
/// # Source
/// S. L. Moshier, Cephes, `expf`: range reduction by ln 2 in two parts, a polynomial of degree 5.
#[inline(always)]
#[expect(clippy::excessive_precision, reason = "the coefficients as published")]
fn exp(x: f32) -> f32 {
    const LOWEST: f32 = -87.0;
    // Adding 1.5 · 2^23 rounds to the nearest whole number and leaves it in the lowest bits.
    const MAGIC: f32 = 12_582_912.0;
    let kept = if x < LOWEST { LOWEST } else { x };
    let rounded = kept * std::f32::consts::LOG2_E + MAGIC;
    let whole = rounded - MAGIC;
    let rest = (kept - whole * 0.693_359_375) - whole * -2.121_944_4e-4;
    let polynomial = ((((1.987_569_15e-4 * rest + 1.398_199_950_7e-3) * rest + 8.333_451_907_3e-3) * rest
        + 4.166_579_589_4e-2)
        * rest
        + 1.666_666_545_9e-1)
        * rest
        + 5.000_000_120_1e-1;
    let value = polynomial * rest * rest + rest + 1.0;
    let scaled = value * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    if x < LOWEST { 0.0 } else { scaled }
}

/// The natural logarithm of a number from 1 on, to 2 units in the last place; a NaN for a NaN or an infinity.
///
/// # Source
/// S. L. Moshier, Cephes, `logf`.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "an exponent")]
#[expect(clippy::excessive_precision, reason = "the coefficients as published")]
fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let mantissa = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    let is_large = mantissa > std::f32::consts::SQRT_2;
    let y = if is_large { mantissa * 0.5 } else { mantissa } - 1.0;
    let exponent = exponent as f32 + if is_large { 1.0 } else { 0.0 };
    let z = y * y;
    let polynomial = ((((((((7.037_683_629_2e-2 * y - 1.151_461_031_0e-1) * y + 1.167_699_874_0e-1) * y
        - 1.242_014_084_6e-1)
        * y
        + 1.424_932_278_7e-1)
        * y
        - 1.666_805_766_5e-1)
        * y
        + 2.000_071_476_5e-1)
        * y
        - 2.499_999_399_3e-1)
        * y
        + 3.333_333_117_4e-1)
        * y
        * z;
    let value = polynomial - 2.121_944_4e-4 * exponent - 0.5 * z + y + 0.693_359_375 * exponent;
    value + 0.0 * x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_right_to_a_few_units_in_the_last_place() {
        for step in 0..9000 {
            let x = -(step as f32) * 0.01;
            let (found, expected) = (f64::from(exp(x)), f64::from(x).exp());
            let bound = if x < -87.0 { 1e-37 } else { 3e-7 * expected };
            assert!((found - expected).abs() <= bound, "{x}: {found} {expected}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert_eq!((exp(0.0), exp(-1e30), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
    }

    #[test]
    fn logarithms_are_right_to_a_few_units_in_the_last_place() {
        for step in 0..6400 {
            let x = 1.0 + step as f32 * 0.01;
            let (found, expected) = (f64::from(ln(x)), f64::from(x).ln());
            assert!((found - expected).abs() <= 3e-7 * expected.max(1.0), "{x}: {found} {expected}");
        }
        assert!(ln(f32::NAN).is_nan() && ln(f32::INFINITY).is_nan());
        assert!(ln(1.0).abs() < f32::MIN_POSITIVE);
    }
}
