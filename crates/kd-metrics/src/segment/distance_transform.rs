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
    let mut mm = squared_distances(grid.shape3(), grid.spacing3_mm(), features);
    mm.par_iter_mut().with_min_len(1 << 14).for_each(|value| *value = value.sqrt());
    Ok(mm)
}

/// No feature in this column.
const NONE: u32 = u32::MAX;

/// Squared distances in mm² at all points; infinite without features.
fn squared_distances(shape: [usize; 3], spacing_mm: [f64; 3], features: &[bool]) -> Vec<f64> {
    let size = shape[1] * shape[2];
    let steps = steps_along_depth(features, size);
    let squares = Squares::new(shape, spacing_mm);
    let mut squared = vec![f64::INFINITY; features.len()];
    squared.par_chunks_mut(size).zip(steps.par_chunks(size)).for_each_init(
        || Lines::new(shape, spacing_mm),
        |lines, (out, steps)| Plane { steps, squares: &squares }.envelopes(lines, out),
    );
    squared
}

/// Hands the squared distances in mm² of each plane along the depth to `take`, with the plane's place, and gathers what it
/// makes of them in order. They are right at `wanted` points, anything elsewhere, and infinite without features; planes
/// without a wanted point are left out.
pub(crate) fn by_plane<T: Send>(
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    features: &[bool],
    wanted: &[bool],
    take: impl Fn(usize, &[f64]) -> T + Sync,
) -> Vec<T> {
    let size = shape[1] * shape[2];
    let steps = steps_along_depth(features, size);
    let squares = Squares::new(shape, spacing_mm);
    let planes = steps.par_chunks(size).zip(wanted.par_chunks(size)).enumerate();
    let taken = planes.map_init(
        || (Lines::new(shape, spacing_mm), vec![f64::INFINITY; size]),
        |(lines, out), (depth, (steps, wanted))| {
            if !wanted.contains(&true) {
                return None;
            }
            let plane = Plane { steps, squares: &squares };
            if !plane.search(wanted, out) {
                plane.envelopes(lines, out);
            }
            Some(take(depth, out))
        },
    );
    taken.collect::<Vec<_>>().into_iter().flatten().collect()
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

/// Squared distances in mm² of so many steps along each axis.
struct Squares {
    depth: Vec<f64>,
    height: Vec<f64>,
    width: Vec<f64>,
}

impl Squares {
    fn new(shape: [usize; 3], spacing_mm: [f64; 3]) -> Self {
        let [depth, height, width] = std::array::from_fn(|axis| {
            (0..shape[axis]).map(|steps| (steps as f64 * spacing_mm[axis]).powi(2)).collect()
        });
        Self { depth, height, width }
    }

    /// Along the depth, where a column may have no feature.
    fn of_depth(&self, steps: u32) -> f64 {
        self.depth.get(steps as usize).copied().unwrap_or(f64::INFINITY)
    }
}

/// The steps along the depth of one plane.
struct Plane<'a> {
    steps: &'a [u32],
    squares: &'a Squares,
}

impl Plane<'_> {
    /// Writes every point's squared distance, in a time that does not depend on the distances.
    fn envelopes(&self, lines: &mut Lines, out: &mut [f64]) {
        let width = self.squares.width.len();
        for (out, &steps) in out.iter_mut().zip(self.steps) {
            *out = self.squares.of_depth(steps);
        }
        for column in 0..width {
            lines.column.load(out[column..].iter().step_by(width).copied());
            lines.column.lower(out[column..].iter_mut().step_by(width));
        }
        for out in out.chunks_exact_mut(width) {
            lines.row.load(out.iter().copied());
            lines.row.lower(out.iter_mut());
        }
    }

    /// Writes the squared distance at the wanted points alone, looking outwards from each as far as a smaller one can lie.
    /// Two surfaces are near each other as a rule, and then this takes a few steps a point. `false` where it would take
    /// more than the envelopes, whose time does not depend on the distance.
    fn search(&self, wanted: &[bool], out: &mut [f64]) -> bool {
        let (height, width) = (self.squares.height.len(), self.squares.width.len());
        let mut budget = 4 * self.steps.len();
        for (point, _) in wanted.iter().enumerate().filter(|&(_, &wanted)| wanted) {
            let (row, column) = (point / width, point % width);
            let mut best = self.squares.of_depth(self.steps[point]);
            for (apart, &vertical) in self.squares.height.iter().enumerate() {
                if vertical >= best {
                    break;
                }
                let above = row.checked_sub(apart);
                let below = Some(row + apart).filter(|&row| row < height && apart > 0);
                for row in above.into_iter().chain(below) {
                    let line = &self.steps[row * width..][..width];
                    best = self.search_line(line, column, vertical, best, &mut budget);
                }
                if budget == 0 {
                    return false;
                }
            }
            out[point] = best;
        }
        true
    }

    /// The smaller of `best` and what a line at the squared distance `vertical` has around `column`.
    fn search_line(&self, line: &[u32], column: usize, vertical: f64, mut best: f64, budget: &mut usize) -> f64 {
        let (left, right) = line.split_at(column);
        let mut left = left.iter().rev();
        let mut right = right.iter();
        let mut nearest = right.next().copied().unwrap_or(NONE);
        let mut looked = 0;
        for horizontal in &self.squares.width {
            if vertical + horizontal >= best {
                break;
            }
            best = best.min(self.squares.of_depth(nearest) + vertical + horizontal);
            nearest = left.next().copied().unwrap_or(NONE).min(right.next().copied().unwrap_or(NONE));
            looked += 1;
        }
        *budget = budget.saturating_sub(looked);
        best
    }
}

