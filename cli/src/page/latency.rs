//! Latency by percentile: both axes logarithmic, so that the tail has as much room as the middle.

use laneway::{
    choose::{Slo, Time},
    measure::{Comparison, Figures, Latencies, Quantile, Report},
};
use maud::{Markup, html};

use crate::{
    figures,
    page::{
        axis::Axis,
        frame::{BOTTOM, HEIGHT, LEFT, RIGHT, TOP, Ticks, figure, grid, path, px, round},
        series::Series,
    },
};

/// Points of a curve closer to the one before than this are not drawn.
const CLOSE: f64 = 1.5;

/// The latencies that the plot is about.
fn latencies(figures: &Figures) -> Latencies {
    let arrivals = figures.arrival_latencies();
    arrivals.unwrap_or_else(|| figures.roundtrip_latencies())
}

/// The part of a thousand, a million, ... that lies above a share: what the axis across is about.
fn rarity(share: f64) -> f64 {
    1.0 / (1.0 - share)
}

/// The curve: how rare it is to take longer, and how long that is. It ends where too few lie above.
fn curve(latencies: &Latencies) -> Vec<(f64, f64)> {
    let count = latencies.count();
    let mut passed = 0;
    let mut points = Vec::new();
    for (nanos, times) in latencies.steps() {
        if points.is_empty() {
            points.push((1.0, nanos as f64));
        }
        passed += times;
        if count - passed < Quantile::LEAST_ABOVE {
            break;
        }
        points.push((count as f64 / (count - passed) as f64, nanos as f64));
    }
    points
}

fn thinned(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for (x, y) in points {
        let is_far = kept
            .last()
            .is_none_or(|(a, b)| (x - a).abs() + (y - b).abs() >= CLOSE);
        if is_far {
            kept.push((x, y));
        }
    }
    kept
}

/// The plot.
pub(super) fn plot(comparison: &Comparison, series: &Series, slo: Option<Slo>) -> Markup {
    let measured = comparison.reports.iter();
    let measured = measured.filter_map(|report| Some((report, report.figures()?)));
    let curves: Vec<_> = measured
        .map(|(report, figures)| (report, figures, curve(&latencies(figures))))
        .collect();
    let all = || curves.iter().flat_map(|(_, _, points)| points);
    let told = curves
        .iter()
        .flat_map(|(_, figures, _)| told(figures).into_iter().map(|(_, nanos)| nanos));
    let bound = slo.map(|slo| slo.bound as f64);
    let nanos = all().map(|(_, nanos)| *nanos).chain(told).chain(bound);
    let rarities = all().map(|(rarity, _)| *rarity);
    let most = rarities.fold(100.0_f64, f64::max);
    let x = Axis::between(1.0, most, LEFT, RIGHT);
    let y = Axis::log(nanos, BOTTOM, TOP);
    let shown = |quantile: &Quantile| rarity(quantile.share()) <= most * 1.2;
    let xs: Ticks = Quantile::ALL
        .into_iter()
        .filter(shown)
        .map(|quantile| (rarity(quantile.share()), quantile.to_string()))
        .collect();
    let ys: Ticks = y
        .ticks()
        .into_iter()
        .map(|nanos| (nanos, round(Time(nanos))))
        .collect();
    let is_open = curves
        .iter()
        .any(|(_, figures, _)| figures.arrivals.is_some());
    let up = if is_open {
        "from when it was due"
    } else {
        "there and back"
    };
    let drawing = html! {
        (grid(&x, &y, [&xs, &ys], ["share of messages that took no longer", up]))
        @if let Some(slo) = slo {
            line.bound x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y.at(slo.bound as f64))) y2=(px(y.at(slo.bound as f64))) {
                title { (slo) }
            }
            text.label x=(px(LEFT + 6.0)) y=(px(y.at(slo.bound as f64) - 5.0)) { (slo) }
        }
        @for (report, figures, points) in &curves {
            g class=(series.class(&report.address)) data-address=(report.address) {
                path.line d=(path(&thinned(points.iter().map(|(a, b)| (x.at(*a), y.at(*b)))))) {}
                (dots(report, figures, &x, &y))
            }
        }
    };
    let note = html! {
        (series.legend())
        p.note {
            "Each curve ends where fewer than " (Quantile::LEAST_ABOVE) " messages lie above it. The longest of all stand in the table."
        }
    };
    figure("latency", "Latency by percentile", HEIGHT, &drawing, &note)
}

/// The percentiles that are told, in nanoseconds.
fn told(figures: &Figures) -> Vec<(Quantile, f64)> {
    let percentiles = &figures::delays(figures).percentiles;
    let all = Quantile::ALL.into_iter();
    all.filter_map(|quantile| Some((quantile, percentiles.at(quantile)? as f64)))
        .collect()
}

fn dots(report: &Report, figures: &Figures, x: &Axis, y: &Axis) -> Markup {
    html! {
        @for (quantile, nanos) in told(figures) {
            circle data-quantile=(quantile) data-value=(nanos) cx=(px(x.at(rarity(quantile.share())))) cy=(px(y.at(nanos))) r="3.5" {
                title { (report.address) " " (quantile) ": " (Time(nanos)) }
            }
        }
    }
}
