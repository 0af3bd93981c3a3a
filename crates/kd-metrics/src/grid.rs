//! The grid that masks and images lie on: its shape, and what one step along each axis measures in millimetres.
//!
//! A plane is kept as a volume of depth one, so that every loop is written once; what differs between the two (a contour
//! has a length, a surface an area) asks [`Grid::axes`].

use crate::undefined::Undefined;

/// A grid of two or three axes, slowest first, with its spacing in mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    axes: usize,
}

impl Grid {
    /// A plane `[height, width]`.
    ///
    /// # Errors
    /// An axis without points, more points than can be counted, a spacing that is not finite and above zero.
    pub fn plane(shape: [usize; 2], spacing_mm: [f64; 2]) -> Result<Self, Undefined> {
        Self::checked([1, shape[0], shape[1]], [1.0, spacing_mm[0], spacing_mm[1]], 2)
    }

    /// A volume `[depth, height, width]`.
    ///
    /// # Errors
    /// As [`Grid::plane`].
    ///
    /// # Example
    /// ```
    /// use kd_metrics::Grid;
    /// let grid = Grid::volume([4, 8, 8], [2.5, 0.5, 0.5])?;
    /// assert_eq!((grid.points(), grid.point_size()), (256, 0.625));
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn volume(shape: [usize; 3], spacing_mm: [f64; 3]) -> Result<Self, Undefined> {
        Self::checked(shape, spacing_mm, 3)
    }

    fn checked(shape: [usize; 3], spacing_mm: [f64; 3], axes: usize) -> Result<Self, Undefined> {
        checked_points(shape)?;
        match spacing_mm.iter().find(|mm| !(mm.is_finite() && **mm > 0.0)) {
            Some(&found) => Err(Undefined::OutOfRange { what: "spacing in mm", expected: "finite and above 0", found }),
            None => Ok(Self { shape, spacing_mm, axes }),
        }
    }

    /// Points along each axis, slowest first: two or three numbers.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape[3 - self.axes..]
    }

    /// One step along each axis, in mm: two or three numbers.
    #[must_use]
    pub fn spacing_mm(&self) -> &[f64] {
        &self.spacing_mm[3 - self.axes..]
    }

    /// Two or three.
    #[must_use]
    pub fn axes(&self) -> usize {
        self.axes
    }

    /// Number of points.
    #[must_use]
    pub fn points(&self) -> usize {
        self.shape.iter().product()
    }

    /// What one point measures: mm² on a plane, mm³ in a volume.
    #[must_use]
    pub fn point_size(&self) -> f64 {
        self.spacing_mm().iter().product()
    }

    /// The shape as three axes; a plane has depth 1.
    pub(crate) fn shape3(&self) -> [usize; 3] {
        self.shape
    }

    /// The spacing along three axes; a plane's depth has a step that nothing is measured along.
    pub(crate) fn spacing3_mm(&self) -> [f64; 3] {
        self.spacing_mm
    }
}

/// The number of points of a shape, none of whose axes is empty.
pub(crate) fn checked_points(shape: [usize; 3]) -> Result<usize, Undefined> {
    if shape.contains(&0) {
        return Err(Undefined::NotEnough { what: "points along every axis", expected: 1, found: 0 });
    }
    // One cell more along each axis is asked for by the surfaces, so that has to be countable too.
    let cells = shape.iter().try_fold(1_usize, |points, &axis| points.checked_mul(axis.checked_add(1)?));
    match cells.filter(|&cells| cells <= isize::MAX as usize / 8) {
        Some(_) => Ok(shape.iter().product()),
        None => Err(Undefined::OutOfRange {
            what: "number of points",
            expected: "what memory can hold",
            found: shape.iter().map(|&axis| axis as f64).product(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_grids_are_refused() {
        assert!(Grid::plane([0, 3], [1.0, 1.0]).is_err());
        assert!(Grid::volume([usize::MAX, 2, 2], [1.0; 3]).is_err());
        for mm in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Grid::volume([2, 2, 2], [1.0, mm, 1.0]).is_err());
        }
    }

    #[test]
    fn a_plane_has_two_axes() {
        let grid = Grid::plane([3, 5], [0.5, 2.0]).unwrap();
        assert_eq!((grid.shape(), grid.spacing_mm(), grid.points()), ([3, 5].as_slice(), [0.5, 2.0].as_slice(), 15));
    }
}
