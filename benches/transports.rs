//! Every registered transport over sizes from 8 bytes to 64 KiB, as far as it goes: `throughput/shm+lock/64B`.
//!
//! Each iteration is one message that a real process sends and another reads, one message a call, both kept to a core of
//! their own. Every byte is written, read and checked. `throughput` keeps the channel full, so it flatters
//! large buffers and cheap calls, and says nothing about how long a message takes. `roundtrip` has one message
//! under way, so it is mostly the cost of waking up, and says nothing about load. One producer and one
//! consumer: what happens when many meet at one end is not seen here. Absolute figures of a virtual machine change from
//! minute to minute: compare within one run.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use laneway::{
    Registry,
    choose::{Needs, shortlist},
    measure::{self, Amount, Plan, Session, SessionError, Workload},
};

/// Bytes of a message, and their name.
const SIZES: [(usize, &str); 5] = [
    (8, "8B"),
    (64, "64B"),
    (512, "512B"),
    (4 << 10, "4KiB"),
    (64 << 10, "64KiB"),
];

/// Runs so many messages through a session, and tells how long they took.
type Measure = fn(&mut Session, u64) -> Result<Duration, SessionError>;

fn main() {
    measure::serve(&Registry::BUILTIN);
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .configure_from_args();
    group(&mut criterion, "throughput", Session::send);
    group(&mut criterion, "roundtrip", |session, count| {
        let trip = session.roundtrip(Amount::Messages(count))?;
        Ok(Duration::from_secs_f64(trip.seconds))
    });
    criterion.final_summary();
}

fn group(criterion: &mut Criterion, name: &str, measure: Measure) {
    let registry = Registry::BUILTIN;
    let plan = Plan::new(1, Duration::from_secs(1));
    let mut group = criterion.benchmark_group(name);
    // Times differ by a factor of two from one sample to the next; a slope through them would hide that.
    group.sampling_mode(SamplingMode::Flat);
    // With larger buffers where that takes it; without those that do not go so far.
    let lists = SIZES.map(|(size, word)| {
        let needs = Needs::new(Workload::new(size));
        (size, word, shortlist(&needs, &registry).fit)
    });
    for driver in registry.drivers() {
        for (size, word, list) in &lists {
            let (size, workload) = (*size, Workload::new(*size));
            let mut fits = list.iter();
            let Some(address) = fits.find(|fit| fit.scheme() == driver.scheme()) else {
                continue;
            };
            group.throughput(Throughput::ElementsAndBytes {
                elements: 1,
                bytes: size as u64,
            });
            let id = BenchmarkId::new(driver.scheme(), word);
            let mut session = None;
            group.bench_function(id, |bencher| {
                // Only when it is asked for: a filter may leave it out.
                let session = session.get_or_insert_with(|| {
                    Session::start(&registry, address, &workload, &plan).expect("starts")
                });
                bencher.iter_custom(|count| {
                    black_box(measure(session, count).expect("moves every message"))
                });
            });
        }
    }
    group.finish();
}
