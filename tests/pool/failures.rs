//! Jobs that fail, and workers that are ended, one at a time.

use std::{
    os::unix::process::ExitStatusExt,
    process,
    time::{Duration, Instant},
};

use laneway::process::{Entries, JobError};
use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::{LONG, Numbers, exists, kill, pause, pool, trial, watch};

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .function("panic_at_odd", |x: u64| {
            assert!(x.is_multiple_of(2), "{x} is odd");
            x
        })
        .function("panic_plainly", |_: u64| -> u64 { panic!("on purpose") })
        .function("exit", |code: u64| -> u64 {
            process::exit(i32::try_from(code).expect("a code"))
        })
        .function("abort", |_: u64| -> u64 { process::abort() })
        .function("kill_me", |_: u64| -> u64 {
            nix::sys::signal::raise(Signal::SIGKILL).expect("is sent");
            stay()
        })
        .function("stay", |_: u64| stay())
}

/// What a process is called that stays.
const STAYING: &str = "staying\n";

fn stay() -> u64 {
    watch();
    nix::sys::prctl::set_name(c"staying").expect("is set");
    loop {
        std::thread::park();
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("failures/a_panic_is_told_and_the_worker_goes_on", panics),
        trial("failures/an_exit_fails_its_job", exits),
        trial("failures/a_poisoned_job_ends_one_worker", poisoned),
        trial("failures/a_killed_idle_worker_fails_nothing", killed_idle),
        trial("failures/a_killed_busy_worker_fails_one_job", killed_busy),
        trial("failures/one_bad_item_fails_no_neighbour", bad_item),
        trial("failures/a_pool_without_workers_gets_new_ones", all_killed),
    ]
}

fn panics() {
    let pool = pool(1);
    let before = pool.pids();
    let panicked = |job, message: &str| {
        Err(JobError::Panicked {
            job,
            worker: before[0],
            message: message.to_owned(),
        })
    };
    assert_eq!(pool.apply("panic_at_odd", &3), panicked(0, "3 is odd"));
    assert_eq!(pool.apply("panic_at_odd", &4), Ok(4));
    assert_eq!(pool.apply("panic_plainly", &1), panicked(2, "on purpose"));
    assert_eq!(pool.apply("square", &4), Ok(16));
    assert_eq!(pool.pids(), before);
}

/// How the worker of a failed job had ended.
fn how(result: Result<u64, JobError>, job: u64) -> process::ExitStatus {
    match result {
        Err(JobError::Died {
            job: found,
            worker,
            status: Some(status),
        }) if found == job => {
            assert!(!exists(worker), "{worker} was reaped");
            status
        }
        other => panic!("{other:?}"),
    }
}

fn exits() {
    let pool = pool(1);
    assert_eq!(how(pool.apply("exit", &7), 0).code(), Some(7));
    assert_eq!(how(pool.apply("exit", &0), 1).code(), Some(0));
    assert_eq!(how(pool.apply("abort", &0), 2).signal(), Some(6));
    let killed = pool.apply("kill_me", &0);
    let told = killed.clone().expect_err("died").to_string();
    assert!(told.contains("job 3") && told.contains("SIGKILL"), "{told}");
    assert_eq!(how(killed, 3).signal(), Some(9));
    assert_eq!(pool.apply("square", &5), Ok(25));
}

/// It is run once, and what waits behind it in the only worker's queue is done.
fn poisoned() {
    let pool = pool(1);
    let first = pool.apply("pid", &0).expect("runs");
    let poison = pool.apply_async("abort", &0).expect("open");
    let behind: Vec<_> = (0..100)
        .map(|_| pool.apply_async("pid", &0).expect("open"))
        .collect();
    assert_eq!(how(poison.get(), 1).signal(), Some(6));
    let pids: Vec<u64> = behind
        .into_iter()
        .map(|job| job.get().expect("runs"))
        .collect();
    assert!(pids.iter().all(|&pid| pid == pids[0] && pid != first));
    assert_eq!(pool.pids().len(), 1);
}

