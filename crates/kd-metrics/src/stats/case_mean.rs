//! Means of scores that every case has one of: which cases count, what each weighs, and how many were left out.
//!
//! A mean over cases hides two choices. A case without a score (an organ that is not in the scan) can be left out or refused;
//! left out silently, it makes two means of the same name differ in what they are means of. And a patient with six scans
//! counts six times or once. So both are arguments, and the mean carries the numbers of cases with it.

use super::bootstrap::{BootstrapPlan, bootstrap_interval};
use super::grouping::Grouping;
use super::interval::Interval;
use crate::undefined::{Score, Undefined, check_length};

/// What becomes of a case whose score has no value.
///
/// A value in its place is the metric's to give ([`BothEmpty::Perfect`](crate::BothEmpty::Perfect),
/// [`OneEmpty::PenaltyMm`](crate::OneEmpty::PenaltyMm), [`ZeroDivision::Zero`](crate::ZeroDivision::Zero)): a mean that filled
/// gaps would not know what 0 means there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndefinedCases {
    /// There is no mean either.
    Refuse,
    /// It is left out and counted as such.
    LeaveOut,
}

impl UndefinedCases {
    /// The choice in words, for a protocol.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Refuse => "a case without a value leaves the mean without one",
            Self::LeaveOut => "cases without a value are left out of the mean and counted as left out",
        }
    }
}

/// What a case weighs in a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseWeight {
    /// Every case the same: a subject with more cases counts for more.
    EachCase,
    /// Every subject the same: the mean over subjects of the means over their cases.
    EachSubject,
}

impl CaseWeight {
    /// The choice in words, for a protocol.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::EachCase => "mean over cases",
            Self::EachSubject => "mean over cases of a subject, then over subjects",
        }
    }
}

/// Which cases a mean is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedCases {
    /// Cases with a score, which the mean is over.
    pub counted: usize,
    /// Cases without a score, left out.
    pub left_out: usize,
    /// Counted cases whose score is infinite by the metric's policy; one makes the mean infinite.
    pub infinite: usize,
    /// Subjects with at least one counted case.
    pub subjects: usize,
}

/// The scores of one metric, case by case, ready to be averaged over any draw of cases.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseScores {
    /// 0 where the case does not count.
    values: Vec<f64>,
    /// 0 where the case does not count.
    weights: Vec<f64>,
    counted: CountedCases,
    /// Why the first case that is left out has no score.
    first_reason: Option<Undefined>,
}

impl CaseScores {
    /// Takes the scores of one metric.
    ///
    /// # Shapes
    /// One score per case, in the order of `grouping`'s samples.
    ///
    /// # Errors
    /// Another length than the grouping has samples; a score that is NaN; under [`UndefinedCases::Refuse`] the first case without
    /// a score.
    pub fn new(
        scores: &[Score],
        grouping: &Grouping,
        undefined: UndefinedCases,
        weight: CaseWeight,
    ) -> Result<Self, Undefined> {
        check_length("case scores", grouping.samples(), scores.len())?;
        let (mut values, mut weights) = (vec![0.0; scores.len()], vec![0.0; scores.len()]);
        let (mut infinite, mut first_reason) = (0, None);
        for (case, score) in scores.iter().enumerate() {
            match score {
                Ok(found) if found.is_nan() => {
                    return Err(Undefined::NotFinite { what: "score of case", index: case, found: *found });
                }
                Ok(value) => {
                    infinite += usize::from(value.is_infinite());
                    (values[case], weights[case]) = (*value, 1.0);
                }
                Err(cause) if undefined == UndefinedCases::Refuse => {
                    return Err(Undefined::InCase { case, cause: Box::new(cause.clone()) });
                }
                Err(cause) => {
                    first_reason.get_or_insert_with(|| cause.clone());
                }
            }
        }
        let counted = weights.iter().filter(|&&weight| weight > 0.0).count();
        let mut subjects = 0;
        for subject in 0..grouping.subjects() {
            let cases = grouping.samples_of(subject);
            let of_subject: f64 = cases.iter().map(|&case| weights[case]).sum();
            subjects += usize::from(of_subject > 0.0);
            if weight == CaseWeight::EachSubject && of_subject > 0.0 {
                cases.iter().for_each(|&case| weights[case] /= of_subject);
            }
        }
        let counted = CountedCases { counted, left_out: scores.len() - counted, infinite, subjects };
        Ok(Self { values, weights, counted, first_reason })
    }

