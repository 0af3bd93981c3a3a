//! From judged answers to evidence: values with intervals, curves, calibration, decision thresholds.

use anyhow::Result;
use kd_classify::Metric;
use kd_classify::score::{Judged, probabilities};
use kd_core::Head;
use kd_image::Target;
use kd_metrics::{
    Arm as MetricArm, BinaryPredictions, BootstrapMethod, BootstrapPlan, Confidence, Criterion, Grouping, Interval,
    OperatingPoint as Chosen, Predictions, Rate, Score, TwoLevelPlan, Undefined, ZeroDivision, bootstrap_band,
    choose_operating_point, expected_calibration_error, fit_temperature_bernoulli, fit_temperature_multiclass, rate,
    reliability, roc_curve_of, two_level_draws,
};
use kd_report::{
    Calibration, ClassRow, Confusion, Metric as Reported, OperatingPoint, Reliability, ReliabilityBin, RocBand, Value,
};

use super::score::{Scored, Truth};
use crate::recipe::{Experiment, OperatingPointTable};

/// Bins of reliability diagrams, as of the calibration error.
const BINS: usize = 15;
/// Points of a drawn ROC curve.
const ROC_POINTS: usize = 101;

/// The statistics that a recipe asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statistics {
    pub(crate) plan: BootstrapPlan,
}

impl Statistics {
    pub(crate) fn of(experiment: &Experiment) -> Result<Self> {
        let score = &experiment.recipe.score;
        Self::new(&score.method, score.resamples, score.level, score.seed)
    }

    /// Takes what a recipe of any task says.
    pub(crate) fn new(method: &str, resamples: usize, level: f64, seed: u64) -> Result<Self> {
        let method = match method {
            "bca" => BootstrapMethod::BiasCorrectedAccelerated,
            "percentile" => BootstrapMethod::Percentile,
            other => anyhow::bail!("`score.method` is \"{other}\", expected \"bca\" or \"percentile\""),
        };
        Ok(Self { plan: BootstrapPlan { method, resamples, level, seed } })
    }

    /// The two-level form of the same plan.
    pub(crate) fn two_level(&self) -> TwoLevelPlan {
        TwoLevelPlan { resamples: self.plan.resamples, level: self.plan.level, seed: self.plan.seed }
    }
}

/// Value and interval as a report has them.
pub(crate) fn reported(
    name: &str,
    value: Score,
    interval: Result<Interval, Undefined>,
    n: usize,
    method: &str,
) -> Reported {
    let end = |pick: fn(&Interval) -> f64| match &interval {
        Ok(interval) => Value::from(pick(interval)),
        Err(reason) => Value::undefined(reason.to_string()),
    };
    Reported {
        name: name.into(),
        value: of_score(value),
        low: end(|interval| interval.low),
        high: end(|interval| interval.high),
        n: n as u64,
        method: method.into(),
    }
}

/// A score as a report has it.
pub(crate) fn of_score(score: Score) -> Value {
    match score {
        Ok(value) => Value::from(value),
        Err(reason) => Value::undefined(reason.to_string()),
    }
}

/// Mean over seeds, undefined where any is.
pub(crate) fn mean(values: impl Iterator<Item = Score>) -> Score {
    let (mut sum, mut n) = (0.0, 0u32);
    for value in values {
        sum += value?;
        n += 1;
    }
    if n == 0 { Err(Undefined::NoSamples) } else { Ok(sum / f64::from(n)) }
}

/// A statistic of one seed's answers, by the seed's place, over a draw of samples.
type Statistic<'a> = &'a (dyn Fn(usize, &[usize]) -> Score + Sync);

