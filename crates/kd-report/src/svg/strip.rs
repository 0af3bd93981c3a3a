//! A strip: intervals and marks on one shared horizontal scale, at any width.
//!
//! Positions are percentages, so the strip stretches with the page while marks stay round and text stays its size. Rows
//! of a forest plot and the gap tracks of the tiles are strips.

use super::axis::Scale;
use super::mark;
use crate::record::Role;
use maud::{Markup, html};

/// One mark with an optional interval.
pub(crate) struct StripMark {
    /// Role, for color and shape.
    pub(crate) role: Role,
    /// Value.
    pub(crate) value: f64,
    /// Interval.
    pub(crate) interval: Option<(f64, f64)>,
    /// Whether to draw it pale.
    pub(crate) is_pale: bool,
}

/// A shared scale.
pub(crate) struct Strip {
    scale: Scale,
    range: (f64, f64),
}

impl Strip {
    /// A strip over a range of values.
    pub(crate) fn new(range: (f64, f64)) -> Self {
        Self { scale: Scale::linear(range, (2.0, 98.0)), range }
    }

    /// One row, 26 units high; `zero` draws the line of no difference.
    pub(crate) fn row(&self, title: &str, zero: Option<f64>, marks: &[StripMark]) -> Markup {
        html! {
            svg class="strip" width="100%" height="26" role="img" aria-label=(title) {
                title { (title) }
                line class="rail" x1="0%" x2="100%" y1="13" y2="13" {}
                @if let Some(zero) = zero {
                    line class="zero" x1=(self.at(zero)) x2=(self.at(zero)) y1="0" y2="26" {}
                }
                @for one in marks {
                    g class=(if one.is_pale { "pale" } else { "" }) {
                        @if let Some((low, high)) = one.interval {
                            line class={ "whisker " (super::class(one.role)) } x1=(self.at(low)) x2=(self.at(high)) y1="13" y2="13" {}
                            @for end in [low, high] {
                                line class={ "whisker cap " (super::class(one.role)) } x1=(self.at(end)) x2=(self.at(end)) y1="9" y2="17" {}
                            }
                        }
                        svg class="at" x=(self.at(one.value)) y="13" width="1" height="1" { (mark(one.role)) }
                    }
                }
            }
        }
    }

    /// The ticks below the rows.
    pub(crate) fn axis(&self) -> Markup {
        let ticks = Scale::linear(self.range, (0.0, 1.0)).ticks(5);
        html! {
            svg class="strip axis-row" width="100%" height="24" aria-hidden="true" {
                @for (tick, text) in ticks {
                    line class="axis" x1=(self.at(tick)) x2=(self.at(tick)) y1="0" y2="5" {}
                    text class="tick" x=(self.at(tick)) y="19" text-anchor="middle" { (text) }
                }
            }
        }
    }

    fn at(&self, value: f64) -> String {
        format!("{:.2}%", self.scale.at(value).clamp(0.0, 100.0))
    }
}
