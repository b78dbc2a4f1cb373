//! A value that many change, of whom some are killed while they do.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use laneway::{
    OpenErrorKind,
    process::{Entries, Process, Shared},
};
use libtest_mimic::Trial;

use crate::{trial, watch};

/// Larger than a cache line, so that a change is not one store.
type Pair = [u64; 24];

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("add", |times: u64| {
            watch();
            let mut shared = Shared::<Pair>::inherited("shared").expect("given");
            (0..times).for_each(|_| add(&mut shared));
        })
        .entry("add_for_ever", |()| {
            watch();
            let mut shared = Shared::<Pair>::inherited("shared").expect("given");
            loop {
                add(&mut shared);
            }
        })
        .entry("mistake", |()| {
            let error = Shared::<u32>::inherited("shared").expect_err("another type");
            assert!(
                matches!(error.kind, OpenErrorKind::Incompatible { .. }),
                "{error}"
            );
        })
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("shared/nothing_is_lost", nothing_is_lost),
        trial("shared/the_killed_have_changed_nothing_or_all", killed),
        trial("shared/one_at_a_time", one_at_a_time),
        trial("shared/another_type_is_refused", another_type),
    ]
}

fn add(shared: &mut Shared<Pair>) {
    let mut all = shared.lock().expect("is a lock");
    for number in &mut *all {
        *number += 1;
    }
}

fn nothing_is_lost() {
    let mut shared = Shared::<Pair>::new([0; 24]).expect("opens");
    let start = || {
        Process::new("add", &5000_u64)
            .give("shared", &shared)
            .expect("gives")
            .start()
    };
    let children: Vec<_> = (0..4).map(|_| start().expect("starts")).collect();
    (0..1000).for_each(|_| add(&mut shared));
    for child in &children {
        assert!(child.join().expect("ends").success());
    }
    assert_eq!(*shared.lock().expect("is a lock"), [21_000; 24]);
}

fn killed() {
    let mut shared = Shared::<Pair>::new([0; 24]).expect("opens");
    let mut before = 0;
    for _ in 0..50 {
        let start = || {
            Process::new("add_for_ever", &())
                .give("shared", &shared)
                .expect("gives")
                .start()
        };
        let children: Vec<_> = (0..2).map(|_| start().expect("starts")).collect();
        // Both are at it.
        while shared.lock().expect("is a lock")[0] < before + 100 {}
        for child in &children {
            child.kill().expect("is sent");
            child.join().expect("ends");
            let now = *shared.lock().expect("is a lock");
            assert!(now.iter().all(|number| *number == now[0]), "{now:?}");
            before = now[0];
        }
    }
}

fn one_at_a_time() {
    let mut shared = Shared::new(7_u64).expect("opens");
    *shared.lock().expect("is a lock") += 1;
    let changed = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = shared.lock().expect("is a lock");
        *guard = 100;
        panic!("on purpose");
    }));
    assert!(changed.is_err());
    assert_eq!(*shared.lock().expect("is a lock"), 8);
    let mut pair = Shared::<Pair>::new([0; 24]).expect("opens");
    let process = Process::new("add", &100_u64)
        .give("shared", &pair)
        .expect("gives");
    let mut guard = pair.lock().expect("is a lock");
    let child = process.start().expect("starts");
    let (start, timeout) = (Instant::now(), Duration::from_millis(30));
    assert_eq!(
        child.join_timeout(timeout).expect("is a child"),
        None,
        "it waits for us"
    );
    assert!(start.elapsed() >= timeout);
    guard[23] = 5;
    drop(guard);
    assert!(child.join().expect("ends").success());
    let end = *pair
        .lock_timeout(timeout)
        .expect("is a lock")
        .expect("is free");
    assert_eq!((end[0], end[23]), (100, 105));
}

fn another_type() {
    let shared = Shared::new(1_u64).expect("opens");
    let process = Process::new("mistake", &())
        .give("shared", &shared)
        .expect("gives");
    assert!(
        process
            .start()
            .expect("starts")
            .join()
            .expect("ends")
            .success()
    );
}
