//! Rounds until enough were killed.

use std::time::{Duration, Instant};

use crate::{
    case::Case,
    chance::{Chance, mix},
    ledger::Ledger,
    private,
    round::{Outcome, Round},
};

/// How many are killed in one round at most: what is written down of it is kept until it ends.
const ROUND: u64 = 150;
/// How many problems are told of one transport.
const TOLD: usize = 20;

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) seed: u64,
    pub(crate) kills: u64,
    pub(crate) watchdog: Duration,
    /// Whether this process is in a world of its own, so that what is left can be told.
    pub(crate) private: bool,
}

/// What came of it, for one transport.
#[derive(Debug)]
pub(crate) struct Result {
    pub(crate) name: String,
    pub(crate) total: Outcome,
    pub(crate) took: Duration,
}

/// Kills the users of one transport.
pub(crate) fn sweep(case: &Case, ledger: &Ledger, effort: Effort) -> Result {
    let start = Instant::now();
    let name = case.name();
    let own = name
        .bytes()
        .fold(effort.seed, |seed, byte| mix(seed ^ u64::from(byte)));
    let mut chance = Chance::new(own);
    let mut total = Outcome::default();
    let descriptors = private::descriptors().unwrap_or(0);
    while total.senders + total.receivers < effort.kills && total.wrong.len() < TOLD {
        let seed = chance.next();
        let left = effort.kills - total.senders - total.receivers;
        let kills = (1 + chance.below(ROUND)).min(left);
        let round = Round::new(case, ledger, seed, effort.watchdog);
        let outcome = match round {
            Ok(round) => round.run(kills),
            Err(wrong) => Outcome {
                wrong: vec![wrong],
                ..Outcome::default()
            },
        };
        add(&mut total, outcome, seed);
        if effort.private {
            match private::leftovers(descriptors) {
                Ok(left) => total.wrong.extend(
                    left.into_iter()
                        .map(|left| format!("round {seed:#x}: {left}")),
                ),
                Err(error) => total.wrong.push(error.to_string()),
            }
        }
    }
    Result {
        name,
        total,
        took: start.elapsed(),
    }
}

fn add(total: &mut Outcome, round: Outcome, seed: u64) {
    total.senders += round.senders;
    total.receivers += round.receivers;
    total.torn += round.torn;
    total.stall = total.stall.max(round.stall);
    total.tally.messages += round.tally.messages;
    total.tally.lost += round.tally.lost;
    total.tally.may_lose += round.tally.may_lose;
    total.tally.again += round.tally.again;
    total.tally.may_come_again += round.tally.may_come_again;
    total.wrong.extend(
        round
            .wrong
            .into_iter()
            .map(|wrong| format!("round {seed:#x}: {wrong}")),
    );
}
