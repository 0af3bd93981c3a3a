//! `report.md`: the facts of the page as tables, for a repository or a pull request.

use crate::facts;
use crate::number;
use crate::record::{Arm, Metric, RunRecord, Task};
use crate::table::column_metrics;
use crate::value::Value;
use crate::verdict::{shown, verdict};

/// The report as Markdown (tables in GitHub's dialect), ending in a newline.
pub fn report(record: &RunRecord) -> String {
    let mut text = format!("# {}\n\n", escape(&record.title));
    headline(&mut text, record);
    arms(&mut text, record);
    differences(&mut text, record);
    gaps(&mut text, record);
    seeds(&mut text, record);
    classes(&mut text, record);
    subgroups(&mut text, record);
    confusion(&mut text, record);
    decisions(&mut text, record);
    origin(&mut text, record);
    definitions(&mut text, record);
    text
}

fn headline(text: &mut String, record: &RunRecord) {
    let verdict = verdict(record);
    *text += &format!("**{}**\n\n", escape(&verdict.sentence));
    for student in &verdict.students {
        *text +=
            &format!("- {}: {}. {}\n", escape(&student.student), escape(&student.sentence), escape(&student.evidence));
    }
    for caveat in &verdict.caveats {
        *text += &format!("- Note: {}\n", escape(caveat));
    }
    text.push_str("- Not a medical device; for research only.\n\n");
}

fn arms(text: &mut String, record: &RunRecord) {
    let metrics = column_metrics(record);
    let mut header = vec!["student", "arm", "role", "seeds"];
    header.extend(metrics.iter().map(|name| record.label(name)));
    header.extend(["parameters", "multiply-adds", "file", "latency p50 / p95", "peak memory", "loss terms"]);
    let baselines = record.baselines.iter().map(|baseline| {
        let of = |name: &&str| baseline.metrics.iter().find(|metric| metric.name == **name);
        let mut row = vec!["\u{2013}".to_owned(), baseline.name.clone(), "no network".to_owned(), dash()];
        row.extend(metrics.iter().map(|name| of(name).map_or(dash(), |metric| score(record, metric))));
        row.extend((0..6).map(|_| dash()));
        row
    });
    let arms = record.all_arms().map(|(group, network, arm)| {
        let mut row = vec![
            group.map_or("\u{2013}".to_owned(), |group| group.name.clone()),
            arm.name.clone(),
            arm.role.word().to_owned(),
            arm.seeds.len().to_string(),
        ];
        row.extend(metrics.iter().map(|name| arm.metric(name).map_or(dash(), |metric| score(record, metric))));
        let latency = |ms: Option<f64>| ms.map_or(dash(), number::milliseconds);
        row.extend([
            number::count(network.parameters),
            number::short(network.multiply_adds),
            number::bytes(network.file_bytes),
            format!("{} / {}", latency(network.latency_p50_ms), latency(network.latency_p95_ms)),
            network.peak_memory_bytes.map_or(dash(), number::bytes),
            terms(arm),
        ]);
        row
    });
    section(text, "Arms", &header, baselines.chain(arms));
    for (_, _, arm) in record.all_arms() {
        if let Some(note) = &arm.note {
            *text += &format!("- {}: {}\n", escape(&arm.name), escape(note));
        }
    }
    if record.all_arms().any(|(_, _, arm)| arm.note.is_some()) {
        text.push('\n');
    }
}

/// Loss terms in one line: "0.1 × cross_entropy (labels) + 0.9 × hinton (τ 4, teacher)"; a term with a share as "hinton
/// (τ 4, teacher) at 0.3 of the gradient", one that counts in some epochs alone as "hint (teacher, epochs 1 to 10)".
pub(crate) fn terms(arm: &Arm) -> String {
    let term = |term: &crate::Term| {
        let temperature = term.temperature.map_or(String::new(), |value| format!("\u{3c4} {value}, "));
        let epochs = term.epochs.map_or(String::new(), |[first, last]| format!(", epochs {first} to {last}"));
        let what = format!("{} ({temperature}{}{epochs})", term.name, term.source);
        if term.is_share {
            format!("{what} at {} of the gradient", term.weight)
        } else {
            format!("{} \u{d7} {what}", term.weight)
        }
    };
    if arm.terms.is_empty() { dash() } else { arm.terms.iter().map(term).collect::<Vec<_>>().join(" + ") }
}

