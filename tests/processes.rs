//! Processes are started, waited for and ended; none stays, as a zombie or otherwise, and none is hindered by another's ends.
//!
//! Children are this program again, by the entries below. Whatever forks does so in such a child, which has one thread.
#![expect(unsafe_code, reason = "forks, and ignores a signal")]

#[path = "processes/cycles.rs"]
mod cycles;
#[path = "processes/ends.rs"]
mod ends;
#[path = "processes/forks.rs"]
mod forks;
#[path = "processes/life.rs"]
mod life;
#[path = "processes/orphans.rs"]
mod orphans;
#[path = "processes/shared.rs"]
mod shared;

use laneway::process::Entries;
use libtest_mimic::{Arguments, Trial};

/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 120;

fn main() {
    if life::is_unserved() {
        return life::unserved();
    }
    let entries = life::entries(Entries::new());
    let entries = ends::entries(entries);
    let entries = orphans::entries(entries);
    let entries = shared::entries(entries);
    forks::entries(entries).serve();
    let mut trials = life::trials();
    trials.extend(ends::trials());
    trials.extend(forks::trials());
    trials.extend(orphans::trials());
    trials.extend(shared::trials());
    let arguments = Arguments::from_args();
    let alone = cycles::trials();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // These count what the whole process has, so nothing runs beside them.
    let threads = Some(1);
    let after = libtest_mimic::run(
        &Arguments {
            test_threads: threads,
            ..arguments
        },
        alone,
    );
    conclusion.exit_if_failed();
    after.exit();
}

/// A trial that passes unless it panics.
fn trial(name: &str, run: fn()) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}

/// A child ends by itself if it hangs.
fn watch() {
    nix::unistd::alarm::set(WATCHDOG);
}
