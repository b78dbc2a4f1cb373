//! A pool's end leaves nothing, however it comes.

use std::{
    thread,
    time::{Duration, Instant},
};

use laneway::{
    Channel, ReceiverExt, SenderExt,
    process::{Entries, JobError, Pool, Process, inherited_sender},
};
use libtest_mimic::{Failed, Trial};
use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, waitid},
};

use crate::{
    LONG, Numbers, exists, pause, pool,
    private::{self, Place, snapshot::Snapshot},
    trial, watch,
};

/// What is run in a process of its own, since it looks at all that the process has.
const CASES: &[(&str, fn())] = &[
    ("close_then_join_has_all_done", close_then_join),
    ("terminate_in_the_middle", terminate),
    ("a_dropped_pool_is_terminated", dropped),
    ("a_pool_that_cannot_start", cannot_start),
    (
        "a_thread_terminates_what_another_waits_for",
        from_another_thread,
    ),
];

/// Tells a process which of these it is for. It has a temporary folder of its own, since the whole of that is looked at.
const VARIABLE: &str = "LANEWAY_TEST_POOL";

pub(crate) fn entries(entries: Entries) -> Entries {
    entries.entry("parent", |busy: bool| parent(busy))
}

/// Runs the case that this process is for; whether it is for one.
pub(crate) fn is_case() -> bool {
    let Ok(name) = std::env::var(VARIABLE) else {
        return false;
    };
    watch();
    let case = CASES.iter().find(|(known, _)| *known == name);
    (case.expect("a case").1)();
    true
}

pub(crate) fn trials() -> Vec<Trial> {
    let case = |(name, _): &(&'static str, fn())| {
        let name = *name;
        Trial::test(format!("ends/{name}"), move || {
            private::run(Place::Anywhere, VARIABLE, name).map_err(Failed::from)
        })
    };
    let mut trials: Vec<Trial> = CASES.iter().map(case).collect();
    trials.push(trial("ends/a_killed_parent_leaves_no_worker", || {
        killed_parent(false);
        killed_parent(true);
    }));
    trials
}

/// Does something with a pool, and looks at what is left: no child, no object, no descriptor, no thread.
fn leaves_nothing(what: impl Fn()) {
    let threads = || std::fs::read_dir("/proc/self/task").expect("there").count();
    // What is made once is made: the thread that watches, its descriptors.
    what();
    let (before, beside) = (Snapshot::take(), threads());
    for _ in 0..3 {
        what();
        let any = waitid(
            Id::All,
            WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT,
        );
        assert_eq!(any, Err(Errno::ECHILD), "a child is left");
        // A thread that was joined may be listed a moment longer.
        let start = Instant::now();
        while threads() > beside && start.elapsed() < LONG {
            pause(Duration::from_millis(1));
        }
        before.assert_same("after the pool");
    }
}

fn close_then_join() {
    leaves_nothing(|| {
        let pool = pool(3);
        pause(Duration::from_millis(30));
        let jobs: Vec<_> = (0..2000)
            .map(|x| pool.apply_async("square", &x).expect("open"))
            .collect();
        let slow = pool.apply_async("sleep", &50).expect("open");
        pool.close();
        pool.join();
        pool.join();
        assert_eq!(pool.pids(), []);
        assert!(slow.ready());
        for (x, job) in (0..).zip(jobs) {
            assert!(job.ready());
            assert_eq!(job.get(), Ok(x * x));
        }
    });
}

/// 10,000 jobs, of which some are done: each handle tells a result or that it was terminated.
fn terminate() {
    leaves_nothing(|| {
        let pool = Numbers::builder()
            .workers(4)
            .in_flight(10_000)
            .start()
            .expect("starts");
        let jobs: Vec<_> = (0..10_000)
            .map(|_| pool.apply_async("sleep", &1).expect("room"))
            .collect();
        assert!(jobs[20].wait_timeout(LONG));
        let pids = pool.pids();
        pool.terminate();
        assert_eq!(pids.len(), 4);
        assert!(!pids.into_iter().any(exists));
        let (mut done, mut terminated) = (0, 0);
        for (number, job) in (0..).zip(jobs) {
            assert!(job.ready());
            match job.get() {
                Ok(1) => done += 1,
                Err(JobError::Terminated { job }) if job == number => terminated += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(done >= 1 && terminated >= 1, "{done} {terminated}");
    });
}

fn dropped() {
    leaves_nothing(|| {
        let pool = pool(2);
        let stays = pool.apply_async("stay", &0).expect("open");
        let pids = pool.pids();
        drop(pool);
        assert!(!pids.into_iter().any(exists));
        assert_eq!(stays.get(), Err(JobError::Terminated { job: 0 }));
    });
}

fn cannot_start() {
    leaves_nothing(|| {
        let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
        let (soft, hard) = nix::sys::resource::getrlimit(limit).expect("is told");
        let open = std::fs::read_dir("/proc/self/fd").expect("there").count() as u64;
        let mut failed = 0;
        for more in 1..40 {
            nix::sys::resource::setrlimit(limit, open + more, hard).expect("is set");
            failed += u32::from(Pool::<u64, u64>::new(3).is_err());
        }
        nix::sys::resource::setrlimit(limit, soft, hard).expect("is set");
        assert!(failed > 3, "{failed}");
    });
}

fn from_another_thread() {
    leaves_nothing(|| {
        let pool = pool(2);
        thread::scope(|scope| {
            let waits = scope.spawn(|| pool.map("stay", 0..10));
            let joins = scope.spawn(|| {
                pause(Duration::from_millis(10));
                pool.join();
            });
            pause(Duration::from_millis(30));
            pool.terminate();
            let failed = waits.join().expect("returns");
            assert!(
                matches!(
                    failed,
                    Err(JobError::Terminated { .. } | JobError::NotSubmitted(_))
                ),
                "{failed:?}"
            );
            joins.join().expect("returns");
        });
    });
}

/// Has a pool, tells its workers, and waits to be killed.
fn parent(busy: bool) {
    watch();
    let pool = pool(3);
    let tx = inherited_sender("pids").expect("given");
    let mut tx = tx.values::<Vec<u32>>().expect("opens");
    if busy {
        // Its handles are of no interest.
        (0..100).for_each(|_| drop(pool.apply_async("stay", &0).expect("open")));
    }
    tx.send(&pool.pids()).expect("sends");
    loop {
        thread::park();
    }
}

fn killed_parent(busy: bool) {
    let (tx, rx) = laneway::channel("pipe:")
        .expect("good")
        .pair()
        .expect("opens");
    let process = Process::new("parent", &busy).give("pids", &tx);
    let parent = process.expect("gives").start().expect("starts");
    drop(tx);
    let mut rx = rx.values::<Vec<u32>>().expect("opens");
    let pids = rx.recv().expect("comes");
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().copied().all(exists));
    parent.kill().expect("is sent");
    parent.join().expect("ends");
    let start = Instant::now();
    while pids.iter().copied().any(exists) {
        assert!(start.elapsed() < LONG, "{pids:?}");
        pause(Duration::from_millis(1));
    }
    assert!(rx.into_inner().loan().is_err());
}
