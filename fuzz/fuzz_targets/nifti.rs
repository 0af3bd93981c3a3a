//! One NIfTI file, plain or in gzip: header, voxels as stored and as meant, a volume, labels.

#![no_main]

use kd_data::format::{Nifti, NotFinite};
use kd_fuzz::{file, told};
use kd_image::Intensity;

kd_fuzz::bounded!();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = file(bytes, "nii");
    let Some(nifti) = told(Nifti::open(&path)) else { return };
    let _ = told(nifti.bytes_behind());
    let _ = told(nifti.stored());
    if let Some(meant) = told(nifti.meant(NotFinite::Replace(0.0))) {
        assert!(meant.values.iter().all(|value| value.is_finite()), "a voxel that is no number");
    }
    let _ = told(nifti.image(Intensity::Hounsfield, NotFinite::Refuse));
    let _ = told(nifti.channels(Intensity::Arbitrary, NotFinite::Refuse));
    let _ = told(nifti.labels(4));
});
