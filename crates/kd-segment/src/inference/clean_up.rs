//! Components of an answer that are not worth keeping: specks beside an organ, lesions below a size.
//!
//! Both rules can delete what is real, so nothing is removed unless it is asked for, and thresholds are chosen on
//! validation cases.

use kd_image::LabelMap;
use kd_metrics::{Components, Connectivity, Grid};

use super::InferenceError;

/// Which components of a class stay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Keep {
    /// The largest one, the first of equal ones in memory: for an organ that there is once.
    Largest,
    /// Those of at least this many mm³ (mm² on a plane), for which the grid needs a spacing.
    AtLeastMm(f64),
    /// Those of at least this many points.
    AtLeastPoints(u64),
}

/// Removes components of one class; their points become background.
///
/// # Policy
/// Other classes stay as they are, also where they touch. A class without any point stays without. A component of exactly
/// the size asked for stays. A volume of one slice counts as a volume, with its thickness.
///
/// # Errors
/// [`InferenceError::NoSpacing`], [`InferenceError::Size`].
///
/// # Example
/// ```
/// use kd_image::{Geometry, LabelMap};
/// use kd_metrics::Connectivity;
/// use kd_segment::{Keep, clean_up};
/// let grid = Geometry::<2>::with_spacing([1, 7], [1.0, 0.5])?;
/// let labels = LabelMap::new(grid, vec![1, 0, 1, 1, 2, 0, 1], 3)?;
/// let kept = clean_up(&labels, 1, Keep::Largest, Connectivity::Faces)?;
/// assert_eq!(kept.labels(), [0, 0, 1, 1, 2, 0, 0]);
/// assert_eq!(clean_up(&labels, 1, Keep::AtLeastMm(0.5), Connectivity::Faces)?, labels);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn clean_up<const D: usize>(
    labels: &LabelMap<D>,
    class: u16,
    keep: Keep,
    connectivity: Connectivity,
) -> Result<LabelMap<D>, InferenceError> {
    let grid = metric_grid(labels)?;
    let mask: Vec<bool> = labels.labels().iter().map(|&label| label == class).collect();
    let components = Components::of_mask(&grid, &mask, connectivity)?;
    let sizes = components.sizes();
    let stays: Vec<bool> = match keep {
        Keep::Largest => {
            let largest = sizes.iter().copied().max().unwrap_or(0);
            let first = sizes.iter().position(|&size| size == largest);
            (0..sizes.len()).map(|component| Some(component) == first).collect()
        }
        Keep::AtLeastPoints(least) => sizes.iter().map(|&size| size >= least).collect(),
        Keep::AtLeastMm(least) => {
            if !(least.is_finite() && least >= 0.0) {
                return Err(InferenceError::Size { found: least });
            }
            let of_point = labels.geometry().spacing_mm().ok_or(InferenceError::NoSpacing)?.iter().product::<f64>();
            // A product and its quotient may differ in the last digit.
            sizes.iter().map(|&size| size as f64 * of_point >= least * (1.0 - 1e-12)).collect()
        }
    };
    let cleaned = labels.labels().iter().zip(components.labels()).map(|(&label, &component)| match component {
        0 => label,
        component if stays[component as usize - 1] => label,
        _ => 0,
    });
    Ok(LabelMap::new(labels.geometry().clone(), cleaned.collect(), labels.n_classes())?)
}

/// The grid for finding components, which asks for no spacing.
fn metric_grid<const D: usize>(labels: &LabelMap<D>) -> Result<Grid, InferenceError> {
    let shape = labels.geometry().shape();
    Ok(match shape.as_slice() {
        [depth, height, width] => Grid::volume([*depth, *height, *width], [1.0; 3])?,
        [height, width] => Grid::plane([*height, *width], [1.0; 2])?,
        _ => unreachable!("label maps have two or three axes"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kd_image::{Geometry, IGNORED};

    fn volume(labels: Vec<u16>) -> LabelMap<3> {
        LabelMap::new(Geometry::<3>::with_spacing([2, 2, 4], [2.0, 1.0, 0.5]).unwrap(), labels, 3).unwrap()
    }

    #[test]
    fn components_below_a_size_go_and_those_of_it_stay() {
        // One of three points across the slices, one of a single point; a point has 1 mm³.
        let labels = volume(vec![1, 1, 0, 2, 0, 0, 0, 1, 1, 0, 2, 2, 0, 0, 2, IGNORED]);
        let kept = |keep| clean_up(&labels, 1, keep, Connectivity::Faces).unwrap().labels().to_vec();
        let without = vec![1, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 2, 0, 0, 2, IGNORED];
        assert_eq!(kept(Keep::AtLeastMm(1.0)), labels.labels());
        assert_eq!(kept(Keep::AtLeastMm(1.5)), without);
        assert_eq!(kept(Keep::AtLeastMm(3.0)), without);
        assert_eq!(kept(Keep::AtLeastPoints(2)), without);
        assert_eq!(kept(Keep::Largest), without);
        assert!(!kept(Keep::AtLeastPoints(4)).contains(&1));
    }

    #[test]
    fn of_equal_components_the_first_stays() {
        let labels = volume(vec![0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let kept = clean_up(&labels, 1, Keep::Largest, Connectivity::Corners).unwrap();
        assert_eq!(kept.labels().iter().position(|&label| label == 1), Some(1));
        assert_eq!(clean_up(&labels, 2, Keep::Largest, Connectivity::Corners).unwrap(), labels);
    }

    #[test]
    fn a_size_in_mm_needs_a_spacing_and_a_number() {
        let plain = LabelMap::new(Geometry::<2>::without_spacing([1, 2]).unwrap(), vec![1, 0], 2).unwrap();
        let refuse = |keep| clean_up(&plain, 1, keep, Connectivity::Faces).unwrap_err();
        assert_eq!(refuse(Keep::AtLeastMm(1.0)), InferenceError::NoSpacing);
        assert!(matches!(refuse(Keep::AtLeastMm(f64::NAN)), InferenceError::Size { .. }));
    }
}
