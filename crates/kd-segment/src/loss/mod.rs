//! The hard-label loss of segmentation: a weighted sum of named parts.

mod dice;

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Int, Tensor};
use kd_core::Head;
use kd_core::loss::{BinaryCrossEntropy, BinaryWeights, CrossEntropy, LossError};
use serde::{Deserialize, Serialize};

pub use dice::soft_dice;

/// Weights of the parts; a part that is not named is not there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardLoss {
    /// Cross-entropy, mean over valid points: of the softmax, or of the one channel's sigmoid.
    #[serde(default)]
    pub cross_entropy: f64,
    /// [`soft_dice`] of the probabilities.
    #[serde(default)]
    pub dice: f64,
    /// Factor of each class in the cross-entropy, background first; absent for equal ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f64>>,
}

/// Why a hard-label loss was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HardLossError {
    /// A weight that is no weight.
    #[error("hard loss `{part}` has weight {found}, expected 0 or a finite number above")]
    Weight {
        /// The part.
        part: &'static str,
        /// Its weight.
        found: f64,
    },
    /// Nothing to minimise.
    #[error("hard loss has no part\nhint: give `cross_entropy`, `dice` or both a weight")]
    Empty,
    /// A head that does not name the classes.
    #[error("head is {head}, expected one-channel for 2 classes or softmax over {classes}")]
    Head {
        /// The head.
        head: &'static str,
        /// Classes, background included.
        classes: usize,
    },
    /// Class weights that do not fit.
    #[error(transparent)]
    Loss(#[from] LossError),
}

/// A batch's labels in the forms that losses take.
#[derive(Debug, Clone)]
pub(crate) struct Truth<const R: usize> {
    /// `[batch, 1, …spatial]`, 0 where ignored.
    pub(crate) classes: Tensor<R, Int>,
    /// `[batch, 1, …spatial]`, 1 where the class is known; none where it is known everywhere.
    pub(crate) mask: Option<Tensor<R>>,
}

impl HardLoss {
    /// Checks the weights against a head.
    ///
    /// # Errors
    /// [`HardLossError`].
    pub fn check(&self, head: Head) -> Result<(), HardLossError> {
        for (part, found) in [("cross_entropy", self.cross_entropy), ("dice", self.dice)] {
            if !(found.is_finite() && found >= 0.0) {
                return Err(HardLossError::Weight { part, found });
            }
        }
        if self.cross_entropy + self.dice == 0.0 {
            return Err(HardLossError::Empty);
        }
        // A batch of one point shows whether class weights fit.
        let logits = [1, head.n_outputs(), 1, 1];
        if head.is_bernoulli() {
            self.binary(0.0)?.check(&logits, &logits, None)?;
        } else {
            self.softmax(0.0)?.check(&logits, &[1, 1, 1], None)?;
        }
        Ok(())
    }

    fn softmax(&self, smoothing: f64) -> Result<CrossEntropy, LossError> {
        CrossEntropy::new(self.class_weights.clone(), smoothing)
    }

    fn binary(&self, smoothing: f64) -> Result<BinaryCrossEntropy, LossError> {
        let weights = match self.class_weights.as_deref() {
            None => BinaryWeights::Equal,
            Some([negative, positive]) => BinaryWeights::Classes { negative: *negative, positive: *positive },
            Some(other) => {
                return Err(LossError::Weights {
                    what: "class_weights",
                    expected: "two (background, foreground)".into(),
                    found: other.to_vec(),
                });
            }
        };
        BinaryCrossEntropy::new(weights, smoothing)
    }

    /// The loss; weights were checked. `L` is `R − 1`, the rank of labels without a class axis.
    pub(crate) fn forward<const R: usize, const L: usize>(
        &self,
        head: Head,
        raw: Tensor<R>,
        truth: &Truth<R>,
        smoothing: f64,
    ) -> Tensor<1> {
        let mask = || truth.mask.clone();
        let mut parts = Vec::new();
        if self.cross_entropy > 0.0 {
            let part = if head.is_bernoulli() {
                let loss = self.binary(smoothing).expect("weights and smoothing were checked before");
                loss.forward(raw.clone(), truth.classes.clone().float(), mask())
            } else {
                let loss = self.softmax(smoothing).expect("weights and smoothing were checked before");
                loss.forward(raw.clone(), truth.classes.clone().squeeze_dim::<L>(1), mask())
            };
            parts.push(part.mul_scalar(self.cross_entropy));
        }
        if self.dice > 0.0 {
            let part = if head.is_bernoulli() {
                soft_dice(sigmoid(raw), truth.classes.clone().float(), mask())
            } else {
                let one_hot = one_hot(truth.classes.clone(), head.n_outputs());
                soft_dice(softmax(raw, 1), one_hot, mask())
            };
            parts.push(part.mul_scalar(self.dice));
        }
        parts.into_iter().reduce(|a, b| a + b).expect("a checked loss has a part")
    }
}

/// `[batch, 1, …]` class indices as `[batch, class, …]` zeros and ones.
fn one_hot<const R: usize>(classes: Tensor<R, Int>, n: usize) -> Tensor<R> {
    let planes = (0..n).map(|class| classes.clone().equal_elem(i32::try_from(class).unwrap_or(i32::MAX)).float());
    Tensor::cat(planes.collect(), 1)
}
