//! Arms against each other: paired differences, and the share of the teacher's lead that was recovered.
//!
//! The same for every task: all it needs of an arm is one number a seed over any draw of test samples.

use std::collections::BTreeSet;

use anyhow::Result;
use kd_metrics::{Arm as MetricArm, Better, Grouping, Score, TwoLevel, Undefined, holm, two_level_draws};
use kd_report::{Difference, Fact, Gap, Role, Value};

use super::evidence::{Statistics, of_score};
use crate::recipe::Arm;

const TWO_LEVEL: &str = "paired percentile bootstrap over seeds, then subjects";

/// What an arm is for, as its terms say.
pub(crate) fn role(arm: &Arm) -> Role {
    if arm.unlabelled {
        Role::Extra
    } else if arm.learns_from_teacher() {
        Role::Distilled
    } else if arm.distills()
        || arm.has_exits()
        || arm.terms.iter().any(|term| term.smoothing > 0.0 || term.against_truth)
    {
        Role::Control
    } else {
        Role::Alone
    }
}

/// A metric that arms are compared by.
#[derive(Clone, Copy)]
pub(crate) struct Compared<'a> {
    pub(crate) name: &'a str,
    pub(crate) better: Better,
    /// Whether the headline rests on it.
    pub(crate) is_primary: bool,
}

/// What all comparisons of one student size share.
pub(crate) struct Comparison<'a> {
    pub(crate) student: &'a str,
    pub(crate) arms: &'a [Arm],
    pub(crate) seeds: usize,
    pub(crate) grouping: &'a Grouping,
    pub(crate) statistics: Statistics,
}

/// What comparisons have found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) differences: Vec<Difference>,
    pub(crate) gaps: Vec<Gap>,
}

impl Found {
    /// All gaps, those of the arm that the recipe packs first: the first of a student stands in the headline, and that arm
    /// was named before anything was known.
    pub(crate) fn gaps_of(mut self, packed_arm: &str) -> (Vec<Difference>, Vec<Gap>) {
        self.gaps.sort_by_key(|gap| gap.arm != packed_arm);
        (self.differences, self.gaps)
    }
}

impl Comparison<'_> {
    /// Paired differences of every arm to the lone student, of those that distil to the control too, of each to those that
    /// it is `against`, and the gap that they recovered. `of_arm` takes the arm's place, the seed's place and a draw; `of_teacher` a draw.
    pub(crate) fn add(
        &self,
        metric: Compared<'_>,
        of_arm: &(dyn Fn(usize, usize, &[usize]) -> Score + Sync),
        of_teacher: &(dyn Fn(&[usize]) -> Score + Sync),
        found: &mut Found,
    ) {
        let Some(alone) = self.arms.iter().position(|arm| role(arm) == Role::Alone) else { return };
        let draws = self.draws(of_arm, of_teacher);
        let control = self.arms.iter().position(|arm| role(arm) == Role::Control);
        for (place, arm) in self.arms.iter().enumerate().filter(|(place, _)| *place != alone) {
            // Softness alone has to be beaten too, so what learned from the teacher also meets the control.
            let mut others: Vec<usize> =
                std::iter::once(alone).chain(control.filter(|_| arm.learns_from_teacher())).collect();
            for asked in self.places(&arm.against) {
                if !others.contains(&asked) {
                    others.push(asked);
                }
            }
            for other in others {
                let difference = draws.as_ref().map_err(Clone::clone).and_then(|draws| draws.difference(place, other));
                let names = (arm.name.as_str(), self.arms[other].name.as_str());
                found.differences.push(reported_difference(self.student, names, metric.name, difference));
            }
            if metric.is_primary && role(arm) == Role::Distilled {
                found.gaps.push(self.gap(&arm.name, metric, draws.as_ref(), place, alone));
            }
        }
    }

    fn places<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = usize> + 'a {
        names.iter().filter_map(|name| self.arms.iter().position(|arm| arm.name == *name))
    }

    /// The two-level draws of a metric: the student's arms in their order, then the teacher.
    fn draws(
        &self,
        of_arm: &(dyn Fn(usize, usize, &[usize]) -> Score + Sync),
        of_teacher: &(dyn Fn(&[usize]) -> Score + Sync),
    ) -> Result<TwoLevel, Undefined> {
        type PerSeed<'a> = Box<dyn Fn(usize, &[usize]) -> Score + Sync + 'a>;
        let statistics: Vec<PerSeed<'_>> = (0..self.arms.len())
            .map(|place| Box::new(move |seed: usize, draw: &[usize]| of_arm(place, seed, draw)) as PerSeed<'_>)
            .collect();
        let mut arms: Vec<MetricArm<'_>> =
            statistics.iter().map(|statistic| MetricArm::PerSeed(statistic.as_ref())).collect();
        arms.push(MetricArm::Single(of_teacher));
        two_level_draws(self.seeds, self.grouping, &arms, self.statistics.two_level())
    }

    fn gap(
        &self,
        arm: &str,
        metric: Compared<'_>,
        draws: Result<&TwoLevel, &Undefined>,
        distilled: usize,
        alone: usize,
    ) -> Gap {
        let teacher = self.arms.len();
        let gap = draws.map_err(Clone::clone).and_then(|draws| draws.difference(teacher, alone));
        let recovered =
            draws.map_err(Clone::clone).and_then(|draws| draws.gap_recovered(teacher, alone, distilled, metric.better));
        let value = |score: Result<f64, &Undefined>| of_score(score.map_err(Clone::clone));
        Gap {
            student: self.student.into(),
            arm: arm.into(),
            metric: metric.name.into(),
            gap: value(gap.as_ref().map(|gap| gap.value)),
            gap_low: value(gap.as_ref().map(|gap| gap.interval.low)),
            gap_high: value(gap.as_ref().map(|gap| gap.interval.high)),
            recovered: value(recovered.as_ref().map(|found| found.share)),
            recovered_low: value(recovered.as_ref().map(|found| found.interval.low)),
            recovered_high: value(recovered.as_ref().map(|found| found.interval.high)),
            method: TWO_LEVEL.into(),
        }
    }
}

