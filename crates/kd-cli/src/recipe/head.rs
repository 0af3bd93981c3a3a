//! The head by the name that recipes and packages give it.

use anyhow::{Result, bail};
use kd_core::Head;
use serde::{Deserialize, Serialize};

/// Which outputs the network has and what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HeadKind {
    /// One logit for the positive class.
    OneChannel,
    /// One logit a class.
    Softmax,
    /// One logit a label.
    MultiLabel,
    /// Cumulative logits of ordered classes.
    Ordinal,
}

impl HeadKind {
    /// The head for a number of classes or labels.
    pub(crate) fn head(self, n_classes: usize) -> Result<Head> {
        Ok(match self {
            Self::OneChannel if n_classes == 2 => Head::OneChannel,
            Self::OneChannel => bail!(
                "head is one-channel, which knows 2 classes, found {n_classes}\nhint: set `data.head` to \"softmax\""
            ),
            Self::Softmax => Head::softmax(n_classes)?,
            Self::MultiLabel => Head::MultiLabel { labels: n_classes }.validate()?,
            Self::Ordinal => Head::Ordinal { classes: n_classes }.validate()?,
        })
    }
}
