//! Reliability diagrams: stated confidence against observed frequency.

use super::axis::{Plot, Scale, px};
use super::class;
use crate::record::{Reliability, Role};
use maud::{Markup, html};

/// One arm's diagram: a dot per bin, and a stick to the diagonal that shows by how much the arm is off.
pub(crate) fn reliability(title: &str, role: Role, reliability: &Reliability) -> Markup {
    let plot = Plot {
        size: (260.0, 252.0),
        x: Scale::linear((0.0, 1.0), (44.0, 250.0)),
        y: Scale::linear((0.0, 1.0), (212.0, 8.0)),
        labels: ("Stated probability".to_owned(), "Observed frequency".to_owned()),
        ticks: (5, 5),
    };
    let most = reliability.bins.iter().map(|bin| bin.n).max().unwrap_or(1).max(1) as f64;
    let bins = reliability.bins.iter().filter(|bin| bin.n > 0);
    let inside = html! {
        polyline class="reference" points=(plot.points([(0.0, 0.0), (1.0, 1.0)].into_iter())) {}
        @for bin in bins.clone() {
            @let x = px(plot.x.at(bin.confidence));
            line class={ "stick " (class(role)) } x1=(x) x2=(x) y1=(px(plot.y.at(bin.confidence))) y2=(px(plot.y.at(bin.frequency))) {}
        }
        polyline class={ "line thin " (class(role)) } points=(plot.points(bins.clone().map(|bin| (bin.confidence, bin.frequency)))) {}
        @for bin in bins {
            circle class={ "mark " (class(role)) } cx=(px(plot.x.at(bin.confidence))) cy=(px(plot.y.at(bin.frequency)))
                r=(px(2.4 + 2.4 * (bin.n as f64 / most).sqrt())) {
                title { (format!("{} predictions: stated {:.3}, observed {:.3}", bin.n, bin.confidence, bin.frequency)) }
            }
        }
    };
    plot.draw(title, &inside)
}
