//! Where the points of a grid lie: spacing in millimetres, the affine to patient space, and the orientation that
//! follows from it.

/// Why a geometry was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GeometryError {
    /// An axis without points.
    #[error("axis {axis} has 0 points, expected at least 1 (shape {shape:?})")]
    EmptyAxis {
        /// The axis, slowest first.
        axis: usize,
        /// The shape given.
        shape: Vec<usize>,
    },
    /// More points than can be counted.
    #[error("shape {shape:?} has more points than this machine can count")]
    TooLarge {
        /// The shape given.
        shape: Vec<usize>,
    },
    /// A spacing that is no length.
    #[error("spacing of axis {axis} is {found} mm, expected a finite number above 0")]
    Spacing {
        /// The axis, slowest first.
        axis: usize,
        /// The spacing given.
        found: f64,
    },
    /// An affine that does not describe a grid.
    #[error("affine {reason}")]
    Affine {
        /// What is wrong with it.
        reason: String,
    },
    /// Letters that name no orientation.
    #[error("orientation is `{found}`, expected three letters, one of each pair R/L, A/P, S/I, such as RAS")]
    Orientation {
        /// The text given.
        found: String,
    },
}

/// A map from voxel index to patient space: `world_mm = matrix · (column, row, slice, 1)`, in RAS+ axes: x grows
/// towards the patient's right, y to the front, z to the head, as NIfTI has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Rows of the 4×4 matrix; the last is `0 0 0 1`.
    pub matrix: [[f64; 4]; 4],
}

impl Affine {
    /// Length in mm of one step along `(column, row, slice)`.
    ///
    /// ```
    /// let affine = kd_image::Affine { matrix: [[0.0, -2.0, 0.0, 9.0], [1.0, 0.0, 0.0, 9.0], [0.0, 0.0, 3.0, 9.0], [0.0, 0.0, 0.0, 1.0]] };
    /// assert_eq!(affine.step_mm(), [1.0, 2.0, 3.0]);
    /// ```
    #[must_use]
    pub fn step_mm(&self) -> [f64; 3] {
        std::array::from_fn(|axis| (0..3).map(|row| self.matrix[row][axis].powi(2)).sum::<f64>().sqrt())
    }

    /// The patient position, in mm, of a voxel `(column, row, slice)`.
    #[must_use]
    pub fn world_mm(&self, voxel: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|row| {
            self.matrix[row][3] + (0..3).map(|axis| self.matrix[row][axis] * voxel[axis]).sum::<f64>()
        })
    }

    /// The map from patient space back to voxels, `(column, row, slice, 1) = inverse · world_mm`; none when this one
    /// flattens space.
    ///
    /// ```
    /// let affine = kd_image::Affine { matrix: [[0.0, -2.0, 0.0, 9.0], [1.0, 0.0, 0.0, 8.0], [0.0, 0.0, 4.0, 7.0], [0.0, 0.0, 0.0, 1.0]] };
    /// assert_eq!(affine.inverse().unwrap().world_mm(affine.world_mm([3.0, 5.0, 2.0])), [3.0, 5.0, 2.0]);
    /// ```
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let scale = self.determinant().recip();
        if !scale.is_finite() {
            return None;
        }
        let m = &self.matrix;
        let mut matrix = [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        for (row, entries) in matrix.iter_mut().take(3).enumerate() {
            for (column, entry) in entries.iter_mut().take(3).enumerate() {
                // The cofactor of the transposed place; going round in threes gives it its sign.
                let (a, b) = ((column + 1) % 3, (column + 2) % 3);
                let (c, d) = ((row + 1) % 3, (row + 2) % 3);
                *entry = (m[a][c] * m[b][d] - m[a][d] * m[b][c]) * scale;
            }
            entries[3] = -(0..3).map(|axis| entries[axis] * m[axis][3]).sum::<f64>();
        }
        Some(Self { matrix })
    }

    /// As [`Geometry::orientation`].
    pub(crate) fn orientation(&self) -> Orientation {
        const LETTERS: [[char; 2]; 3] = [['R', 'L'], ['A', 'P'], ['S', 'I']];
        const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let steps = self.step_mm();
        let along = |order: &[usize; 3]| -> f64 {
            order.iter().enumerate().map(|(axis, &row)| self.matrix[row][axis].abs() / steps[axis]).sum()
        };
        // A tie up to rounding goes to the first order, so that a grid at 45° is not turned to and fro.
        let first = ORDERS[0];
        let best = ORDERS
            .into_iter()
            .fold(first, |best, order| if along(&order) > along(&best) + 1e-9 { order } else { best });
        Orientation(std::array::from_fn(|axis| LETTERS[best[axis]][usize::from(self.matrix[best[axis]][axis] < 0.0)]))
    }

    fn determinant(&self) -> f64 {
        let m = &self.matrix;
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    }
}

/// Which patient direction each of `(column, row, slice)` points to, as three letters such as `RAS` or `LPI`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation([char; 3]);

