//! The task loss of Bernoulli heads: one channel, several labels, ordered classes as cumulative yes/no questions.
//!
//! One loss serves all three, because an ordinal head with K classes is K−1 labels "class > k" whose targets
//! [`cumulative_targets`] writes down.

use burn::tensor::{Int, Tensor};

use super::{
    LossError,
    bernoulli::softplus,
    cross_entropy::{check_count, check_smoothing, check_weights, per_class},
    operands::{blank_invalid, check_logits, check_mask},
    reduce::{ratio_or_zero, total},
};

/// How positive and negative targets are weighted; the two kinds of weight differ in the divisor.
#[derive(Debug, Clone, PartialEq)]
pub enum BinaryWeights {
    /// Every target counts 1; the divisor is the number of valid positions.
    Equal,
    /// One factor per label on its positive half, as PyTorch's `pos_weight`; the divisor stays the number of valid
    /// positions, so the loss grows with the factors.
    Positive(Vec<f64>),
    /// One-channel heads only: weights of the two classes; the divisor is the sum of the weights of the valid targets.
    /// This is [`CrossEntropy`](super::CrossEntropy) with these class weights on the logits `(0, z)`.
    Classes {
        /// Weight of target 0.
        negative: f64,
        /// Weight of target 1.
        positive: f64,
    },
}

/// Computes the binary cross-entropy of logits against targets of 0 and 1.
///
/// With `y' = (1−ε)·y + ε/2` an element's loss is `w₁·y'·softplus(−z) + w₀·(1−y')·softplus(z)`; valid elements are
/// summed over labels and positions, and divided as [`BinaryWeights`] says: by the number of valid samples or pixels,
/// or by the sum of their class weights.
///
/// # Shapes
/// Logits and targets `[batch, label, …spatial]` of rank 2 to 5; mask `[batch, 1, …spatial]`, or
/// `[batch, label, …spatial]` where single labels are unknown; a spatial axis of the mask may be 1. The result has shape
/// `[1]`.
///
/// # Policy
/// Labels are summed, not averaged. A position is valid when at least one of its labels is: with a mask per label the
/// known labels of a position are summed and the divisor counts positions, not labels. Targets may be soft. A target
/// outside the mask may be any number, NaN included. Nothing valid gives 0 with gradient 0.
///
/// # Panics
/// When [`BinaryCrossEntropy::check`] would fail.
///
/// # Source
/// PyTorch `nn.BCEWithLogitsLoss`; label smoothing: Szegedy et al. 2016, arXiv 1512.00567, section 7, for two classes;
/// cumulative logits: McCullagh 1980, "Regression models for ordinal data", section 2.
///
/// # Deviations
/// PyTorch's `mean` also divides by the number of labels; here labels are summed, as in every loss of this module.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::{BinaryCrossEntropy, BinaryWeights};
///
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_data([[0.0, 3f32.ln()]], &device); // probabilities 1/2 and 3/4
/// let targets = Tensor::<2>::from_data([[1.0, 0.0]], &device);
/// let loss = BinaryCrossEntropy::new(BinaryWeights::Equal, 0.0)?;
/// let value = loss.forward(logits, targets, None).into_scalar::<f32>();
/// assert!((value - 8f32.ln()).abs() < 1e-6); // −ln ½ − ln ¼
/// # Ok::<(), kd_core::loss::LossError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryCrossEntropy {
    weights: BinaryWeights,
    label_smoothing: f64,
}

impl BinaryCrossEntropy {
    /// Makes the loss; `label_smoothing` is ε.
    ///
    /// # Errors
    /// [`LossError::Weights`] for weights that are negative, not finite or all 0; [`LossError::LabelSmoothing`] outside
    /// `0 ≤ ε < 1`.
    pub fn new(weights: BinaryWeights, label_smoothing: f64) -> Result<Self, LossError> {
        match &weights {
            BinaryWeights::Equal => {}
            BinaryWeights::Positive(weights) => check_weights("positive_weights", "one per label", weights)?,
            BinaryWeights::Classes { negative, positive } => {
                check_weights("class_weights", "one per class", &[*negative, *positive])?;
            }
        }
        Ok(Self { weights, label_smoothing: check_smoothing(label_smoothing)? })
    }

