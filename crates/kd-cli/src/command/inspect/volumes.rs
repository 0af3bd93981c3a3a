//! What NIfTI and DICOM files hold. Nothing that could name a patient is read, so nothing can be shown.

use std::path::Path;

use anyhow::Result;
use kd_data::format::{Nifti, NotFinite, NpyValue, read_dicom};
use kd_image::Geometry;
use serde_json::json;

use super::{Facts, range};

pub(super) fn nifti(path: &Path, facts: &mut Facts) -> Result<&'static str> {
    let file = Nifti::open(path)?;
    let header = file.header();
    facts.add("version", format!("{:?}", header.version));
    facts.add("dtype", header.datatype.name());
    facts.add("byte order", if header.big_endian { "largest byte first" } else { "smallest byte first" });
    facts.add("dim", json!(header.dims));
    match &header.scaling {
        Some(scaling) => facts.add("scaling", json!({ "slope": scaling.slope, "intercept": scaling.intercept })),
        None => facts.add("scaling", "none"),
    }
    grid(&header.geometry, facts);
    facts.add("place from", format!("{:?}", header.placement));
    facts.add("volumes", header.n_volumes());
    facts.add("time step", header.time_step_s.map(|seconds| format!("{seconds} s")));
    for warning in &header.warnings {
        facts.warn(warning.clone());
    }
    match file.bytes_behind()? {
        0 => {}
        behind => facts.warn(format!("{behind} bytes behind the voxels are ignored")),
    }
    if header.datatype.colours().is_some() {
        return Ok("colours");
    }
    // A number that is none is told, and the file is looked into all the same.
    match file.meant(NotFinite::Refuse) {
        Ok(meant) => {
            let values: Vec<f64> = meant.values.iter().map(|&value| f64::from(value)).collect();
            range(&values, "", facts);
        }
        Err(refused) => facts.warn(refused.to_string()),
    }
    Ok("volume")
}

pub(super) fn dicom(path: &Path, facts: &mut Facts) -> Result<&'static str> {
    let image = read_dicom(path)?;
    facts.add("shape", json!(image.shape()));
    facts.add("stored as", element(image.raw()));
    facts.add("colours", format!("{:?}", image.photometric()));
    facts.add("intensity", image.intensity().name());
    match image.pixel_spacing_mm() {
        Some(mm) => facts.add("spacing mm", json!(mm)),
        None => facts.add("spacing mm", "unknown"),
    }
    facts.add("padding", image.padding_mask().map(|mask| mask.iter().filter(|padded| **padded).count()));
    match image.modality() {
        Ok(values) => {
            let values: Vec<f64> = values.values.iter().map(|&value| f64::from(value)).collect();
            range(&values, "", facts);
        }
        Err(refused) => facts.warn(refused.to_string()),
    }
    Ok("image")
}

/// What one stored number is.
const fn element(stored: &NpyValue) -> &'static str {
    match stored {
        NpyValue::U8(_) => "uint8",
        NpyValue::I8(_) => "int8",
        NpyValue::U16(_) => "uint16",
        NpyValue::I16(_) => "int16",
        NpyValue::U32(_) => "uint32",
        NpyValue::I32(_) => "int32",
        NpyValue::U64(_) => "uint64",
        NpyValue::I64(_) => "int64",
        NpyValue::F32(_) => "float32",
        NpyValue::F64(_) => "float64",
        NpyValue::Text(_) => "text",
    }
}

fn grid(geometry: &Geometry<3>, facts: &mut Facts) {
    facts.add("shape", json!(geometry.shape()));
    facts.add("axes", "depth, height, width");
    facts.add("spacing mm", geometry.spacing_mm().map(|mm| json!(mm)));
    facts.add("orientation", geometry.orientation().map(|letters| letters.to_string()));
}
