//! `docs/reference/which-loss.md`: what the committed records say of distillation losses that met in one experiment.
//!
//! A record counts when at least two of its arms distil by different losses. Nothing is judged here: numbers, intervals and
//! corrected probabilities are those of `record.json`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::repository;

const RECORDS: &str = "benches/record/";
/// A difference is shown when its probability after Holm's correction is at most this.
const LEVEL: f64 = 0.05;

/// Every record that compares losses, by folder name.
pub(crate) fn records(root: &Path) -> anyhow::Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for path in repository::files(root)? {
        let Some(name) = path.strip_prefix(RECORDS).and_then(|rest| rest.strip_suffix("/record.json")) else {
            continue;
        };
        let text = std::fs::read_to_string(root.join(&path)).with_context(|| format!("cannot read `{path}`"))?;
        let record: Value = serde_json::from_str(&text).with_context(|| format!("`{path}` is no JSON"))?;
        if compares_losses(&record) {
            found.push((name.to_owned(), record));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// The page, below its title.
pub(crate) fn page(records: &[(String, Value)]) -> String {
    if records.is_empty() {
        return "No record compares losses yet.\n".to_owned();
    }
    let mut text = String::from(
        "What the committed records found where several distillation losses met under one budget. Each line is the mean \
         over seeds and its paired difference to the same student trained alone; \"shown\" means p ≤ .05 after Holm's \
         correction over all differences of that record. A record's README says how its weights were chosen and what was \
         not tried.\n\n",
    );
    text.push_str(&overview(records));
    for (name, record) in records {
        text.push_str(&section(name, record));
    }
    text
}

fn compares_losses(record: &Value) -> bool {
    let losses = |student: &Value| {
        let arms = list(student, "arms").iter().filter(|arm| arm["role"] == "distilled");
        arms.map(losses_of).collect::<BTreeSet<_>>().len()
    };
    list(record, "students").iter().any(|student| losses(student) >= 2)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The names of an arm's losses beside that of the labels.
fn losses_of(arm: &Value) -> String {
    let terms = list(arm, "terms").iter().filter(|term| term["name"] != "task");
    terms.map(|term| text(term, "name")).collect::<Vec<_>>().join(" + ")
}

/// How often a difference of the primary metric was shown, over all records: to the lone student, and between two arms.
fn overview(records: &[(String, Value)]) -> String {
    let counted = |other: &str| {
        let [mut better, mut worse, mut none] = [0, 0, 0];
        for (_, record) in records {
            let roles = |one: &&Value| (role_of(record, one, "a"), role_of(record, one, "b")) == ("distilled", other);
            for difference in primary(record).filter(roles) {
                match verdict(record, difference) {
                    "better" => better += 1,
                    "worse" => worse += 1,
                    _ => none += 1,
                }
            }
        }
        [better + worse + none, better, worse, none]
    };
    let [all, better, worse, none] = counted("alone");
    let mut text = format!(
        "In {} records, {all} distilled arms met the lone student: {better} were shown to be better, {worse} worse, and of \
         {none} neither could be shown.",
        records.len()
    );
    let [all, better, worse, none] = counted("distilled");
    if all > 0 {
        text.push_str(&format!(
            " Of {all} comparisons of two distilled arms, such as answers by folds with those of a teacher that saw the \
             samples, {better} were better, {worse} worse, {none} neither."
        ));
    }
    text.push('\n');
    text
}

fn primary(record: &Value) -> impl Iterator<Item = &Value> {
    list(record, "differences").iter().filter(|difference| difference["metric"] == record["primary_metric"])
}

fn role_of<'a>(record: &'a Value, difference: &Value, side: &str) -> &'a str {
    let students = list(record, "students").iter().filter(|student| student["name"] == difference["student"]);
    let mut arms = students.flat_map(|student| list(student, "arms"));
    arms.find(|arm| arm["name"] == difference[side]).map_or("", |arm| text(arm, "role"))
}

fn verdict(record: &Value, difference: &Value) -> &'static str {
    let metric = list(record, "metrics").iter().find(|metric| metric["name"] == difference["metric"]);
    let higher = metric.is_none_or(|metric| metric["direction"] != "lower");
    match (difference["p_holm"].as_f64(), difference["value"].as_f64()) {
        (Some(p), Some(value)) if p <= LEVEL && value != 0.0 => {
            if (value > 0.0) == higher {
                "better"
            } else {
                "worse"
            }
        }
        _ => "not shown",
    }
}

