//! Cases for transports that give each message to every receiver, and hold no sender up.
#![expect(
    clippy::disallowed_methods,
    reason = "gives the other side time to fall asleep; no case depends on it"
)]

use std::{thread, time::Duration};

use crate::{
    Channel, Deadline, Endpoint, Receiver, RecvError, Sender,
    conformance::{
        child::{Running, follow, send_numbered},
        message::Numbered,
        subject::{Case, Subject},
    },
};

/// Messages of a case: more than any channel keeps.
const MANY: u64 = 3000;

/// Cases for other transports, for which a message must stay until one receiver has it, and a full channel hold its senders up.
pub(super) const ONCE: &[&str] = &[
    "full_then_free",
    "order",
    "deadline_send_is_not_early",
    "blocked_send_gets_the_room",
    "disconnect_send",
    "disconnect_wakes_send",
    "batch_stops_when_full",
    "numbered",
    "sender_first",
];

pub(super) fn cases<C: Channel>() -> Vec<Case<C>> {
    vec![
        ("each_gets_all_in_order", each_gets_all_in_order),
        ("each_is_told_what_it_missed", each_is_told_what_it_missed),
        ("each_late_one_gets_the_rest", each_late_one_gets_the_rest),
        ("each_is_woken", each_is_woken),
        (
            "each_may_go_and_the_sender_goes_on",
            each_may_go_and_the_sender_goes_on,
        ),
        ("each_child_accounts_for_all", each_child_accounts_for_all),
        (
            "each_goes_on_with_a_successor",
            each_goes_on_with_a_successor,
        ),
    ]
}

/// Another receiver, at the same place.
fn another<C: Channel>(channel: &C, rx: &C::Receiver) -> C::Receiver {
    let handoff = rx.handoff().expect("hands over");
    channel.adopt_receiver(handoff).expect("adopts")
}

fn each_gets_all_in_order<C: Channel>(subject: &Subject<C>) {
    if !subject.gives_to_each() {
        return;
    }
    let channel = subject.channel();
    let (mut tx, first) = channel.pair().expect("opens");
    let mut receivers = [another(&channel, &first), another(&channel, &first), first];
    // No faster than the slowest.
    for round in 0..100_u64 {
        send_numbered(&mut tx, round * 5, round * 5 + 5);
        for rx in &mut receivers {
            let numbered = Numbered::within(rx.limits());
            for number in round * 5..round * 5 + 5 {
                let message = rx.peek(Deadline::NOW).expect("is there");
                assert_eq!(numbered.check(message), Some(number));
                rx.consume();
            }
            let empty = rx.try_recv(&mut [0; 8]);
            assert!(matches!(empty, Err(RecvError::Empty)));
        }
    }
    drop(tx);
    for rx in &mut receivers {
        let end = rx.recv(&mut [0; 8]);
        assert!(matches!(end, Err(RecvError::Disconnected)), "{end:?}");
    }
}

fn each_is_told_what_it_missed<C: Channel>(subject: &Subject<C>) {
    if !subject.gives_to_each() {
        return;
    }
    let channel = subject.channel();
    let (mut tx, mut slow) = channel.pair().expect("opens");
    let mut slower = another(&channel, &slow);
    let numbered = Numbered::within(tx.limits());
    // Not even an endless one holds the sender up.
    send_numbered(&mut tx, 0, MANY);
    let mut buf = vec![0; 60 << 10];
    let missed = match slow.recv(&mut buf) {
        Err(RecvError::Lagged { missed }) => missed,
        other => panic!("{other:?}"),
    };
    assert!((1..MANY).contains(&missed), "{missed}");
    let len = slow.recv(&mut buf).expect("told once");
    assert_eq!(numbered.check(&buf[..len]), Some(missed));
    // What is peeked stays, whatever the sender does.
    assert_eq!(
        numbered.check(slow.peek(Deadline::NOW).expect("the next")),
        Some(missed + 1)
    );
    send_numbered(&mut tx, MANY, 2 * MANY);
    assert_eq!(numbered.check(slow.peeked()), Some(missed + 1));
    slow.consume();
    drop(tx);
    assert_eq!(follow(&mut slow, missed + 2), 2 * MANY);
    assert_eq!(follow(&mut slower, 0), 2 * MANY);
    let drops = slow.counters().expect("counts").drops;
    assert!(drops > missed, "both ends see {drops}");
}

