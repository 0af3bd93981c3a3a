//! What the trainer needs to know of a network: that it is a module, and that it answers a batch.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use crate::Watch;

/// A network from batches of rank `I` to raw answers of rank `O`.
///
/// Raw means logits or intensities: no softmax, no sigmoid, no clamping. Losses and scores apply those themselves.
pub trait Network<const I: usize, const O: usize>: Module + ModuleDisplay + Sync + 'static {
    /// Answers a batch.
    ///
    /// # Shapes
    /// `input` is `[batch, channel, (depth,) height, width]`; the answer is `[batch, class]`, or
    /// `[batch, class, (depth,) height, width]` for dense tasks.
    fn forward(&self, input: Tensor<I>) -> Tensor<O>;

    /// Answers a batch and shows the features at the network's taps, `[batch, channel, (depth,) height, width]`, from
    /// shallow to deep. A network without taps shows none.
    fn forward_watched(&self, input: Tensor<I>, watch: &mut Watch<I>) -> Tensor<O> {
        let _ = watch;
        self.forward(input)
    }

    /// What decides the answers besides the network's numbers, as text; nothing for most. A teacher's hash holds it.
    fn constants(&self) -> String {
        String::new()
    }
}
