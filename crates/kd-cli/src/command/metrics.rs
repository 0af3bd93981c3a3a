//! `kd metrics`: scores of anybody's predictions, with the policy behind each number and an interval over subjects.

mod dense;
mod enhance;
mod load;
mod segment;

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use kd_classify::score::{JudgeError, Judged, Metric};
use kd_data::Root;
use kd_image::Target;
use kd_metrics::{
    BinaryPredictions, BootstrapMethod, BootstrapPlan, Counts, Cut, Grouping, Interval, MedmnistTask, Predictions,
    Rate, Score, Undefined, ZeroDivision, auroc, average_precision, bootstrap_interval, medmnist_accuracy,
    medmnist_auc, rate,
};
use serde_json::{Map, Value, json};

use self::load::{Loaded, load, refusal};
use crate::args::{ClassifyArgs, IntervalArgs, IntervalName, MetricsCommand, ScoreKind, TaskName};
use crate::output::{Output, columns, usage};
use crate::progress::Progress;

/// Fewer draws leave nothing in the tails.
const LEAST_RESAMPLES: usize = 100;

/// One reported number.
struct Reported {
    name: String,
    policy: String,
    value: Score,
    interval: Result<Interval, Undefined>,
}

/// Scores predictions.
pub(crate) fn run(command: MetricsCommand, _root: &Root, out: &Output) -> Result<bool> {
    match command {
        MetricsCommand::Classify(args) => classify(&args, out),
        MetricsCommand::Segment(args) => segment::run(&args, out),
        MetricsCommand::Enhance(args) => enhance::run(&args, out),
    }
}

fn classify(args: &ClassifyArgs, out: &Output) -> Result<bool> {
    let plan = plan(&args.interval)?;
    let loaded = load(args)?;
    let judged = Judged::from_probabilities(loaded.head, loaded.n_classes, &loaded.probabilities, &loaded.targets)
        .map_err(|refused| match refused {
            JudgeError::Undefined(undefined) => refusal(undefined),
            other => other.into(),
        })?;
    let n = loaded.targets.len();
    let grouping = match &loaded.groups {
        Some(groups) => Grouping::new(groups)?,
        None => Grouping::each_sample(n)?,
    };
    let reported = measure(&loaded, &judged, &grouping, plan, out);
    let classes = per_class(judged.predictions());
    if out.is_json() {
        out.json(&document(args, &loaded, &judged, &grouping, plan, &reported, &classes))?;
        return Ok(true);
    }
    out.data(page(args, &loaded, &grouping, plan, &reported, &classes));
    Ok(true)
}

fn plan(args: &IntervalArgs) -> Result<BootstrapPlan> {
    if !(args.level > 0.0 && args.level < 1.0) {
        return Err(usage(anyhow!("--level is {}, expected a number above 0 and below 1", args.level)));
    }
    if args.resamples < LEAST_RESAMPLES {
        return Err(usage(anyhow!("--resamples is {}, expected at least {LEAST_RESAMPLES}", args.resamples)));
    }
    let method = match args.method {
        IntervalName::Bca => BootstrapMethod::BiasCorrectedAccelerated,
        IntervalName::Percentile => BootstrapMethod::Percentile,
    };
    Ok(BootstrapPlan { method, resamples: args.resamples, level: args.level, seed: args.seed })
}

fn medmnist_task(task: TaskName) -> MedmnistTask {
    match task {
        TaskName::Binary => MedmnistTask::BinaryClass,
        TaskName::MultiClass => MedmnistTask::MultiClass,
        TaskName::MultiLabel => MedmnistTask::MultiLabel,
        TaskName::Ordinal => MedmnistTask::OrdinalRegression,
    }
}

fn measure(loaded: &Loaded, judged: &Judged, grouping: &Grouping, plan: BootstrapPlan, out: &Output) -> Vec<Reported> {
    let metrics = Metric::of_head(loaded.head);
    let task = medmnist_task(loaded.task);
    let mut progress = Progress::new(out, "intervals", metrics.len() as u64 + 2);
    let mut reported: Vec<Reported> = Vec::new();
    let mut add = |name: &str, policy: String, statistic: &(dyn Fn(Option<&[usize]>) -> Score + Sync)| {
        progress.set(reported.len() as u64, name);
        let value = statistic(None);
        let interval = match &value {
            Ok(_) => bootstrap_interval(grouping, &|draw: &[usize]| statistic(Some(draw)), plan),
            Err(undefined) => Err(undefined.clone()),
        };
        reported.push(Reported { name: name.to_owned(), policy, value, interval });
    };
    for &metric in metrics {
        add(metric.name(), metric.policy(loaded.head), &|draw| judged.value(metric, draw));
    }
    let drawn = |draw: Option<&[usize]>, of: fn(&Predictions, MedmnistTask) -> Score| match draw {
        Some(draw) => of(&judged.predictions().select(draw), task),
        None => of(judged.predictions(), task),
    };
    add("medmnist_auc", "as the MedMNIST evaluator: no class or label is left out".into(), &|draw| {
        drawn(draw, medmnist_auc)
    });
    add("medmnist_accuracy", "as the MedMNIST evaluator: argmax, or strictly above .5".into(), &|draw| {
        drawn(draw, medmnist_accuracy)
    });
    progress.clear();
    reported
}

