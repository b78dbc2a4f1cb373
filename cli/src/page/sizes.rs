//! Throughput by size: the workload and those near it that differ in size.

use laneway::{
    choose::{Axis as Change, Count, Neighbour},
    measure::{Comparison, Workload},
};
use maud::{Markup, html};

use crate::{
    page::{
        axis::Axis,
        frame::{BOTTOM, HEIGHT, LEFT, RIGHT, TOP, Ticks, figure, grid, path, px, round},
        series::{Series, name},
    },
    units,
};

/// A measured rate.
struct Point<'a> {
    address: &'a str,
    size: f64,
    rate: f64,
}

fn points<'a>(workload: &Workload, comparison: &'a Comparison) -> Vec<Point<'a>> {
    let size = workload.sizes.mean();
    let reports = comparison.reports.iter();
    let rates = reports.filter_map(|report| {
        let rate = report.figures()?.throughput.rate.median;
        let address = report.address.as_str();
        Some(Point {
            address,
            size,
            rate,
        })
    });
    rates.collect()
}

/// Bytes in the unit that suits them.
pub(super) fn bytes(size: f64) -> String {
    if size < 1024.0 {
        return format!("{size:.0} B");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a size, and a cast saturates"
    )]
    let whole = size as usize;
    let exact = units::show(whole);
    let unit = exact.trim_start_matches(|c: char| c.is_ascii_digit());
    match unit {
        "" if size < 1_048_576.0 => format!("{:.1} KiB", size / 1024.0),
        "" => format!("{:.1} MiB", size / 1_048_576.0),
        unit => exact.replace(unit, &format!(" {unit}")),
    }
}

/// The plot.
pub(super) fn plot(
    comparison: &Comparison,
    workload: &Workload,
    neighbours: &[Neighbour],
    series: &Series,
) -> Markup {
    let mut all = points(workload, comparison);
    let other_sizes = neighbours
        .iter()
        .filter(|neighbour| matches!(neighbour.axis, Change::Size { .. }));
    all.extend(other_sizes.flat_map(|other| points(&other.workload, &other.comparison)));
    all.sort_by(|a, b| a.size.total_cmp(&b.size));
    let x = Axis::log(
        all.iter().map(|point| point.size),
        LEFT + 24.0,
        RIGHT - 24.0,
    );
    let y = Axis::log(all.iter().map(|point| point.rate), BOTTOM, TOP);
    let mut sizes: Vec<f64> = all.iter().map(|point| point.size).collect();
    sizes.dedup();
    let xs: Ticks = sizes.iter().map(|size| (*size, bytes(*size))).collect();
    let ys: Ticks = y
        .ticks()
        .into_iter()
        .map(|rate| (rate, round(Count(rate))))
        .collect();
    let mut names: Vec<String> = Vec::new();
    for point in &all {
        let name = name(point.address);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let of = |wanted: &str| -> Vec<&Point<'_>> {
        let points = all.iter();
        points
            .filter(|point| name(point.address) == wanted)
            .collect()
    };
    let drawing = html! {
        (grid(&x, &y, [&xs, &ys], ["bytes of a message", "messages a second"]))
        @for name in &names {
            g class=(series.class(name)) {
                path.line d=(path(&of(name).iter().map(|p| (x.at(p.size), y.at(p.rate))).collect::<Vec<_>>())) {}
                @for point in of(name) {
                    circle data-address=(point.address) data-size=(point.size) data-value=(point.rate)
                        cx=(px(x.at(point.size))) cy=(px(y.at(point.rate))) r="3.5" {
                        title { (point.address) " " (bytes(point.size)) ": " (Count(point.rate)) " messages/s" }
                    }
                }
            }
        }
    };
    let note = html! {
        (series.legend())
        @if sizes.len() < 2 { p.note { "No other size was measured." } }
    };
    figure("sizes", "Throughput by size", HEIGHT, &drawing, &note)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_short() {
        let told = [64.0, 300.5, 4096.0, 5000.0, 3_110_400.0].map(bytes);
        assert_eq!(told, ["64 B", "300 B", "4 KiB", "4.9 KiB", "3.0 MiB"]);
    }
}
