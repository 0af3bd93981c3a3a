//! A header after every rule was checked: what the voxels are, how many, what their numbers mean and where they lie.

use kd_image::{Affine, Geometry};

use super::datatype::NiftiType;
use super::placement::{PlacementSource, chosen};
use super::raw::{NiftiVersion, RawHeader, SIZE_1, SIZE_2};
use crate::format::error::Problem;

/// How stored numbers become the numbers that are meant: `slope · stored + intercept`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NiftiScaling {
    /// `scl_slope`.
    pub slope: f64,
    /// `scl_inter`.
    pub intercept: f64,
}

/// What a NIfTI header says, checked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NiftiHeader {
    /// The standard that it follows.
    pub version: NiftiVersion,
    /// Whether the largest byte of a number stands first.
    pub big_endian: bool,
    /// What one voxel is.
    pub datatype: NiftiType,
    /// Points along x, y, z, time and further axes, fastest first; 1 to 7 of them.
    pub dims: Vec<usize>,
    /// None when stored numbers are meant as they are: a slope of 0, one that is no number, the identity, colours.
    pub scaling: Option<NiftiScaling>,
    /// Grid of one volume in mm, `[depth, height, width]`.
    pub geometry: Geometry<3>,
    /// Where the grid's place comes from.
    pub placement: PlacementSource,
    /// Seconds from one volume to the next, where the fourth axis is time.
    pub time_step_s: Option<f64>,
    /// What is odd and was read all the same.
    pub warnings: Vec<String>,
    /// Voxels stand in the same file.
    pub(super) single: bool,
    /// Byte of the first voxel, in the file that holds them.
    pub(super) first_voxel: u64,
    /// Bytes of all voxels.
    pub(super) voxel_bytes: usize,
}

impl NiftiHeader {
    /// Volumes in the file: the product of all axes behind the third.
    #[must_use]
    pub fn n_volumes(&self) -> usize {
        self.dims.iter().skip(3).product()
    }

    /// Voxels in the file.
    #[must_use]
    pub fn n_voxels(&self) -> usize {
        self.dims.iter().product()
    }

    pub(super) fn new(raw: &RawHeader) -> Result<Self, Problem> {
        let mut warnings = Vec::new();
        let datatype = NiftiType::of_code(raw.datatype)?;
        let bits = datatype.bytes() * 8;
        if i64::from(raw.bitpix) != bits as i64 {
            warnings.push(format!("bitpix is {}, {} has {bits} bits; bitpix is ignored", raw.bitpix, datatype.name()));
        }
        let dims = dims(raw)?;
        let countable = || Problem::new("dim[1] to dim[7] with a size that can be counted", format!("{dims:?}"));
        let n_voxels = dims.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis)).ok_or_else(countable)?;
        let voxel_bytes = n_voxels.checked_mul(datatype.bytes()).ok_or_else(countable)?;
        let unit_mm = unit_mm(raw.units, &mut warnings);
        let (placement, affine) = chosen(raw, &mut warnings)?;
        let shape = [2, 1, 0].map(|axis| dims.get(axis).copied().unwrap_or(1));
        let geometry = geometry(raw, shape, affine, unit_mm, &mut warnings)?;
        Ok(Self {
            version: raw.version,
            big_endian: raw.big_endian,
            datatype,
            scaling: scaling(raw, datatype)?,
            geometry,
            placement,
            time_step_s: time_step_s(raw, &dims),
            single: raw.single,
            first_voxel: first_voxel(raw, &mut warnings)?,
            voxel_bytes,
            dims,
            warnings,
        })
    }
}

fn dims(raw: &RawHeader) -> Result<Vec<usize>, Problem> {
    let count = raw.dim[0];
    let axes = usize::try_from(count).ok().filter(|axes| (1..=7).contains(axes));
    let axes = axes.ok_or_else(|| Problem::new("dim[0] of 1 to 7 axes", count.to_string()))?;
    let axis = |n: usize| {
        let found = raw.dim[n];
        let refused = || Problem::new(format!("dim[{n}] of 1 or more points"), found.to_string());
        usize::try_from(found).ok().filter(|&points| points > 0).ok_or_else(refused)
    };
    (1..=axes).map(axis).collect()
}