/// The numbers of one class against the rest, by name.
struct OfClass {
    class: usize,
    n: u64,
    scores: Vec<(&'static str, Score)>,
}

fn per_class(predictions: &Predictions) -> Vec<OfClass> {
    let one = |class: usize, one: Result<BinaryPredictions, Undefined>, counts: &Counts| {
        let of = |which: Rate| rate(counts, which, ZeroDivision::Undefined);
        let scores = vec![
            ("auroc", one.clone().and_then(|one| auroc(&one.ranked()))),
            ("average_precision", one.and_then(|one| average_precision(&one.ranked()))),
            ("sensitivity", of(Rate::Recall)),
            ("specificity", of(Rate::Specificity)),
            ("precision", of(Rate::Precision)),
            ("f1", of(Rate::F1)),
        ];
        OfClass { class, n: counts.true_positive + counts.false_negative, scores }
    };
    match predictions {
        Predictions::Binary(binary) => {
            let negative: Vec<f64> = binary.positive().iter().map(|positive| 1.0 - positive).collect();
            let truth: Vec<bool> = binary.truth().iter().map(|positive| !positive).collect();
            let sides = [BinaryPredictions::new(&negative, &truth), Ok(binary.clone())];
            let counts = binary.confusion(Cut::Above(0.5)).one_vs_rest();
            sides.into_iter().zip(&counts).enumerate().map(|(class, (side, counts))| one(class, side, counts)).collect()
        }
        Predictions::Multiclass(classes) => {
            let counts = classes.confusion().one_vs_rest();
            counts.iter().enumerate().map(|(class, counts)| one(class, classes.one_vs_rest(class), counts)).collect()
        }
        Predictions::MultiLabel(labels) => {
            let counts = labels.counts(Cut::Above(0.5));
            counts.iter().enumerate().map(|(label, counts)| one(label, labels.label(label), counts)).collect()
        }
    }
}

fn task_name(task: TaskName) -> &'static str {
    match task {
        TaskName::Binary => "binary",
        TaskName::MultiClass => "multi-class",
        TaskName::MultiLabel => "multi-label",
        TaskName::Ordinal => "ordinal",
    }
}

fn unit(loaded: &Loaded) -> &'static str {
    if loaded.groups.is_some() { "subject" } else { "sample" }
}

fn method(plan: BootstrapPlan) -> &'static str {
    match plan.method {
        BootstrapMethod::BiasCorrectedAccelerated => "bca",
        BootstrapMethod::Percentile => "percentile",
    }
}

fn document(
    args: &ClassifyArgs,
    loaded: &Loaded,
    judged: &Judged,
    grouping: &Grouping,
    plan: BootstrapPlan,
    reported: &[Reported],
    classes: &[OfClass],
) -> Value {
    let n = loaded.targets.len();
    let metrics: Map<String, Value> = reported
        .iter()
        .map(|metric| {
            let undefined = match (&metric.value, &metric.interval) {
                (Err(reason), _) => Some(reason.to_string()),
                (Ok(_), Err(reason)) => Some(format!("interval: {reason}")),
                (Ok(_), Ok(_)) => None,
            };
            let ci = metric.interval.as_ref().ok().map(|interval| [interval.low, interval.high]);
            let value = metric.value.as_ref().ok();
            (metric.name.clone(), json!({ "value": value, "ci": ci, "n": n, "undefined": undefined }))
        })
        .collect();
    let policies: BTreeMap<&str, &str> =
        reported.iter().map(|metric| (metric.name.as_str(), metric.policy.as_str())).collect();
    let classes: Vec<Value> = classes
        .iter()
        .map(|class| {
            let mut values =
                Map::from_iter([("class".to_owned(), json!(class.class)), ("n".to_owned(), json!(class.n))]);
            let mut undefined = Map::new();
            for (name, score) in &class.scores {
                values.insert((*name).to_owned(), json!(score.as_ref().ok()));
                if let Err(reason) = score {
                    undefined.insert((*name).to_owned(), json!(reason.to_string()));
                }
            }
            values.insert("undefined".to_owned(), Value::Object(undefined));
            Value::Object(values)
        })
        .collect();
    json!({
        "schema": 1,
        "task": task_name(loaded.task),
        "n": n,
        "policy": {
            "scores": if args.scores == ScoreKind::Probs { "probs" } else { "logits" },
            "head": loaded.head.name(),
            "interval": {
                "method": method(plan),
                "level": plan.level,
                "resamples": plan.resamples,
                "seed": plan.seed,
                "unit": unit(loaded),
                "units": grouping.subjects(),
            },
            "metrics": policies,
            "per_class": "one class against the rest; 0 divided by 0 has no value",
        },
        "metrics": metrics,
        "confusion": judged.confusion().map(|matrix| matrix.rows().map(<[u64]>::to_vec).collect::<Vec<_>>()),
        "per_class": classes,
        "per_case": cases(loaded),
    })
}

