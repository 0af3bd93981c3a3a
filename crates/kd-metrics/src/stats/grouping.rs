//! Which samples belong to the same subject.
//!
//! Two images of one patient are not two observations. Every interval and test here that resamples takes a [`Grouping`] and
//! draws whole subjects, so that the unit of independence is written where the number is made.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;

use crate::undefined::Undefined;

/// Samples by subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    /// Sample indices, subject by subject.
    members: Vec<usize>,
    /// Where each subject starts in `members`, with the end as the last entry.
    starts: Vec<usize>,
}

impl Grouping {
    /// Groups samples by a key: a subject id, a group number, a hash.
    ///
    /// # Shapes
    /// One key per sample. Subjects are in the order of their keys, samples in their own order within each.
    ///
    /// # Errors
    /// No samples.
    ///
    /// # Example
    /// ```
    /// let grouping = kd_metrics::Grouping::new(&["anna", "bert", "anna"])?;
    /// assert_eq!(grouping.subjects(), 2);
    /// assert_eq!(grouping.samples_of(0), [0, 2]);
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn new<K: Ord>(keys: &[K]) -> Result<Self, Undefined> {
        if keys.is_empty() {
            return Err(Undefined::NoSamples);
        }
        let mut subjects: BTreeMap<&K, Vec<usize>> = BTreeMap::new();
        for (sample, key) in keys.iter().enumerate() {
            subjects.entry(key).or_default().push(sample);
        }
        let mut grouping = Self { members: Vec::with_capacity(keys.len()), starts: vec![0] };
        for samples in subjects.into_values() {
            grouping.members.extend(samples);
            grouping.starts.push(grouping.members.len());
        }
        Ok(grouping)
    }

    /// Every sample is a subject of its own.
    ///
    /// # Errors
    /// No samples.
    pub fn each_sample(samples: usize) -> Result<Self, Undefined> {
        if samples == 0 {
            return Err(Undefined::NoSamples);
        }
        Ok(Self { members: (0..samples).collect(), starts: (0..=samples).collect() })
    }

    /// Number of subjects.
    #[must_use]
    pub fn subjects(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.members.len()
    }

    /// The samples of a subject.
    ///
    /// # Panics
    /// A subject that is not below [`Self::subjects`].
    #[must_use]
    pub fn samples_of(&self, subject: usize) -> &[usize] {
        &self.members[self.starts[subject]..self.starts[subject + 1]]
    }

    /// All samples without those of one subject.
    pub(crate) fn without(&self, subject: usize) -> Vec<usize> {
        let (start, end) = (self.starts[subject], self.starts[subject + 1]);
        [&self.members[..start], &self.members[end..]].concat()
    }

    /// All samples in their own order.
    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.samples()).collect()
    }

    /// The samples of as many subjects as there are, drawn with replacement.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(self.samples() + self.samples() / 8);
        for _ in 0..self.subjects() {
            drawn.extend_from_slice(self.samples_of(below(self.subjects(), rng)));
        }
        drawn
    }
}

/// A uniform index; through `u64`, so that a 32-bit machine draws the same.
pub(crate) fn below(count: usize, rng: &mut ChaCha8Rng) -> usize {
    rng.random_range(0..count as u64) as usize
}

/// The generator of one draw. Every draw has a stream of its own, so the draws can run on any number of threads.
pub(crate) fn draw_rng(seed: u64, draw: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(draw as u64);
    rng
}
