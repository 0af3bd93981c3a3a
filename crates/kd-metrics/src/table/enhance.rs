//! The table of restored cases: the restored images, the untouched ones beside them, and what was gained.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::aggregate::Aggregate;
use super::case_row::{CaseRow, Cases};
use super::protocol::{CaseProtocol, TablePolicy};
use crate::enhance::images::{ImagePair, check_range};
use crate::enhance::protocol::EnhanceMetric;
use crate::stats::grouping::Grouping;
use crate::undefined::{Score, Undefined, check_length};

/// All that the numbers of restored cases depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct EnhanceProtocol {
    /// Metrics with their ranges and variants.
    pub metrics: Vec<EnhanceMetric>,
    /// Means and intervals.
    pub cases: CaseProtocol,
}

/// Everything about a set of restored cases. Serialises to the document of `kd metrics enhance --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnhanceTable {
    /// Version of the document.
    pub schema: u32,
    /// `enhance`.
    pub task: &'static str,
    /// Cases.
    pub n: usize,
    /// What the numbers depend on.
    pub policy: TablePolicy,
    /// The untouched images, by name: what every restoration has to be better than.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_nothing: Option<BTreeMap<&'static str, Aggregate>>,
    /// The restored images, by name.
    pub metrics: BTreeMap<&'static str, Aggregate>,
    /// Restored minus untouched, paired by case, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain: Option<BTreeMap<&'static str, Aggregate>>,
    /// Case by case.
    pub per_case: Vec<CaseRow>,
}

/// Scores restored cases one by one, and makes the table of them.
///
/// # Policy
/// All of it stands in [`EnhanceProtocol`]; every metric's line is its
/// [`EnhanceMetric::protocol`]. A gain of two infinite scores (both images are the reference) has no value.
///
/// # Example
/// ```
/// use kd_metrics::*;
/// let plan = BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 200, level: 0.95, seed: 0 };
/// let mut cases = EnhanceCases::new(EnhanceProtocol {
///     metrics: vec![EnhanceMetric::Psnr { range: 100.0 }],
///     cases: CaseProtocol { undefined: UndefinedCases::LeaveOut, weight: CaseWeight::EachCase, plan },
/// })?;
/// let truth = [0.0, 50.0];
/// let pair = |image| ImagePair::plane([1, 2], image, &truth);
/// cases.add("slice 1", "anna", &pair(&[1.0, 51.0])?, Some(&pair(&[10.0, 60.0])?))?;
/// cases.add("slice 2", "bert", &pair(&[1.0, 49.0])?, Some(&pair(&[1.0, 49.0])?))?;
/// let table = cases.table()?;
/// let value = |metrics: &std::collections::BTreeMap<_, Aggregate>| metrics["psnr_db"].value.map(Number::value);
/// assert_eq!(value(&table.metrics), Some(40.0));
/// assert_eq!(table.gain.as_ref().and_then(value), Some(10.0));
/// # Ok::<(), Undefined>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EnhanceCases {
    protocol: EnhanceProtocol,
    cases: Cases,
    /// Two or three, from the first case.
    axes: Option<usize>,
    /// Per case, then per metric.
    restored: Vec<Vec<Score>>,
    /// As `restored`; empty where the cases came without.
    untouched: Vec<Vec<Score>>,
}

impl EnhanceCases {
    /// No cases yet.
    ///
    /// # Errors
    /// No metrics, a name twice (one metric at two ranges needs two tables); a range or bootstrap plan outside its range.
    pub fn new(protocol: EnhanceProtocol) -> Result<Self, Undefined> {
        protocol.cases.plan.check()?;
        if protocol.metrics.is_empty() {
            return Err(Undefined::NotEnough { what: "metrics", expected: 1, found: 0 });
        }
        let names: BTreeSet<&str> = protocol.metrics.iter().map(EnhanceMetric::name).collect();
        check_length("different metrics", protocol.metrics.len(), names.len())?;
        for range in protocol.metrics.iter().filter_map(EnhanceMetric::range) {
            check_range(range)?;
        }
        let (restored, untouched) = (Vec::new(), Vec::new());
        Ok(Self { protocol, cases: Cases::default(), axes: None, restored, untouched })
    }

