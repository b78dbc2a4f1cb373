//! Cases about waiting for several ends at once.

use std::{
    sync::{
        Arc,
        mpsc::{self, Sender as Told},
    },
    task::{Wake, Waker},
    thread,
};

use crate::{
    Channel, Deadline, Endpoint, Readiness, Receiver, RecvError, SendError, Sender, WaitError,
    conformance::subject::{Case, Subject},
    wait_any,
};

pub(super) fn cases<C: Channel>() -> Vec<Case<C>> {
    vec![
        (
            "readiness_is_what_the_capability_says",
            readiness_is_what_the_capability_says,
        ),
        ("wait_any_gets_the_message", wait_any_gets_the_message),
        ("an_armed_end_is_woken", an_armed_end_is_woken),
    ]
}

fn readiness_is_what_the_capability_says<C: Channel>(subject: &Subject<C>) {
    let (tx, rx) = subject.pair();
    let can = subject.capabilities();
    for (readiness, fd) in [
        (tx.readiness(), tx.as_fd().is_some()),
        (rx.readiness(), rx.as_fd().is_some()),
    ] {
        assert_eq!(readiness != Readiness::Blocking, can.awaitable);
        assert_eq!(readiness == Readiness::Descriptor, can.pollable);
        assert!(readiness != Readiness::Descriptor || fd);
    }
}

fn wait_any_gets_the_message<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    if !subject.capabilities().awaitable {
        let refused = wait_any(&mut [&mut rx], Deadline::NOW);
        let is_told = matches!(&refused, Err(WaitError::Unsupported { index: 0, .. }));
        assert!(is_told, "{refused:?}");
        return;
    }
    let none = wait_any(&mut [&mut rx], Deadline::NOW);
    assert!(matches!(none, Err(WaitError::Empty)), "{none:?}");
    let (tell, told) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            for () in told {
                tx.send(b"news").expect("sends");
            }
        });
        for _ in 0..200 {
            tell.send(()).expect("is heard");
            let ready = wait_any(&mut [&mut rx], Deadline::NEVER);
            assert_eq!(ready.expect("waits"), 0);
            assert_eq!(rx.try_recv(&mut [0; 8]).expect("is there"), 4);
        }
        drop(tell);
    });
    drop(tx);
    let ready = wait_any(&mut [&mut rx], Deadline::NEVER);
    assert_eq!(ready.expect("waits"), 0);
    let end = rx.try_recv(&mut [0; 8]);
    assert!(matches!(end, Err(RecvError::Disconnected)), "{end:?}");
}

/// Tells each time that it is woken.
struct Bell(Told<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // Nobody listens any more once the case is over.
        let _ = self.0.send(());
    }
}

/// Arms an end and looks, until it is found or woken and found.
fn await_it<E: Endpoint, T>(end: &mut E, mut look: impl FnMut(&mut E) -> Option<T>) -> T {
    let (tell, told) = mpsc::channel();
    let waker = Waker::from(Arc::new(Bell(tell)));
    loop {
        end.arm(&waker);
        Readiness::settle();
        if let Some(found) = look(end) {
            return found;
        }
        match end.recheck() {
            // It may be woken all the same.
            Some(soon) => drop(told.recv_timeout(soon)),
            None => told.recv().expect("is woken"),
        }
    }
}

fn an_armed_end_is_woken<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    if rx.readiness() != Readiness::Waker {
        return;
    }
    let most = 3000_u32;
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..most {
                let sent = await_it(&mut tx, |tx| {
                    let sent = tx.try_send(&number.to_le_bytes());
                    (!matches!(sent, Err(SendError::Full))).then_some(sent)
                });
                sent.expect("sends");
            }
            // Its end wakes too.
            drop(tx);
        });
        let mut buf = [0; 4];
        for number in 0..most {
            let got = await_it(&mut rx, |rx| match rx.try_recv(&mut buf) {
                Err(RecvError::Empty) => None,
                got => Some(got.expect("receives")),
            });
            assert_eq!((got, u32::from_le_bytes(buf)), (4, number));
        }
        let end = await_it(&mut rx, |rx| {
            let end = rx.try_recv(&mut buf);
            (!matches!(end, Err(RecvError::Empty))).then_some(end)
        });
        assert!(matches!(end, Err(RecvError::Disconnected)), "{end:?}");
    });
}
