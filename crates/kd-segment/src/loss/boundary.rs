//! The boundary loss: probability that stands far from where it should costs by its distance.

use burn::tensor::Tensor;
use kd_core::loss::mean_over_valid;
use kd_metrics::{Grid, Undefined, distance_transform_mm};

/// Computes the mean over valid points and foreground classes of `φ p`, φ the signed distance to the class's true border.
///
/// # Shapes
/// `probabilities` `[batch, class, …spatial]`, the background first; with one channel that channel is the foreground.
/// `distances` `[batch, foreground class, …spatial]` of [`signed_distances`]. `mask` `[batch, 1, …spatial]`. To `[1]`.
///
/// # Policy
/// In the unit of the distances: mm where the grid has a spacing, else steps. It has no lower end at 0: an answer that
/// fills the truth is negative. Alone it can be content with an empty answer, so it stands beside an overlap loss.
/// Nothing valid gives 0 with gradient 0.
///
/// # Panics
/// When shapes do not fit.
///
/// # Source
/// Kervadec et al. 2019, arXiv 1812.07032, equation 5.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_metrics::Grid;
/// use kd_segment::loss::{boundary, signed_distances};
/// let distances = signed_distances(&Grid::plane([1, 4], [1.0, 2.0])?, &[false, true, false, false])?;
/// assert_eq!(distances, [2.0, -2.0, 2.0, 4.0]);
/// let device = Device::flex();
/// let distances = Tensor::<1>::from_floats(distances.as_slice(), &device).reshape([1, 1, 1, 4]);
/// let probabilities = Tensor::<1>::from_floats([0.5, 1.0, 0.0, 0.25], &device).reshape([1, 1, 1, 4]);
/// // (2 · .5 − 2 · 1 + 4 · .25) / 4
/// assert_eq!(boundary(probabilities, distances, None).into_scalar::<f32>(), 0.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn boundary<const R: usize>(probabilities: Tensor<R>, distances: Tensor<R>, mask: Option<Tensor<R>>) -> Tensor<1> {
    let classes = probabilities.dims()[1];
    let first = usize::from(classes > 1);
    let foreground = probabilities.narrow(1, first, classes - first);
    let (dims, found) = (foreground.dims(), distances.dims());
    assert_eq!(dims, found, "boundary: foreground {dims:?} and distances {found:?} differ");
    let distances = distances.inner().cast(foreground.dtype());
    let loss = foreground * distances;
    let mask = mask.map(|mask| mask.inner().cast(loss.dtype()));
    mean_over_valid(loss.sum_dim(1).mul_scalar(1.0 / dims[1] as f64), mask)
}

/// The signed distance of every point to the border of a mask: to the nearest point of the mask outside of it, minus that
/// to the nearest point beside the mask inside of it.
///
/// # Policy
/// So the last points on both sides of a border lie one step from it, positive and negative. A mask without points, or one
/// that fills the grid, has no border: 0 everywhere.
///
/// # Errors
/// Another length than the grid has points.
///
/// # Deviations
/// The authors' program has 0 instead of one negative step at the mask's outermost points.
pub fn signed_distances(grid: &Grid, mask: &[bool]) -> Result<Vec<f32>, Undefined> {
    if !mask.contains(&true) || !mask.contains(&false) {
        return Ok(vec![0.0; mask.len()]);
    }
    let outside = distance_transform_mm(grid, mask)?;
    let others: Vec<bool> = mask.iter().map(|set| !set).collect();
    let inside = distance_transform_mm(grid, &others)?;
    Ok(outside.iter().zip(inside).map(|(outside, inside)| (outside - inside) as f32).collect())
}