/// Waits for another set of workers than before, as many.
fn replaced(pool: &Numbers, before: &[u32]) -> Vec<u32> {
    let start = Instant::now();
    loop {
        let pids = pool.pids();
        if pids.len() == before.len() && pids != before {
            return pids;
        }
        assert!(start.elapsed() < LONG, "{before:?} {pids:?}");
        pause(Duration::from_millis(1));
    }
}

fn killed_idle() {
    let pool = pool(2);
    pool.map("square", 0..100).expect("run");
    for round in 0..5 {
        let before = pool.pids();
        kill(before[round % 2]);
        let jobs: Vec<_> = (0..100)
            .map(|x| pool.apply_async("square", &x).expect("open"))
            .collect();
        for (x, job) in (0..).zip(jobs) {
            assert!(job.wait_timeout(LONG));
            match job.get() {
                Ok(square) => assert_eq!(square, x * x),
                // It had come to take one before the signal came.
                Err(JobError::Died { worker, .. }) => assert_eq!(worker, before[round % 2]),
                Err(other) => panic!("{other}"),
            }
        }
        replaced(&pool, &before);
    }
    // No job at all while they are killed: then nothing can fail.
    for _ in 0..5 {
        let before = pool.pids();
        kill(before[0]);
        replaced(&pool, &before);
        assert_eq!(pool.map("square", 0..100).map(|all| all.len()), Ok(100));
    }
}

/// Waits until a worker stays with a job.
fn wait_for_staying(pids: &[u32]) {
    let start = Instant::now();
    for pid in pids {
        let comm = format!("/proc/{pid}/comm");
        while std::fs::read_to_string(&comm).expect("lives") != STAYING {
            assert!(start.elapsed() < LONG, "{pid} does not stay");
            pause(Duration::from_millis(1));
        }
    }
}

fn killed_busy() {
    let pool = pool(2);
    for round in 0..5 {
        let before = pool.pids();
        let stays = [0, 1].map(|_| pool.apply_async("stay", &0).expect("open"));
        wait_for_staying(&before);
        let queued: Vec<_> = (0..50)
            .map(|x| pool.apply_async("square", &x).expect("open"))
            .collect();
        let (victim, other) = (before[round % 2], before[1 - round % 2]);
        kill(victim);
        // Whoever comes in its place does what was queued, all of it.
        for (x, job) in (0..).zip(queued) {
            assert!(job.wait_timeout(LONG));
            assert_eq!(job.get(), Ok(x * x));
        }
        let failed: Vec<_> = stays.iter().filter(|job| job.ready()).collect();
        let [failed] = failed.as_slice() else {
            panic!("{failed:?}");
        };
        match failed.get_timeout(LONG) {
            Err(JobError::Died { job, worker, .. }) => {
                assert_eq!((job, worker), (failed.number(), victim));
            }
            result => panic!("{result:?}"),
        }
        let after = replaced(&pool, &before);
        assert!(after.len() == 2 && after.contains(&other) && !after.contains(&victim));
        kill(other);
        let [ended, _] = stays.map(|job| job.get());
        assert!(matches!(
            ended,
            Err(JobError::Died { .. } | JobError::Taken)
        ));
        replaced(&pool, &after);
    }
}

fn bad_item() {
    let pool = pool(2);
    for function in ["panic_at_odd", "square"] {
        let results: Vec<_> = pool.imap(function, 0..200).chunk(50).collect();
        for (x, result) in (0..).zip(results) {
            match (function, x % 2) {
                ("square", _) => assert_eq!(result, Ok(x * x)),
                (_, 0) => assert_eq!(result, Ok(x)),
                _ => assert!(matches!(result, Err(JobError::Panicked { .. })), "{x}"),
            }
        }
    }
    // The first error of all.
    let first = pool.map("panic_at_odd", [2, 4, 5, 6, 7]);
    assert!(
        matches!(&first, Err(JobError::Panicked { message, .. }) if message == "5 is odd"),
        "{first:?}"
    );
}

fn all_killed() {
    let pool = pool(3);
    for _ in 0..5 {
        pool.pids().into_iter().for_each(kill);
        let start = Instant::now();
        while pool.apply("square", &3) != Ok(9) {
            assert!(start.elapsed() < LONG);
        }
    }
}
