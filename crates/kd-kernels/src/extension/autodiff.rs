//! The gradients, for any backend that has the operators.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::ActivationOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, TensorMetadata};

use super::{Geometry, KernelOps, NormOptions, Window};
use crate::upsample::Upsampling;

#[derive(Debug)]
struct Convolve;

impl<B: KernelOps> Backward<B, 2> for Convolve {
    /// Input, weight.
    type State = (FloatTensor<B>, FloatTensor<B>, Geometry);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        convolution_gradients::<B>(ops.parents.map(|node| node.map(|node| node.id)), ops.state, gradient, gradients);
    }
}

#[derive(Debug)]
struct ConvolveBiased;

impl<B: KernelOps> Backward<B, 3> for ConvolveBiased {
    /// Input, weight.
    type State = (FloatTensor<B>, FloatTensor<B>, Geometry);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [of_input, of_weight, of_bias] = ops.parents;
        let gradient = gradients.consume::<B>(&ops.node);
        if let Some(node) = of_bias {
            gradients.register::<B>(node.id, B::convolve_bias_gradient(gradient.clone()));
        }
        convolution_gradients::<B>(
            [of_input, of_weight].map(|node| node.map(|node| node.id)),
            ops.state,
            gradient,
            gradients,
        );
    }
}

fn convolution_gradients<B: KernelOps>(
    [of_input, of_weight]: [Option<NodeId>; 2],
    (input, weight, geometry): (FloatTensor<B>, FloatTensor<B>, Geometry),
    gradient: FloatTensor<B>,
    gradients: &mut Gradients,
) {
    if let Some(node) = of_input {
        let by_input = B::convolve_input_gradient(input.clone(), weight.clone(), gradient.clone(), geometry);
        gradients.register::<B>(node, by_input);
    }
    if let Some(node) = of_weight {
        gradients.register::<B>(node, B::convolve_weight_gradient(input, weight, gradient, geometry));
    }
}

#[derive(Debug)]
struct Normalise;

impl<B: KernelOps> Backward<B, 3> for Normalise {
    /// Input, gamma, beta, mean, variance.
    type State = ([FloatTensor<B>; 5], NormOptions);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [of_input, of_gamma, of_beta] = ops.parents;
        let ([input, gamma, beta, mean, variance], options) = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        let (by_input, by_gamma, by_beta) =
            B::normalise_gradient(input, gradient, gamma, beta, mean, variance, options);
        for (node, by_node) in [(of_input, by_input), (of_gamma, by_gamma), (of_beta, by_beta)] {
            if let Some(node) = node {
                gradients.register::<B>(node.id, by_node);
            }
        }
    }
}

#[derive(Debug)]
struct MaxPool;

impl<B: KernelOps> Backward<B, 1> for MaxPool {
    type State = (FloatTensor<B>, Window);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (input, window) = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            gradients.register::<B>(node.id, B::max_pool_gradient(input, gradient, window));
        }
    }
}

#[derive(Debug)]
struct Upsample;

impl<B: KernelOps> Backward<B, 1> for Upsample {
    type State = (FloatTensor<B>, Upsampling);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (input, how) = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            gradients.register::<B>(node.id, B::upsample_gradient(input, gradient, how));
        }
    }
}

#[derive(Debug)]
struct Concatenate;

impl<B: KernelOps> Backward<B, 2> for Concatenate {
    /// Channels of the first tensor.
    type State = usize;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (left, right) = B::part(gradient, ops.state);
        for (node, gradient) in ops.parents.into_iter().zip([left, right]) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct AddRelu;

impl<B: KernelOps> Backward<B, 2> for AddRelu {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let gradient = B::relu_gradient(ops.state, gradient);
        for node in ops.parents.into_iter().flatten() {
            gradients.register::<B>(node.id, gradient.clone());
        }
    }
}

#[derive(Debug)]
struct Diverge;

