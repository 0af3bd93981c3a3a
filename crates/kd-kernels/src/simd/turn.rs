//! Turns rows of numbers into points of channels: an 8×8 transpose at a time.

use super::Isa;

/// Writes `target[point * pitch + row] = source[rows[row] + point]` for up to 8 rows.
///
/// # Panics
/// When a row or the target is shorter than `points`: a mistake of this crate, never of a caller.
pub(crate) fn turn(isa: Isa, source: &[f32], rows: &[usize], points: usize, target: &mut [f32], pitch: usize) {
    assert!(rows.len() <= 8 && rows.len() <= pitch, "{} rows into points of {pitch}", rows.len());
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if isa != Isa::Plain && rows.len() == 8 {
        done = points / 8 * 8;
        let furthest = rows.iter().max().copied().unwrap_or(0);
        assert!(
            done == 0 || furthest + done <= source.len() && (done - 1) * pitch + 8 <= target.len(),
            "{points} points of a row at {furthest} in {} numbers, into {}",
            source.len(),
            target.len()
        );
        // SAFETY: all loads and stores are within what was just asserted, and sets other than `Plain` have AVX2.
        #[expect(unsafe_code, reason = "vector instructions")]
        unsafe {
            turn_by_eight(source.as_ptr(), rows, done, target.as_mut_ptr(), pitch);
        }
    }
    if done < points {
        for (row, &from) in rows.iter().enumerate() {
            let values = &source[from + done..from + points];
            for (to, &value) in target[done * pitch..].chunks_mut(pitch).zip(values) {
                to[row] = value;
            }
        }
    }
}

/// # Safety
/// There are 8 rows; `points`, a multiple of 8, numbers behind each of them are readable, and as many points of `pitch`
/// numbers (8 in the last) are writable.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "vector instructions")]
unsafe fn turn_by_eight(source: *const f32, rows: &[usize], points: usize, target: *mut f32, pitch: usize) {
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps,
        _mm256_unpacklo_ps,
    };
    for point in (0..points).step_by(8) {
        // SAFETY: the caller's contract.
        unsafe {
            let row = |row: usize| _mm256_loadu_ps(source.add(rows[row] + point));
            // Pairs, then fours, then halves.
            let pair = |a, b| (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let ((a0, a1), (a2, a3)) = (pair(row(0), row(1)), pair(row(2), row(3)));
            let ((a4, a5), (a6, a7)) = (pair(row(4), row(5)), pair(row(6), row(7)));
            let four = |a, b| (_mm256_shuffle_ps::<0x44>(a, b), _mm256_shuffle_ps::<0xee>(a, b));
            let ((b0, b1), (b2, b3)) = (four(a0, a2), four(a1, a3));
            let ((b4, b5), (b6, b7)) = (four(a4, a6), four(a5, a7));
            for (index, (low, high)) in [(b0, b4), (b1, b5), (b2, b6), (b3, b7)].into_iter().enumerate() {
                let to = target.add((point + index) * pitch);
                _mm256_storeu_ps(to, _mm256_permute2f128_ps::<0x20>(low, high));
                _mm256_storeu_ps(to.add(4 * pitch), _mm256_permute2f128_ps::<0x31>(low, high));
            }
        }
    }
}
