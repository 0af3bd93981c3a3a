//! A network in training, with what is trained beside it.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor};

use super::OptimizerPlan;
use super::optimizer::{GradientSum, Optimizer};
use crate::state::StateError;
use crate::{Adaptors, Network, State, Values, Watch};

/// A network, its adaptors, and the optimiser that moves both.
pub(super) struct Learner<N> {
    pub(super) network: N,
    /// Trained with the network, and left behind with the run.
    pub(super) adaptors: Adaptors,
    optimizer: Optimizer,
    /// Of the batches since the last step.
    gradients: GradientSum,
}

/// A learner, frozen between two steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LearnerState {
    pub(super) model: State,
    pub(super) adaptors: State,
    pub(super) optimizer: BTreeMap<String, Values>,
}

impl LearnerState {
    /// Its arrays by section.
    pub(super) fn sections(&self, prefix: &str) -> [(String, &BTreeMap<String, Values>); 3] {
        [("model", self.model.tensors()), ("adaptors", self.adaptors.tensors()), ("optimizer", &self.optimizer)]
            .map(|(section, tensors)| (format!("{prefix}{section}"), tensors))
    }
}

impl<N: Module> Learner<N> {
    pub(super) fn new(network: N, adaptors: Adaptors, plan: &OptimizerPlan) -> Self {
        let optimizer = Optimizer::new(plan.clone());
        Self { network: network.train(), adaptors: adaptors.train(), optimizer, gradients: GradientSum::default() }
    }

    /// Answers a batch of the plain device as something to learn from, with the features at some taps.
    pub(super) fn answer<const I: usize, const O: usize>(
        &self,
        input: &Tensor<I>,
        taps: &[String],
    ) -> (Tensor<O>, Watch<I>)
    where
        N: Network<I, O>,
    {
        let mut watch = Watch::of(taps);
        let raw = self.network.forward_watched(Tensor::from_inner(input.clone()), &mut watch);
        (raw, watch)
    }

    /// Keeps what a backward pass left for the next step.
    pub(super) fn keep(&mut self, gradients: &Gradients) {
        self.gradients.add(&(self.network.clone(), self.adaptors.clone()), gradients);
    }

    /// Takes a step along the kept gradients, clipped together.
    pub(super) fn step(&mut self, clip_norm: Option<f64>, rate: f64) {
        let mut gradients = std::mem::take(&mut self.gradients);
        gradients.clip(clip_norm);
        let learner = (self.network.clone(), self.adaptors.clone());
        (self.network, self.adaptors) = self.optimizer.step(learner, gradients, rate);
    }

    pub(super) fn state(&self) -> LearnerState {
        LearnerState {
            model: State::of(&self.network),
            adaptors: State::of(&self.adaptors),
            optimizer: self.optimizer.memory(),
        }
    }

    /// Goes back to a state after `step` steps.
    pub(super) fn restore(&mut self, state: LearnerState, step: usize, plain: &Device) -> Result<(), StateError> {
        self.network = state.model.load_into(self.network.clone())?;
        self.adaptors = state.adaptors.load_into(self.adaptors.clone())?;
        self.optimizer.restore(state.optimizer, step, plain);
        Ok(())
    }
}
