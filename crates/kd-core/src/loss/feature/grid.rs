//! Brings masks and labels of an image to the grid of a tap, which is coarser.
//!
//! Taking the nearest pixel loses a lesion that is smaller than the stride; areas do not.

use burn::tensor::{Int, Tensor};

use crate::loss::{
    LossError,
    axes::{along, matrix},
    operands::{flatten, one_hot},
};

/// Averages a mask, or weights, over the area of each cell of a tap's grid.
///
/// A cell's value is the mean over the part of the image that it covers; a pixel on the border of two cells counts in
/// each by its share.
///
/// # Shapes
/// `mask` is `[batch, 1, …spatial]`; `grid` the spatial shape of the tap. An axis of length 1 stays 1 (one weight for the
/// whole image).
///
/// # Policy
/// Nothing is rounded: a cell of which a quarter is valid counts a quarter.
///
/// # Errors
/// [`LossError::Grid`] when the number of axes differs or the grid is finer than the mask.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::feature::mask_on_grid;
///
/// let mask = Tensor::<3>::from_data([[[1.0, 1.0, 0.0, 1.0, 0.0, 0.0]]], &Device::flex());
/// let halves = mask_on_grid(mask, &[2])?;
/// let found = halves.into_data().convert::<f32>().try_into_vec::<f32>().unwrap();
/// assert!((found[0] - 2.0 / 3.0).abs() < 1e-6 && (found[1] - 1.0 / 3.0).abs() < 1e-6);
/// # Ok::<(), kd_core::loss::LossError>(())
/// ```
pub fn mask_on_grid<const D: usize>(mask: Tensor<D>, grid: &[usize]) -> Result<Tensor<D>, LossError> {
    let dims = mask.dims();
    let mut target = dims;
    for (axis, cells) in check_grid(&dims, grid)?.into_iter().enumerate() {
        target[axis + 2] = cells;
    }
    let pixels = dims[2..].iter().product::<usize>();
    Ok(areas(flatten(mask.inner()), &dims[2..], &target[2..]).mul_scalar(1.0 / pixels as f64).reshape(target))
}

/// Gives each cell of a tap's grid one class: the largest foreground class where foreground covers enough of the cell.
///
/// A cell whose foreground (classes above 0 together) covers at least `least_share` of its labelled area takes the
/// foreground class of the largest area, of equal ones the first; any other cell takes 0, the background. A cell
/// without a labelled pixel takes −1, no label.
///
/// # Shapes
/// `labels` is `[batch, 1, …spatial]`, negative where there is none, below `classes` elsewhere; `grid` the spatial shape
/// of the tap.
///
/// # Policy
/// `least_share` is above 0 and at most 1: 0.5 is a majority; a small one keeps small lesions, and makes them look
/// larger.
///
/// # Errors
/// [`LossError::Grid`] as for [`mask_on_grid`]; [`LossError::Number`] for a `least_share` outside of its range.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::loss::feature::labels_on_grid;
///
/// let labels = || Tensor::<3, Int>::from_data([[[0, 0, 0, 2, -1, -1, 1, 1]]], &Device::flex());
/// let cells = |share| labels_on_grid(labels(), 3, &[2], share).unwrap().into_data().convert::<i32>();
/// assert_eq!(cells(0.5).try_into_vec::<i32>().unwrap(), [0, 1]); // a lesion of one pixel in four is lost
/// assert_eq!(cells(0.1).try_into_vec::<i32>().unwrap(), [2, 1]); // and kept
/// ```
pub fn labels_on_grid<const D: usize>(
    labels: Tensor<D, Int>,
    classes: usize,
    grid: &[usize],
    least_share: f64,
) -> Result<Tensor<D, Int>, LossError> {
    if !(least_share > 0.0 && least_share <= 1.0) {
        let (loss, what, expected) = ("labels on a grid", "least_share", "above 0 and at most 1");
        return Err(LossError::Number { loss, what, expected, found: least_share });
    }
    let dims = labels.dims();
    let cells = check_grid(&dims, grid)?;
    let labels = labels.inner();
    let positions = dims[2..].iter().product();
    let labelled = flatten(labels.clone().greater_equal_elem(0).float());
    let of_class = one_hot(labels.clamp_min(0).reshape([dims[0], 1, positions]), classes.max(2));
    let areas = areas(of_class.float().cast(labelled.dtype()) * labelled, &dims[2..], &cells);
    let foreground = areas.clone().narrow(1, 1, classes.max(2) - 1);
    let (all, of_foreground) = (areas.sum_dim(1), foreground.clone().sum_dim(1));
    // The share is rounded as a number; that must not decide against a cell that has exactly enough.
    let is_foreground = of_foreground.greater_equal(all.clone().mul_scalar(least_share * (1.0 - 1e-6)));
    let largest = foreground.argmax(1).add_scalar(1);
    let mut target = dims;
    target[2..].copy_from_slice(&cells);
    let chosen = largest.mask_fill(is_foreground.bool_not(), 0).mask_fill(all.equal_elem(0.0), -1);
    Ok(chosen.reshape(target))
}

/// The grid for these dimensions: axes of length 1 stay.
fn check_grid(dims: &[usize], grid: &[usize]) -> Result<Vec<usize>, LossError> {
    let spatial = &dims[2..];
    let fits = spatial.len() == grid.len()
        && spatial.iter().zip(grid).all(|(&pixels, &cells)| cells > 0 && (cells <= pixels || pixels == 1));
    if !fits {
        return Err(LossError::Grid { found: dims.to_vec(), grid: grid.to_vec() });
    }
    Ok(spatial.iter().zip(grid).map(|(&pixels, &cells)| cells.min(pixels)).collect())
}

/// Sums over cells of `[batch, channel, position]`, where a pixel that a cell covers whole counts its number of cells.
///
/// Whole numbers, so that equal areas are equal: a cell covers as many units as there are pixels.
fn areas(mut values: Tensor<3>, spatial: &[usize], grid: &[usize]) -> Tensor<3> {
    let device = values.device();
    let mut shape = spatial.to_vec();
    for (axis, (&pixels, &cells)) in spatial.iter().zip(grid).enumerate() {
        let shares = matrix([cells, pixels], (&device, values.dtype()), |cell, pixel| {
            let start = (cell * pixels).max(pixel * cells);
            let end = ((cell + 1) * pixels).min((pixel + 1) * cells);
            end.saturating_sub(start) as f64
        });
        values = along(values, &mut shape, axis, shares);
    }
    values
}