    /// Checks shapes once before training.
    ///
    /// # Errors
    /// [`LossError`] when the logits have a wrong rank or an empty axis, when targets or mask do not fit them, or when
    /// the weights do not fit the number of labels.
    pub fn check(&self, logits: &[usize], targets: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_logits(logits)?;
        if targets != logits {
            return Err(LossError::LabelShape {
                logits: logits.to_vec(),
                expected: logits.to_vec(),
                found: targets.to_vec(),
            });
        }
        match &self.weights {
            BinaryWeights::Positive(weights) => check_count("positive_weights", weights, logits[1])?,
            BinaryWeights::Classes { negative, positive } if logits[1] != 1 => {
                return Err(LossError::Weights {
                    what: "class_weights",
                    expected: format!("on one channel (this head has {} labels: use positive_weights)", logits[1]),
                    found: vec![*negative, *positive],
                });
            }
            BinaryWeights::Equal | BinaryWeights::Classes { .. } => {}
        }
        mask.map_or(Ok(()), |mask| check_mask(logits, mask, true))
    }

    /// Computes the loss, shape `[1]`.
    ///
    /// # Panics
    /// With the text of [`LossError`] when [`BinaryCrossEntropy::check`] would fail.
    pub fn forward<const D: usize>(&self, logits: Tensor<D>, targets: Tensor<D>, mask: Option<Tensor<D>>) -> Tensor<1> {
        let mask_dims = mask.as_ref().map(Tensor::dims);
        let checked = self.check(&logits.dims(), &targets.dims(), mask_dims.as_ref().map(<[usize; D]>::as_slice));
        if let Err(error) = checked {
            panic!("binary-cross-entropy: {error}");
        }
        let targets = targets.inner().cast(logits.dtype());
        let mask = match mask {
            None => targets.ones_like(),
            Some(mask) => mask.inner().cast(logits.dtype()).expand(logits.dims()),
        };
        let targets = blank_invalid(targets, &mask);
        let logits = blank_invalid(logits, &mask);

        let divisor = match self.weights {
            BinaryWeights::Equal | BinaryWeights::Positive(_) => total(mask.clone().max_dim(1)),
            BinaryWeights::Classes { negative, positive } => {
                let of_target = targets.clone().mul_scalar(positive - negative).add_scalar(negative);
                total(of_target * mask.clone())
            }
        };
        let smoothed = targets.mul_scalar(1.0 - self.label_smoothing).add_scalar(self.label_smoothing / 2.0);
        let mut if_positive = smoothed.clone() * softplus(logits.clone().neg());
        let mut if_negative = smoothed.neg().add_scalar(1.0) * softplus(logits);
        match &self.weights {
            BinaryWeights::Equal => {}
            BinaryWeights::Positive(weights) => if_positive = if_positive * per_class(weights, &mask),
            BinaryWeights::Classes { negative, positive } => {
                if_positive = if_positive.mul_scalar(*positive);
                if_negative = if_negative.mul_scalar(*negative);
            }
        }
        ratio_or_zero(total((if_positive + if_negative) * mask), divisor)
    }
}

/// Writes ordered class labels as the targets of an ordinal head: target k is 1 where the class is above k.
///
/// # Shapes
/// Labels `[batch, …spatial]` with values `0..classes` to `[batch, classes − 1, …spatial]`, one rank more.
///
/// # Panics
/// When `D` is not one more than the rank of the labels, or `classes` is below 2.
///
/// # Source
/// McCullagh 1980, "Regression models for ordinal data", section 2 (cumulative logits).
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::loss::cumulative_targets;
///
/// let labels = Tensor::<1, Int>::from_data([0, 2, 3], &Device::flex());
/// let targets: Tensor<2> = cumulative_targets(labels, 4);
/// let expected = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0];
/// assert_eq!(targets.into_data().as_slice::<f32>().unwrap(), expected);
/// ```
#[must_use]
pub fn cumulative_targets<const L: usize, const D: usize>(labels: Tensor<L, Int>, classes: usize) -> Tensor<D> {
    assert!(D == L + 1, "targets must have one axis more than labels of rank {L}, found rank {D}");
    assert!(classes >= 2, "ordinal targets need at least 2 classes, found {classes}");
    let labels = labels.inner();
    let mut steps_dims = [1; D];
    steps_dims[1] = classes - 1;
    let steps = Tensor::<1, Int>::arange(0..(classes - 1) as i64, (&labels.device(), labels.dtype()));
    let labels = labels.unsqueeze_dim::<D>(1);
    let mut target_dims = labels.dims();
    target_dims[1] = classes - 1;
    labels.expand(target_dims).greater(steps.reshape(steps_dims).expand(target_dims)).float()
}
