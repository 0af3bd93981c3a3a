//! One reported number of a table: a mean over cases, its interval, and the cases that it is and is not over.

use serde::Serialize;

use super::case_row::Cases;
use super::number::Number;
use super::protocol::CaseProtocol;
use crate::stats::bland_altman::{AgreementIntervals, Estimate, bland_altman};
use crate::stats::case_mean::case_mean;
use crate::stats::grouping::Grouping;
use crate::undefined::{Score, Undefined};

/// A mean over cases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Aggregate {
    /// The mean; none with a reason in `undefined`.
    pub value: Option<Number>,
    /// Its interval over subjects.
    pub ci: Option<[Number; 2]>,
    /// Cases with a value.
    pub n: usize,
    /// Cases without a value.
    pub left_out: usize,
    /// Cases of `n` whose value is infinite.
    pub infinite: usize,
    /// Subjects with at least one case of `n`.
    pub subjects: usize,
    /// Why there is no mean, or no interval.
    pub undefined: Option<String>,
}

impl Aggregate {
    pub(super) fn of(scores: &[Score], cases: &Cases, grouping: &Grouping, protocol: &CaseProtocol) -> Self {
        let defined = |case: &usize| scores.get(*case).is_some_and(Result::is_ok);
        let n = (0..scores.len()).filter(defined).count();
        let mut aggregate = Self {
            value: None,
            ci: None,
            n,
            left_out: scores.len() - n,
            infinite: scores.iter().flatten().filter(|score| score.is_infinite()).count(),
            subjects: (0..grouping.subjects()).filter(|&s| grouping.samples_of(s).iter().any(defined)).count(),
            undefined: None,
        };
        match case_mean(scores, grouping, protocol.undefined, protocol.weight, protocol.plan) {
            Err(Undefined::InCase { case, cause }) => {
                aggregate.undefined = Some(format!("case `{}`: {cause}", cases.id(case)));
            }
            Err(reason) => aggregate.undefined = Some(reason.to_string()),
            Ok(mean) => {
                aggregate.undefined = match (&mean.value, &mean.interval) {
                    (Err(reason), _) => Some(reason.to_string()),
                    (Ok(mean), Err(_)) if mean.is_infinite() => Some("interval: the mean is infinite".to_owned()),
                    (Ok(_), Err(reason)) => Some(format!("interval: {reason}")),
                    (Ok(_), Ok(_)) => None,
                };
                aggregate.value = mean.value.ok().map(Number::new);
                aggregate.ci = mean.interval.ok().map(|interval| [interval.low, interval.high].map(Number::new));
            }
        }
        aggregate
    }
}

/// A figure of an agreement with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The figure.
    pub value: Number,
    /// Its interval over subjects.
    pub ci: [Number; 2],
}

/// Bland and Altman's limits for one quantity measured on prediction and truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Cases.
    pub n: usize,
    /// Share of the differences between the limits.
    pub agreement: f64,
    /// Mean of prediction minus truth; none with a reason in `undefined`.
    pub bias: Option<Figure>,
    /// Lower limit.
    pub lower: Option<Figure>,
    /// Upper limit.
    pub upper: Option<Figure>,
    /// Why there are no figures.
    pub undefined: Option<String>,
}

impl Agreement {
    /// Share of the differences that the limits are to hold.
    const SHARE: f64 = 0.95;

    pub(super) fn of(
        prediction: &[f64],
        truth: &[f64],
        grouping: Result<Grouping, Undefined>,
        protocol: &CaseProtocol,
    ) -> Self {
        let found = grouping.and_then(|grouping| {
            let intervals = AgreementIntervals::Bootstrap { grouping: &grouping, plan: protocol.plan };
            bland_altman(prediction, truth, Self::SHARE, intervals)
        });
        let figure = |estimate: &Estimate| Figure {
            value: Number::new(estimate.value),
            ci: [estimate.interval.low, estimate.interval.high].map(Number::new),
        };
        let found = found.as_ref();
        Self {
            n: truth.len(),
            agreement: Self::SHARE,
            bias: found.ok().map(|found| figure(&found.bias)),
            lower: found.ok().map(|found| figure(&found.lower)),
            upper: found.ok().map(|found| figure(&found.upper)),
            undefined: found.err().map(ToString::to_string),
        }
    }
}
