//! Confusion matrices. A table and not a drawing: it is one, and so it reads aloud, wraps and copies as one.

use crate::number;
use crate::record::Confusion;
use maud::{Markup, html};

/// Counts with the share of their row, shaded by that share.
pub(crate) fn confusion(title: &str, classes: &[String], confusion: &Confusion) -> Markup {
    html! {
        table class={ "confusion" @if classes.len() > 5 { " dense" } } aria-label=(title) {
            thead {
                tr { td {} th class="over" colspan=(classes.len()) scope="colgroup" { "Predicted" } }
                tr { th class="corner" scope="col" { "Truth" } @for class in classes { th scope="col" { span { (class) } } } }
            }
            tbody {
                @for (row, counts) in confusion.counts.iter().enumerate() {
                    @let total: u64 = counts.iter().sum();
                    tr {
                        th scope="row" { @if let Some(class) = classes.get(row) { (class) } }
                        @for (column, count) in counts.iter().enumerate() {
                            @let share = if total > 0 { *count as f64 / total as f64 } else { 0.0 };
                            td class={ @if row == column { "right" } @else { "wrong" } @if share > 0.5 { " strong" } }
                                style=(format!("--share:{:.0}%", share * 100.0)) {
                                b { (number::count(*count)) }
                                small { (number::percent(share)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
