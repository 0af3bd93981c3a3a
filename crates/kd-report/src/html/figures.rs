//! Figures: ROC, reliability, confusion, cost, training, errors.

use super::value;
use crate::error_image::ErrorImage;
use crate::exhibit::Exhibit;
use crate::number;
use crate::record::{Arm, Curves, Direction, Metric, Role, RunRecord, StudentGroup};
use crate::svg::{self, Line};
use crate::value::Value;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// The arms that stand side by side in figures: teacher, alone, distilled.
fn trio<'a>(record: &'a RunRecord, group: &'a StudentGroup) -> impl Iterator<Item = &'a Arm> {
    [Some(&record.teacher.arm), group.first(Role::Alone), group.first(Role::Distilled)].into_iter().flatten()
}

/// A legend of roles, drawn once per section.
fn legend(arms: &[&Arm]) -> Markup {
    let roles: BTreeSet<Role> = arms.iter().map(|arm| arm.role).collect();
    let text = |role| match role {
        Role::Teacher => "teacher",
        Role::Alone => "student alone",
        Role::Control => "student, control",
        Role::Distilled => "student distilled",
        Role::Extra => "student, apart",
    };
    html! { p class="legend" { @for role in roles { span class="legend-item" { (svg::key(role)) (text(role)) } } } }
}

/// ROC curves per student, and what the operating point gives.
pub(super) fn discrimination(record: &RunRecord) -> Option<Markup> {
    let groups: Vec<_> =
        record.students.iter().filter(|group| trio(record, group).any(|arm| arm.roc.is_some())).collect();
    let points: Vec<_> = record
        .all_arms()
        .filter(|(_, _, arm)| arm.operating_point.is_some() || arm.teacher_agreement.is_some())
        .collect();
    if groups.is_empty() && points.is_empty() {
        return None;
    }
    let rule = |arm: &Arm| {
        let point = arm.operating_point.as_ref()?;
        Some(format!("{}, chosen on {}", point.rule, point.chosen_on))
    };
    let rules: BTreeSet<String> = points.iter().filter_map(|(_, _, arm)| rule(arm)).collect();
    let rules: Vec<String> = rules.into_iter().collect();
    let drawn: Vec<&Arm> =
        groups.iter().flat_map(|group| trio(record, group)).filter(|arm| arm.roc.is_some()).collect();
    let method = drawn.iter().find_map(|arm| arm.roc.as_ref()).map(|roc| (&roc.label, &roc.method));
    Some(html! {
        @if let Some((label, method)) = method { p class="lead" { "ROC of " (label) "; bands: " (method) "." } (legend(&drawn)) }
        div class="panels wide" {
            @for group in groups {
                @let curves: Vec<_> = trio(record, group).filter_map(|arm| Some((arm.role, arm.roc.as_ref()?))).collect();
                figure { figcaption { (group.name) } (svg::roc(&format!("ROC curves of {} and the teacher", group.name), &curves)) }
            }
        }
        @if !points.is_empty() {
            h3 { "Operating point and agreement with the teacher" }
            @if !rules.is_empty() { p class="lead under-heading" { "Threshold: " (rules.join("; ")) "." } }
            div class="scroll" { table class="compact" {
                thead { tr {
                    th scope="col" { "Student" } th scope="col" { "Arm" } th scope="col" class="num" { "Threshold" }
                    th scope="col" class="num" { "Sensitivity" } th scope="col" class="num" { "Specificity" } th scope="col" class="num" { "Agreement" }
                } }
                tbody { @for (group, _, arm) in points { tr class=(svg::class(arm.role)) {
                    td { @if let Some(group) = group { (group.name) } @else { "\u{2013}" } }
                    td { span class="arm-name" { (svg::key(arm.role)) (arm.name) } }
                    @match &arm.operating_point {
                        Some(point) => {
                            td class="num" { (value(&point.threshold, 3)) }
                            (score(record, Some(&point.sensitivity)))
                            (score(record, Some(&point.specificity)))
                        }
                        None => { td class="num" { "\u{2013}" } td class="num" { "\u{2013}" } td class="num" { "\u{2013}" } }
                    }
                    (score(record, arm.teacher_agreement.as_ref()))
                } } }
            } }
        }
    })
}

fn score(record: &RunRecord, metric: Option<&Metric>) -> Markup {
    html! { td class="num" { @match metric {
        Some(metric) => { (value(&metric.value, record.decimals(&metric.name))) " " (super::span(&metric.low, &metric.high, record.decimals(&metric.name))) }
        None => "\u{2013}",
    } } }
}

