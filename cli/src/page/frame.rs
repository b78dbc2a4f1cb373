//! What every plot with two axes has: borders, ticks and titles.

use maud::{Markup, html};

use crate::page::axis::Axis;

/// A plot's size, in the units of its own drawing.
pub(super) const WIDTH: f64 = 560.0;
pub(super) const HEIGHT: f64 = 330.0;
/// Where the drawing area lies in it.
pub(super) const LEFT: f64 = 78.0;
pub(super) const RIGHT: f64 = WIDTH - 20.0;
pub(super) const TOP: f64 = 12.0;
pub(super) const BOTTOM: f64 = HEIGHT - 48.0;

/// A place as it is written.
pub(super) fn px(place: f64) -> String {
    format!("{place:.2}")
}

/// A round number without the zeros that say how exact it is.
pub(super) fn round(number: impl std::fmt::Display) -> String {
    let text = number.to_string();
    match text.split_once(' ') {
        Some((digits, unit)) if digits.contains('.') => {
            let digits = digits.trim_end_matches('0').trim_end_matches('.');
            format!("{digits} {unit}")
        }
        _ => text,
    }
}

/// Ticks: numbers and what is written at them.
pub(super) type Ticks = Vec<(f64, String)>;

/// Lines across at `ys`, ticks below at `xs`, and what both are.
pub(super) fn grid(x: &Axis, y: &Axis, [xs, ys]: [&Ticks; 2], [across, up]: [&str; 2]) -> Markup {
    html! {
        @for (value, label) in ys {
            line.grid.tick data-axis="y" data-value=(value) x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y.at(*value))) y2=(px(y.at(*value))) {}
            text.label x=(px(LEFT - 8.0)) y=(px(y.at(*value) + 4.0)) text-anchor="end" { (label) }
        }
        @for (value, label) in xs {
            line.grid.tick data-axis="x" data-value=(value) x1=(px(x.at(*value))) x2=(px(x.at(*value))) y1=(px(TOP)) y2=(px(BOTTOM)) {}
            text.label x=(px(x.at(*value))) y=(px(BOTTOM + 18.0)) text-anchor="middle" { (label) }
        }
        text.title x=(px(f64::midpoint(LEFT, RIGHT))) y=(px(HEIGHT - 8.0)) text-anchor="middle" { (across) }
        text.title transform=(format!("translate(14 {}) rotate(-90)", px(f64::midpoint(TOP, BOTTOM)))) text-anchor="middle" { (up) }
    }
}

/// A plot with its heading and what else there is to say.
pub(super) fn figure(
    id: &str,
    heading: &str,
    height: f64,
    drawing: &Markup,
    note: &Markup,
) -> Markup {
    html! {
        figure {
            figcaption { (heading) }
            svg id=(id) viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(heading) { (drawing) }
            (note)
        }
    }
}

/// Points as a line.
pub(super) fn path(points: &[(f64, f64)]) -> String {
    let mut text = String::new();
    for (number, (x, y)) in points.iter().enumerate() {
        let letter = if number == 0 { 'M' } else { 'L' };
        text += &format!("{letter}{} {}", px(*x), px(*y));
    }
    text
}
