//! 64 receivers of all kinds at once. 2,000 messages each, or as many in all as LANEWAY_TEST_ITEMS says.

use std::env;

use laneway::{
    BoxReceiver, Deadline, Receiver, RecvError, Sender, WaitError,
    process::{Child, Entries, Process, inherited_sender},
    wait_any,
};
use libtest_mimic::Trial;

use crate::{KINDS, borrow, pair, trial, watch};

/// How many receivers there are.
const RECEIVERS: usize = 64;
/// How many processes send.
const SENDERS: usize = 4;

pub(crate) fn entries(entries: Entries) -> Entries {
    entries.entry("feed", |(keys, each): (Vec<usize>, u64)| feed(&keys, each))
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("crowd/each_message_is_seen_once", each_once),
        trial("crowd/none_is_starved", none_starved),
    ]
}

/// Sends so many numbers into each of its channels, by turns, with a pause now and then.
fn feed(keys: &[usize], each: u64) {
    watch();
    let senders = keys
        .iter()
        .map(|key| inherited_sender(&key.to_string()).expect("given"));
    let mut senders: Vec<_> = senders.collect();
    for number in 0..each {
        for tx in &mut senders {
            tx.send(&number.to_le_bytes()).expect("sends");
        }
        if number % 97 == 0 {
            // So that the receivers have to sleep as well.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

/// Receivers of these kinds, and the processes that send so many to each.
fn crowd(kinds: &[&str], each: u64) -> (Vec<BoxReceiver>, Vec<Child>) {
    let kinds = kinds.iter().cycle().take(RECEIVERS);
    let (mut senders, receivers): (Vec<_>, Vec<_>) = kinds.map(|kind| pair(kind)).unzip();
    let children = (0..SENDERS).map(|first| {
        let keys: Vec<usize> = (first..RECEIVERS).step_by(SENDERS).collect();
        let mut process = Process::new("feed", &(keys.clone(), each));
        for key in keys {
            process = process
                .give(&key.to_string(), &senders[key])
                .expect("gives");
        }
        process.end_with_parent().start().expect("starts")
    });
    let children = children.collect();
    senders.clear();
    (receivers, children)
}

/// Receives the next message of this receiver, which is there: its number, `None` if there will be none.
fn next(receiver: &mut BoxReceiver) -> Option<u64> {
    let mut buf = [0; 8];
    match receiver.try_recv(&mut buf) {
        Ok(8) => Some(u64::from_le_bytes(buf)),
        Err(RecvError::Disconnected) => None,
        // Also `Empty`: there was to be no wait.
        other => panic!("{other:?}"),
    }
}

fn each_once() {
    let all: u64 = env::var("LANEWAY_TEST_ITEMS")
        .ok()
        .map_or(2000 * RECEIVERS as u64, |items| {
            items.parse().expect("a number")
        });
    let each = all.div_ceil(RECEIVERS as u64);
    let (mut receivers, children) = crowd(&KINDS, each);
    let mut open: Vec<usize> = (0..RECEIVERS).collect();
    let mut seen = [0; RECEIVERS];
    while !open.is_empty() {
        let place = wait_any(&mut borrow(&mut receivers), Deadline::NEVER).expect("waits");
        let key = open[place];
        match next(&mut receivers[place]) {
            Some(number) => {
                assert_eq!(number, seen[key], "of {}", KINDS[key % KINDS.len()]);
                seen[key] += 1;
            }
            None => {
                // Ready for ever from now on.
                assert_eq!(seen[key], each, "of {}", KINDS[key % KINDS.len()]);
                drop((receivers.remove(place), open.remove(place)));
            }
        }
    }
    assert_eq!(seen.iter().sum::<u64>(), each * RECEIVERS as u64);
    for child in children {
        assert!(child.join().expect("ends").success());
    }
}

/// All have data all the time: as many as fit into any of them.
fn none_starved() {
    const EACH: u64 = 400;
    const TURNS: usize = 6400;

    // A pipe of packets holds 16.
    let kinds: Vec<&str> = KINDS
        .into_iter()
        .filter(|kind| !kind.contains("packet"))
        .collect();
    let (mut receivers, children) = crowd(&kinds, EACH);
    // All is there.
    for child in children {
        assert!(child.join().expect("ends").success());
    }
    let mut told = [0_u64; RECEIVERS];
    for turn in 0..TURNS {
        let place = wait_any(&mut borrow(&mut receivers), Deadline::NOW).expect("is there");
        let number = next(&mut receivers[place]);
        assert_eq!(number, Some(told[place]), "turn {turn}");
        told[place] += 1;
    }
    let fair = TURNS as u64 / RECEIVERS as u64;
    let shares = told.iter().enumerate();
    let wrong: Vec<_> = shares
        .filter(|&(_, &share)| share < fair / 2 || share > fair * 2)
        .collect();
    assert!(wrong.is_empty(), "{fair} each would be fair: {wrong:?}");
    // What is left is told too, and the end.
    let mut left = 0;
    while !receivers.is_empty() {
        let place = wait_any(&mut borrow(&mut receivers), Deadline::NOW).expect("is there");
        match next(&mut receivers[place]) {
            Some(_) => left += 1,
            None => drop(receivers.remove(place)),
        }
    }
    assert_eq!(left, EACH * RECEIVERS as u64 - TURNS as u64);
    let none = wait_any(&mut [], Deadline::NOW);
    assert!(matches!(none, Err(WaitError::NoReceivers)), "{none:?}");
}
