//! Grids beside each other: are two the same, and what is this one at another spacing or shape?
//!
//! A mask that lies a few millimetres off its image trains a network on the wrong tissue and no number shows it, so the
//! comparison measures how far apart the same voxel lies, and its error shows both grids.

use std::fmt;

use crate::{Affine, Geometry, GeometryError};

/// How far a value may lie from where a turn or a window was made for: rounding, and nothing else.
pub(crate) const SAME_MM: f64 = 1e-3;

/// Two grids that had to be the same are not.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{what} lies on another grid: expected {expected}, found {found} ({difference})\nhint: resample the mask onto its image with nearest neighbour, or look for the image that it was drawn on"
)]
pub struct GridMismatch {
    /// What was compared, `mask` for example.
    pub what: String,
    /// The grid that it should have.
    pub expected: String,
    /// The grid that it has.
    pub found: String,
    /// What is different.
    pub difference: String,
}

impl<const D: usize> Geometry<D> {
    /// Whether this grid is `expected`, up to `tolerance_mm`; `what` names it in the error.
    ///
    /// # Policy
    /// Shapes are equal. Of placed grids no corner voxel lies further than `tolerance_mm` from its counterpart, so a
    /// difference in direction counts by what it moves. Of others the spacings differ by at most `tolerance_mm`. What
    /// one of the two does not know (place, spacing) is not compared.
    ///
    /// # Errors
    /// [`GridMismatch`], with both grids.
    ///
    /// # Example
    /// ```
    /// use kd_image::Geometry;
    /// let image = Geometry::<3>::with_spacing([4, 5, 6], [2.0, 1.0, 1.0])?;
    /// let mask = Geometry::<3>::with_spacing([4, 5, 7], [2.0, 1.0, 1.0])?;
    /// assert!(image.check_same_grid(&image, 0.0, "mask").is_ok());
    /// let text = mask.check_same_grid(&image, 0.01, "mask").unwrap_err().to_string();
    /// assert!(text.starts_with("mask lies on another grid: expected 4 × 5 × 6 points of 2 × 1 × 1 mm, found 4 × 5 × 7"));
    /// # Ok::<(), kd_image::GeometryError>(())
    /// ```
    pub fn check_same_grid(&self, expected: &Self, tolerance_mm: f64, what: &str) -> Result<(), GridMismatch> {
        let refused = |difference: String| {
            Err(GridMismatch { what: what.into(), expected: expected.to_string(), found: self.to_string(), difference })
        };
        if self.shape() != expected.shape() {
            return refused("another shape".into());
        }
        if let (Some(a), Some(b)) = (self.affine(), expected.affine()) {
            let apart = furthest_corner_mm(&self.shape(), a, b);
            if apart > tolerance_mm {
                return refused(format!("a corner lies {apart:.3} mm off, {tolerance_mm:.3} mm allowed"));
            }
        } else if let (Some(a), Some(b)) = (self.spacing_mm(), expected.spacing_mm()) {
            let apart = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            if apart > tolerance_mm {
                return refused(format!("a spacing is {apart:.3} mm off, {tolerance_mm:.3} mm allowed"));
            }
        }
        Ok(())
    }

    /// The grid of `shape` that covers the same field of view: the outer faces of the outermost voxels stay where they
    /// are, and the spacing follows.
    ///
    /// # Errors
    /// [`GeometryError::EmptyAxis`] and [`GeometryError::TooLarge`].
    ///
    /// # Example
    /// ```
    /// let grid = kd_image::Geometry::<2>::with_spacing([4, 6], [1.0, 2.0])?;
    /// assert_eq!(grid.with_shape([2, 12])?.spacing_mm(), Some([2.0, 1.0]));
    /// # Ok::<(), kd_image::GeometryError>(())
    /// ```
    pub fn with_shape(&self, shape: [usize; D]) -> Result<Self, GeometryError> {
        Self::without_spacing(shape)?;
        let from = self.shape();
        self.scaled(shape, std::array::from_fn(|axis| from[axis] as f64 / shape[axis] as f64))
    }

