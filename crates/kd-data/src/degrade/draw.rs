//! Random numbers of one realisation: a ChaCha stream of its own for each kind, seed, sample and view, so that images
//! can be degraded in any order and on any number of threads.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, Poisson, StandardNormal};
use sha2::{Digest, Sha256};

use super::DegradeKey;

pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of a key; its state is a hash, so neighbouring seeds and views have nothing in common.
    pub(super) fn new(key: DegradeKey<'_>, kind: &str) -> Self {
        let mut hash = Sha256::new();
        for text in [kind, key.sample.as_str()] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(key.seed.to_le_bytes());
        hash.update(key.view.to_le_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// Mean 0, standard deviation 1.
    pub(super) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// A count of that mean; 0 for a mean that is no positive number.
    pub(super) fn poisson(&mut self, mean: f64) -> f64 {
        Poisson::new(mean).map_or(0.0, |counts| counts.sample(&mut self.0))
    }

    /// Evenly in `0..1`.
    pub(super) fn share(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (-53f64).exp2()
    }

    /// Evenly in `-most..most`.
    pub(super) fn either_way(&mut self, most: f64) -> f64 {
        most * (2.0 * self.share() - 1.0)
    }

    /// `count` of the numbers `0..of`, each as likely as any other, in order; all of them where `count` is larger.
    pub(super) fn some_of(&mut self, count: usize, of: usize) -> Vec<usize> {
        // Fisher and Yates, stopped after the first `count`.
        let mut numbers: Vec<usize> = (0..of).collect();
        let count = count.min(of);
        for place in 0..count {
            let left = of - place;
            let other = place + ((self.share() * left as f64) as usize).min(left - 1);
            numbers.swap(place, other);
        }
        numbers.truncate(count);
        numbers.sort_unstable();
        numbers
    }
}
