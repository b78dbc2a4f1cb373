//! Ends that close, die, come again, are shared, or take long messages.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use ::tokio::{task::spawn, time::sleep};
use futures_util::{FutureExt, SinkExt, StreamExt};
use laneway::{
    Channel, Receiver, RecvError, SendError, Sender,
    process::{Entries, Process, inherited_receiver, inherited_sender},
    tokio::{AsyncReceiver, AsyncSender},
};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, raise};

use crate::{KINDS, pair, run, trial, watch};

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("send and die", |()| send_and_die())
        .entry("receive and die", |()| receive_and_die())
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in KINDS {
        trials.push(trial(format!("ends/{kind}/a_sender_dies"), move || {
            a_sender_dies(kind)
        }));
        trials.push(trial(format!("ends/{kind}/a_receiver_dies"), move || {
            a_receiver_dies(kind)
        }));
        trials.push(trial(format!("ends/{kind}/stream_and_sink"), move || {
            stream_and_sink(kind)
        }));
        trials.push(trial(format!("ends/{kind}/a_loan_stays"), move || {
            a_loan_stays(kind)
        }));
        trials.push(trial(format!("ends/{kind}/long_messages"), move || {
            long_messages(kind)
        }));
        trials.push(trial(format!("ends/{kind}/without_a_runtime"), move || {
            without_a_runtime(kind);
        }));
    }
    trials.push(trial("ends/another_sender_comes", another_sender_comes));
    trials.push(trial("ends/two_receivers_share_a_pipe", two_share_a_pipe));
    trials
}

fn send_and_die() {
    watch();
    let mut tx = inherited_sender("tx").expect("given");
    for number in 0..100_u64 {
        tx.send(&number.to_le_bytes()).expect("sends");
    }
    raise(Signal::SIGKILL).expect("dies");
}

fn receive_and_die() {
    watch();
    let mut rx = inherited_receiver("rx").expect("given");
    rx.recv(&mut [0; 4096]).expect("receives");
    // Until the sender waits for room.
    std::thread::sleep(Duration::from_millis(50));
    raise(Signal::SIGKILL).expect("dies");
}

fn a_sender_dies(kind: &'static str) {
    let (tx, rx) = pair(kind);
    let process = Process::new("send and die", &());
    let process = process.give("tx", &tx).expect("gives");
    let child = process.end_with_parent().start().expect("starts");
    drop(tx);
    run(async move {
        let mut rx = AsyncReceiver::new(rx);
        for number in 0..100_u64 {
            let message = rx
                .recv_vec()
                .await
                .unwrap_or_else(|e| panic!("{kind}: {e}"));
            assert_eq!(message, number.to_le_bytes());
        }
        let end = rx.recv_vec().await;
        assert!(
            matches!(end, Err(RecvError::Disconnected)),
            "{kind}: {end:?}"
        );
    });
    let status = child.join().expect("ends");
    assert_eq!(status.signal(), Some(nix::libc::SIGKILL), "{status}");
}

fn a_receiver_dies(kind: &'static str) {
    let (tx, rx) = pair(kind);
    let process = Process::new("receive and die", &());
    let process = process.give("rx", &rx).expect("gives");
    let child = process.end_with_parent().start().expect("starts");
    drop(rx);
    run(async move {
        let mut tx = AsyncSender::new(tx);
        let end = loop {
            if let Err(error) = tx.send(&[7; 1000]).await {
                break error;
            }
        };
        assert!(matches!(end, SendError::Disconnected), "{kind}: {end:?}");
    });
    let status = child.join().expect("ends");
    assert_eq!(status.signal(), Some(nix::libc::SIGKILL), "{status}");
}

fn stream_and_sink(kind: &'static str) {
    const EACH: u64 = 2000;

    run(async move {
        let (tx, rx) = pair(kind);
        let (mut tx, mut rx) = (AsyncSender::new(tx), AsyncReceiver::new(rx));
        let sending = spawn(async move {
            for number in (0..EACH).step_by(2) {
                tx.send(&number.to_le_bytes()).await.expect("sends");
                // Behind what the sink still has.
                SinkExt::<Vec<u8>>::feed(&mut tx, (number + 1).to_le_bytes().to_vec())
                    .await
                    .expect("takes");
            }
            SinkExt::<Vec<u8>>::close(&mut tx).await.expect("sends");
        });
        for number in 0..EACH {
            let message = rx.next().await.expect("one more").expect("receives");
            assert_eq!(message, number.to_le_bytes(), "{kind}");
        }
        sending.await.expect("no panic");
        assert!(rx.next().await.is_none(), "{kind}");
        assert!(rx.next().await.is_none(), "{kind}");
    });
}

