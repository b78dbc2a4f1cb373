//! Recovery with one step left out, each in turn: then something must be wrong, or the sweep would not see that the step is missing.

use std::time::Duration;

use laneway::crash_points;

use crate::{
    case::Case,
    ledger::Ledger,
    step,
    sweep::{Effort, sweep},
};

/// After every how many instructions to die, where that is tried.
const STRIDE: u64 = 61;
/// How long without progress counts as a hang here, where one is expected.
const WATCHDOG: Duration = Duration::from_secs(2);

/// The transports that rely on a step, by the start of their names.
fn relies(step: &str) -> &'static [&'static str] {
    match step {
        "take-lock-over" | "give-lock-back" => &["shm+lock:"],
        "skip-claim" | "adopt-taken" | "disown" => &["shm+mpmc:"],
        "walk-to-last" | "follow-head" => &["shm+spsc:"],
        "heal-stale" => &[
            "shm+lock:NAME",
            "shm+spsc:NAME",
            "shm+mpmc:NAME",
            "sysv:NAME",
        ],
        _ => &["shm+lock:", "shm+spsc:", "shm+mpmc:"],
    }
}

/// Leaves out each step; whether each was missed.
pub(crate) fn run(cases: &[Case], ledger: &Ledger, effort: Effort) -> bool {
    let mut all = true;
    println!("| step left out | transport | killed | seconds | what is wrong then |");
    println!("|---|---|---:|---:|---|");
    for &step in crash_points::steps() {
        let relies = relies(step);
        let relying = cases.iter().filter(|case| {
            let name = case.name();
            // Without a name and with one are the same where no name is asked for.
            relies.iter().any(|start| name == *start)
        });
        for case in relying {
            crash_points::leave_out(step);
            let effort = Effort {
                watchdog: WATCHDOG,
                told: 1,
                ..effort
            };
            let result = sweep(case, ledger, effort);
            let killed = result.total.senders + result.total.receivers;
            let mut all_wrong = result.total.wrong.iter();
            // That nobody came to a point is no fault that it has shown.
            let wrong = all_wrong.find(|wrong| !wrong.starts_with("nobody came"));
            // What is missed only by one whose send has not returned shows where single deaths are looked at.
            let stepped = || step::first_wrong(case, ledger, STRIDE);
            let wrong = wrong.cloned().or_else(stepped);
            crash_points::leave_out("");
            let told = wrong.as_ref().map_or("NOTHING".to_owned(), |wrong| {
                wrong
                    .chars()
                    .take(110)
                    .filter(|c| *c != '|' && *c != '\n')
                    .collect()
            });
            println!(
                "| {step} | `{}` | {killed} | {:.1} | {told} |",
                result.name,
                result.took.as_secs_f64()
            );
            all &= wrong.is_some();
        }
    }
    all
}
