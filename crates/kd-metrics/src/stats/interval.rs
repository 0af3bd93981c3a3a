//! An interval with the facts that it cannot be read without.

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalMethod {
    /// Percentiles of bootstrap draws of subjects.
    Percentile,
    /// Bias-corrected and accelerated percentiles of bootstrap draws of subjects.
    BiasCorrectedAccelerated,
    /// Percentiles of draws of seeds and subjects.
    TwoLevelPercentile,
    /// DeLong's variance and the normal distribution.
    Delong,
    /// Wilson's score interval.
    Wilson,
    /// A standard error and Student's t.
    StudentT,
}

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Low end.
    pub low: f64,
    /// High end.
    pub high: f64,
    /// Confidence level, such as 0.95.
    pub level: f64,
    /// How it was made.
    pub method: IntervalMethod,
    /// Bootstrap draws asked for; 0 where none are made.
    pub resamples: usize,
    /// Draws in which the statistic had no value and which were left out; at most 5 % of [`Self::resamples`].
    pub undefined_draws: usize,
}

impl Interval {
    /// Whether a value lies inside, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}