fn section(name: &str, record: &Value) -> String {
    let metric = list(record, "metrics").iter().find(|metric| metric["name"] == record["primary_metric"]);
    let label = metric.map_or("", |metric| text(metric, "label"));
    let decimals = metric.and_then(|metric| metric["decimals"].as_u64()).map_or(3, |places| places as usize);
    let test = list(&record["dataset"], "splits").iter().find(|split| split["name"] == "test");
    let count = |key: &str| test.and_then(|test| test[key].as_u64()).unwrap_or(0);
    let budget = list(record, "protocol").iter().find(|fact| text(fact, "name").starts_with("Budget"));
    let teacher = &record["teacher"];
    let mut page = format!("\n## {}\n\n", text(record, "title"));
    page.push_str(&format!(
        "[`{RECORDS}{name}`](../../{RECORDS}{name}/README.md): {} test images, {} independent units ({}); {}. Teacher: {} \
         of {} parameters, {label} {}.\n",
        count("images"),
        count("subjects"),
        text(&record["dataset"], "unit_of_independence"),
        budget.map_or("", |fact| text(fact, "value")),
        text(&teacher["network"], "name"),
        thousands(&teacher["network"]["parameters"]),
        measured(&teacher["arm"], record, decimals),
    ));
    for student in list(record, "students") {
        page.push_str(&format!(
            "\nStudent `{}` of {} parameters:\n\n| arm | losses and weights | {label} | minus alone | p (Holm) | |\n\
             |---|---|--:|--:|--:|---|\n",
            text(student, "name"),
            thousands(&student["network"]["parameters"]),
        ));
        for arm in list(student, "arms") {
            let of_arm =
                |difference: &&Value| difference["student"] == student["name"] && difference["a"] == arm["name"];
            let to_alone = primary(record).filter(of_arm).find(|one| role_of(record, one, "b") == "alone");
            page.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                text(arm, "name"),
                terms(arm),
                measured(arm, record, decimals),
                to_alone.map_or("| |".to_owned(), |one| difference_cells(record, one, decimals)),
            ));
        }
        page.push_str(&asked_pairs(student, record, decimals));
    }
    page
}

/// Differences between two distilled arms: those that the recipe asked for.
fn asked_pairs(student: &Value, record: &Value, decimals: usize) -> String {
    let of_student = primary(record).filter(|difference| difference["student"] == student["name"]);
    let pairs: Vec<&Value> = of_student.filter(|one| role_of(record, one, "b") == "distilled").collect();
    if pairs.is_empty() {
        return String::new();
    }
    let mut page = "\n| one arm minus another | difference | p (Holm) | |\n|---|--:|--:|---|\n".to_owned();
    for pair in pairs {
        let cells = difference_cells(record, pair, decimals);
        page.push_str(&format!("| {} − {} | {cells} |\n", text(pair, "a"), text(pair, "b")));
    }
    page
}

fn difference_cells(record: &Value, difference: &Value, decimals: usize) -> String {
    let number = |key: &str| difference[key].as_f64();
    let (Some(value), Some(low), Some(high)) = (number("value"), number("low"), number("high")) else {
        return "no value | | ".to_owned();
    };
    let p = number("p_holm").map_or("–".to_owned(), |p| if p < 0.001 { "< .001".to_owned() } else { short(p, 3) });
    let sign = if value > 0.0 { "+" } else { "" };
    format!(
        "{sign}{} [{}, {}] | {p} | {}",
        short(value, decimals),
        short(low, decimals),
        short(high, decimals),
        verdict(record, difference)
    )
}

fn measured(arm: &Value, record: &Value, decimals: usize) -> String {
    let metric = list(arm, "metrics").iter().find(|metric| metric["name"] == record["primary_metric"]);
    let number = |key: &str| metric.and_then(|metric| metric[key].as_f64());
    match (number("value"), number("low"), number("high")) {
        (Some(value), Some(low), Some(high)) => {
            format!("{} [{}, {}]", short(value, decimals), short(low, decimals), short(high, decimals))
        }
        (Some(value), ..) => short(value, decimals),
        _ => "no value".to_owned(),
    }
}

