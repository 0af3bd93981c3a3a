//! Dividing subjects so that every part holds its share of every class.

use std::collections::BTreeMap;

use kd_image::{Split, SubjectId, Target};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

use super::SplitError;
use crate::manifest::SplitShares;

/// A subject and what it brings: images in all, and images a stratum.
struct Weight {
    images: f64,
    strata: BTreeMap<Stratum, f64>,
}

/// What is kept in proportion: a class, each positive label, no label at all, unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stratum {
    Class(usize),
    AllNegative,
    Unknown,
}

fn strata(target: &Target) -> Vec<Stratum> {
    match target {
        Target::Class(class) => vec![Stratum::Class(usize::from(*class))],
        Target::Labels(labels) => {
            let present: Vec<_> =
                labels.iter().enumerate().filter(|(_, on)| **on).map(|(n, _)| Stratum::Class(n)).collect();
            if present.is_empty() { vec![Stratum::AllNegative] } else { present }
        }
        Target::Unlabelled => vec![Stratum::Unknown],
    }
}

/// Divides samples into train, val and test.
///
/// # Policy
/// Subjects are sorted by id, shuffled (ChaCha8 by `seed`), taken from those with many images to those with few (by
/// powers of two), and each goes where its images and its strata are fewest relative to the share: a class for
/// single-label tasks, each present label for multi-label ones. A class with fewer subjects than splits can be missing
/// from one of them.
///
/// # Errors
/// [`SplitError::TooFew`] below three subjects.
///
/// # Example
/// ```
/// use kd_data::{manifest::SplitShares, split::subject_split};
/// use kd_image::{SubjectId, Target};
/// let subjects: Vec<_> = (0..10).map(|n| SubjectId::new(format!("p{n}"))).collect::<Result<_, _>>()?;
/// let samples: Vec<_> = subjects.iter().map(|subject| (subject, &Target::Class(0))).collect();
/// let splits = subject_split(&samples, SplitShares::new(0.6, 0.2, 0.2)?, 7)?;
/// assert_eq!(splits.iter().filter(|split| split.name() == "train").count(), 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn subject_split(
    samples: &[(&SubjectId, &Target)],
    shares: SplitShares,
    seed: u64,
) -> Result<Vec<Split>, SplitError> {
    let parts = divide(samples, &shares.as_array(), "split", seed, "split into train, val and test")?;
    Ok(samples.iter().map(|(subject, _)| Split::ALL[parts[*subject]]).collect())
}

/// Divides samples into `folds` parts of equal shares; gives the part of each sample, counted from 0.
///
/// # Policy
/// As [`subject_split`].
///
/// # Errors
/// [`SplitError::TooFew`] when there are fewer subjects than folds, or fewer than two folds.
pub fn subject_folds(samples: &[(&SubjectId, &Target)], folds: usize, seed: u64) -> Result<Vec<usize>, SplitError> {
    if folds < 2 {
        return Err(SplitError::TooFew { purpose: "cross-fit: two folds are the fewest", expected: 2, found: folds });
    }
    let shares = vec![1.0; folds];
    let parts = divide(samples, &shares, "folds", seed, "make the folds")?;
    Ok(samples.iter().map(|(subject, _)| parts[*subject]).collect())
}

