//! ROC curves with their bands, several arms in one plot.

use super::axis::{Plot, Scale};
use super::class;
use crate::record::{RocBand, Role};
use maud::{Markup, html};

/// Mean curve and band of each arm, with the diagonal of chance.
pub(crate) fn roc(title: &str, curves: &[(Role, &RocBand)]) -> Markup {
    let plot = Plot {
        size: (380.0, 356.0),
        x: Scale::linear((0.0, 1.0), (52.0, 366.0)),
        y: Scale::linear((0.0, 1.0), (312.0, 10.0)),
        labels: (
            "False-positive rate (1 \u{2212} specificity)".to_owned(),
            "True-positive rate (sensitivity)".to_owned(),
        ),
        ticks: (5, 5),
    };
    let inside = html! {
        polyline class="reference" points=(plot.points([(0.0, 0.0), (1.0, 1.0)].into_iter())) {}
        @for (role, band) in curves {
            @let upper = band.fpr.iter().zip(&band.high).map(|(x, y)| (*x, *y));
            @let lower = band.fpr.iter().zip(&band.low).map(|(x, y)| (*x, *y)).rev();
            polygon class={ "band " (class(*role)) } points=(plot.points(upper.chain(lower))) {}
        }
        @for (role, band) in curves {
            @let mean = band.fpr.iter().zip(&band.tpr).map(|(x, y)| (*x, *y));
            polyline class={ "line " (class(*role)) } points=(plot.points(mean)) {}
        }
    };
    plot.draw(title, &inside)
}
