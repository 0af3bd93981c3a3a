//! One pass where the stock operators take two: sums over all but the channel, an addition and its ReLU, a ReLU's
//! gradient.

use rayon::prelude::*;

use crate::norm::total;
use crate::shared::written;
use crate::simd::{Isa, Work, on};

/// Numbers of one task: a piece of each operand stays in the cache.
const PIECE: usize = 1 << 15;

/// Sums of each channel over samples and points, `[batch, channel, points]` to `[channel]`, in `f64`.
pub(crate) fn channel_sums(isa: Isa, values: &[f32], [batch, channels]: [usize; 2]) -> Vec<f32> {
    let points = values.len() / (batch * channels);
    let rows: Vec<f64> = values.par_chunks_exact(points).map(|row| on(isa, Total(row))).collect();
    let sum = |channel: usize| rows[channel..].iter().step_by(channels).sum::<f64>();
    #[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
    let sums = (0..channels).map(|channel| sum(channel) as f32).collect();
    sums
}

struct Total<'a>(&'a [f32]);

impl Work for Total<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        total(self.0)
    }
}

/// Two tensors of as many samples, sample by sample one behind the other: a concatenation along the channels.
pub(crate) fn concatenated(left: &[f32], right: &[f32], batch: usize) -> Vec<f32> {
    let [of_left, of_right] = [left.len() / batch, right.len() / batch];
    let both = of_left + of_right;
    // SAFETY: each sample's two parts are written whole by its task.
    #[expect(unsafe_code, reason = "the result is written whole")]
    unsafe {
        written(both * batch, |target| {
            (0..batch).into_par_iter().for_each(|sample| {
                // SAFETY: this task alone writes this sample.
                target.write(sample * both, 1, &left[sample * of_left..][..of_left]);
                target.write(sample * both + of_left, 1, &right[sample * of_right..][..of_right]);
            });
        })
    }
}

/// The two parts of [`concatenated`]; the first has `of_left` numbers a sample.
pub(crate) fn parted(both: &[f32], of_left: usize, batch: usize) -> [Vec<f32>; 2] {
    let whole = both.len() / batch;
    let part = |from: usize, len: usize| {
        // SAFETY: each sample's part is written whole by its task.
        #[expect(unsafe_code, reason = "the result is written whole")]
        unsafe {
            written(len * batch, |target| {
                (0..batch).into_par_iter().for_each(|sample| {
                    // SAFETY: this task alone writes this sample.
                    target.write(sample * len, 1, &both[sample * whole + from..][..len]);
                });
            })
        }
    };
    [part(0, of_left), part(of_left, whole - of_left)]
}

/// `max(left + right, 0)`; a NaN stays one.
pub(crate) fn add_relu(isa: Isa, left: &[f32], right: &[f32]) -> Vec<f32> {
    pairs(isa, left, right, |left, right| {
        let sum = left + right;
        if sum < 0.0 { 0.0 } else { sum }
    })
}

/// The gradient, or 0 where the output is at most 0.
pub(crate) fn relu_gradient(isa: Isa, output: &[f32], gradient: &[f32]) -> Vec<f32> {
    pairs(isa, output, gradient, |output, gradient| if output <= 0.0 { 0.0 } else { gradient })
}

fn pairs(isa: Isa, left: &[f32], right: &[f32], function: impl Fn(f32, f32) -> f32 + Copy + Sync) -> Vec<f32> {
    assert_eq!(left.len(), right.len(), "two operands of one shape");
    // SAFETY: the pieces together have every number.
    #[expect(unsafe_code, reason = "the result is written whole")]
    unsafe {
        written(left.len(), |target| {
            left.par_chunks(PIECE).zip(right.par_chunks(PIECE)).enumerate().for_each(|(piece, (left, right))| {
                // SAFETY: this task alone writes its piece.
                let to = target.stretch(piece * PIECE, left.len());
                on(isa, Pairs { left, right, function, to });
            });
        })
    }
}

struct Pairs<'a, F> {
    left: &'a [f32],
    right: &'a [f32],
    function: F,
    to: &'a mut [std::mem::MaybeUninit<f32>],
}

impl<F: Fn(f32, f32) -> f32> Work for Pairs<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (to, (&left, &right)) in self.to.iter_mut().zip(self.left.iter().zip(self.right)) {
            to.write((self.function)(left, right));
        }
    }
}
