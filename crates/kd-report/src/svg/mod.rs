//! Figures as inline SVG.
//!
//! Written by hand instead of through a plotting library: figures take their colors and type from the page (so dark
//! mode and print just work), carry labels for screen readers, and tell arms apart by color, dash and mark at once.

mod axis;
mod confusion;
mod reliability;
mod roc;
mod strip;
mod tradeoff;
mod training;

pub(crate) use confusion::confusion;
pub(crate) use reliability::reliability;
pub(crate) use roc::roc;
pub(crate) use strip::{Strip, StripMark};
pub(crate) use tradeoff::tradeoff;
pub(crate) use training::{Line, panel};

use crate::record::Role;
use maud::{Markup, html};

/// The style class of a role: color and dash.
pub(crate) fn class(role: Role) -> &'static str {
    match role {
        Role::Teacher => "r-teacher",
        Role::Alone => "r-alone",
        Role::Control => "r-control",
        Role::Distilled => "r-distilled",
        Role::Extra => "r-extra",
    }
}

/// The mark of a role, centered on the origin, about 10 units wide.
pub(crate) fn mark(role: Role) -> Markup {
    let class = class(role);
    html! {
        @match role {
            Role::Teacher => path class={ "mark " (class) } d="M0-6.5L6.5 0L0 6.5L-6.5 0Z" {},
            Role::Alone => rect class={ "mark " (class) } x="-4.8" y="-4.8" width="9.6" height="9.6" {},
            Role::Control => path class={ "mark " (class) } d="M0-6L5.8 4.6H-5.8Z" {},
            Role::Distilled => circle class={ "mark " (class) } r="5.4" {},
            Role::Extra => circle class={ "mark hollow " (class) } r="4.6" {},
        }
    }
}

/// A legend key: line and mark of a role.
pub(crate) fn key(role: Role) -> Markup {
    html! {
        svg class="key" width="30" height="14" viewBox="0 0 30 14" aria-hidden="true" {
            line class={ "line " (class(role)) } x1="0" x2="30" y1="7" y2="7" {}
            g transform="translate(15 7)" { (mark(role)) }
        }
    }
}