fn differences(text: &mut String, record: &RunRecord) {
    let header = ["student", "difference", "metric", "value", "95 % interval", "p", "p (Holm)", "shown", "method"];
    let rows = record.differences.iter().map(|one| {
        let decimals = record.decimals(&one.metric);
        vec![
            one.student.clone(),
            format!("{} \u{2212} {}", one.a, one.b),
            record.label(&one.metric).to_owned(),
            undefined(&one.value, number::signed_value(&one.value, decimals)),
            number::interval(&one.low, &one.high, decimals),
            number::p_value(&one.p),
            number::p_value(&one.p_holm),
            shown(record, one).word().to_owned(),
            one.method.clone(),
        ]
    });
    section(text, "Paired differences", &header, rows);
}

fn gaps(text: &mut String, record: &RunRecord) {
    let header =
        ["student", "arm", "metric", "teacher \u{2212} alone", "95 % interval", "recovered", "95 % interval", "method"];
    let percent = |value: &Value| match value.finite() {
        Some(share) => number::percent(share),
        None => undefined(value, number::value(value, 3)),
    };
    let rows = record.gaps.iter().map(|gap| {
        let decimals = record.decimals(&gap.metric);
        let span = match (gap.recovered_low.finite(), gap.recovered_high.finite()) {
            (Some(low), Some(high)) => format!("{} to {}", number::percent(low), number::percent(high)),
            _ => "no interval".to_owned(),
        };
        vec![
            gap.student.clone(),
            gap.arm.clone(),
            record.label(&gap.metric).to_owned(),
            undefined(&gap.gap, number::signed_value(&gap.gap, decimals)),
            number::interval(&gap.gap_low, &gap.gap_high, decimals),
            percent(&gap.recovered),
            span,
            gap.method.clone(),
        ]
    });
    section(text, "Gap recovered", &header, rows);
}

fn seeds(text: &mut String, record: &RunRecord) {
    let mut rows = Vec::new();
    for (group, _, arm) in record.all_arms() {
        for seed in &arm.per_seed {
            let chosen_epoch =
                arm.curves.iter().find(|curves| curves.seed == seed.seed).map(|curves| curves.chosen_epoch);
            for metric in &seed.metrics {
                let decimals = record.decimals(&metric.name);
                rows.push(vec![
                    group.map_or(dash(), |group| group.name.clone()),
                    arm.name.clone(),
                    seed.seed.to_string(),
                    record.label(&metric.name).to_owned(),
                    undefined(&metric.last, number::value(&metric.last, decimals)),
                    undefined(&metric.chosen, number::value(&metric.chosen, decimals)),
                    chosen_epoch.map_or(dash(), |epoch| epoch.to_string()),
                ]);
            }
        }
    }
    section(
        text,
        "Each seed",
        &["student", "arm", "seed", "metric", "last", "chosen", "chosen epoch"],
        rows.into_iter(),
    );
}

fn classes(text: &mut String, record: &RunRecord) {
    let baselines = record.baselines.iter().map(|baseline| (None, &baseline.name, &baseline.per_class));
    let arms = record.all_arms().map(|(group, _, arm)| (group.map(|group| &group.name), &arm.name, &arm.per_class));
    let mut rows = Vec::new();
    for (student, arm, classes) in baselines.chain(arms) {
        for class in classes {
            for metric in &class.metrics {
                rows.push(vec![
                    student.map_or(dash(), String::clone),
                    arm.clone(),
                    class.class.clone(),
                    number::count(class.n),
                    record.label(&metric.name).to_owned(),
                    score(record, metric),
                ]);
            }
        }
    }
    let (title, head) = if record.task == Task::Enhance { ("Each region", "region") } else { ("Each class", "class") };
    section(text, title, &["student", "arm", head, "n", "metric", "value"], rows.into_iter());
}

fn subgroups(text: &mut String, record: &RunRecord) {
    let mut rows = Vec::new();
    for (group, _, arm) in record.all_arms() {
        for row in &arm.per_subgroup {
            let minus_alone = row.minus_alone.iter().map(|metric| {
                let decimals = record.decimals(&metric.name);
                let span = number::interval(&metric.low, &metric.high, decimals);
                let value = undefined(&metric.value, number::signed_value(&metric.value, decimals));
                (format!("{} \u{2212} alone", record.label(&metric.name)), format!("{value} ({span})"))
            });
            let metrics =
                row.metrics.iter().map(|metric| (record.label(&metric.name).to_owned(), score(record, metric)));
            for (label, value) in metrics.chain(minus_alone) {
                rows.push(vec![
                    group.map_or(dash(), |group| group.name.clone()),
                    arm.name.clone(),
                    format!("{}{}", row.subgroup, if row.held_out { " (held out)" } else { "" }),
                    number::count(row.n),
                    label,
                    value,
                ]);
            }
        }
    }
    section(text, "Each sort of images", &["student", "arm", "sort", "n", "metric", "value"], rows.into_iter());
}