/// Value over seeds with the interval over seeds and subjects (one seed: over subjects).
pub(crate) fn over_seeds(
    name: &str,
    seeds: usize,
    grouping: &Grouping,
    statistics: Statistics,
    statistic: Statistic<'_>,
) -> Reported {
    let all: Vec<usize> = (0..grouping.samples()).collect();
    let value = mean((0..seeds).map(|seed| statistic(seed, &all)));
    let (interval, method) = match seeds {
        1 => {
            let interval = kd_metrics::bootstrap_interval(grouping, &|draw| statistic(0, draw), statistics.plan);
            let method = match statistics.plan.method {
                BootstrapMethod::BiasCorrectedAccelerated => "BCa bootstrap over subjects",
                _ => "percentile bootstrap over subjects",
            };
            (interval, method)
        }
        _ => {
            let draws = two_level_draws(seeds, grouping, &[MetricArm::PerSeed(statistic)], statistics.two_level());
            (draws.and_then(|draws| draws.interval(0)), "percentile bootstrap over seeds, then subjects")
        }
    };
    reported(name, value, interval, grouping.subjects(), method)
}

/// Every metric of the head.
pub(crate) fn metrics(head: Head, scored: &[Scored], grouping: &Grouping, statistics: Statistics) -> Vec<Reported> {
    Metric::of_head(head)
        .iter()
        .map(|&metric| {
            let statistic = move |seed: usize, draw: &[usize]| scored[seed].test.value(metric, Some(draw));
            over_seeds(metric.name(), scored.len(), grouping, statistics, &statistic)
        })
        .collect()
}

/// Sensitivity, specificity, precision and F1 of each class against the rest.
pub(crate) fn per_class(
    experiment: &Experiment,
    classes: &[String],
    scored: &[Scored],
    truth: &Truth,
    grouping: &Grouping,
    statistics: Statistics,
) -> Vec<ClassRow> {
    let rates = [
        (Metric::Sensitivity, Rate::Recall),
        (Metric::Specificity, Rate::Specificity),
        (Metric::Precision, Rate::Precision),
        (Metric::F1, Rate::F1),
    ];
    if matches!(experiment.head, Head::OneChannel | Head::TwoClassSoftmax) {
        return Vec::new();
    }
    classes
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let rows = rates.iter().map(|&(metric, which)| {
                let statistic = move |seed: usize, draw: &[usize]| match scored[seed].test.predictions().select(draw) {
                    Predictions::Multiclass(p) => {
                        rate(&p.confusion().one_vs_rest()[class], which, ZeroDivision::Undefined)
                    }
                    Predictions::MultiLabel(p) => {
                        rate(&p.counts(kd_metrics::Cut::Above(0.5))[class], which, ZeroDivision::Undefined)
                    }
                    Predictions::Binary(_) => Err(Undefined::NoSamples),
                };
                over_seeds(metric.name(), scored.len(), grouping, statistics, &statistic)
            });
            let n = truth.test.iter().filter(|target| shows(target, class)).count();
            ClassRow { class: name.clone(), n: n as u64, metrics: rows.collect() }
        })
        .collect()
}

/// Whether an image shows a class or label.
pub(crate) fn shows(target: &Target, class: usize) -> bool {
    match target {
        Target::Class(found) => usize::from(*found) == class,
        Target::Labels(labels) => labels.get(class).copied().unwrap_or(false),
        Target::Unlabelled => false,
    }
}

/// Counts summed over seeds.
pub(crate) fn confusion(scored: &[Scored]) -> Option<Confusion> {
    let matrices: Vec<_> = scored.iter().filter_map(|one| one.test.confusion()).collect();
    let first = matrices.first()?;
    let n = first.rows().count();
    let mut counts = vec![vec![0u64; n]; n];
    for matrix in &matrices {
        for (row, found) in counts.iter_mut().zip(matrix.rows()) {
            for (sum, count) in row.iter_mut().zip(found) {
                *sum += count;
            }
        }
    }
    let label = if scored.len() == 1 { "one run".to_owned() } else { format!("sum over {} seeds", scored.len()) };
    Some(Confusion { label, counts })
}

