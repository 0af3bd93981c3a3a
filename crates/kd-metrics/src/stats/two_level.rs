//! The two-level paired bootstrap of a distillation study: seeds, then subjects, the same draw for every arm.
//!
//! A student's score is uncertain twice: another seed would have trained another network, and another set of patients would have
//! been tested. Both are drawn here. Seeds and subjects are crossed (every network sees every test subject), so one draw of
//! subjects serves all drawn seeds; drawing subjects anew per seed would average the test set's uncertainty away. All arms
//! see the same draw, so that a difference is paired at both levels.

use rayon::prelude::*;

use super::bootstrap::{LEAST_RESAMPLES, check_subjects};
use super::grouping::{Grouping, below, draw_rng};
use super::interval::{Interval, IntervalMethod};
use super::quantile::{check_spread, defined_draws, quantile};
use crate::undefined::{Score, Undefined, check_level, finite};

/// A statistic of one arm. Sample indices may repeat.
#[derive(Clone, Copy)]
pub enum Arm<'a> {
    /// One network for all seeds, such as the teacher: takes sample indices.
    Single(&'a (dyn Fn(&[usize]) -> Score + Sync)),
    /// One network per seed: takes the seed's index, then sample indices. Seed `s` of one arm is paired with seed `s` of the
    /// others.
    PerSeed(&'a (dyn Fn(usize, &[usize]) -> Score + Sync)),
}

/// What the bootstrap does; all of it belongs in the record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoLevelPlan {
    /// Number of draws, at least 100; 2000 for a record.
    pub resamples: usize,
    /// Confidence level, such as 0.95.
    pub level: f64,
    /// Seed of the draws (not of a training run).
    pub seed: u64,
}

/// Whether a higher or a lower statistic is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// As for AUROC.
    Higher,
    /// As for a loss or an error.
    Lower,
}

/// A paired difference of two arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// First minus second, means over seeds on the full sample.
    pub value: f64,
    /// Its two-level interval.
    pub interval: Interval,
    /// Two-sided bootstrap p-value of "no difference"; at least `2 / (draws + 1)`.
    pub p_value: f64,
}

/// Share of the gap between teacher and lone student that distillation recovers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GapRecovered {
    /// `(distilled − alone) / (teacher − alone)`: 0 nothing, 1 as good as the teacher, above 1 better, below 0 worse than alone.
    pub share: f64,
    /// Its two-level interval.
    pub interval: Interval,
    /// The gap itself, teacher minus alone.
    pub gap: Difference,
}

/// How one arm's seeds scatter on the full sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedSpread {
    /// Lowest value of a seed.
    pub lowest: f64,
    /// Highest value of a seed.
    pub highest: f64,
    /// Sample standard deviation over seeds (divisor seeds − 1).
    pub standard_deviation: f64,
}

/// Point values and draws of all arms.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoLevel {
    /// Per arm: the value of each seed on the full sample; one entry for a single network.
    seed_values: Vec<Vec<f64>>,
    /// Per arm and draw: mean over the drawn seeds.
    draws: Vec<Vec<Score>>,
    plan: TwoLevelPlan,
}

