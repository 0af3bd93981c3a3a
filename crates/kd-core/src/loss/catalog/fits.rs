//! The reasons: on which heads a loss means something, and what to use where it does not.

use super::Refusal;
use crate::head::Head;

/// For transforms of the logits that need three classes.
pub(in crate::loss) const STANDARDIZE_REFUSAL: Refusal = Refusal {
    reason: "standardised logits of two classes are ±0.71 whatever the network says, only the sign is left, and of one \
             channel nothing is; yes/no logits have no scale in common",
    instead: "leave `standardize` out",
};

/// For weights that come from class labels.
pub(in crate::loss) const LABELS_REFUSAL: Refusal = Refusal {
    reason: "weights by class need one class label per sample or pixel, which several labels or ordered steps are not",
    instead: "leave `pixels` out",
};

pub(super) fn every_head(_: Head) -> Result<(), Refusal> {
    Ok(())
}

pub(super) fn softmax_only(head: Head) -> Result<(), Refusal> {
    let reason = match head {
        Head::TwoClassSoftmax | Head::Softmax { .. } => return Ok(()),
        Head::OneChannel => {
            "a softmax over one channel is 1 whatever the network says, so any student has the same loss"
        }
        Head::MultiLabel { .. } => "a softmax over labels would make labels exclude each other",
        Head::Ordinal { .. } => "cumulative logits are separate yes/no questions, a softmax over them means nothing",
    };
    Err(Refusal { reason, instead: "use `bernoulli`" })
}

pub(super) fn bernoulli_only(head: Head) -> Result<(), Refusal> {
    if head.is_bernoulli() {
        return Ok(());
    }
    Err(Refusal {
        reason: "softmax logits mean something only relative to each other, the sigmoid of one is no probability",
        instead: "use `hinton`",
    })
}

/// Losses between images.
pub(super) fn no_class_head(_: Head) -> Result<(), Refusal> {
    Err(Refusal {
        reason: "its answers are logits, in no unit that an image has",
        instead: "use `logit-mse`, or a loss on probabilities",
    })
}

/// Losses over the classes beside the target.
pub(super) fn three_classes(head: Head) -> Result<(), Refusal> {
    match head {
        Head::Softmax { .. } => Ok(()),
        Head::TwoClassSoftmax => Err(Refusal {
            reason: "beside the target there is one class, so the non-target term is the same for any student",
            instead: "use `hinton`",
        }),
        Head::OneChannel => Err(Refusal {
            reason: "one channel has no class beside the target, so the non-target term is 0 for any student",
            instead: "use `bernoulli`",
        }),
        Head::MultiLabel { .. } | Head::Ordinal { .. } => Err(Refusal {
            reason: "its logits are separate yes/no questions: there is no single target class to take out",
            instead: "use `bernoulli`",
        }),
    }
}

/// Losses with a border between classes.
pub(super) fn class_labels(head: Head) -> Result<(), Refusal> {
    match head {
        Head::OneChannel | Head::TwoClassSoftmax | Head::Softmax { .. } => Ok(()),
        Head::MultiLabel { .. } | Head::Ordinal { .. } => Err(Refusal {
            reason: "several labels or ordered steps at one pixel have no one border between classes",
            instead: "use `bernoulli`",
        }),
    }
}
