//! An hour of traffic with deaths, on one transport after another: neither those who live on nor this process grow, and nothing is
//! left behind.

use std::{
    process,
    time::{Duration, Instant},
};

use crate::{
    case::Case,
    chance::Chance,
    ledger::Ledger,
    private,
    round::{Kept, Round, held},
    sweep::Effort,
};

/// How much more memory this process may have after its first round of all transports, in KiB.
const SLACK: u64 = 8 << 10;

/// What one transport showed in all its shifts.
#[derive(Clone, Debug, Default)]
struct Seen {
    shifts: u64,
    killed: u64,
    messages: u64,
    stall: Duration,
    kept: Kept,
    wrong: Vec<String>,
}

/// Goes on for this time, a `shift` on each transport in turn; whether all was well.
pub(crate) fn run(
    cases: &[Case],
    ledger: &Ledger,
    effort: Effort,
    time: Duration,
    shift: Duration,
) -> bool {
    let start = Instant::now();
    let mut chance = Chance::new(effort.seed);
    let mut all = vec![Seen::default(); cases.len()];
    let descriptors = private::descriptors().unwrap_or(0);
    let mut own = Vec::new();
    while start.elapsed() < time {
        for (case, seen) in cases.iter().zip(&mut all) {
            let seed = chance.next();
            match Round::new(case, ledger, seed, effort.watchdog, None) {
                Ok(round) => {
                    let (outcome, kept) = round.soak(shift);
                    seen.shifts += 1;
                    seen.killed += outcome.senders + outcome.receivers;
                    seen.messages += outcome.tally.messages;
                    seen.stall = seen.stall.max(outcome.stall);
                    seen.kept = seen.kept.max(kept);
                    seen.wrong.extend(outcome.wrong);
                }
                Err(wrong) => seen.wrong.push(wrong),
            }
            if effort.private {
                let left = private::leftovers(descriptors);
                seen.wrong
                    .extend(left.unwrap_or_else(|error| vec![error.to_string()]));
            }
        }
        own.extend(held(process::id()));
        let memory = own.last().map_or(0, |held| held.memory);
        let minutes = start.elapsed().as_secs_f64() / 60.0;
        let killed: u64 = all.iter().map(|seen| seen.killed).sum();
        let wrong: usize = all.iter().map(|seen| seen.wrong.len()).sum();
        println!(
            "{minutes:.1} minutes: {killed} killed, {wrong} problems, this process {memory} KiB"
        );
        if wrong > 0 {
            break;
        }
    }
    print(cases, &all);
    let grown = match own.as_slice() {
        [first, .., last] => last.memory.saturating_sub(first.memory),
        _ => 0,
    };
    if grown > SLACK {
        println!("this process has grown by {grown} KiB");
    }
    grown <= SLACK && all.iter().all(|seen| seen.wrong.is_empty())
}

fn print(cases: &[Case], all: &[Seen]) {
    println!(
        "| transport | shifts | killed | messages | longest stall | one who lives on has at most | and has grown by at most | problems |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for (case, seen) in cases.iter().zip(all) {
        println!(
            "| `{}` | {} | {} | {} | {:.0} ms | {} KiB, {} descriptors | {} KiB, {} descriptors | {} |",
            case.name(),
            seen.shifts,
            seen.killed,
            seen.messages,
            seen.stall.as_secs_f64() * 1e3,
            seen.kept.last.memory,
            seen.kept.last.descriptors,
            seen.kept.grown.memory,
            seen.kept.grown.descriptors,
            seen.wrong.len()
        );
    }
    for (case, seen) in cases.iter().zip(all) {
        for wrong in &seen.wrong {
            println!("\n{} {wrong}", case.name());
        }
    }
}
