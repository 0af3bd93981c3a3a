//! Arms of a distillation study that are scored case by case, compared on the same cases.
//!
//! [`two_level_draws`] takes any statistic; here it is a mean over cases. What has to be added is that all arms are means over
//! the *same* cases: a case that one network has no score for is left out of every network, or the difference of two means
//! would be one of two groups of patients.

use super::case_mean::{CaseScores, CaseWeight, CountedCases, UndefinedCases};
use super::grouping::Grouping;
use super::two_level::{Arm, TwoLevel, TwoLevelPlan, two_level_draws};
use crate::undefined::{Score, Undefined, check_length};

/// Case scores of one arm.
#[derive(Debug, Clone, Copy)]
pub enum CaseArm<'a> {
    /// One network for all seeds, such as the teacher, or the untouched input: one score per case.
    Single(&'a [Score]),
    /// One network per seed: per seed one score per case.
    PerSeed(&'a [Vec<Score>]),
}

impl<'a> CaseArm<'a> {
    fn networks(self) -> Vec<&'a [Score]> {
        match self {
            Self::Single(scores) => vec![scores],
            Self::PerSeed(seeds) => seeds.iter().map(Vec::as_slice).collect(),
        }
    }
}

/// The draws of a study, and the cases that all of its means are over.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseStudy {
    /// Values, intervals, paired differences and the share of the gap recovered, by arm.
    pub draws: TwoLevel,
    /// Which cases count; the same ones in every arm.
    pub counted: CountedCases,
}

/// The two-level paired bootstrap of means over cases.
///
/// # Shapes
/// Every network has one score per case, in the order of `grouping`'s samples; every [`CaseArm::PerSeed`] has the same seeds
/// in the same order.
///
/// # Policy
/// Under [`UndefinedCases::LeaveOut`] a case that is without a score in one network of any arm is left out of all. Draws as
/// [`two_level_draws`] makes them: seeds, then subjects, the same for every arm.
///
/// # Errors
/// Arms that differ in seeds or cases; as [`CaseScores::new`] and [`two_level_draws`]; a score that is infinite, for no
/// difference can be had from it.
///
/// # Source
/// As [`two_level_draws`].
///
/// # Example
/// ```
/// # use kd_metrics::*;
/// let score = |shares: [f64; 4]| shares.map(Ok).to_vec();
/// let teacher = score([0.9, 0.8, 0.85, 0.7]);
/// let mut student = vec![score([0.8, 0.75, 0.7, 0.6]), score([0.85, 0.7, 0.75, 0.65])];
/// student[1][3] = Err(Undefined::EmptyMask { which: "prediction" });
/// let plan = TwoLevelPlan { resamples: 200, level: 0.95, seed: 1 };
/// let study = case_study(
///     &[CaseArm::Single(&teacher), CaseArm::PerSeed(&student)],
///     &Grouping::each_sample(4)?,
///     UndefinedCases::LeaveOut,
///     CaseWeight::EachCase,
///     plan,
/// )?;
/// assert_eq!((study.counted.counted, study.counted.left_out), (3, 1));
/// // The teacher's mean is over three cases too: .85, and .75 and .7666… of the seeds.
/// assert!((study.draws.difference(0, 1)?.value - (0.85 - (0.75 + 2.3 / 3.0) / 2.0)).abs() < 1e-12);
/// # Ok::<(), Undefined>(())
/// ```
pub fn case_study(
    arms: &[CaseArm<'_>],
    grouping: &Grouping,
    undefined: UndefinedCases,
    weight: CaseWeight,
    plan: TwoLevelPlan,
) -> Result<CaseStudy, Undefined> {
    let networks: Vec<Vec<&[Score]>> = arms.iter().map(|arm| arm.networks()).collect();
    let seeds = |arm: &CaseArm<'_>| match arm {
        CaseArm::PerSeed(seeds) => Some(seeds.len()),
        CaseArm::Single(_) => None,
    };
    let expected = arms.iter().find_map(seeds).unwrap_or(1);
    for arm in arms.iter().filter_map(seeds) {
        check_length("seeds of an arm", expected, arm)?;
    }
    let mut missing: Vec<Option<&Undefined>> = vec![None; grouping.samples()];
    for scores in networks.iter().flatten() {
        check_length("case scores", grouping.samples(), scores.len())?;
        for (missing, score) in missing.iter_mut().zip(*scores) {
            *missing = missing.or(score.as_ref().err());
        }
    }
    let of_network = |scores: &[Score]| {
        let common: Vec<Score> = scores
            .iter()
            .zip(&missing)
            .map(|(score, missing)| missing.map_or_else(|| score.clone(), |reason| Err(reason.clone())))
            .collect();
        CaseScores::new(&common, grouping, undefined, weight)
    };
    let scores = networks
        .iter()
        .map(|networks| networks.iter().map(|scores| of_network(scores)).collect())
        .collect::<Result<Vec<Vec<CaseScores>>, Undefined>>()?;
    let Some(first) = scores.first().and_then(|networks| networks.first()) else {
        return Err(Undefined::NotEnough { what: "arms of the study", expected: 1, found: 0 });
    };
    let infinite = scores.iter().flatten().map(|scores| scores.counted().infinite).max().unwrap_or(0);
    let counted = CountedCases { infinite, ..first.counted() };
    let means: Vec<_> = scores
        .iter()
        .map(|networks| {
            (|drawn: &[usize]| networks[0].mean(drawn), |seed: usize, drawn: &[usize]| networks[seed].mean(drawn))
        })
        .collect();
    let drawn: Vec<Arm<'_>> = arms
        .iter()
        .zip(&means)
        .map(|(arm, (single, per_seed))| match arm {
            CaseArm::Single(_) => Arm::Single(single),
            CaseArm::PerSeed(_) => Arm::PerSeed(per_seed),
        })
        .collect();
    Ok(CaseStudy { draws: two_level_draws(expected, grouping, &drawn, plan)?, counted })
}

