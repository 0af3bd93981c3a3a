//! Tables of scores: arms with intervals and seed spread, seeds one by one, classes.

use super::{span, value};
use crate::number;
use crate::record::{Arm, ClassRow, Metric, NetworkFacts, Role, RunRecord, SubgroupRow, Task};
use crate::svg;
use crate::table::column_metrics;
use maud::{Markup, html};

/// All arms, grouped by network, and below them every seed.
pub(super) fn arms(record: &RunRecord) -> Option<Markup> {
    let metrics = column_metrics(record);
    let columns = metrics.len() + 2;
    Some(html! {
        p class="lead" {
            "Same budget for every arm of a student: steps, batches, order of data. Each cell: value, 95 % interval, and \
             the range over seeds. The epoch was chosen on validation."
        }
        div class="scroll" { table class="arms" {
            thead { tr {
                th scope="col" { "Arm" }
                th scope="col" class="num" { "Seeds" }
                @for name in &metrics { th scope="col" class="num" { (record.label(name)) } }
            } }
            @if !record.baselines.is_empty() {
                tbody { @for baseline in &record.baselines {
                    tr {
                        th scope="row" { span class="arm-name" { (baseline.name) } small class="terms" { "no network" } }
                        td class="num" { "\u{2013}" }
                        @for name in &metrics {
                            td class="num" { @match baseline.metrics.iter().find(|metric| metric.name == *name) {
                                Some(metric) => { b { (value(&metric.value, record.decimals(name))) } (span(&metric.low, &metric.high, record.decimals(name))) }
                                None => "\u{2013}",
                            } }
                        }
                    }
                } }
            }
            tbody {
                (network_row(&format!("Teacher \u{b7} {}", record.teacher.network.name), &record.teacher.network, None, columns))
                (row(record, &metrics, &record.teacher.arm))
            }
            @for group in &record.students {
                tbody {
                    (network_row(&format!("{} \u{b7} {}", group.name, group.network.name), &group.network, Some(&record.teacher.network), columns))
                    @for arm in group.arms.iter().filter(|arm| arm.role != Role::Extra) { (row(record, &metrics, arm)) }
                    @for arm in group.arms.iter().filter(|arm| arm.role == Role::Extra) { (row(record, &metrics, arm)) }
                }
            }
        } }
        (seeds(record))
    })
}

fn network_row(name: &str, network: &NetworkFacts, teacher: Option<&NetworkFacts>, columns: usize) -> Markup {
    html! {
        tr class="group" { th colspan=(columns) scope="rowgroup" {
            (name)
            span class="facts" {
                span { (number::count(network.parameters)) " parameters" @if let Some(teacher) = teacher { " (" (number::fraction(network.parameters, teacher.parameters)) ")" } }
                span { (number::short(network.multiply_adds)) " multiply-adds" }
                span { (number::bytes(network.file_bytes)) }
                @if let Some(ms) = network.latency_p50_ms { span { "p50 " (number::milliseconds(ms)) } }
                @if let Some(ms) = network.latency_p95_ms { span { "p95 " (number::milliseconds(ms)) } }
                @if let Some(bytes) = network.peak_memory_bytes { span { (number::bytes(bytes)) " peak memory" } }
            }
        } }
    }
}

fn row(record: &RunRecord, metrics: &[&str], arm: &Arm) -> Markup {
    html! {
        tr class=(svg::class(arm.role)) {
            th scope="row" {
                span class="arm-name" { (svg::key(arm.role)) (arm.name) @if arm.role == Role::Extra { small class="pill neutral" { "apart" } } }
                @if !arm.terms.is_empty() { small class="terms" { (crate::markdown::terms(arm)) } }
                @if let Some(note) = &arm.note { small class="terms" { (note) } }
            }
            td class="num" { (arm.seeds.len()) }
            @for name in metrics {
                td class="num" {
                    @match arm.metric(name) {
                        Some(metric) => {
                            @let decimals = record.decimals(name);
                            b { (value(&metric.value, decimals)) }
                            (span(&metric.low, &metric.high, decimals))
                            @if let Some((low, high)) = arm.seed_range(name).filter(|_| arm.seeds.len() > 1) {
                                small class="seeds" { "seeds " (number::fixed(low, decimals)) "\u{2013}" (number::fixed(high, decimals)) }
                            }
                        }
                        None => "\u{2013}",
                    }
                }
            }
        }
    }
}

fn seeds(record: &RunRecord) -> Markup {
    let metrics = column_metrics(record);
    html! {
        details {
            summary { "Every seed, at the last epoch and at the chosen one" }
            div class="scroll" { table class="compact" {
                thead {
                    tr {
                        th rowspan="2" scope="col" { "Student" } th rowspan="2" scope="col" { "Arm" }
                        th rowspan="2" scope="col" class="num" { "Seed" } th rowspan="2" scope="col" class="num" { "Chosen epoch" }
                        @for name in &metrics { th colspan="2" scope="colgroup" class="num" { (record.label(name)) } }
                    }
                    tr { @for _ in &metrics { th scope="col" class="num" { "last" } th scope="col" class="num" { "chosen" } } }
                }
                tbody {
                    @for (group, _, arm) in record.all_arms() {
                        @for seed in &arm.per_seed {
                            tr {
                                td { @if let Some(group) = group { (group.name) } @else { "\u{2013}" } }
                                td { (arm.name) }
                                td class="num" { (seed.seed) }
                                td class="num" {
                                    @if let Some(curves) = arm.curves.iter().find(|curves| curves.seed == seed.seed) { (curves.chosen_epoch) }
                                    @else { "\u{2013}" }
                                }
                                @for name in &metrics {
                                    @match seed.metric(name) {
                                        Some(one) => {
                                            td class="num" { (value(&one.last, record.decimals(name))) }
                                            td class="num" { b { (value(&one.chosen, record.decimals(name))) } }
                                        }
                                        None => { td class="num" { "\u{2013}" } td class="num" { "\u{2013}" } }
                                    }
                                }
                            }
                        }
                    }
                }
            } }
        }
    }
}

