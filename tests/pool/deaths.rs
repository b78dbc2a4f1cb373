//! Workers are killed all the time, and every job ends once.
//!
//! 20,000 jobs, or as many as LANEWAY_TEST_JOBS says; it tells its figures on standard error if that is set.

use std::{
    env,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use laneway::process::{JobError, Pool};
use libtest_mimic::Trial;

use crate::{LONG, exists, kill, pause, trial};

/// How long a worker lives at most before one is killed.
const EVERY: Duration = Duration::from_millis(20);
const WORKERS: u32 = 4;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("deaths/every_job_ends_once", every_job_ends_once)]
}

fn every_job_ends_once() {
    let asked = env::var("LANEWAY_TEST_JOBS").ok();
    let count: u64 = asked
        .as_ref()
        .map_or(20_000, |text| text.parse().expect("a number"));
    let pool = Pool::<u64, u64>::builder()
        .workers(WORKERS)
        .in_flight(1000)
        .start()
        .expect("starts");
    let (over, is_over) = mpsc::channel::<()>();
    let start = Instant::now();
    let (mut done, mut died) = (0_u64, 0_u64);
    let kills = thread::scope(|scope| {
        let pool = &pool;
        let killer = scope.spawn(move || {
            let mut kills = Vec::new();
            let mut round = 0;
            while is_over.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let pids = pool.pids();
                if let Some(&pid) = pids.get(round % pids.len().max(1)) {
                    kill(pid);
                    kills.push(pid);
                }
                round += 1;
            }
            kills
        });
        // Some of them take a while, so that workers are killed in the middle.
        let items = |place: u64| if place.is_multiple_of(100) { 1 } else { 0 };
        for (place, result) in (0..).zip(pool.imap("sleep", (0..count).map(items))) {
            match result {
                Ok(slept) => {
                    assert_eq!(slept, items(place));
                    done += 1;
                }
                Err(JobError::Died { job, .. }) => {
                    assert_eq!(job, place);
                    died += 1;
                }
                Err(other) => panic!("job {place}: {other}"),
            }
        }
        drop(over);
        killer.join().expect("returns")
    });
    let took = start.elapsed();
    assert_eq!(done + died, count);
    assert!(
        died <= kills.len() as u64,
        "{died} of {} kills",
        kills.len()
    );
    assert!(!kills.is_empty());
    // All are replaced.
    let start = Instant::now();
    while pool.pids().len() != WORKERS as usize || pool.pids().iter().any(|pid| !exists(*pid)) {
        assert!(start.elapsed() < LONG, "{:?}", pool.pids());
        pause(Duration::from_millis(1));
    }
    assert_eq!(pool.map("square", 0..100).map(|all| all.len()), Ok(100));
    let last = pool.pids();
    pool.join();
    assert!(!kills.iter().chain(&last).any(|&pid| exists(pid)));
    if asked.is_some() {
        let kills = kills.len();
        let line = format!("{count} jobs, {kills} kills: {done} done, {died} failed, {took:?}\n");
        // To the terminal, which the harness does not hold back.
        std::fs::write("/dev/stderr", line).expect("writes");
    }
}