/// It starts somewhere, and from there it gets all.
fn each_late_one_gets_the_rest<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    if !subject.gives_to_each() || channel.address().is_anonymous() {
        return;
    }
    let mut tx = channel.sender().expect("opens");
    let numbered = Numbered::within(tx.limits());
    let mut next = 0;
    for sent in [0, 1, 7, MANY] {
        send_numbered(&mut tx, next, next + sent);
        next += sent;
        let mut late = channel.receiver().expect("opens");
        send_numbered(&mut tx, next, next + 3);
        next += 3;
        let first = numbered.check(late.peek(Deadline::NOW).expect("is there"));
        let first = first.expect("whole");
        assert!(first <= next - 3, "{first} of {next}");
        let mut expected = first;
        while let Ok(message) = late.peek(Deadline::NOW) {
            assert_eq!(numbered.check(message), Some(expected));
            late.consume();
            expected += 1;
        }
        assert_eq!(expected, next);
    }
}

fn each_is_woken<C: Channel>(subject: &Subject<C>) {
    if !subject.gives_to_each() {
        return;
    }
    let channel = subject.channel();
    let (mut tx, rx) = channel.pair().expect("opens");
    let receivers = [another(&channel, &rx), another(&channel, &rx), rx];
    thread::scope(|scope| {
        let waiting = receivers.map(|mut rx| {
            scope.spawn(move || {
                let mut buf = [0; 8];
                assert_eq!(rx.recv(&mut buf).expect("woken"), 4);
                assert!(matches!(rx.recv(&mut buf), Err(RecvError::Disconnected)));
            })
        });
        thread::sleep(Duration::from_millis(30));
        tx.send(b"late").expect("sends");
        thread::sleep(Duration::from_millis(30));
        drop(tx);
        for rx in waiting {
            rx.join().expect("gets all");
        }
    });
}

fn each_may_go_and_the_sender_goes_on<C: Channel>(subject: &Subject<C>) {
    if !subject.gives_to_each() {
        return;
    }
    let channel = subject.channel();
    let (mut tx, rx) = channel.pair().expect("opens");
    let handoff = rx.handoff().expect("hands over");
    let child = Running::start(subject.how, "hold_receiver", &[("rx", &rx)]);
    drop(rx);
    tx.send(b"one").expect("sends");
    child.kill();
    tx.send(b"two").expect("costs nothing");
    assert!(!tx.is_disconnected(), "in transit is not gone");
    let mut rx = channel.adopt_receiver(handoff).expect("adopts");
    assert_eq!(rx.peek(Deadline::NOW).expect("kept"), b"one");
    drop(rx);
    assert!(tx.is_disconnected(), "who asks is told");
    tx.send(b"three").expect("and goes on");
}

fn each_child_accounts_for_all<C: Channel>(subject: &Subject<C>) {
    if !subject.gives_to_each() {
        return;
    }
    let (mut tx, rx) = subject.pair();
    let role = format!("follow,{MANY}");
    let children = [(); 3].map(|()| Running::start(subject.how, &role, &[("rx", &rx)]));
    drop(rx);
    send_numbered(&mut tx, 0, MANY);
    drop(tx);
    children.into_iter().for_each(Running::finish);
}

/// Who sends after a death goes on behind it, and nobody sees half a message.
fn each_goes_on_with_a_successor<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    if !subject.gives_to_each() || channel.address().is_anonymous() {
        return;
    }
    let (tx, mut rx) = channel.pair().expect("opens");
    let child = Running::start(subject.how, "send,0,1000000000", &[("tx", &tx)]);
    drop(tx);
    let mut buf = vec![0; 60 << 10];
    let numbered = Numbered::within(rx.limits());
    let mut next = 0;
    let mut take = |rx: &mut C::Receiver, until: u64| {
        while next < until {
            match rx.recv(&mut buf) {
                Ok(len) => {
                    assert_eq!(numbered.check(&buf[..len]), Some(next));
                    next += 1;
                }
                Err(RecvError::Lagged { missed }) => next += missed,
                Err(RecvError::Disconnected) => break,
                Err(error) => panic!("{error}"),
            }
        }
        next
    };
    take(&mut rx, 1000);
    child.kill();
    let sent = take(&mut rx, u64::MAX);
    let mut successor = channel.sender().expect("the place is free");
    send_numbered(&mut successor, sent, sent + 100);
    drop(successor);
    assert_eq!(take(&mut rx, u64::MAX), sent + 100);
}
