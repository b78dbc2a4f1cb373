//! A pipeline passes each item once, in order if that is wanted, ends by itself, and tells which process failed.
//!
//! Its processes are this program again, by the entries below.
#![allow(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one only counts"
)]

#[path = "pipeline/entries.rs"]
mod entries;
#[path = "pipeline/faults.rs"]
mod faults;
#[path = "pipeline/flow.rs"]
mod flow;
#[path = "pipeline/leftovers.rs"]
mod leftovers;
#[path = "pipeline/order.rs"]
mod order;
mod private;
#[path = "pipeline/refusals.rs"]
mod refusals;
#[path = "pipeline/stats.rs"]
mod stats;

use std::{env, process};

use laneway::process::Entries;
use libtest_mimic::{Arguments, Trial};

/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 300;

fn main() {
    nix::unistd::alarm::set(WATCHDOG);
    let entries = entries::entries(Entries::new());
    leftovers::entries(entries).serve();
    if let Ok(task) = env::var(leftovers::VARIABLE) {
        leftovers::play(&task);
        process::exit(0);
    }
    let mut trials = flow::trials();
    trials.extend(order::trials());
    trials.extend(faults::trials());
    trials.extend(leftovers::trials());
    trials.extend(refusals::trials());
    trials.extend(stats::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A trial that passes unless it panics.
fn trial(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}
