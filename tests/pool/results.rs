//! Results: whose, in which order, and within which bounds.

use std::{
    cell::Cell,
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use laneway::{
    process::{Entries, JobError, Pool, StartError, SubmitError},
    typed::Plain,
};
use libtest_mimic::Trial;

use crate::{LONG, Numbers, pool, trial};

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .function("reverse", |mut bytes: Vec<u8>| {
            bytes.reverse();
            bytes
        })
        .function("zeroes", |count: u64| {
            vec![0_u8; usize::try_from(count).expect("fits")]
        })
        .function("add", |Plain([a, b]): Plain<[u32; 2]>| Plain(a + b))
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("results/of_each_way_to_ask", each_way),
        trial("results/maps_keep_the_order", maps_keep_the_order),
        trial("results/unordered_are_all_and_say_whose", unordered),
        trial("results/imap_pulls_as_it_goes", pulls_as_it_goes),
        trial("results/several_functions_and_plain_bytes", functions),
        trial("results/workers_share_the_jobs", shared),
        trial("results/a_long_job_holds_up_no_other", long_job),
        trial("results/in_flight_is_bounded", bounded),
        trial("results/deadlines_are_kept", deadlines),
        trial("results/large_ones_and_too_large_ones", large),
        trial("results/many_threads_share_a_pool", threads),
        trial("results/refusals_tell_the_remedy", refusals),
    ]
}

fn each_way() {
    let pool = pool(2);
    assert_eq!(pool.apply("square", &7), Ok(49));
    let job = pool.apply_async("square", &8).expect("open");
    assert_eq!(job.number(), 1);
    assert!(job.wait_timeout(LONG) && job.ready());
    assert_eq!(job.get_timeout(LONG), Ok(64));
    assert_eq!(job.get_timeout(LONG), Err(JobError::Taken));
    assert_eq!(job.get(), Err(JobError::Taken));
    // A handle that is dropped is no hindrance.
    drop(pool.apply_async("square", &9).expect("open"));
    assert_eq!(pool.map("square", 0..5), Ok(vec![0, 1, 4, 9, 16]));
    let borrowed = vec![3, 4];
    assert_eq!(pool.map("square", &borrowed), Ok(vec![9, 16]));
    assert_eq!(pool.map("square", [0_u64; 0]), Ok(vec![]));
}

/// More than may be in flight, by several chunks.
fn maps_keep_the_order() {
    let pool = Numbers::builder()
        .workers(3)
        .in_flight(100)
        .start()
        .expect("starts");
    let wanted: Vec<u64> = (0..5000).map(|x| x * x).collect();
    for chunk in [0, 1, 7, 1000] {
        let found = pool.map_chunked("square", 0..5000, chunk);
        assert_eq!(found.as_ref(), Ok(&wanted), "{chunk}");
        let found: Result<Vec<u64>, _> = pool.imap("square", 0..5000).chunk(chunk).collect();
        assert_eq!(found.as_ref(), Ok(&wanted), "{chunk}");
    }
    let mut jobs = Vec::new();
    for x in 0..5000 {
        jobs.push(pool.apply_async("square", &x).expect("open"));
    }
    let found: Result<Vec<u64>, _> = jobs.into_iter().map(|job| job.get()).collect();
    assert_eq!(found, Ok(wanted));
}

fn unordered() {
    let pool = pool(3);
    let mut places = BTreeSet::new();
    for (place, result) in pool.imap_unordered("square", 10..3010).chunk(5) {
        let x = place as u64 + 10;
        assert_eq!(result, Ok(x * x));
        assert!(places.insert(place), "{place} came twice");
    }
    assert_eq!(places.len(), 3000);
    // A long one comes last, though it was first.
    let mut order = pool
        .imap_unordered("sleep", [300, 1, 2, 3])
        .chunk(1)
        .map(|(place, _)| place);
    assert_eq!(order.by_ref().count(), 4);
}

