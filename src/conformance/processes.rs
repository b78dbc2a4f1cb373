//! Cases between real processes: the test binary, run again with one end given to it.
#![expect(
    clippy::disallowed_methods,
    reason = "gives the other side time to fall asleep; no case depends on it"
)]

use std::{collections::BTreeSet, time::Duration};

use crate::{
    Channel, Deadline, Endpoint, Receiver, ReceiverExt, RecvError, SendError, Sender,
    conformance::{
        child::{Running, receive_in_order, send_numbered},
        message::Numbered,
        subject::{Case, Subject},
    },
};

pub(super) fn cases<C: Channel>() -> Vec<Case<C>> {
    vec![
        ("child_sends", child_sends),
        ("child_receives", child_receives),
        ("child_relays", child_relays),
        ("children_many_to_many", children_many_to_many),
        ("killed_sender", killed_sender),
        ("killed_receiver", killed_receiver),
        ("killed_receiver_is_missed", killed_receiver_is_missed),
        ("name_survives_a_massacre", name_survives_a_massacre),
    ]
}

fn child_sends<C: Channel>(subject: &Subject<C>) {
    if !subject.gives_each_once() {
        return;
    }
    let (tx, mut rx) = subject.pair();
    let child = Running::start(subject.how, "send,0,3000", &[("tx", &tx)]);
    drop(tx);
    assert_eq!(receive_in_order(&mut rx), 3000);
    child.finish();
}

fn child_receives<C: Channel>(subject: &Subject<C>) {
    if !subject.gives_each_once() {
        return;
    }
    let (mut tx, rx) = subject.pair();
    let child = Running::start(subject.how, "receive,3000", &[("rx", &rx)]);
    drop(rx);
    send_numbered(&mut tx, 0, 3000);
    drop(tx);
    child.finish();
}

fn child_relays<C: Channel>(subject: &Subject<C>) {
    let (mut there, child_rx) = subject.pair();
    let (child_tx, mut back) = subject.pair();
    let child = Running::start(
        subject.how,
        "relay",
        &[("rx", &child_rx), ("tx", &child_tx)],
    );
    drop((child_rx, child_tx));
    let numbered = Numbered::within(there.limits());
    let mut message = Vec::new();
    for number in 0..1000 {
        numbered.write(number, &mut message);
        there.send(&message).expect("sends");
        let loan = back.loan().expect("comes back");
        assert_eq!(numbered.check(&loan), Some(number));
    }
    drop(there);
    assert!(matches!(
        back.recv(&mut [0; 8]),
        Err(RecvError::Disconnected)
    ));
    child.finish();
}

/// Four sending children, and four relaying ones whose output is counted here.
fn children_many_to_many<C: Channel>(subject: &Subject<C>) {
    const EACH: u64 = 1000;

    if !subject.is_many_to_many() {
        return;
    }
    let (tx, rx) = subject.pair();
    let (result_tx, mut results) = subject.pair();
    let mut children = Vec::new();
    for part in 0..4 {
        let role = format!("send,{},{}", part * EACH, (part + 1) * EACH);
        children.push(Running::start(subject.how, &role, &[("tx", &tx)]));
        children.push(Running::start(
            subject.how,
            "relay",
            &[("rx", &rx), ("tx", &result_tx)],
        ));
    }
    drop((tx, rx, result_tx));
    let numbered = Numbered::within(results.limits());
    let mut seen = BTreeSet::new();
    loop {
        match results.loan() {
            Ok(message) => {
                let number = numbered.check(&message).expect("whole");
                assert!(seen.insert(number), "{number} came twice");
            }
            Err(RecvError::Disconnected) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(seen.len() as u64, 4 * EACH);
    children.into_iter().for_each(Running::finish);
}

/// What it had sent is received, then the death is seen, by a receiver that sleeps.
fn killed_sender<C: Channel>(subject: &Subject<C>) {
    let (tx, mut rx) = subject.pair();
    let child = Running::start(subject.how, "hold_sender", &[("tx", &tx)]);
    drop(tx);
    let numbered = Numbered::within(rx.limits());
    assert_eq!(
        numbered.check(&rx.loan().expect("sent before the death")),
        Some(0)
    );
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || rx.recv(&mut [0; 8]));
        std::thread::sleep(Duration::from_millis(30));
        child.kill();
        let result = waiting.join().expect("returns");
        assert!(matches!(result, Err(RecvError::Disconnected)), "{result:?}");
    });
}

/// A sender that sleeps in a full channel sees the death.
fn killed_receiver<C: Channel>(subject: &Subject<C>) {
    if !subject.gives_each_once() {
        return;
    }
    let (mut tx, rx) = subject.pair();
    let child = Running::start(subject.how, "hold_receiver", &[("rx", &rx)]);
    drop(rx);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            loop {
                if let Err(error) = tx.send(&[0; 100]) {
                    return error;
                }
            }
        });
        std::thread::sleep(Duration::from_millis(100));
        child.kill();
        let error = waiting.join().expect("returns");
        assert!(matches!(error, SendError::Disconnected), "{error}");
    });
}

/// Who asks after a death believes the answer, also if there is room.
fn killed_receiver_is_missed<C: Channel>(subject: &Subject<C>) {
    if !subject.gives_each_once() {
        return;
    }
    let (mut tx, rx) = subject.pair();
    let child = Running::start(subject.how, "hold_receiver", &[("rx", &rx)]);
    drop(rx);
    tx.send(b"held").expect("somebody is there");
    child.kill();
    assert!(tx.is_disconnected());
    let sent = tx.try_send(b"to nobody");
    assert!(matches!(sent, Err(SendError::Disconnected)), "{sent:?}");
}

/// Everybody dies with messages in the channel; the name can be used again at once, and the last one out removes it.
fn name_survives_a_massacre<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    if channel.address().is_anonymous() {
        return;
    }
    for _ in 0..3 {
        let (tx, rx) = channel.pair().expect("opens");
        let sender = Running::start(subject.how, "hold_sender", &[("tx", &tx)]);
        let receiver = Running::start(subject.how, "hold_receiver", &[("rx", &rx)]);
        drop((tx, rx));
        sender.kill();
        receiver.kill();
        let (mut tx, mut rx) = channel.pair().expect("opens at once");
        tx.send(b"alive").expect("sends");
        let message = rx.peek(Deadline::NEVER).expect("receives").to_vec();
        assert_eq!(message, b"alive");
        rx.consume();
    }
    assert!(channel.unlink().is_err(), "the last one out removed it");
}