    /// Mean over the cases drawn; a case drawn twice counts twice.
    ///
    /// # Errors
    /// None of them counts: the reason of the first case left out. Infinities of both signs.
    ///
    /// # Panics
    /// An index that is not below the number of cases.
    pub fn mean(&self, drawn: &[usize]) -> Score {
        let (mut sum, mut total) = (0.0, 0.0);
        for &case in drawn {
            if self.weights[case] > 0.0 {
                sum += self.weights[case] * self.values[case];
                total += self.weights[case];
            }
        }
        if total == 0.0 {
            return Err(self.first_reason.clone().unwrap_or(Undefined::NoSamples));
        }
        let mean: f64 = sum / total;
        if mean.is_nan() { Err(Undefined::NotFinite { what: "mean", index: 0, found: mean }) } else { Ok(mean) }
    }

    /// Which cases count.
    #[must_use]
    pub fn counted(&self) -> CountedCases {
        self.counted
    }
}

/// A mean over cases with all that it cannot be read without.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseMean {
    /// The mean, infinite where a case's score is.
    pub value: Score,
    /// Its interval over subjects; none for an infinite mean.
    pub interval: Result<Interval, Undefined>,
    /// Which cases it is made of.
    pub counted: CountedCases,
}

/// Mean of a metric over cases, with an interval over subjects.
///
/// # Shapes
/// One score per case, in the order of `grouping`'s samples.
///
/// # Policy
/// What undefined cases do and what a case weighs are arguments. The bootstrap draws subjects with all their cases, counted or
/// not, as [`bootstrap_interval`] has it; a draw in which no case counts is an undefined draw.
///
/// # Errors
/// As [`CaseScores::new`]. That there is no mean or no interval stands in the result with its reason.
///
/// # Source
/// Davison and Hinkley 1997, section 3.8 (the cluster bootstrap).
///
/// # Example
/// ```
/// # use kd_metrics::*;
/// let dice = [Ok(0.9), Err(Undefined::EmptyMask { which: "truth" }), Ok(0.6), Ok(0.75)];
/// let grouping = Grouping::new(&["anna", "anna", "bert", "bert"])?;
/// let plan = BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 200, level: 0.95, seed: 1 };
/// let of = |weight| case_mean(&dice, &grouping, UndefinedCases::LeaveOut, weight, plan);
/// assert_eq!(of(CaseWeight::EachCase)?.value, Ok(0.75));
/// let by_subject = of(CaseWeight::EachSubject)?.value?;
/// assert!((by_subject - (0.9 + 0.675) / 2.0).abs() < 1e-12);
/// assert_eq!((of(CaseWeight::EachCase)?.counted.counted, of(CaseWeight::EachCase)?.counted.left_out), (3, 1));
/// # Ok::<(), Undefined>(())
/// ```
pub fn case_mean(
    scores: &[Score],
    grouping: &Grouping,
    undefined: UndefinedCases,
    weight: CaseWeight,
    plan: BootstrapPlan,
) -> Result<CaseMean, Undefined> {
    let cases = CaseScores::new(scores, grouping, undefined, weight)?;
    let value = cases.mean(&grouping.all());
    let interval = match &value {
        Ok(_) => bootstrap_interval(grouping, &|drawn| cases.mean(drawn), plan),
        Err(reason) => Err(reason.clone()),
    };
    Ok(CaseMean { value, interval, counted: cases.counted() })
}
