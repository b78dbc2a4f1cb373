//! Open loops, answers, sizes that differ, and what is measured besides.

use std::{ops::ControlFlow, time::Duration};

use laneway::{
    WaitStrategy,
    measure::{
        self, Amount, Latencies, Plan, Quantile, Recorded, Session, SessionError, Shape, Sizes,
        Trace, Workload,
    },
};

use crate::{address, plan, registry};

/// Those whose times are known, and which have the machine to themselves.
pub(crate) const ALONE: &[(&str, fn())] = &[("percentiles", percentiles), ("stall", stall)];

/// The others.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("schedule", schedule),
    ("sizes", sizes),
    ("answers", answers),
    ("behind", behind),
    ("refused", refused),
    ("costs", costs),
    ("machine", machine),
    ("waits", waits),
];

fn start(text: &str, workload: &Workload) -> Session {
    Session::start(&registry(), &address(text), workload, &plan()).expect("starts")
}

/// How many tries a measurement has: the machine has other things to do, and may do them in the middle of one.
const TRIES: usize = 8;

/// Whether they differ by 5 % at most. Less than that it never is, whatever the machine does.
fn is_near(found: Option<u64>, millis: u64) -> bool {
    let right = millis as f64 * 1e6;
    let found = found.expect("enough messages") as f64;
    assert!(found >= right * 0.95, "{found} ns, less than {right}");
    found <= right * 1.05
}

/// 13 messages at once, then a pause; each takes 4 ms, and waits for those before it. So every 13th takes 4 ms, every
/// 13th 8 ms, and so on to 52. No percentile lies where two steps meet.
fn percentiles() {
    const SERVICE: u64 = 4;

    let message = |gap| Recorded { size: 64, gap };
    let mut burst = vec![message(80_000_000)];
    burst.extend([message(0)].repeat(12));
    let trace = Trace::new(burst).expect("not empty");
    let rate = trace.rate().expect("has gaps");
    let workload = Workload::of(Sizes::Trace(trace));
    let mut session = start("slow:?service=4ms", &workload);
    let mut measures = || {
        let delay = session
            .arrivals(rate, Amount::Messages(1040))
            .expect("moves");
        let told = delay.latencies.percentiles();
        assert_eq!(told.count, 1040);
        assert_eq!(told.p99, None, "ten messages above it are chance");
        // And yet known here.
        let p99 = Some(delay.latencies.raw(Quantile::P99));
        let is_told = [(told.p50, 7), (told.p90, 12), (p99, 13)]
            .map(|(found, steps)| is_near(found, steps * SERVICE));
        // The closed loop knows of no queue.
        let trip = session.roundtrip(Amount::Messages(300)).expect("moves");
        is_near(trip.latencies.percentiles().p50, 2 * SERVICE) && is_told == [true; 3]
    };
    assert!((0..TRIES).any(|_| measures()), "never what it should be");
}

/// A stall of 50 ms makes every message late that is due meanwhile. The closed loop sends none meanwhile.
fn stall() {
    const STALL: u64 = 50_000_000;

    let workload = Workload::new(64);
    let slow = "slow:?stall=50ms&at=5000";
    let messages = Amount::Messages(100_000);
    let open = start(slow, &workload)
        .arrivals(5e4, messages)
        .expect("moves");
    let closed = start(slow, &workload).roundtrip(messages).expect("moves");
    let (open, closed) = (open.latencies.percentiles(), closed.latencies.percentiles());
    assert!(open.max >= STALL && closed.max >= STALL, "both met it");
    // 2500 messages were due meanwhile, and 100 are more than a thousandth.
    let open = open.p999.expect("enough messages");
    assert!(open >= STALL * 9 / 10, "{open} ns hide it");
    let closed = closed.p999.expect("enough messages");
    assert!(closed < STALL / 2, "{closed} ns show it");
}

/// Every channel that is worth measuring apart, and those of them that take many.
fn all(many: bool) -> Vec<String> {
    let mut all = Vec::new();
    for driver in laneway::Registry::BUILTIN.drivers() {
        for variant in driver.variants() {
            let text = format!("{}:?{variant}", driver.scheme());
            let can = crate::named(text.trim_end_matches('?'));
            let takes_many = [can.senders, can.receivers] == [laneway::Fan::Many; 2];
            if can.gives_each_once() && (takes_many || !many) {
                all.push(text.trim_end_matches('?').to_owned());
            }
        }
    }
    assert!(all.len() >= 3, "{all:?}");
    all
}

