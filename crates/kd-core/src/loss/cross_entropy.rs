//! The task loss of softmax heads: hard class labels, class weights, label smoothing, unlabelled samples.
//!
//! Burn's own cross-entropy takes `[batch, class]` only and no mask; this one has the arithmetic of PyTorch's, so that a
//! published training recipe keeps its meaning, and the shapes of the other losses here.

use burn::tensor::{Int, Tensor, TensorData, activation::log_softmax};

use super::{
    LossError,
    operands::{blank_invalid, check_logits, check_mask},
    reduce::{mean_over_valid, ratio_or_zero, total},
};

/// Computes the cross-entropy of a softmax against class labels.
///
/// With `n_k = −log_softmax(z)_k`, label y, weights w and smoothing ε a position's loss is
/// `(1−ε)·w_y·n_y + (ε/K)·Σ_k w_k·n_k`; the sum over valid positions is divided by `Σ_valid w_y`, which without weights
/// is the number of valid samples or pixels.
///
/// # Shapes
/// Logits `[batch, class, …spatial]` of rank 2 to 5 with at least 2 classes, labels `[batch, …spatial]` with values
/// `0..class`, mask `[batch, 1, …spatial]` where a spatial axis may be 1. The result has shape `[1]`.
///
/// # Policy
/// Class weights are divided out again by the weights of the valid labels, so a factor on all of them changes nothing
/// and a rare class counts more without the loss growing. The mask marks labelled positions; a label outside it may be
/// any number. Nothing labelled, or only classes of weight 0, gives 0 with gradient 0.
///
/// # Panics
/// When [`CrossEntropy::check`] would fail. A valid label outside `0..class` panics on backends that check indices and
/// is to be refused where labels are read.
///
/// # Source
/// PyTorch `nn.CrossEntropyLoss` with `reduction="mean"`; label smoothing: Szegedy et al. 2016, arXiv 1512.00567,
/// section 7.
///
/// # Deviations
/// A mask instead of an ignored index; 0 instead of NaN where nothing is labelled.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::loss::CrossEntropy;
///
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_data([[0.0, 0.0], [3f32.ln(), 0.0]], &device);
/// let labels = Tensor::<1, Int>::from_data([1, 0], &device);
/// let loss = CrossEntropy::new(Some(vec![1.0, 3.0]), 0.0)?;
/// let value = loss.forward(logits, labels, None).into_scalar::<f32>();
/// let by_hand = (3.0 * 2f32.ln() + 1.0 * (4f32 / 3.0).ln()) / (3.0 + 1.0);
/// assert!((value - by_hand).abs() < 1e-6);
/// # Ok::<(), kd_core::loss::LossError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CrossEntropy {
    class_weights: Option<Vec<f64>>,
    label_smoothing: f64,
}

impl CrossEntropy {
    /// Makes the loss; `class_weights` has one number per class, `label_smoothing` is ε.
    ///
    /// # Errors
    /// [`LossError::Weights`] for weights that are negative, not finite or all 0; [`LossError::LabelSmoothing`] outside
    /// `0 ≤ ε < 1`.
    pub fn new(class_weights: Option<Vec<f64>>, label_smoothing: f64) -> Result<Self, LossError> {
        if let Some(weights) = &class_weights {
            check_weights("class_weights", "one per class", weights)?;
        }
        Ok(Self { class_weights, label_smoothing: check_smoothing(label_smoothing)? })
    }

    /// Checks shapes once before training.
    ///
    /// # Errors
    /// [`LossError`] when the logits have a wrong rank, an empty axis or fewer than 2 classes, when labels or mask do not
    /// fit them, or when there is not one weight per class.
    pub fn check(&self, logits: &[usize], labels: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_logits(logits)?;
        if logits[1] < 2 {
            return Err(LossError::TooFewClasses { loss: "cross-entropy", found: logits[1] });
        }
        let mut expected = logits.to_vec();
        expected.remove(1);
        if labels != expected {
            return Err(LossError::LabelShape { logits: logits.to_vec(), expected, found: labels.to_vec() });
        }
        if let Some(weights) = &self.class_weights {
            check_count("class_weights", weights, logits[1])?;
        }
        mask.map_or(Ok(()), |mask| check_mask(logits, mask, false))
    }