/// Memory for the envelopes of one plane.
struct Lines {
    column: Line,
    row: Line,
}

impl Lines {
    fn new([_, height, width]: [usize; 3], spacing_mm: [f64; 3]) -> Self {
        Self { column: Line::new(height, spacing_mm[1]), row: Line::new(width, spacing_mm[2]) }
    }
}

/// One line of values: the lower envelope of their parabolas, with its memory.
struct Line {
    spacing: f64,
    values: Vec<f64>,
    /// Of the distance `d` in steps: 1 / (2 d spacing²).
    slopes: Vec<f64>,
    /// Height and place of each parabola that is the lowest somewhere, by rising place.
    parabolas: Vec<(f64, usize)>,
    /// From where on each of them is the lowest.
    starts: Vec<f64>,
}

impl Line {
    fn new(length: usize, spacing: f64) -> Self {
        let slopes = (0..length).map(|steps| 0.5 / (steps as f64 * spacing * spacing)).collect();
        let (parabolas, starts) = (Vec::with_capacity(length), Vec::with_capacity(length));
        Self { spacing, values: Vec::with_capacity(length), slopes, parabolas, starts }
    }

    fn load(&mut self, values: impl Iterator<Item = f64>) {
        self.values.clear();
        self.values.extend(values);
    }

    /// Writes `min over q of values[q] + (spacing · (p − q))²` for every place `p`; leaves a line without features alone.
    fn lower<'a>(&mut self, out: impl Iterator<Item = &'a mut f64>) {
        let Self { spacing, values, slopes, parabolas, starts } = self;
        parabolas.clear();
        starts.clear();
        for (place, &value) in values.iter().enumerate() {
            if value < f64::INFINITY {
                let mut start = f64::NEG_INFINITY;
                while let (Some(&(height, apex)), Some(&from)) = (parabolas.last(), starts.last()) {
                    start = 0.5 * (place + apex) as f64 + (value - height) * slopes[place - apex];
                    if start > from {
                        break;
                    }
                    parabolas.pop();
                    starts.pop();
                    start = f64::NEG_INFINITY;
                }
                parabolas.push((value, place));
                starts.push(start);
            }
        }
        let Some(&(mut height, mut apex)) = parabolas.first() else { return };
        let mut next = 1;
        for (place, out) in out.enumerate() {
            while next < starts.len() && starts[next] < place as f64 {
                (height, apex) = parabolas[next];
                next += 1;
            }
            let step = *spacing * place.abs_diff(apex) as f64;
            *out = height + step * step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every second point is wanted, and the features lie in one corner: the search gives up, or in `near` it does not.
    fn compare(feature_every: usize, is_searched: bool) {
        let (shape, spacing_mm) = ([3, 24, 31], [2.5, 0.8, 0.6]);
        let points: usize = shape.iter().product();
        let features: Vec<bool> = (0..points).map(|i| i % feature_every == 0).collect();
        let wanted: Vec<bool> = (0..points).map(|i| i % 2 == 1).collect();
        let all = squared_distances(shape, spacing_mm, &features);
        let some = by_plane(shape, spacing_mm, &features, &wanted, |_, squared| squared.to_vec()).concat();
        for index in (0..points).filter(|&i| wanted[i]) {
            assert!((all[index] - some[index]).abs() <= 1e-12 * all[index]);
        }
        let steps = steps_along_depth(&features, 24 * 31);
        let plane = Plane { steps: &steps[..24 * 31], squares: &Squares::new(shape, spacing_mm) };
        assert_eq!(plane.search(&wanted[..24 * 31], &mut vec![0.0; 24 * 31]), is_searched);
    }

    #[test]
    fn search_and_envelope_agree() {
        compare(5, true);
        compare(10_000, false);
    }

    #[test]
    fn without_features_everything_is_infinitely_far() {
        for squared in by_plane([2, 2, 2], [1.0; 3], &[false; 8], &[true; 8], |_, squared| squared.to_vec()) {
            assert!(squared.iter().all(|value| value.is_infinite()));
        }
        assert!(squared_distances([2, 2, 2], [1.0; 3], &[false; 8]).iter().all(|value| value.is_infinite()));
    }
}
