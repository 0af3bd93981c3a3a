//! Training curves: one small panel per quantity, thin lines for seeds and a strong one for their mean.

use super::axis::{Plot, Scale, padded, px};
use super::class;
use crate::record::Role;
use maud::{Markup, html};

/// One arm in a panel.
pub(crate) struct Line {
    /// Role, for color and dash.
    pub(crate) role: Role,
    /// One column per seed; the first entry is epoch 1. What is not finite is left out.
    pub(crate) seeds: Vec<Vec<f64>>,
    /// Chosen epoch and value of each seed, drawn as dots.
    pub(crate) chosen: Vec<(u32, f64)>,
}

impl Line {
    fn mean(&self) -> Vec<f64> {
        let epochs = self.seeds.iter().map(Vec::len).max().unwrap_or(0);
        let at = |epoch: usize| {
            let values = self.seeds.iter().filter_map(|seed| seed.get(epoch)).filter(|value| value.is_finite());
            let (sum, n) = values.fold((0.0, 0_u32), |(sum, n), value| (sum + value, n + 1));
            if n == 0 { f64::NAN } else { sum / f64::from(n) }
        };
        (0..epochs).map(at).collect()
    }
}

/// A panel over epochs. `range` fixes the vertical range; otherwise the data does.
pub(crate) fn panel(title: &str, range: Option<(f64, f64)>, lines: &[Line]) -> Markup {
    let every = || lines.iter().flat_map(|line| line.seeds.iter().flatten()).copied();
    let range = range.or_else(|| padded(every())).unwrap_or((0.0, 1.0));
    let epochs = lines.iter().flat_map(|line| line.seeds.iter().map(Vec::len)).max().unwrap_or(1).max(2);
    let plot = Plot {
        size: (252.0, 178.0),
        x: Scale::linear((1.0, epochs as f64), (46.0, 246.0)),
        y: Scale::linear(range, (140.0, 8.0)),
        labels: ("Epoch".to_owned(), String::new()),
        ticks: (epochs.saturating_sub(1).min(5), 4),
    };
    let points = |values: &[f64]| plot.points((1_u32..).map(f64::from).zip(values.iter().copied()));
    let inside = html! {
        @for line in lines {
            @if line.seeds.len() > 1 {
                @for seed in &line.seeds {
                    polyline class={ "line seed " (class(line.role)) } points=(points(seed)) {}
                }
            }
        }
        @for line in lines {
            polyline class={ "line " (class(line.role)) } points=(points(&line.mean())) {}
            @for (epoch, value) in line.chosen.iter().filter(|(_, value)| value.is_finite()) {
                circle class={ "mark " (class(line.role)) } cx=(px(plot.x.at(f64::from(*epoch)))) cy=(px(plot.y.at(*value))) r="3.2" {}
            }
        }
    };
    plot.draw(title, &inside)
}
