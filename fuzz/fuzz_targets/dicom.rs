//! One DICOM file: parsed, decoded by whatever codec it names, rescaled, shown, grouped into stacks, read as a volume, and
//! as a segmentation of that volume or of a small one.

#![no_main]

use kd_data::format::{DicomSegmentation, Tilt, Voi, find_dicom_stacks, read_dicom, read_dicom_volume};
use kd_fuzz::{file, told};
use kd_image::{Affine, Geometry};

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
    let volume = told(read_dicom_volume(std::slice::from_ref(&path), Tilt::KeepSheared));
    if let Some(segmentation) = told(DicomSegmentation::open(&path)) {
        let grid = volume.map_or_else(small, |volume| volume.image.geometry().clone());
        let names: Vec<String> = std::iter::once("background").chain(segmentation.names()).map(str::to_owned).collect();
        let _ = told(DicomSegmentation::labels(&[&segmentation], &grid, &names));
    }
});

/// A grid of millimetres at the origin.
fn small() -> Geometry<3> {
    let matrix = [[-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
    Geometry::placed([4, 8, 8], Affine { matrix }).expect("a grid of four slices")
}
