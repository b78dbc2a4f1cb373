//! Nothing that moves a message allocates: every transport of the table, its own types and boxed, by every way of sending and
//! receiving, also when a call is refused, times out, or sleeps.
#![allow(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one only counts"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
};

use laneway::{
    Registry,
    conformance::{self, allocation_trials},
};
use libtest_mimic::{Arguments, Trial};

/// The system's allocator, which counts what each thread asks of it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Needs no allocation itself, and no destructor.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn add_one() {
    COUNT.with(|count| count.set(count.get() + 1));
}

/// How many allocations this thread has made.
fn allocations() -> u64 {
    COUNT.with(Cell::get)
}

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add_one();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add_one();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add_one();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(start, layout, size) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

fn main() {
    conformance::serve(&Registry::BUILTIN);
    let mut trials = vec![Trial::test("the_counter_counts", || {
        the_counter_counts();
        Ok(())
    })];
    for driver in Registry::BUILTIN.drivers() {
        for trial in allocation_trials(driver, allocations) {
            trials.push(Trial::test(trial.name, move || {
                (trial.run)();
                Ok(())
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Each way of allocating is counted once, on the thread that does it.
fn the_counter_counts() {
    let before = allocations();
    let mut bytes = black_box(Vec::<u8>::with_capacity(black_box(8)));
    assert_eq!(allocations(), before + 1, "a new one");
    bytes.reserve_exact(black_box(4096));
    assert_eq!(allocations(), before + 2, "one that grows");
    let zeroed = black_box(vec![0_u8; black_box(64)]);
    assert_eq!(allocations(), before + 3, "one of zeros");
    drop((bytes, zeroed));
    assert_eq!(allocations(), before + 3, "giving back does not count");
    let theirs = std::thread::spawn(|| {
        let before = allocations();
        drop(black_box(Box::new(black_box(7))));
        allocations() - before
    });
    let ours = allocations();
    assert_eq!(theirs.join().expect("ends"), 1, "another thread's");
    assert_eq!(allocations(), ours, "another thread's are not ours");
}
