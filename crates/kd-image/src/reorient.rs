//! Turning the axes of a volume to another order without touching a value, and back.
//!
//! Scanners store sagittal, coronal and axial slices in their own order, and a network that learned one order sees
//! nonsense in another. Axes are permuted and reversed, never interpolated, so the way back gives every value and, up to
//! rounding, the grid that it came from.

use rayon::prelude::*;

use crate::grid::{SAME_MM, moved};
use crate::{Affine, Geometry, GeometryError, GridMismatch, Image, ImageError, LabelError, LabelMap, Orientation};

/// Why a volume was not turned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReorientError {
    /// A grid whose directions nobody knows.
    #[error(
        "grid of {grid} has no place in the patient, expected an affine\nhint: the file's header sets no directions; convert the original images again"
    )]
    Unplaced {
        /// The grid.
        grid: String,
    },
    /// A volume on another grid than the one that the turn was made for.
    #[error(transparent)]
    Grid(#[from] GridMismatch),
    /// The turned grid is none.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The turned values make no image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The turned labels make no map.
    #[error(transparent)]
    Labels(#[from] LabelError),
}

/// A permutation and reversal of axes from one grid to another.
///
/// # Example
/// ```
/// use kd_image::{Affine, Geometry, Image, Intensity, Orientation, Reorientation};
/// // One row of two columns that runs to the left.
/// let affine = Affine { matrix: [[-1.0, 0.0, 0.0, 5.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]] };
/// let image = Image::new(1, Geometry::<3>::placed([1, 1, 2], affine)?, Intensity::Arbitrary, vec![7.0, 9.0])?;
/// let turn = Reorientation::new(image.geometry(), Orientation::RAS)?;
/// let canonical = turn.image(&image)?;
/// assert_eq!(canonical.values(), [9.0, 7.0]);
/// assert_eq!(canonical.geometry().affine().unwrap().world_mm([0.0; 3]), [4.0, 0.0, 0.0]);
/// assert_eq!(turn.inverse().image(&canonical)?, image);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Reorientation {
    source: Geometry<3>,
    target: Geometry<3>,
    turn: Turn,
}

impl Reorientation {
    /// The turn of `source` whose result has the orientation `wanted`.
    ///
    /// # Policy
    /// An oblique axis counts as the patient axis that [`Geometry::orientation`] names for it; the grid stays oblique.
    ///
    /// # Errors
    /// [`ReorientError::Unplaced`] for a grid without an affine.
    pub fn new(source: &Geometry<3>, wanted: Orientation) -> Result<Self, ReorientError> {
        let (Some(affine), Some(found)) = (source.affine(), source.orientation()) else {
            return Err(ReorientError::Unplaced { grid: source.to_string() });
        };
        let (from, to) = (found.axes(), wanted.axes());
        let mut turn = Turn::NONE;
        for axis in 0..3 {
            // `axes` counts columns first, `Turn` slices first.
            let (patient, backward) = to[2 - axis];
            let column = from.iter().position(|&(other, _)| other == patient).unwrap_or(2 - axis);
            turn.axes[axis] = 2 - column;
            turn.reversed[axis] = from[column].1 != backward;
        }
        let shape = turn.shape(source.shape());
        let spacing = source.spacing_mm().map(|mm| turn.axes.map(|axis| mm[axis]));
        let target = Geometry::with_parts(shape, spacing, Some(turn.affine(affine, source.shape())))?;
        Ok(Self { source: source.clone(), target, turn })
    }

    /// The turn back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { source: self.target.clone(), target: self.source.clone(), turn: self.turn.inverse() }
    }

    /// The grid of the result.
    #[must_use]
    pub fn grid(&self) -> &Geometry<3> {
        &self.target
    }

    /// Turns an image; the values are those of the source, elsewhere.
    ///
    /// # Errors
    /// [`ReorientError::Grid`] for an image on another grid than the one that the turn was made for.
    pub fn image(&self, image: &Image<3>) -> Result<Image<3>, ReorientError> {
        self.check(image.geometry())?;
        let channels = image.channels();
        let values = (0..channels).flat_map(|c| self.turn.apply(image.channel(c), self.source.shape())).collect();
        Ok(Image::new(channels, self.target.clone(), image.intensity(), values)?)
    }

    /// Turns a label map.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn labels(&self, labels: &LabelMap<3>) -> Result<LabelMap<3>, ReorientError> {
        self.check(labels.geometry())?;
        let values = self.turn.apply(labels.labels(), self.source.shape());
        Ok(LabelMap::new(self.target.clone(), values, labels.n_classes())?)
    }

    fn check(&self, grid: &Geometry<3>) -> Result<(), ReorientError> {
        Ok(grid.check_same_grid(&self.source, SAME_MM, "volume to turn")?)
    }
}

/// A permutation with reversals of the axes of an array, slowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Axis of the source that each axis of the result runs along.
    pub(crate) axes: [usize; 3],
    /// Whether it runs against it.
    pub(crate) reversed: [bool; 3],
}

impl Turn {
    /// Every axis where it was.
    pub(crate) const NONE: Self = Self { axes: [0, 1, 2], reversed: [false; 3] };

    pub(crate) fn shape(&self, shape: [usize; 3]) -> [usize; 3] {
        self.axes.map(|axis| shape[axis])
    }

    fn inverse(&self) -> Self {
        let place = |axis: usize| self.axes.iter().position(|&other| other == axis).unwrap_or(axis);
        let axes = std::array::from_fn(place);
        Self { axes, reversed: axes.map(|axis| self.reversed[axis]) }
    }

