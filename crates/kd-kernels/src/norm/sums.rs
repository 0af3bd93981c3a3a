//! Sums in a fixed order: 16 strands of `f32` over a stretch that is too short to lose digits, then `f64`.

use crate::simd::STRANDS;

/// Numbers that are summed in `f32`.
const STRETCH: usize = 4096;

/// Sums of two functions of pairs of numbers, in one pass.
#[inline(always)]
pub(super) fn pair_sums(left: &[f32], right: &[f32], function: impl Fn(f32, f32) -> [f32; 2]) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for (left, right) in left.chunks(STRETCH).zip(right.chunks(STRETCH)) {
        let mut strands = [[0.0f32; STRANDS]; 2];
        let (left_blocks, left_rest) = left.as_chunks::<STRANDS>();
        let (right_blocks, right_rest) = right.as_chunks::<STRANDS>();
        for (left, right) in left_blocks.iter().zip(right_blocks) {
            for strand in 0..STRANDS {
                let values = function(left[strand], right[strand]);
                strands[0][strand] += values[0];
                strands[1][strand] += values[1];
            }
        }
        for (strand, (&left, &right)) in left_rest.iter().zip(right_rest).enumerate() {
            let values = function(left, right);
            strands[0][strand] += values[0];
            strands[1][strand] += values[1];
        }
        for (sum, strands) in sums.iter_mut().zip(strands) {
            *sum += strands.into_iter().map(f64::from).sum::<f64>();
        }
    }
    sums
}

/// Sum of a function of numbers.
#[inline(always)]
fn sum_of(values: &[f32], function: impl Fn(f32) -> f32) -> f64 {
    let mut sum = 0.0;
    for values in values.chunks(STRETCH) {
        let mut strands = [0.0f32; STRANDS];
        let (blocks, rest) = values.as_chunks::<STRANDS>();
        for block in blocks {
            for strand in 0..STRANDS {
                strands[strand] += function(block[strand]);
            }
        }
        for (strand, &value) in strands.iter_mut().zip(rest) {
            *strand += function(value);
        }
        sum += strands.into_iter().map(f64::from).sum::<f64>();
    }
    sum
}

#[inline(always)]
pub(crate) fn total(values: &[f32]) -> f64 {
    sum_of(values, |value| value)
}

/// Sum of squared differences from a mean.
#[inline(always)]
pub(super) fn centred_squares(values: &[f32], mean: f32) -> f64 {
    sum_of(values, |value| (value - mean) * (value - mean))
}
