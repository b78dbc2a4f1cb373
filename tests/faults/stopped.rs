//! A peer that is stopped is not dead: nothing is taken from it, and whoever has a deadline gets it kept.

use std::time::{Duration, Instant};

use laneway::{
    BoxChannel, Channel, Deadline, Endpoint, Fan, Receiver, ReceiverExt, RecvError, SendError,
    Sender, conformance::Numbered,
};

use crate::{
    peer::{Peer, say_end},
    world::Case,
};

pub(crate) const CASES: &[Case] = &[
    Case::new("a_stopped_receiver_is_waited_for", receiver),
    Case::new("a_stopped_sender_is_waited_for", sender),
    Case::new("a_stopped_sender_beside_another_keeps_what_it_has", beside)
        .only(|can| matches!(can.senders, Fan::Many)),
];

/// How long a peer is stopped.
const STOPPED: Duration = Duration::from_secs(5);
/// How long a call waits meanwhile.
const TRY: Duration = Duration::from_millis(50);
/// Messages before it is stopped, and after it has gone on.
const SOME: u64 = 1000;

fn receiver(channel: &BoxChannel) {
    let (mut tx, rx) = channel.pair().expect("opens");
    let peer = Peer::start("receive", &rx);
    drop(rx);
    let numbered = Numbered::within(tx.limits());
    let mut message = Vec::new();
    let mut next = 0;
    let mut send = |tx: &mut laneway::BoxSender, number| {
        numbered.write(number, &mut message);
        tx.send_timeout(&message, TRY)
    };
    while next < SOME {
        match send(&mut tx, next) {
            Ok(()) => next += 1,
            Err(SendError::Full) => {}
            Err(error) => panic!("message {next}: {error}"),
        }
    }
    peer.stop();
    let start = Instant::now();
    let mut full = 0;
    while start.elapsed() < STOPPED {
        assert!(!tx.is_disconnected(), "it lives");
        let before = Instant::now();
        match send(&mut tx, next) {
            Ok(()) => next += 1,
            Err(SendError::Full) => {
                assert!(before.elapsed() >= TRY, "not early");
                full += 1;
            }
            Err(error) => panic!("message {next}, while it is stopped: {error}"),
        }
    }
    assert!(full > 0, "{next} messages, and no end");
    peer.go_on();
    for number in next..next + SOME {
        numbered.write(number, &mut message);
        tx.send(&message).expect("it goes on");
    }
    say_end(&mut tx);
    drop(tx);
    peer.end();
}

fn sender(channel: &BoxChannel) {
    let (tx, mut rx) = channel.pair().expect("opens");
    let peer = Peer::start("send", &tx);
    drop(tx);
    let numbered = Numbered::within(rx.limits());
    let mut next = 0;
    let mut receive = |rx: &mut laneway::BoxReceiver, deadline| {
        let message = rx.peek(deadline)?;
        assert_eq!(numbered.check(message), Some(next), "in order and whole");
        next += 1;
        rx.consume();
        Ok::<(), RecvError>(())
    };
    for _ in 0..SOME {
        receive(&mut rx, Deadline::NEVER).expect("comes");
    }
    peer.stop();
    let start = Instant::now();
    let mut empty = 0;
    while start.elapsed() < STOPPED {
        assert!(!rx.is_disconnected(), "it lives");
        let before = Instant::now();
        match receive(&mut rx, Deadline::after(TRY)) {
            Ok(()) => {}
            Err(RecvError::Empty) => {
                assert!(before.elapsed() >= TRY, "not early");
                empty += 1;
            }
            Err(error) => panic!("while it is stopped: {error}"),
        }
    }
    assert!(empty > 0, "it was stopped");
    peer.go_on();
    for _ in 0..SOME {
        receive(&mut rx, Deadline::NEVER).expect("it goes on");
    }
    drop(rx);
    peer.end();
}

/// Whatever the stopped one holds, a lock or a place, is not given to the other.
fn beside(channel: &BoxChannel) {
    let (tx, mut rx) = channel.pair().expect("opens");
    let [stopped, other] = ["even", "odd"].map(|role| Peer::start(role, &tx));
    drop(tx);
    let numbered = Numbered::within(rx.limits());
    // What comes next from each.
    let mut next = [0, 1];
    let mut receive = |rx: &mut laneway::BoxReceiver, deadline| {
        let message = rx.loan_by(deadline)?;
        let number = numbered.check(&message).expect("whole");
        let next = next.get_mut(usize::from(number % 2 == 1)).expect("two");
        assert_eq!(number, *next, "in order");
        *next += 2;
        Ok::<bool, RecvError>(number % 2 == 1)
    };
    let both = |rx: &mut laneway::BoxReceiver,
                receive: &mut dyn FnMut(
        &mut laneway::BoxReceiver,
        Deadline,
    ) -> Result<bool, RecvError>| {
        let mut seen = [0, 0];
        while seen.iter().any(|&count| count < SOME / 10) {
            let odd = receive(rx, Deadline::NEVER).expect("comes");
            *seen.get_mut(usize::from(odd)).expect("two") += 1;
        }
    };
    both(&mut rx, &mut receive);
    stopped.stop();
    let start = Instant::now();
    while start.elapsed() < STOPPED {
        match receive(&mut rx, Deadline::after(TRY)) {
            Ok(_) | Err(RecvError::Empty) => {}
            Err(error) => panic!("while one is stopped: {error}"),
        }
    }
    stopped.go_on();
    both(&mut rx, &mut receive);
    drop(rx);
    stopped.end();
    other.end();
}