fn confusion(text: &mut String, record: &RunRecord) {
    for (group, _, arm) in record.all_arms() {
        let Some(confusion) = &arm.confusion else { continue };
        let place = group.map_or(String::new(), |group| format!("{}, ", group.name));
        let title = format!("Confusion, {place}{} ({})", arm.name, confusion.label);
        let mut header = vec!["truth \u{2193} predicted \u{2192}"];
        header.extend(record.dataset.classes.iter().map(String::as_str));
        let rows = confusion.counts.iter().zip(&record.dataset.classes).map(|(counts, class)| {
            std::iter::once(class.clone()).chain(counts.iter().map(|count| number::count(*count))).collect()
        });
        section(text, &title, &header, rows);
    }
}

fn decisions(text: &mut String, record: &RunRecord) {
    let mut rows = Vec::new();
    for (group, _, arm) in record.all_arms() {
        let mut push = |name: &str, value: String| {
            rows.push(vec![group.map_or(dash(), |group| group.name.clone()), arm.name.clone(), name.to_owned(), value]);
        };
        if let Some(point) = &arm.operating_point {
            let threshold = number::value(&point.threshold, 3);
            push("threshold", format!("{threshold} ({}, chosen on {})", point.rule, point.chosen_on));
            push("sensitivity there", score(record, &point.sensitivity));
            push("specificity there", score(record, &point.specificity));
        }
        if let Some(calibration) = &arm.calibration {
            let (before, after) = (number::value(&calibration.ece_before, 3), number::value(&calibration.ece_after, 3));
            let temperature = number::value(&calibration.temperature, 2);
            push(
                "ECE before \u{2192} after scaling",
                format!("{before} \u{2192} {after} (temperature {temperature}, fitted on {})", calibration.fitted_on),
            );
        }
        if let Some(agreement) = &arm.teacher_agreement {
            push("agreement with the teacher", score(record, agreement));
        }
    }
    section(text, "Operating point, calibration, agreement", &["student", "arm", "what", "value"], rows.into_iter());
}

fn origin(text: &mut String, record: &RunRecord) {
    let rows = facts::all(record).into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    section(text, "Facts", &["what", "value"], rows);
    let header = ["split", "images", "units", "classes"];
    let rows = record.dataset.splits.iter().map(|split| {
        let class = |one: &crate::ClassCount| {
            let share = split.prevalence(&one.class).map_or(dash(), number::percent);
            format!("{} {} ({share})", one.class, number::count(one.images))
        };
        let classes = split.classes.iter().map(class).collect::<Vec<_>>().join(", ");
        vec![split.name.clone(), number::count(split.images), number::count(split.subjects), classes]
    });
    section(text, "Splits", &header, rows);
    let header = ["leak", "between", "images", "dropped", "policy"];
    let rows = record.dataset.leaks.iter().map(|leak| {
        let (images, dropped) = (number::count(leak.images), number::count(leak.dropped));
        vec![leak.kind.clone(), leak.between.clone(), images, dropped, leak.policy.clone()]
    });
    section(text, "Leak check", &header, rows);
    let fence = "`".repeat(longest_run(&record.provenance.recipe_toml).max(2) + 1);
    *text += &format!("## Recipe\n\n{fence}toml\n{}\n{fence}\n\n", record.provenance.recipe_toml.trim_end());
}

fn definitions(text: &mut String, record: &RunRecord) {
    text.push_str("## Metrics\n\n");
    for one in &record.metrics {
        *text += &format!(
            "- **{}** (`{}`): {} Policy: {}\n",
            escape(&one.label),
            one.name,
            escape(&one.definition),
            escape(&one.policy)
        );
    }
}

fn score(record: &RunRecord, metric: &Metric) -> String {
    let decimals = record.decimals(&metric.name);
    let value = undefined(&metric.value, number::value(&metric.value, decimals));
    match (metric.low.finite(), metric.high.finite()) {
        (Some(_), Some(_)) => format!("{value} ({})", number::interval(&metric.low, &metric.high, decimals)),
        _ => value,
    }
}

fn undefined(value: &Value, text: String) -> String {
    value.reason().map_or(text, |reason| format!("undefined: {reason}"))
}

fn dash() -> String {
    "\u{2013}".to_owned()
}

fn section(text: &mut String, title: &str, header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    *text += &format!("## {}\n\n", escape(title));
    *text += &line(&header.iter().map(|cell| escape(cell)).collect::<Vec<_>>());
    *text += &format!("|{}\n", " --- |".repeat(header.len()));
    for row in rows {
        *text += &line(&row.iter().map(|cell| escape(cell)).collect::<Vec<_>>());
    }
    text.push('\n');
}

/// Text that stays text: no tag, no column, no line break, no emphasis.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => out.extend(['\\', letter]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0)
}