fn reported_difference(
    student: &str,
    (a, b): (&str, &str),
    metric: &str,
    difference: Result<kd_metrics::Difference, Undefined>,
) -> Difference {
    let value = |pick: fn(&kd_metrics::Difference) -> f64| match &difference {
        Ok(difference) => Value::from(pick(difference)),
        Err(reason) => Value::undefined(reason.to_string()),
    };
    Difference {
        student: student.into(),
        a: a.into(),
        b: b.into(),
        metric: metric.into(),
        value: value(|difference| difference.value),
        low: value(|difference| difference.interval.low),
        high: value(|difference| difference.interval.high),
        p: value(|difference| difference.p_value),
        p_holm: value(|difference| difference.p_value),
        method: TWO_LEVEL.into(),
    }
}

/// Holm's correction over all differences of one metric: students and arms are one family.
pub(crate) fn adjust(differences: &mut [Difference]) -> Result<()> {
    let metrics: BTreeSet<String> = differences.iter().map(|difference| difference.metric.clone()).collect();
    for metric in metrics {
        let places: Vec<usize> = (0..differences.len())
            .filter(|&place| differences[place].metric == metric && differences[place].p.finite().is_some())
            .collect();
        if places.is_empty() {
            continue;
        }
        let p: Vec<f64> = places.iter().filter_map(|&place| differences[place].p.finite()).collect();
        for (place, adjusted) in places.into_iter().zip(holm(&p)?) {
            differences[place].p_holm = Value::from(adjusted);
        }
    }
    Ok(())
}

/// A difference is shown when its probability after Holm's correction is at most this.
const LEVEL: f64 = 0.05;

/// Says so when draws are too few for any of the differences to be shown: the smallest probability that a bootstrap can
/// give, times the size of the largest family, is above the level.
pub(crate) fn too_few_draws(differences: &[Difference], resamples: usize) -> Option<Fact> {
    let size = |metric: &str| differences.iter().filter(|one| one.metric == metric && one.p.finite().is_some()).count();
    let family = differences.iter().map(|one| size(&one.metric)).max().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let smallest = family as f64 * 2.0 / (resamples as f64 + 1.0);
    let needed = 40 * family;
    (smallest > LEVEL).then(|| Fact {
        name: "Too few draws".into(),
        value: format!(
            "{family} differences of one metric are compared, and after Holm's correction {resamples} draws give none a p \
             below {smallest:.3}; `score.resamples` = {needed} would"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_that_can_show_nothing_are_told() {
        let one = Difference {
            student: "s".into(),
            a: "a".into(),
            b: "b".into(),
            metric: "m".into(),
            value: Value::from(0.1),
            low: Value::from(0.0),
            high: Value::from(0.2),
            p: Value::from(0.001),
            p_holm: Value::from(0.001),
            method: TWO_LEVEL.into(),
        };
        let family = |n: usize| vec![one.clone(); n];
        let told = too_few_draws(&family(52), 2000).unwrap().value;
        assert!(told.contains("52 differences") && told.contains("`score.resamples` = 2080"), "{told}");
        assert!(too_few_draws(&family(52), 2080).is_none());
        assert!(too_few_draws(&family(50), 2000).is_none() && too_few_draws(&[], 10).is_none());
    }
}
