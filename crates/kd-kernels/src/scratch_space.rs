//! Working memory that a thread keeps between calls: fresh memory has to be mapped page by page, which costs as much as
//! a thin layer's arithmetic.

use std::cell::RefCell;

thread_local! {
    static KEPT: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Buffers that a thread keeps at most.
const MOST_KEPT: usize = 8;

/// A buffer of at least `len` numbers with whatever was in it, for the time of `work`.
pub(crate) fn with_scratch<T>(len: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    let mut buffer = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    let result = work(&mut buffer[..len]);
    KEPT.with_borrow_mut(|kept| {
        if kept.len() < MOST_KEPT {
            kept.push(buffer);
        }
    });
    result
}
