//! What became of the messages: who lost any, who got any twice, and whether that was promised.

use std::{collections::HashMap, io};

use crate::{case::Taken, ledger::Page, member::Taking};

/// A member that was there, and how it ended.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) id: u32,
    pub(crate) page: Page,
    pub(crate) taking: Option<Taking>,
    pub(crate) killed: bool,
}

/// What there was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Sends that are known to have returned.
    pub(crate) messages: u64,
    /// Of these, never received: a receiver had them in its hands when it died.
    pub(crate) lost: u64,
    /// As many as could be lost so.
    pub(crate) may_lose: u64,
    /// Received again.
    pub(crate) again: u64,
    /// As many as could be.
    pub(crate) may_come_again: u64,
}

/// How many messages a death of a receiver may lose, and how many make come again.
fn allowed(taken: Taken, taking: Taking, batch: u64) -> (u64, u64) {
    match (taken, taking) {
        // Written down before they are finished.
        (Taken::Again, Taking::Peek) => (0, 1),
        (Taken::Again, Taking::Drain(_)) => (0, batch),
        // Finished before they are written down.
        (Taken::Again, Taking::Receive) | (Taken::Lost, Taking::Peek | Taking::Receive) => (1, 0),
        (_, Taking::Drain(max) | Taking::DrainFirst(max)) => (max as u64, 0),
    }
}

/// Counts, and tells what is wrong. `drained` if the last receivers went on until there was nothing left.
pub(crate) fn tally(
    all: &[Past],
    taken: Taken,
    batch: u64,
    drained: bool,
) -> io::Result<(Tally, Vec<String>)> {
    let mut wrong = Vec::new();
    let mut counts: HashMap<u32, Vec<u32>> = HashMap::new();
    for past in all.iter().filter(|past| past.taking.is_none()) {
        let (begun, _) = past.page.sent()?;
        counts.insert(past.id, vec![0; usize::try_from(begun).unwrap_or(0)]);
    }
    let mut tally = Tally::default();
    for past in all {
        let Some(taking) = past.taking else { continue };
        for (sender, number) in past.page.all_received()? {
            let place = usize::try_from(number.wrapping_sub(1)).unwrap_or(usize::MAX);
            match counts
                .get_mut(&sender)
                .and_then(|counts| counts.get_mut(place))
            {
                Some(count) => *count += 1,
                None => wrong.push(format!(
                    "receiver {} got message {number} of sender {sender}, who never sent it",
                    past.id
                )),
            }
        }
        if past.killed {
            let (lost, again) = allowed(taken, taking, batch);
            tally.may_lose += lost;
            tally.may_come_again += again;
        }
    }
    let mut missing = Vec::new();
    for past in all.iter().filter(|past| past.taking.is_none()) {
        let (_, returned) = past.page.sent()?;
        tally.messages += returned;
        for (number, &count) in (1..).zip(counts.get(&past.id).into_iter().flatten()) {
            tally.again += u64::from(count.saturating_sub(1));
            if count == 0 && number <= returned {
                tally.lost += 1;
                missing.push(format!("{}/{number}", past.id));
            }
        }
    }
    if !drained {
        tally.lost = 0;
        tally.may_lose = 0;
    }
    if tally.lost > tally.may_lose {
        missing.truncate(10);
        wrong.push(format!(
            "{} messages lost that were sent, {} could be (sender/number: {})",
            tally.lost,
            tally.may_lose,
            missing.join(" ")
        ));
    }
    if tally.again > tally.may_come_again {
        wrong.push(format!(
            "{} messages came again, {} could",
            tally.again, tally.may_come_again
        ));
    }
    Ok((tally, wrong))
}
