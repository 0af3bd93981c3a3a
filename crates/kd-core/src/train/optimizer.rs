//! Steps from gradients: SGD with momentum and AdamW, with their memory kept by parameter path.
//!
//! Burn's optimisers key their memory by random parameter ids and clip each tensor by itself. A resumed run has to end
//! in the same bytes, and clipping is meant for the gradient as a whole, so both are done here, with Burn's tensors.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use kd_kernels::nn::{adamw_step, momentum_step};
use kd_kernels::{AdamWStep, MomentumStep};

use super::OptimizerPlan;
use crate::Values;
use crate::state::{Path, host_values};

/// Gradients of all parameters, by path, each as one flat axis on the plain device.
#[derive(Default)]
pub(super) struct GradientSum {
    gradients: BTreeMap<String, Tensor<1>>,
}

impl GradientSum {
    /// Adds the gradients that a backward pass left for a module's parameters.
    pub(super) fn add<M: Module>(&mut self, module: &M, gradients: &Gradients) {
        module.visit(&mut Collector { path: Path::default(), gradients, sum: &mut self.gradients });
    }

    /// Scales everything down so that the norm over all parameters is at most `largest`; gives the norm before.
    ///
    /// # Source
    /// Pascanu, Mikolov and Bengio (2013), algorithm 1.
    pub(super) fn clip(&mut self, largest: Option<f64>) -> f64 {
        let squares = |gradient: &Tensor<1>| host_values(gradient).iter().map(|&g| f64::from(g).powi(2)).sum::<f64>();
        let norm = self.gradients.values().map(squares).sum::<f64>().sqrt();
        if let Some(largest) = largest.filter(|&largest| norm > largest) {
            for gradient in self.gradients.values_mut() {
                *gradient = gradient.clone().mul_scalar(largest / norm);
            }
        }
        norm
    }
}

struct Collector<'a> {
    path: Path,
    gradients: &'a Gradients,
    sum: &'a mut BTreeMap<String, Tensor<1>>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        if !tensor.is_require_grad() {
            return;
        }
        let Some(gradient) = tensor.grad(self.gradients) else { return };
        let flat: Tensor<1> = gradient.flatten(0, D - 1);
        let name = self.path.name();
        let sum = match self.sum.remove(&name) {
            Some(earlier) => earlier + flat,
            None => flat,
        };
        self.sum.insert(name, sum);
    }
}

/// An optimiser and its memory.
pub(super) struct Optimizer {
    plan: OptimizerPlan,
    /// Steps taken.
    step: usize,
    /// Momentum, or Adam's mean gradient.
    first: BTreeMap<String, Tensor<1>>,
    /// Adam's mean squared gradient.
    second: BTreeMap<String, Tensor<1>>,
}

impl Optimizer {
    pub(super) fn new(plan: OptimizerPlan) -> Self {
        Self { plan, step: 0, first: BTreeMap::new(), second: BTreeMap::new() }
    }

    /// Takes one step with the given rate.
    pub(super) fn step<M: Module>(&mut self, module: M, gradients: GradientSum, rate: f64) -> M {
        self.step += 1;
        let mut stepper = Stepper { path: Path::default(), optimizer: self, gradients: gradients.gradients, rate };
        module.map(&mut stepper)
    }

    /// The memory as arrays: `first/…` and `second/…`.
    pub(super) fn memory(&self) -> BTreeMap<String, Values> {
        let named = |kind: &'static str, moments: &BTreeMap<String, Tensor<1>>| {
            moments
                .iter()
                .map(|(name, moment)| {
                    let values = host_values(moment);
                    (format!("{kind}/{name}"), Values { shape: vec![values.len()], values })
                })
                .collect::<Vec<_>>()
        };
        named("first", &self.first).into_iter().chain(named("second", &self.second)).collect()
    }

    /// Takes memory back.
    pub(super) fn restore(&mut self, memory: BTreeMap<String, Values>, step: usize, device: &burn::tensor::Device) {
        self.step = step;
        let plain = device.clone().inner();
        for (name, values) in memory {
            let tensor = Tensor::from_data(burn::tensor::TensorData::new(values.values, values.shape), &plain);
            if let Some(name) = name.strip_prefix("first/") {
                self.first.insert(name.to_owned(), tensor);
            } else if let Some(name) = name.strip_prefix("second/") {
                self.second.insert(name.to_owned(), tensor);
            }
        }
    }

    /// New values for one parameter, given its gradient.
    fn update(&mut self, name: &str, weight: Tensor<1>, gradient: Tensor<1>, rate: f64, decays: bool) -> Tensor<1> {
        let remembered =
            |moments: &mut BTreeMap<String, Tensor<1>>| moments.remove(name).unwrap_or_else(|| weight.zeros_like());
        match self.plan {
            OptimizerPlan::Sgd { momentum, nesterov, weight_decay } => {
                let weight_decay = if decays { weight_decay } else { 0.0 };
                let step = MomentumStep { rate, momentum, weight_decay, nesterov };
                let velocity = remembered(&mut self.first);
                let [weight, velocity] = momentum_step(weight, gradient, velocity, step);
                self.first.insert(name.to_owned(), velocity);
                weight
            }
            OptimizerPlan::AdamW { beta1, beta2, epsilon, weight_decay } => {
                let weight_decay = if decays { weight_decay } else { 0.0 };
                let step = AdamWStep { rate, betas: [beta1, beta2], epsilon, weight_decay, step: self.step };
                let moments = [remembered(&mut self.first), remembered(&mut self.second)];
                let [weight, mean, square] = adamw_step(weight, gradient, moments, step);
                self.first.insert(name.to_owned(), mean);
                self.second.insert(name.to_owned(), square);
                weight
            }
        }
    }
}

struct Stepper<'a> {
    path: Path,
    optimizer: &'a mut Optimizer,
    gradients: BTreeMap<String, Tensor<1>>,
    rate: f64,
}

impl ModuleMapper for Stepper<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let Some(gradient) = self.gradients.remove(&name) else { return param };
        param.map(|tensor| {
            let shape = tensor.dims();
            let flat: Tensor<1> = tensor.inner().flatten(0, D - 1);
            let updated = self.optimizer.update(&name, flat, gradient, self.rate, D > 1);
            Tensor::from_inner(updated.reshape(shape)).require_grad()
        })
    }
}
