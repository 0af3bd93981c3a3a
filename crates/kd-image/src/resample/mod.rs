//! Values of one grid at the points of another.
//!
//! Where the axes of two grids run alike, each axis is resampled by itself, with weights that are made once; elsewhere
//! every point is looked up by itself. Both ways give the same numbers. The way back to the source grid is the same call
//! with the grids exchanged: geometry travels with the values, so nothing else has to be remembered.

mod kernel;
mod lookup;
mod passes;
mod relation;
mod spline;

use crate::reorient::Turn;
use crate::{Geometry, Image, ImageError, LabelError, LabelMap};
use kernel::{Taps, blur_sigma};
pub(crate) use relation::{Aligned, Relation};

/// What a value between points is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// That of the nearest point; at equal distance (within 1e-6) the one of the higher index.
    Nearest,
    /// Linear along each axis between the two points around it.
    Linear,
    /// Cubic B-spline through all points, mirrored at the outermost ones: smooth, and it overshoots beside edges.
    Cubic,
}

/// What happens before points are taken further apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shrinking {
    /// Nothing: detail that the new grid cannot hold folds into false detail.
    Plain,
    /// A Gaussian takes away what the new grid cannot hold: standard deviation (f − 1) / 2 source points along an axis
    /// that is passed in steps of f > 1 of them, cut at 4 standard deviations, outermost points repeated.
    Antialiased,
}

/// What a point is that lies further than half a source voxel beyond the outermost points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outside {
    /// The value at the nearest place inside.
    Edge,
    /// This value: air in a CT, 0 in a magnetic resonance image.
    Value(f32),
}

/// How an image is resampled; each part changes numbers, so none has a default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampling {
    /// What a value between points is.
    pub interpolation: Interpolation,
    /// What happens before points are taken further apart.
    pub shrinking: Shrinking,
    /// What a point beyond the source is.
    pub outside: Outside,
}

/// Why values were not resampled.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ResampleError {
    /// Of one grid more is known than of the other.
    #[error(
        "grids cannot be laid over each other: expected both placed in the patient, both with spacing alone or both without, found {from} and {to}\nhint: derive the new grid from the image's own"
    )]
    Unrelated {
        /// The source.
        from: String,
        /// The new grid.
        to: String,
    },
    /// The values make no image: the filling is not finite, or a cubic overshoot left 32-bit floats.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The labels make no map: the filling is no class.
    #[error(transparent)]
    Labels(#[from] LabelError),
}

