//! The one place where random streams are derived.
//!
//! Every random decision has a stream of its own, keyed by the experiment's seed, a purpose and up to two numbers or a
//! name. A resumed run therefore needs no generator state: it derives the same stream again. Burn's own generator is
//! process-wide and cannot be saved, so nothing in training uses it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// What a random stream is for; streams of different purposes are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial parameters of a network.
    Initialize,
    /// The order of samples in an epoch.
    Order,
    /// What augmentation does to one view of one sample.
    Augment,
    /// Choosing which samples keep their labels.
    LabelSubset,
    /// Which positions a student must fill in.
    Mask,
    /// What a peer is made from that learns beside a student.
    Peer,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Order => "order",
            Self::Augment => "augment",
            Self::LabelSubset => "label-subset",
            Self::Mask => "mask",
            Self::Peer => "peer",
        }
    }
}

/// The random stream for `(seed, purpose, number, name)`.
///
/// # Example
/// ```
/// use kd_core::{Purpose, stream};
/// use rand_chacha::rand_core::Rng;
/// let first = stream(7, Purpose::Order, 0, "").next_u64();
/// assert_eq!(first, stream(7, Purpose::Order, 0, "").next_u64());
/// assert_ne!(first, stream(7, Purpose::Order, 1, "").next_u64());
/// ```
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, number: u64, name: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(number.to_le_bytes());
    hash.update([u8::try_from(purpose.name().len()).unwrap_or(u8::MAX)]);
    hash.update(purpose.name());
    hash.update(name);
    ChaCha8Rng::from_seed(hash.finalize().into())
}

/// The seed that the peer of a student starts from: [`Guide::Peer`](crate::train::Guide::Peer).
#[must_use]
pub fn peer_seed(seed: u64) -> u64 {
    use rand_chacha::rand_core::Rng;
    stream(seed, Purpose::Peer, 0, "").next_u64()
}

/// A number in `0..n` without modulo bias, and 0 for `n` = 0.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    use rand_chacha::rand_core::Rng;
    let n = n as u64;
    if n == 0 {
        return 0;
    }
    // Values under 2^64 mod n would make small numbers likelier, so they are drawn again.
    let reject = n.wrapping_neg() % n;
    loop {
        let drawn = rng.next_u64();
        if drawn >= reject {
            return usize::try_from(drawn % n).unwrap_or(0);
        }
    }
}

/// A number in `[0, 1)` with 53 random bits.
pub(crate) fn unit(rng: &mut ChaCha8Rng) -> f64 {
    use rand_chacha::rand_core::Rng;
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    let bits = (rng.next_u64() >> 11) as f64;
    bits / 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_range_is_drawn_evenly() {
        let mut rng = stream(1, Purpose::Order, 0, "");
        let mut counts = [0u32; 3];
        for _ in 0..30_000 {
            counts[below(&mut rng, 3)] += 1;
        }
        // Standard deviation of each count is 82.
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 400), "{counts:?}");
    }

    #[test]
    fn unit_draws_stay_below_one_and_average_a_half() {
        let mut rng = stream(1, Purpose::Augment, 0, "a");
        let draws: Vec<f64> = (0..10_000).map(|_| unit(&mut rng)).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        // Standard error is .0029.
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
    }

    #[test]
    fn names_and_purposes_have_streams_of_their_own() {
        use rand_chacha::rand_core::Rng;
        let draw = |purpose, name| stream(3, purpose, 1, name).next_u64();
        assert_ne!(draw(Purpose::Augment, "a"), draw(Purpose::Augment, "b"));
        assert_ne!(draw(Purpose::Augment, "a"), draw(Purpose::Initialize, "a"));
    }
}
