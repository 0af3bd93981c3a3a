//! Folds of training subjects for cross-fitting: who learns from whom, and who answers for whom.

use std::collections::BTreeMap;

use kd_image::{SampleId, SubjectId, Target};

use super::{SplitError, subject_folds};
use crate::digest::sha256_hex;

/// A division of training samples into folds by subject.
///
/// The teacher of fold `k` learns from all other folds and answers for fold `k`.
///
/// ```
/// use kd_data::split::Folds;
/// use kd_image::{SampleId, SubjectId, Target};
/// let ids: Vec<_> = (0..6).map(|n| SampleId::new(format!("s{n}"))).collect::<Result<_, _>>()?;
/// let subjects: Vec<_> = (0..6).map(|n| SubjectId::new(format!("p{}", n / 2))).collect::<Result<_, _>>()?;
/// let samples: Vec<_> = ids.iter().zip(&subjects).map(|(id, subject)| (id, subject, &Target::Class(0))).collect();
/// let folds = Folds::draw(&samples, 3, 0)?;
/// assert_eq!(folds.learned_by(0).len(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    n_folds: usize,
    of: Vec<usize>,
    samples: Vec<SampleId>,
}

impl Folds {
    /// Draws folds of equal shares of samples and classes; whole subjects move, as in [`subject_folds`].
    ///
    /// # Errors
    /// [`SplitError::TooFew`] for fewer than two folds, or fewer subjects than folds.
    pub fn draw(samples: &[(&SampleId, &SubjectId, &Target)], n_folds: usize, seed: u64) -> Result<Self, SplitError> {
        let subjects: Vec<(&SubjectId, &Target)> =
            samples.iter().map(|(_, subject, target)| (*subject, *target)).collect();
        let of = subject_folds(&subjects, n_folds, seed)?;
        Ok(Self { n_folds, of, samples: samples.iter().map(|(sample, ..)| (*sample).clone()).collect() })
    }

    /// How many there are.
    #[must_use]
    pub fn n_folds(&self) -> usize {
        self.n_folds
    }

    /// Places, in the order given to [`draw`](Self::draw), of the samples that a fold's teacher learns from.
    #[must_use]
    pub fn learned_by(&self, fold: usize) -> Vec<usize> {
        (0..self.of.len()).filter(|&place| self.of[place] != fold).collect()
    }

    /// The fold of each sample.
    #[must_use]
    pub fn fold_of(&self) -> BTreeMap<SampleId, usize> {
        self.samples.iter().cloned().zip(self.of.iter().copied()).collect()
    }

    /// The number of folds and a hash of who is in which: what a store of answers is keyed by.
    #[must_use]
    pub fn key(&self) -> String {
        let rows: String = self.fold_of().iter().map(|(sample, fold)| format!("{fold} {sample}\n")).collect();
        format!("{} {}", self.n_folds, sha256_hex(rows.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> (Folds, Vec<SubjectId>) {
        let ids: Vec<SampleId> = (0..40).map(|n| SampleId::new(format!("s{n:02}")).unwrap()).collect();
        let subjects: Vec<SubjectId> = (0..40).map(|n| SubjectId::new(format!("p{}", n / 3)).unwrap()).collect();
        let targets: Vec<Target> = (0..40).map(|n| Target::Class(n % 2)).collect();
        let samples: Vec<_> = (0..40).map(|n| (&ids[n], &subjects[n], &targets[n])).collect();
        (Folds::draw(&samples, 4, seed).unwrap(), subjects)
    }

    #[test]
    fn no_teacher_learns_from_a_subject_that_it_answers_for() {
        let (folds, subjects) = drawn(1);
        for fold in 0..4 {
            let learned = folds.learned_by(fold);
            let answered: Vec<usize> = (0..40).filter(|place| !learned.contains(place)).collect();
            assert!(!answered.is_empty());
            for place in answered {
                assert!(learned.iter().all(|&other| subjects[other] != subjects[place]), "{place}");
            }
        }
    }

    #[test]
    fn every_sample_is_answered_for_once() {
        let (folds, _) = drawn(1);
        let learned: usize = (0..4).map(|fold| folds.learned_by(fold).len()).sum();
        assert_eq!(learned, 3 * 40);
        assert_eq!(folds.fold_of().len(), 40);
    }

    #[test]
    fn another_draw_has_another_key() {
        assert_eq!(drawn(1).0.key(), drawn(1).0.key());
        assert_ne!(drawn(1).0.key(), drawn(2).0.key());
        assert!(drawn(1).0.key().starts_with("4 "));
    }
}
