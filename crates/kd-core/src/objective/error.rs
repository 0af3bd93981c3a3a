//! Why an objective was refused.

/// Why an objective was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ObjectiveError {
    /// No term at all.
    #[error("objective has no term, expected at least one")]
    Empty,
    /// Two terms of one name.
    #[error("term `{name}` stands twice in one objective, expected one name per term")]
    Twice {
        /// The name.
        name: String,
    },
    /// A weight that would do nothing, or harm.
    #[error("term `{name}` has weight {found}, expected a finite number above 0\nhint: leave the term out instead")]
    Weight {
        /// The term.
        name: String,
        /// Its weight.
        found: f64,
    },
    /// A share of the gradient that is none.
    #[error("term `{name}` has share {found}, expected a number above 0 and below 1")]
    Share {
        /// The term.
        name: String,
        /// Its share.
        found: f64,
    },
    /// Shares that leave nothing to the rest, or no rest.
    #[error(
        "{} terms take {found} of the gradient and {rest} terms have a weight, expected shares below 1 in all and one term \
         with a weight\nhint: give the task a weight of 1 and the others shares beside it",
        names.len()
    )]
    Shares {
        /// The terms that have a share.
        names: Vec<String>,
        /// Their shares together.
        found: f64,
        /// Terms that have a weight.
        rest: usize,
    },
    /// A term that never counts.
    #[error("term `{name}` counts in none of {epochs} epochs, expected some\nhint: its `epochs` lie beyond the plan's")]
    Idle {
        /// The term.
        name: String,
        /// Epochs of the plan.
        epochs: usize,
    },
    /// An epoch without a lesson.
    #[error(
        "no term with a weight counts in epoch {epoch}, expected one in each\nhint: stages follow each other without a gap, and \
         a share is of what the weights leave"
    )]
    Nothing {
        /// The first such epoch, counted from 1.
        epoch: usize,
    },
    /// A smoothing that is no share.
    #[error("term `{name}` has smoothing {found}, expected 0 or more and less than 1")]
    Smoothing {
        /// The term.
        name: String,
        /// Its smoothing.
        found: f64,
    },
}