impl Orientation {
    /// Columns to the right, rows to the front, slices to the head: NIfTI's canonical order.
    pub const RAS: Self = Self(['R', 'A', 'S']);
    /// Columns to the left, rows to the back, slices to the head: axial slices as DICOM stores them.
    pub const LPS: Self = Self(['L', 'P', 'S']);

    /// For each of `(column, row, slice)`: which of the patient axes x, y, z it follows, and whether against it.
    pub(crate) fn axes(self) -> [(usize, bool); 3] {
        self.0.map(|letter| match letter {
            'R' => (0, false),
            'L' => (0, true),
            'A' => (1, false),
            'P' => (1, true),
            'S' => (2, false),
            _ => (2, true),
        })
    }
}

impl std::str::FromStr for Orientation {
    type Err = GeometryError;

    /// Reads three letters, one of each pair R/L, A/P, S/I.
    ///
    /// ```
    /// let text = "PIR".parse::<kd_image::Orientation>()?.to_string();
    /// assert_eq!(text, "PIR");
    /// assert!("RLS".parse::<kd_image::Orientation>().is_err());
    /// # Ok::<(), kd_image::GeometryError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, GeometryError> {
        let letters: Vec<char> = text.chars().collect();
        let each_once =
            ["RL", "AP", "SI"].iter().all(|pair| letters.iter().filter(|l| pair.contains(**l)).count() == 1);
        match letters[..] {
            [a, b, c] if each_once => Ok(Self([a, b, c])),
            _ => Err(GeometryError::Orientation { found: text.into() }),
        }
    }
}

impl std::fmt::Display for Orientation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{letter}"))
    }
}

/// A grid of `D` axes, slowest first (`[depth, height, width]` or `[height, width]`).
///
/// Spacing is optional, because a PNG has none; an unknown spacing is `None` and never a stand-in number.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry<const D: usize> {
    shape: [usize; D],
    spacing_mm: Option<[f64; D]>,
    affine: Option<Affine>,
}

impl<const D: usize> Geometry<D> {
    /// A grid whose spacing nobody knows.
    ///
    /// # Errors
    /// [`GeometryError::EmptyAxis`] and [`GeometryError::TooLarge`].
    pub fn without_spacing(shape: [usize; D]) -> Result<Self, GeometryError> {
        if let Some(axis) = shape.iter().position(|&points| points == 0) {
            return Err(GeometryError::EmptyAxis { axis, shape: shape.to_vec() });
        }
        if shape.iter().try_fold(1usize, |points, &axis| points.checked_mul(axis)).is_none() {
            return Err(GeometryError::TooLarge { shape: shape.to_vec() });
        }
        Ok(Self { shape, spacing_mm: None, affine: None })
    }

    /// A grid with known spacing, slowest axis first.
    ///
    /// # Errors
    /// As [`without_spacing`](Self::without_spacing), and [`GeometryError::Spacing`] for a spacing that is not finite
    /// and above 0.
    pub fn with_spacing(shape: [usize; D], spacing_mm: [f64; D]) -> Result<Self, GeometryError> {
        if let Some(axis) = spacing_mm.iter().position(|&mm| !(mm.is_finite() && mm > 0.0)) {
            return Err(GeometryError::Spacing { axis, found: spacing_mm[axis] });
        }
        Ok(Self { spacing_mm: Some(spacing_mm), ..Self::without_spacing(shape)? })
    }

    /// Another shape and place of the same kind: known spacing stays known, an affine is replaced by the one given.
    pub(crate) fn with_parts(
        shape: [usize; D],
        spacing_mm: Option<[f64; D]>,
        affine: Option<Affine>,
    ) -> Result<Self, GeometryError> {
        let grid = match spacing_mm {
            Some(spacing_mm) => Self::with_spacing(shape, spacing_mm)?,
            None => Self::without_spacing(shape)?,
        };
        Ok(Self { affine, ..grid })
    }

    /// Points along each axis, slowest first.
    #[must_use]
    pub fn shape(&self) -> [usize; D] {
        self.shape
    }

    /// Points in all.
    #[must_use]
    pub fn n_points(&self) -> usize {
        self.shape.iter().product()
    }

    /// Distance of neighbouring points, slowest axis first, if known.
    #[must_use]
    pub fn spacing_mm(&self) -> Option<[f64; D]> {
        self.spacing_mm
    }

    /// The map to patient space, if known.
    #[must_use]
    pub fn affine(&self) -> Option<&Affine> {
        self.affine.as_ref()
    }

    /// The patient direction that each axis of `(column, row, slice)` runs to, if the grid is placed.
    ///
    /// # Policy
    /// Each axis of the grid takes one patient axis; of the six ways to share them out, the one whose axes are most
    /// parallel (the largest sum of absolute cosines), so the answer does not hang on the order of the axes.
    #[must_use]
    pub fn orientation(&self) -> Option<Orientation> {
        self.affine.as_ref().map(Affine::orientation)
    }

