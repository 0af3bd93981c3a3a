//! The sum that a recipe asks for, checked before training and evaluated on a batch.

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Int, Tensor};
use kd_core::Head;
use kd_core::loss::{BinaryCrossEntropy, BinaryWeights, CrossEntropy, LossError};
use serde::{Deserialize, Serialize};

use super::{boundary, focal, generalized_dice, soft_dice, tversky};

/// Weights of the parts; a part that is not named is not there.
///
/// # Example
/// ```
/// use kd_core::Head;
/// use kd_segment::loss::HardLoss;
/// let hard: HardLoss = toml::from_str(
///     "cross_entropy = 1.0\ndice = 1.0\ntversky = { weight = 0.5, false_positives = 0.3, false_negatives = 0.7 }",
/// )?;
/// hard.check(Head::softmax(3)?)?;
/// assert!(toml::from_str::<HardLoss>("crossentropy = 1.0").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardLoss {
    /// Cross-entropy, mean over valid points: of the softmax, or of the one channel's sigmoid.
    #[serde(default)]
    pub cross_entropy: f64,
    /// [`soft_dice`] of the probabilities.
    #[serde(default)]
    pub dice: f64,
    /// [`generalized_dice`] of the probabilities.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generalized_dice: f64,
    /// [`tversky`] of the probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tversky: Option<TverskyPart>,
    /// [`focal`] of the logits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focal: Option<FocalPart>,
    /// [`boundary`] of the probabilities, by mm (by steps where the grid has no spacing).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub boundary: f64,
    /// Factor of each class in the cross-entropy, background first; absent for equal ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f64>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(weight: &f64) -> bool {
    *weight == 0.0
}

/// The Tversky part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TverskyPart {
    /// Its factor in the sum.
    pub weight: f64,
    /// α.
    pub false_positives: f64,
    /// β.
    pub false_negatives: f64,
}

/// The focal part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FocalPart {
    /// Its factor in the sum.
    pub weight: f64,
    /// γ: 0, or 1 and more.
    pub gamma: f64,
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
    /// A parameter out of range.
    #[error("hard loss `{part}` has {found}, expected {expected}")]
    Parameter {
        /// The part and its parameter.
        part: &'static str,
        /// Its value.
        found: f64,
        /// What would do.
        expected: &'static str,
    },
    /// Nothing to minimise.
    #[error("hard loss has no part\nhint: give `cross_entropy`, `dice` or both a weight")]
    Empty,
    /// A loss that an empty answer satisfies.
    #[error(
        "hard loss `boundary` stands alone, expected another part beside it\nhint: give `dice` or `cross_entropy` a weight"
    )]
    BoundaryAlone,
    /// A head that does not name the classes.
    #[error("head is {head}, expected one-channel for 2 classes or softmax over {classes}")]
    Head {
        /// The head.
        head: &'static str,
        /// Classes, background included.
        classes: usize,
    },
    /// Class weights without what they weigh.
    #[error("hard loss has class weights but no `cross_entropy`\nhint: leave `class_weights` out")]
    WeightsOfNothing,
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
    /// `[batch, foreground class, …spatial]` signed distances; there where the loss asks for them.
    pub(crate) distances: Option<Tensor<R>>,
}

