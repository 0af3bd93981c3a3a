//! Exact Euclidean distance transform with a spacing per axis, in time linear in the number of points.
//!
//! Separable: along the depth two sweeps count steps; along height, then width, the squared distance is the lower envelope
//! of one parabola per point. Squared distances are kept in `f64`: a product of spacings has no exact `f32` form, and
//! "within 1 mm" is decided by `<=` on the result. An envelope picks its parabola by a rounded intersection, so the pick can
//! be wrong only where two parabolas agree to about 1e-12; the value itself is one formula, `(z² + y²) + x²`, as SciPy's.
//!
//! Planes are transformed in parallel, each in its own memory and in a fixed order, so the bits do not depend on threads.

use rayon::prelude::*;

use crate::grid::Grid;
use crate::undefined::{Undefined, check_length};

/// Distance in mm from every point to the nearest feature; a feature has 0.
///
/// # Shapes
/// `features` and the result as the grid, last axis fastest.
///
/// # Errors
/// Another length than the grid has points; no feature at all.
///
/// # Source
/// Felzenszwalb and Huttenlocher 2012, section 2; the same values as SciPy `distance_transform_edt(~features, sampling)`.
///
/// # Example
/// ```
/// use kd_metrics::{Grid, distance_transform_mm};
/// let grid = Grid::plane([2, 3], [4.0, 3.0])?;
/// let mm = distance_transform_mm(&grid, &[true, false, false, false, false, false])?;
/// assert_eq!(mm, [0.0, 3.0, 6.0, 4.0, 5.0, 52.0_f64.sqrt()]);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn distance_transform_mm(grid: &Grid, features: &[bool]) -> Result<Vec<f64>, Undefined> {
    check_length("features", grid.points(), features.len())?;
    if !features.contains(&true) {
        return Err(Undefined::EmptyMask { which: "set of features" });
    }
    let mut mm = squared_distances(grid.shape3(), grid.spacing3_mm(), features, None);
    mm.par_iter_mut().with_min_len(1 << 14).for_each(|value| *value = value.sqrt());
    Ok(mm)
}

/// No feature in this column.
const NONE: u32 = u32::MAX;

/// Squared distances in mm²: right at `wanted` points (at all without it), anything elsewhere; infinite without features.
pub(crate) fn squared_distances(
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    features: &[bool],
    wanted: Option<&[bool]>,
) -> Vec<f64> {
    let [_, height, width] = shape;
    let plane = height * width;
    let steps = steps_along_depth(features, plane);
    let mut squared = vec![f64::INFINITY; features.len()];
    squared.par_chunks_mut(plane).zip(steps.par_chunks(plane)).enumerate().for_each_init(
        || Envelope::new(height.max(width)),
        |envelope, (depth, (out, steps))| {
            let wanted = wanted.map(|wanted| &wanted[depth * plane..][..plane]);
            if wanted.is_some_and(|wanted| !wanted.contains(&true)) || steps.iter().all(|&count| count == NONE) {
                return;
            }
            for (out, &count) in out.iter_mut().zip(steps) {
                if count != NONE {
                    *out = (f64::from(count) * spacing_mm[0]).powi(2);
                }
            }
            for column in 0..width {
                envelope.load(out[column..].iter().step_by(width).copied());
                envelope.lower(spacing_mm[1], out[column..].iter_mut().step_by(width));
            }
            for (row, out) in out.chunks_exact_mut(width).enumerate() {
                if wanted.is_none_or(|wanted| wanted[row * width..][..width].contains(&true)) {
                    envelope.load(out.iter().copied());
                    envelope.lower(spacing_mm[2], out.iter_mut());
                }
            }
        },
    );
    squared
}

/// Steps along the slowest axis to the nearest feature of the same column, by a sweep each way.
fn steps_along_depth(features: &[bool], plane: usize) -> Vec<u32> {
    let mut steps: Vec<u32> = features.iter().map(|&feature| if feature { 0 } else { NONE }).collect();
    let mut sweep = |near: usize, here: usize| {
        let (low, high) = steps.split_at_mut(near.max(here));
        let (low, high) = (&mut low[near.min(here)..][..plane], &mut high[..plane]);
        let (near, here) = if near < here { (low, high) } else { (high, low) };
        for (here, near) in here.iter_mut().zip(near) {
            *here = (*here).min(near.saturating_add(1));
        }
    };
    for here in (plane..features.len()).step_by(plane) {
        sweep(here - plane, here);
    }
    for here in (0..features.len() - plane).step_by(plane).rev() {
        sweep(here + plane, here);
    }
    steps
}

/// The lower envelope of one line's parabolas, with its memory.
struct Envelope {
    values: Vec<f64>,
    /// Height and place of each parabola that is the lowest somewhere, by rising place.
    parabolas: Vec<(f64, f64)>,
    /// From where on each of them is the lowest.
    starts: Vec<f64>,
}

impl Envelope {
    fn new(longest: usize) -> Self {
        Self {
            values: Vec::with_capacity(longest),
            parabolas: Vec::with_capacity(longest),
            starts: Vec::with_capacity(longest),
        }
    }

    fn load(&mut self, values: impl Iterator<Item = f64>) {
        self.values.clear();
        self.values.extend(values);
    }

    /// Writes `min over q of values[q] + (spacing · (p − q))²` for every place `p`; leaves a line without features alone.
    fn lower<'a>(&mut self, spacing: f64, out: impl Iterator<Item = &'a mut f64>) {
        let Self { values, parabolas, starts } = self;
        parabolas.clear();
        starts.clear();
        // In steps along the line and units of spacing², so that the place where two parabolas cross needs one division.
        let scale = 1.0 / (spacing * spacing);
        let mut place = 0.0;
        for &value in values.iter() {
            if value < f64::INFINITY {
                let mut start = f64::NEG_INFINITY;
                while let Some(&(height, apex)) = parabolas.last() {
                    start = 0.5 * (place + apex + (value - height) * scale / (place - apex));
                    if start > starts[starts.len() - 1] {
                        break;
                    }
                    parabolas.pop();
                    starts.pop();
                    start = f64::NEG_INFINITY;
                }
                parabolas.push((value, place));
                starts.push(start);
            }
            place += 1.0;
        }
        let Some(&(mut height, mut apex)) = parabolas.first() else { return };
        let (mut next, mut place) = (1, 0.0);
        for out in out {
            while next < starts.len() && starts[next] < place {
                (height, apex) = parabolas[next];
                next += 1;
            }
            let step = spacing * (place - apex);
            *out = height + step * step;
            place += 1.0;
        }
    }
}
