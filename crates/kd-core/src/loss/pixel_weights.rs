//! How much each pixel or sample counts, from the labels: a lesion of ten pixels is not drowned by its background.

use burn::tensor::{Int, Tensor};

use super::{
    Beside, DistillLoss, LossError,
    operands::{check_labels, flatten, one_hot},
};

/// A rule that gives every labelled position a weight.
///
/// Weights go where masks go: a loss's mean over valid positions becomes a weighted mean, divided by the sum of the
/// weights.
///
/// # Policy
/// The balance is that of the batch. Classes that are absent from it take no part. Weights are scaled to have a mean of
/// 1 over valid positions for the balanced rules. Where nothing is labelled all weights are 0.
///
/// # Source
/// Class balance by inverse frequency is folklore. Boundary: after Qin et al. 2021, arXiv 2108.09987, whose region terms
/// look at the same border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PixelWeights {
    /// Every class that is present weighs the same in sum.
    ClassBalanced,
    /// Class 0 (background) on one side and all others together on the other weigh the same in sum.
    ForegroundBalanced,
    /// Positions near another class count `factor` times, the others once.
    Boundary {
        /// Largest number of steps along each axis to a position of another class.
        radius: usize,
        /// How often a boundary position counts; above 0.
        factor: f64,
    },
}

impl PixelWeights {
    /// Weights `[batch, 1, …spatial]` of the positions of `labels`, times `mask`.
    ///
    /// Labels are `[batch, 1, …spatial]`, negative where there is none, below `classes` elsewhere; the result has the
    /// floating type of `mask`, or the device's own.
    ///
    /// # Example
    /// ```
    /// use burn::tensor::{Device, Int, Tensor};
    /// use kd_core::loss::PixelWeights;
    ///
    /// let labels = Tensor::<3, Int>::from_data([[[0, 0, 0, 1]]], &Device::flex());
    /// let weights = PixelWeights::ClassBalanced.of(labels, 2, None);
    /// let third = 2.0f32 / 3.0;
    /// assert_eq!(weights.into_data().try_into_vec::<f32>().unwrap(), [third, third, third, 2.0]);
    /// ```
    #[must_use]
    pub fn of<const D: usize>(self, labels: Tensor<D, Int>, classes: usize, mask: Option<Tensor<D>>) -> Tensor<D> {
        let dims = labels.dims();
        let labels = labels.inner();
        let mut valid = labels.clone().greater_equal_elem(0).float();
        if let Some(mask) = mask {
            let mask = mask.inner();
            valid = valid.cast(mask.dtype()) * mask.expand(dims);
        }
        let labels = labels.clamp_min(0);
        match self {
            Self::ClassBalanced => balanced(labels, classes, valid),
            Self::ForegroundBalanced => balanced(labels.clamp_max(1), 2, valid),
            Self::Boundary { radius, factor } => {
                let near = near_another_class(labels, &valid, radius);
                near.mul_scalar(factor - 1.0).add_scalar(1.0) * valid
            }
        }
    }
}

fn balanced<const D: usize>(labels: Tensor<D, Int>, classes: usize, valid: Tensor<D>) -> Tensor<D> {
    let dims = labels.dims();
    let valid = flatten(valid);
    let member = one_hot(flatten_labels(labels), classes).float().cast(valid.dtype());
    let counts = (member.clone() * valid.clone()).sum_dim(2).sum_dim(0); // [1, class, 1]
    let present = counts.clone().greater_elem(0.0).float().cast(valid.dtype());
    let n_present = present.clone().sum_dim(1).clamp_min(1.0);
    let share = counts.clone().sum_dim(1) / n_present;
    let per_class = present.clone() * share / (counts + present.neg().add_scalar(1.0));
    ((member * per_class).sum_dim(1) * valid).reshape(dims)
}

fn flatten_labels<const D: usize>(labels: Tensor<D, Int>) -> Tensor<3, Int> {
    let dims = labels.dims();
    labels.reshape([dims[0], 1, dims[2..].iter().product()])
}

