//! Clocks that differ between processes, and that are set: deadlines are kept by each process's own monotonic clock, and nothing else is told by a clock.
//!
//! The wall clock of the machine cannot be set here; that no code of the library asks it is a rule of `tests/architecture`.

use std::{fs, time::Duration};

use laneway::{BoxChannel, Channel, Receiver, Sender, conformance::Numbered};
use nix::sched::{CloneFlags, unshare};

use crate::{
    peer::Peer,
    world::{self, Case},
};

pub(crate) const CASES: &[Case] = &[
    Case::new("a_peer_with_a_clock_ahead_is_understood", ahead).private(),
    Case::new("a_peer_with_a_clock_behind_is_understood", behind).private(),
];

/// Questions to the peer.
const ROUNDS: u64 = 300;

fn ahead(channel: &BoxChannel) {
    with_clock(channel, 1_000_000);
}

fn behind(channel: &BoxChannel) {
    let told = fs::read_to_string("/proc/uptime").expect("proc");
    let up: f64 = told
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number");
    // As far as it goes: nearly to when the machine started.
    let seconds = Duration::from_secs_f64(up).as_secs().saturating_sub(2);
    with_clock(channel, -i64::try_from(seconds).expect("not that long"));
}

/// Asks and answers with a peer whose monotonic clock differs by so many seconds.
fn with_clock(channel: &BoxChannel, seconds: i64) {
    let open = |word| {
        let named = world::named(channel, word);
        named.as_ref().unwrap_or(channel).pair().expect("opens")
    };
    let (mut tx, questions) = open("questions");
    let (answers, mut rx) = open("answers");
    let (keep, silence) = open("silence");
    // CLONE_NEWTIME, which nix does not name.
    unshare(CloneFlags::from_bits_retain(0x80)).expect("a time namespace");
    let offset = format!("monotonic {seconds} 0\n");
    fs::write("/proc/self/timens_offsets", offset).expect("sets");
    let peer = Peer::start_with(
        "answer",
        &[
            ("questions", &questions),
            ("answers", &answers),
            ("silence", &silence),
        ],
    );
    drop((questions, answers, silence));
    let numbered = Numbered { min: 8, max: 64 };
    let mut message = Vec::new();
    for number in 0..ROUNDS {
        // So that both fall asleep, and wake each other.
        if number % 10 == 0 {
            world::pause(Duration::from_millis(2));
        }
        numbered.write(number, &mut message);
        tx.send(&message).expect("sends");
        let answer = rx.peek(laneway::Deadline::NEVER).expect("comes");
        assert_eq!(numbered.check(answer), Some(number));
        rx.consume();
    }
    drop(tx);
    peer.end();
    drop(keep);
}
