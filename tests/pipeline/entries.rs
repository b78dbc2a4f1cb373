//! The stages, sources and sinks of all trials.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::BTreeMap,
    process::{self, ExitCode},
    thread,
    time::{Duration, Instant},
};

use laneway::{
    Channel, Sender,
    process::{Entries, pipeline::Items},
    typed::Plain,
};
use nix::sys::signal::{Signal, raise};

/// An item.
pub(crate) type Number = Plain<u64>;

/// What ends whoever gets it.
pub(crate) const POISON: u64 = u64::MAX;
/// How long the slow stage takes for an item, at least.
pub(crate) const SLOWLY: Duration = Duration::from_millis(2);

/// The system's allocator, which counts what each thread asks of it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Needs no allocation itself, and no destructor.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// How many allocations this thread has made.
pub(crate) fn allocations() -> u64 {
    COUNT.with(Cell::get)
}

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

/// What takes some items a thousand times as long as others.
pub(crate) fn uneven(Plain(number): Number) -> Number {
    let pause = if number % 7 == 0 { 200_000 } else { 200 };
    let until = Instant::now() + Duration::from_nanos(pause);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    Plain(number)
}

/// None, one, two or three of each.
pub(crate) fn repeat(Plain(number): Number) -> Vec<Number> {
    let times = usize::try_from(number % 4).expect("small");
    vec![Plain(number); times]
}

/// The words of a text, and how often each comes.
pub(crate) fn count_words(text: String) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in text.split(' ') {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

pub(crate) fn entries(entries: Entries) -> Entries {
    let ended = Cell::new(0_u64);
    entries
        .stage("double", |Plain(number): Number| Plain(2 * number))
        .stage("pass", |number: Number| number)
        .stage("uneven", uneven)
        .stage("slow", |number: Number| {
            let until = Instant::now() + SLOWLY;
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                thread::park_timeout(left);
            }
            number
        })
        .stage("words", count_words)
        .stage("allocations", move |Plain(number): Number| {
            let before = ended.replace(allocations());
            Plain([number, allocations() - before])
        })
        .stage("sizes", |Plain(size): Number| {
            vec![7_u8; usize::try_from(size).expect("small")]
        })
        .stage("panic", |Plain(number): Number| {
            assert_ne!(number, POISON, "as it shall");
            Plain(number)
        })
        .stage("leave", |Plain(number): Number| {
            if number == POISON {
                process::exit(0);
            }
            Plain(number)
        })
        .stage("die", |Plain(number): Number| {
            if number == POISON {
                raise(Signal::SIGKILL).expect("is sent");
            }
            Plain(number)
        })
        .flat_stage("even", |number: Number| {
            number.is_multiple_of(2).then_some(number)
        })
        .flat_stage("repeat", repeat)
        .flat_stage("nothing", |_: Number| None::<Number>)
        .source("numbers", |Plain([from, to]): Plain<[u64; 2]>| {
            (from..to).map(Plain)
        })
        .source("endless", |name: String| {
            let mut there = laneway::channel(&name)
                .ok()
                .and_then(|all| all.sender().ok());
            (0..u64::MAX).map(move |number| {
                if let Some(there) = there.as_mut().filter(|_| number == 0) {
                    there.send(b"here").expect("somebody listens");
                }
                Plain(number)
            })
        })
        .sink("sum_is", |Plain(expected): Number, items: Items<Number>| {
            let sum: u64 = items.map(|Plain(number)| number).sum();
            assert_eq!(sum, expected);
        })
        .sink(
            "is_sorted",
            |Plain(expected): Number, items: Items<Number>| {
                let numbers: Vec<u64> = items.map(|Plain(number)| number).collect();
                assert!(numbers.is_sorted());
                assert_eq!(numbers.len() as u64, expected);
            },
        )
        .sink("some", |Plain(count): Number, items: Items<Number>| {
            let count = usize::try_from(count).expect("small");
            assert_eq!(items.take(count).count(), count);
        })
        .sink("fail", |Plain(code): Plain<u8>, _: Items<Number>| {
            ExitCode::from(code)
        })
}
