//! The summary for the terminal: the headline, the arms, the differences; aligned, no color, about 100 columns.

use crate::number;
use crate::record::{Arm, Metric, NetworkFacts, RunRecord};
use crate::verdict::{shown, verdict};

/// At most this many metrics get a column; the page and the files hold all.
const METRIC_COLUMNS: usize = 2;

/// The summary as plain text, ending in a newline.
pub fn terminal(record: &RunRecord) -> String {
    let verdict = verdict(record);
    let mut text = format!("{}\n", verdict.sentence);
    if verdict.students.len() > 1 {
        for student in &verdict.students {
            text += &format!("  {}: {}\n", student.student, student.sentence);
        }
    }
    for caveat in &verdict.caveats {
        text += &format!("  note: {caveat}\n");
    }
    text.push('\n');
    text += &aligned(&arms(record), &[Side::Left, Side::Left]);
    let differences = differences(record);
    if differences.len() > 1 {
        text.push('\n');
        text += &aligned(&differences, &[Side::Left, Side::Left, Side::Left]);
    }
    if let Some(test) = record.test_split() {
        text += &format!(
            "\n{} test images, {} independent units; 95 % intervals over: {}\n",
            number::count(test.images),
            number::count(test.subjects),
            record.dataset.unit_of_independence
        );
    }
    text
}

/// The primary metric first, then the others in the record's order.
pub(crate) fn column_metrics(record: &RunRecord) -> Vec<&str> {
    let rest = record.metrics.iter().map(|metric| metric.name.as_str());
    let used = |name: &&str| record.all_arms().any(|(_, _, arm)| arm.metric(name).is_some());
    std::iter::once(record.primary_metric.as_str())
        .chain(rest.filter(|name| *name != record.primary_metric))
        .filter(used)
        .collect()
}

fn arms(record: &RunRecord) -> Vec<Vec<String>> {
    let mut metrics = column_metrics(record);
    metrics.truncate(METRIC_COLUMNS);
    let mut header = vec!["student".to_owned(), "arm".to_owned(), "seeds".to_owned()];
    header.extend(metrics.iter().map(|name| record.label(name).to_owned()));
    header.extend(["params", "p50"].map(str::to_owned));
    let row = |student: &str, network: &NetworkFacts, arm: &Arm| {
        let mut cells = vec![student.to_owned(), arm.name.clone(), arm.seeds.len().to_string()];
        cells.extend(metrics.iter().map(|name| score(arm.metric(name), record.decimals(name))));
        cells.extend([
            number::short(network.parameters),
            network.latency_p50_ms.map_or("\u{2013}".to_owned(), number::milliseconds),
        ]);
        cells
    };
    let mut rows = vec![header];
    for baseline in &record.baselines {
        let mut cells = vec!["\u{2013}".to_owned(), baseline.name.clone(), "\u{2013}".to_owned()];
        let of = |name: &&str| baseline.metrics.iter().find(|metric| metric.name == **name);
        cells.extend(metrics.iter().map(|name| score(of(name), record.decimals(name))));
        cells.extend(["\u{2013}", "\u{2013}"].map(str::to_owned));
        rows.push(cells);
    }
    for (group, network, arm) in record.all_arms() {
        rows.push(row(group.map_or("\u{2013}", |group| group.name.as_str()), network, arm));
    }
    rows
}

fn score(metric: Option<&Metric>, decimals: u8) -> String {
    let Some(metric) = metric else { return "\u{2013}".to_owned() };
    let value = number::value(&metric.value, decimals);
    match (metric.low.finite(), metric.high.finite()) {
        (Some(low), Some(high)) => {
            format!("{value} [{}, {}]", number::fixed(low, decimals), number::fixed(high, decimals))
        }
        _ => value,
    }
}

fn differences(record: &RunRecord) -> Vec<Vec<String>> {
    let header = ["student", "difference", "metric", "value", "95 % interval", "p", "p Holm", "shown"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for one in &record.differences {
        let decimals = record.decimals(&one.metric);
        rows.push(vec![
            one.student.clone(),
            format!("{} \u{2212} {}", one.a, one.b),
            record.label(&one.metric).to_owned(),
            number::signed_value(&one.value, decimals),
            number::interval(&one.low, &one.high, decimals),
            number::p_value(&one.p),
            number::p_value(&one.p_holm),
            shown(record, one).word().to_owned(),
        ]);
    }
    rows
}

/// On which side a column is flush.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows as aligned text; columns beyond `sides` are flush right. The first row is the header, with a rule below.
pub(crate) fn aligned(rows: &[Vec<String>], sides: &[Side]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |text: &str| text.chars().count();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let space = " ".repeat(widths[column] - width(cell));
            if column > 0 {
                line += "  ";
            }
            match sides.get(column).copied().unwrap_or(Side::Right) {
                Side::Left => line += &format!("{cell}{space}"),
                Side::Right => line += &format!("{space}{cell}"),
            }
        }
        text += line.trim_end();
        text.push('\n');
        if index == 0 {
            let total = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
            text += &"\u{2500}".repeat(total);
            text.push('\n');
        }
    }
    text
}