fn a_loan_stays(kind: &'static str) {
    run(async move {
        let (mut tx, rx) = pair(kind);
        let mut rx = AsyncReceiver::new(rx);
        assert!(rx.loan().now_or_never().is_none(), "{kind}");
        tx.send(b"first").expect("sends");
        tx.send(b"second").expect("sends");
        let loan = rx.loan().await.expect("receives");
        assert_eq!(&*loan, b"first");
        loan.leave();
        let short = rx.recv(&mut [0; 3]).await;
        assert!(
            matches!(short, Err(RecvError::TooSmall { needed: 5 })),
            "{kind}: {short:?}"
        );
        assert_eq!(&*rx.loan().await.expect("receives"), b"first");
        assert_eq!(rx.recv(&mut [0; 16]).await.expect("receives"), 6);
        let mut inner = rx.into_inner();
        assert!(matches!(
            inner.try_recv(&mut [0; 16]),
            Err(RecvError::Empty)
        ));
    });
}

/// As long as one of them at a time has room, so that there is some room and too little.
fn long_messages(kind: &'static str) {
    run(async move {
        let (tx, rx) = pair(kind);
        let len = tx.limits().max_message.min(30_000);
        let (mut tx, mut rx) = (AsyncSender::new(tx), AsyncReceiver::new(rx));
        let sending = spawn(async move {
            for number in 0..50_u8 {
                tx.send(&vec![number; len]).await.expect("sends");
                if number % 7 == 0 {
                    tx.send(b"short").await.expect("sends");
                }
            }
        });
        for number in 0..50_u8 {
            assert_eq!(
                rx.recv_vec().await.expect("receives"),
                vec![number; len],
                "{kind}"
            );
            if number % 7 == 0 {
                assert_eq!(rx.recv_vec().await.expect("receives"), b"short", "{kind}");
            }
        }
        sending.await.expect("no panic");
    });
}

/// What is there is told; a wait is an error and no panic.
fn without_a_runtime(kind: &'static str) {
    let (mut tx, rx) = pair(kind);
    let mut rx = AsyncReceiver::new(rx);
    tx.send(b"news").expect("sends");
    let there = rx.recv(&mut [0; 16]).now_or_never();
    assert!(matches!(there, Some(Ok(4))), "{kind}: {there:?}");
    let wait = rx.recv(&mut [0; 16]).now_or_never();
    // A ring wakes whoever waits, in whatever runtime, once it is certain that reports arrive.
    let is_fine = matches!(wait, None | Some(Err(RecvError::Io(_))));
    assert!(is_fine, "{kind}: {wait:?}");
}

/// A name is hung up, and then it is not: the runtime believes the first for ever.
fn another_sender_comes() {
    let path = std::env::temp_dir().join(format!("laneway-tokio.{}.again", std::process::id()));
    for address in [
        format!("fifo:{}", path.display()),
        format!("shm+spsc:laneway-tokio.{}.again", std::process::id()),
        format!("shm+mpmc:laneway-tokio.{}.again", std::process::id()),
    ] {
        run(async move {
            let channel = laneway::channel(&address).expect("a good address");
            let mut rx = AsyncReceiver::new(channel.receiver().expect("opens"));
            for round in 0..3_u8 {
                let mut tx = AsyncSender::new(channel.sender().expect("opens"));
                let sending = spawn(async move {
                    sleep(Duration::from_millis(5)).await;
                    tx.send(&[round]).await.expect("sends");
                });
                assert_eq!(rx.recv_vec().await.expect("receives"), [round], "{address}");
                sending.await.expect("no panic");
                let end = rx.recv_vec().await;
                assert!(
                    matches!(end, Err(RecvError::Disconnected)),
                    "{address}: {end:?}"
                );
            }
        });
    }
}

fn two_share_a_pipe() {
    run(async {
        let channel = laneway::channel("pipe:?mode=packet").expect("a good address");
        let (tx, rx) = channel.pair().expect("opens");
        let other = channel.adopt_receiver(rx.handoff().expect("hands over"));
        let receivers = [rx, other.expect("adopts")].map(|rx| {
            spawn(async move {
                let mut rx = AsyncReceiver::new(rx);
                let mut got = Vec::new();
                while let Ok(message) = rx.recv_vec().await {
                    got.push(u32::from_le_bytes(message.try_into().expect("four bytes")));
                }
                got
            })
        });
        let mut tx = AsyncSender::new(tx);
        for number in 0..5000_u32 {
            tx.send(&number.to_le_bytes()).await.expect("sends");
        }
        drop(tx);
        let mut all = Vec::new();
        for receiver in receivers {
            all.extend(receiver.await.expect("no panic"));
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..5000));
    });
}
