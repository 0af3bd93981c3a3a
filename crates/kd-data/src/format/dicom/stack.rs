//! Slices to stacks: which belong together, in which order, how far apart. Only positions decide: numbers that count
//! instances, slice locations and stated distances are annotation, and often wrong.

use kd_image::{Affine, Geometry};

use super::super::error::Problem;
use super::frames::{dot, minus};
use super::slice::Slice;
use super::tag;

/// Directions of slices in one stack agree within this, in each component: a rounding in the fourth decimal.
const SAME_DIRECTION: f64 = 2e-4;
/// Pixel spacings of slices in one stack agree within this share.
const SAME_SPACING: f64 = 1e-3;
/// Slices nearer than this stand at one place.
const SAME_PLACE_MM: f64 = 1e-3;
/// Stacks that lean less than this stand straight.
const STRAIGHT_DEGREES: f64 = 0.1;

/// Slices in the order of their positions, and the grid they make.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) slices: Vec<Slice>,
    pub(super) geometry: Geometry<3>,
    pub(super) tilt_degrees: f64,
}

/// Slices that make no grid, and why.
#[derive(Debug)]
pub(super) struct NoStack {
    pub(super) slices: Vec<Slice>,
    pub(super) problem: Problem,
}

/// Sorts slices into stacks. The result does not depend on the order of `slices`, apart from that of their files.
pub(super) fn stacks(mut slices: Vec<Slice>) -> Vec<Result<Stack, NoStack>> {
    slices.sort_by(|a, b| {
        a.key.cmp(&b.key).then_with(|| by_direction(a, b)).then((a.file, a.frame).cmp(&(b.file, b.frame)))
    });
    let mut groups: Vec<Vec<Slice>> = Vec::new();
    for slice in slices {
        match groups.iter_mut().find(|group| belongs(&group[0], &slice)) {
            Some(group) => group.push(slice),
            None => groups.push(vec![slice]),
        }
    }
    groups.into_iter().flat_map(split_repeats).map(stack).collect()
}

fn by_direction(a: &Slice, b: &Slice) -> std::cmp::Ordering {
    let numbers = |slice: &Slice| {
        let plane = slice.plane;
        plane.along_row.into_iter().chain(plane.down_column).chain(slice.spacing).collect::<Vec<_>>()
    };
    let pairs = numbers(a).into_iter().zip(numbers(b));
    pairs.map(|(a, b)| a.total_cmp(&b)).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}

fn belongs(a: &Slice, b: &Slice) -> bool {
    let near = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= SAME_DIRECTION);
    let same_spacing = a.spacing.iter().zip(b.spacing).all(|(a, b)| (a - b).abs() <= SAME_SPACING * a);
    a.key == b.key
        && near(a.plane.along_row, b.plane.along_row)
        && near(a.plane.down_column, b.plane.down_column)
        && same_spacing
}

/// Brings slices in order along the normal of the first.
fn ordered(slices: &mut [Slice]) -> Vec<f64> {
    let normal = slices[0].plane.normal();
    let place = |slice: &Slice| dot(slice.plane.position, normal);
    slices.sort_by(|a, b| place(a).total_cmp(&place(b)).then((a.file, a.frame).cmp(&(b.file, b.frame))));
    slices.iter().map(place).collect()
}

fn repeats(slices: &mut [Slice]) -> usize {
    ordered(slices).array_windows().filter(|&[a, b]| b - a <= SAME_PLACE_MM).count()
}

/// A group that holds several slices a place is split by acquisition, if that leaves one a place in each part.
fn split_repeats(mut group: Vec<Slice>) -> Vec<Vec<Slice>> {
    if repeats(&mut group) == 0 {
        return vec![group];
    }
    let mut parts = std::collections::BTreeMap::<_, Vec<Slice>>::new();
    for slice in &group {
        parts.entry(slice.acquisition.clone()).or_default().push(slice.clone());
    }
    let mut parts: Vec<_> = parts.into_values().collect();
    let apart = parts.len() > 1 && parts.iter_mut().all(|part| repeats(part) == 0);
    if apart { parts } else { vec![group] }
}

