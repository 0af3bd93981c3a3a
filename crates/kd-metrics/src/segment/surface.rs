//! Distances between the two surfaces, and what is made of them: surface Dice, Hausdorff distances, ASSD.
//!
//! One list of distances serves all of them, so it is made once per case and class. Every distance carries the area of
//! the piece of surface it was measured from: counting points instead favours whatever direction is sampled finely.

use rayon::prelude::*;

use super::cells::{Code, areas, codes};
use super::distance_transform::by_plane;
use super::masks::{BothEmpty, EmptyMasks, MaskPair};
use crate::undefined::{Score, Undefined};

/// A piece of one surface: how far away the other surface is, and how large the piece is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurfacePiece {
    /// Distance in mm to the nearest piece of the other surface.
    pub distance_mm: f64,
    /// Area in mm²; on a plane length in mm.
    pub area: f64,
}

/// The distances from each surface to the other, sorted by distance.
///
/// # Policy
/// A surface piece lies in a cell between 2 × 2 × 2 points (2 × 2 on a plane) of which some are set and some are not;
/// beyond the border of the image nothing is set, so a mask that touches the border has a surface there. Distances are
/// measured between cell middles, so they are multiples of the spacings and 0 where both surfaces run through one cell.
/// Areas are those of the triangles in the cell, in mm² with the spacing of the grid.
///
/// # Source
/// Nikolov et al. 2021 and their program surface-distance (`compute_surface_distances`).
#[derive(Debug, Clone, PartialEq)]
pub struct SurfaceDistances {
    prediction_to_truth: Vec<SurfacePiece>,
    truth_to_prediction: Vec<SurfacePiece>,
}

impl SurfaceDistances {
    /// Measures. Only the box around both masks is looked at: no nearest piece can lie outside of it.
    #[must_use]
    pub fn new(pair: &MaskPair) -> Self {
        let nothing = Self { prediction_to_truth: Vec::new(), truth_to_prediction: Vec::new() };
        let grid = pair.grid();
        let Some((low, high)) = bounding_box(pair) else { return nothing };
        let of = |mask: &[bool]| codes(mask, grid.shape3(), low, high, grid.axes());
        let (prediction, truth) = rayon::join(|| of(pair.prediction()), || of(pair.truth()));
        let layers = if grid.axes() == 3 { high[0] - low[0] + 1 } else { 1 };
        let cells = [layers, high[1] - low[1] + 1, high[2] - low[2] + 1];
        let areas = areas(grid.spacing_mm());
        let is_border = |codes: &[Code]| -> Vec<bool> {
            let full = areas.len() - 1;
            codes.iter().map(|&code| code != 0 && usize::from(code) != full).collect()
        };
        let (predicted_border, true_border) = rayon::join(|| is_border(&prediction), || is_border(&truth));
        let measure = |from: &[bool], codes: &[Code], to: &[bool]| {
            let size = cells[1] * cells[2];
            let planes = by_plane(cells, grid.spacing3_mm(), to, from, |depth, squared| {
                let here = depth * size..(depth + 1) * size;
                let border =
                    from[here.clone()].iter().zip(&codes[here]).zip(squared).filter(|((border, _), _)| **border);
                let pieces = border.map(|((_, &code), squared)| SurfacePiece {
                    distance_mm: squared.sqrt(),
                    area: areas[usize::from(code)],
                });
                pieces.collect::<Vec<_>>()
            });
            let mut pieces = planes.concat();
            // By area too: sums over equal distances must not depend on the sort. Bits of numbers from 0 up rise with them.
            pieces.sort_unstable_by_key(|piece| (piece.distance_mm.to_bits(), piece.area.to_bits()));
            pieces
        };
        let (prediction_to_truth, truth_to_prediction) = rayon::join(
            || measure(&predicted_border, &prediction, &true_border),
            || measure(&true_border, &truth, &predicted_border),
        );
        Self { prediction_to_truth, truth_to_prediction }
    }

    /// From every piece of the predicted surface; infinite where the truth is empty.
    #[must_use]
    pub fn prediction_to_truth(&self) -> &[SurfacePiece] {
        &self.prediction_to_truth
    }

    /// From every piece of the true surface; infinite where the prediction is empty.
    #[must_use]
    pub fn truth_to_prediction(&self) -> &[SurfacePiece] {
        &self.truth_to_prediction
    }

