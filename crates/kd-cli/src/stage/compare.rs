//! Arms against each other: paired differences, and the share of the teacher's lead that was recovered.
//!
//! The same for every task: all it needs of an arm is one number a seed over any draw of test samples.

use std::collections::BTreeSet;

use anyhow::Result;
use kd_metrics::{Arm as MetricArm, Better, Grouping, Score, TwoLevel, Undefined, holm, two_level_draws};
use kd_report::{Difference, Gap, Role, Value};

use super::evidence::{Statistics, of_score};
use super::record::role;
use crate::recipe::Arm;

const TWO_LEVEL: &str = "paired percentile bootstrap over seeds, then subjects";

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

impl Comparison<'_> {
    /// Paired differences of every arm to the lone student, of those that distil to the control too, and the gap that
    /// they recovered. `of_arm` takes the arm's place, the seed's place and a draw; `of_teacher` a draw.
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
            let against = std::iter::once(alone).chain(control.filter(|_| arm.distills()));
            for other in against {
                let difference = draws.as_ref().map_err(Clone::clone).and_then(|draws| draws.difference(place, other));
                let names = (arm.name.as_str(), self.arms[other].name.as_str());
                found.differences.push(reported_difference(self.student, names, metric.name, difference));
            }
            if metric.is_primary && role(arm) == Role::Distilled {
                found.gaps.push(self.gap(&arm.name, metric, draws.as_ref(), place, alone));
            }
        }
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
