//! A grid as planes in DICOM's axes: x to the left, y to the back, z to the head.

use kd_image::Geometry;

use super::super::frames::{cross, dot};
use super::request;
use crate::store::StoreError;

/// Directions within a plane may be this far from perpendicular; readers allow as much.
const PERPENDICULAR: f64 = 1e-3;

/// Parallel planes, each a step from the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planes {
    pub(super) along_row: [f64; 3],
    pub(super) down_column: [f64; 3],
    /// Distance of rows, then of columns, in mm.
    pub(super) pixel_spacing: [f64; 2],
    first: [f64; 3],
    step: [f64; 3],
}

impl Planes {
    pub(super) fn of(grid: &Geometry<3>) -> Result<Self, StoreError> {
        let affine =
            grid.affine().ok_or_else(|| request("grid of a DICOM series", "a place in the patient", "none"))?;
        // Ours are RAS+ axes: x and y change sign, once and here only.
        let column = |at: usize| -> [f64; 3] {
            let m = &affine.matrix;
            [-m[0][at] + 0.0, -m[1][at] + 0.0, m[2][at]]
        };
        let [columns, rows, step, first] = [0, 1, 2, 3].map(column);
        let (column_gap, row_gap) = (dot(columns, columns).sqrt(), dot(rows, rows).sqrt());
        let along_row = columns.map(|axis| axis / column_gap);
        let down_column = rows.map(|axis| axis / row_gap);
        let cosine = dot(along_row, down_column);
        if cosine.abs() > PERPENDICULAR {
            let degrees = cosine.acos().to_degrees();
            let found = format!("an angle of {degrees:.2}°");
            return Err(request("rows and columns of a DICOM image", "perpendicular ones", found));
        }
        Ok(Self { along_row, down_column, pixel_spacing: [row_gap, column_gap], first, step })
    }

    /// The centre of the first pixel of plane `index`.
    pub(super) fn position(&self, index: usize) -> [f64; 3] {
        #[allow(clippy::cast_precision_loss)] // planes of one volume
        std::array::from_fn(|axis| self.first[axis] + self.step[axis] * index as f64)
    }

    pub(super) fn orientation(&self) -> [f64; 6] {
        let ([a, b, c], [d, e, f]) = (self.along_row, self.down_column);
        [a, b, c, d, e, f]
    }

    /// Distance of neighbouring planes, in mm.
    pub(super) fn gap(&self) -> f64 {
        dot(self.step, self.normal()).abs()
    }

    pub(super) fn normal(&self) -> [f64; 3] {
        cross(self.along_row, self.down_column)
    }
}