    /// The grid of `spacing_mm` around the same centre: as many points as cover the field of view, rounded to the nearest
    /// number and at least 1 an axis. The outer faces move by half a new voxel at most.
    ///
    /// # Errors
    /// [`GeometryError::Spacing`] for a spacing that is no length, and where this grid's own is unknown (found as NaN);
    /// [`GeometryError::TooLarge`].
    ///
    /// # Example
    /// ```
    /// let grid = kd_image::Geometry::<2>::with_spacing([10, 7], [1.0, 2.0])?;
    /// let coarse = grid.with_new_spacing([3.0, 1.0])?;
    /// assert_eq!((coarse.shape(), coarse.spacing_mm()), ([3, 14], Some([3.0, 1.0])));
    /// # Ok::<(), kd_image::GeometryError>(())
    /// ```
    pub fn with_new_spacing(&self, spacing_mm: [f64; D]) -> Result<Self, GeometryError> {
        let Some(from) = self.spacing_mm() else {
            return Err(GeometryError::Spacing { axis: 0, found: f64::NAN });
        };
        let mut shape = self.shape();
        for axis in 0..D {
            let found = spacing_mm[axis];
            if !(found.is_finite() && found > 0.0) {
                return Err(GeometryError::Spacing { axis, found });
            }
            let points = (shape[axis] as f64 * from[axis] / found).round().max(1.0);
            if points >= 9_007_199_254_740_992.0 {
                return Err(GeometryError::TooLarge { shape: shape.to_vec() });
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a whole number from 1 to 2^53
            let points = points as usize;
            shape[axis] = points;
        }
        self.scaled(shape, std::array::from_fn(|axis| spacing_mm[axis] / from[axis]))
    }

    /// A grid around the same centre whose steps are `scale` steps of this one.
    fn scaled(&self, shape: [usize; D], scale: [f64; D]) -> Result<Self, GeometryError> {
        let from = self.shape();
        let spacing = self.spacing_mm().map(|mm| std::array::from_fn(|axis| mm[axis] * scale[axis]));
        let first: [f64; D] = std::array::from_fn(|axis| {
            (from[axis] as f64 - 1.0) / 2.0 - scale[axis] * (shape[axis] as f64 - 1.0) / 2.0
        });
        let affine = self.affine().map(|affine| moved(affine, &first, &scale));
        Self::with_parts(shape, spacing, affine)
    }
}

/// The affine of the grid whose point `n` is `first + n · scale` in voxels of this one, each slowest axis first.
pub(crate) fn moved(affine: &Affine, first: &[f64], scale: &[f64]) -> Affine {
    let mut matrix = affine.matrix;
    let start = affine.world_mm(std::array::from_fn(|axis| first[2 - axis]));
    for (row, entries) in matrix.iter_mut().take(3).enumerate() {
        (0..3).for_each(|axis| entries[axis] *= scale[2 - axis]);
        entries[3] = start[row];
    }
    Affine { matrix }
}

fn furthest_corner_mm(shape: &[usize], a: &Affine, b: &Affine) -> f64 {
    let corner = |n: usize| {
        let voxel = std::array::from_fn(|axis| if n >> axis & 1 == 1 { (shape[2 - axis] - 1) as f64 } else { 0.0 });
        let (a, b) = (a.world_mm(voxel), b.world_mm(voxel));
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    };
    (0..8).map(corner).fold(0.0, f64::max)
}

impl<const D: usize> fmt::Display for Geometry<D> {
    /// Shape, spacing, and of a placed grid its orientation and the place of its first voxel.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |numbers: Vec<String>| numbers.join(" × ");
        write!(f, "{} points", listed(self.shape().iter().map(ToString::to_string).collect()))?;
        // Four decimals tell spacings apart that matter; trailing zeros tell nothing.
        let short = |mm: &f64| {
            let text = format!("{mm:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match self.spacing_mm() {
            Some(spacing) => write!(f, " of {} mm", listed(spacing.iter().map(short).collect()))?,
            None => write!(f, " of unknown spacing")?,
        }
        if let Some(affine) = self.affine() {
            let letters = affine.orientation();
            let first: Vec<String> = affine.world_mm([0.0; 3]).iter().map(short).collect();
            write!(f, ", {letters} from ({}) mm", first.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn placed(shape: [usize; 3], angle: f64, spacing: [f64; 3]) -> Geometry<3> {
        let (sin, cos) = angle.sin_cos();
        let [slice, row, column] = spacing;
        let matrix = [
            [-cos * column, sin * row, 0.0, 12.5],
            [-sin * column, -cos * row, 0.0, -40.0],
            [0.0, 0.0, slice, 7.0],
            [0.0, 0.0, 0.0, 1.0],
        ];
        Geometry::<3>::placed(shape, Affine { matrix }).unwrap()
    }

    #[test]
    fn a_turned_grid_is_told_by_what_its_far_corner_moves() {
        let image = placed([20, 512, 512], 0.0, [3.0, 0.5, 0.5]);
        // 512 × 0.5 mm × √2 × 0.001 ≈ 0.36 mm, though no entry differs by more than 0.0005.
        let turned = placed([20, 512, 512], 0.001, [3.0, 0.5, 0.5]);
        assert!(turned.same_grid(&image, 0.001));
        let text = turned.check_same_grid(&image, 0.1, "mask").unwrap_err().to_string();
        assert!(text.contains("a corner lies 0.361 mm off, 0.100 mm allowed") && text.contains("\nhint: "), "{text}");
        assert!(text.contains("20 × 512 × 512 points of 3 × 0.5 × 0.5 mm, LPS from (12.5, -40, 7) mm"), "{text}");
        assert!(turned.check_same_grid(&image, 0.4, "mask").is_ok());
    }

    #[test]
    fn a_mirrored_mask_is_refused() {
        let image = placed([4, 5, 6], 0.0, [1.0; 3]);
        let mirrored = placed([4, 5, 6], std::f64::consts::PI, [1.0; 3]);
        assert!(mirrored.check_same_grid(&image, 0.1, "mask").is_err());
    }

    #[test]
    fn an_unknown_place_is_not_compared_and_a_known_spacing_is() {
        let image = placed([4, 5, 6], 0.2, [2.0, 1.0, 1.0]);
        let spaced = Geometry::<3>::with_spacing([4, 5, 6], [2.0, 1.0, 1.0]).unwrap();
        assert!(spaced.check_same_grid(&image, 1e-6, "mask").is_ok());
        let other = Geometry::<3>::with_spacing([4, 5, 6], [2.0, 1.0, 1.5]).unwrap();
        assert!(other.check_same_grid(&image, 1e-6, "mask").is_err());
        assert!(Geometry::without_spacing([4, 5, 6]).unwrap().check_same_grid(&image, 1e-6, "mask").is_ok());
    }

    proptest! {
        #[test]
        fn another_shape_keeps_the_faces_and_the_centre(
            shape in proptest::array::uniform3(1usize..9),
            to in proptest::array::uniform3(1usize..9),
            angle in -3.0f64..3.0,
            spacing in proptest::array::uniform3(0.3f64..4.0),
        ) {
            let from = placed(shape, angle, spacing);
            let other = from.with_shape(to).unwrap();
            let face = |grid: &Geometry<3>, upper: bool| {
                let [d, h, w] = grid.shape().map(|n| if upper { n as f64 - 0.5 } else { -0.5 });
                grid.affine().unwrap().world_mm([w, h, d])
            };
            for upper in [false, true] {
                for (a, b) in face(&from, upper).iter().zip(face(&other, upper)) {
                    prop_assert!((a - b).abs() < 1e-9);
                }
            }
            let back = other.with_shape(shape).unwrap();
            prop_assert!(back.check_same_grid(&from, 1e-9, "grid").is_ok());
            // The spacing kept beside the affine is the affine's own.
            let steps = other.affine().unwrap().step_mm();
            for (axis, mm) in other.spacing_mm().unwrap().iter().enumerate() {
                prop_assert!((mm - steps[2 - axis]).abs() < 1e-9);
            }
        }

        #[test]
        fn a_new_spacing_is_met_and_covers_the_field_within_half_a_voxel(
            shape in proptest::array::uniform3(1usize..40),
            spacing in proptest::array::uniform3(0.3f64..4.0),
            to in proptest::array::uniform3(0.3f64..4.0),
        ) {
            let from = placed(shape, 0.4, spacing);
            let other = from.with_new_spacing(to).unwrap();
            for axis in 0..3 {
                prop_assert!((other.spacing_mm().unwrap()[axis] - to[axis]).abs() < 1e-9);
                let (old, new) = (shape[axis] as f64 * spacing[axis], other.shape()[axis] as f64 * to[axis]);
                prop_assert!((old - new).abs() <= to[axis] / 2.0 + 1e-9 || other.shape()[axis] == 1);
            }
        }
    }
}
