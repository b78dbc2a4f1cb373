//! An end that has waited in one runtime waits in the next, whatever became of the first.

use std::{pin::pin, sync::mpsc, thread, time::Duration};

use ::tokio::{
    runtime::{Builder, Handle, Runtime},
    time::timeout,
};
use futures_util::FutureExt;
use laneway::{
    Receiver, RecvError, SendError, Sender,
    tokio::{AsyncReceiver, AsyncSender},
};
use libtest_mimic::Trial;

use crate::{HANGS, KINDS, pair, trial};

/// Sockets, which other tests wait for.
const SOCKETS: [&str; 2] = ["unix+seqpacket:PATH", "unix+stream:PATH"];
/// Until a wait is given up.
const SHORT: Duration = Duration::from_millis(10);
/// A message.
const MESSAGE: [u8; 32] = [7; 32];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in KINDS.into_iter().chain(SOCKETS) {
        for (ends, how) in [(true, "ended"), (false, "stands_still")] {
            trials.push(trial(
                format!("runtimes/{kind}/receives_after_one_that_{how}"),
                move || receives(kind, ends),
            ));
            trials.push(trial(
                format!("runtimes/{kind}/sends_after_one_that_{how}"),
                move || sends(kind, ends),
            ));
        }
        trials.push(trial(
            format!("runtimes/{kind}/a_wait_in_one_that_has_ended"),
            move || in_an_ended_one(kind),
        ));
        if !kind.starts_with("shm") {
            trials.push(trial(
                format!("runtimes/{kind}/one_ends_while_a_thread_waits"),
                move || ends_meanwhile(kind),
            ));
        }
    }
    trials
}

/// A runtime that does nothing while nobody is in `block_on`.
fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().expect("starts")
}

fn receives(kind: &'static str, ends: bool) {
    let (mut tx, rx) = pair(kind);
    let mut rx = AsyncReceiver::new(rx);
    let mut buf = [0; 64];
    let mut first = Some(runtime());
    let here = first.as_ref().expect("there");
    here.block_on(async {
        assert!(timeout(SHORT, rx.recv(&mut buf)).await.is_err(), "{kind}");
    });
    if ends {
        first = None;
    }
    // The third is the first again, if there still is one.
    for runtime in [Some(runtime()), first].into_iter().flatten() {
        runtime.block_on(async {
            let mut recv = pin!(rx.recv(&mut buf));
            assert!(recv.as_mut().now_or_never().is_none(), "{kind}");
            tx.send(&MESSAGE).expect("sends");
            let received = timeout(HANGS, recv).await.expect("is woken");
            let len = received.unwrap_or_else(|e| panic!("{kind}: {e}"));
            assert_eq!(len, MESSAGE.len(), "{kind}");
        });
    }
}

fn sends(kind: &'static str, ends: bool) {
    let (mut tx, mut rx) = pair(kind);
    while tx.try_send(&MESSAGE).is_ok() {}
    let mut tx = AsyncSender::new(tx);
    let mut first = Some(runtime());
    let here = first.as_ref().expect("there");
    here.block_on(async { while timeout(SHORT, tx.send(&MESSAGE)).await.is_ok() {} });
    if ends {
        first = None;
    }
    for runtime in [Some(runtime()), first].into_iter().flatten() {
        runtime.block_on(async {
            // A socket's other side takes what it can when it looks.
            while let Some(sent) = tx.send(&MESSAGE).now_or_never() {
                sent.unwrap_or_else(|e| panic!("{kind}: {e}"));
            }
            let mut send = pin!(tx.send(&MESSAGE));
            assert!(send.as_mut().now_or_never().is_none(), "{kind}");
            while rx.try_recv(&mut [0; 64]).is_ok() {}
            let sent = timeout(HANGS, send).await.expect("is woken");
            sent.unwrap_or_else(|e| panic!("{kind}: {e}"));
        });
    }
}

/// An error, and no panic; a ring that is sure of its reports needs no runtime.
fn in_an_ended_one(kind: &'static str) {
    let (mut tx, rx) = pair(kind);
    let mut rx = AsyncReceiver::new(rx);
    let first = runtime();
    let ended = first.handle().clone();
    first.block_on(async {
        let early = timeout(SHORT, rx.recv_vec()).await;
        assert!(early.is_err(), "{kind}: {early:?}");
    });
    drop(first);
    {
        let _in = ended.enter();
        for _ in 0..3 {
            let wait = rx.recv_vec().now_or_never();
            let is_fine = match kind.starts_with("shm") {
                true => matches!(wait, None | Some(Err(RecvError::Io(_)))),
                false => matches!(wait, Some(Err(RecvError::Io(_)))),
            };
            assert!(is_fine, "{kind}: {wait:?}");
        }
        while tx.try_send(&MESSAGE).is_ok() {}
        let mut tx = AsyncSender::new(tx);
        let wait = loop {
            match tx.send(&MESSAGE).now_or_never() {
                Some(Ok(())) => {}
                wait => break wait,
            }
        };
        let is_fine = matches!(wait, None | Some(Err(SendError::Io(_))));
        assert!(is_fine, "{kind}: {wait:?}");
        // What is there is received all the same.
        assert!(matches!(rx.recv_vec().now_or_never(), Some(Ok(message)) if message == MESSAGE));
    }
    runtime().block_on(async {
        assert_eq!(rx.recv_vec().await.expect("receives"), MESSAGE, "{kind}");
    });
}

/// A thread that waits by a handle when the runtime is dropped is told so.
fn ends_meanwhile(kind: &'static str) {
    let (_tx, rx) = pair(kind);
    let runtime = crate::runtime(1);
    let handle: Handle = runtime.handle().clone();
    let (tell, told) = mpsc::channel();
    let waiting = thread::spawn(move || {
        let mut rx = AsyncReceiver::new(rx);
        let mut recv = pin!(rx.recv_vec());
        assert!(handle.block_on(async { recv.as_mut().now_or_never().is_none() }));
        tell.send(()).expect("is heard");
        handle.block_on(recv)
    });
    told.recv_timeout(HANGS).expect("waits");
    thread::sleep(Duration::from_millis(30));
    drop(runtime);
    let told = waiting.join().expect("no panic");
    assert!(matches!(told, Err(RecvError::Io(_))), "{kind}: {told:?}");
}
