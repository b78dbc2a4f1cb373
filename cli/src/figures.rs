//! The figures of a channel as people read them: one row, the same for every command.

use laneway::{
    WaitStrategy,
    choose::{Count, Time},
    measure::{
        Comparison, Distance, Estimate, Figures, Floors, LatencyFigures, Outcome, Price, Report,
    },
};

use crate::screen::NONE;

/// The heads of the columns between the transport and the verdict.
pub(crate) const HEADS: [&str; 9] = [
    "thrput",
    "p50",
    "p99",
    "p99.9",
    "max",
    "CPU/msg",
    "wakes/msg",
    "ctx/s",
    "vs floor",
];

/// What stands in the columns, and what it is measured in.
pub(crate) const LEGEND: &str = "thrput: messages a second, as many as go through. CPU/msg, wakes/msg, ctx/s: processor time, wake-ups a message and \
context switches a second of all processes together. vs floor: the median round trip, as many times as long as the \
machine's own: a cache line where processes spin first, a futex where they sleep, a byte through pipes in the kernel";

/// Columns that an address may take.
const ADDRESS: usize = 20;

/// An address that leaves room for the other columns.
pub(crate) fn short(address: &str) -> String {
    if address.chars().count() <= ADDRESS {
        return address.to_owned();
    }
    let start: String = address.chars().take(ADDRESS - 1).collect();
    format!("{start}\u{2026}")
}

/// The latencies that the columns are about: of arrivals if the workload has a rate, else of round trips.
pub(crate) fn delays(figures: &Figures) -> &LatencyFigures {
    figures.arrivals.as_ref().unwrap_or(&figures.roundtrip)
}

/// What a message costs, and at how many a second: as they arrive if the workload has a rate, else as many as go through.
pub(crate) fn price(figures: &Figures) -> (&Price, f64) {
    match &figures.arrivals {
        Some(arrivals) => (&arrivals.prices.all, arrivals.rate.median),
        None => (
            &figures.throughput.prices.all,
            figures.throughput.rate.median,
        ),
    }
}

/// The numbers of a channel that are shown and compared, in the order of [`HEADS`].
pub(crate) fn numbers(comparison: &Comparison, report: &Report) -> [Option<f64>; 9] {
    let Some(figures) = report.figures() else {
        return [None; 9];
    };
    let delays = delays(figures);
    let percentiles = &delays.percentiles;
    let (price, rate) = price(figures);
    let nanos = |nanos: Option<u64>| nanos.map(|nanos| nanos as f64);
    [
        Some(figures.throughput.rate.median),
        Some(delays.p50.median),
        Some(delays.p99.median),
        nanos(percentiles.p999),
        nanos((percentiles.count > 0).then_some(percentiles.max)),
        Some(price.cpu.median),
        Some(price.voluntary.median / 1000.0),
        Some((price.voluntary.median + price.involuntary.median) / 1000.0 * rate),
        floor(&comparison.floors, report.wait)
            .map(|floor| figures.roundtrip.p50.median / floor.median),
    ]
}

/// What a round trip of this kind cannot beat.
const fn floor(floors: &Floors, wait: Option<WaitStrategy>) -> Option<Estimate> {
    match wait {
        None => floors.pipe,
        Some(WaitStrategy::Park) => floors.futex,
        Some(_) => floors.cache_line,
    }
}

/// The same in words.
pub(crate) fn cells(comparison: &Comparison, report: &Report) -> Vec<String> {
    let [thrput, p50, p99, p999, max, cpu, wakes, switches, floor] = numbers(comparison, report);
    let count = |number: Option<f64>| number.map(|number| Count(number).to_string());
    let time = |number: Option<f64>| number.map(|nanos| Time(nanos).to_string());
    let all = [
        count(thrput),
        time(p50),
        time(p99),
        time(p999),
        time(max),
        time(cpu),
        wakes.map(small),
        count(switches),
        floor.map(times),
    ];
    let shown = all.into_iter();
    shown
        .map(|cell| cell.unwrap_or_else(|| NONE.to_owned()))
        .collect()
}

/// A number that is often far below 1.
fn small(number: f64) -> String {
    match number {
        ..0.0005 => "0".to_owned(),
        ..0.0995 => format!("{number:.3}"),
        ..9.95 => format!("{number:.2}"),
        _ => format!("{number:.0}"),
    }
}

/// How many times as much.
pub(crate) fn times(ratio: f64) -> String {
    match ratio {
        ..9.995 => format!("{ratio:.2}x"),
        ..99.95 => format!("{ratio:.1}x"),
        ..9999.5 => format!("{ratio:.0}x"),
        _ => ">9999x".to_owned(),
    }
}

/// What the machine itself takes.
pub(crate) fn floors(floors: &Floors) -> String {
    let time = |floor: Option<Estimate>| {
        floor.map_or(NONE.to_owned(), |nanos| Time(nanos.median).to_string())
    };
    let memcpy = floors.memcpy.map_or(NONE.to_owned(), |bytes| {
        format!("{:.1} GB/s", bytes.median / 1e9)
    });
    format!(
        "there and back: cache line {}, futex {}, pipe {}; memcpy {memcpy}",
        time(floors.cache_line),
        time(floors.futex),
        time(floors.pipe),
    )
}

/// How far apart the cores were, and how long the machine stood still by itself.
pub(crate) fn conditions(comparison: &Comparison) -> String {
    let shares = &comparison.shares;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let distance = match comparison.distance {
        None => format!("distance between cores {NONE}"),
        Some(at) => {
            let [core, complex, far] = Distance::ALL;
            format!(
                "cores {core} {}, {complex} {}, {far} {}, changing {} of the time; medians are of \u{201c}{at}\u{201d}",
                percent(shares.core),
                percent(shares.complex),
                percent(shares.far),
                percent(shares.changed),
            )
        }
    };
    let noise = match comparison.hiccups.p999() {
        None => NONE.to_owned(),
        Some(nanos) => {
            let longest = Time(comparison.hiccups.max() as f64);
            format!("p99.9 {}, max {longest}", Time(nanos as f64))
        }
    };
    format!("{distance}; noise of the idle machine {noise}")
}

/// What went wrong with a channel, if something did.
pub(crate) fn mishap(report: &Report) -> Option<String> {
    let address = &report.address;
    match &report.outcome {
        Outcome::Measured(_) => None,
        Outcome::Disqualified(fault) => Some(format!("{address} is disqualified: {fault}")),
        Outcome::Failed { why } => Some(format!("{address} could not be measured: {why}")),
        _ => Some(format!("{address} has no figures")),
    }
}

/// Addresses that the table cuts, whole.
pub(crate) fn cut(comparison: &Comparison) -> Vec<String> {
    let addresses = comparison.reports.iter().map(|report| &report.address);
    addresses
        .filter(|address| short(address) != **address)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_fit_their_column() {
        for number in [0.0, 1e-9, 0.0123, 0.4, 2.0, 17.0, 123.0, 4567.0, 7e9] {
            assert!(
                number > 1e6 || small(number).len() <= 6,
                "{}",
                small(number)
            );
            assert!(times(number).len() <= 6, "{}", times(number));
        }
        assert_eq!(
            (small(0.0123), times(1.2)),
            ("0.012".into(), "1.20x".into())
        );
        let long = "shm+lock:?capacity=1048576&max_message=65536";
        assert_eq!(short(long).chars().count(), ADDRESS);
        assert_eq!(short("pipe:"), "pipe:");
    }
}
