//! One DICOM file: parsed, decoded by whatever codec it names, rescaled, shown, grouped into stacks, read as a volume.

#![no_main]

use kd_data::format::{Tilt, Voi, find_dicom_stacks, read_dicom, read_dicom_volume};
use kd_fuzz::{file, told};

kd_fuzz::bounded!();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = file(bytes, "dcm");
    if let Some(image) = told(read_dicom(&path)) {
        let points: usize = image.shape().iter().product();
        if let Some(values) = told(image.modality()) {
            assert!(values.values.iter().all(|value| value.is_finite()), "a modality value that is no number");
        }
        if let Some(shown) = told(image.display(Voi::File)) {
            assert!(shown.values.len() >= points.min(1), "an empty picture");
        }
        let _ = told(image.display(Voi::WholeRange));
        let _ = image.padding_mask();
    }
    let _ = find_dicom_stacks(std::slice::from_ref(&path));
    let _ = told(read_dicom_volume(&[path], Tilt::KeepSheared));
});
