//! One picture: PNG or JPEG, by content.

#![no_main]

use kd_data::format::{ImageFile, read_raster};
use kd_fuzz::{file, told};

kd_fuzz::bounded!();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = file(bytes, "png");
    let _ = told(read_raster(&path));
    for found in told(ImageFile::list(&path, "case", None)).into_iter().flatten() {
        let Some(stack) = told(found.read()) else { continue };
        for index in 0..stack.len().min(4) {
            let _ = told(stack.image(index));
        }
    }
});