/// First minus second, one number per subject: the mean over the subject's cases that have both scores. What a test that
/// knows no subjects, such as [`WilcoxonSignedRank`](crate::WilcoxonSignedRank), may be given.
///
/// # Shapes
/// One score per case on both sides, in the order of `grouping`'s samples; the result is in the order of its subjects,
/// without those that have no case with both.
///
/// # Policy
/// As [`UndefinedCases`] says; a case counts only if both scores have a value.
///
/// # Errors
/// Other lengths than the grouping has samples; a difference that is not finite; under [`UndefinedCases::Refuse`] a case
/// without a score.
///
/// # Example
/// ```
/// # use kd_metrics::*;
/// let (first, second) = ([Ok(0.9), Ok(0.7), Ok(0.5)], [Ok(0.8), Ok(0.8), Err(Undefined::NoSamples)]);
/// let grouping = Grouping::new(&["anna", "bert", "bert"])?;
/// let differences = subject_differences(&first, &second, &grouping, UndefinedCases::LeaveOut)?;
/// assert!((differences[0] - 0.1).abs() < 1e-12 && (differences[1] + 0.1).abs() < 1e-12);
/// # Ok::<(), Undefined>(())
/// ```
pub fn subject_differences(
    first: &[Score],
    second: &[Score],
    grouping: &Grouping,
    undefined: UndefinedCases,
) -> Result<Vec<f64>, Undefined> {
    check_length("first case scores", grouping.samples(), first.len())?;
    check_length("second case scores", grouping.samples(), second.len())?;
    let minus = |(index, (first, second)): (usize, (&Score, &Score))| match (first, second) {
        (Ok(first), Ok(second)) if (first - second).is_finite() => Ok(first - second),
        (Ok(first), Ok(second)) => {
            Err(Undefined::NotFinite { what: "difference of case", index, found: first - second })
        }
        (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
    };
    let differences: Vec<Score> = first.iter().zip(second).enumerate().map(minus).collect();
    // An infinite score has a value: it is not left out, it stands in the way.
    let is_infinite = |score: &&Score| matches!(score, Err(Undefined::NotFinite { what: "difference of case", .. }));
    if let Some(Err(reason)) = differences.iter().find(is_infinite) {
        return Err(reason.clone());
    }
    let cases = CaseScores::new(&differences, grouping, undefined, CaseWeight::EachCase)?;
    Ok((0..grouping.subjects()).filter_map(|subject| cases.mean(grouping.samples_of(subject)).ok()).collect())
}