impl Resampling {
    /// The image at the points of `grid`.
    ///
    /// # Policy
    /// - Two placed grids meet in the patient. Two with spacing alone, or two without, are laid centre on centre; without
    ///   spacing they cover the same field of view. Points are voxel centres.
    /// - A point up to half a source voxel beyond the outermost points takes the value at the nearest place between
    ///   them; further out [`Outside`] decides.
    /// - Axes count as alike when treating them so moves no point by more than 1e-4 source voxels.
    ///
    /// # Errors
    /// [`ResampleError::Unrelated`], and [`ResampleError::Image`] for a filling that is not finite and is needed.
    ///
    /// # Source
    /// Cubic: Unser, Aldroubi and Eden 1993, "B-spline signal processing", part II, equations 2.4 to 2.6, poles from
    /// Unser 1999, box 2. Gaussian: the rule of scikit-image's `resize`.
    ///
    /// # Deviations
    /// ITK mirrors a cubic B-spline in the half voxel beyond the outermost points, here it stays at the outermost value.
    ///
    /// # Example
    /// ```
    /// use kd_image::{Geometry, Image, Intensity, Interpolation, Outside, Resampling, Shrinking};
    /// let grid = Geometry::<2>::with_spacing([1, 2], [1.0, 2.0])?;
    /// let image = Image::new(1, grid, Intensity::Arbitrary, vec![0.0, 4.0])?;
    /// let how = Resampling { interpolation: Interpolation::Linear, shrinking: Shrinking::Antialiased, outside: Outside::Edge };
    /// let fine = how.image(&image, &image.geometry().with_new_spacing([1.0, 1.0])?)?;
    /// assert_eq!(fine.values(), [0.0, 1.0, 3.0, 4.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn image<const D: usize>(&self, image: &Image<D>, grid: &Geometry<D>) -> Result<Image<D>, ResampleError> {
        let relation = Relation::new(image.geometry(), grid)?;
        let channels = image.channels();
        let values = match (self.interpolation, relation.aligned()) {
            (Interpolation::Nearest, aligned) => {
                let outside = match self.outside {
                    Outside::Edge => None,
                    Outside::Value(value) => Some(value),
                };
                let nearest = |c| lookup::nearest(image.channel(c), &relation, aligned.as_ref(), outside);
                (0..channels).flat_map(nearest).collect()
            }
            (_, Some(aligned)) => self.aligned(image, &aligned),
            (_, None) => self.turned(image, &relation),
        };
        Ok(Image::new(channels, grid.clone(), image.intensity(), values)?)
    }

    /// Axis by axis, those that shrink most first.
    fn aligned<const D: usize>(&self, image: &Image<D>, aligned: &Aligned) -> Vec<f32> {
        let mut shape = aligned.turn.shape(aligned.from);
        let to = aligned.to;
        let turned = |c: usize| aligned.turn.apply(image.channel(c), aligned.from);
        let is_as_it_was = aligned.turn == Turn::NONE;
        let mut values: Vec<f32> =
            if is_as_it_was { image.values().to_vec() } else { (0..image.channels()).flat_map(turned).collect() };
        let mut order = [0, 1, 2];
        order.sort_by(|&a, &b| (to[a] * shape[b]).cmp(&(to[b] * shape[a])));
        for axis in order {
            let inner: usize = shape[axis + 1..].iter().product();
            let line = aligned.lines[axis];
            if !line.is_identity(shape[axis], to[axis]) {
                let sigma = if self.shrinking == Shrinking::Antialiased { blur_sigma(line.step.abs()) } else { 0.0 };
                if self.interpolation == Interpolation::Cubic {
                    if sigma > 0.0 {
                        values = passes::along(&values, shape[axis], inner, &Taps::blur(shape[axis], sigma));
                    }
                    spline::coefficients(&mut values, shape[axis], inner);
                    values = passes::along(&values, shape[axis], inner, &Taps::cubic(shape[axis], to[axis], line));
                } else {
                    let taps = Taps::linear(shape[axis], to[axis], line, sigma);
                    values = passes::along(&values, shape[axis], inner, &taps);
                }
            }
            shape[axis] = to[axis];
        }
        if let Outside::Value(value) = self.outside {
            aligned.fill_outside(&mut values, value);
        }
        values
    }

    /// Point by point, for axes that cross.
    fn turned<const D: usize>(&self, image: &Image<D>, relation: &Relation) -> Vec<f32> {
        let mut values = image.values().to_vec();
        let shape = relation.from;
        for axis in 0..3 {
            let inner: usize = shape[axis + 1..].iter().product();
            let sigma = blur_sigma(relation.step_along(axis));
            if self.shrinking == Shrinking::Antialiased && sigma > 0.0 {
                values = passes::along(&values, shape[axis], inner, &Taps::blur(shape[axis], sigma));
            }
            if self.interpolation == Interpolation::Cubic {
                spline::coefficients(&mut values, shape[axis], inner);
            }
        }
        let outside = match self.outside {
            Outside::Edge => None,
            Outside::Value(value) => Some(value),
        };
        let points: usize = shape.iter().product();
        let channels = values.chunks_exact(points);
        if self.interpolation == Interpolation::Cubic {
            channels.flat_map(|values| lookup::cubic(values, relation, outside)).collect()
        } else {
            channels.flat_map(|values| lookup::linear(values, relation, outside)).collect()
        }
    }
}

/// The labels at the points of `grid`: that of the nearest point, never a mixture; `outside` beyond the source.
///
/// # Policy
/// As [`Resampling::image`] with [`Interpolation::Nearest`]. A structure that is thinner than the new steps may vanish.
///
/// # Errors
/// [`ResampleError::Unrelated`], and [`ResampleError::Labels`] for an `outside` that is no class and is needed.
///
/// # Example
/// ```
/// use kd_image::{Geometry, LabelMap, resample_labels};
/// let grid = Geometry::<2>::with_spacing([1, 2], [1.0, 2.0])?;
/// let labels = LabelMap::new(grid, vec![1, 4], 5)?;
/// let fine = resample_labels(&labels, &labels.geometry().with_new_spacing([1.0, 1.0])?, 0)?;
/// assert_eq!(fine.labels(), [1, 1, 4, 4]);
/// assert_eq!(resample_labels(&fine, labels.geometry(), 0)?, labels);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn resample_labels<const D: usize>(
    labels: &LabelMap<D>,
    grid: &Geometry<D>,
    outside: u16,
) -> Result<LabelMap<D>, ResampleError> {
    let relation = Relation::new(labels.geometry(), grid)?;
    let values = lookup::nearest(labels.labels(), &relation, relation.aligned().as_ref(), Some(outside));
    Ok(LabelMap::new(grid.clone(), values, labels.n_classes())?)
}
