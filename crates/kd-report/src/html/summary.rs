//! The top of the page: title, verdict, and a tile per network.

use super::{keep_units, value};
use crate::number;
use crate::record::{NetworkFacts, Role, RunRecord, StudentGroup};
use crate::svg::{self, Strip, StripMark};
use crate::verdict::{self, Outcome, StudentVerdict};
use maud::{Markup, html};

/// Title, origin in one line, and the verdict.
pub(super) fn masthead(record: &RunRecord) -> Markup {
    let verdict = verdict::verdict(record);
    html! {
        p class="kicker" { "Knowledge distillation \u{b7} " (record.task.noun()) }
        h1 { (record.title) }
        p class="origin" {
            span { (record.dataset.name) } span { (record.provenance.created) }
            span { "revision " code { (record.provenance.revision) } @if record.provenance.dirty { " (uncommitted changes)" } }
            span { (record.provenance.device) }
        }
        div class={ "verdict " (tone(verdict.outcome)) } {
            p class="badge" { (verdict.outcome.badge()) }
            p class="headline" { (keep_units(&verdict.sentence)) "." }
            ul class="per-student" {
                @for student in &verdict.students {
                    li {
                        @if verdict.students.len() > 1 { b { (student.student) ":" } " " (keep_units(&student.sentence)) ". " }
                        span class="evidence" { (keep_units(&student.evidence)) }
                    }
                }
            }
        }
        ul class="caveats" {
            @for caveat in &verdict.caveats { li { (caveat) } }
            li { "For research only; not a medical device" }
        }
    }
}

fn tone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Recovered => "good",
        Outcome::Worse => "bad",
        Outcome::Mixed => "mixed",
        Outcome::NotShown | Outcome::NoGap | Outcome::NotMeasured => "neutral",
    }
}

fn short(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Recovered => "helped",
        Outcome::Worse => "hurt",
        Outcome::NotShown => "not shown",
        Outcome::NoGap => "no gap",
        Outcome::NotMeasured => "not measured",
        Outcome::Mixed => "mixed",
    }
}

/// A tile for the teacher, one per student size, one for the weight of the evidence.
pub(super) fn result(record: &RunRecord) -> Option<Markup> {
    let verdict = verdict::verdict(record);
    let strip = Strip::new(track_range(record)?);
    Some(html! {
        div class="tiles" {
            (teacher_tile(record))
            @for (group, student) in record.students.iter().zip(&verdict.students) {
                (student_tile(record, group, student, &strip))
            }
            (evidence_tile(record))
        }
        p class="legend under-tiles" {
            @for (role, text) in [(Role::Alone, "student alone"), (Role::Distilled, "student distilled"), (Role::Teacher, "teacher")] {
                span class="legend-item" { (svg::key(role)) (text) }
            }
            span { "Tracks share one scale of " (record.label(&record.primary_metric)) "; bars are 95 % intervals." }
        }
    })
}

fn track_range(record: &RunRecord) -> Option<(f64, f64)> {
    let metrics = record.all_arms().filter_map(|(_, _, arm)| arm.metric(&record.primary_metric));
    let ends = metrics.flat_map(|one| [one.value.finite(), one.low.finite(), one.high.finite()]).flatten();
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| (low.min(end), high.max(end)));
    (low <= high).then_some((low, high))
}

fn teacher_tile(record: &RunRecord) -> Markup {
    let teacher = &record.teacher;
    let decimals = record.decimals(&record.primary_metric);
    html! {
        article class="tile" {
            h3 { "Teacher" small { (teacher.network.name) } }
            p class="big" {
                @if let Some(metric) = teacher.arm.metric(&record.primary_metric) {
                    (value(&metric.value, decimals))
                    small { (number::interval(&metric.low, &metric.high, decimals)) }
                }
            }
            p class="what" { (record.label(&record.primary_metric)) " on test, 95 % interval" }
            (cost(&teacher.network, None))
        }
    }
}