/// The parts of one arm, or of what is no network.
struct Row<'a> {
    student: Option<&'a str>,
    name: &'a str,
    role: Option<Role>,
    parts: Vec<Part<'a>>,
}

/// A part of the test images with its scores.
struct Part<'a> {
    name: Markup,
    n: u64,
    metrics: &'a [Metric],
    minus_alone: Option<&'a Metric>,
}

/// Scores of each class or region, arms side by side, what is no network first.
pub(super) fn classes(record: &RunRecord) -> Option<Markup> {
    let baselines = record.baselines.iter().map(|baseline| Row {
        student: None,
        name: &baseline.name,
        role: None,
        parts: classes_of(&baseline.per_class),
    });
    let head = if record.task == Task::Enhance { "Region" } else { "Class" };
    parts(record, head, baselines.chain(rows_of_arms(record, |arm| classes_of(&arm.per_class))).collect())
}

fn classes_of(rows: &[ClassRow]) -> Vec<Part<'_>> {
    let part = |row| -> Part<'_> {
        let ClassRow { class, n, metrics }: &ClassRow = row;
        Part { name: html! { (class) }, n: *n, metrics, minus_alone: None }
    };
    rows.iter().map(part).collect()
}

/// Scores of each sort of images, arms side by side.
pub(super) fn subgroups(record: &RunRecord) -> Option<Markup> {
    let rows = rows_of_arms(record, |arm| {
        let name = |row: &SubgroupRow| html! { (row.subgroup) @if row.held_out { br; small class="pill neutral" { "held out" } } };
        let rows = arm.per_subgroup.iter();
        rows.map(|row| Part { name: name(row), n: row.n, metrics: &row.metrics, minus_alone: row.minus_alone.as_ref() })
            .collect()
    });
    let table = parts(record, "Sort", rows.collect())?;
    let held_out = record.teacher.arm.per_subgroup.iter().any(|row| row.held_out);
    Some(html! {
        @if held_out {
            p class="lead" { "Nothing of a sort that is held out was learned from, and it is in no other number of this page." }
        }
        (table)
    })
}

fn rows_of_arms<'a>(record: &'a RunRecord, of: impl Fn(&'a Arm) -> Vec<Part<'a>>) -> impl Iterator<Item = Row<'a>> {
    record.all_arms().map(move |(group, _, arm)| Row {
        student: group.map(|group| group.name.as_str()),
        name: &arm.name,
        role: Some(arm.role),
        parts: of(arm),
    })
}

/// Scores of each part of the test images, arms side by side; every arm has the same parts.
fn parts(record: &RunRecord, head: &str, mut rows: Vec<Row<'_>>) -> Option<Markup> {
    rows.retain(|row| !row.parts.is_empty());
    let first = &rows.first()?.parts;
    let metrics: Vec<&str> = first.first()?.metrics.iter().map(|metric| metric.name.as_str()).collect();
    let compared = rows.iter().any(|row| row.parts.iter().any(|part| part.minus_alone.is_some()));
    let primary = &record.primary_metric;
    Some(html! {
        div class="scroll" { table class="compact classes" {
            thead { tr {
                th scope="col" { (head) } th scope="col" class="num" { "n" } th scope="col" { "Student" } th scope="col" { "Arm" }
                @for name in &metrics { th scope="col" class="num" { (record.label(name)) } }
                @if compared { th scope="col" class="num" { (record.label(primary)) " \u{2212} alone" } }
            } }
            @for (index, shown) in first.iter().enumerate() {
                tbody {
                    @for (place, row) in rows.iter().enumerate() {
                        @if let Some(part) = row.parts.get(index) {
                            tr class=[row.role.map(svg::class)] {
                                @if place == 0 {
                                    th scope="rowgroup" rowspan=(rows.len()) { (shown.name) }
                                    td class="num" rowspan=(rows.len()) { (number::count(shown.n)) }
                                }
                                td { (row.student.unwrap_or("\u{2013}")) }
                                td { span class="arm-name" { @if let Some(role) = row.role { (svg::key(role)) } (row.name) } }
                                @for name in &metrics {
                                    td class="num" {
                                        @match part.metrics.iter().find(|metric| metric.name == *name) {
                                            Some(metric) => {
                                                (value(&metric.value, record.decimals(name))) " "
                                                (span(&metric.low, &metric.high, record.decimals(name)))
                                            }
                                            None => "\u{2013}",
                                        }
                                    }
                                }
                                @if compared {
                                    td class="num" {
                                        @match part.minus_alone {
                                            Some(metric) => {
                                                (number::signed_value(&metric.value, record.decimals(primary))) " "
                                                (span(&metric.low, &metric.high, record.decimals(primary)))
                                            }
                                            None => "\u{2013}",
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        } }
    })
}