    /// Scores a case and keeps its scores. `untouched` is what the restoration started from, on the same grid as the truth.
    ///
    /// # Errors
    /// A case that was added before; a plane among volumes or a volume among planes; an untouched image in some cases and not in
    /// others, or one with another truth. The table is then as it was.
    pub fn add(
        &mut self,
        id: &str,
        subject: &str,
        restored: &ImagePair<'_>,
        untouched: Option<&ImagePair<'_>>,
    ) -> Result<(), Undefined> {
        self.cases.check_new(id)?;
        let axes = self.axes.unwrap_or(restored.axes());
        check_length("axes of the image", axes, restored.axes())?;
        if self.axes.is_some() {
            let has = |given: bool| usize::from(given);
            check_length("untouched images of the case", has(!self.untouched.is_empty()), has(untouched.is_some()))?;
        }
        if let Some(untouched) = untouched {
            check_length("axes of the untouched image", axes, untouched.axes())?;
            for (&expected, &found) in restored.shape().iter().zip(untouched.shape()) {
                check_length("axis of the untouched image", expected, found)?;
            }
            let differs = restored.truth().iter().zip(untouched.truth()).position(|(a, b)| a.to_bits() != b.to_bits());
            if let Some(sample) = differs {
                return Err(Undefined::TruthMismatch { sample });
            }
        }
        let score = |pair: &ImagePair<'_>| self.protocol.metrics.iter().map(|metric| metric.score(pair)).collect();
        let (of_restored, of_untouched) = (score(restored), untouched.map(score));
        self.axes = Some(axes);
        self.restored.push(of_restored);
        self.untouched.extend(of_untouched);
        self.cases.add(id, subject);
        Ok(())
    }

    /// The restored images' scores of a metric, case by case; none for a metric that is not measured.
    #[must_use]
    pub fn restored_scores(&self, name: &str) -> Option<Vec<Score>> {
        self.position(name).map(|metric| self.restored.iter().map(|case| case[metric].clone()).collect())
    }

    /// The untouched images' scores of a metric, case by case; none for a metric that is not measured, and where the cases
    /// came without.
    #[must_use]
    pub fn untouched_scores(&self, name: &str) -> Option<Vec<Score>> {
        let metric = self.position(name).filter(|_| !self.untouched.is_empty())?;
        Some(self.untouched.iter().map(|case| case[metric].clone()).collect())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.protocol.metrics.iter().position(|metric| metric.name() == name)
    }

    /// What the numbers depend on.
    #[must_use]
    pub fn protocol(&self) -> &EnhanceProtocol {
        &self.protocol
    }

    /// The subject of each case, in the order in which they were added.
    #[must_use]
    pub fn subjects(&self) -> &[String] {
        self.cases.subjects()
    }

    /// Number of cases so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there is no case yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table of all cases so far.
    ///
    /// # Errors
    /// No cases. A number that has no value, or no interval (one subject), has its reason in the table.
    pub fn table(&self) -> Result<EnhanceTable, Undefined> {
        let grouping = Grouping::new(self.cases.subjects())?;
        let axes = self.axes.ok_or(Undefined::NoSamples)?;
        let names: Vec<&'static str> = self.protocol.metrics.iter().map(EnhanceMetric::name).collect();
        let aggregate = |of: &dyn Fn(usize, usize) -> Score| {
            let metric = |index: usize| (0..self.len()).map(|case| of(case, index)).collect::<Vec<_>>();
            let mean = |index: usize| Aggregate::of(&metric(index), &self.cases, &grouping, &self.protocol.cases);
            names.iter().enumerate().map(|(index, name)| (*name, mean(index))).collect::<BTreeMap<_, _>>()
        };
        let beside = (!self.untouched.is_empty()).then_some(());
        let gain = |case: usize, index: usize| match (&self.restored[case][index], &self.untouched[case][index]) {
            (Ok(after), Ok(before)) if (after - before).is_nan() => {
                Err(Undefined::NotFinite { what: "gain of case", index: case, found: after - before })
            }
            (Ok(after), Ok(before)) => Ok(after - before),
            (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
        };
        let row = |case: usize, of: Option<&'static str>, scores: &[Score]| CaseRow {
            of,
            ..self.cases.row(case).with(names.iter().copied().zip(scores))
        };
        let mut per_case = Vec::with_capacity(self.len() * (1 + usize::from(beside.is_some())));
        for (case, scores) in self.restored.iter().enumerate() {
            if let Some(untouched) = self.untouched.get(case) {
                per_case.push(row(case, Some("do_nothing"), untouched));
            }
            per_case.push(row(case, beside.map(|()| "prediction"), scores));
        }
        let words = self.protocol.metrics.iter().map(|metric| (metric.name(), metric.protocol(axes))).collect();
        Ok(EnhanceTable {
            schema: 1,
            task: "enhance",
            n: self.len(),
            policy: self.protocol.cases.in_words(&grouping, None, words),
            do_nothing: beside.map(|()| aggregate(&|case, index| self.untouched[case][index].clone())),
            metrics: aggregate(&|case, index| self.restored[case][index].clone()),
            gain: beside.map(|()| aggregate(&gain)),
            per_case,
        })
    }
}
