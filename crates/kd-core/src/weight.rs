//! How much a term counts: a number, or a share of the gradient, both with a ramp at the start or in some epochs alone.

use std::fmt;

/// How much a term counts beside the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weight {
    /// This factor. What it does depends on the loss, its temperature and the task.
    Fixed(f64),
    /// Whatever factor gives the term this share of the gradient, found anew in each epoch: see
    /// [`Objective::weights`](crate::Objective::weights).
    Share(f64),
}

impl From<f64> for Weight {
    fn from(factor: f64) -> Self {
        Self::Fixed(factor)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(factor) => factor.fmt(f),
            Self::Share(share) => write!(f, "share {share}"),
        }
    }
}

/// How a term's weight goes over the epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ramp {
    /// Full weight from the first step.
    #[default]
    None,
    /// Weight `(epoch + 1) / epochs`, up to 1.
    Linear {
        /// Epochs until the full weight.
        epochs: usize,
    },
    /// Weight `exp(−5 (1 − t)²)` with `t = (epoch + 1) / epochs`, up to 1: slow first, as Laine and Aila 2017, arXiv
    /// 1610.02242, section 3.
    Sigmoid {
        /// Epochs until the full weight.
        epochs: usize,
    },
    /// Full weight in some epochs and none in the others: a stage of a training, as hints before imitation (Romero et al.
    /// 2015, arXiv 1412.6550; Murugesan et al. 2020, arXiv 2004.05319).
    Stage {
        /// The first epoch, counted from 0.
        first: usize,
        /// The last epoch.
        last: usize,
    },
}

impl Ramp {
    /// The factor in an epoch, counted from 0.
    ///
    /// ```
    /// let ramp = kd_core::Ramp::Linear { epochs: 4 };
    /// assert_eq!([ramp.factor(0), ramp.factor(3), ramp.factor(9)], [0.25, 1.0, 1.0]);
    ///
    /// let slow = kd_core::Ramp::Sigmoid { epochs: 2 };
    /// assert!((slow.factor(0) - (-1.25f64).exp()).abs() < 1e-12 && slow.factor(1) == 1.0);
    ///
    /// let second = kd_core::Ramp::Stage { first: 2, last: 3 };
    /// assert_eq!([1, 2, 3, 4].map(|epoch| second.factor(epoch)), [0.0, 1.0, 1.0, 0.0]);
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "epochs are few")]
    pub fn factor(self, epoch: usize) -> f64 {
        match self {
            Self::Linear { epochs } if epoch + 1 < epochs => (epoch + 1) as f64 / epochs as f64,
            Self::Sigmoid { epochs } if epoch + 1 < epochs => {
                (-5.0 * (1.0 - (epoch + 1) as f64 / epochs as f64).powi(2)).exp()
            }
            Self::Stage { first, last } if !(first..=last).contains(&epoch) => 0.0,
            _ => 1.0,
        }
    }
}