impl HardLoss {
    /// Checks the weights against a head.
    ///
    /// # Errors
    /// [`HardLossError`].
    pub fn check(&self, head: Head) -> Result<(), HardLossError> {
        let mut others = 0.0;
        for (part, found) in [
            ("cross_entropy", self.cross_entropy),
            ("dice", self.dice),
            ("generalized_dice", self.generalized_dice),
            ("tversky", self.tversky.map_or(0.0, |part| part.weight)),
            ("focal", self.focal.map_or(0.0, |part| part.weight)),
        ] {
            check_weight(part, found)?;
            others += found;
        }
        check_weight("boundary", self.boundary)?;
        match (others > 0.0, self.boundary > 0.0) {
            (false, false) => return Err(HardLossError::Empty),
            (false, true) => return Err(HardLossError::BoundaryAlone),
            (true, _) => {}
        }
        if let Some(TverskyPart { false_positives, false_negatives, .. }) = self.tversky {
            let expected = "a finite number above 0";
            for (part, found) in
                [("tversky.false_positives", false_positives), ("tversky.false_negatives", false_negatives)]
            {
                if !(found.is_finite() && found > 0.0) {
                    return Err(HardLossError::Parameter { part, found, expected });
                }
            }
        }
        if let Some(FocalPart { gamma, .. }) = self.focal
            && !(gamma == 0.0 || (1.0..=10.0).contains(&gamma))
        {
            // Between 0 and 1 the gradient of a point that is sure and right has no end.
            let expected = "0, or 1 to 10";
            return Err(HardLossError::Parameter { part: "focal.gamma", found: gamma, expected });
        }
        if self.class_weights.is_some() && self.cross_entropy == 0.0 {
            return Err(HardLossError::WeightsOfNothing);
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

    /// Whether distance maps have to be made for each batch.
    pub(crate) fn needs_distances(&self) -> bool {
        self.boundary > 0.0
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

    /// The loss; weights were checked. `smoothing` is that of the cross-entropy: the other parts compare with the labels
    /// as they are. `L` is `R − 1`, the rank of labels without a class axis.
    pub(crate) fn forward<const R: usize, const L: usize>(
        &self,
        head: Head,
        raw: Tensor<R>,
        truth: &Truth<R>,
        smoothing: f64,
    ) -> Tensor<1> {
        let mask = || truth.mask.clone();
        let mut parts = Vec::new();
        let mut add = |part: Tensor<1>, weight: f64| parts.push(part.mul_scalar(weight));
        if self.cross_entropy > 0.0 {
            let part = if head.is_bernoulli() {
                let loss = self.binary(smoothing).expect("weights and smoothing were checked before");
                loss.forward(raw.clone(), truth.classes.clone().float(), mask())
            } else {
                let loss = self.softmax(smoothing).expect("weights and smoothing were checked before");
                loss.forward(raw.clone(), truth.classes.clone().squeeze_dim::<L>(1), mask())
            };
            add(part, self.cross_entropy);
        }
        if let Some(FocalPart { weight, gamma }) = self.focal.filter(|part| part.weight > 0.0) {
            add(focal(raw.clone(), truth.classes.clone(), mask(), gamma), weight);
        }
        let tversky_part = self.tversky.filter(|part| part.weight > 0.0);
        if self.dice + self.generalized_dice + self.boundary == 0.0 && tversky_part.is_none() {
            return sum(parts);
        }
        let (probabilities, one_hot) = if head.is_bernoulli() {
            (sigmoid(raw), truth.classes.clone().float())
        } else {
            (softmax(raw, 1), one_hot(truth.classes.clone(), head.n_outputs()))
        };
        let pair = || (probabilities.clone(), one_hot.clone());
        if self.dice > 0.0 {
            let (probabilities, one_hot) = pair();
            add(soft_dice(probabilities, one_hot, mask()), self.dice);
        }
        if let Some(TverskyPart { weight, false_positives, false_negatives }) = tversky_part {
            let (probabilities, one_hot) = pair();
            add(tversky(probabilities, one_hot, mask(), false_positives, false_negatives), weight);
        }
        if self.generalized_dice > 0.0 {
            let (probabilities, one_hot) = pair();
            let with_background = |one: Tensor<R>| {
                if head.is_bernoulli() { Tensor::cat(vec![one.clone().neg().add_scalar(1.0), one], 1) } else { one }
            };
            let (probabilities, one_hot) = (with_background(probabilities), with_background(one_hot));
            add(generalized_dice(probabilities, one_hot, mask()), self.generalized_dice);
        }
        if self.boundary > 0.0 {
            let distances = truth.distances.clone().expect("a batch for this loss has distances");
            add(boundary(probabilities.clone(), distances, mask()), self.boundary);
        }
        sum(parts)
    }
}

fn sum(parts: Vec<Tensor<1>>) -> Tensor<1> {
    parts.into_iter().reduce(|a, b| a + b).expect("a checked loss has a part")
}

fn check_weight(part: &'static str, found: f64) -> Result<(), HardLossError> {
    if found.is_finite() && found >= 0.0 { Ok(()) } else { Err(HardLossError::Weight { part, found }) }
}

/// `[batch, 1, …]` class indices as `[batch, class, …]` zeros and ones.
fn one_hot<const R: usize>(classes: Tensor<R, Int>, n: usize) -> Tensor<R> {
    let planes = (0..n).map(|class| classes.clone().equal_elem(i32::try_from(class).unwrap_or(i32::MAX)).float());
    Tensor::cat(planes.collect(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(hard: HardLoss, head: Head) -> String {
        hard.check(head).unwrap_err().to_string()
    }

    #[test]
    fn a_sum_that_cannot_be_meant_is_refused() {
        let head = Head::Softmax { classes: 3 };
        assert!(refuse(HardLoss::default(), head).contains("no part"));
        assert!(refuse(HardLoss { boundary: 0.1, ..HardLoss::default() }, head).contains("alone"));
        let dice = HardLoss { dice: 1.0, ..HardLoss::default() };
        assert!(refuse(HardLoss { class_weights: Some(vec![1.0; 3]), ..dice.clone() }, head).contains("hint"));
        assert!(refuse(HardLoss { dice: f64::NAN, ..HardLoss::default() }, head).contains("weight NaN"));
        let focal = Some(FocalPart { weight: 1.0, gamma: 0.5 });
        assert!(refuse(HardLoss { focal, ..dice.clone() }, head).contains("focal.gamma"));
        let tversky = Some(TverskyPart { weight: 1.0, false_positives: 0.3, false_negatives: -0.7 });
        assert!(refuse(HardLoss { tversky, ..dice }, head).contains("false_negatives"));
        let entropy = HardLoss { cross_entropy: 1.0, ..HardLoss::default() };
        assert!(refuse(HardLoss { class_weights: Some(vec![1.0; 2]), ..entropy.clone() }, head).contains("3 of them"));
        assert!(entropy.check(head).is_ok());
    }

    #[test]
    fn an_old_recipe_writes_what_it_read() {
        let text = "cross_entropy = 1.0\ndice = 1.0\n";
        assert_eq!(toml::to_string(&toml::from_str::<HardLoss>(text).unwrap()).unwrap(), text);
    }
}
