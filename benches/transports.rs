//! Every registered transport over sizes and shapes, as far as it goes: `throughput/shm+lock/64B`.
//!
//! Each iteration is one message that a real process sends and another reads, one message a call, each kept to a core.
//! Every byte is written, read and checked.
//!
//! - `throughput`, one process to one other, keeps the channel full, so it flatters large buffers and cheap calls, and
//!   says nothing about how long a message takes.
//! - `roundtrip` has one message under way, so it is mostly the cost of waking up, and says nothing about load.
//! - `fan_in`, four to one, `fan_out`, one to four, and `many_to_many`, four to four, are as `throughput` with more
//!   processes than cores where there are few: then they show what who waits costs those who work.
//!
//! Absolute figures of a virtual machine change from minute to minute: compare within one run.

use std::{hint::black_box, time::Duration};

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, measurement::WallTime,
};
use laneway::{
    Address, Registry,
    choose::{Needs, shortlist},
    measure::{self, Amount, Plan, Session, SessionError, Workload},
};

/// Bytes of a message, and their name.
type Size = (usize, &'static str);

/// Between two processes.
const SIZES: [Size; 5] = [
    (8, "8B"),
    (64, "64B"),
    (512, "512B"),
    (4 << 10, "4KiB"),
    (64 << 10, "64KiB"),
];
/// Between several. A packet of a pipe is no longer than a page.
const FEW_SIZES: [Size; 3] = [(64, "64B"), (1 << 10, "1KiB"), (64 << 10, "64KiB")];

/// Runs so many messages through a session, and tells how long they took.
type Measure = fn(&mut Session, u64) -> Result<Duration, SessionError>;

fn main() {
    measure::serve(&Registry::BUILTIN);
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .configure_from_args();
    let echo: Measure = |session, count| {
        let trip = session.roundtrip(Amount::Messages(count))?;
        Ok(Duration::from_secs_f64(trip.seconds))
    };
    group(&mut criterion, "throughput", "1x1", &SIZES, Session::send);
    group(&mut criterion, "roundtrip", "1x1", &SIZES, echo);
    for (name, shape) in [
        ("fan_in", "4x1"),
        ("fan_out", "1x4"),
        ("many_to_many", "4x4"),
    ] {
        group(&mut criterion, name, shape, &FEW_SIZES, Session::send);
    }
    criterion.final_summary();
}

/// Each transport that goes so far, in each size.
fn group(criterion: &mut Criterion, name: &str, shape: &str, sizes: &[Size], measure: Measure) {
    let registry = Registry::BUILTIN;
    let shape = shape.parse().expect("a shape");
    let mut group = criterion.benchmark_group(name);
    // Times differ by a factor of two from one sample to the next; a slope through them would hide that.
    group.sampling_mode(SamplingMode::Flat);
    // With larger buffers where that takes it; without those that do not go so far.
    let lists: Vec<_> = sizes
        .iter()
        .map(|(size, word)| {
            let workload = Workload::new(*size).shape(shape);
            let list = shortlist(&Needs::new(workload.clone()), &registry);
            (workload, *word, list.fit)
        })
        .collect();
    for driver in registry.drivers() {
        for (workload, word, fit) in &lists {
            let mut fits = fit.iter();
            let Some(address) = fits.find(|fit| fit.scheme() == driver.scheme()) else {
                continue;
            };
            let id = BenchmarkId::new(driver.scheme(), *word);
            bench(&mut group, id, address, workload, measure);
        }
    }
    group.finish();
}

/// One session, measured as often as criterion wants.
fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    address: &Address,
    workload: &Workload,
    measure: Measure,
) {
    let plan = Plan::new(1, Duration::from_secs(1));
    group.throughput(Throughput::ElementsAndBytes {
        elements: 1,
        bytes: workload.sizes.most() as u64,
    });
    let mut session = None;
    group.bench_function(id, |bencher| {
        // Only when it is asked for: a filter may leave it out.
        let session = session.get_or_insert_with(|| {
            Session::start(&Registry::BUILTIN, address, workload, &plan).expect("starts")
        });
        bencher
            .iter_custom(|count| black_box(measure(session, count).expect("moves every message")));
    });
}