    /// Whether two grids are the same: equal shapes, and spacings and affines that differ by at most `tolerance_mm` in
    /// every entry. A known spacing and an unknown one are not the same.
    #[must_use]
    pub fn same_grid(&self, other: &Self, tolerance_mm: f64) -> bool {
        let close = |a: f64, b: f64| (a - b).abs() <= tolerance_mm;
        let spacing = match (self.spacing_mm, other.spacing_mm) {
            (Some(a), Some(b)) => a.iter().zip(&b).all(|(&a, &b)| close(a, b)),
            (None, None) => true,
            _ => false,
        };
        let affine = match (&self.affine, &other.affine) {
            (Some(a), Some(b)) => a.matrix.iter().flatten().zip(b.matrix.iter().flatten()).all(|(&a, &b)| close(a, b)),
            (None, None) => true,
            _ => false,
        };
        self.shape == other.shape && spacing && affine
    }
}

impl Geometry<3> {
    /// A volume placed in patient space; the spacing follows from the affine.
    ///
    /// # Errors
    /// As [`without_spacing`](Geometry::without_spacing), and [`GeometryError::Affine`] for an entry that is not
    /// finite, a last row other than `0 0 0 1`, or a matrix that flattens space.
    ///
    /// # Example
    /// ```
    /// use kd_image::{Affine, Geometry};
    /// let affine = Affine { matrix: [[-0.5, 0.0, 0.0, 0.0], [0.0, -0.5, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]] };
    /// let grid = Geometry::<3>::placed([10, 64, 48], affine)?;
    /// assert_eq!(grid.spacing_mm(), Some([2.0, 0.5, 0.5]));
    /// assert_eq!(grid.orientation().unwrap().to_string(), "LPS");
    /// # Ok::<(), kd_image::GeometryError>(())
    /// ```
    pub fn placed(shape: [usize; 3], affine: Affine) -> Result<Self, GeometryError> {
        let refuse = |reason: String| Err(GeometryError::Affine { reason });
        if affine.matrix.iter().flatten().any(|value| !value.is_finite()) {
            return refuse("holds a value that is not finite".into());
        }
        if affine.matrix[3].iter().zip([0.0, 0.0, 0.0, 1.0]).any(|(found, expected)| (found - expected).abs() > 1e-6) {
            return refuse(format!("has last row {:?}, expected 0 0 0 1", affine.matrix[3]));
        }
        let [column, row, slice] = affine.step_mm();
        if affine.determinant().abs() <= 1e-9 * column * row * slice || column * row * slice <= 0.0 {
            return refuse("maps different voxels to one place, expected three independent axes".into());
        }
        Ok(Self { affine: Some(affine), ..Self::with_spacing(shape, [slice, row, column])? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn affine(columns: [[f64; 3]; 3]) -> Affine {
        let mut matrix = [[0.0; 4]; 4];
        for (axis, column) in columns.iter().enumerate() {
            for row in 0..3 {
                matrix[row][axis] = column[row];
            }
        }
        matrix[3][3] = 1.0;
        Affine { matrix }
    }

    #[test]
    fn an_empty_axis_is_refused() {
        assert_eq!(
            Geometry::<2>::without_spacing([3, 0]),
            Err(GeometryError::EmptyAxis { axis: 1, shape: vec![3, 0] })
        );
    }

    #[test]
    fn a_spacing_of_zero_or_nan_is_refused() {
        assert!(Geometry::<2>::with_spacing([2, 2], [1.0, 0.0]).is_err());
        assert!(Geometry::<2>::with_spacing([2, 2], [f64::NAN, 1.0]).is_err());
    }

    #[test]
    fn an_affine_that_flattens_space_is_refused() {
        let flat = affine([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        assert!(matches!(Geometry::<3>::placed([2, 2, 2], flat), Err(GeometryError::Affine { .. })));
    }

    #[test]
    fn sagittal_slices_have_their_own_letters() {
        // Columns run to the back, rows to the feet, slices to the right.
        let sagittal = affine([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.5, 0.0, 0.0]]);
        let grid = Geometry::<3>::placed([4, 3, 2], sagittal).unwrap();
        assert_eq!(grid.orientation().unwrap().to_string(), "PIR");
        assert_eq!(grid.spacing_mm(), Some([1.5, 1.0, 1.0]));
    }

    #[test]
    fn a_known_spacing_differs_from_an_unknown_one() {
        let known = Geometry::<2>::with_spacing([2, 2], [1.0, 1.0]).unwrap();
        assert!(!known.same_grid(&Geometry::without_spacing([2, 2]).unwrap(), 1e-3));
        assert!(known.same_grid(&known, 0.0));
    }

    proptest! {
        #[test]
        fn letters_name_every_patient_axis_once(values in proptest::array::uniform9(-3.0f64..3.0)) {
            let [a, b, c, d, e, f, g, h, i] = values;
            if let Ok(grid) = Geometry::<3>::placed([2, 2, 2], affine([[a, b, c], [d, e, f], [g, h, i]])) {
                let text = grid.orientation().unwrap().to_string();
                for pair in ["RL", "AP", "SI"] {
                    prop_assert_eq!(text.chars().filter(|&letter| pair.contains(letter)).count(), 1);
                }
            }
        }
    }
}