fn terms(arm: &Value) -> String {
    let one = |term: &Value| {
        let weight = term["weight"].as_f64().unwrap_or_default();
        let temperature = term["temperature"].as_f64().map_or(String::new(), |value| format!(", T {value}"));
        let amount = if term["is_share"] == true { "at" } else { "×" };
        let epochs = match (term["epochs"][0].as_u64(), term["epochs"][1].as_u64()) {
            (Some(first), Some(last)) => format!(", epochs {first} to {last}"),
            _ => String::new(),
        };
        format!("{} {amount} {weight}{temperature}{epochs}", text(term, "name"))
    };
    list(arm, "terms").iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Without the zero in front, as the field writes shares.
fn short(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text
        .strip_prefix("-0.")
        .map(|rest| format!("−.{rest}"))
        .or(text.strip_prefix("0.").map(|rest| format!(".{rest}")))
    {
        Some(short) if short.trim_start_matches('−').trim_matches(['.', '0']).is_empty() => {
            format!("{:.decimals$}", 0.0)[1..].to_owned()
        }
        Some(short) => short,
        None => text.replace('-', "−"),
    }
}

fn thousands(count: &Value) -> String {
    let digits = count.as_u64().unwrap_or(0).to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(direction: &str, p_holm: f64) -> Value {
        let arm = |name: &str, role: &str, loss: &str, value: f64| {
            let terms = serde_json::json!([{ "name": "task", "weight": 1.0 }, { "name": loss, "weight": 0.3, "temperature": 4.0 }]);
            serde_json::json!({
                "name": name, "role": role, "terms": terms,
                "metrics": [{ "name": "m", "value": value, "low": value - 0.01, "high": value + 0.01 }]
            })
        };
        let difference = |a: &str, b: &str| {
            serde_json::json!({
                "student": "s", "a": a, "b": b, "metric": "m", "value": -0.012, "low": -0.02, "high": -0.004, "p_holm": p_holm
            })
        };
        serde_json::json!({
            "title": "Set", "primary_metric": "m",
            "metrics": [{ "name": "m", "label": "Metric", "direction": direction, "decimals": 3 }],
            "dataset": { "unit_of_independence": "patient", "splits": [{ "name": "test", "images": 40, "subjects": 20 }] },
            "protocol": [{ "name": "Budget of every student arm", "value": "8 epochs" }],
            "teacher": { "network": { "name": "T", "parameters": 1_460_323 }, "arm": arm("teacher", "teacher", "", 0.9) },
            "students": [{ "name": "s", "network": { "parameters": 512 }, "arms": [
                arm("alone", "alone", "", 0.8), arm("one", "distilled", "dist", 0.788), arm("two", "distilled", "dkd", 0.788)
            ] }],
            "differences": [difference("one", "alone"), difference("two", "alone"), difference("two", "one")]
        })
    }

    #[test]
    fn only_records_of_several_losses_are_shown() {
        let mut one = record("higher", 0.01);
        assert!(compares_losses(&one));
        one["students"][0]["arms"][2]["terms"][1]["name"] = "dist".into();
        assert!(!compares_losses(&one));
        assert_eq!(page(&[]), "No record compares losses yet.\n");
    }

    #[test]
    fn a_loss_is_better_or_worse_as_its_metric_says_and_only_when_shown() {
        let says = |direction, p| page(&[("r".into(), record(direction, p))]);
        assert!(
            says("higher", 0.01).contains("2 distilled arms met the lone student: 0 were shown to be better, 2 worse")
        );
        assert!(says("lower", 0.01).contains("2 were shown to be better, 0 worse, and of 0 neither"));
        assert!(says("lower", 0.06).contains("0 were shown to be better, 0 worse, and of 2 neither"));
        assert!(says("lower", 0.01).contains("Of 1 comparisons of two distilled arms"));
    }

    #[test]
    fn every_arm_and_every_asked_pair_is_a_line() {
        let page = page(&[("r".into(), record("higher", 0.01))]);
        for line in [
            "of 1,460,323 parameters, Metric .900 [.890, .910].",
            "| one | task × 1; dist × 0.3, T 4 | .788 [.778, .798] | −.012 [−.020, −.004] | .010 | worse |",
            "| two − one | −.012 [−.020, −.004] | .010 | worse |",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }

    #[test]
    fn numbers_lose_the_zero_in_front_and_no_sign_stays_at_zero() {
        let shown = [-0.0001, 0.0, 0.5, -0.25, 1.5, -2.0].map(|value| short(value, 3));
        assert_eq!(shown, [".000", ".000", ".500", "−.250", "1.500", "−2.000"]);
    }
}