    fn affine(&self, affine: &Affine, shape: [usize; 3]) -> Affine {
        let mut first = [0.0; 3];
        let mut scale = [1.0; 3];
        for axis in 0..3 {
            let from = self.axes[axis];
            if self.reversed[axis] {
                (first[from], scale[from]) = ((shape[from] - 1) as f64, -1.0);
            }
        }
        let reversed = moved(affine, &first, &scale);
        let mut matrix = reversed.matrix;
        for (row, entries) in matrix.iter_mut().take(3).enumerate() {
            (0..3).for_each(|axis| entries[2 - axis] = reversed.matrix[row][2 - self.axes[axis]]);
        }
        Affine { matrix }
    }

    /// The turned array.
    pub(crate) fn apply<T: Copy + Send + Sync>(&self, values: &[T], shape: [usize; 3]) -> Vec<T> {
        if *self == Self::NONE {
            return values.to_vec();
        }
        let strides = [shape[1] * shape[2], shape[2], 1];
        let [slices, rows, columns] = self.shape(shape);
        // Where output point `n` of an axis reads from, as an offset that the three axes add up.
        let offsets = [0, 1, 2].map(|axis| {
            let (from, points) = (self.axes[axis], shape[self.axes[axis]]);
            let place = |n: usize| if self.reversed[axis] { points - 1 - n } else { n };
            (0..points).map(|n| place(n) * strides[from]).collect::<Vec<usize>>()
        });
        let is_copy = self.axes[2] == 2 && !self.reversed[2];
        let mut turned = vec![values[0]; values.len()];
        turned.par_chunks_mut(rows * columns).zip(&offsets[0]).for_each(|(slice, from_slice)| {
            for (row, from_row) in slice.chunks_mut(columns).zip(&offsets[1]) {
                let start = from_slice + from_row;
                if is_copy {
                    row.copy_from_slice(&values[start..start + columns]);
                } else {
                    row.iter_mut().zip(&offsets[2]).for_each(|(value, from)| *value = values[start + from]);
                }
            }
        });
        debug_assert_eq!(offsets[0].len(), slices);
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Intensity;
    use proptest::prelude::*;

    fn orientation() -> impl Strategy<Value = Orientation> {
        let order = Just(vec![0usize, 1, 2]).prop_shuffle();
        (order, proptest::array::uniform3(any::<bool>())).prop_map(|(order, backward)| {
            let letters = |axis: usize| ["RL", "AP", "SI"][axis].as_bytes()[usize::from(backward[axis])] as char;
            order.into_iter().map(letters).collect::<String>().parse().unwrap()
        })
    }

    fn volume(shape: [usize; 3], matrix: [f64; 12]) -> Option<Image<3>> {
        let m = |row: usize| std::array::from_fn(|n| matrix[4 * row + n]);
        let affine = Affine { matrix: [m(0), m(1), m(2), [0.0, 0.0, 0.0, 1.0]] };
        let grid = Geometry::<3>::placed(shape, affine).ok()?;
        let values = (0..2 * grid.n_points()).map(|n| n as f32).collect();
        Some(Image::new(2, grid, Intensity::Arbitrary, values).unwrap())
    }

    #[test]
    fn an_unplaced_grid_is_refused() {
        let grid = Geometry::<3>::with_spacing([2, 3, 4], [1.0; 3]).unwrap();
        let text = Reorientation::new(&grid, Orientation::RAS).unwrap_err().to_string();
        assert!(text.contains("2 × 3 × 4 points") && text.contains("\nhint: "), "{text}");
    }

    #[test]
    fn another_volume_than_the_turns_own_is_refused() {
        let one = volume([2, 3, 4], [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]).unwrap();
        let other = volume([4, 3, 2], [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]).unwrap();
        let turn = Reorientation::new(one.geometry(), Orientation::LPS).unwrap();
        assert!(matches!(turn.image(&other), Err(ReorientError::Grid(_))));
    }

    proptest! {
        #[test]
        fn a_value_keeps_its_place_in_the_patient_and_comes_back(
            shape in proptest::array::uniform3(1usize..6),
            matrix in proptest::array::uniform12(-3.0f64..3.0),
            wanted in orientation(),
        ) {
            let Some(image) = volume(shape, matrix) else { return Ok(()) };
            let turn = Reorientation::new(image.geometry(), wanted).unwrap();
            let turned = turn.image(&image).unwrap();
            prop_assert_eq!(turned.geometry().orientation(), Some(wanted));
            let affine = turned.geometry().affine().unwrap();
            for (axis, mm) in turned.geometry().spacing_mm().unwrap().iter().enumerate() {
                prop_assert!((affine.step_mm()[2 - axis] - mm).abs() < 1e-9);
            }
            let [_, rows, columns] = turned.geometry().shape();
            let back = image.geometry().affine().unwrap().inverse().unwrap();
            for (n, value) in turned.channel(1).iter().enumerate() {
                let voxel = [n % columns, n / columns % rows, n / (rows * columns)].map(|v| v as f64);
                let source = back.world_mm(affine.world_mm(voxel)).map(|v| v.round() as usize);
                let index = (source[2] * shape[1] + source[1]) * shape[2] + source[0];
                prop_assert_eq!(value.to_bits(), image.channel(1)[index].to_bits());
            }
            prop_assert_eq!(turn.inverse().image(&turned).unwrap(), image);
        }
    }
}
