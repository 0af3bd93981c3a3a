//! Cropping and padding in one: a window over a grid, and the window back.
//!
//! A patch for a network, the bounding box of an organ and a border of air are the same thing: a box of points that may
//! reach beyond the source. The place in the patient moves with it, so what is found in the box can be put back.

use crate::grid::{SAME_MM, moved};
use crate::{Geometry, GeometryError, GridMismatch, Image, ImageError, LabelError, LabelMap};

/// Why a window was not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WindowError {
    /// A box that starts too far away to be counted.
    #[error("window starts at point {found} of axis {axis}, expected -2^40 to 2^40")]
    Start {
        /// The axis, slowest first.
        axis: usize,
        /// The start given.
        found: i64,
    },
    /// Another number of values than the grid has points.
    #[error("{found} values given, expected {expected} for a grid of {grid}")]
    Values {
        /// The grid.
        grid: String,
        /// Its points.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// Values on another grid than the one that the window was made for.
    #[error(transparent)]
    Grid(#[from] GridMismatch),
    /// A box without points, or with too many.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The values make no image: the filling is not finite.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The labels make no map: the filling is no class.
    #[error(transparent)]
    Labels(#[from] LabelError),
}

const FURTHEST: i64 = 1 << 40;

/// A box of points of a grid, slowest axis first; it may reach beyond.
///
/// # Example
/// ```
/// use kd_image::{Geometry, Image, Intensity, Window};
/// let grid = Geometry::<2>::with_spacing([1, 4], [1.0, 1.0])?;
/// let image = Image::new(1, grid, Intensity::Unit, vec![0.1, 0.2, 0.3, 0.4])?;
/// let window = Window::new(image.geometry(), [0, 2], [1, 3])?;
/// let part = window.image(&image, 0.0)?;
/// assert_eq!(part.values(), [0.3, 0.4, 0.0]);
/// assert_eq!(window.inverse().image(&part, 0.9)?.values(), [0.9, 0.9, 0.3, 0.4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Window<const D: usize> {
    source: Geometry<D>,
    target: Geometry<D>,
    start: [i64; D],
}

impl<const D: usize> Window<D> {
    /// The box of `shape` whose first point is point `start` of `source`; below 0 it begins before it.
    ///
    /// # Errors
    /// [`WindowError::Start`] beyond 2^40 points away, [`WindowError::Geometry`] for a shape that is none.
    pub fn new(source: &Geometry<D>, start: [i64; D], shape: [usize; D]) -> Result<Self, WindowError> {
        if let Some(axis) = start.iter().position(|at| !(-FURTHEST..=FURTHEST).contains(at)) {
            return Err(WindowError::Start { axis, found: start[axis] });
        }
        #[allow(clippy::cast_precision_loss)] // below 2^53
        let first = start.map(|at| at as f64);
        let affine = source.affine().map(|affine| moved(affine, &first, &[1.0; D]));
        let target = Geometry::with_parts(shape, source.spacing_mm(), affine)?;
        Ok(Self { source: source.clone(), target, start })
    }

    /// The box of `shape` around the middle of `source`; where it cannot be in the middle it lies half a point before
    /// it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn centered(source: &Geometry<D>, shape: [usize; D]) -> Result<Self, WindowError> {
        let signed = |points: usize| i64::try_from(points).unwrap_or(i64::MAX);
        let from = source.shape();
        let start = std::array::from_fn(|axis| (signed(from[axis]) - signed(shape[axis])).div_euclid(2));
        Self::new(source, start, shape)
    }

    /// The smallest box that holds every point for which `is_inside`, grown by `margin` points an axis, also beyond the
    /// grid; none where no point is inside. `values` lie on the grid, last axis fastest.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`WindowError::Values`] for another number of values.
    pub fn around<T>(
        source: &Geometry<D>,
        values: &[T],
        is_inside: impl Fn(&T) -> bool,
        margin: [usize; D],
    ) -> Result<Option<Self>, WindowError> {
        if values.len() != source.n_points() {
            let (expected, found) = (source.n_points(), values.len());
            return Err(WindowError::Values { grid: source.to_string(), expected, found });
        }
        let shape = source.shape();
        let (mut low, mut high) = (shape, [0; D]);
        let columns = shape[D - 1];
        for (row, values) in values.chunks_exact(columns).enumerate() {
            let Some(first) = values.iter().position(&is_inside) else { continue };
            let last = values.iter().rposition(&is_inside).unwrap_or(first);
            let mut rest = row;
            for axis in (0..D - 1).rev() {
                let at = rest % shape[axis];
                rest /= shape[axis];
                (low[axis], high[axis]) = (low[axis].min(at), high[axis].max(at + 1));
            }
            (low[D - 1], high[D - 1]) = (low[D - 1].min(first), high[D - 1].max(last + 1));
        }
        if high[0] == 0 {
            return Ok(None);
        }
        let signed = |points: usize| i64::try_from(points).unwrap_or(i64::MAX);
        let start = std::array::from_fn(|axis| signed(low[axis]).saturating_sub(signed(margin[axis])));
        let grown = |axis: usize| margin[axis].saturating_mul(2).saturating_add(high[axis] - low[axis]);
        Self::new(source, start, std::array::from_fn(grown)).map(Some)
    }

    /// The window from the box back to the source; points outside of the box are lost, and filled on the way back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { source: self.target.clone(), target: self.source.clone(), start: self.start.map(|at| -at) }
    }

    /// The grid of the box.
    #[must_use]
    pub fn grid(&self) -> &Geometry<D> {
        &self.target
    }

    /// First point of the box, counted in the source.
    #[must_use]
    pub fn start(&self) -> [i64; D] {
        self.start
    }

    /// The values in the box; points beyond the source become `filling`.
    ///
    /// # Errors
    /// [`WindowError::Grid`] for an image on another grid, [`WindowError::Image`] for a filling that is not finite and
    /// is needed.
    pub fn image(&self, image: &Image<D>, filling: f32) -> Result<Image<D>, WindowError> {
        self.check(image.geometry())?;
        let channels = image.channels();
        let values = (0..channels).flat_map(|channel| self.take(image.channel(channel), filling)).collect();
        Ok(Image::new(channels, self.target.clone(), image.intensity(), values)?)
    }

    /// The labels in the box; points beyond the source become `filling`.
    ///
    /// # Errors
    /// As [`image`](Self::image); [`WindowError::Labels`] for a filling that is no class and is needed.
    pub fn labels(&self, labels: &LabelMap<D>, filling: u16) -> Result<LabelMap<D>, WindowError> {
        self.check(labels.geometry())?;
        Ok(LabelMap::new(self.target.clone(), self.take(labels.labels(), filling), labels.n_classes())?)
    }

    fn check(&self, grid: &Geometry<D>) -> Result<(), WindowError> {
        Ok(grid.check_same_grid(&self.source, SAME_MM, "image to cut")?)
    }

    fn take<T: Copy>(&self, values: &[T], filling: T) -> Vec<T> {
        let (from, to) = (self.source.shape(), self.target.shape());
        let mut taken = vec![filling; self.target.n_points()];
        // Points of the box along each axis that lie in the source.
        let signed = |points: usize| i64::try_from(points).unwrap_or(i64::MAX);
        let inside: [std::ops::Range<usize>; D] = std::array::from_fn(|axis| {
            let limit = |at: i64| usize::try_from(at.clamp(0, signed(to[axis]))).unwrap_or(0);
            limit(-self.start[axis])..limit(signed(from[axis]) - self.start[axis])
        });
        if inside.iter().any(std::ops::Range::is_empty) {
            return taken;
        }
        let source_of = |axis: usize, n: usize| usize::try_from(signed(n) + self.start[axis]).unwrap_or(0);
        let length = inside[D - 1].len();
        // Every row of the box that lies in the source, counted through all axes but the last.
        let mut at: [usize; D] = std::array::from_fn(|axis| inside[axis].start);
        loop {
            let (mut target, mut source) = (0, 0);
            for axis in 0..D {
                target = target * to[axis] + at[axis];
                source = source * from[axis] + source_of(axis, at[axis]);
            }
            taken[target..target + length].copy_from_slice(&values[source..source + length]);
            let Some(axis) = (0..D - 1).rev().find(|&axis| at[axis] + 1 < inside[axis].end) else { return taken };
            at[axis] += 1;
            (axis + 1..D).for_each(|later| at[later] = inside[later].start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, Intensity};
    use proptest::prelude::*;

    fn numbered(shape: [usize; 3]) -> Image<3> {
        let matrix = [[0.0, -2.0, 0.0, 9.0], [0.5, 0.0, 0.1, 8.0], [0.0, 0.0, 3.0, 7.0], [0.0, 0.0, 0.0, 1.0]];
        let grid = Geometry::<3>::placed(shape, Affine { matrix }).unwrap();
        let values = (0..grid.n_points()).map(|n| n as f32 + 1.0).collect();
        Image::new(1, grid, Intensity::Arbitrary, values).unwrap()
    }

    #[test]
    fn the_box_of_a_lesion_holds_it_and_its_margin() {
        let grid = Geometry::<3>::without_spacing([4, 5, 6]).unwrap();
        let mut labels = vec![0u16; 120];
        labels[2 * 30 + 6 + 4] = 1;
        labels[2 * 30 + 3 * 6 + 2] = 2;
        let window = Window::around(&grid, &labels, |&label| label > 0, [1, 0, 2]).unwrap().unwrap();
        assert_eq!((window.start(), window.grid().shape()), ([1, 1, 0], [3, 3, 7]));
        assert_eq!(Window::around(&grid, &labels, |&label| label > 2, [0; 3]).unwrap(), None);
        assert!(Window::around(&grid, &labels[1..], |&label| label > 0, [0; 3]).is_err());
    }

    #[test]
    fn a_box_beside_the_source_is_all_filling() {
        let image = numbered([2, 3, 4]);
        for start in [[0, 0, 9], [-5, 0, 0], [0, 3, 0]] {
            let part = Window::new(image.geometry(), start, [2, 2, 2]).unwrap().image(&image, -1.0).unwrap();
            assert_eq!(part.values(), [-1.0; 8]);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let image = numbered([2, 3, 4]);
        assert!(matches!(Window::new(image.geometry(), [0, i64::MIN, 0], [1; 3]), Err(WindowError::Start { .. })));
        assert!(Window::new(image.geometry(), [0; 3], [1, 0, 1]).is_err());
        let window = Window::new(image.geometry(), [-1, 0, 0], [2, 3, 4]).unwrap();
        assert!(matches!(window.image(&numbered([3, 3, 4]), 0.0), Err(WindowError::Grid(_))));
        assert!(matches!(window.image(&image, f32::NAN), Err(WindowError::Image(_))));
        let labels = LabelMap::new(image.geometry().clone(), vec![1; 24], 2).unwrap();
        assert!(matches!(window.labels(&labels, 2), Err(WindowError::Labels(_))));
    }

    #[test]
    fn the_middle_of_an_odd_rest_lies_half_a_point_before() {
        let image = numbered([5, 5, 5]);
        assert_eq!(Window::centered(image.geometry(), [2, 3, 8]).unwrap().start(), [1, 1, -2]);
    }

    proptest! {
        #[test]
        fn a_value_keeps_its_place_in_the_patient_and_comes_back(
            shape in proptest::array::uniform3(1usize..6),
            start in proptest::array::uniform3(-6i64..7),
            size in proptest::array::uniform3(1usize..8),
        ) {
            let image = numbered(shape);
            let window = Window::new(image.geometry(), start, size).unwrap();
            let part = window.image(&image, 0.0).unwrap();
            let back = image.geometry().affine().unwrap().inverse().unwrap();
            for (n, value) in part.values().iter().enumerate() {
                let voxel = [n % size[2], n / size[2] % size[1], n / (size[1] * size[2])].map(|v| v as f64);
                let source = back.world_mm(part.geometry().affine().unwrap().world_mm(voxel)).map(f64::round);
                let inside = (0..3).all(|axis| (0.0..shape[2 - axis] as f64).contains(&source[axis]));
                let index = (source[2] * shape[1] as f64 + source[1]) * shape[2] as f64 + source[0];
                let expected = if inside { image.values()[index as usize] } else { 0.0 };
                prop_assert_eq!(value.to_bits(), expected.to_bits());
            }
            let returned = window.inverse().image(&part, 0.0).unwrap();
            prop_assert!(returned.geometry().check_same_grid(image.geometry(), 1e-9, "grid").is_ok());
            for (found, expected) in returned.values().iter().zip(image.values()) {
                let kept = part.values().contains(expected);
                prop_assert_eq!(found.to_bits(), if kept { expected.to_bits() } else { 0 });
            }
        }
    }
}
