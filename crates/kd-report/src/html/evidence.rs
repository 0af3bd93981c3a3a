//! Paired differences as a forest plot that is also a table.

use super::value;
use crate::number;
use crate::record::{Difference, Role, RunRecord};
use crate::svg::{Strip, StripMark};
use crate::verdict::{Shown, shown};
use maud::{Markup, html};

/// One forest per metric, the primary metric first, each on its own scale.
pub(super) fn differences(record: &RunRecord) -> Option<Markup> {
    let mut metrics = vec![record.primary_metric.as_str()];
    metrics.extend(record.metrics.iter().map(|one| one.name.as_str()).filter(|name| *name != record.primary_metric));
    let forests: Vec<Markup> = metrics.into_iter().filter_map(|metric| forest(record, metric)).collect();
    if forests.is_empty() {
        return None;
    }
    let mut methods: Vec<&str> = record.differences.iter().map(|one| one.method.as_str()).collect();
    methods.sort_unstable();
    methods.dedup();
    Some(html! {
        p class="lead" {
            "Same seeds and same test images on both sides. An interval that crosses the line at 0 shows nothing, in either \
             direction. Method: " (methods.join("; ")) "."
        }
        @for forest in &forests { (forest) }
        (gaps(record))
    })
}

fn forest(record: &RunRecord, metric: &str) -> Option<Markup> {
    let rows: Vec<&Difference> = record.differences.iter().filter(|one| one.metric == metric).collect();
    let ends = rows.iter().flat_map(|one| [one.value.finite(), one.low.finite(), one.high.finite()]).flatten();
    let (low, high) = ends.fold((0.0, 0.0), |(low, high), end| (f64::min(low, end), f64::max(high, end)));
    if rows.is_empty() {
        return None;
    }
    let strip = Strip::new(if low < high { (low, high) } else { (-1.0, 1.0) });
    let decimals = record.decimals(metric);
    let better = record.definition(metric).map_or("", |one| match one.direction {
        crate::Direction::Higher => "right of 0 is better",
        crate::Direction::Lower => "left of 0 is better",
    });
    Some(html! {
        div class="scroll" { table class="forest" {
            thead { tr {
                th scope="col" { "Difference in " (record.label(metric)) }
                th scope="col" class="plot-column" { span class="hint" { (better) } }
                th scope="col" class="num" { "Value" }
                th scope="col" class="num" { "95 % interval" }
                th scope="col" class="num" { "p" }
                th scope="col" class="num" { "p (Holm)" }
                th scope="col" { "Shown" }
            } }
            tbody {
                @for (index, one) in rows.iter().enumerate() {
                    @if index == 0 || rows[index - 1].student != one.student {
                        tr class="group" { th colspan="7" scope="rowgroup" { (one.student) } }
                    }
                    (row(record, one, &strip, decimals))
                }
                tr class="axis-line" { td {} td class="plot-column" { (strip.axis()) } td colspan="5" {} }
            }
        } }
    })
}

fn row(record: &RunRecord, one: &Difference, strip: &Strip, decimals: u8) -> Markup {
    let found = shown(record, one);
    let role = record.arm(&one.student, &one.a).map_or(Role::Distilled, |arm| arm.role);
    let mark = one.value.finite().map(|value| StripMark {
        role,
        value,
        interval: one.low.finite().zip(one.high.finite()),
        is_pale: found == Shown::No,
    });
    let title = format!("{} minus {}", one.a, one.b);
    html! {
        tr class=(format!("shown-{}", found.word())) {
            th scope="row" { (one.a) " \u{2212} " (one.b) }
            td class="plot-column" { (strip.row(&title, Some(0.0), mark.as_slice())) }
            td class="num" { b { @if one.value.finite().is_some() { (number::signed_value(&one.value, decimals)) } @else { (value(&one.value, decimals)) } } }
            td class="num" { (number::interval(&one.low, &one.high, decimals)) }
            td class="num" { (number::p_value(&one.p)) }
            td class="num" { (number::p_value(&one.p_holm)) }
            td { span class={ "pill " (match found { Shown::Better => "good", Shown::Worse => "bad", Shown::No => "neutral" }) } { (found.word()) } }
        }
    }
}

fn gaps(record: &RunRecord) -> Markup {
    html! {
        @if !record.gaps.is_empty() {
            h3 { "Share of the gap recovered" }
            div class="scroll" { table class="compact" {
                thead { tr {
                    th scope="col" { "Student" } th scope="col" { "Arm" } th scope="col" { "Metric" }
                    th scope="col" class="num" { "Teacher \u{2212} alone" } th scope="col" class="num" { "95 % interval" }
                    th scope="col" class="num" { "Recovered" } th scope="col" class="num" { "95 % interval" }
                } }
                tbody {
                    @for gap in &record.gaps {
                        @let decimals = record.decimals(&gap.metric);
                        tr {
                            td { (gap.student) } td { (gap.arm) } td { (record.label(&gap.metric)) }
                            td class="num" { (number::signed_value(&gap.gap, decimals)) }
                            td class="num" { (number::interval(&gap.gap_low, &gap.gap_high, decimals)) }
                            td class="num" { b {
                                @match gap.recovered.finite() {
                                    Some(share) => (number::percent(share)),
                                    None => (value(&gap.recovered, 3)),
                                }
                            } }
                            td class="num" {
                                @match (gap.recovered_low.finite(), gap.recovered_high.finite()) {
                                    (Some(low), Some(high)) => { (number::percent(low)) " to " (number::percent(high)) }
                                    _ => { @match gap.recovered.reason() { Some(reason) => (reason), None => "no interval" } }
                                }
                            }
                        }
                    }
                }
            } }
        }
    }
}
