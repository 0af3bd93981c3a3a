//! What is in a set with masks, or of volumes without: sizes, spacings, numbers, and how rare each class is, for people before they train.

use std::collections::{BTreeMap, BTreeSet};

use kd_image::{Image, LabelMap, Split};
use rayon::prelude::*;
use serde::Serialize;

use crate::decode::{DecodeError, MaskRecord, MaskedDataset, ReadMasked, VolumeDataset};
use crate::manifest::Manifest;

/// The result of `kd data describe` for a set with masks, or of volumes without.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MaskDescription {
    /// Version of this structure.
    pub schema: u32,
    /// The data set.
    pub dataset: String,
    /// The name that people read.
    pub title: String,
    /// The task's name.
    pub task: &'static str,
    /// SPDX identifier.
    pub license: String,
    /// Channels of every image.
    pub channels: usize,
    /// What a number means.
    pub intensity: &'static str,
    /// Cases.
    pub cases: usize,
    /// Subjects.
    pub subjects: usize,
    /// Cases by split, `all` where the files hold none.
    pub splits: BTreeMap<String, usize>,
    /// Smallest and largest number of points, each axis by itself, slowest first.
    pub shape: [Vec<usize>; 2],
    /// Smallest and largest spacing, each axis by itself; none when one case or more has none.
    pub spacing_mm: Option<[Vec<f64>; 2]>,
    /// Cases by orientation (`LPS`), `unknown` where the files do not say it.
    pub orientations: BTreeMap<String, usize>,
    /// Smallest and largest value.
    pub range: [f64; 2],
    /// Mean of all values.
    pub mean: f64,
    /// Every class in the order of its labels; none where there are no masks.
    pub classes: Vec<ClassFacts>,
    /// Traps, from the manifest.
    pub notes: Vec<String>,
}

/// How often a class occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassFacts {
    /// Its name.
    pub name: String,
    /// Points in all masks.
    pub points: u64,
    /// Cases with at least one.
    pub cases: usize,
}

/// One case, counted.
struct CaseFacts<const D: usize> {
    shape: [usize; D],
    spacing_mm: Option<[f64; D]>,
    orientation: String,
    range: [f64; 2],
    sum: f64,
    values: usize,
    points: Vec<u64>,
}

/// Reads a data set with masks and counts.
///
/// # Errors
/// [`DecodeError`] for the first case, by name, that cannot be read.
pub fn describe_masked<const D: usize>(set: &MaskedDataset<D>) -> Result<MaskDescription, DecodeError>
where
    MaskedDataset<D>: ReadMasked<D>,
{
    let n_classes = set.manifest().classes.len();
    let facts = (0..set.records().len()).into_par_iter().map(|n| {
        let case = set.read(n)?;
        Ok(facts_of(&case.image, Some(&case.labels), n_classes))
    });
    let facts: Vec<Result<CaseFacts<D>, DecodeError>> = facts.collect();
    Ok(description(set.manifest(), set.records(), &facts.into_iter().collect::<Result<Vec<_>, _>>()?))
}

/// Reads a data set of volumes without masks and counts.
///
/// # Errors
/// [`DecodeError`] for the first case, by name, that cannot be read.
pub fn describe_volumes(set: &VolumeDataset) -> Result<MaskDescription, DecodeError> {
    let facts = (0..set.records().len()).into_par_iter().map(|n| Ok(facts_of(&set.read(n)?, None, 0)));
    let facts: Vec<Result<CaseFacts<3>, DecodeError>> = facts.collect();
    Ok(description(set.manifest(), set.records(), &facts.into_iter().collect::<Result<Vec<_>, _>>()?))
}

fn description<const D: usize>(manifest: &Manifest, records: &[MaskRecord], facts: &[CaseFacts<D>]) -> MaskDescription {
    let mut splits = BTreeMap::new();
    for record in records {
        *splits.entry(record.split.map_or("all", Split::name).to_owned()).or_default() += 1;
    }
    let mut orientations = BTreeMap::new();
    for case in facts {
        *orientations.entry(case.orientation.clone()).or_default() += 1;
    }
    let axis = |pick: fn(usize, usize) -> usize, axis: usize| facts.iter().map(|case| case.shape[axis]).reduce(pick);
    let sides = |pick| (0..D).filter_map(|n| axis(pick, n)).collect();
    let spacings: Option<Vec<[f64; D]>> = facts.iter().map(|case| case.spacing_mm).collect();
    let spacing = |pick: fn(f64, f64) -> f64| {
        let of = |axis: usize| spacings.iter().flatten().map(|mm| mm[axis]).reduce(pick);
        (0..D).filter_map(of).collect::<Vec<f64>>()
    };
    let class = |(n, name): (usize, &String)| ClassFacts {
        name: name.clone(),
        points: facts.iter().map(|case| case.points[n]).sum(),
        cases: facts.iter().filter(|case| case.points[n] > 0).count(),
    };
    let subjects: BTreeSet<&str> = records.iter().map(|record| record.subject.as_str()).collect();
    MaskDescription {
        schema: 1,
        dataset: manifest.name.to_string(),
        title: manifest.title.clone(),
        task: manifest.task.name(),
        license: manifest.license.spdx.clone(),
        channels: manifest.image.channels,
        intensity: manifest.image.intensity.name(),
        cases: facts.len(),
        subjects: subjects.len(),
        splits,
        shape: [sides(usize::min), sides(usize::max)],
        spacing_mm: spacings.is_some().then(|| [spacing(f64::min), spacing(f64::max)]),
        orientations,
        range: [
            facts.iter().map(|case| case.range[0]).fold(f64::INFINITY, f64::min),
            facts.iter().map(|case| case.range[1]).fold(f64::NEG_INFINITY, f64::max),
        ],
        mean: facts.iter().map(|case| case.sum).sum::<f64>()
            / facts.iter().map(|case| case.values).sum::<usize>() as f64,
        classes: manifest.classes.iter().enumerate().map(class).collect(),
        notes: manifest.notes.clone(),
    }
}

fn facts_of<const D: usize>(image: &Image<D>, labels: Option<&LabelMap<D>>, n_classes: usize) -> CaseFacts<D> {
    let grid = image.geometry();
    let mut points = vec![0; n_classes];
    for label in labels.iter().flat_map(|labels| labels.labels()) {
        points[usize::from(*label)] += 1;
    }
    let values = image.values().iter().map(|&value| f64::from(value));
    let (low, high, sum) = values.fold((f64::INFINITY, f64::NEG_INFINITY, 0.0), |(low, high, sum), value| {
        (value.min(low), value.max(high), sum + value)
    });
    CaseFacts {
        shape: grid.shape(),
        spacing_mm: grid.spacing_mm(),
        orientation: grid.orientation().map_or_else(|| "unknown".into(), |letters| letters.to_string()),
        range: [low, high],
        sum,
        values: image.values().len(),
        points,
    }
}