/// 1 where a valid position of another class lies within `radius` steps along every axis.
fn near_another_class<const D: usize>(labels: Tensor<D, Int>, valid: &Tensor<D>, radius: usize) -> Tensor<D> {
    let number = labels.float().cast(valid.dtype());
    let invalid = valid.clone().equal_elem(0.0);
    // Largest and smallest label in the window; an invalid position is neither.
    let none = -1.0;
    let largest = window_max(number.clone().mask_fill(invalid.clone(), none), radius, none);
    let lowest = -1e6;
    let smallest = window_max(number.neg().mask_fill(invalid.clone(), lowest), radius, lowest).neg();
    largest.not_equal(smallest).float().cast(valid.dtype()).mask_fill(invalid, 0.0)
}

/// Maximum over a window of `2·radius + 1` along each spatial axis, one axis after the other.
fn window_max<const D: usize>(mut values: Tensor<D>, radius: usize, outside: f64) -> Tensor<D> {
    for axis in 2..D {
        let length = values.dims()[axis];
        let original = values.clone();
        for step in 1..=radius.min(length.saturating_sub(1)) {
            let border = original.clone().narrow(axis, 0, step).full_like(outside);
            let later = original.clone().narrow(axis, step, length - step);
            let earlier = original.clone().narrow(axis, 0, length - step);
            values = values.max_pair(Tensor::cat(vec![later, border.clone()], axis));
            values = values.max_pair(Tensor::cat(vec![border, earlier], axis));
        }
    }
    values
}

/// Weighs the positions of a loss by a rule.
///
/// # Policy
/// The rule's weights are multiplied into the mask. A position without a label counts 0.
///
/// # Panics
/// As the inner loss, and when labels are missing.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_core::loss::{Beside, DistillLoss, LogitMse, PixelWeights, Weighted};
///
/// let device = Device::flex();
/// let student = Tensor::<3>::from_data([[[2.0, 0.0, 0.0, 0.0]]], &device);
/// let labels = Tensor::<3, Int>::from_data([[[1, 0, 0, 0]]], &device);
/// let loss = Weighted::new(Box::new(LogitMse::new(false)), PixelWeights::ForegroundBalanced);
/// let beside = Beside::new(student.zeros_like()).with_labels(Some(labels));
/// assert_eq!(loss.evaluate(student, beside).into_scalar::<f32>(), 1.0); // ½·2² for half of the weight
/// ```
#[derive(Debug)]
pub struct Weighted<const D: usize> {
    inner: Box<dyn DistillLoss<D>>,
    weights: PixelWeights,
}

impl<const D: usize> Weighted<D> {
    /// Wraps a loss.
    #[must_use]
    pub fn new(inner: Box<dyn DistillLoss<D>>, weights: PixelWeights) -> Self {
        Self { inner, weights }
    }
}

impl<const D: usize> DistillLoss<D> for Weighted<D> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn learns_temperature(&self) -> bool {
        self.inner.learns_temperature()
    }

    fn needs_labels(&self) -> bool {
        true
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        self.inner.check(student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let dims = student_logits.dims();
        let mask_dims = beside.mask.as_ref().map(Tensor::dims);
        let mask = mask_dims.as_ref().map(<[usize; D]>::as_slice);
        let labels = beside.labels.clone();
        let checked = self.check(&dims, &beside.teacher.dims(), mask).and_then(|()| match &labels {
            None => Err(LossError::NoLabels { loss: self.name() }),
            Some(labels) => check_labels(&dims, &labels.dims()),
        });
        let labels = match (checked, labels) {
            (Ok(()), Some(labels)) => labels,
            (Err(error), _) => panic!("{}: {error}", self.name()),
            (Ok(()), None) => unreachable!("missing labels are an error just above"),
        };
        // The weights have the type of the logits, or a gradient in f64 would have the digits of f32.
        let mask = match beside.mask.clone() {
            Some(mask) => mask.inner().cast(student_logits.dtype()),
            None => Tensor::ones([1; D], (&labels.device(), student_logits.dtype())),
        };
        // One channel still has two classes.
        let weights = self.weights.of(labels, dims[1].max(2), Some(mask));
        self.inner.evaluate(student_logits, beside.with_mask(Some(weights)))
    }
}