/// The ROC curve over a grid, mean over seeds, with its band over subjects.
pub(crate) fn roc(
    classes: &[String],
    scored: &[Scored],
    grouping: &Grouping,
    statistics: Statistics,
) -> Option<RocBand> {
    let [negative, positive] = classes else { return None };
    let ranked: Vec<_> = scored.iter().map(|one| one.test.ranked()).collect::<Option<_>>()?;
    #[expect(clippy::cast_precision_loss, reason = "a hundred points")]
    let fpr: Vec<f64> = (0..ROC_POINTS).map(|point| point as f64 / (ROC_POINTS - 1) as f64).collect();
    let curve = |draw: &[usize]| -> Result<Vec<f64>, Undefined> {
        let mut mean = vec![0.0; fpr.len()];
        for ranked in &ranked {
            let curve = roc_curve_of(ranked, draw)?;
            for (sum, &at) in mean.iter_mut().zip(&fpr) {
                *sum += curve.sensitivity_at(at)?;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "few seeds")]
        let n = ranked.len() as f64;
        mean.iter_mut().for_each(|sum| *sum /= n);
        Ok(mean)
    };
    let all: Vec<usize> = (0..grouping.samples()).collect();
    let tpr = curve(&all).ok()?;
    let plan = BootstrapPlan { method: BootstrapMethod::Percentile, ..statistics.plan };
    let band = bootstrap_band(grouping, fpr.len(), &curve, plan).ok()?;
    Some(RocBand {
        label: format!("{positive} against {negative}"),
        low: band.iter().zip(&tpr).map(|(interval, tpr)| interval.low.min(*tpr)).collect(),
        high: band.iter().zip(&tpr).map(|(interval, tpr)| interval.high.max(*tpr)).collect(),
        fpr,
        tpr,
        method: "mean over seeds; pointwise percentile bootstrap over subjects".into(),
    })
}

/// The reliability diagram of all seeds' answers together.
pub(crate) fn reliability_of(head: Head, scored: &[Scored]) -> Option<Reliability> {
    let mut bins = Vec::new();
    for one in scored {
        let found = reliability(one.test.predictions(), confidence_of(head), BINS).ok()?;
        bins.extend(found.bins().iter().map(|bin| ReliabilityBin {
            n: bin.samples as u64,
            confidence: bin.confidence,
            frequency: bin.frequency,
        }));
    }
    if scored.len() > 1 {
        bins = merged(bins, scored.len());
    }
    let policy = match confidence_of(head) {
        Confidence::TopLabel => "probability of the chosen class",
        Confidence::PositiveClass => "probability of the positive class",
    };
    Some(Reliability { policy: format!("{policy}, {BINS} bins of equal mass, all seeds together"), bins })
}

/// Bins of several seeds, joined in the order of their confidence so that each holds about as much as one seed's.
fn merged(mut bins: Vec<ReliabilityBin>, seeds: usize) -> Vec<ReliabilityBin> {
    bins.sort_by(|a, b| a.confidence.total_cmp(&b.confidence));
    bins.chunks(seeds)
        .map(|chunk| {
            let n: u64 = chunk.iter().map(|bin| bin.n).sum();
            #[expect(clippy::cast_precision_loss, reason = "counts of samples")]
            let mean = |value: fn(&ReliabilityBin) -> f64| {
                chunk.iter().map(|bin| value(bin) * bin.n as f64).sum::<f64>() / n as f64
            };
            ReliabilityBin { n, confidence: mean(|bin| bin.confidence), frequency: mean(|bin| bin.frequency) }
        })
        .collect()
}

fn confidence_of(head: Head) -> Confidence {
    match head {
        Head::Softmax { .. } | Head::Ordinal { .. } => Confidence::TopLabel,
        _ => Confidence::PositiveClass,
    }
}

/// The temperature that validation answers ask for.
pub(crate) fn temperature(head: Head, logits: &[f32], targets: &[Target]) -> Result<f64, Undefined> {
    let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
    let class = |target: &Target| if let Target::Class(class) = target { usize::from(*class) } else { 0 };
    let fitted = match head {
        Head::OneChannel => {
            let truth: Vec<bool> = targets.iter().map(|target| class(target) == 1).collect();
            fit_temperature_bernoulli(&logits, &truth)?
        }
        Head::TwoClassSoftmax | Head::Softmax { .. } => {
            let truth: Vec<usize> = targets.iter().map(class).collect();
            fit_temperature_multiclass(&logits, head.n_outputs(), &truth)?
        }
        Head::MultiLabel { labels } => {
            let truth: Vec<bool> =
                targets.iter().flat_map(|target| (0..labels).map(move |label| shows(target, label))).collect();
            fit_temperature_bernoulli(&logits, &truth)?
        }
        Head::Ordinal { .. } => {
            let n = head.n_outputs();
            let truth: Vec<bool> = targets.iter().flat_map(|target| (0..n).map(move |k| class(target) > k)).collect();
            fit_temperature_bernoulli(&logits, &truth)?
        }
    };
    Ok(fitted.temperature)
}