    /// What empty masks are worth as a distance; nothing where both surfaces are there.
    fn empty(&self, policy: EmptyMasks) -> Option<Score> {
        match (self.prediction_to_truth.is_empty(), self.truth_to_prediction.is_empty()) {
            (true, true) => Some(policy.both.score(0.0)),
            (true, false) => Some(policy.one.score("prediction")),
            (false, true) => Some(policy.one.score("truth")),
            (false, false) => None,
        }
    }
}

/// Surface Dice, also called normalised surface distance (NSD): the share of both surfaces, by area, that lies within
/// `tolerance_mm` of the other. 0..1, higher is better.
///
/// # Policy
/// `(area of P within + area of T within) / (area of P + area of T)`; a distance equal to the tolerance is within. The
/// tolerance is what experts differ by and belongs beside the number. One empty mask gives 0.
///
/// # Errors
/// A tolerance that is negative or not finite; two empty masks under [`BothEmpty::Undefined`].
///
/// # Source
/// Nikolov et al. 2021; surface-distance `compute_surface_dice_at_tolerance`.
///
/// # Example
/// ```
/// # use kd_metrics::{BothEmpty, Grid, MaskPair, SurfaceDistances, surface_dice};
/// let grid = Grid::volume([1, 1, 4], [1.0, 1.0, 2.0])?;
/// let pair = MaskPair::new(grid, &[true, false, false, false], &[false, true, false, false])?;
/// let distances = SurfaceDistances::new(&pair);
/// assert_eq!(surface_dice(&distances, 1.9, BothEmpty::Undefined)?, 0.5); // the face that both share
/// assert_eq!(surface_dice(&distances, 2.0, BothEmpty::Undefined)?, 1.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn surface_dice(distances: &SurfaceDistances, tolerance_mm: f64, both_empty: BothEmpty) -> Score {
    if !(tolerance_mm.is_finite() && tolerance_mm >= 0.0) {
        let expected = "finite and not negative";
        return Err(Undefined::OutOfRange { what: "tolerance in mm", expected, found: tolerance_mm });
    }
    let (mut within, mut all) = (0.0, 0.0);
    for piece in distances.prediction_to_truth.iter().chain(&distances.truth_to_prediction) {
        all += piece.area;
        if piece.distance_mm <= tolerance_mm {
            within += piece.area;
        }
    }
    if all > 0.0 { Ok(within / all) } else { both_empty.score(1.0) }
}

/// Robust Hausdorff distance in mm: the larger of the two directions' percentiles of distance, by area. HD95 is percentile
/// 95. Lower is better.
///
/// # Policy
/// Per direction the smallest distance that at least `percentile` % of the surface's area does not exceed: no
/// interpolation, and never the percentile of both directions thrown together, which is another number under the same name.
/// 100 is the Hausdorff distance.
///
/// # Errors
/// A percentile outside 0..100 (0 excluded); empty masks under the policies that refuse them.
///
/// # Source
/// surface-distance `compute_robust_hausdorff`; Huttenlocher et al. 1993.
///
/// # Example
/// ```
/// # use kd_metrics::{BothEmpty, EmptyMasks, Grid, MaskPair, OneEmpty, SurfaceDistances, hausdorff_percentile_mm};
/// let grid = Grid::plane([1, 4], [1.0, 2.5])?;
/// let pair = MaskPair::new(grid, &[true, false, false, false], &[false, false, true, false])?;
/// let empty = EmptyMasks { both: BothEmpty::Undefined, one: OneEmpty::Undefined };
/// assert_eq!(hausdorff_percentile_mm(&SurfaceDistances::new(&pair), 95.0, empty)?, 5.0);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn hausdorff_percentile_mm(distances: &SurfaceDistances, percentile: f64, empty: EmptyMasks) -> Score {
    if !(percentile > 0.0 && percentile <= 100.0) {
        let expected = "above 0 and at most 100";
        return Err(Undefined::OutOfRange { what: "percentile", expected, found: percentile });
    }
    if let Some(score) = distances.empty(empty) {
        return score;
    }
    let directed = |pieces: &[SurfacePiece]| {
        let total: f64 = pieces.iter().map(|piece| piece.area).sum();
        let mut covered = 0.0;
        let reached = pieces.iter().find(|piece| {
            covered += piece.area;
            covered / total >= percentile / 100.0
        });
        // Rounding may keep the last sum below the total.
        reached.or(pieces.last()).map_or(f64::INFINITY, |piece| piece.distance_mm)
    };
    Ok(directed(&distances.prediction_to_truth).max(directed(&distances.truth_to_prediction)))
}

