//! From a header's two maps to patient space to the one that is used, and from a map back to a quaternion.

use kd_image::Affine;

use super::raw::RawHeader;
use crate::format::error::Problem;

/// Which part of a header says where the voxels lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementSource {
    /// `srow_x`, `srow_y`, `srow_z`: any affine.
    Sform,
    /// A quaternion, an offset and `pixdim`: a rotation with spacing.
    Qform,
    /// Neither is set: `pixdim` gives the spacing, and patient directions are unknown.
    SpacingOnly,
}

/// The sum of squares of a quaternion's three stored parts may exceed 1 by rounding, up to this without a word.
const ROUNDING: f64 = 1e-6;
/// And up to this with a warning: tools that stored too few digits.
const REPAIRABLE: f64 = 1e-2;

/// The map that a header asks to be used, in its own unit, before the unit is applied.
///
/// # Policy
/// sform when its code is above 0, else qform when its code is above 0, else none.
pub(super) fn chosen(
    raw: &RawHeader,
    warnings: &mut Vec<String>,
) -> Result<(PlacementSource, Option<Affine>), Problem> {
    if raw.sform_code > 0 {
        let sform = sform(raw)?;
        if raw.qform_code > 0 {
            match qform(raw, &mut Vec::new()) {
                Ok(qform) => compare(raw, &sform, &qform, warnings),
                Err(_) => warnings.push("the qform describes no grid; the sform is used".into()),
            }
        }
        Ok((PlacementSource::Sform, Some(sform)))
    } else if raw.qform_code > 0 {
        Ok((PlacementSource::Qform, Some(qform(raw, warnings)?)))
    } else {
        warnings.push("neither sform nor qform is set, so patient directions and position are unknown".into());
        Ok((PlacementSource::SpacingOnly, None))
    }
}

fn sform(raw: &RawHeader) -> Result<Affine, Problem> {
    let [x, y, z] = raw.srow;
    for (name, row) in ["srow_x", "srow_y", "srow_z"].into_iter().zip(&raw.srow) {
        if row.iter().any(|value| !value.is_finite()) {
            return Err(damaged_form(format!("{name} of finite numbers"), format!("{row:?}")));
        }
    }
    let affine = Affine { matrix: [x, y, z, [0.0, 0.0, 0.0, 1.0]] };
    if !is_invertible(&affine) {
        let expected = "srow_x, srow_y and srow_z with three independent axes";
        return Err(damaged_form(expected, format!("{x:?}, {y:?}, {z:?}")));
    }
    Ok(affine)
}

