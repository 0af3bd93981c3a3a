//! Early exits: what a student would answer from the features at one of its taps.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::TapsError;
use crate::loss::feature::{Projection, Tap};

/// A head on the features at a tap: trained with the student, and left behind with the run.
///
/// An answer without spatial axes is a linear map of the features' mean over all positions. A dense answer is a linear map
/// over channels at every position of the tap's grid, each of whose values stands for the block of the answer's grid that
/// it covers (nearest neighbour).
///
/// # Shapes
/// Features `[batch, channel, …spatial]`; the answer has the shape of the network's own.
///
/// # Source
/// Exits that learn from the labels: Lee et al. 2015, "Deeply-Supervised Nets", arXiv 1409.5185; that learn from the deepest answer,
/// too: Zhang et al. 2019, "Be Your Own Teacher", arXiv 1905.08094, section 3.
///
/// # Deviations
/// Zhang et al. put convolutions between tap and exit, which bring the features to the size of the deepest ones; here the
/// head is linear, so that whatever an exit tells, the student's own layers have to know.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{ExitHead, initialize, loss::feature::Tap};
///
/// let device = Device::flex();
/// let features = Tensor::<4>::ones([2, 8, 3, 3], &device);
/// let tap = Tap::new("layer1", &features.dims());
///
/// let pooled = initialize(ExitHead::new("exit", &tap, &[2, 5], &device)?, 1);
/// assert_eq!(pooled.forward(features.clone(), [2, 5]).dims(), [2, 5]);
///
/// let dense = initialize(ExitHead::new("exit", &tap, &[2, 4, 6, 12], &device)?, 1);
/// assert_eq!(dense.forward(features, [2, 4, 6, 12]).dims(), [2, 4, 6, 12]);
///
/// let refused = ExitHead::new("exit", &tap, &[2, 4, 7, 12], &device).unwrap_err();
/// assert!(refused.to_string().contains("[7, 12]"), "{refused}");
/// # Ok::<(), kd_core::TapsError>(())
/// ```
#[derive(Module, Debug)]
pub struct ExitHead {
    projection: Projection,
}

impl ExitHead {
    /// Makes the head of term `term` at a tap, for answers of shape `answer`, with Burn's default numbers.
    ///
    /// # Errors
    /// [`TapsError::Exit`] when the grid of a dense answer is no multiple of the tap's.
    pub fn new(term: &str, tap: &Tap, answer: &[usize], device: &Device) -> Result<Self, TapsError> {
        let (grid, of_tap) = (&answer[2..], &tap.shape[2..]);
        let covers = grid.len() == of_tap.len() && grid.iter().zip(of_tap).all(|(whole, part)| whole % part == 0);
        if !(grid.is_empty() || covers) {
            return Err(TapsError::Exit { term: term.to_owned(), tap: tap.to_string(), answer: grid.to_vec() });
        }
        Ok(Self { projection: Projection::new(tap.channels(), answer[1], device) })
    }

    /// Answers a batch from its features; `shape` is that of the network's own answer.
    ///
    /// # Panics
    /// When features or answer are not those that the head was made for.
    pub fn forward<const I: usize, const O: usize>(&self, features: Tensor<I>, shape: [usize; O]) -> Tensor<O> {
        let dims = features.dims();
        if O == 2 {
            let flat = features.reshape([dims[0], dims[1], dims[2..].iter().product()]);
            return self.projection.forward(flat.mean_dim(2)).reshape(shape);
        }
        let mut answer = self.projection.forward(features);
        for axis in 2..I {
            let factor = shape[axis] / dims[axis];
            if factor > 1 {
                let positions: Vec<i64> = (0..shape[axis]).map(|position| (position / factor) as i64).collect();
                let positions = TensorData::new(positions, [shape[axis]]);
                answer = answer.clone().select(axis, Tensor::<1, Int>::from_data(positions, &answer.device()));
            }
        }
        answer.reshape(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{initialize, state::host_values};

    #[test]
    fn a_value_of_a_dense_exit_stands_for_its_block() {
        let device = Device::flex();
        let features = Tensor::<4>::from_data(TensorData::new(vec![1.0f32, 2.0, 3.0, 4.0], [1, 1, 2, 2]), &device);
        let tap = Tap::new("up1", &features.dims());
        let head = initialize(ExitHead::new("exit", &tap, &[1, 1, 4, 2], &device).unwrap(), 3);
        let small = host_values(&head.forward(features.clone(), [1, 1, 2, 2]));
        let large = host_values(&head.forward(features, [1, 1, 4, 2]));
        assert_eq!(large, [0, 1, 0, 1, 2, 3, 2, 3].map(|place: usize| small[place]));
    }

    #[test]
    fn a_pooled_exit_answers_from_the_mean() {
        let device = Device::flex();
        let features = Tensor::<5>::from_data(TensorData::new(vec![1.0f32, 3.0, 5.0, 7.0], [1, 2, 1, 1, 2]), &device);
        let head = initialize(ExitHead::new("exit", &Tap::new("a", &features.dims()), &[1, 3], &device).unwrap(), 3);
        let means = Tensor::<5>::from_data(TensorData::new(vec![2.0f32, 6.0], [1, 2, 1, 1, 1]), &device);
        assert_eq!(host_values(&head.forward(features, [1, 3])), host_values(&head.forward(means, [1, 3])));
    }
}