fn cases(loaded: &Loaded) -> Vec<Value> {
    let rows = loaded.probabilities.chunks_exact(loaded.n_classes).zip(&loaded.targets).enumerate();
    rows.map(|(case, (probabilities, target))| {
        let present = |flags: &mut dyn Iterator<Item = bool>| {
            flags.enumerate().filter(|(_, present)| *present).map(|(label, _)| label).collect::<Vec<_>>()
        };
        let (truth, predicted) = match target {
            Target::Class(class) => {
                let best = (1..probabilities.len())
                    .fold(0, |best, next| if probabilities[next] > probabilities[best] { next } else { best });
                (json!(class), json!(best))
            }
            Target::Labels(labels) => (
                json!(present(&mut labels.iter().copied())),
                json!(present(&mut probabilities.iter().map(|p| *p > 0.5))),
            ),
            Target::Unlabelled => (Value::Null, Value::Null),
        };
        let id = loaded.ids.as_ref().map_or(json!(case), |ids| json!(ids[case]));
        json!({ "case": id, "truth": truth, "predicted": predicted, "probabilities": probabilities })
    })
    .collect()
}

fn page(
    args: &ClassifyArgs,
    loaded: &Loaded,
    grouping: &Grouping,
    plan: BootstrapPlan,
    reported: &[Reported],
    classes: &[OfClass],
) -> String {
    let units = match &loaded.groups {
        Some(_) => format!("{} samples of {} subjects", grouping.samples(), grouping.subjects()),
        None => format!("{} samples, each a subject of its own", grouping.samples()),
    };
    let scores = if args.scores == ScoreKind::Probs { "probabilities" } else { "logits" };
    let mut text = format!("{}, {} head, {scores}, {units}\n\n", task_name(loaded.task), loaded.head.name());
    let interval_name = format!("{} % interval", (plan.level * 1000.0).round() / 10.0);
    let rows: Vec<Vec<String>> = reported
        .iter()
        .map(|metric| {
            let (value, interval) = match (&metric.value, &metric.interval) {
                (Ok(value), Ok(found)) => (format!("{value:.4}"), format!("{:.4} to {:.4}", found.low, found.high)),
                (Ok(value), Err(reason)) => (format!("{value:.4}"), format!("none: {reason}")),
                (Err(reason), _) => ("–".into(), format!("none: {reason}")),
            };
            let interval = interval.replace("\nhint: ", "; ");
            vec![metric.name.clone(), value, interval, metric.policy.clone()]
        })
        .collect();
    text += &columns(&["metric", "value", &interval_name, "policy"], &rows);
    let names: Vec<&str> = classes.first().map_or_else(Vec::new, |class| class.scores.iter().map(|s| s.0).collect());
    let header: Vec<&str> = ["class", "n"].into_iter().chain(names).collect();
    let rows: Vec<Vec<String>> = classes
        .iter()
        .map(|class| {
            let scores =
                class.scores.iter().map(|(_, s)| s.as_ref().map_or("–".into(), |value| format!("{value:.4}")));
            [class.class.to_string(), class.n.to_string()].into_iter().chain(scores).collect()
        })
        .collect();
    text += "\n\n";
    text += &columns(&header, &rows);
    text += &format!(
        "\n\nintervals: {} bootstrap, {} draws of {}s, seed {}",
        method(plan),
        plan.resamples,
        unit(loaded),
        plan.seed
    );
    text
}