/// Slope and intercept, or none where stored numbers are meant as they are.
fn scaling(raw: &RawHeader, datatype: NiftiType) -> Result<Option<NiftiScaling>, Problem> {
    let (slope, intercept) = (raw.slope, raw.intercept);
    if datatype.colours().is_some() || !slope.is_finite() || slope == 0.0 {
        return Ok(None);
    }
    if !intercept.is_finite() {
        let expected = format!("scl_inter to be a finite number beside scl_slope {slope}");
        return Err(Problem::new(expected, intercept.to_string())
            .hint("the header is damaged; convert the original images again, or set scl_slope to 0"));
    }
    let is_identity = (slope - 1.0).abs() < f64::EPSILON && intercept.abs() < f64::MIN_POSITIVE;
    Ok((!is_identity).then_some(NiftiScaling { slope, intercept }))
}

fn unit_mm(units: i32, warnings: &mut Vec<String>) -> f64 {
    match units & 0x07 {
        1 => 1000.0,
        2 => 1.0,
        3 => 0.001,
        0 => {
            warnings.push("xyzt_units names no unit of length; mm are taken".into());
            1.0
        }
        other => {
            warnings.push(format!("xyzt_units names the unknown unit of length {other}; mm are taken"));
            1.0
        }
    }
}

fn time_step_s(raw: &RawHeader, dims: &[usize]) -> Option<f64> {
    let unit_s = match raw.units & 0x38 {
        8 => 1.0,
        16 => 1e-3,
        24 => 1e-6,
        _ => return None,
    };
    let step = raw.pixdim[4] * unit_s;
    (dims.len() > 3 && step.is_finite() && step > 0.0).then_some(step)
}

fn geometry(
    raw: &RawHeader,
    shape: [usize; 3],
    affine: Option<Affine>,
    unit_mm: f64,
    warnings: &mut Vec<String>,
) -> Result<Geometry<3>, Problem> {
    let refused = |error: kd_image::GeometryError| Problem::new("a grid in patient space", error.to_string());
    if let Some(mut affine) = affine {
        affine.matrix[..3].iter_mut().flatten().for_each(|value| *value *= unit_mm);
        return Geometry::<3>::placed(shape, affine).map_err(refused);
    }
    // An axis that the header does not count has one point and needs no step to lie anywhere.
    let step = |axis: usize| raw.pixdim[axis + 1].abs() * unit_mm;
    let spacing = [step(2), step(1), step(0)];
    if spacing.iter().any(|step| !step.is_finite() || *step <= 0.0) {
        warnings.push(format!("pixdim holds no spacing ({:?}), so it is unknown", &raw.pixdim[1..4]));
        return Geometry::without_spacing(shape).map_err(refused);
    }
    if raw.pixdim[1..4].iter().any(|step| *step < 0.0) {
        warnings.push(format!("pixdim is {:?}; sizes without sign are used", &raw.pixdim[1..4]));
    }
    Geometry::with_spacing(shape, spacing).map_err(refused)
}

