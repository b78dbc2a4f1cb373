//! A pool runs jobs in worker processes: each job ends once, with its result or an error that says why, whatever becomes of the workers.
//!
//! Children are this program again: workers by the functions below, others by the entries.

#[path = "pool/deaths.rs"]
mod deaths;
#[path = "pool/ends.rs"]
mod ends;
#[path = "pool/failures.rs"]
mod failures;
#[path = "private/mod.rs"]
#[allow(
    dead_code,
    reason = "of all that it has only the snapshot is wanted here"
)]
mod private;
#[path = "pool/results.rs"]
mod results;

use std::{path::Path, thread, time::Duration};

use laneway::process::{Entries, Pool};
use libtest_mimic::{Arguments, Trial};

/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 300;
/// Long enough for any event, and no bound on one.
const LONG: Duration = Duration::from_secs(60);

/// The pool of most tests.
type Numbers = Pool<u64, u64>;

fn main() {
    let entries = Entries::new()
        .function("square", |x: u64| x * x)
        .function("pid", |_: u64| u64::from(std::process::id()))
        .function("sleep", |milliseconds: u64| {
            pause(Duration::from_millis(milliseconds));
            milliseconds
        });
    let entries = results::entries(entries);
    let entries = failures::entries(entries);
    ends::entries(entries).serve();
    if ends::is_case() {
        return;
    }
    let mut trials = results::trials();
    trials.extend(failures::trials());
    trials.extend(ends::trials());
    trials.extend(deaths::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A trial that passes unless it panics.
fn trial(name: &str, run: fn()) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}

/// A process ends by itself if it hangs.
fn watch() {
    nix::unistd::alarm::set(WATCHDOG);
}

/// Does nothing for so long.
fn pause(time: Duration) {
    let start = std::time::Instant::now();
    while let Some(left) = time.checked_sub(start.elapsed()) {
        thread::park_timeout(left);
    }
}

/// A pool of so many workers.
fn pool(workers: u32) -> Numbers {
    Pool::new(workers).expect("starts")
}

/// Whether there is such a process, as a zombie too.
fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Kills a child of this process; one that has ended, whose number may be another's by now, it leaves alone.
fn kill(pid: u32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    if parent.and_then(|parent| parent.trim().parse().ok()) != Some(std::process::id()) {
        return;
    }
    let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
}