fn shape(text: &str) -> Shape {
    text.parse().expect("a shape")
}

/// Messages are neither sent early nor left out.
fn schedule() {
    for (many, shape_text) in [(false, "1x1"), (true, "3x2")] {
        for text in all(many) {
            let workload = Workload::new(64).shape(shape(shape_text));
            let mut session = start(&text, &workload);
            for _ in 0..2 {
                let delay = session
                    .arrivals(4000.0, Amount::Messages(400))
                    .expect("moves");
                assert_eq!(delay.latencies.count(), 400, "{text}");
                assert!(
                    delay.seconds >= 399.0 / 4000.0,
                    "{text}: {} s",
                    delay.seconds
                );
                assert!(delay.latencies.max() > 0);
                let time = Duration::from_millis(50);
                let delay = session.arrivals(1e4, Amount::Time(time)).expect("moves");
                let count = delay.latencies.count();
                // Fewer only if the machine stood still for as long again.
                assert!((1..=500).contains(&count), "{text}: {count}");
                assert!(delay.rate() <= 1e4 * 1.001, "{text}: {}", delay.rate());
            }
            // In between, the closed loops.
            session.send(100).expect("moves");
        }
    }
}

fn sizes() {
    let recorded = [8, 4000, 77].map(|size| Recorded { size, gap: 1000 });
    let trace = Trace::new(recorded.to_vec()).expect("not empty");
    for sizes in [
        Sizes::Range(8..=3000),
        Sizes::Range(0..=9),
        Sizes::Trace(trace),
    ] {
        let bytes: u64 = (0..999).map(|number| sizes.of(number) as u64).sum();
        for text in all(false) {
            let mut session = start(&text, &Workload::of(sizes.clone()));
            let flow = session.throughput(Amount::Messages(999)).expect("moves");
            assert_eq!((flow.messages, flow.bytes), (999, bytes), "{text} {sizes}");
            let trip = session.roundtrip(Amount::Messages(50)).expect("moves");
            assert_eq!(trip.latencies.count(), 50);
            let delay = session.arrivals(5e3, Amount::Messages(50)).expect("moves");
            assert_eq!(delay.latencies.count(), 50);
        }
        if sizes.least() < 8 {
            continue;
        }
        for text in all(true) {
            let workload = Workload::of(sizes.clone()).shape(shape("3x2"));
            let mut session = start(&text, &workload);
            let flow = session.throughput(Amount::Messages(999)).expect("moves");
            assert_eq!((flow.messages, flow.bytes), (999, bytes), "{text} {sizes}");
            session.arrivals(5e3, Amount::Messages(50)).expect("moves");
        }
    }
}

fn answers() {
    for (many, shape_text) in [(false, "1x1"), (true, "3x1"), (true, "2x3")] {
        for text in all(many) {
            for sizes in [Sizes::Fixed(64), Sizes::Range(8..=500)] {
                let workload = Workload::of(sizes).shape(shape(shape_text)).reply();
                let mut session = start(&text, &workload);
                let flow = session.throughput(Amount::Messages(300)).expect("moves");
                assert_eq!(flow.messages, 300);
                let trip = session.roundtrip(Amount::Messages(50)).expect("moves");
                assert_eq!(trip.latencies.count(), 50);
                let delay = session.arrivals(3e3, Amount::Messages(300)).expect("moves");
                assert_eq!(delay.latencies.count(), 300, "{text}");
            }
        }
    }
}

/// What is too slow for the rate shows that, and ends.
fn behind() {
    for workload in [Workload::new(64), Workload::new(64).reply()] {
        let mut session = start("slow:?service=2ms", &workload);
        let time = Duration::from_millis(200);
        let delay = session.arrivals(2000.0, Amount::Time(time)).expect("moves");
        assert!(
            delay.rate() <= 500.0,
            "{} a second at 2 ms each",
            delay.rate()
        );
        assert!(
            delay.latencies.max() >= 200_000_000,
            "the last waits for all"
        );
    }
}