fn student_tile(record: &RunRecord, group: &StudentGroup, student: &StudentVerdict, strip: &Strip) -> Markup {
    let metric = &record.primary_metric;
    let decimals = record.decimals(metric);
    let gap = verdict::headline_gap(record, &group.name);
    let distilled = gap.and_then(|gap| record.arm(&group.name, &gap.arm)).or(group.first(Role::Distilled));
    let arms = [group.first(Role::Alone), distilled, Some(&record.teacher.arm)];
    let scores: Vec<_> = arms.into_iter().flatten().filter_map(|arm| Some((arm, arm.metric(metric)?))).collect();
    let marks: Vec<StripMark> = scores
        .iter()
        .filter_map(|(arm, one)| {
            let interval = one.low.finite().zip(one.high.finite()).filter(|_| arm.role == Role::Distilled);
            Some(StripMark { role: arm.role, value: one.value.finite()?, interval, is_pale: false })
        })
        .collect();
    html! {
        article class="tile student" {
            h3 { (group.name) small class={ "pill " (tone(student.outcome)) } { (short(student.outcome)) } }
            @if let Some((share, gap)) = gap.and_then(|gap| Some((gap.recovered.finite()?, gap))) {
                p class={ "big" @if student.outcome != Outcome::Recovered { " muted" } } {
                    (number::percent_digits(share)) span class="unit" { "%" }
                    @if let (Some(low), Some(high)) = (gap.recovered_low.finite(), gap.recovered_high.finite()) {
                        small { (number::percent_digits(low)) " to " (number::percent_digits(high)) " %" }
                    }
                }
                p class="what" { "of the teacher\u{2013}student gap recovered" }
            } @else {
                p class="big muted" { "\u{2013}" }
                p class="what" {
                    @match gap.and_then(|gap| gap.recovered.reason()) {
                        Some(reason) => { "no recovered share: " (reason) }
                        None => "no recovered share in the record",
                    }
                }
            }
            (strip.row(&format!("{} of {}", record.label(metric), group.name), None, &marks))
            dl class="triple" {
                @for (arm, one) in &scores {
                    div { dt { (arm.role.word()) } dd { (value(&one.value, decimals)) } }
                }
            }
            (cost(&group.network, Some(&record.teacher.network)))
        }
    }
}

fn cost(network: &NetworkFacts, teacher: Option<&NetworkFacts>) -> Markup {
    html! {
        ul class="cost" {
            li { b { (number::short(network.parameters)) } " parameters"
                @if let Some(teacher) = teacher { ", " (number::fraction(network.parameters, teacher.parameters)) " of the teacher" } }
            li { b { (number::short(network.multiply_adds)) } " multiply-adds, " b { (number::bytes(network.file_bytes)) } }
            @if let Some(ms) = network.latency_p50_ms {
                li { b { (number::milliseconds(ms)) } " median latency"
                    @if let Some(ms) = network.latency_p95_ms { ", " span class="nowrap" { "p95 " (number::milliseconds(ms)) } } }
            }
        }
    }
}

fn evidence_tile(record: &RunRecord) -> Markup {
    let seeds = record.students.iter().flat_map(|group| &group.arms).filter(|arm| arm.role != Role::Extra);
    let fewest = seeds.map(|arm| arm.seeds.len()).min().unwrap_or(0);
    html! {
        article class="tile" {
            h3 { "Evidence" small { "test split" } }
            @if let Some(test) = record.test_split() {
                p class="big" { (number::count(test.subjects)) }
                p class="what" { "independent test units, " (number::count(test.images)) " images; unit: " (record.dataset.unit_of_independence) }
            }
            ul class="cost" {
                li { b { (fewest) } " seeds per student arm" }
                li { b { (record.students.len()) } @if record.students.len() == 1 { " student size" } @else { " student sizes" } }
                li { "teacher " @if record.teacher.hash_before == record.teacher.hash_after { b { "unchanged" } } @else { b class="alarm" { "changed" } } ", proved by hash" }
            }
        }
    }
}
