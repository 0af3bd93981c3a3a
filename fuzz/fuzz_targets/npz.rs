//! An archive of NumPy arrays, as arrays and as images.

#![no_main]

use std::path::Path;

use kd_data::format::{ImageFile, Npz};
use kd_fuzz::{file, told};

kd_fuzz::bounded!();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(npz) = told(Npz::from_bytes(bytes.to_vec(), Path::new("case.npz"))) {
        let names: Vec<String> = npz.names().into_iter().map(str::to_owned).collect();
        for name in names.iter().take(8) {
            let _ = (told(npz.floats(name)), told(npz.integers(name)), told(npz.texts(name)));
        }
    }
    for found in told(ImageFile::list(&file(bytes, "npz"), "case", None)).into_iter().flatten().take(4) {
        let Some(stack) = told(found.read()) else { continue };
        for index in 0..stack.len().min(4) {
            let _ = told(stack.image(index));
        }
    }
});
