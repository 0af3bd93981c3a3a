//! The rule that turns a probability into a decision.
//!
//! Whether a probability equal to the threshold is positive changes counts wherever scores are tied, and tools differ:
//! a ROC curve counts it as positive, the MedMNIST evaluator does not. So the comparison is part of the threshold.

/// A threshold together with what happens at equality.
///
/// ```
/// use kd_metrics::Cut;
/// assert!(Cut::AtLeast(0.5).is_positive(0.5));
/// assert!(!Cut::Above(0.5).is_positive(0.5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// Positive when the score is strictly greater (MedMNIST's rule at 0.5).
    Above(f64),
    /// Positive when the score is greater or equal (the rule of a ROC curve's thresholds).
    AtLeast(f64),
}

impl Cut {
    /// Whether a score counts as positive.
    #[must_use]
    pub fn is_positive(self, score: f64) -> bool {
        match self {
            Cut::Above(threshold) => score > threshold,
            Cut::AtLeast(threshold) => score >= threshold,
        }
    }

    /// The threshold without its comparison.
    #[must_use]
    pub fn threshold(self) -> f64 {
        match self {
            Cut::Above(threshold) | Cut::AtLeast(threshold) => threshold,
        }
    }
}
