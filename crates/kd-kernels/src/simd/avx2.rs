//! 8 lanes with AVX2 and FMA.

use std::arch::x86_64::{
    __m256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu2_m128, _mm256_max_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps,
};

use super::lanes::Lanes;
use super::tile::{RawTile, run_halved};

// SAFETY: each method is one instruction of AVX2 or FMA; the trait's contract makes the caller answer for AVX2 and FMA.
#[expect(unsafe_code, reason = "vector instructions")]
unsafe impl Lanes for __m256 {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller has AVX2 and FMA.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller has AVX2 and FMA and answers for 8 readable numbers.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_parts<const PARTS: usize>(from: *const f32, places: *const usize) -> Self {
        // SAFETY: the caller has AVX, and answers for the numbers of each piece.
        unsafe {
            match PARTS {
                1 => Self::load(from.add(*places)),
                2 => _mm256_loadu2_m128(from.add(*places.add(1)), from.add(*places)),
                _ => unreachable!("8 lanes in {PARTS} pieces"),
            }
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller has AVX2 and FMA and answers for 8 writable numbers.
        unsafe { _mm256_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller has AVX2 and FMA.
        unsafe { _mm256_fmadd_ps(self, factor, sum) }
    }

    #[inline(always)]
    unsafe fn or_zero(self) -> Self {
        // SAFETY: the caller has AVX2 and FMA. The second operand is the answer where one is NaN.
        unsafe { _mm256_max_ps(_mm256_setzero_ps(), self) }
    }
}

/// One tile of `ROWS` rows and `VECTORS` vectors.
///
/// # Safety
/// As [`run_halved`], on a machine with AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "vector instructions")]
pub(super) unsafe fn tile<const ROWS: usize, const VECTORS: usize, const PARTS: usize>(raw: &RawTile) {
    // SAFETY: the caller's contract is that of `run_halved`, and this function has AVX2 and FMA.
    unsafe { run_halved::<__m256, ROWS, VECTORS, PARTS>(raw) }
}
