//! Which samples come when: a permutation per epoch, cut into batches of nearly equal size.

use crate::seed::below;
use crate::{Purpose, stream};

/// The order of `n` samples in an epoch, a function of the seed and the epoch alone.
///
/// # Source
/// Fisher and Yates (1938), in Durstenfeld's form (1964), from a ChaCha stream without modulo bias.
///
/// # Example
/// ```
/// use kd_core::train::epoch_order;
/// let order = epoch_order(5, 0, 3);
/// assert_eq!(order, epoch_order(5, 0, 3));
/// let mut sorted = order;
/// sorted.sort_unstable();
/// assert_eq!(sorted, [0, 1, 2]);
/// ```
#[must_use]
pub fn epoch_order(seed: u64, epoch: usize, n: usize) -> Vec<usize> {
    let mut rng = stream(seed, Purpose::Order, epoch as u64, "");
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        order.swap(last, below(&mut rng, last + 1));
    }
    order
}

/// Cuts an order into the fewest batches of at most `batch_size`, whose sizes differ by one at most.
///
/// # Policy
/// No sample is dropped and no small rest is left over: a rest of one would give batch normalisation nothing to
/// normalise by, and would weigh its sample far more than the others.
///
/// # Example
/// ```
/// let order = [4, 2, 0, 1, 3];
/// let sizes: Vec<usize> = kd_core::train::batches(&order, 4).iter().map(|batch| batch.len()).collect();
/// assert_eq!(sizes, [2, 3]);
/// ```
#[must_use]
pub fn batches(order: &[usize], batch_size: usize) -> Vec<&[usize]> {
    let n_batches = order.len().div_ceil(batch_size.max(1));
    (0..n_batches).map(|batch| &order[batch * order.len() / n_batches..(batch + 1) * order.len() / n_batches]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn epochs_and_seeds_have_orders_of_their_own() {
        assert_ne!(epoch_order(1, 0, 50), epoch_order(1, 1, 50));
        assert_ne!(epoch_order(1, 0, 50), epoch_order(2, 0, 50));
    }

    proptest! {
        #[test]
        fn batches_hold_every_sample_once_and_differ_by_one_at_most(n in 1usize..300, size in 1usize..40) {
            let order = epoch_order(9, 3, n);
            let cut = batches(&order, size);
            let sizes: Vec<usize> = cut.iter().map(|batch| batch.len()).collect();
            prop_assert!(sizes.iter().all(|&len| len <= size));
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            prop_assert_eq!(cut.concat(), order.clone());
            prop_assert_eq!(cut.len(), n.div_ceil(size));
        }
    }
}
