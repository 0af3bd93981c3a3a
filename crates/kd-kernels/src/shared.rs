//! A buffer that several threads write, each to places of its own, before anybody reads it.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Memory that is being written; who takes a place answers for it being his alone.
pub(crate) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: it gives out no reference; writes go through `write` and `pointer`, whose callers answer for disjoint places.
#[expect(unsafe_code, reason = "disjoint places of one buffer")]
unsafe impl Sync for Shared<'_> {}

impl Shared<'_> {
    /// Where the numbers `at..at + len` begin.
    pub(crate) fn pointer(&self, at: usize, len: usize) -> *mut f32 {
        assert!(at <= self.len && len <= self.len - at, "numbers {at} to {at} + {len} of {}", self.len);
        // SAFETY: within the buffer, as just asserted.
        #[expect(unsafe_code, reason = "disjoint places of one buffer")]
        unsafe {
            self.start.add(at)
        }
    }

    /// The numbers `at..at + len`, whatever is in them.
    ///
    /// # Safety
    /// Nobody else reads or writes these places while the slice is there.
    #[expect(unsafe_code, clippy::mut_from_ref, reason = "disjoint places of one buffer")]
    pub(crate) unsafe fn stretch(&self, at: usize, len: usize) -> &mut [MaybeUninit<f32>] {
        // SAFETY: within the buffer, as `pointer` asserts, and the caller's alone; uninitialised numbers are allowed.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(at, len).cast(), len) }
    }

    /// The numbers `at..at + len`, all 0 to begin with.
    ///
    /// # Safety
    /// As [`stretch`](Self::stretch).
    #[expect(unsafe_code, clippy::mut_from_ref, reason = "disjoint places of one buffer")]
    pub(crate) unsafe fn zeros(&self, at: usize, len: usize) -> &mut [f32] {
        // SAFETY: the caller's word.
        let place = unsafe { self.stretch(at, len) };
        for number in &mut *place {
            number.write(0.0);
        }
        // SAFETY: all of them were just written.
        unsafe { place.assume_init_mut() }
    }

    /// Writes numbers, `step` places apart, from `at` on.
    ///
    /// # Safety
    /// Nobody else reads or writes these places meanwhile.
    #[expect(unsafe_code, reason = "disjoint places of one buffer")]
    pub(crate) unsafe fn write(&self, at: usize, step: usize, values: &[f32]) {
        if values.is_empty() {
            return;
        }
        let to = self.pointer(at, (values.len() - 1) * step + 1);
        // SAFETY: all places are within the buffer, as `pointer` has asserted, and the caller's alone.
        unsafe {
            if step == 1 {
                std::ptr::copy_nonoverlapping(values.as_ptr(), to, values.len());
            } else {
                for (index, &value) in values.iter().enumerate() {
                    to.add(index * step).write(value);
                }
            }
        }
    }
}

/// A buffer of `len` numbers made by a function that writes all of them: clearing it first would cost as much as a thin
/// layer's arithmetic.
///
/// # Safety
/// `fill` writes every one of the numbers.
#[expect(unsafe_code, reason = "disjoint places of one buffer")]
pub(crate) unsafe fn written(len: usize, fill: impl FnOnce(&Shared)) -> Vec<f32> {
    // SAFETY: the caller's word.
    let [buffer] = unsafe { all_written(len, |[target]| fill(target)) };
    buffer
}

/// Several buffers of `len` numbers made by one function, as [`written`].
///
/// # Safety
/// `fill` writes every one of the numbers of each.
#[expect(unsafe_code, reason = "disjoint places of one buffer")]
pub(crate) unsafe fn all_written<const N: usize>(len: usize, fill: impl FnOnce(&[Shared; N])) -> [Vec<f32>; N] {
    let mut buffers: [Vec<f32>; N] = std::array::from_fn(|_| Vec::with_capacity(len));
    fill(&buffers.each_mut().map(|buffer| Shared { start: buffer.as_mut_ptr(), len, lifetime: PhantomData }));
    for buffer in &mut buffers {
        // SAFETY: the capacity is there, and every number was written, by the caller's word.
        unsafe { buffer.set_len(len) };
    }
    buffers
}
