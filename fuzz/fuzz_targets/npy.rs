//! One NumPy array.

#![no_main]

use kd_data::format::read_npy;
use kd_fuzz::{file, told};

kd_fuzz::bounded!();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(array) = told(read_npy(&file(bytes, "npy"))) else { return };
    let points: usize = array.shape().iter().product();
    if let Some(floats) = told(array.floats()) {
        assert_eq!(floats.values.len(), points);
    }
    let _ = (told(array.bytes()), told(array.integers()), told(array.texts()));
});