/// Answers with logits divided by a temperature.
pub(crate) fn cooled(
    head: Head,
    n_classes: usize,
    logits: &[f32],
    targets: &[Target],
    temperature: f64,
) -> Result<Judged> {
    let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit) / temperature).collect();
    Ok(Judged::from_probabilities(head, n_classes, &probabilities(head, &logits)?, targets)?)
}

/// Temperature scaling of every seed, before and after.
pub(crate) fn calibration(experiment: &Experiment, scored: &[Scored], truth: &Truth) -> Calibration {
    let head = experiment.head;
    let ece = |judged: &Judged| expected_calibration_error(judged.predictions(), confidence_of(head), BINS);
    let temperatures: Vec<Result<f64, Undefined>> =
        scored.iter().map(|one| temperature(head, &one.answers.val, &truth.val)).collect();
    let after = scored.iter().zip(&temperatures).map(|(one, temperature)| {
        let temperature = temperature.clone()?;
        let judged = cooled(head, experiment.n_classes, &one.answers.test, &truth.test, temperature);
        judged.map_or(Err(Undefined::NoSamples), |judged| ece(&judged))
    });
    Calibration {
        fitted_on: "val".into(),
        ece_after: of_score(mean(after)),
        temperature: of_score(mean(temperatures.iter().cloned())),
        ece_before: of_score(mean(scored.iter().map(|one| ece(&one.test)))),
    }
}

/// The decision threshold of one seed, chosen on validation.
pub(crate) fn decide(experiment: &Experiment, val: &Judged) -> Option<Result<Chosen, Undefined>> {
    let criterion = criterion(experiment.recipe.score.operating_point.as_ref()?);
    Some(choose_operating_point(val.binary()?, criterion))
}

fn criterion(table: &OperatingPointTable) -> Criterion {
    match table {
        OperatingPointTable::Youden => Criterion::Youden,
        OperatingPointTable::Half => Criterion::Half,
        OperatingPointTable::Sensitivity(least) => Criterion::SensitivityAtLeast(*least),
        OperatingPointTable::Specificity(least) => Criterion::SpecificityAtLeast(*least),
    }
}

/// The rule of the threshold, in words.
pub(crate) fn rule(table: &OperatingPointTable) -> String {
    match table {
        OperatingPointTable::Youden => "largest sensitivity + specificity".into(),
        OperatingPointTable::Half => "probability above .5".into(),
        OperatingPointTable::Sensitivity(least) => format!("sensitivity at least {least}"),
        OperatingPointTable::Specificity(least) => format!("specificity at least {least}"),
    }
}

/// What each seed's own threshold gives on the test split.
pub(crate) fn operating_point(
    experiment: &Experiment,
    scored: &[Scored],
    grouping: &Grouping,
    statistics: Statistics,
) -> Option<OperatingPoint> {
    let table = experiment.recipe.score.operating_point.as_ref()?;
    let chosen: Vec<Chosen> = scored.iter().map(|one| decide(experiment, &one.val)?.ok()).collect::<Option<_>>()?;
    let binaries: Vec<&BinaryPredictions> = scored.iter().map(|one| one.test.binary()).collect::<Option<_>>()?;
    let of = |metric: Metric, which: Rate| {
        let statistic = |seed: usize, draw: &[usize]| {
            rate(&binaries[seed].select(draw).counts(chosen[seed].cut), which, ZeroDivision::Undefined)
        };
        over_seeds(metric.name(), scored.len(), grouping, statistics, &statistic)
    };
    let thresholds = mean(chosen.iter().map(|chosen| Ok(chosen.cut.threshold())));
    Some(OperatingPoint {
        rule: rule(table),
        chosen_on: "val, for each seed by itself".into(),
        threshold: of_score(thresholds),
        sensitivity: of(Metric::Sensitivity, Rate::Recall),
        specificity: of(Metric::Specificity, Rate::Specificity),
    })
}
