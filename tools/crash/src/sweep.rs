//! Rounds until enough were killed.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    case::Case,
    chance::{Chance, mix},
    ledger::Ledger,
    points::Hits,
    private,
    round::{Outcome, Round},
};

/// How many are killed in one round at most: what is written down of it is kept until it ends.
const ROUND: u64 = 150;
/// How many more are killed, for each death at a point that is wanted, before it counts as a point that nobody comes to.
const PATIENCE: u64 = 2000;

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) seed: u64,
    pub(crate) kills: u64,
    pub(crate) watchdog: Duration,
    /// Whether this process is in a world of its own, so that what is left can be told.
    pub(crate) private: bool,
    /// How many problems of one transport are enough.
    pub(crate) told: usize,
    /// How many shall die at each named point; 0 if all die at random.
    pub(crate) each: u64,
    /// Whether to go on until so many have died at each, and to call it a problem if that takes too long.
    pub(crate) complete: bool,
    /// Only at points whose names start so, if there are any here.
    pub(crate) only: &'static [&'static str],
}

/// What came of it, for one transport.
#[derive(Debug)]
pub(crate) struct Result {
    pub(crate) name: String,
    pub(crate) total: Outcome,
    pub(crate) took: Duration,
    /// Where they died, if they were to die at points.
    pub(crate) hits: Option<Hits>,
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
    // What others have left is not its fault.
    let left = private::leftovers(descriptors).unwrap_or_default();
    let mut told: BTreeSet<String> = left.into_iter().collect();
    let mut hits = (effort.each > 0).then(|| match effort.only {
        [] => Hits::of(case),
        only => Hits::of(case).only(only),
    });
    let is_done = |total: &Outcome, hits: &Option<Hits>| {
        let killed = total.senders + total.receivers;
        let all = |hits: &Hits| hits.below(effort.each).is_empty();
        let reached = !effort.complete || hits.as_ref().is_none_or(all);
        killed >= effort.kills && (reached || killed > effort.kills + PATIENCE * effort.each)
    };
    while !is_done(&total, &hits) && total.wrong.len() < effort.told {
        let seed = chance.next();
        // Some points are come to only at the start or the end of a round.
        let most = match hits {
            Some(_) => 1 + chance.below(ROUND / 3),
            None => ROUND,
        };
        let kills = (1 + chance.below(most)).min(effort.kills.max(1));
        let outcome = match Round::new(case, ledger, seed, effort.watchdog, hits.clone()) {
            Ok(round) => {
                let (outcome, more) = round.run(kills);
                hits = more;
                outcome
            }
            Err(wrong) => Outcome {
                wrong: vec![wrong],
                ..Outcome::default()
            },
        };
        add(&mut total, outcome, seed);
        if effort.private {
            match private::leftovers(descriptors) {
                Ok(left) => {
                    for left in left {
                        // What stays is told once.
                        if told.insert(left.clone()) {
                            total.wrong.push(format!("round {seed:#x}: {left}"));
                        }
                    }
                }
                Err(error) => total.wrong.push(error.to_string()),
            }
        }
    }
    let stopped = total.wrong.len() >= effort.told;
    let missed = hits
        .iter()
        .filter(|_| effort.complete && !stopped)
        .flat_map(|hits| hits.below(1));
    for point in missed {
        total
            .wrong
            .push(format!("nobody came to the point {point}"));
    }
    Result {
        name,
        total,
        took: start.elapsed(),
        hits,
    }
}

fn add(total: &mut Outcome, round: Outcome, seed: u64) {
    total.senders += round.senders;
    total.receivers += round.receivers;
    total.torn += round.torn;
    total.stall = total.stall.max(round.stall);
    total.late = total.late.max(round.late);
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