/// Chooses the training samples whose labels a student may see; true where the label stays.
///
/// # Policy
/// `fraction` is a share of the labelled *samples*; whole subjects are chosen, stratified as in [`subject_split`]. Each
/// stratum keeps at least one subject: the one with fewest images is added where the draw left none. Samples without a
/// label are never chosen.
///
/// # Errors
/// [`SplitError::Fraction`] outside of (0, 1], [`SplitError::TooFew`] when no sample has a label.
pub fn label_subset(samples: &[(&SubjectId, &Target)], fraction: f64, seed: u64) -> Result<Vec<bool>, SplitError> {
    if !(fraction > 0.0 && fraction <= 1.0) {
        return Err(SplitError::Fraction { found: fraction });
    }
    let has_label = |target: &Target| *target != Target::Unlabelled;
    let labelled: Vec<_> = samples.iter().copied().filter(|(_, target)| has_label(target)).collect();
    if labelled.is_empty() {
        return Err(SplitError::TooFew { purpose: "choose labels from", expected: 1, found: 0 });
    }
    let n_subjects = weights(&labelled).len();
    if fraction >= 1.0 || n_subjects == 1 {
        return Ok(samples.iter().map(|(_, target)| has_label(target)).collect());
    }
    let mut parts = divide(&labelled, &[fraction, 1.0 - fraction], "labels", seed, "choose labels from")?;
    let weights = weights(&labelled);
    let mut all: Vec<Stratum> = weights.values().flat_map(|weight| weight.strata.keys().copied()).collect();
    all.sort_unstable();
    all.dedup();
    for stratum in all {
        let holders = || weights.iter().filter(|(_, weight)| weight.strata.contains_key(&stratum));
        if !holders().any(|(subject, _)| parts[subject] == 0) {
            let fewest = holders().min_by(|(_, a), (_, b)| a.images.total_cmp(&b.images));
            if let Some((subject, _)) = fewest {
                parts.insert(subject, 0);
            }
        }
    }
    Ok(samples.iter().map(|(subject, target)| has_label(target) && parts.get(*subject) == Some(&0)).collect())
}

fn weights<'a>(samples: &[(&'a SubjectId, &Target)]) -> BTreeMap<&'a SubjectId, Weight> {
    let mut weights: BTreeMap<&SubjectId, Weight> = BTreeMap::new();
    for (subject, target) in samples {
        let weight = weights.entry(subject).or_insert_with(|| Weight { images: 0.0, strata: BTreeMap::new() });
        weight.images += 1.0;
        for stratum in strata(target) {
            *weight.strata.entry(stratum).or_default() += 1.0;
        }
    }
    weights
}

/// The part of each subject. A subject goes where its images and strata, each relative to its share, are fewest.
fn divide<'a>(
    samples: &[(&'a SubjectId, &Target)],
    shares: &[f64],
    purpose: &str,
    seed: u64,
    task: &'static str,
) -> Result<BTreeMap<&'a SubjectId, usize>, SplitError> {
    let weights = weights(samples);
    if weights.len() < shares.len() {
        return Err(SplitError::TooFew { purpose: task, expected: shares.len(), found: weights.len() });
    }
    let whole: f64 = shares.iter().sum();
    let mut totals: BTreeMap<Stratum, f64> = BTreeMap::new();
    for (stratum, n) in weights.values().flat_map(|weight| &weight.strata) {
        *totals.entry(*stratum).or_default() += n;
    }
    let images: f64 = weights.values().map(|weight| weight.images).sum();
    let mut have: Vec<(f64, BTreeMap<Stratum, f64>)> = vec![(0.0, BTreeMap::new()); shares.len()];
    let mut order: Vec<(&&SubjectId, &Weight)> = weights.iter().collect();
    order.shuffle(&mut rng(purpose, seed));
    // Large subjects first, so that small ones even out; by powers of two, so that the seed still has its say.
    order.sort_by_key(|(_, weight)| std::cmp::Reverse((weight.images as usize).ilog2()));
    let mut parts = BTreeMap::new();
    for (subject, weight) in order {
        // How full a part would be, relative to its share, with half of the subject in it (Sainte-Lague's rule: a part
        // of 5 % gets large and small subjects as often as one of 95 % does).
        let fullness = |part: usize| {
            let share = shares[part] / whole;
            let of_images = weight.images / images * (have[part].0 + weight.images / 2.0) / (share * images);
            let of_strata = weight.strata.iter().map(|(stratum, n)| {
                let held = have[part].1.get(stratum).copied().unwrap_or_default();
                n / totals[stratum] * (held + n / 2.0) / (share * totals[stratum])
            });
            of_images + of_strata.sum::<f64>()
        };
        let mut best = (0, fullness(0));
        for part in 1..shares.len() {
            let found = fullness(part);
            if found < best.1 {
                best = (part, found);
            }
        }
        let (part, _) = best;
        have[part].0 += weight.images;
        for (stratum, n) in &weight.strata {
            *have[part].1.entry(*stratum).or_default() += n;
        }
        parts.insert(*subject, part);
    }
    Ok(parts)
}

/// Draws for different purposes must not move together when they are given the same seed.
fn rng(purpose: &str, seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(Sha256::digest(format!("{purpose}:{seed}").as_bytes()).into())
}
