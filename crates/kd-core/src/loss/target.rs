//! A softmax split into the class of the label and the others, in logarithms throughout.
//!
//! Published code takes the logarithm of a sum of probabilities and hides the target behind −1000. Here the share of
//! the others is a log-sum-exp over them alone, so it keeps its digits where the target's probability rounds to 1.

use burn::tensor::{Bool, Tensor, activation::log_softmax};

/// Stands for "not in the sum": its exponential is exactly 0, and it is finite, so differences are no NaN.
pub(super) const ABSENT: f64 = -1e30;

/// Log-probabilities of one side.
pub(super) struct Split {
    /// log p of the target, `[batch, 1, position]`.
    pub(super) target: Tensor<3>,
    /// log of the sum of the other classes' probabilities, `[batch, 1, position]`.
    pub(super) others: Tensor<3>,
    /// log-probabilities among the others alone, `[batch, class, position]`; 0 at the target.
    pub(super) among_others: Tensor<3>,
}

/// Splits softened logits.
pub(super) fn split(logits: Tensor<3>, is_target: &Tensor<3, Bool>) -> Split {
    let log_p = log_softmax(logits, 1);
    let target = log_p.clone().mask_fill(is_target.clone().bool_not(), 0.0).sum_dim(1);
    let rest = log_p.mask_fill(is_target.clone(), ABSENT);
    let top = rest.clone().detach().max_dim(1);
    let others = (rest.clone() - top.clone()).exp().sum_dim(1).log() + top;
    let among_others = (rest - others.clone()).mask_fill(is_target.clone(), 0.0);
    Split { target, others, among_others }
}

/// Probabilities among the others: 0 at the target.
pub(super) fn shares_of_others(split: &Split, is_target: &Tensor<3, Bool>) -> Tensor<3> {
    split.among_others.clone().exp().mask_fill(is_target.clone(), 0.0)
}
