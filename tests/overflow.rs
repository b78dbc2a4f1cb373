//! What becomes of a message for which a ring has no room: nothing is given up that is not counted, and nobody waits who said that he would not.
//!
//! The children are this program again; they take their ends by `laneway::process::give`.

#[path = "overflow/crowd.rs"]
mod crowd;
#[path = "overflow/meaning.rs"]
mod meaning;

use std::env;

use laneway::{BoxChannel, BoxReceiver, Deadline, Endpoint, Receiver, RecvError};
use libtest_mimic::{Arguments, Trial};

/// The rings, in small.
const RINGS: [&str; 6] = [
    "shm+spsc:?capacity=4KiB",
    "shm+spsc:?capacity=4KiB&peer=untrusted",
    "shm+mpmc:?capacity=4KiB",
    "shm+mpmc:?capacity=4KiB&peer=untrusted",
    "shm+lock:?capacity=4KiB",
    "shm+lock:?capacity=4KiB&lock=raw_sync",
];
/// Those that can give up the oldest.
const DISCARDING: [&str; 4] = [
    "shm+mpmc:?capacity=4KiB",
    "shm+mpmc:?capacity=4KiB&peer=untrusted&wait=park",
    "shm+lock:?capacity=4KiB",
    "shm+lock:?capacity=4KiB&wait=park",
];

/// A name, and what is tried with an address.
type Case = (&'static str, fn(&str));

fn main() {
    if let Ok(role) = env::var(crowd::VARIABLE) {
        crowd::play(&role);
    }
    let mut trials = Vec::new();
    let mut add = |name: &str, rings: &[&'static str], case: fn(&str)| {
        for &ring in rings {
            trials.push(Trial::test(format!("{name}/{ring}"), move || {
                case(ring);
                Ok(())
            }));
        }
    };
    for &(name, case) in meaning::EVERYWHERE {
        add(name, &RINGS, case);
    }
    for &(name, case) in meaning::DISCARDING {
        add(name, &DISCARDING, case);
    }
    for &(name, case) in crowd::EVERYWHERE {
        add(name, &RINGS, case);
    }
    for &(name, case) in crowd::DISCARDING {
        add(name, &DISCARDING, case);
    }
    add("who_cannot_says_so", &[""], |_| meaning::refused());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// This ring, whose senders do so.
fn channel(ring: &str, overflow: &str) -> BoxChannel {
    laneway::channel(&format!("{ring}&overflow={overflow}")).expect("a good address")
}

/// The numbers that are there.
fn rest(rx: &mut BoxReceiver) -> Vec<u64> {
    let mut seen = Vec::new();
    loop {
        let each = &mut |message: &[u8]| {
            let (number, _) = message.split_first_chunk().expect("a number");
            seen.push(u64::from_le_bytes(*number));
        };
        match rx.drain_by(7, Deadline::NOW, each) {
            Ok(_) => {}
            Err(RecvError::Empty | RecvError::Disconnected) => return seen,
            Err(error) => panic!("{error}"),
        }
    }
}

/// How many messages were given up, as this end sees it.
fn drops(end: &dyn Endpoint) -> u64 {
    end.counters().expect("counts").drops
}
