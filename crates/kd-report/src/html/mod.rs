//! `report.html`: one page that carries everything with it.
//!
//! No network, no script, no font file: it opens from a USB stick in ten years. Order of the page is order of
//! interest: verdict, how much, is it real, how good, what it costs, how it was trained, where it errs, where it comes
//! from, how to read it.

mod evidence;
mod figures;
mod notes;
mod scores;
mod summary;

use crate::error_image::ErrorImage;
use crate::exhibit::Exhibit;
use crate::number;
use crate::record::{RunRecord, Task};
use crate::timing::Timing;
use crate::value::Value;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The report as one self-contained page.
///
/// Text from the record is escaped everywhere: a class called `<script>` is shown and not run. Pictures stand under their
/// running numbers and nowhere else.
pub fn report(record: &RunRecord, timing: &Timing, errors: &[ErrorImage], exhibits: &[Exhibit]) -> String {
    let of_parts = if record.task == Task::Enhance { "Each region" } else { "Each class" };
    let sections = [
        ("result", "Result", summary::result(record)),
        ("arms", "Arms", scores::arms(record)),
        ("differences", "Paired differences", evidence::differences(record)),
        ("discrimination", "Discrimination", figures::discrimination(record)),
        ("calibration", "Calibration", figures::calibration(record)),
        ("confusion", "Confusion", figures::confusion(record)),
        ("classes", of_parts, scores::classes(record)),
        ("subgroups", "Each sort of images", scores::subgroups(record)),
        ("cost", "Size, score and latency", figures::cost(record)),
        ("training", "Training", figures::training(record)),
        ("errors", "Most confident errors", figures::errors(errors)),
        ("cases", "Cases", figures::exhibits(exhibits)),
        ("facts", "Facts", notes::facts(record, timing)),
        ("reading", "How to read this", notes::reading(record)),
        ("limits", "Limits", notes::limits(record)),
    ];
    let present: Vec<_> = sections.into_iter().filter_map(|(id, title, body)| Some((id, title, body?))).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (record.title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header { div class="page" { (summary::masthead(record)) } }
                nav aria-label="Sections" {
                    div class="page" { @for (id, title, _) in present.iter().skip(1) { a href={ "#" (id) } { (title) } } }
                }
                main class="page" {
                    @for (id, title, body) in &present {
                        section id=(id) aria-labelledby={ "h-" (id) } {
                            h2 id={ "h-" (id) } { (title) }
                            (body)
                        }
                    }
                }
                footer { div class="page" {
                    (record.title) " \u{b7} " (record.provenance.created) " \u{b7} revision " code { (record.provenance.revision) }
                    " \u{b7} not a medical device"
                } }
            }
        }
    };
    page.into_string()
}

/// A value; where it is undefined, the word with the reason beside it.
fn value(value: &Value, decimals: u8) -> Markup {
    match value.reason() {
        Some(reason) => html! { abbr class="undefined" title=(reason) { "undefined" } },
        None => html! { (number::value(value, decimals)) },
    }
}

/// Text whose percent signs stay with their number.
fn keep_units(text: &str) -> String {
    text.replace(" %", "\u{a0}%")
}

/// "0.941 to 0.972" in small type, or nothing.
fn span(low: &Value, high: &Value, decimals: u8) -> Markup {
    html! {
        @if low.finite().is_some() && high.finite().is_some() {
            small class="span" { (number::interval(low, high, decimals)) }
        } @else if let Some(reason) = low.reason().or(high.reason()) {
            small class="span" title=(reason) { "no interval" }
        }
    }
}
