//! Between processes: everything was received, or is counted, also when somebody is killed.

use std::{
    env,
    process::{self, Child, Command, Stdio},
    time::Duration,
};

use laneway::{
    Channel, Deadline, Endpoint, Receiver, RecvError, SendError, Sender,
    process::{give, inherited_receiver, inherited_sender},
};

use crate::{channel, drops};

/// For every ring.
pub(crate) const EVERYWHERE: &[crate::Case] = &[
    ("newest_all_accounted_for", |ring| {
        accounted(ring, "drop-newest");
    }),
    ("a_killed_receiver_is_missed", missed),
];
/// For rings that can give up the oldest.
pub(crate) const DISCARDING: &[crate::Case] = &[
    ("oldest_all_accounted_for", |ring| {
        accounted(ring, "drop-oldest");
    }),
    ("killed_senders_cost_nobody_else", killed),
];

/// Tells a child what to do.
pub(crate) const VARIABLE: &str = "LANEWAY_OVERFLOW";
/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 120;
/// Messages of each sender.
const EACH: u64 = 20_000;

/// A child; dropping it kills and reaps it.
struct Running(Child);

impl Running {
    fn start(role: &str, end: &dyn Endpoint) -> Self {
        let mut command = Command::new(env::current_exe().expect("own path"));
        command.env(VARIABLE, role).stdout(Stdio::null());
        give(&mut command, "end", end).expect("gives");
        Self(command.spawn().expect("starts itself"))
    }

    fn finish(mut self) {
        let status = self.0.wait().expect("our child");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After its end there is nobody to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Plays a child's role, and ends.
pub(crate) fn play(role: &str) -> ! {
    nix::unistd::alarm::set(WATCHDOG);
    let words: Vec<&str> = role.split(' ').collect();
    match words.as_slice() {
        ["send", who, count] => send(
            who.parse().expect("a number"),
            count.parse().expect("a number"),
        ),
        ["hold"] => {
            let _rx = inherited_receiver("end").expect("given");
            loop {
                std::thread::park();
            }
        }
        _ => process::exit(2),
    }
    process::exit(0);
}

/// Message `number` of sender `who`: every byte follows from the two.
fn write(who: u64, number: u64, message: &mut Vec<u8>) {
    message.clear();
    message.extend_from_slice(&who.to_le_bytes());
    message.extend_from_slice(&number.to_le_bytes());
    let filler = (who * 31 + number).to_le_bytes()[0];
    let len = usize::try_from(number * 37 % 211).expect("small");
    message.resize(16 + len, filler);
}

/// Whose it is and which, if every byte is as it was written.
fn check(message: &[u8]) -> Option<(u64, u64)> {
    let (who, rest) = message.split_first_chunk()?;
    let (number, _) = rest.split_first_chunk()?;
    let (who, number) = (u64::from_le_bytes(*who), u64::from_le_bytes(*number));
    let mut expected = Vec::new();
    write(who, number, &mut expected);
    (message == expected).then_some((who, number))
}

fn send(who: u64, count: u64) {
    let mut tx = inherited_sender("end").expect("given");
    let mut message = Vec::new();
    let mut number = 0;
    while number < count {
        write(who, number, &mut message);
        match tx.send(&message) {
            Ok(()) => number += 1,
            // Only while a receiver holds the oldest.
            Err(SendError::Full) => {}
            Err(SendError::Disconnected) => return,
            Err(error) => panic!("message {number}: {error}"),
        }
    }
}

/// Receives until nobody sends, and tells how many came; those of each sender in order.
fn receive(rx: &mut impl Receiver, senders: usize) -> u64 {
    let mut buf = [0; 1024];
    let mut next = vec![0; senders];
    let mut seen = 0;
    loop {
        match rx.recv(&mut buf) {
            Ok(len) => {
                let (who, number) = check(&buf[..len]).expect("whole");
                let next = &mut next[usize::try_from(who).expect("small")];
                assert!(number >= *next, "{number} of {who} after {next}");
                *next = number + 1;
                seen += 1;
                if seen % 16 == 0 {
                    std::thread::yield_now();
                }
            }
            Err(RecvError::Disconnected) => return seen,
            Err(error) => panic!("{error}"),
        }
    }
}

fn accounted(ring: &str, overflow: &str) {
    let channel = channel(ring, overflow);
    let (tx, mut rx) = channel.pair().expect("opens");
    let many = channel.capabilities().senders == laneway::Fan::Many;
    let senders = if many { 3 } else { 1 };
    let children: Vec<Running> = (0..senders)
        .map(|who| Running::start(&format!("send {who} {EACH}"), &tx))
        .collect();
    drop(tx);
    let seen = receive(&mut rx, senders);
    children.into_iter().for_each(Running::finish);
    let sent = senders as u64 * EACH;
    assert_eq!(drops(&rx), sent - seen, "of {sent} came {seen}");
    assert!(seen > 0);
}

/// A sender that never waits asks after the dead when there is no room.
fn missed(ring: &str) {
    for overflow in ["fail", "drop-newest"] {
        let (mut tx, rx) = channel(ring, overflow).pair().expect("opens");
        let child = Running::start("hold", &rx);
        drop(rx);
        let mut calls = 0_u32;
        while drops(&tx) == 0 && tx.send(&[0; 100]).is_ok() {
            calls += 1;
        }
        assert!(calls > 10, "{calls}");
        drop(child);
        loop {
            match tx.send(&[0; 100]) {
                Ok(()) | Err(SendError::Full) => std::thread::yield_now(),
                Err(SendError::Disconnected) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Senders that give up the oldest are killed anywhere; the others and the receiver go on, and nothing comes torn or twice.
fn killed(ring: &str) {
    let (tx, mut rx) = channel(ring, "drop-oldest").pair().expect("opens");
    let steady = Running::start(&format!("send 0 {EACH}"), &tx);
    let mut buf = [0; 1024];
    let mut next = [0; 16];
    for who in 1..next.len() {
        let victim = Running::start(&format!("send {who} {}", u64::MAX), &tx);
        // Until some of it has come, and some more.
        let mut more = None;
        while more != Some(0) {
            let received = rx.recv_by(&mut buf, Deadline::after(Duration::from_secs(60)));
            let len = received.expect("they go on");
            let (from, number) = check(&buf[..len]).expect("whole");
            let next = &mut next[usize::try_from(from).expect("small")];
            assert!(number >= *next, "{number} of {from} after {next}");
            *next = number + 1;
            if from == who as u64 {
                more = Some(more.map_or(who * 29 % 50, |more: usize| more.saturating_sub(1)));
            }
        }
        drop(victim);
    }
    drop(tx);
    loop {
        match rx.recv(&mut buf) {
            Ok(len) => assert!(check(&buf[..len]).is_some(), "whole"),
            Err(RecvError::Disconnected) => break,
            Err(error) => panic!("{error}"),
        }
    }
    steady.finish();
    assert!(drops(&rx) > 0);
}
