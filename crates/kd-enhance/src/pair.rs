//! What makes an input and a true image a pair: one field of view, and a truth as fine as the input or a whole factor
//! finer.

use kd_image::{Geometry, GridMismatch, Image};

/// How far two grids may lie apart and still be one.
pub(crate) const SAME_GRID_MM: f64 = 1e-3;

/// Why two images are no pair.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PairError {
    /// More than grey.
    #[error("has {found} channels, expected 1 (grey)")]
    Channels {
        /// Channels of the input or the truth.
        found: usize,
    },
    /// Sizes that do not belong together.
    #[error(
        "has a true image of {} × {} points beside an input of {} × {}, expected {factor} times as many along each axis",
        truth[0], truth[1], input[0], input[1]
    )]
    Shape {
        /// Points of the input.
        input: [usize; 2],
        /// Points of the truth.
        truth: [usize; 2],
        /// How many times finer the truth has to be.
        factor: usize,
    },
    /// Spacings or places that do not belong together.
    #[error(transparent)]
    Grid(#[from] GridMismatch),
}

/// Checks that `truth` is what `input` could be restored to.
///
/// # Errors
/// [`PairError`] for colour, for another number of points than `factor` times the input's along each axis, and, where both
/// are known, for another spacing or place than a grid over the same field of view has.
///
/// # Example
/// ```
/// use kd_enhance::check_pair;
/// use kd_image::{Geometry, Image, Intensity};
/// let image = |shape: [usize; 2], mm: f64| {
///     let grid = Geometry::with_spacing(shape, [mm, mm]).expect("a length");
///     Image::new(1, grid, Intensity::Unit, vec![0.5; shape[0] * shape[1]]).expect("finite")
/// };
/// assert!(check_pair(&image([4, 6], 2.0), &image([8, 12], 1.0), 2).is_ok());
/// let text = check_pair(&image([4, 6], 2.0), &image([8, 12], 2.0), 2).unwrap_err().to_string();
/// assert!(text.starts_with("true image lies on another grid: expected 8 × 12 points of 1 × 1 mm"), "{text}");
/// ```
pub fn check_pair(input: &Image<2>, truth: &Image<2>, factor: usize) -> Result<(), PairError> {
    for image in [input, truth] {
        if image.channels() != 1 {
            return Err(PairError::Channels { found: image.channels() });
        }
    }
    let (from, to) = (input.geometry().shape(), truth.geometry().shape());
    match finer(input.geometry(), factor) {
        Some(expected) if expected.shape() == to => {
            Ok(truth.geometry().check_same_grid(&expected, SAME_GRID_MM, "true image")?)
        }
        _ => Err(PairError::Shape { input: from, truth: to, factor }),
    }
}

/// The grid of `factor` times as many points along each axis over the same field of view.
pub(crate) fn finer(grid: &Geometry<2>, factor: usize) -> Option<Geometry<2>> {
    let [rows, columns] = grid.shape();
    grid.with_shape([rows.checked_mul(factor)?, columns.checked_mul(factor)?]).ok()
}