/// Endless items, of which few are pulled, and none before a result is asked for.
fn pulls_as_it_goes() {
    let pool = pool(2);
    let pulled = Cell::new(0);
    let items = (0_u64..).inspect(|_| pulled.set(pulled.get() + 1));
    let mut squares = pool.imap("square", items).chunk(3);
    assert_eq!(pulled.get(), 0);
    for x in 0..1000 {
        assert_eq!(squares.next(), Some(Ok(x * x)));
        assert!(pulled.get() <= x + 1 + 2 * 4 * 3, "{}", pulled.get());
    }
    drop(squares);
    assert_eq!(pool.apply("square", &3), Ok(9));
}

fn functions() {
    let pool = pool(1);
    let names = pool.functions();
    assert!(names.iter().any(|name| name == "square") && names.iter().any(|name| name == "pid"));
    assert!(!names.iter().any(|name| name == "reverse"), "{names:?}");
    let pids = pool.pids();
    let pid = pool.apply("pid", &0).expect("runs");
    assert_eq!(
        pids.iter().map(|&pid| u64::from(pid)).collect::<Vec<_>>(),
        [pid]
    );
    let plain = Pool::<Plain<[u32; 2]>, Plain<u32>>::new(1).expect("starts");
    assert_eq!(plain.apply("add", &Plain([2, 3])), Ok(Plain(5)));
}

fn shared() {
    let pool = pool(3);
    let start = Instant::now();
    let mut jobs = Vec::new();
    let mut found = BTreeSet::new();
    // As long as it takes: workers come one after the other.
    while found.len() < 3 && start.elapsed() < LONG {
        for _ in 0..3 {
            jobs.push(pool.apply_async("sleep", &1).expect("open"));
            jobs.push(pool.apply_async("pid", &0).expect("open"));
        }
        for job in jobs.drain(..) {
            found.insert(job.get().expect("runs"));
        }
        found.remove(&1);
    }
    let pids: BTreeSet<u64> = pool.pids().into_iter().map(u64::from).collect();
    assert_eq!(found, pids);
}

/// A worker is busy all the time, and 10,000 jobs behind it are done by the other.
fn long_job() {
    let pool = pool(2);
    let long = pool
        .apply_async("sleep", &u64::from(u32::MAX))
        .expect("open");
    let squares = pool.map("square", 0..10_000).expect("run");
    assert_eq!(squares.len(), 10_000);
    assert!(!long.ready());
    pool.terminate();
    assert_eq!(long.get(), Err(JobError::Terminated { job: 0 }));
}

fn bounded() {
    let pool = Numbers::builder()
        .workers(1)
        .in_flight(3)
        .start()
        .expect("starts");
    assert_eq!(pool.in_flight(), 3);
    let long = u64::from(u32::MAX);
    let jobs: Vec<_> = (0..3)
        .map(|_| pool.try_apply_async("sleep", &long).expect("room"))
        .collect();
    let full = || SubmitError::Full { in_flight: 3 };
    let refused = pool.try_apply_async("square", &1);
    assert_eq!(refused.map(drop), Err(full()));
    let timeout = Duration::from_millis(50);
    let start = Instant::now();
    let refused = pool.apply_async_timeout("square", &1, timeout);
    assert_eq!(refused.map(drop), Err(full()));
    assert!(start.elapsed() >= timeout);
    // Who waits is woken when the worker, and with it the job, ends; and again by the end of the pool.
    thread::scope(|scope| {
        let waits = scope.spawn(|| pool.apply_async("sleep", &long).map(drop));
        let start = Instant::now();
        while !jobs.iter().any(|job| job.ready()) && start.elapsed() < LONG {
            pool.pids().into_iter().for_each(crate::kill);
            crate::pause(Duration::from_millis(200));
        }
        assert_eq!(waits.join().expect("returns"), Ok(()));
        let waits = scope.spawn(|| pool.apply_async("sleep", &long).map(drop));
        crate::pause(Duration::from_millis(20));
        pool.terminate();
        let refused = waits.join().expect("returns");
        assert!(
            matches!(refused, Ok(()) | Err(SubmitError::Closed)),
            "{refused:?}"
        );
    });
}

