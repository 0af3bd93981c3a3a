//! How large the masks are in mm³, and by how much the prediction is too large or too small.
//!
//! Volume is what a clinician reads off a mask. It says nothing about place, so it stands beside an overlap, never alone.

use super::masks::MaskPair;
use crate::grid::Grid;
use crate::undefined::{Score, Undefined, check_length};

/// Volume of a mask in mm³: points times the volume of one.
///
/// # Policy
/// A point is wholly inside or outside; no partial volume. An empty mask has 0 mm³. 1 ml is 1000 mm³.
///
/// # Errors
/// A plane, which has no volume; another length than the grid has points.
///
/// # Source
/// Count times the product of the spacings, as SimpleITK `LabelShapeStatisticsImageFilter::GetPhysicalSize`.
///
/// # Example
/// ```
/// # use kd_metrics::{Grid, volume_mm3};
/// let grid = Grid::volume([1, 2, 2], [3.0, 0.5, 0.5])?;
/// assert_eq!(volume_mm3(&grid, &[true, true, false, true])?, 3.0 * 0.75);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn volume_mm3(grid: &Grid, mask: &[bool]) -> Score {
    check_volume(grid, "volume in mm³")?;
    check_length("mask", grid.points(), mask.len())?;
    Ok(mask.iter().filter(|&&set| set).count() as f64 * grid.point_size())
}

/// Predicted volume minus true volume, in mm³; positive means too large.
///
/// # Policy
/// Signed, so that a mean over cases shows a bias and errors of both signs cancel. Two empty masks give 0.
///
/// # Errors
/// A plane, which has no volume.
///
/// # Source
/// Difference of [`volume_mm3`].
///
/// # Example
/// ```
/// # use kd_metrics::{Grid, MaskPair, volume_error_mm3};
/// let grid = Grid::volume([1, 1, 3], [2.0, 1.0, 1.0])?;
/// let pair = MaskPair::new(grid, &[true, false, false], &[true, true, true])?;
/// assert_eq!(volume_error_mm3(&pair)?, -4.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn volume_error_mm3(pair: &MaskPair) -> Score {
    check_volume(pair.grid(), "volume error in mm³")?;
    Ok((pair.predicted_points() as f64 - pair.true_points() as f64) * pair.grid().point_size())
}

/// Predicted minus true size over true size: +0.2 means a fifth too large. Of areas on a plane.
///
/// # Policy
/// Signed, relative to the truth, as a share and not in percent; at least −1, without an upper end. An empty truth has no
/// relative error, whatever was predicted.
///
/// # Errors
/// [`Undefined::EmptyMask`] where the truth is empty.
///
/// # Source
/// Heimann et al. 2009 (relative volume difference, there in percent).
///
/// # Example
/// ```
/// # use kd_metrics::{Grid, MaskPair, relative_volume_error};
/// let grid = Grid::volume([1, 1, 3], [2.0, 1.0, 1.0])?;
/// let pair = MaskPair::new(grid, &[true, true, true], &[true, false, true])?;
/// assert_eq!(relative_volume_error(&pair)?, 0.5);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn relative_volume_error(pair: &MaskPair) -> Score {
    let truth = pair.true_points() as f64;
    if pair.true_points() == 0 {
        return Err(Undefined::EmptyMask { which: "truth" });
    }
    Ok((pair.predicted_points() as f64 - truth) / truth)
}

fn check_volume(grid: &Grid, what: &'static str) -> Result<(), Undefined> {
    if grid.axes() == 3 { Ok(()) } else { Err(Undefined::NotAVolume { what }) }
}