/// Hausdorff distance in mm: the largest distance from either surface to the other. Lower is better.
///
/// # Policy
/// One stray point decides it; [`hausdorff_percentile_mm`] is the robust form.
///
/// # Errors
/// Empty masks under the policies that refuse them.
///
/// # Source
/// surface-distance `compute_robust_hausdorff` at 100.
///
/// # Example
/// ```
/// # use kd_metrics::{BothEmpty, EmptyMasks, Grid, MaskPair, OneEmpty, SurfaceDistances, hausdorff_mm};
/// let grid = Grid::plane([1, 4], [1.0, 2.5])?;
/// let pair = MaskPair::new(grid, &[true, false, false, false], &[true, true, false, false])?;
/// let empty = EmptyMasks { both: BothEmpty::Perfect, one: OneEmpty::Infinite };
/// assert_eq!(hausdorff_mm(&SurfaceDistances::new(&pair), empty)?, 2.5);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn hausdorff_mm(distances: &SurfaceDistances, empty: EmptyMasks) -> Score {
    if let Some(score) = distances.empty(empty) {
        return score;
    }
    let farthest = |pieces: &[SurfacePiece]| pieces.last().map_or(0.0, |piece| piece.distance_mm);
    Ok(farthest(&distances.prediction_to_truth).max(farthest(&distances.truth_to_prediction)))
}

/// Average symmetric surface distance (ASSD) in mm: the mean over both surfaces, by area. Lower is better.
///
/// # Policy
/// `Σ d a / Σ a` over the pieces of both surfaces together, so the larger surface counts for more. The mean of the two
/// directed means ([`mean_surface_distances_mm`]) is another metric (MASD).
///
/// # Errors
/// Empty masks under the policies that refuse them.
///
/// # Source
/// Heimann et al. 2009, with the areas of surface-distance `compute_average_surface_distance`.
///
/// # Example
/// ```
/// # use kd_metrics::*;
/// let grid = Grid::plane([1, 4], [1.0, 2.5])?;
/// let pair = MaskPair::new(grid, &[true, false, false, false], &[false, false, true, false])?;
/// let empty = EmptyMasks { both: BothEmpty::Undefined, one: OneEmpty::Undefined };
/// // Two of four corners of either contour are one step from the other, two are two steps.
/// assert_eq!(average_symmetric_surface_distance_mm(&SurfaceDistances::new(&pair), empty)?, 3.75);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn average_symmetric_surface_distance_mm(distances: &SurfaceDistances, empty: EmptyMasks) -> Score {
    if let Some(score) = distances.empty(empty) {
        return score;
    }
    let (from_prediction, predicted_area) = weighted_sum(&distances.prediction_to_truth);
    let (from_truth, true_area) = weighted_sum(&distances.truth_to_prediction);
    Ok((from_prediction + from_truth) / (predicted_area + true_area))
}

/// Mean distance in mm, by area, from the predicted surface to the true one and from the true one to the predicted one.
///
/// # Errors
/// An empty mask.
pub fn mean_surface_distances_mm(distances: &SurfaceDistances) -> Result<[f64; 2], Undefined> {
    let directions = [(&distances.prediction_to_truth, "prediction"), (&distances.truth_to_prediction, "truth")];
    for (pieces, which) in directions {
        if pieces.is_empty() {
            return Err(Undefined::EmptyMask { which });
        }
    }
    Ok(directions.map(|(pieces, _)| {
        let (sum, area) = weighted_sum(pieces);
        sum / area
    }))
}

/// Sum of distance times area, and sum of areas.
fn weighted_sum(pieces: &[SurfacePiece]) -> (f64, f64) {
    pieces.iter().fold((0.0, 0.0), |(sum, area), piece| (sum + piece.distance_mm * piece.area, area + piece.area))
}

/// First point and one past the last along each axis, of both masks together.
fn bounding_box(pair: &MaskPair) -> Option<([usize; 3], [usize; 3])> {
    let [_, height, width] = pair.grid().shape3();
    let rows = pair.prediction().par_chunks(width).zip(pair.truth().par_chunks(width)).enumerate();
    let boxes = rows.with_min_len(256).filter_map(|(row, (prediction, truth))| {
        let is_set = |&column: &usize| prediction[column] | truth[column];
        let (depth, line) = (row / height, row % height);
        let first = (0..width).find(is_set)?;
        let last = (first..width).rev().find(is_set)?;
        Some(([depth, line, first], [depth + 1, line + 1, last + 1]))
    });
    boxes.reduce_with(|a, b| {
        (std::array::from_fn(|axis| a.0[axis].min(b.0[axis])), std::array::from_fn(|axis| a.1[axis].max(b.1[axis])))
    })
}
