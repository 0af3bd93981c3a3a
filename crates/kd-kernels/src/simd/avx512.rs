//! 16 lanes with AVX-512F.

use std::arch::x86_64::{
    __m512, _mm_loadu_ps, _mm256_loadu_ps, _mm512_castps128_ps512, _mm512_castps256_ps512, _mm512_fmadd_ps,
    _mm512_insertf32x4, _mm512_insertf32x8, _mm512_loadu_ps, _mm512_max_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps,
};

use super::lanes::Lanes;
use super::tile::{RawTile, run};

// SAFETY: each method is one AVX-512F instruction; the trait's contract makes the caller answer for AVX-512F.
#[expect(unsafe_code, reason = "vector instructions")]
unsafe impl Lanes for __m512 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller has AVX-512F.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller has AVX-512F and answers for 16 readable numbers.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_parts<const PARTS: usize>(from: *const f32, places: *const usize) -> Self {
        // SAFETY: the caller has AVX-512F and DQ, and answers for the numbers of each piece.
        unsafe {
            match PARTS {
                1 => Self::load(from.add(*places)),
                2 => {
                    let low = _mm512_castps256_ps512(_mm256_loadu_ps(from.add(*places)));
                    _mm512_insertf32x8::<1>(low, _mm256_loadu_ps(from.add(*places.add(1))))
                }
                4 => {
                    let piece = |part: usize| _mm_loadu_ps(from.add(*places.add(part)));
                    let first = _mm512_castps128_ps512(piece(0));
                    let second = _mm512_insertf32x4::<1>(first, piece(1));
                    let third = _mm512_insertf32x4::<2>(second, piece(2));
                    _mm512_insertf32x4::<3>(third, piece(3))
                }
                _ => unreachable!("16 lanes in {PARTS} pieces"),
            }
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller has AVX-512F and answers for 16 writable numbers.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        unsafe { _mm512_fmadd_ps(self, factor, sum) }
    }

    #[inline(always)]
    unsafe fn or_zero(self) -> Self {
        // SAFETY: the caller has AVX-512F. The second operand is the answer where one is NaN.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), self) }
    }
}

/// One tile of `ROWS` rows and `VECTORS` vectors.
///
/// # Safety
/// As [`run`], on a machine with AVX-512F and DQ.
#[target_feature(enable = "avx512f,avx512dq")]
#[expect(unsafe_code, reason = "vector instructions")]
pub(super) unsafe fn tile<const ROWS: usize, const VECTORS: usize, const PARTS: usize>(raw: &RawTile) {
    // SAFETY: the caller's contract is that of `run`, and this function has AVX-512F and DQ.
    unsafe { run::<__m512, ROWS, VECTORS, PARTS>(raw) }
}