/// Where the voxels begin: behind the header and its extensions in one file, anywhere in an `.img`.
fn first_voxel(raw: &RawHeader, warnings: &mut Vec<String>) -> Result<u64, Problem> {
    let offset = raw.vox_offset;
    let least = match (raw.single, raw.version) {
        (false, _) => 0,
        (true, NiftiVersion::One) => SIZE_1 + 4,
        (true, NiftiVersion::Two) => SIZE_2 + 4,
    };
    // 2^53: beyond it not every byte has a number of its own.
    if !offset.is_finite() || offset.fract() != 0.0 || !(0.0..9_007_199_254_740_992.0).contains(&offset) {
        return Err(Problem::new("vox_offset to be a whole number of bytes", offset.to_string()));
    }
    if offset == 0.0 && raw.single {
        warnings.push(format!("vox_offset is 0; {least} is taken"));
        return Ok(least as u64);
    }
    if offset < least as f64 {
        return Err(Problem::new(format!("vox_offset of {least} or more in a single file"), offset.to_string()));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a whole number from 0 to 2^53, checked above
    Ok(offset as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> RawHeader {
        RawHeader {
            version: NiftiVersion::One,
            big_endian: false,
            single: true,
            dim: [3, 2, 3, 4, 0, 0, 0, 0],
            datatype: 4,
            bitpix: 16,
            pixdim: [1.0, 0.5, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0],
            vox_offset: 352.0,
            slope: 0.0,
            intercept: f64::NAN,
            units: 2,
            qform_code: 0,
            sform_code: 0,
            quatern: [0.0; 3],
            qoffset: [0.0; 3],
            srow: [[0.0; 4]; 3],
        }
    }

    #[test]
    fn a_slope_of_zero_or_nan_means_stored_numbers() {
        assert_eq!(NiftiHeader::new(&raw()).unwrap().scaling, None);
        assert_eq!(NiftiHeader::new(&RawHeader { slope: f64::NAN, ..raw() }).unwrap().scaling, None);
        assert!(NiftiHeader::new(&RawHeader { slope: 2.0, ..raw() }).is_err());
        let scaled = NiftiHeader::new(&RawHeader { slope: 2.0, intercept: -1.0, ..raw() }).unwrap();
        assert_eq!(scaled.scaling, Some(NiftiScaling { slope: 2.0, intercept: -1.0 }));
    }

    #[test]
    fn without_forms_the_spacing_is_known_and_the_place_is_not() {
        let header = NiftiHeader::new(&raw()).unwrap();
        assert_eq!(header.geometry.spacing_mm(), Some([2.0, 1.0, 0.5]));
        assert_eq!((header.geometry.affine(), header.placement), (None, PlacementSource::SpacingOnly));
        assert_eq!(header.warnings.len(), 1, "{:?}", header.warnings);
    }

    #[test]
    fn metres_and_microns_become_mm_in_spacing_and_place() {
        let srow = [[0.5, 0.0, 0.0, 7.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]];
        for (units, factor) in [(1, 1000.0), (2, 1.0), (3, 0.001)] {
            let header = NiftiHeader::new(&RawHeader { units, sform_code: 1, srow, ..raw() }).unwrap();
            let affine = header.geometry.affine().unwrap();
            assert_eq!(header.geometry.spacing_mm(), Some([2.0 * factor, 1.0 * factor, 0.5 * factor]));
            assert!((affine.matrix[0][3] - 7.0 * factor).abs() < 1e-12);
            assert!((affine.matrix[3][3] - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_time_step_is_told_in_seconds() {
        let timed = RawHeader { dim: [4, 2, 3, 4, 5, 0, 0, 0], units: 2 | 16, ..raw() };
        let mut pixdim = timed.pixdim;
        pixdim[4] = 2500.0;
        assert_eq!(NiftiHeader::new(&RawHeader { pixdim, ..timed }).unwrap().time_step_s, Some(2.5));
    }

    #[test]
    fn voxels_cannot_begin_inside_of_the_header() {
        let single = |vox_offset| NiftiHeader::new(&RawHeader { vox_offset, ..raw() });
        assert_eq!(single(0.0).unwrap().first_voxel, 352);
        assert!([348.0, 352.5, -1.0, f64::NAN, 1e30].iter().all(|&offset| single(offset).is_err()));
        let pair = NiftiHeader::new(&RawHeader { single: false, vox_offset: 0.0, ..raw() }).unwrap();
        assert_eq!(pair.first_voxel, 0);
    }
}