    /// Computes the loss, shape `[1]`.
    ///
    /// # Panics
    /// With the text of [`LossError`] when [`CrossEntropy::check`] would fail.
    pub fn forward<const D: usize, const L: usize>(
        &self,
        logits: Tensor<D>,
        labels: Tensor<L, Int>,
        mask: Option<Tensor<D>>,
    ) -> Tensor<1> {
        let mask_dims = mask.as_ref().map(Tensor::dims);
        let checked = self.check(&logits.dims(), &labels.dims(), mask_dims.as_ref().map(<[usize; D]>::as_slice));
        if let Err(error) = checked {
            panic!("cross-entropy: {error}");
        }
        let classes = logits.dims()[1];
        let mut position_dims = logits.dims();
        position_dims[1] = 1;
        let labels = labels.inner().reshape(position_dims);
        let mask = mask.map(|mask| mask.inner().cast(logits.dtype()).expand(position_dims));
        let (logits, labels) = match &mask {
            None => (logits, labels),
            Some(mask) => (blank_invalid(logits, mask), labels.mask_fill(mask.clone().equal_elem(0.0), 0)),
        };

        let n = log_softmax(logits, 1).neg();
        let of_label = n.clone().gather(1, labels.clone());
        let smoothing = self.label_smoothing;
        let Some(weights) = &self.class_weights else {
            let of_all = (smoothing > 0.0).then(|| n.sum_dim(1));
            return mean_over_valid(smooth(of_label, of_all, smoothing, classes), mask);
        };

        let weights = per_class(weights, &n);
        let of_all = (smoothing > 0.0).then(|| (n * weights.clone()).sum_dim(1));
        let label_weight = weights.reshape([classes]).select(0, labels.reshape([-1])).reshape(position_dims);
        let mut loss_map = smooth(of_label * label_weight.clone(), of_all, smoothing, classes);
        let mut divisor = label_weight;
        if let Some(mask) = mask {
            loss_map = loss_map * mask.clone();
            divisor = divisor * mask;
        }
        ratio_or_zero(total(loss_map), total(divisor))
    }
}

/// `(1−ε)·own + (ε/K)·all`.
fn smooth<const D: usize>(own: Tensor<D>, all: Option<Tensor<D>>, smoothing: f64, classes: usize) -> Tensor<D> {
    match all {
        None => own,
        Some(all) => own.mul_scalar(1.0 - smoothing) + all.mul_scalar(smoothing / classes as f64),
    }
}

/// One number per class as `[1, class, 1, …]`, on the plain device and in the type of `like`.
pub(super) fn per_class<const D: usize>(weights: &[f64], like: &Tensor<D>) -> Tensor<D> {
    let mut dims = [1; D];
    dims[1] = weights.len();
    Tensor::from_data(TensorData::new(weights.to_vec(), dims), (&like.device().inner(), like.dtype()))
}

pub(super) fn check_weights(what: &'static str, expected: &str, weights: &[f64]) -> Result<(), LossError> {
    let valid = weights.iter().all(|w| w.is_finite() && *w >= 0.0) && weights.iter().any(|w| *w > 0.0);
    if valid { Ok(()) } else { Err(LossError::Weights { what, expected: expected.into(), found: weights.to_vec() }) }
}

pub(super) fn check_count(what: &'static str, weights: &[f64], expected: usize) -> Result<(), LossError> {
    if weights.len() == expected {
        return Ok(());
    }
    Err(LossError::Weights { what, expected: format!("{expected} of them"), found: weights.to_vec() })
}

pub(super) fn check_smoothing(smoothing: f64) -> Result<f64, LossError> {
    if (0.0..1.0).contains(&smoothing) { Ok(smoothing) } else { Err(LossError::LabelSmoothing { found: smoothing }) }
}
