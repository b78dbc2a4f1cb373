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
/// How many to kill at most before a step counts as not missed.
const KILLS: u64 = 3000;
/// How many to kill at least with the step in its place.
const LEAST: u64 = 50;
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
        // Nobody here awaits one: tests/wait_any leaves it out.
        "report-news" => &[],
        _ => &["shm+lock:", "shm+spsc:", "shm+mpmc:"],
    }
}

/// Where those die who leave something for a step to do, by the start of the points' names; none if a death anywhere does.
fn leaves(step: &str) -> &'static [&'static str] {
    match step {
        "take-lock-over" | "give-lock-back" => &["lock.taken", "locked."],
        "skip-claim" => &[
            "mpmc.claimed",
            "mpmc.passed",
            "mpmc.stamped",
            "mpmc.written",
        ],
        "adopt-taken" => &["mpmc.taken", "mpmc.head-passed"],
        "disown" => &[
            "mpmc.claimed",
            "mpmc.written",
            "mpmc.taken",
            "mpmc.head-passed",
        ],
        "walk-to-last" | "follow-head" => &["spsc.shown"],
        _ => &[],
    }
}

/// Leaves out each step; whether each was missed, and nothing else was wrong.
pub(crate) fn run(cases: &[Case], ledger: &Ledger, effort: Effort) -> bool {
    let mut all = true;
    println!("| step left out | transport | killed | seconds | what is wrong then | and with it |");
    println!("|---|---|---:|---:|---|---|");
    for &step in crash_points::steps() {
        let relies = relies(step);
        let relying = cases.iter().filter(|case| {
            let name = case.name();
            // Without a name and with one are the same where no name is asked for.
            relies.iter().any(|start| name == *start)
        });
        for case in relying {
            let whole = Effort {
                told: 1,
                kills: KILLS,
                each: 1,
                complete: false,
                only: leaves(step),
                ..effort
            };
            let watchdog = WATCHDOG;
            crash_points::leave_out(step);
            let result = sweep(case, ledger, Effort { watchdog, ..whole });
            // What chance has not found shows where single deaths are looked at.
            let found = result.total.wrong.first().cloned();
            let wrong = found.or_else(|| step::first_wrong(case, ledger, STRIDE));
            crash_points::leave_out("");
            let killed = result.total.senders + result.total.receivers;
            // The same deaths, or nearly, with the step in its place.
            let kills = killed.max(LEAST);
            let whole = sweep(case, ledger, Effort { kills, ..whole });
            let sound = whole.total.wrong.is_empty();
            let told = wrong.as_ref().map_or("NOTHING".to_owned(), |wrong| {
                wrong
                    .chars()
                    .take(110)
                    .filter(|c| *c != '|' && *c != '\n')
                    .collect()
            });
            println!(
                "| {step} | `{}` | {killed} | {:.1} | {told} | {} |",
                result.name,
                result.took.as_secs_f64(),
                whole.total.wrong.first().map_or("nothing", String::as_str)
            );
            all &= wrong.is_some() && sound;
        }
    }
    all
}