/// The map of the quaternion; `pixdim[0]` mirrors the third axis when it is below 0.
fn qform(raw: &RawHeader, warnings: &mut Vec<String>) -> Result<Affine, Problem> {
    for (name, value) in ["quatern_b", "quatern_c", "quatern_d"].iter().zip(raw.quatern) {
        if !value.is_finite() {
            return Err(damaged_form(format!("{name} to be a finite number"), value.to_string()));
        }
    }
    for (name, value) in ["qoffset_x", "qoffset_y", "qoffset_z"].iter().zip(raw.qoffset) {
        if !value.is_finite() {
            return Err(damaged_form(format!("{name} to be a finite number"), value.to_string()));
        }
    }
    let mut steps = [0.0; 3];
    for (n, step) in steps.iter_mut().enumerate() {
        let found = raw.pixdim[n + 1];
        if !found.is_finite() || found == 0.0 {
            return Err(damaged_form(format!("pixdim[{}] to be a length above 0", n + 1), found.to_string()));
        }
        if found < 0.0 {
            warnings.push(format!("pixdim[{}] is {found}; its size is used", n + 1));
        }
        *step = found.abs();
    }
    // 0 stands in files that are older than the field.
    if ![-1.0, 0.0, 1.0].iter().any(|known| (raw.pixdim[0] - known).abs() < 1e-6) {
        warnings.push(format!("pixdim[0] is {}, expected 1 or -1; its sign is used", raw.pixdim[0]));
    }
    steps[2] *= if raw.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let rotation = rotation_of(raw.quatern, warnings)?;
    let mut matrix = [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
    for row in 0..3 {
        for (column, step) in steps.iter().enumerate() {
            matrix[row][column] = rotation[row][column] * step;
        }
        matrix[row][3] = raw.qoffset[row];
    }
    Ok(Affine { matrix })
}

/// The rotation of a unit quaternion of which `b`, `c` and `d` are stored and the real part is at least 0.
fn rotation_of([mut b, mut c, mut d]: [f64; 3], warnings: &mut Vec<String>) -> Result<[[f64; 3]; 3], Problem> {
    let squares = b * b + c * c + d * d;
    if squares > 1.0 + REPAIRABLE {
        let expected = "quatern_b, quatern_c and quatern_d whose squares add up to 1 at most";
        return Err(damaged_form(expected, squares.to_string()));
    }
    if squares > 1.0 {
        if squares > 1.0 + ROUNDING {
            warnings.push(format!("the squares of quatern_b, c and d add up to {squares}; they are scaled to 1"));
        }
        let scale = squares.sqrt().recip();
        (b, c, d) = (b * scale, c * scale, d * scale);
    }
    let a = (1.0 - (b * b + c * c + d * d)).max(0.0).sqrt();
    Ok([
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ])
}

/// Two tools may each use the other form, so a difference that can be seen is told.
fn compare(raw: &RawHeader, sform: &Affine, qform: &Affine, warnings: &mut Vec<String>) {
    let last: [f64; 3] = std::array::from_fn(|axis| {
        #[allow(clippy::cast_precision_loss)] // an axis is far below 2^53
        let points = raw.dim[axis + 1] as f64;
        (points - 1.0).max(0.0)
    });
    let apart = (0..8)
        .map(|corner: usize| {
            let voxel = std::array::from_fn(|axis| if corner >> axis & 1 == 1 { last[axis] } else { 0.0 });
            let (a, b) = (sform.world_mm(voxel), qform.world_mm(voxel));
            a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        })
        .fold(0.0, f64::max);
    let smallest = sform.step_mm().into_iter().fold(f64::INFINITY, f64::min);
    if apart > smallest / 4.0 {
        warnings.push(format!(
            "sform and qform put a corner {apart:.3} apart; the sform is used, other programs may use the qform"
        ));
    }
}

pub(super) fn is_invertible(affine: &Affine) -> bool {
    kd_image::Geometry::<3>::placed([1, 1, 1], *affine).is_ok()
}

fn damaged_form(expected: impl Into<String>, found: impl Into<String>) -> Problem {
    Problem::new(expected, found).hint("the map to patient space is damaged; convert the original images again")
}

/// A rotation, its handedness and the steps that make up an affine, as a qform stores them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct QformParts {
    /// `b`, `c`, `d`; the real part is at least 0.
    pub(super) quatern: [f64; 3],
    /// -1 when the third axis is mirrored.
    pub(super) qfac: f64,
}

/// The cosine between two axes above which an affine is sheared: 0.006°, far above the rounding of 32-bit floats and
/// far below the tilt of any gantry.
const SHEARED: f64 = 1e-4;

