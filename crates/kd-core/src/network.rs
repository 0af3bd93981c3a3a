//! What the trainer needs to know of a network: that it is a module, and that it answers a batch.

use burn::module::Module;
use burn::tensor::Tensor;

/// A network from batches of rank `I` to raw answers of rank `O`.
///
/// Raw means logits or intensities: no softmax, no sigmoid, no clamping. Losses and scores apply those themselves.
pub trait Network<const I: usize, const O: usize>: Module + Sync + 'static {
    /// Answers a batch.
    ///
    /// # Shapes
    /// `input` is `[batch, channel, (depth,) height, width]`; the answer is `[batch, class]`, or
    /// `[batch, class, (depth,) height, width]` for dense tasks.
    fn forward(&self, input: Tensor<I>) -> Tensor<O>;
}
