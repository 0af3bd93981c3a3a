//! The learning rate of every step.

use serde::{Deserialize, Serialize};

/// How the rate falls after the warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Decay {
    /// Not at all.
    Constant,
    /// Half a cosine from the full rate to `floor` times it.
    Cosine {
        /// Share of the full rate at the last step.
        floor: f64,
    },
    /// Multiplied by `factor` at each of the given shares of the run.
    Step {
        /// Shares of all steps, in rising order.
        at: Vec<f64>,
        /// Factor at each of them.
        factor: f64,
    },
}

/// A learning rate with warm-up and decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The full rate.
    pub rate: f64,
    /// Share of all steps in which the rate rises evenly to the full rate.
    pub warmup: f64,
    /// What follows.
    pub decay: Decay,
}

impl Schedule {
    /// The rate of step `step` (from 0) of `n_steps`.
    ///
    /// Warm-up step `i` of `w` has rate `(i + 1)/w`; cosine step `i` of the remaining `m` has
    /// `floor + (1 − floor)·½(1 + cos(π·i/m))`, each times the full rate.
    ///
    /// # Source
    /// Cosine: Loshchilov and Hutter (2017), equation 5, one cycle.
    ///
    /// # Example
    /// ```
    /// use kd_core::train::{Decay, Schedule};
    /// let schedule = Schedule { rate: 1.0, warmup: 0.5, decay: Decay::Cosine { floor: 0.0 } };
    /// assert_eq!(schedule.at(0, 4), 0.5);
    /// assert_eq!(schedule.at(1, 4), 1.0);
    /// assert!((schedule.at(3, 4) - 0.5).abs() < 1e-12);
    /// ```
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "steps are far below 2^53"
    )]
    pub fn at(&self, step: usize, n_steps: usize) -> f64 {
        let warmup_steps = (self.warmup * n_steps as f64).round() as usize;
        if step < warmup_steps {
            return self.rate * (step + 1) as f64 / warmup_steps as f64;
        }
        let factor = match &self.decay {
            Decay::Constant => 1.0,
            Decay::Cosine { floor } => {
                let left = (n_steps - warmup_steps).max(1) as f64;
                let turn = std::f64::consts::PI * (step - warmup_steps) as f64 / left;
                floor + (1.0 - floor) * 0.5 * (1.0 + turn.cos())
            }
            Decay::Step { at, factor } => {
                let passed = at.iter().filter(|&&share| step as f64 >= share * n_steps as f64).count();
                factor.powi(i32::try_from(passed).unwrap_or(i32::MAX))
            }
        };
        self.rate * factor
    }

    /// Whether every number of the schedule makes sense; otherwise what does not.
    pub(crate) fn fault(&self) -> Option<String> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return Some(format!("learning rate is {}, expected a finite number above 0", self.rate));
        }
        if !share(self.warmup) {
            return Some(format!("warm-up is {}, expected a share of all steps in 0..1", self.warmup));
        }
        match &self.decay {
            Decay::Constant => None,
            Decay::Cosine { floor } => {
                (!share(*floor)).then(|| format!("cosine floor is {floor}, expected a share of the rate in 0..1"))
            }
            Decay::Step { at, factor } => {
                if !at.iter().all(|&share_of_run| share(share_of_run)) || !at.is_sorted() {
                    return Some(format!("steps are at {at:?}, expected rising shares of the run in 0..1"));
                }
                (!(factor.is_finite() && *factor > 0.0))
                    .then(|| format!("step factor is {factor}, expected a finite number above 0"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: &Schedule, n_steps: usize, expected: &[f64]) {
        for (step, expected) in expected.iter().enumerate() {
            let found = schedule.at(step, n_steps);
            assert!((found - expected).abs() < 1e-12, "step {step}: {found}, expected {expected}");
        }
    }

    #[test]
    fn steps_fall_at_their_shares_of_the_run() {
        let decay = Decay::Step { at: vec![0.5, 0.75], factor: 0.1 };
        check(&Schedule { rate: 2.0, warmup: 0.0, decay }, 4, &[2.0, 2.0, 0.2, 0.02]);
    }

    #[test]
    fn a_cosine_starts_full_and_nears_its_floor() {
        let schedule = Schedule { rate: 1.0, warmup: 0.0, decay: Decay::Cosine { floor: 0.1 } };
        check(&schedule, 2, &[1.0, 0.55]);
        assert!(schedule.at(999, 1000) < 0.100_01);
    }

    #[test]
    fn numbers_that_make_no_schedule_are_named() {
        let fault = |rate, warmup, decay| Schedule { rate, warmup, decay }.fault();
        assert!(fault(0.0, 0.0, Decay::Constant).unwrap().contains("learning rate is 0"));
        assert!(fault(1.0, 1.5, Decay::Constant).unwrap().contains("warm-up is 1.5"));
        assert!(fault(1.0, 0.0, Decay::Step { at: vec![0.9, 0.5], factor: 0.1 }).is_some());
        assert!(fault(1.0, 0.1, Decay::Cosine { floor: 0.0 }).is_none());
    }
}