/// Reliability diagrams side by side, with the error before and after temperature scaling.
pub(super) fn calibration(record: &RunRecord) -> Option<Markup> {
    let has = |arm: &Arm| arm.reliability.is_some();
    let first = record.all_arms().find_map(|(_, _, arm)| arm.reliability.as_ref())?;
    let body = side_by_side(record, "", &has, &|place, arm| {
        html! {
            figcaption { (svg::key(arm.role)) (arm.name) }
            @if let Some(reliability) = &arm.reliability {
                (svg::reliability(&format!("Reliability of {place}{}", arm.name), arm.role, reliability))
            }
            @if let Some(calibration) = &arm.calibration {
                p class="under" {
                    "ECE " b { (value(&calibration.ece_before, 3)) } " \u{2192} " b { (value(&calibration.ece_after, 3)) }
                    " with temperature " (value(&calibration.temperature, 2)) ", fitted on " (calibration.fitted_on)
                }
            }
        }
    });
    Some(html! {
        p class="lead" {
            "On the diagonal, what an arm says is what happens. Above it the arm is too timid, below it too sure; sticks \
             show by how much. Bins: " (first.policy) "."
        }
        (body)
    })
}

/// Confusion matrices: teacher, student alone, student distilled.
pub(super) fn confusion(record: &RunRecord) -> Option<Markup> {
    let has = |arm: &Arm| arm.confusion.is_some();
    record.all_arms().find(|(_, _, arm)| has(arm))?;
    let classes = &record.dataset.classes;
    let size = if classes.len() > 5 { "large" } else { "" };
    let body = side_by_side(record, size, &has, &|place, arm| {
        html! {
            @if let Some(confusion) = &arm.confusion {
                figcaption { (svg::key(arm.role)) (arm.name) small { (confusion.label) } }
                div class="scroll" { (svg::confusion(&format!("Confusion of {place}{}", arm.name), classes, confusion)) }
            }
        }
    });
    Some(html! {
        p class="lead" {
            "Rows are the truth, columns what the arm said. Shading and percent are shares of the row; blue is right, \
             orange is wrong."
        }
        (body)
    })
}

/// A row of figures per student: teacher, alone, distilled.
fn side_by_side(
    record: &RunRecord,
    size: &str,
    has: &dyn Fn(&Arm) -> bool,
    figure: &dyn Fn(&str, &Arm) -> Markup,
) -> Markup {
    html! {
        @for group in record.students.iter().filter(|group| trio(record, group).any(has)) {
            @if record.students.len() > 1 { h3 { (group.name) } }
            div class={ "panels trio " (size) } {
                @for arm in trio(record, group).filter(|arm| has(arm)) {
                    figure { (figure(&format!("{}, ", group.name), arm)) }
                }
            }
        }
    }
}

/// Size against score against latency.
pub(super) fn cost(record: &RunRecord) -> Option<Markup> {
    let arms: Vec<&Arm> = record.all_arms().map(|(_, _, arm)| arm).collect();
    arms.iter().find(|arm| arm.metric(&record.primary_metric).is_some())?;
    let is_timed = record.all_arms().any(|(_, network, _)| network.latency_p50_ms.is_some());
    Some(html! {
        p class="lead" {
            (match record.definition(&record.primary_metric).map(|one| one.direction) {
                Some(Direction::Lower) => "Lower is better",
                _ => "Higher is better",
            })
            ", further left is smaller. Bars are 95 % intervals."
            @if is_timed { " The area of a halo is the median latency of one image." }
        }
        (legend(&arms))
        figure class="single" { (svg::tradeoff(record)) }
    })
}

/// Small multiples of the curves of every network.
pub(super) fn training(record: &RunRecord) -> Option<Markup> {
    let teacher = [&record.teacher.arm];
    let mut groups = vec![("Teacher", teacher.to_vec())];
    groups.extend(record.students.iter().map(|group| (group.name.as_str(), group.arms.iter().collect::<Vec<_>>())));
    groups.retain(|(_, arms)| arms.iter().any(|arm| !arm.curves.is_empty()));
    if groups.is_empty() {
        return None;
    }
    let all: Vec<&Arm> = groups.iter().flat_map(|(_, arms)| arms.iter().copied()).collect();
    Some(html! {
        p class="lead" { "Strong lines are means over seeds, thin lines single seeds, dots the chosen epochs. Losses are before their weights." }
        (legend(&all))
        @for (name, arms) in &groups {
            h3 { (name) }
            div class="panels small" { (panels(record, name, arms)) }
        }
    })
}

