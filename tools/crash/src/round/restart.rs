//! Everybody is killed and starts again under the same name, at once.

use std::{
    thread,
    time::{Duration, Instant},
};

use laneway::End;

use super::{LIFE, Round, Wrong, told};
use crate::ledger::Ledger;
use crate::{case::Case, chance::Chance};

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    /// How often all had their ends.
    pub(crate) started: u64,
    /// How many were killed.
    pub(crate) killed: u64,
    /// The longest time until all had their ends.
    pub(crate) longest: Duration,
    pub(crate) wrong: Vec<String>,
}

/// Does it so many times, of one transport.
pub(crate) fn restart(
    case: &Case,
    ledger: &Ledger,
    seed: u64,
    watchdog: Duration,
    times: u64,
) -> Restarts {
    let mut seen = Restarts::default();
    let mut chance = Chance::new(seed);
    let left = times.min(50);
    let mut done = 0;
    // The capacity and how ends wait are the same under one name, so there are several names.
    while done < times && seen.wrong.is_empty() {
        let own = chance.next();
        let result = Round::new(case, ledger, own, watchdog, None)
            .and_then(|round| round.restart(left.min(times - done), &mut seen));
        if let Err(wrong) = result {
            seen.wrong.push(format!("round {own:#x}: {wrong}"));
        }
        done += left;
    }
    seen
}

impl Round<'_> {
    fn restart(mut self, times: u64, seen: &mut Restarts) -> Result<(), Wrong> {
        for _ in 0..times {
            self.ledger.clear().map_err(told)?;
            self.past.clear();
            let start = Instant::now();
            let mut ends = vec![End::Sender, End::Receiver];
            if self.case.is_shared() {
                ends.extend([End::Sender, End::Receiver]);
            }
            if self.chance.one_in(2) {
                ends.reverse();
            }
            // All at once, so they race for who makes it.
            for end in ends {
                self.start(end, false)?;
            }
            self.await_open()?;
            seen.started += 1;
            seen.longest = seen.longest.max(start.elapsed());
            if self.chance.one_in(2) {
                self.await_progress(&[])?;
            } else {
                thread::sleep(self.chance.time(LIFE));
            }
            for member in &self.running {
                member.child.kill().map_err(told)?;
            }
            let before = self.deaths();
            self.massacre()?;
            seen.killed += self.deaths() - before;
            // What comes is from those who live, not from those before them.
            self.count(false)?;
            if let Some(wrong) = self.outcome.wrong.pop() {
                return Err(wrong);
            }
        }
        self.open_again()
    }
}
