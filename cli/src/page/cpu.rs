//! Processor time of a message: what its producers take, and what its consumers.

use laneway::{
    choose::Time,
    measure::{Comparison, Prices, Report},
};
use maud::{Markup, html};

use crate::{
    figures::short,
    page::{
        axis::Axis,
        frame::{RIGHT, figure, px, round},
        series::Series,
    },
};

/// How high a row is, and how much of it is bar.
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;
/// Where bars start, after the names, and where the longest ends, before its number.
const START: f64 = 168.0;
const END: f64 = RIGHT - 64.0;

fn prices(report: &Report) -> Option<&Prices> {
    let figures = report.figures()?;
    Some(match &figures.arrivals {
        Some(arrivals) => &arrivals.prices,
        None => &figures.throughput.prices,
    })
}

/// The plot.
pub(super) fn plot(comparison: &Comparison, series: &Series) -> Markup {
    let measured = comparison.reports.iter();
    let measured = measured.filter_map(|report| Some((report, prices(report)?)));
    let rows: Vec<(&Report, &Prices)> = measured.collect();
    let both = |prices: &Prices| prices.producers.cpu.median + prices.consumers.cpu.median;
    let x = Axis::linear(rows.iter().map(|(_, prices)| both(prices)), START, END);
    let bottom = ROW * rows.len() as f64 + 8.0;
    let drawing = html! {
        @for tick in x.ticks() {
            line.grid.tick data-axis="x" data-value=(tick) x1=(px(x.at(tick))) x2=(px(x.at(tick))) y1="4" y2=(px(bottom)) {}
            text.label x=(px(x.at(tick))) y=(px(bottom + 16.0)) text-anchor="middle" { (round(Time(tick))) }
        }
        @for (index, (report, prices)) in rows.iter().enumerate() {
            (bar(report, prices, index as f64 * ROW + 8.0, &x, series))
        }
    };
    let note = html! {
        p.note { "Full colour: producers. Pale: consumers. User and system time of all processes, from " code { "getrusage" } "." }
    };
    figure(
        "cpu",
        "Processor time of a message",
        bottom + 26.0,
        &drawing,
        &note,
    )
}

fn bar(report: &Report, prices: &Prices, top: f64, x: &Axis, series: &Series) -> Markup {
    let (from, to) = (prices.producers.cpu.median, prices.consumers.cpu.median);
    let middle = x.at(from);
    let end = x.at(from + to);
    html! {
        g class=(series.class(&report.address)) data-address=(report.address) {
            text.name x=(px(START - 10.0)) y=(px(top + 13.5)) text-anchor="end" { (short(&report.address)) }
            rect.bar data-side="producers" data-value=(from) x=(px(START)) y=(px(top)) width=(px(middle - START)) height=(px(BAR)) {
                title { (report.address) " producers: " (Time(from)) }
            }
            rect.bar.light data-side="consumers" data-value=(to) x=(px(middle)) y=(px(top)) width=(px(end - middle)) height=(px(BAR)) {
                title { (report.address) " consumers: " (Time(to)) }
            }
            text.label x=(px(end + 8.0)) y=(px(top + 13.5)) { (Time(from + to)) }
        }
    }
}