fn refused() {
    let many = Workload::new(7).shape(shape("2x1"));
    for workload in [many.clone().rate(100.0), many.reply()] {
        let short = Session::start(&registry(), &address("shm+lock:"), &workload, &plan());
        assert!(
            matches!(short, Err(SessionError::TooShort { min: 8 })),
            "{short:?}"
        );
    }
    let one_way = Workload::new(64).shape(shape("1x2")).reply();
    let fan = Session::start(&registry(), &address("pipe:"), &one_way, &plan());
    assert!(matches!(fan, Err(SessionError::Fan(_))), "{fan:?}");
    let mut session = start("pipe:", &Workload::new(64));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let wrong = session.arrivals(rate, Amount::Messages(1));
        assert!(matches!(wrong, Err(SessionError::Rate)), "{wrong:?}");
    }
    session.send(10).expect("is still of use");
}

fn costs() {
    let mut pipe = start("pipe:", &Workload::new(64));
    let trip = pipe.roundtrip(Amount::Messages(1000)).expect("moves");
    let (sleeps, cpu) = (trip.costs.all().voluntary, trip.costs.all().cpu);
    assert!(sleeps >= 500, "both wait in the kernel, {sleeps} times");
    assert!(
        cpu > 0 && cpu as f64 <= trip.seconds * 2e9 * 1.1 + 2e7,
        "{cpu} ns"
    );
    let mut ring = start("shm+spsc:?wait=spin", &Workload::new(64));
    let trip = ring.roundtrip(Amount::Messages(1000)).expect("moves");
    let sleeps = trip.costs.all().voluntary;
    assert!(sleeps < 500, "nobody sleeps, but {sleeps} times");
    // A sender that waits until its message is due does nothing that counts, although it spins.
    let parked = Workload::new(64).wait(WaitStrategy::Park);
    let delay = start("shm+spsc:", &parked)
        .arrivals(8e3, Amount::Messages(4000))
        .expect("moves");
    let (spent, spun) = (delay.costs.producers.cpu as f64, delay.seconds * 1e9);
    assert!(spent < spun / 2.0, "{spent} of {spun} ns");
}

fn machine() {
    let lanes = [address("pipe:"), address("shm+spsc:")];
    let workload = Workload::new(64).rate(1e4);
    let watch = &mut |_: measure::Progress<'_>| ControlFlow::<()>::Continue(());
    let plan = Plan::new(6, Duration::from_millis(5));
    let found = measure::compare(&registry(), &lanes, &workload, &plan, watch);
    let found = found.expect("not interrupted");
    let floors = found.floors;
    for figure in [floors.memcpy, floors.futex, floors.pipe] {
        assert!(figure.is_some_and(|figure| figure.low > 0.0), "{floors:?}");
    }
    assert!(found.hiccups.p999().is_some() && found.hiccups.max() > 0);
    let shares = found.shares;
    let sum = shares.core + shares.complex + shares.far + shares.changed;
    assert!((sum - 1.0).abs() < 1e-9, "{shares:?}");
    for report in &found.reports {
        let figures = report.figures().expect("measured");
        assert_eq!(figures.rounds.len(), 6);
        let arrivals = figures.arrivals.as_ref().expect("has a rate");
        let all = figures
            .arrival_latencies()
            .as_ref()
            .map(Latencies::percentiles);
        assert_eq!(all, Some(arrivals.percentiles));
        assert!(arrivals.prices.all.cpu.low > 0.0);
    }
    let saved = serde_json::to_string(&found).expect("saves");
    let read: measure::Comparison = serde_json::from_str(&saved).expect("reads");
    assert_eq!(read, found);
}

fn waits() {
    let lanes = ["pipe:", "shm+spsc:", "shm+lock:?wait=spin"].map(address);
    let workload = Workload::new(64).wait(WaitStrategy::Park);
    let watch = &mut |_: measure::Progress<'_>| ControlFlow::<()>::Continue(());
    let plan = Plan::new(1, Duration::from_millis(2));
    let found = measure::compare(&registry(), &lanes, &workload, &plan, watch);
    let found = found.expect("not interrupted").reports;
    let told: Vec<_> = found
        .iter()
        .map(|report| (report.address.as_str(), report.wait))
        .collect();
    assert_eq!(
        told,
        [
            ("pipe:", None),
            ("shm+spsc:?wait=park", Some(WaitStrategy::Park)),
            ("shm+lock:?wait=spin", Some(WaitStrategy::Spin)),
        ]
    );
}
