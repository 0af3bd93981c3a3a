//! What every table of cases has to say about its means and intervals.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::stats::bootstrap::{BootstrapMethod, BootstrapPlan};
use crate::stats::case_mean::{CaseWeight, UndefinedCases};
use crate::stats::grouping::Grouping;

/// How case scores become means and intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaseProtocol {
    /// What becomes of a case without a value.
    pub undefined: UndefinedCases,
    /// What a case weighs.
    pub weight: CaseWeight,
    /// The bootstrap over subjects.
    pub plan: BootstrapPlan,
}

/// The protocol of a table in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TablePolicy {
    /// What a mean is over.
    pub mean: &'static str,
    /// What becomes of a case without a value.
    pub undefined_cases: &'static str,
    /// What an infinite score does.
    pub infinite_cases: &'static str,
    /// How a number over all classes is made; none where there are no classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_classes: Option<&'static str>,
    /// How the intervals are made.
    pub interval: IntervalPolicy,
    /// How each metric is measured, by name.
    pub metrics: BTreeMap<&'static str, String>,
}

/// How the intervals of a table are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct IntervalPolicy {
    /// `bca` or `percentile`.
    pub method: &'static str,
    /// Confidence level.
    pub level: f64,
    /// Bootstrap draws.
    pub resamples: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// What is drawn.
    pub unit: &'static str,
    /// How many of them there are.
    pub units: usize,
}

impl CaseProtocol {
    pub(super) fn in_words(
        &self,
        grouping: &Grouping,
        over_classes: Option<&'static str>,
        metrics: BTreeMap<&'static str, String>,
    ) -> TablePolicy {
        let method = match self.plan.method {
            BootstrapMethod::BiasCorrectedAccelerated => "bca",
            BootstrapMethod::Percentile => "percentile",
        };
        TablePolicy {
            mean: self.weight.describe(),
            undefined_cases: self.undefined.describe(),
            infinite_cases: "counted; one makes the mean infinite, and then there is no interval",
            over_classes,
            interval: IntervalPolicy {
                method,
                level: self.plan.level,
                resamples: self.plan.resamples,
                seed: self.plan.seed,
                unit: "subject",
                units: grouping.subjects(),
            },
            metrics,
        }
    }
}