impl<B: KernelOps> Backward<B, 1> for Diverge {
    /// Logits of student and teacher, and their factor.
    type State = ([FloatTensor<B>; 2], f64);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let ([student, teacher], factor) = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            let gradient = B::softmax_divergence_gradient(student, teacher, gradient, factor);
            gradients.register::<B>(node.id, gradient);
        }
    }
}

impl<B: Backend + KernelOps, C: CheckpointStrategy> KernelOps for Autodiff<B, C> {
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        geometry: Geometry,
        relu: bool,
    ) -> FloatTensor<Self> {
        let (x, w) = (input.primitive().clone(), weight.primitive().clone());
        let output = match Convolve.prepare::<C>([input.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let output = B::convolve(x.clone(), w.clone(), geometry, false);
                step.finish((x, w, geometry), output)
            }
            OpsKind::UnTracked(step) => return step.finish(B::convolve(x, w, geometry, relu)),
        };
        if relu { Self::relu(output) } else { output }
    }

    fn convolve_biased(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        relu: bool,
    ) -> FloatTensor<Self> {
        let [x, w, b] = [&input, &weight, &bias].map(|tensor| tensor.primitive().clone());
        let nodes = [input.node(), weight.node(), bias.node()];
        let output = match ConvolveBiased.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let output = B::convolve_biased(x.clone(), w.clone(), b, geometry, false);
                step.finish((x, w, geometry), output)
            }
            OpsKind::UnTracked(step) => return step.finish(B::convolve_biased(x, w, b, geometry, relu)),
        };
        if relu { Self::relu(output) } else { output }
    }

    fn normalise(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: NormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let operands = [&input, &gamma, &beta].map(|tensor| tensor.primitive().clone());
        let [x, g, b] = operands.clone();
        let (output, mean, variance) = B::normalise(x, g, b, options);
        let statistics = [mean, variance].map(Self::from_inner);
        let nodes = [input.node(), gamma.node(), beta.node()];
        let output = match Normalise.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let [x, g, b] = operands;
                let [mean, variance] = statistics.each_ref().map(|tensor| tensor.primitive().clone());
                step.finish(([x, g, b, mean, variance], options), output)
            }
            OpsKind::UnTracked(step) => step.finish(output),
        };
        let [mean, variance] = statistics;
        (output, mean, variance)
    }

    fn max_pool(input: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        match MaxPool.prepare::<C>([input.node()]).compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let x = input.into_primitive();
                step.finish((x.clone(), window), B::max_pool(x, window))
            }
            OpsKind::UnTracked(step) => step.finish(B::max_pool(input.into_primitive(), window)),
        }
    }

    fn upsample(input: FloatTensor<Self>, how: Upsampling) -> FloatTensor<Self> {
        match Upsample.prepare::<C>([input.node()]).compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let x = input.into_primitive();
                step.finish((x.clone(), how), B::upsample(x, how))
            }
            OpsKind::UnTracked(step) => step.finish(B::upsample(input.into_primitive(), how)),
        }
    }

    fn concatenate(left: FloatTensor<Self>, right: FloatTensor<Self>) -> FloatTensor<Self> {
        let (nodes, channels) = ([left.node(), right.node()], left.primitive().shape()[1]);
        let output = B::concatenate(left.into_primitive(), right.into_primitive());
        match Concatenate.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(channels, output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }

    fn add_relu(left: FloatTensor<Self>, right: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [left.node(), right.node()];
        let output = B::add_relu(left.into_primitive(), right.into_primitive());
        match AddRelu.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(output.clone(), output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }

    fn softmax_divergence(student: FloatTensor<Self>, teacher: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        let nodes = [student.node()];
        let operands = [student, teacher].map(|logits| logits.into_primitive());
        let [of_student, of_teacher] = operands.clone();
        let map = B::softmax_divergence(of_student, of_teacher, factor);
        match Diverge.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((operands, factor), map),
            OpsKind::UnTracked(step) => step.finish(map),
        }
    }
}
