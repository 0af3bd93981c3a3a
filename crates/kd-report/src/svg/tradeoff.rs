//! Score against size, with latency as the area of a halo.

use super::axis::{Plot, Scale, padded, px};
use super::{class, mark};
use crate::number;
use crate::record::{NetworkFacts, Role, RunRecord};
use maud::{Markup, html};

struct Network<'a> {
    name: &'a str,
    facts: &'a NetworkFacts,
    level: usize,
}

/// All networks and arms: parameters on a logarithmic axis, the primary metric upwards, median latency as a halo.
pub(crate) fn tradeoff(record: &RunRecord) -> Markup {
    let metric = &record.primary_metric;
    let sizes = record.all_arms().map(|(_, network, _)| network.parameters.max(1) as f64);
    let (low, high) = sizes.fold((f64::INFINITY, 0.0), |(low, high), size| (f64::min(low, size), f64::max(high, size)));
    let scores = record.all_arms().filter_map(|(_, _, arm)| arm.metric(metric));
    let ends = scores.flat_map(|one| [one.value.finite(), one.low.finite(), one.high.finite()]).flatten();
    let range = padded(ends).unwrap_or((0.0, 1.0));
    let x = Scale::log((low / 2.2, high * 2.2), (64.0, 744.0));
    let networks = placed(record, &x);
    let levels = networks.iter().map(|network| network.level + 1).max().unwrap_or(1) as f64;
    let top = 12.0 + 36.0 * levels;
    let bottom = top + 250.0;
    let plot = Plot {
        size: (760.0, bottom + 44.0),
        x,
        y: Scale::linear(range, (bottom, top)),
        labels: ("Parameters (logarithmic)".to_owned(), with_unit(record, metric)),
        ticks: (6, 5),
    };
    let slowest = networks.iter().filter_map(|network| network.facts.latency_p50_ms).fold(0.0, f64::max);
    let inside = html! {
        @for network in &networks {
            @let at = plot.x.at(network.facts.parameters.max(1) as f64);
            @let y = 14.0 + 36.0 * network.level as f64;
            line class="leader" x1=(px(at)) x2=(px(at)) y1=(px(y + 20.0)) y2=(px(bottom)) {}
            text class="name" x=(px(at)) y=(px(y)) text-anchor="middle" { (network.name) }
            text class="tick" x=(px(at)) y=(px(y + 14.0)) text-anchor="middle" {
                (number::short(network.facts.parameters))
                @if let Some(ms) = network.facts.latency_p50_ms { " \u{b7} " (number::milliseconds(ms)) }
            }
        }
        @for (group, network, arm) in record.all_arms() {
            @if let Some((one, value)) = arm.metric(metric).and_then(|one| Some((one, one.value.finite()?))) {
                @let at = plot.x.at(network.parameters.max(1) as f64) + group.map_or(0.0, |_| dodge(arm.role));
                @let is_halo = matches!(arm.role, Role::Teacher | Role::Distilled);
                @if let Some(ms) = network.latency_p50_ms.filter(|ms| is_halo && slowest > 0.0 && *ms > 0.0) {
                    circle class={ "halo " (class(arm.role)) } cx=(px(at)) cy=(px(plot.y.at(value))) r=(px(34.0 * (ms / slowest).sqrt())) {}
                }
                @if let (Some(low), Some(high)) = (one.low.finite(), one.high.finite()) {
                    line class={ "whisker " (class(arm.role)) } x1=(px(at)) x2=(px(at)) y1=(px(plot.y.at(low))) y2=(px(plot.y.at(high))) {}
                }
                g transform=(format!("translate({} {})", px(at), px(plot.y.at(value)))) {
                    (mark(arm.role))
                    title { (format!("{}: {} {}", arm.name, record.label(metric), number::fixed(value, record.decimals(metric)))) }
                }
            }
        }
    };
    let title = format!("{} against parameters of every network and arm, with 95 % intervals", record.label(metric));
    plot.draw(&title, &inside)
}

/// The label of a metric with its unit.
pub(crate) fn with_unit(record: &RunRecord, metric: &str) -> String {
    match record.definition(metric) {
        Some(one) if !one.unit.is_empty() => format!("{} ({})", one.label, one.unit),
        _ => record.label(metric).to_owned(),
    }
}

/// Arms of one network stand side by side so that their intervals do not cover each other.
fn dodge(role: Role) -> f64 {
    match role {
        Role::Alone => -14.0,
        Role::Control => 0.0,
        Role::Teacher | Role::Distilled => 14.0,
        Role::Extra => 28.0,
    }
}

/// Networks from small to large, each name on the first level where it does not touch the one before.
fn placed<'a>(record: &'a RunRecord, x: &Scale) -> Vec<Network<'a>> {
    let teacher = Network { name: &record.teacher.network.name, facts: &record.teacher.network, level: 0 };
    let students = record.students.iter().map(|one| Network { name: &one.name, facts: &one.network, level: 0 });
    let mut networks: Vec<Network<'a>> = std::iter::once(teacher).chain(students).collect();
    networks.sort_by_key(|network| network.facts.parameters);
    let mut ends: Vec<f64> = Vec::new();
    for network in &mut networks {
        let center = x.at(network.facts.parameters.max(1) as f64);
        let half = (network.name.chars().count().max(16) as f64) * 3.7 + 6.0;
        let free = ends.iter().position(|end| *end <= center - half);
        network.level = free.unwrap_or(ends.len());
        if free.is_none() {
            ends.push(center + half);
        } else {
            ends[network.level] = center + half;
        }
    }
    networks
}
