//! How long, how fast and in what order an arm learns. Arms of one experiment share one plan.

use serde::{Deserialize, Serialize};

use super::Schedule;

/// A plan that cannot be followed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("training plan: {fault}")]
pub struct PlanError {
    fault: String,
}

/// The rule that turns gradients into steps. Weight decay is decoupled from normalisation: only tensors of two or more
/// axes decay, so biases and the scales of normalisation layers do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum OptimizerPlan {
    /// Stochastic gradient descent with momentum: `v ← µv + g + λw`, `w ← w − ηv`, or with Nesterov
    /// `w ← w − η(g + λw + µv)`.
    Sgd {
        /// µ, in `[0, 1)`.
        momentum: f64,
        /// Look ahead by one momentum step.
        nesterov: bool,
        /// λ, added to the gradient.
        weight_decay: f64,
    },
    /// Adam with weight decay apart from the gradient: `w ← w − ηλw − η·m̂/(√v̂ + ε)`.
    AdamW {
        /// Decay of the mean gradient.
        beta1: f64,
        /// Decay of the mean squared gradient.
        beta2: f64,
        /// Added to the root.
        epsilon: f64,
        /// λ, times the rate.
        weight_decay: f64,
    },
}

/// Which augmented view of a sample an epoch shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Views {
    /// View `epoch mod count`: a teacher's answers can be stored once for all arms and seeds.
    Numbered {
        /// How many views each sample has.
        count: u32,
    },
    /// A new view every epoch: the teacher answers live.
    Fresh,
}

impl Views {
    /// The view of an epoch, counted from 0.
    #[must_use]
    pub fn at(self, epoch: usize) -> u32 {
        let epoch = u32::try_from(epoch).unwrap_or(u32::MAX);
        match self {
            Self::Numbered { count } => epoch % count.max(1),
            Self::Fresh => epoch,
        }
    }
}

/// When to stop before the last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyStop {
    /// Epochs without a better validation measure.
    pub patience: usize,
}

/// Everything about training that arms share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Passes over the training split.
    pub epochs: usize,
    /// Samples a forward pass.
    pub batch_size: usize,
    /// Forward passes a step; gradients are averaged over them.
    pub accumulation: usize,
    /// The step rule.
    pub optimizer: OptimizerPlan,
    /// The rate of every step.
    pub schedule: Schedule,
    /// Largest norm of all gradients together; larger ones are scaled down to it.
    pub clip_norm: Option<f64>,
    /// Decay of an average of the weights over steps; validation and outcome use the average.
    pub ema: Option<f64>,
    /// When to stop early.
    pub early_stop: Option<EarlyStop>,
    /// Which view each epoch shows.
    pub views: Views,
    /// The validation measure that chooses the epoch.
    pub select: String,
    /// Seed of initial parameters and of the order of samples.
    pub seed: u64,
}

impl Plan {
    /// Checks every number.
    ///
    /// # Errors
    /// [`PlanError`] names the first one that makes no sense, what was expected and what was found.
    pub fn check(&self) -> Result<(), PlanError> {
        match self.fault() {
            Some(fault) => Err(PlanError { fault }),
            None => Ok(()),
        }
    }

    fn fault(&self) -> Option<String> {
        let counts = [("epochs", self.epochs), ("batch size", self.batch_size), ("accumulation", self.accumulation)];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Some(format!("{name} is 0, expected 1 or more"));
        }
        if self.views == (Views::Numbered { count: 0 }) {
            return Some("views is 0, expected 1 or more".into());
        }
        if let Some(norm) = self.clip_norm.filter(|norm| !(norm.is_finite() && *norm > 0.0)) {
            return Some(format!("clip norm is {norm}, expected a finite number above 0"));
        }
        if let Some(decay) = self.ema.filter(|decay| !(*decay > 0.0 && *decay < 1.0)) {
            return Some(format!("weight average decay is {decay}, expected more than 0 and less than 1"));
        }
        if self.early_stop.is_some_and(|stop| stop.patience == 0) {
            return Some("early-stop patience is 0, expected 1 or more".into());
        }
        self.schedule.fault().or_else(|| self.optimizer.fault())
    }
}

impl OptimizerPlan {
    fn fault(&self) -> Option<String> {
        let decays: &[(&str, f64)] = match self {
            Self::Sgd { momentum, .. } => &[("momentum", *momentum)],
            Self::AdamW { beta1, beta2, .. } => &[("beta1", *beta1), ("beta2", *beta2)],
        };
        if let Some((name, value)) = decays.iter().find(|(_, value)| !(0.0..1.0).contains(value)) {
            return Some(format!("{name} is {value}, expected 0 or more and less than 1"));
        }
        let (Self::Sgd { weight_decay, .. } | Self::AdamW { weight_decay, .. }) = self;
        if !(weight_decay.is_finite() && *weight_decay >= 0.0) {
            return Some(format!("weight decay is {weight_decay}, expected a finite number, 0 or more"));
        }
        match self {
            Self::AdamW { epsilon, .. } if !(epsilon.is_finite() && *epsilon > 0.0) => {
                Some(format!("epsilon is {epsilon}, expected a finite number above 0"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::train::Decay;

    pub(crate) fn plan() -> Plan {
        Plan {
            epochs: 4,
            batch_size: 8,
            accumulation: 1,
            optimizer: OptimizerPlan::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 },
            schedule: Schedule { rate: 0.01, warmup: 0.1, decay: Decay::Cosine { floor: 0.0 } },
            clip_norm: Some(5.0),
            ema: None,
            early_stop: None,
            views: Views::Numbered { count: 2 },
            select: "loss".into(),
            seed: 3,
        }
    }

    #[test]
    fn a_sound_plan_passes_and_each_unsound_number_is_named() {
        assert!(plan().check().is_ok());
        let refused = |change: fn(&mut Plan)| {
            let mut plan = plan();
            change(&mut plan);
            plan.check().unwrap_err().to_string()
        };
        assert!(refused(|plan| plan.epochs = 0).contains("epochs is 0"));
        assert!(refused(|plan| plan.clip_norm = Some(f64::NAN)).contains("clip norm is NaN"));
        assert!(refused(|plan| plan.ema = Some(1.0)).contains("decay is 1"));
        assert!(refused(|plan| plan.views = Views::Numbered { count: 0 }).contains("views is 0"));
        let sgd = |plan: &mut Plan| {
            plan.optimizer = OptimizerPlan::Sgd { momentum: 1.0, nesterov: false, weight_decay: 0.0 };
        };
        assert!(refused(sgd).contains("momentum is 1"));
    }

    #[test]
    fn numbered_views_come_round_and_fresh_ones_do_not() {
        assert_eq!(Views::Numbered { count: 3 }.at(7), 1);
        assert_eq!(Views::Fresh.at(7), 7);
    }
}
