//! The end of the page: facts, how to read the numbers, limits.

use crate::facts;
use crate::number;
use crate::record::{Direction, RunRecord};
use crate::timing::Timing;
use maud::{Markup, html};

/// Everything that one needs to check or repeat the run.
pub(super) fn facts(record: &RunRecord, timing: &Timing) -> Option<Markup> {
    let blocks = [
        ("Protocol", facts::protocol(record)),
        ("Data", facts::data(record)),
        ("Teacher", facts::teacher(record)),
        ("Origin and machine", facts::origin(record)),
    ];
    Some(html! {
        div class="facts-grid" {
            @for (title, facts) in &blocks {
                div { h3 { (title) } dl { @for (name, text) in facts { dt { (name) } dd { (cited(text)) } } } }
            }
        }
        (splits(record))
        (times(timing))
        details {
            summary { "Recipe as it was run" }
            pre { code { (record.provenance.recipe_toml) } }
        }
    })
}

/// Text; a text that is an address becomes a link, which loads nothing by itself.
fn cited(text: &str) -> Markup {
    let is_address = |word: &str| word.starts_with("https://") || word.starts_with("http://");
    html! {
        @for (index, word) in text.split(' ').enumerate() {
            @if index > 0 { " " }
            @let address = word.trim_end_matches(['.', ',', ';', ')']);
            @if is_address(word) { a href=(address) rel="noreferrer" { (address) } (word[address.len()..]) } @else { (word) }
        }
    }
}

fn splits(record: &RunRecord) -> Markup {
    let data = &record.dataset;
    html! {
        h3 { "Splits" }
        div class="scroll" { table class="compact" {
            thead { tr {
                th scope="col" { "Split" } th scope="col" class="num" { "Images" } th scope="col" class="num" { "Independent units" }
                @for class in &data.classes { th scope="col" class="num" { (class) } }
            } }
            tbody { @for split in &data.splits { tr {
                th scope="row" { (split.name) }
                td class="num" { (number::count(split.images)) }
                td class="num" { (number::count(split.subjects)) }
                @for class in &data.classes {
                    td class="num" {
                        @if let Some(one) = split.classes.iter().find(|one| one.class == *class) {
                            (number::count(one.images))
                            @if let Some(share) = split.prevalence(class) { " " small class="span" { (number::percent(share)) } }
                        } @else { "\u{2013}" }
                    }
                }
            } } }
        } }
        h3 { "Leak check" }
        @if data.leaks.is_empty() {
            p { "No subject and no image stands in two splits." }
        } @else {
            ul { @for leak in &data.leaks { li {
                (leak.kind) " between " (leak.between) ": " b { (number::count(leak.images)) } " images, "
                b { (number::count(leak.dropped)) } " dropped from training (policy " code { (leak.policy) } ")"
            } } }
        }
    }
}

fn times(timing: &Timing) -> Markup {
    let longest = timing.stages.iter().map(|stage| stage.seconds).fold(0.0, f64::max);
    html! {
        h3 { "Time" }
        p {
            "Whole run " b { (number::duration(timing.total_seconds)) } " on " (timing.threads) " threads"
            @if let Some(bytes) = timing.peak_memory_bytes { ", peak memory " b { (number::bytes(bytes)) } } "."
        }
        @if longest > 0.0 {
            table class="bars" { tbody { @for stage in &timing.stages { tr {
                th scope="row" { (stage.name) }
                td class="bar" { i style=(format!("width:{:.1}%", stage.seconds / longest * 100.0)) {} }
                td class="num" { (number::duration(stage.seconds)) }
            } } } }
        }
        @if !timing.arms.is_empty() {
            details {
                summary { "Training time of every arm and seed" }
                table class="compact" {
                    thead { tr { th scope="col" { "Student" } th scope="col" { "Arm" } th scope="col" class="num" { "Seed" } th scope="col" class="num" { "Time" } } }
                    tbody { @for one in &timing.arms { tr {
                        td { @if one.student.is_empty() { "\u{2013}" } @else { (one.student) } }
                        td { (one.arm) } td class="num" { (one.seed) } td class="num" { (number::duration(one.seconds)) }
                    } } }
                }
            }
        }
    }
}

/// What the words mean, and the policy of each metric.
pub(super) fn reading(record: &RunRecord) -> Option<Markup> {
    Some(html! {
        dl class="reading" {
            dt { "Arms" }
            dd { "The teacher is the large network. The student learns three times from the same images in the same order: "
                b { "alone" } " from the labels, as a " b { "control" } " from softened labels that know nothing of the teacher, and "
                b { "distilled" } " from labels and teacher. Only what distilled gains over both is the teacher's." }
            dt { "Gap recovered" }
            dd { "(distilled \u{2212} alone) / (teacher \u{2212} alone). Reported only where the interval of the gap excludes 0; \
                  above 100 % the student passed its teacher, below 0 it fell behind the one that learned alone." }
            dt { "95 % interval" }
            dd { "The range of values that the data are compatible with, over the units of independence (" (record.dataset.unit_of_independence)
                ") and, for differences, over seeds. The range over seeds beside it is not an interval." }
            dt { "p (Holm)" }
            dd { "The p value after correction for the number of comparisons. \u{201c}Better\u{201d} or \u{201c}worse\u{201d} stands only where the interval \
                  excludes 0 and this value is at most 0.05." }
            dt { "Gradient share" }
            dd { "Norm of a loss term's gradient at the student's outputs over the sum across terms, on the first batch of each epoch. \
                  A distillation term near 0 did nothing." }
            dt { "Multiply-adds, latency" }
            dd { "Of one forward pass of one image. Latency is measured on the machine named under Facts: p50 is the median, p95 is exceeded by one image in twenty." }
            @for one in &record.metrics {
                dt { (one.label) @if !one.unit.is_empty() { " (" (one.unit) ")" } }
                dd {
                    (one.definition) " "
                    @match one.direction { Direction::Higher => "Higher is better.", Direction::Lower => "Lower is better." }
                    " Policy: " (one.policy) "." span class="name" { code { (one.name) } }
                }
            }
        }
    })
}

/// What must not be concluded.
pub(super) fn limits(record: &RunRecord) -> Option<Markup> {
    let data = &record.dataset;
    Some(html! {
        ul class="limits" {
            li { b { "Not a medical device." } " The networks and this report are for research; they were not made for, and must not be used in, the care of patients." }
            li { "Unit of independence: " b { (data.unit_of_independence) } ". Intervals speak about such units and about nothing wider."
                @if let Some(limit) = &data.claim_limit { " " b { (limit) } "." } }
            li { "One dataset (" (data.name) "), one split, one teacher: nothing is said about other scanners, sites or populations." }
            li { "The test split was opened once for this recipe. Whoever chooses between recipes by this page needs another test split." }
        }
    })
}
