//! Futures that are dropped at random moments: what they were to receive or send is neither lost nor doubled.

use std::time::Duration;

use ::tokio::{
    task::{JoinSet, yield_now},
    time::timeout,
};
use futures_util::{
    FutureExt,
    future::{Either, select},
    pin_mut,
};
use laneway::{
    BoxReceiver, BoxSender, RecvError, Sender,
    process::{Entries, Process, inherited_sender},
    tokio::{AsyncReceiver, AsyncSender},
};
use libtest_mimic::Trial;

use crate::{KINDS, chance, pair, run, trial, watch};

/// How many messages each channel carries.
const EACH: u64 = 3000;
/// The lengths of messages, by their number.
const LENGTHS: [usize; 5] = [8, 64, 500, 9, 4000];

pub(crate) fn entries(entries: Entries) -> Entries {
    entries.entry("stutter", |()| stutter())
}

pub(crate) fn trials() -> Vec<Trial> {
    let each = |from: &'static str| {
        KINDS.into_iter().map(move |kind| {
            trial(format!("cancel/{kind}/from_{from}"), move || match from {
                "a_task" => from_a_task(kind),
                _ => from_a_process(kind),
            })
        })
    };
    each("a_task").chain(each("a_process")).collect()
}

/// A message that tells its number, and whether it is whole.
fn message(number: u64) -> Vec<u8> {
    let index = usize::try_from(number).expect("small") % LENGTHS.len();
    let mut message = vec![number.to_le_bytes()[0]; LENGTHS[index]];
    message[..8].copy_from_slice(&number.to_le_bytes());
    message
}

/// Sends now fast and now slowly, into an end that it was given.
fn stutter() {
    watch();
    let mut tx = inherited_sender("tx").expect("given");
    let mut state = 3;
    for number in 0..EACH {
        tx.send(&message(number)).expect("sends");
        if chance(&mut state).is_multiple_of(16) {
            std::thread::sleep(Duration::from_micros(chance(&mut state) % 400));
        }
    }
}

/// Ends after some turns of the other tasks.
async fn turns(count: u64) {
    for _ in 0..count {
        yield_now().await;
    }
}

/// Receives all, and cancels most of what it begins.
async fn receive(rx: BoxReceiver, kind: &'static str) {
    let mut rx = AsyncReceiver::new(rx);
    let mut state = 1;
    let mut buf = vec![0; 4096];
    let (mut next, mut cancelled) = (0, 0);
    loop {
        let dice = chance(&mut state);
        let received = match dice % 4 {
            0 => rx.recv(&mut buf).now_or_never(),
            1 => {
                let short = Duration::from_micros(dice / 4 % 1500);
                timeout(short, rx.recv(&mut buf)).await.ok()
            }
            2 => {
                let (received, others) = (rx.recv(&mut buf), turns(dice / 4 % 8));
                pin_mut!(received, others);
                match select(received, others).await {
                    Either::Left((received, _)) => Some(received),
                    Either::Right(_) => None,
                }
            }
            _ => Some(rx.recv(&mut buf).await),
        };
        match received {
            None => cancelled += 1,
            Some(Ok(len)) => {
                assert_eq!(&buf[..len], message(next), "{kind}: message {next}");
                next += 1;
            }
            Some(Err(RecvError::Disconnected)) => break,
            Some(Err(error)) => panic!("{kind}: {error}"),
        }
    }
    assert_eq!(next, EACH, "{kind}: {cancelled} cancelled");
}

/// Sends all, and cancels much of what it begins.
async fn send(tx: BoxSender, kind: &'static str) {
    let mut tx = AsyncSender::new(tx);
    let mut state = 2;
    for number in 0..EACH {
        let message = message(number);
        loop {
            let dice = chance(&mut state);
            let sent = match dice % 3 {
                0 => tx.send(&message).now_or_never(),
                1 => {
                    let short = Duration::from_micros(dice / 3 % 1500);
                    timeout(short, tx.send(&message)).await.ok()
                }
                _ => Some(tx.send(&message).await),
            };
            if let Some(sent) = sent {
                sent.unwrap_or_else(|e| panic!("{kind}: {e}"));
                break;
            }
        }
        if chance(&mut state).is_multiple_of(32) {
            let count = chance(&mut state) % 20;
            turns(count).await;
        }
    }
}

fn from_a_task(kind: &'static str) {
    run(async move {
        let (tx, rx) = pair(kind);
        let mut tasks = JoinSet::new();
        tasks.spawn(receive(rx, kind));
        tasks.spawn(send(tx, kind));
        while let Some(task) = tasks.join_next().await {
            task.expect("no panic");
        }
    });
}

fn from_a_process(kind: &'static str) {
    let (tx, rx) = pair(kind);
    let process = Process::new("stutter", &()).give("tx", &tx).expect("gives");
    let child = process.end_with_parent().start().expect("starts");
    drop(tx);
    run(receive(rx, kind));
    assert!(child.join().expect("ends").success());
}
