//! What the numbers that a network puts out mean.
//!
//! The same tensor of logits can be one softmax, several independent yes/no questions or the steps of an ordered
//! scale. Which losses make sense depends on that and on nothing else, so a head is named explicitly and never guessed
//! from the number of channels: two channels can be a two-class softmax or two labels.

use thiserror::Error;

/// The meaning of the logits on the class axis.
///
/// # Example
/// ```
/// use kd_core::Head;
///
/// assert_eq!(Head::OneChannel.n_outputs(), 1);
/// assert_eq!(Head::Ordinal { classes: 5 }.n_outputs(), 4);
/// assert!(Head::MultiLabel { labels: 14 }.is_bernoulli());
/// assert_eq!(Head::softmax(2)?, Head::TwoClassSoftmax);
/// # Ok::<(), kd_core::HeadError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Head {
    /// One logit z, P(positive) = σ(z).
    OneChannel,
    /// Two logits, P = softmax over them.
    TwoClassSoftmax,
    /// Three or more logits, P = softmax over them.
    Softmax {
        /// Number of classes, at least 3.
        classes: usize,
    },
    /// One logit per label, P(label l present) = σ(z_l), labels do not exclude each other.
    MultiLabel {
        /// Number of labels, at least 2.
        labels: usize,
    },
    /// `classes − 1` cumulative logits on an ordered scale, P(class > k) = σ(z_k).
    Ordinal {
        /// Number of classes, at least 3.
        classes: usize,
    },
}

/// Says why a head cannot exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a {head} head needs at least {expected} {unit}, found {found}\nhint: {hint}")]
pub struct HeadError {
    /// Name of the head, as [`Head::name`] gives it.
    pub head: &'static str,
    /// The least number that is accepted.
    pub expected: usize,
    /// What is counted.
    pub unit: &'static str,
    /// The number that was refused.
    pub found: usize,
    /// What to use instead.
    pub hint: &'static str,
}

impl Head {
    /// The softmax head for a number of classes: [`Head::TwoClassSoftmax`] for 2, [`Head::Softmax`] above.
    ///
    /// # Errors
    /// [`HeadError`] below 2: a softmax over one class is 1 whatever the network says.
    pub fn softmax(classes: usize) -> Result<Self, HeadError> {
        match classes {
            0 | 1 => Err(HeadError {
                head: "softmax",
                expected: 2,
                unit: "classes",
                found: classes,
                hint: "one logit for a yes/no question is the one-channel head",
            }),
            2 => Ok(Self::TwoClassSoftmax),
            _ => Ok(Self::Softmax { classes }),
        }
    }

    /// Checks the counts inside the head; done once where a recipe or a manifest is read.
    ///
    /// # Errors
    /// [`HeadError`] when a softmax or an ordinal head has fewer than 3 classes or a multi-label head fewer than 2
    /// labels.
    pub fn validate(self) -> Result<Self, HeadError> {
        let (found, expected, unit, hint) = match self {
            Self::OneChannel | Self::TwoClassSoftmax => return Ok(self),
            Self::Softmax { classes } => (classes, 3, "classes", "two classes are the two-class softmax head"),
            Self::MultiLabel { labels } => (labels, 2, "labels", "one label is the one-channel head"),
            Self::Ordinal { classes } => (classes, 3, "classes", "two ordered classes are the one-channel head"),
        };
        if found < expected { Err(HeadError { head: self.name(), expected, unit, found, hint }) } else { Ok(self) }
    }

    /// Number of logits on the class axis.
    #[must_use]
    pub fn n_outputs(self) -> usize {
        match self {
            Self::OneChannel => 1,
            Self::TwoClassSoftmax => 2,
            Self::Softmax { classes } => classes,
            Self::MultiLabel { labels } => labels,
            Self::Ordinal { classes } => classes.saturating_sub(1),
        }
    }

    /// The name that recipes, tables and messages use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneChannel => "one-channel",
            Self::TwoClassSoftmax => "two-class softmax",
            Self::Softmax { .. } => "softmax",
            Self::MultiLabel { .. } => "multi-label",
            Self::Ordinal { .. } => "ordinal",
        }
    }

    /// Whether every logit is a yes/no question of its own (sigmoid) rather than a part of one softmax.
    #[must_use]
    pub fn is_bernoulli(self) -> bool {
        matches!(self, Self::OneChannel | Self::MultiLabel { .. } | Self::Ordinal { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_and_kind_of_every_head() {
        let table = [
            (Head::OneChannel, 1, true),
            (Head::TwoClassSoftmax, 2, false),
            (Head::Softmax { classes: 7 }, 7, false),
            (Head::MultiLabel { labels: 14 }, 14, true),
            (Head::Ordinal { classes: 5 }, 4, true),
        ];
        for (head, outputs, bernoulli) in table {
            assert_eq!(head.n_outputs(), outputs, "{}", head.name());
            assert_eq!(head.is_bernoulli(), bernoulli, "{}", head.name());
            assert_eq!(head.validate(), Ok(head));
        }
    }

    #[test]
    fn heads_with_too_few_outputs_are_refused() {
        for head in [Head::Softmax { classes: 2 }, Head::MultiLabel { labels: 1 }, Head::Ordinal { classes: 2 }] {
            let text = head.validate().unwrap_err().to_string();
            assert!(text.starts_with(&format!("a {} head needs at least", head.name())), "{text}");
        }
        assert!(Head::softmax(1).is_err());
        assert_eq!(Head::softmax(3), Ok(Head::Softmax { classes: 3 }));
    }
}