fn stack(mut slices: Vec<Slice>) -> Result<Stack, NoStack> {
    let places = ordered(&mut slices);
    match grid(&slices, &places) {
        Ok((geometry, tilt_degrees)) => Ok(Stack { slices, geometry, tilt_degrees }),
        Err(problem) => Err(NoStack { slices, problem: problem.inside(tag::IMAGE_POSITION) }),
    }
}

/// The grid of slices in order; `places` are their positions along the normal.
fn grid(slices: &[Slice], places: &[f64]) -> Result<(Geometry<3>, f64), Problem> {
    let (first, last) = (&slices[0], &slices[slices.len() - 1]);
    let normal = first.plane.normal();
    let step = if slices.len() == 1 {
        let thickness = first.thickness.ok_or_else(|| {
            let expected = format!("two slices or more, or one with {}", tag::SLICE_THICKNESS);
            Problem::new(expected, "one slice without")
        })?;
        normal.map(|axis| axis * thickness)
    } else {
        let tolerance = even(places)?;
        #[allow(clippy::cast_precision_loss)]
        let steps = (slices.len() - 1) as f64;
        let step = minus(last.plane.position, first.plane.position).map(|axis| axis / steps);
        for (index, slice) in slices.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)]
            let expected = step.map(|axis| axis * index as f64);
            let off = minus(minus(slice.plane.position, first.plane.position), expected);
            let off = dot(off, off).sqrt();
            if off > 2.0 * tolerance {
                return Err(Problem::new(
                    format!("slices on one line within {:.3} mm", 2.0 * tolerance),
                    format!("slice {index} of {}, {off:.3} mm off", slices.len()),
                ));
            }
        }
        step
    };
    let along_normal = dot(step, normal);
    let aside = (dot(step, step) - along_normal * along_normal).max(0.0).sqrt();
    let tilt_degrees = aside.atan2(along_normal).to_degrees();
    let plane = first.plane;
    let columns = plane.along_row.map(|axis| axis * first.spacing[1]);
    let rows = plane.down_column.map(|axis| axis * first.spacing[0]);
    let mut matrix = [[0.0; 4]; 4];
    for axis in 0..3 {
        // DICOM's x runs to the left and y to the back; ours run the other way (RAS+).
        let sign = if axis < 2 { -1.0 } else { 1.0 };
        let entries = [columns[axis], rows[axis], step[axis], plane.position[axis]];
        // Adding zero turns −0 into 0.
        matrix[axis] = entries.map(|entry| sign * entry + 0.0);
    }
    matrix[3][3] = 1.0;
    let shape = [slices.len(), first.key.rows, first.key.columns];
    let geometry = Geometry::placed(shape, Affine { matrix });
    let geometry = geometry.map_err(|error| Problem::new("slices that make a grid", error.to_string()))?;
    Ok((geometry, if tilt_degrees > STRAIGHT_DEGREES { tilt_degrees } else { 0.0 }))
}

/// Checks every gap against the median one; returns by how much a gap may differ: 1 % and 0.005 mm, as positions are
/// often rounded to hundredths.
fn even(places: &[f64]) -> Result<f64, Problem> {
    let gaps: Vec<f64> = places.array_windows().map(|&[a, b]| b - a).collect();
    let repeated = gaps.iter().filter(|&&gap| gap <= SAME_PLACE_MM).count();
    if repeated > 0 {
        return Err(Problem::new("one slice at each place", format!("{repeated} too many among {}", places.len()))
            .hint("leave out copies, or give one echo, phase or acquisition at a time"));
    }
    let mut sorted = gaps.clone();
    sorted.sort_by(f64::total_cmp);
    let median = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
    let tolerance = 0.005 + 0.01 * median;
    let Some(index) = gaps.iter().position(|gap| (gap - median).abs() > tolerance) else { return Ok(tolerance) };
    let missing = (gaps[index] / median).round();
    let problem = Problem::new(
        format!("slices every {median:.3} mm, each gap within {tolerance:.3}"),
        format!("{:.3} mm between slices {index} and {} of {}", gaps[index], index + 1, places.len()),
    );
    let whole = missing >= 2.0 && (gaps[index] - missing * median).abs() <= missing * tolerance;
    Err(if whole { problem.hint(format!("{} missing there", missing - 1.0)) } else { problem })
}
