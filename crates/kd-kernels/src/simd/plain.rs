//! 8 lanes in plain Rust, for machines without the other sets and for Miri.

use super::lanes::Lanes;
use super::tile::{RawTile, run_halved};

/// Eight numbers; the compiler makes of them what the machine has.
#[derive(Clone, Copy)]
pub(super) struct Eight([f32; 8]);

// SAFETY: needs no instruction set beyond the machine's own.
#[expect(unsafe_code, reason = "the same contract as the vector instructions")]
unsafe impl Lanes for Eight {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller answers for 8 readable numbers; an array of `f32` has the alignment of `f32`.
        Self(unsafe { from.cast::<[f32; 8]>().read() })
    }

    #[inline(always)]
    unsafe fn load_parts<const PARTS: usize>(from: *const f32, places: *const usize) -> Self {
        // SAFETY: the caller answers for the numbers of each piece.
        Self(std::array::from_fn(|lane| unsafe {
            let (part, within) = (lane / (8 / PARTS), lane % (8 / PARTS));
            *from.add(*places.add(part) + within)
        }))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller answers for 8 writable numbers; an array of `f32` has the alignment of `f32`.
        unsafe { to.cast::<[f32; 8]>().write(self.0) }
    }

    // Product and sum are rounded one after the other: a fused operation would be a library call on most machines that
    // come here.
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] * factor.0[lane] + sum.0[lane]))
    }

    #[inline(always)]
    unsafe fn or_zero(self) -> Self {
        Self(self.0.map(|value| if value < 0.0 { 0.0 } else { value }))
    }
}

/// One tile of `ROWS` rows and `VECTORS` vectors.
///
/// # Safety
/// As [`run_halved`].
#[expect(unsafe_code, reason = "the same contract as the vector instructions")]
pub(super) unsafe fn tile<const ROWS: usize, const VECTORS: usize, const PARTS: usize>(raw: &RawTile) {
    // SAFETY: the caller's contract is that of `run_halved`.
    unsafe { run_halved::<Eight, ROWS, VECTORS, PARTS>(raw) }
}