fn deadlines() {
    let pool = pool(1);
    let job = pool.apply_async("sleep", &200).expect("open");
    assert!(!job.ready());
    let timeout = Duration::from_millis(20);
    let start = Instant::now();
    let early = job.get_timeout(timeout);
    assert!(start.elapsed() >= timeout);
    assert!(
        matches!(early, Err(JobError::Pending) | Ok(200)),
        "{early:?}"
    );
    assert_eq!(job.get(), Ok(200));
    // A pool that is not done in time is closed, and goes on.
    let job = pool.apply_async("sleep", &300).expect("open");
    let over = pool.join_timeout(Duration::from_millis(1));
    assert!(!over || job.ready());
    let refused = pool.apply_async("square", &1).map(drop);
    assert_eq!(refused, Err(SubmitError::Closed));
    pool.join();
    assert_eq!(job.get(), Ok(300));
}

fn large() {
    let open = || {
        Pool::<Vec<u8>, Vec<u8>>::builder()
            .workers(2)
            .capacity(64 << 10)
            .start()
            .expect("starts")
    };
    let pool = open();
    let max = pool.max_request();
    assert!((15 << 10..16 << 10).contains(&max), "{max}");
    // The length takes some bytes too.
    let bytes: Vec<u8> = (0_u8..=255).cycle().take(max - 8).collect();
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    let found = pool.map("reverse", vec![bytes; 100]).expect("run");
    assert_eq!(found.len(), 100);
    assert!(found.iter().all(|found| *found == reversed));
    let refused = pool.apply("reverse", &vec![0; max + 1]);
    let too_large = SubmitError::TooLarge { max };
    assert_eq!(refused, Err(JobError::NotSubmitted(too_large)));
    let pool = Pool::<u64, Vec<u8>>::builder()
        .workers(1)
        .capacity(64 << 10)
        .start()
        .expect("starts");
    let found: Vec<_> = pool
        .imap("zeroes", [10, 1 << 20, 20])
        .map(|result| result.map(|bytes| bytes.len()))
        .collect();
    let len = (1 << 20) + 3;
    assert_eq!(
        found,
        [Ok(10), Err(JobError::TooLarge { job: 1, len, max }), Ok(20)]
    );
}

fn threads() {
    let pool = Numbers::builder()
        .workers(3)
        .in_flight(50)
        .start()
        .expect("starts");
    thread::scope(|scope| {
        for thread in 0..6_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..20 {
                    let first = thread * 10_000 + round * 100;
                    let wanted: Vec<u64> = (first..first + 100).map(|x| x * x).collect();
                    let found = match round % 3 {
                        0 => pool.map("square", first..first + 100),
                        1 => pool.imap("square", first..first + 100).collect(),
                        _ => (first..first + 100)
                            .map(|x| pool.apply("square", &x))
                            .collect(),
                    };
                    assert_eq!(found, Ok(wanted));
                }
            });
        }
    });
    pool.join();
}

fn refusals() {
    let pool = pool(1);
    let unknown = pool.apply("cube", &1).expect_err("not there");
    let told = unknown.to_string();
    assert!(told.contains("cube") && told.contains("square"), "{told}");
    let mut results = pool.imap("cube", 0..10);
    assert_eq!(results.next(), Some(Err(unknown)));
    assert_eq!(results.next(), None);
    pool.close();
    pool.close();
    let closed = JobError::NotSubmitted(SubmitError::Closed);
    assert_eq!(pool.map("square", 0..10), Err(closed));
    let none = Pool::<i8, i8>::new(1).expect_err("no such function");
    assert!(matches!(none, StartError::NoFunction { .. }), "{none}");
    assert!(none.to_string().contains("i8"), "{none}");
}
