//! What the inner loop needs of an instruction set.

/// A vector of `f32` and the six operations of the inner loop.
///
/// # Safety
/// Every method may only be called where the instruction set of the implementing type is there; the callers are the
/// `#[target_feature]` functions of the neighbouring files, which [`Isa`](super::Isa) hands out after detection. `load`
/// and `store` touch `LANES` numbers behind the pointer, aligned or not.
#[expect(unsafe_code, reason = "vector instructions")]
pub(super) unsafe trait Lanes: Copy {
    /// Numbers in one vector.
    const LANES: usize;

    /// The same number in every lane.
    unsafe fn splat(value: f32) -> Self;
    /// Reads `LANES` numbers.
    unsafe fn load(from: *const f32) -> Self;
    /// Reads `LANES` numbers in `PARTS` pieces of the same length, each at its own place behind `from`. Exists for one
    /// part, and for pieces of 8 and of 4 numbers.
    unsafe fn load_parts<const PARTS: usize>(from: *const f32, places: *const usize) -> Self;
    /// Writes `LANES` numbers.
    unsafe fn store(self, to: *mut f32);
    /// `self · factor + sum`.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// The larger of each lane and 0; a NaN stays one.
    unsafe fn or_zero(self) -> Self;
}