fn panels(record: &RunRecord, group: &str, arms: &[&Arm]) -> Markup {
    let mut terms: Vec<&str> = Vec::new();
    for term in arms.iter().flat_map(|arm| &arm.curves).flat_map(|curves| &curves.terms) {
        if !terms.contains(&term.name.as_str()) {
            terms.push(&term.name);
        }
    }
    let number = |value: &Value| value.finite().unwrap_or(f64::NAN);
    let numbers = |values: &[Value]| values.iter().map(number).collect::<Vec<f64>>();
    let lines = |pick: &dyn Fn(&Curves) -> Option<Vec<f64>>, is_chosen: bool| -> Vec<Line> {
        let line = |arm: &&Arm| {
            let picked = |curves: &Curves| pick(curves).filter(|values| values.iter().any(|value| value.is_finite()));
            let seeds: Vec<Vec<f64>> = arm.curves.iter().filter_map(picked).collect();
            let dot =
                |curves: &Curves| Some((curves.chosen_epoch, *pick(curves)?.get(curves.chosen_epoch as usize - 1)?));
            let chosen = if is_chosen { arm.curves.iter().filter_map(dot).collect() } else { Vec::new() };
            (!seeds.is_empty()).then_some(Line { role: arm.role, seeds, chosen })
        };
        arms.iter().filter_map(line).collect()
    };
    let term_of = |curves: &Curves, name: &str| curves.terms.iter().find(|term| term.name == name).cloned();
    // The only term of an objective has all of its gradient: a panel of that would say nothing.
    let share_of = |curves: &Curves, name: &str| {
        let term = term_of(curves, name).filter(|_| curves.terms.len() > 1)?;
        Some(numbers(&term.gradient_share))
    };
    let metric = arms.iter().flat_map(|arm| &arm.curves).next().map_or("", |curves| &curves.validation_metric);
    html! {
        figure {
            figcaption { "Validation " (record.label(metric)) }
            (svg::panel(&format!("{group}: validation {}", record.label(metric)), None, &lines(&|curves| Some(numbers(&curves.validation)), true)))
        }
        @for name in &terms {
            figure {
                figcaption { "Loss \u{b7} " (name) }
                (svg::panel(&format!("{group}: loss {name}"), None, &lines(&|curves| Some(numbers(&term_of(curves, name)?.loss)), false)))
            }
        }
        @for name in &terms {
            @let shares = lines(&|curves| share_of(curves, name), false);
            @if !shares.is_empty() {
                figure {
                    figcaption { "Gradient share \u{b7} " (name) }
                    (svg::panel(&format!("{group}: gradient share of {name}"), Some((0.0, 1.0)), &shares))
                }
            }
        }
        figure {
            figcaption { "Learning rate" }
            (svg::panel(&format!("{group}: learning rate"), None, &lines(&|curves| Some(curves.learning_rate.clone()), false)))
        }
    }
}

/// Cases as rows of pictures.
pub(super) fn exhibits(exhibits: &[Exhibit]) -> Option<Markup> {
    (!exhibits.is_empty()).then(|| {
        html! {
            @for exhibit in exhibits {
                figure class="exhibit" {
                    h3 { (exhibit.title) }
                    @let columns = exhibit.rows.iter().map(Vec::len).max().unwrap_or(0);
                    @for row in &exhibit.rows {
                        div class="panels" style=[(exhibit.rows.len() > 1).then(|| format!("grid-template-columns:repeat({columns},minmax(0,1fr))"))] {
                            @for _ in row.len()..columns { div {} }
                            @for panel in row {
                                div {
                                    img src={ "data:image/png;base64," (panel.png_base64) } alt=(panel.label);
                                    small { (panel.label) }
                                }
                            }
                        }
                    }
                    figcaption { (exhibit.caption) }
                }
            }
        }
    })
}

/// Errors in which an arm was surest.
pub(super) fn errors(errors: &[ErrorImage]) -> Option<Markup> {
    if errors.is_empty() {
        return None;
    }
    let is_base64 = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    Some(html! {
        p class="lead" { "Test images on which an arm was wrong and most sure of it. Numbers run through this page only and name nobody." }
        div class="errors" {
            @for error in errors {
                figure {
                    @if is_base64(&error.png_base64) {
                        img alt=(format!("Error {}: {} taken for {}", error.number, error.truth, error.predicted)) src={ "data:image/png;base64," (error.png_base64) };
                    } @else {
                        p class="undefined" { "image can't be shown: not base64" }
                    }
                    figcaption {
                        b { "#" (error.number) } " said " b { (error.predicted) } " (" (super::keep_units(&number::percent(error.confidence))) "), truth " b { (error.truth) }
                        small { @if !error.student.is_empty() { (error.student) ", " } (error.arm) }
                    }
                }
            }
        }
    })
}