/// The parts of an affine that is a rotation with spacing, perhaps mirrored; none when it is sheared.
pub(super) fn qform_parts(affine: &Affine) -> Option<QformParts> {
    let steps = affine.step_mm();
    let mut axes: [[f64; 3]; 3] =
        std::array::from_fn(|axis| std::array::from_fn(|row| affine.matrix[row][axis] / steps[axis]));
    let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    if [(0, 1), (0, 2), (1, 2)].iter().any(|&(a, b)| dot(&axes[a], &axes[b]).abs() > SHEARED) {
        return None;
    }
    let [x, y, z] = &axes;
    let cross = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]];
    let qfac = if dot(&cross, z) < 0.0 { -1.0 } else { 1.0 };
    axes[2] = axes[2].map(|value| value * qfac);
    // `axes` holds columns: r(row, column).
    let r = |row: usize, column: usize| axes[column][row];
    // The largest of the four parts is taken from the diagonal, the others follow without losing digits.
    let squares = [
        1.0 + r(0, 0) + r(1, 1) + r(2, 2),
        1.0 + r(0, 0) - r(1, 1) - r(2, 2),
        1.0 - r(0, 0) + r(1, 1) - r(2, 2),
        1.0 - r(0, 0) - r(1, 1) + r(2, 2),
    ];
    let largest = (0..4).fold(0, |best, n| if squares[n] > squares[best] { n } else { best });
    let part = squares[largest].max(0.0).sqrt() / 2.0;
    let quarter = 0.25 / part;
    let [a, b, c, d] = match largest {
        0 => [part, (r(2, 1) - r(1, 2)) * quarter, (r(0, 2) - r(2, 0)) * quarter, (r(1, 0) - r(0, 1)) * quarter],
        1 => [(r(2, 1) - r(1, 2)) * quarter, part, (r(0, 1) + r(1, 0)) * quarter, (r(0, 2) + r(2, 0)) * quarter],
        2 => [(r(0, 2) - r(2, 0)) * quarter, (r(0, 1) + r(1, 0)) * quarter, part, (r(1, 2) + r(2, 1)) * quarter],
        _ => [(r(1, 0) - r(0, 1)) * quarter, (r(0, 2) + r(2, 0)) * quarter, (r(1, 2) + r(2, 1)) * quarter, part],
    };
    let sign = if a < 0.0 { -1.0 } else { 1.0 };
    Some(QformParts { quatern: [b * sign, c * sign, d * sign], qfac })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_rotation_comes_back_from_its_quaternion(parts in proptest::array::uniform4(-1.0f64..1.0), mirrored: bool) {
            let length = parts.iter().map(|v| v * v).sum::<f64>().sqrt();
            prop_assume!(length > 0.1);
            let sign = if parts[0] < 0.0 { -1.0 } else { 1.0 };
            let quatern = [1, 2, 3].map(|n| parts[n] / length * sign);
            let rotation = rotation_of(quatern, &mut Vec::new()).unwrap();
            let steps = [0.5, 2.0, if mirrored { -3.0 } else { 3.0 }];
            let mut matrix = [[0.0; 4]; 4];
            matrix[3][3] = 1.0;
            for row in 0..3 {
                for column in 0..3 {
                    matrix[row][column] = rotation[row][column] * steps[column];
                }
            }
            let found = qform_parts(&Affine { matrix }).unwrap();
            prop_assert_eq!(found.qfac < 0.0, mirrored);
            let back = rotation_of(found.quatern, &mut Vec::new()).unwrap();
            for row in 0..3 {
                for column in 0..3 {
                    // A real part near 0 is recovered from 1 minus a sum near 1: half of the digits are left.
                    prop_assert!((back[row][column] - rotation[row][column]).abs() < 1e-7);
                }
            }
        }
    }

    #[test]
    fn a_sheared_affine_has_no_quaternion() {
        let matrix = [[1.0, 0.2, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        assert_eq!(qform_parts(&Affine { matrix }), None);
    }

    #[test]
    fn a_quaternion_that_is_too_long_is_refused_and_a_slightly_long_one_is_scaled() {
        let mut warnings = Vec::new();
        let rotation = rotation_of([0.0, 0.0, 1.001], &mut warnings).unwrap();
        assert!((rotation[0][0] + 1.0).abs() < 1e-12 && warnings.len() == 1, "{rotation:?} {warnings:?}");
        assert!(rotation_of([0.8, 0.8, 0.0], &mut warnings).is_err());
    }
}