/// Draws seeds with replacement, then subjects with replacement, and evaluates every arm on that draw.
///
/// An arm's value in a draw is the mean over the drawn seeds of its statistic on the drawn subjects' samples.
///
/// # Shapes
/// `seeds` is the number of seeds of every [`Arm::PerSeed`]; statistics get sample indices of `grouping`.
///
/// # Policy
/// One draw of subjects for all drawn seeds and arms. With one seed only subjects vary, and the interval says nothing about
/// training; with few seeds the spread between them is underestimated by the factor `√((S − 1) / S)`. A draw in which one seed of an
/// arm has no value has none for that arm. Same plan, same bytes, on any number of threads.
///
/// # Errors
/// No arms, no seeds, fewer than two subjects, fewer than 100 resamples, a level outside 0..1; an arm without a value on the full
/// sample. Undefined draws are refused later, by the figure that needs them.
///
/// # Source
/// Owen 2007 for two crossed factors (the pigeonhole bootstrap); Efron and Tibshirani 1993, chapter 13, for the percentiles.
///
/// # Example
/// ```
/// # use kd_metrics::*;
/// let right = [[true, true, false, true, false, true], [true, false, false, true, true, true]];
/// let teacher_right = [true, true, true, true, false, true];
/// let share = |right: &[bool; 6], drawn: &[usize]| {
///     Ok(drawn.iter().filter(|&&i| right[i]).count() as f64 / drawn.len() as f64)
/// };
/// let teacher = |drawn: &[usize]| share(&teacher_right, drawn);
/// let student = |seed: usize, drawn: &[usize]| share(&right[seed], drawn);
/// let plan = TwoLevelPlan { resamples: 500, level: 0.95, seed: 3 };
/// let study = two_level_draws(2, &Grouping::each_sample(6)?, &[Arm::Single(&teacher), Arm::PerSeed(&student)], plan)?;
/// assert!((study.difference(0, 1)?.value - 1.0 / 6.0).abs() < 1e-12);
/// # Ok::<(), Undefined>(())
/// ```
pub fn two_level_draws(
    seeds: usize,
    grouping: &Grouping,
    arms: &[Arm<'_>],
    plan: TwoLevelPlan,
) -> Result<TwoLevel, Undefined> {
    check_level(plan.level)?;
    check_subjects(grouping)?;
    let least =
        [("resamples", LEAST_RESAMPLES, plan.resamples), ("seeds", 1, seeds), ("arms of the study", 1, arms.len())];
    for (what, expected, found) in least {
        if found < expected {
            return Err(Undefined::NotEnough { what, expected, found });
        }
    }
    let all = grouping.all();
    let seed_values = arms
        .iter()
        .map(|arm| match arm {
            Arm::Single(statistic) => Ok(vec![finite(statistic(&all))?]),
            Arm::PerSeed(statistic) => (0..seeds).map(|seed| finite(statistic(seed, &all))).collect(),
        })
        .collect::<Result<Vec<Vec<f64>>, Undefined>>()?;
    let by_draw: Vec<Vec<Score>> = (0..plan.resamples)
        .into_par_iter()
        .map(|draw| {
            let mut rng = draw_rng(plan.seed, draw);
            // How often each seed was drawn: a seed drawn twice is evaluated once.
            let mut times = vec![0_u32; seeds];
            for _ in 0..seeds {
                times[below(seeds, &mut rng)] += 1;
            }
            let drawn = grouping.draw(&mut rng);
            arms.iter().map(|arm| arm_value(arm, &times, &drawn)).collect()
        })
        .collect();
    let draws = (0..arms.len()).map(|arm| by_draw.iter().map(|values| values[arm].clone()).collect()).collect();
    Ok(TwoLevel { seed_values, draws, plan })
}

fn arm_value(arm: &Arm<'_>, times: &[u32], drawn: &[usize]) -> Score {
    match arm {
        Arm::Single(statistic) => finite(statistic(drawn)),
        Arm::PerSeed(statistic) => {
            let mut sum = 0.0;
            for (seed, &times) in times.iter().enumerate().filter(|(_, times)| **times > 0) {
                sum += f64::from(times) * finite(statistic(seed, drawn))?;
            }
            Ok(sum / times.len() as f64)
        }
    }
}

impl TwoLevel {
    /// Number of arms.
    #[must_use]
    pub fn arms(&self) -> usize {
        self.seed_values.len()
    }

    /// An arm's value: mean over its seeds on the full sample.
    ///
    /// # Errors
    /// [`Undefined::NoSuchArm`].
    pub fn value(&self, arm: usize) -> Score {
        let values = self.seed_values(arm)?;
        Ok(values.iter().sum::<f64>() / values.len() as f64)
    }

    /// An arm's value on the full sample, seed by seed; one entry for a single network.
    ///
    /// # Errors
    /// [`Undefined::NoSuchArm`].
    pub fn seed_values(&self, arm: usize) -> Result<&[f64], Undefined> {
        self.seed_values.get(arm).map(Vec::as_slice).ok_or(Undefined::NoSuchArm { arm, arms: self.arms() })
    }

    /// How an arm's seeds scatter on the full sample.
    ///
    /// # Errors
    /// [`Undefined::NoSuchArm`]; an arm with one network.
    pub fn seed_spread(&self, arm: usize) -> Result<SeedSpread, Undefined> {
        let values = self.seed_values(arm)?;
        if values.len() < 2 {
            return Err(Undefined::NotEnough { what: "seeds", expected: 2, found: values.len() });
        }
        let mean = self.value(arm)?;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Ok(SeedSpread {
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            standard_deviation: (squares / (values.len() - 1) as f64).sqrt(),
        })
    }

    /// Percentile interval of an arm's value over seeds and subjects (over subjects alone for a single network).
    ///
    /// # Errors
    /// [`Undefined::NoSuchArm`]; more than 5 % undefined draws; draws that are all alike.
    pub fn interval(&self, arm: usize) -> Result<Interval, Undefined> {
        Ok(self.percentiles(self.arm_draws(arm)?)?.0)
    }

    /// `first − second`, paired: both arms of a draw saw the same seeds and subjects.
    ///
    /// # Policy
    /// `p = 2 min((1 + #{d ≤ 0}) / (B + 1), (1 + #{d ≥ 0}) / (B + 1))`, at most 1, over the draws with a value in both arms.
    ///
    /// # Errors
    /// [`Undefined::NoSuchArm`]; more than 5 % of the draws without a value in one of the arms; a difference that is the same in
    /// all draws.
    ///
    /// # Source
    /// Davison and Hinkley 1997, section 4.2, for the added ones.
    pub fn difference(&self, first: usize, second: usize) -> Result<Difference, Undefined> {
        let differences: Vec<Score> = self.arm_draws(first)?.iter().zip(self.arm_draws(second)?).map(minus).collect();
        let (interval, sorted) = self.percentiles(&differences)?;
        let not_above = sorted.partition_point(|d| *d <= 0.0);
        let not_below = sorted.len() - sorted.partition_point(|d| *d < 0.0);
        let tail = (1 + not_above.min(not_below)) as f64 / (1 + sorted.len()) as f64;
        Ok(Difference { value: self.value(first)? - self.value(second)?, interval, p_value: (2.0 * tail).min(1.0) })
    }

    /// Share of the teacher's lead over the lone student that the distilled student has: the headline of a study.
    ///
    /// # Policy
    /// A ratio has no meaning where its divisor may be zero: unless the interval of the gap excludes 0 on the teacher's side there
    /// is no gap to recover. Draws in which the teacher has no lead (at most half of `1 − level`) are left out and counted as
    /// undefined.
    ///
    /// # Errors
    /// [`Undefined::NoGap`]; as [`Self::difference`].
    pub fn gap_recovered(
        &self,
        teacher: usize,
        alone: usize,
        distilled: usize,
        better: Better,
    ) -> Result<GapRecovered, Undefined> {
        let sign = match better {
            Better::Higher => 1.0,
            Better::Lower => -1.0,
        };
        let gap = self.difference(teacher, alone)?;
        let gain = self.value(distilled)? - self.value(alone)?;
        let (low, high) = (sign * gap.interval.low, sign * gap.interval.high);
        let (low, high) = (low.min(high), low.max(high));
        let no_gap = Undefined::NoGap { low, high };
        if low <= 0.0 || sign * gap.value <= 0.0 {
            return Err(no_gap);
        }
        let (teacher, alone, distilled) =
            (self.arm_draws(teacher)?, self.arm_draws(alone)?, self.arm_draws(distilled)?);
        let shares: Vec<Score> = (0..self.plan.resamples)
            .map(|draw| {
                let lead = minus((&teacher[draw], &alone[draw]))?;
                let gain = minus((&distilled[draw], &alone[draw]))?;
                if sign * lead > 0.0 { Ok(gain / lead) } else { Err(no_gap.clone()) }
            })
            .collect();
        Ok(GapRecovered { share: gain / gap.value, interval: self.percentiles(&shares)?.0, gap })
    }

    fn arm_draws(&self, arm: usize) -> Result<&[Score], Undefined> {
        self.draws.get(arm).map(Vec::as_slice).ok_or(Undefined::NoSuchArm { arm, arms: self.arms() })
    }

    /// The interval, and the defined draws in ascending order.
    fn percentiles(&self, draws: &[Score]) -> Result<(Interval, Vec<f64>), Undefined> {
        let (sorted, undefined_draws) = defined_draws(draws)?;
        check_spread(&sorted)?;
        let tail = (1.0 - self.plan.level) / 2.0;
        let interval = Interval {
            low: quantile(&sorted, tail),
            high: quantile(&sorted, 1.0 - tail),
            level: self.plan.level,
            method: IntervalMethod::TwoLevelPercentile,
            resamples: self.plan.resamples,
            undefined_draws,
        };
        Ok((interval, sorted))
    }
}

fn minus((a, b): (&Score, &Score)) -> Score {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok(a - b),
        (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
    }
}
