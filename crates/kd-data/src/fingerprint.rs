//! What decides how a set with masks is prepared: sizes, spacings and values of its training cases.

use std::collections::BTreeSet;

use kd_image::{SampleId, Split};
use rayon::prelude::*;
use serde::Serialize;

use crate::decode::{DecodeError, MaskedDataset, ReadMasked};
use crate::split::SplitTable;

/// Foreground values taken from one case at most, evenly over it.
const VALUES_A_CASE: usize = 10_000;

/// Facts of the training cases of a set with masks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fingerprint {
    /// Points of each case along each axis, slowest first.
    pub shapes: Vec<Vec<usize>>,
    /// Distance of points of each case in mm; none where a case or more does not know it.
    pub spacings_mm: Option<Vec<Vec<f64>>>,
    /// The 0.5th and 99.5th percentile of foreground values of the first channel; none without foreground.
    pub foreground: Option<[f64; 2]>,
    /// Share of the points that are foreground.
    pub foreground_share: f64,
}

impl Fingerprint {
    /// Reads the training cases of a set, as a split table has them.
    ///
    /// # Policy
    /// Test and validation cases are not looked at. At most 10,000 foreground values of a case count, taken evenly, so
    /// that large objects do not outweigh small ones by much.
    ///
    /// # Errors
    /// [`DecodeError`] for the first case, by name, that cannot be read.
    pub fn of<const D: usize>(set: &MaskedDataset<D>, table: &SplitTable) -> Result<Self, DecodeError>
    where
        MaskedDataset<D>: ReadMasked<D>,
    {
        let learned: BTreeSet<&SampleId> =
            table.rows().iter().filter(|row| row.split == Split::Train).map(|row| &row.sample).collect();
        let training: Vec<usize> =
            (0..set.records().len()).filter(|n| learned.contains(&set.records()[*n].sample)).collect();
        let facts: Vec<Result<CaseFacts, DecodeError>> =
            training.into_par_iter().map(|n| Ok(CaseFacts::of(&set.read(n)?))).collect();
        let facts = facts.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut values: Vec<f32> = facts.iter().flat_map(|case| case.foreground.iter().copied()).collect();
        values.sort_by(f32::total_cmp);
        let percentile = |share: f64| f64::from(values[(share * (values.len() - 1) as f64).round() as usize]);
        let (inside, all) = facts.iter().fold((0, 0), |(inside, all), case| (inside + case.inside, all + case.points));
        Ok(Self {
            foreground: (!values.is_empty()).then(|| [percentile(0.005), percentile(0.995)]),
            foreground_share: inside as f64 / all.max(1) as f64,
            spacings_mm: facts.iter().map(|case| case.spacing_mm.clone()).collect(),
            shapes: facts.into_iter().map(|case| case.shape).collect(),
        })
    }

    /// The median spacing along each axis, and whether all cases have it within a hundredth.
    #[must_use]
    pub fn median_spacing_mm(&self) -> Option<(Vec<f64>, bool)> {
        let spacings = self.spacings_mm.as_ref().filter(|spacings| !spacings.is_empty())?;
        let medians: Vec<f64> = (0..spacings[0].len())
            .map(|axis| median(spacings.iter().map(|mm| mm[axis]).collect(), f64::total_cmp))
            .collect();
        let is_near = |mm: &Vec<f64>| mm.iter().zip(&medians).all(|(mm, median)| (mm - median).abs() <= 0.01 * median);
        let uniform = spacings.iter().all(is_near);
        Some((medians, uniform))
    }

    /// Median and largest number of points along each axis, on grids of the spacing given; none keeps the cases' own.
    #[must_use]
    pub fn shape_at(&self, spacing_mm: Option<&[f64]>) -> [Vec<usize>; 2] {
        let resampled = |(n, shape): (usize, &Vec<usize>)| -> Vec<usize> {
            let (Some(target), Some(own)) = (spacing_mm, &self.spacings_mm) else { return shape.clone() };
            let axes = shape.iter().zip(&own[n]).zip(target);
            axes.map(|((&points, own), target)| ((points as f64 * own / target).round() as usize).max(1)).collect()
        };
        let shapes: Vec<Vec<usize>> = self.shapes.iter().enumerate().map(resampled).collect();
        let along = |axis: usize| shapes.iter().map(|shape| shape[axis]).collect::<Vec<_>>();
        let axes = 0..shapes.first().map_or(0, Vec::len);
        let medians = axes.clone().map(|axis| median(along(axis), usize::cmp)).collect();
        [medians, axes.map(|axis| along(axis).into_iter().max().unwrap_or(0)).collect()]
    }
}

struct CaseFacts {
    shape: Vec<usize>,
    spacing_mm: Option<Vec<f64>>,
    foreground: Vec<f32>,
    inside: u64,
    points: u64,
}

impl CaseFacts {
    fn of<const D: usize>(case: &crate::decode::MaskedSample<D>) -> Self {
        let grid = case.image.geometry();
        let labels = case.labels.labels();
        let is_inside = |label: &u16| *label != 0 && *label != kd_image::IGNORED;
        let inside = labels.iter().filter(|label| is_inside(label)).count();
        let values = case.image.channel(0).iter().zip(labels).filter(|(_, label)| is_inside(label));
        Self {
            shape: grid.shape().to_vec(),
            spacing_mm: grid.spacing_mm().map(|mm| mm.to_vec()),
            foreground: values.map(|(value, _)| *value).step_by(inside.div_ceil(VALUES_A_CASE).max(1)).collect(),
            inside: inside as u64,
            points: labels.len() as u64,
        }
    }
}

/// The middle of some values, the lower one of two.
fn median<T: Copy>(mut values: Vec<T>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> T {
    values.sort_by(order);
    values[(values.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shapes: &[[usize; 3]], spacings: Option<&[[f64; 3]]>) -> Fingerprint {
        Fingerprint {
            shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
            spacings_mm: spacings.map(|spacings| spacings.iter().map(|mm| mm.to_vec()).collect()),
            foreground: None,
            foreground_share: 0.0,
        }
    }

    #[test]
    fn medians_are_of_each_axis_and_grids_follow_the_spacing() {
        let found = of(
            &[[10, 100, 100], [30, 90, 120], [20, 110, 80]],
            Some(&[[5.0, 1.0, 1.0], [2.5, 1.0, 0.5], [4.0, 1.0, 1.0]]),
        );
        assert_eq!(found.median_spacing_mm(), Some((vec![4.0, 1.0, 1.0], false)));
        assert_eq!(found.shape_at(None), [vec![20, 100, 100], vec![30, 110, 120]]);
        // 12.5, 18.75 and 20 slices; 60 columns of half a millimetre's distance.
        assert_eq!(found.shape_at(Some(&[4.0, 1.0, 1.0])), [vec![19, 100, 80], vec![20, 110, 100]]);
    }

    #[test]
    fn one_spacing_is_told_apart_from_several_and_from_none() {
        let shapes = [[8, 8, 8], [8, 8, 8]];
        let near = of(&shapes, Some(&[[2.0, 1.0, 1.0], [2.01, 1.0, 1.0]]));
        assert_eq!(near.median_spacing_mm(), Some((vec![2.0, 1.0, 1.0], true)));
        assert_eq!(of(&shapes, None).median_spacing_mm(), None);
        assert_eq!(of(&shapes, None).shape_at(Some(&[1.0; 3])), [vec![8; 3], vec![8; 3]]);
    }
}
