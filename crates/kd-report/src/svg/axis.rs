//! Scales, round ticks and the frame of a plot.

use crate::number;
use maud::{Markup, html};

/// A scale from data to drawing units, linear or logarithmic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    from: (f64, f64),
    to: (f64, f64),
    is_log: bool,
}

impl Scale {
    /// A linear scale; an empty range is widened so that it can be drawn.
    pub(crate) fn linear(from: (f64, f64), to: (f64, f64)) -> Self {
        let from = if from.1 > from.0 { from } else { (from.0 - 0.5, from.0 + 0.5) };
        Self { from, to, is_log: false }
    }

    /// A logarithmic scale; data must be above 0.
    pub(crate) fn log(from: (f64, f64), to: (f64, f64)) -> Self {
        let (low, high) = (from.0.max(f64::MIN_POSITIVE).log10(), from.1.max(f64::MIN_POSITIVE).log10());
        Self { is_log: true, ..Self::linear((low, high), to) }
    }

    /// Where a value lies in drawing units.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let value = if self.is_log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        let share = (value - self.from.0) / (self.from.1 - self.from.0);
        self.to.0 + share * (self.to.1 - self.to.0)
    }

    /// Round ticks inside the range, with their labels.
    pub(crate) fn ticks(&self, target: usize) -> Vec<(f64, String)> {
        if self.is_log {
            let (first, last) = (self.from.0.ceil() as i32, self.from.1.floor() as i32);
            let label = |tick: f64| number::short(tick as u64).replace(".00", "").replace(".0", "");
            return (first..=last).map(|power| (10_f64.powi(power), label(10_f64.powi(power)))).collect();
        }
        let (ticks, decimals) = round_ticks(self.from, target);
        ticks.into_iter().map(|tick| (tick, number::fixed(tick, decimals))).collect()
    }
}

/// Multiples of 1, 2 or 5 times a power of ten within the range, and the digits that they need.
fn round_ticks((low, high): (f64, f64), target: usize) -> (Vec<f64>, u8) {
    let rough = (high - low) / target.max(1) as f64;
    let power = rough.log10().floor();
    let base = 10_f64.powf(power);
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * base).find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(base);
    let decimals = (-(step * 1.001).log10().floor()).clamp(0.0, 9.0) as u8;
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    ((first..=last).map(|index| index as f64 * step).collect(), decimals)
}

/// The range of the values with a margin of 6 % on both sides; none without finite values.
pub(crate) fn padded(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return None;
    }
    let margin = if high > low { (high - low) * 0.06 } else { high.abs().max(1.0) * 0.05 };
    Some((low - margin, high + margin))
}

/// A rectangle with two scales.
pub(crate) struct Plot {
    /// Size of the drawing.
    pub(crate) size: (f64, f64),
    /// Horizontal scale.
    pub(crate) x: Scale,
    /// Vertical scale, upwards.
    pub(crate) y: Scale,
    /// Labels of the axes.
    pub(crate) labels: (String, String),
    /// About how many ticks on each axis.
    pub(crate) ticks: (usize, usize),
}

impl Plot {
    /// The drawing with grid, ticks and axis labels around `inside`.
    pub(crate) fn draw(&self, title: &str, inside: &Markup) -> Markup {
        let (left, right) = self.x.to;
        let (bottom, top) = self.y.to;
        let (width, height) = self.size;
        let middle = (left + right) / 2.0;
        let center = (top + bottom) / 2.0;
        html! {
            svg class="plot" viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(title) {
                title { (title) }
                @for (tick, text) in self.y.ticks(self.ticks.1) {
                    @let y = px(self.y.at(tick));
                    line class="grid" x1=(px(left)) x2=(px(right)) y1=(y) y2=(y) {}
                    text class="tick" x=(px(left - 7.0)) y=(y) dy="0.35em" text-anchor="end" { (text) }
                }
                @for (tick, text) in self.x.ticks(self.ticks.0) {
                    @let x = px(self.x.at(tick));
                    line class="grid" x1=(x) x2=(x) y1=(px(top)) y2=(px(bottom)) {}
                    text class="tick" x=(x) y=(px(bottom + 16.0)) text-anchor="middle" { (text) }
                }
                line class="axis" x1=(px(left)) x2=(px(right)) y1=(px(bottom)) y2=(px(bottom)) {}
                @if !self.labels.0.is_empty() {
                    text class="axis-label" x=(px(middle)) y=(px(bottom + 33.0)) text-anchor="middle" { (self.labels.0) }
                }
                @if !self.labels.1.is_empty() {
                    text class="axis-label" text-anchor="middle"
                        transform=(format!("translate(12 {center:.1}) rotate(-90)")) { (self.labels.1) }
                }
                (inside)
            }
        }
    }

    /// Points as the text of a polyline; what is not finite is left out.
    pub(crate) fn points(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let finite = points.filter(|(x, y)| x.is_finite() && y.is_finite());
        let text = finite.map(|(x, y)| format!("{:.1},{:.1}", self.x.at(x), self.y.at(y)));
        text.collect::<Vec<_>>().join(" ")
    }
}

/// A drawing unit with one digit.
pub(crate) fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(round_ticks((0.0, 1.0), 5).0.len(), 6);
        let (ticks, decimals) = round_ticks((0.9412, 0.9731), 4);
        assert_eq!(decimals, 2);
        assert!(ticks.iter().all(|tick| (0.9412..=0.9731).contains(tick)));
        assert_eq!(Scale::log((5e3, 2e7), (0.0, 1.0)).ticks(5)[0].1, "10 k");
    }

    #[test]
    fn an_empty_range_can_be_drawn() {
        assert!(Scale::linear((2.0, 2.0), (0.0, 10.0)).at(2.0).is_finite());
        assert_eq!(padded([f64::NAN].into_iter()), None);
    }
}
