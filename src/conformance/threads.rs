//! Cases within one process, between threads where it takes two.
#![expect(
    clippy::disallowed_methods,
    reason = "gives the other side time to fall asleep; no case depends on it"
)]

use std::{
    collections::BTreeSet,
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Capabilities, Channel, Deadline, Endpoint, Fan, OpenErrorKind, Receiver, ReceiverExt,
    RecvError, SendError, Sender, SenderExt,
    conformance::{
        child::{receive_in_order, send_numbered},
        message::Numbered,
        subject::{Case, Subject},
    },
};

const SHORT: Duration = Duration::from_millis(30);

pub(super) fn cases<C: Channel>() -> Vec<Case<C>> {
    vec![
        ("smoke", smoke),
        ("address_parses_back", address_parses_back),
        ("empty", empty),
        ("zero_length", zero_length),
        ("full_then_free", full_then_free),
        ("max_length", max_length),
        ("too_large", too_large),
        ("too_small_stays", too_small_stays),
        ("order", order),
        ("depth", depth),
        ("deadline_recv_is_not_early", deadline_recv_is_not_early),
        ("deadline_send_is_not_early", deadline_send_is_not_early),
        (
            "blocked_recv_gets_the_message",
            blocked_recv_gets_the_message,
        ),
        ("blocked_send_gets_the_room", blocked_send_gets_the_room),
        ("disconnect_drains", disconnect_drains),
        ("disconnect_send", disconnect_send),
        ("disconnect_wakes_recv", disconnect_wakes_recv),
        ("disconnect_wakes_send", disconnect_wakes_send),
        ("peek_is_idempotent", peek_is_idempotent),
        ("slot_aborts_on_drop", slot_aborts_on_drop),
        ("slot_commits_a_prefix", slot_commits_a_prefix),
        ("leaked_guards_are_harmless", leaked_guards_are_harmless),
        ("batch_and_drain", batch_and_drain),
        ("batch_stops_when_full", batch_stops_when_full),
        ("batch_stops_at_too_large", batch_stops_at_too_large),
        ("typed", typed),
        ("typed_lent", typed_lent),
        ("typed_mismatch_is_refused", typed_mismatch_is_refused),
        ("typed_length_is_checked", typed_length_is_checked),
        ("numbered", numbered),
        ("many_to_many", many_to_many),
        ("one_handle_an_end", one_handle_an_end),
        ("handoff_within_a_process", handoff_within_a_process),
        (
            "handoff_for_the_other_end_is_refused",
            handoff_for_the_other_end_is_refused,
        ),
        ("wait_peer", wait_peer),
        ("sender_first", sender_first),
        ("a_successor_gets_the_rest", a_successor_gets_the_rest),
        ("name_is_free_again", name_is_free_again),
        ("unlink", unlink),
        ("unnamed", unnamed),
    ]
}

fn text(rx: &mut impl Receiver) -> Vec<u8> {
    let mut buf = vec![0; rx.limits().max_message];
    let len = rx.recv(&mut buf).expect("receives");
    buf.truncate(len);
    buf
}

/// Fills the channel with messages of `len` bytes, and tells how many there are.
fn fill(tx: &mut impl Sender, len: usize) -> usize {
    let message = vec![0x5a; len];
    let mut count = 0;
    loop {
        match tx.try_send(&message) {
            Ok(()) => count += 1,
            Err(SendError::Full) => return count,
            Err(error) => panic!("{error}"),
        }
    }
}

fn smoke<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    tx.send(b"hello").expect("sends");
    assert_eq!(text(&mut rx), b"hello");
}

fn address_parses_back<C: Channel>(subject: &Subject<C>) {
    let address = subject.channel().address();
    assert_eq!(address.to_string().parse(), Ok(address));
}

fn empty<C: Channel>(subject: &Subject<C>) {
    let (_tx, mut rx) = subject.pair();
    assert!(matches!(rx.try_recv(&mut [0; 8]), Err(RecvError::Empty)));
    assert!(!rx.is_disconnected());
}

fn zero_length<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    tx.send(b"").expect("sends nothing");
    tx.send(b"x").expect("sends something");
    tx.send(b"").expect("sends nothing");
    assert_eq!(rx.recv(&mut []).expect("receives nothing"), 0);
    assert_eq!(text(&mut rx), b"x");
    assert_eq!(&*rx.loan().expect("lends nothing"), b"");
}

fn full_then_free<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    let sent = fill(&mut tx, 100);
    assert!(sent > 0);
    for _ in 0..sent {
        assert_eq!(text(&mut rx), [0x5a; 100]);
    }
    assert!(matches!(rx.try_recv(&mut [0; 100]), Err(RecvError::Empty)));
    let again = fill(&mut tx, 100);
    assert!(again > 0, "room again");
}

fn max_length<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    let max = tx.limits().max_message;
    for round in 0..5_u8 {
        let message = vec![round; max];
        tx.try_send(&message)
            .expect("an empty channel has room for the longest message");
        assert!(text(&mut rx) == message, "whole");
        tx.try_send(&[round]).expect("room");
        assert_eq!(text(&mut rx), [round]);
    }
}

fn too_large<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    let max = tx.limits().max_message;
    let message = vec![0; max + 1];
    let refused = |result| matches!(result, Err(SendError::TooLarge { max: told }) if told == max);
    assert!(refused(tx.send(&message)));
    assert!(refused(tx.try_send(&message)));
    assert!(refused(tx.send_timeout(&message, SHORT)));
    assert!(refused(tx.reserve(max + 1, Deadline::NEVER).map(drop)));
    assert!(refused(tx.reserve(usize::MAX, Deadline::NEVER).map(drop)));
    assert!(
        matches!(rx.try_recv(&mut [0; 8]), Err(RecvError::Empty)),
        "nothing moved"
    );
    tx.send(b"after").expect("goes on");
    assert_eq!(text(&mut rx), b"after");
}

fn too_small_stays<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    tx.send(b"hello").expect("sends");
    for _ in 0..3 {
        let result = rx.recv(&mut [0; 4]);
        assert!(
            matches!(result, Err(RecvError::TooSmall { needed: 5 })),
            "{result:?}"
        );
    }
    assert_eq!(text(&mut rx), b"hello");
}

fn order<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..20_000_u32 {
                tx.send(&number.to_le_bytes()).expect("sends");
            }
        });
        for number in 0..20_000_u32 {
            assert_eq!(text(&mut rx), number.to_le_bytes());
        }
        assert!(matches!(rx.recv(&mut [0; 4]), Err(RecvError::Disconnected)));
    });
}

fn depth<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    for _ in 0..3 {
        tx.send(b"12345").expect("sends");
    }
    for depth in [tx.depth().expect("asks"), rx.depth().expect("asks")] {
        if let Some(messages) = depth.messages {
            assert_eq!(messages, 3);
        }
        if let Some(bytes) = depth.bytes {
            assert!(bytes >= 15, "{bytes}");
        }
    }
    rx.peek(Deadline::NEVER).expect("peeks");
    let depth = rx.depth().expect("asks");
    assert!(
        depth.messages.is_none_or(|n| n == 3),
        "a peeked message is still there"
    );
    for _ in 0..3 {
        text(&mut rx);
    }
    let depth = rx.depth().expect("asks");
    assert!(depth.messages.is_none_or(|n| n == 0));
    assert!(depth.bytes.is_none_or(|n| n == 0));
}

fn deadline_recv_is_not_early<C: Channel>(subject: &Subject<C>) {
    let (_tx, mut rx) = subject.pair();
    let start = Instant::now();
    assert!(matches!(
        rx.recv_timeout(&mut [0; 8], SHORT),
        Err(RecvError::Empty)
    ));
    assert!(start.elapsed() >= SHORT);
    assert!(matches!(
        rx.recv_timeout(&mut [0; 8], Duration::ZERO),
        Err(RecvError::Empty)
    ));
    let past = Deadline::at(start);
    assert!(matches!(
        rx.recv_by(&mut [0; 8], past),
        Err(RecvError::Empty)
    ));
}

fn deadline_send_is_not_early<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    let max = tx.limits().max_message;
    for len in [100.min(max), max] {
        let sent = fill(&mut tx, len);
        let message = vec![0; len];
        let start = Instant::now();
        assert!(matches!(
            tx.send_timeout(&message, SHORT),
            Err(SendError::Full)
        ));
        assert!(start.elapsed() >= SHORT);
        for _ in 0..sent {
            text(&mut rx);
        }
        assert!(
            matches!(rx.try_recv(&mut []), Err(RecvError::Empty)),
            "nothing was sent"
        );
        tx.send_timeout(&message, Duration::MAX).expect("room");
        assert_eq!(text(&mut rx).len(), len);
    }
}

fn blocked_recv_gets_the_message<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    thread::scope(|scope| {
        let receiver = scope.spawn(move || (text(&mut rx), rx));
        thread::sleep(SHORT);
        tx.send(b"late").expect("sends");
        assert_eq!(receiver.join().expect("receives").0, b"late");
    });
}

fn blocked_send_gets_the_room<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    let max = tx.limits().max_message;
    let mut sent = fill(&mut tx, max / 2);
    thread::scope(|scope| {
        let sender = scope.spawn(move || {
            tx.send(&vec![7; max]).expect("sends");
            tx
        });
        thread::sleep(SHORT);
        while sent > 0 {
            text(&mut rx);
            sent -= 1;
        }
        assert!(text(&mut rx) == vec![7; max]);
        sender.join().expect("sends");
    });
}

fn disconnect_drains<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    tx.send(b"one").expect("sends");
    tx.send(b"two").expect("sends");
    drop(tx);
    assert_eq!(text(&mut rx), b"one");
    assert_eq!(text(&mut rx), b"two");
    assert!(matches!(rx.recv(&mut [0; 8]), Err(RecvError::Disconnected)));
    assert!(matches!(
        rx.try_recv(&mut [0; 8]),
        Err(RecvError::Disconnected)
    ));
    assert!(rx.is_disconnected());
}

fn disconnect_send<C: Channel>(subject: &Subject<C>) {
    let (mut tx, rx) = subject.pair();
    tx.send(b"one").expect("sends");
    drop(rx);
    assert!(matches!(tx.send(b"two"), Err(SendError::Disconnected)));
    assert!(matches!(
        tx.try_send(b"three"),
        Err(SendError::Disconnected)
    ));
    assert!(tx.is_disconnected());
}

fn disconnect_wakes_recv<C: Channel>(subject: &Subject<C>) {
    let (tx, mut rx) = subject.pair();
    thread::scope(|scope| {
        let receiver = scope.spawn(move || rx.recv(&mut [0; 8]));
        thread::sleep(SHORT);
        drop(tx);
        let result = receiver.join().expect("returns");
        assert!(matches!(result, Err(RecvError::Disconnected)), "{result:?}");
    });
}

fn disconnect_wakes_send<C: Channel>(subject: &Subject<C>) {
    let (mut tx, rx) = subject.pair();
    fill(&mut tx, 100);
    thread::scope(|scope| {
        let sender = scope.spawn(move || tx.send(&[0; 100]));
        thread::sleep(SHORT);
        drop(rx);
        let result = sender.join().expect("returns");
        assert!(matches!(result, Err(SendError::Disconnected)), "{result:?}");
    });
}

fn peek_is_idempotent<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    tx.send(b"one").expect("sends");
    tx.send(b"two").expect("sends");
    for _ in 0..3 {
        assert_eq!(rx.peek(Deadline::NOW).expect("peeks"), b"one");
        assert_eq!(rx.peeked(), b"one");
    }
    rx.loan().expect("lends").leave();
    assert_eq!(&*rx.loan().expect("lends"), b"one");
    assert_eq!(rx.peeked(), b"");
    rx.consume();
    assert_eq!(text(&mut rx), b"two");
}

fn slot_aborts_on_drop<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    let mut slot = tx.slot(4).expect("reserves");
    slot.bytes().copy_from_slice(b"nope");
    drop(slot);
    tx.abort();
    assert!(tx.reserved().is_empty());
    assert!(tx.commit(0).is_err(), "nothing is reserved");
    assert!(matches!(rx.try_recv(&mut [0; 8]), Err(RecvError::Empty)));
    tx.send(b"yes").expect("sends");
    assert_eq!(text(&mut rx), b"yes");
}

fn slot_commits_a_prefix<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    let mut slot = tx.slot(10).expect("reserves");
    slot.bytes().fill(b'a');
    slot.commit_len(3).expect("sends");
    tx.send_with(8, |bytes| {
        bytes.fill(b'b');
        2
    })
    .expect("sends");
    let slot = tx.slot(2).expect("reserves");
    assert!(slot.commit_len(3).is_err(), "more than was reserved");
    assert_eq!(text(&mut rx), b"aaa");
    assert_eq!(text(&mut rx), b"bb");
    assert!(matches!(rx.try_recv(&mut [0; 8]), Err(RecvError::Empty)));
}

fn leaked_guards_are_harmless<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    std::mem::forget(tx.slot(4).expect("reserves"));
    tx.send(b"one").expect("sends");
    std::mem::forget(rx.loan().expect("lends"));
    assert_eq!(text(&mut rx), b"one");
    assert!(matches!(rx.try_recv(&mut [0; 8]), Err(RecvError::Empty)));
}

fn batch_and_drain<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    assert_eq!(tx.send_batch_by(&[], Deadline::NEVER).expect("nothing"), 0);
    assert_eq!(
        rx.drain_by(0, Deadline::NEVER, &mut |_| {})
            .expect("nothing"),
        0
    );
    let words: [&[u8]; 4] = [b"one", b"", b"three", b"four"];
    assert_eq!(tx.send_batch_by(&words, Deadline::NEVER).expect("sends"), 4);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let most = 3 - seen.len();
        let drained = rx
            .drain(most, |message| seen.push(message.to_vec()))
            .expect("drains");
        assert!((1..=most).contains(&drained));
    }
    assert_eq!(seen, words[..3]);
    assert_eq!(text(&mut rx), b"four");
    let none = rx.drain_by(9, Deadline::NOW, &mut |_| {});
    assert!(matches!(none, Err(RecvError::Empty)));
}

fn batch_stops_when_full<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    let capacity = fill(&mut tx, 100);
    for _ in 0..capacity {
        text(&mut rx);
    }
    let message: &[u8] = &[1; 100];
    // Together they may need less room than one by one.
    let most = capacity.max(tx.limits().capacity / message.len());
    let batch = vec![message; 2 * most + 100];
    let sent = tx.send_batch_by(&batch, Deadline::NOW).expect("some go");
    assert!(sent < batch.len());
    let full = tx.send_batch_by(&batch, Deadline::NOW);
    assert!(matches!(full, Err(SendError::Full)), "{full:?}");
    for _ in 0..sent {
        assert_eq!(text(&mut rx), message);
    }
    assert!(
        matches!(rx.try_recv(&mut []), Err(RecvError::Empty)),
        "no more than was told"
    );
}

fn batch_stops_at_too_large<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    let large = vec![0; tx.limits().max_message + 1];
    let batch: [&[u8]; 3] = [b"one", &large, b"three"];
    assert_eq!(
        tx.send_batch_by(&batch, Deadline::NEVER)
            .expect("the first goes"),
        1
    );
    let refused = tx.send_batch_by(&batch[1..], Deadline::NEVER);
    assert!(matches!(refused, Err(SendError::TooLarge { .. })));
    assert_eq!(text(&mut rx), b"one");
    assert!(matches!(rx.try_recv(&mut [0; 8]), Err(RecvError::Empty)));
}

fn typed<C: Channel>(subject: &Subject<C>) {
    let (tx, rx) = subject.pair();
    let mut tx = tx.pod::<[u32; 3]>().expect("agrees");
    let mut rx = rx.pod::<[u32; 3]>().expect("agrees");
    tx.send(&[1, 2, 3]).expect("sends");
    tx.send(&[4, 5, 6]).expect("sends");
    assert_eq!(rx.recv().expect("receives"), [1, 2, 3]);
    assert_eq!(rx.try_recv().expect("receives"), [4, 5, 6]);
    assert!(matches!(rx.try_recv(), Err(RecvError::Empty)));
}

fn typed_lent<C: Channel>(subject: &Subject<C>) {
    let (tx, rx) = subject.pair();
    let mut tx = tx.pod::<[u64; 9]>().expect("agrees");
    let mut rx = rx.pod::<[u64; 9]>().expect("agrees");
    for round in 0..20 {
        drop(tx.slot().expect("reserves"));
        let mut slot = tx.slot().expect("reserves");
        *slot.value() = [round; 9];
        slot.commit().expect("sends");
        let loan = rx.loan().expect("lends");
        assert_eq!(*loan, [round; 9]);
    }
    tx.send(&[1; 9]).expect("sends");
    let mut seen = Vec::new();
    assert_eq!(rx.drain(9, |value| seen.push(*value)).expect("drains"), 1);
    assert_eq!(seen, [[1; 9]]);
    assert!(matches!(rx.try_recv(), Err(RecvError::Empty)));
}

fn typed_mismatch_is_refused<C: Channel>(subject: &Subject<C>) {
    let (tx, rx) = subject.pair();
    let _tx = tx.pod::<u64>().expect("is the first");
    // As long, and not as aligned.
    let error = rx.pod::<[u32; 2]>().expect_err("another type");
    assert!(
        matches!(error.kind, OpenErrorKind::Incompatible { .. }),
        "{error}"
    );
}

fn typed_length_is_checked<C: Channel>(subject: &Subject<C>) {
    let (mut tx, rx) = subject.pair();
    let mut rx = rx.pod::<u64>().expect("agrees");
    tx.send(b"short").expect("sends");
    assert!(matches!(rx.recv(), Err(RecvError::Mistyped { found: 5 })));
    let mut rx = rx.into_inner();
    assert_eq!(text(&mut rx), b"short");
}

fn numbered<C: Channel>(subject: &Subject<C>) {
    let (mut tx, mut rx) = subject.pair();
    thread::scope(|scope| {
        scope.spawn(move || send_numbered(&mut tx, 0, 5000));
        assert_eq!(receive_in_order(&mut rx), 5000);
    });
}

/// Four senders, four receivers, each message exactly once.
fn many_to_many<C: Channel>(subject: &Subject<C>) {
    const EACH: u64 = 2000;

    if !subject.is_many_to_many() {
        return;
    }
    let channel = subject.channel();
    let (first_tx, first_rx) = channel.pair().expect("opens");
    let seen = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for part in 0..4 {
            let mut tx = channel
                .adopt_sender(first_tx.handoff().expect("hands over"))
                .expect("adopts");
            scope.spawn(move || send_numbered(&mut tx, part * EACH, (part + 1) * EACH));
        }
        for _ in 0..4 {
            let mut rx = channel
                .adopt_receiver(first_rx.handoff().expect("hands over"))
                .expect("adopts");
            let seen = &seen;
            scope.spawn(move || {
                let numbered = Numbered::within(rx.limits());
                let mut own = Vec::new();
                while rx
                    .drain(5, |message| {
                        own.push(numbered.check(message).expect("whole"))
                    })
                    .is_ok()
                {}
                let mut seen = seen.lock().expect("no panic");
                for number in own {
                    assert!(seen.insert(number), "{number} came twice");
                }
            });
        }
        drop((first_tx, first_rx));
    });
    assert_eq!(seen.into_inner().expect("no panic").len() as u64, 4 * EACH);
}

fn one_handle_an_end<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    let Capabilities {
        senders,
        receivers,
        named,
        ..
    } = channel.capabilities();
    if !named || channel.address().is_anonymous() {
        return;
    }
    let (_tx, _rx) = channel.pair().expect("opens");
    let busy = |kind| kind == OpenErrorKind::Busy;
    match senders {
        Fan::Many => drop(channel.sender().expect("another")),
        Fan::One => assert!(channel.sender().is_err_and(|e| busy(e.kind))),
    }
    match receivers {
        Fan::Many => drop(channel.receiver().expect("another")),
        Fan::One => assert!(channel.receiver().is_err_and(|e| busy(e.kind))),
    }
}

/// The handoff counts as the end while nobody else does.
fn handoff_within_a_process<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    let (tx, mut rx) = channel.pair().expect("opens");
    let handoff = tx.handoff().expect("hands over");
    drop(tx);
    assert!(
        matches!(rx.try_recv(&mut [0; 8]), Err(RecvError::Empty)),
        "in transit is not gone"
    );
    let mut tx = channel.adopt_sender(handoff).expect("adopts");
    tx.send(b"adopted").expect("sends");
    let handoff = rx.handoff().expect("hands over");
    drop(rx);
    let mut rx = channel.adopt_receiver(handoff).expect("adopts");
    assert_eq!(text(&mut rx), b"adopted");
    drop(tx);
    assert!(matches!(rx.recv(&mut [0; 8]), Err(RecvError::Disconnected)));
}

fn handoff_for_the_other_end_is_refused<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    let (tx, rx) = channel.pair().expect("opens");
    let error = channel
        .adopt_receiver(tx.handoff().expect("hands over"))
        .expect_err("a sender's");
    assert_eq!(error.kind, OpenErrorKind::Handoff);
    let error = channel
        .adopt_sender(rx.handoff().expect("hands over"))
        .expect_err("a receiver's");
    assert_eq!(error.kind, OpenErrorKind::Handoff);
}

fn wait_peer<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    if channel.address().is_anonymous() {
        let (mut tx, mut rx) = channel.pair().expect("opens");
        assert!(tx.wait_peer(Deadline::NOW).expect("asks"));
        assert!(rx.wait_peer(Deadline::NOW).expect("asks"));
        return;
    }
    let mut tx = channel.sender().expect("opens");
    let start = Instant::now();
    assert!(!tx.wait_peer(Deadline::after(SHORT)).expect("asks"));
    assert!(start.elapsed() >= SHORT);
    drop(tx);
    let error = channel
        .sender_by(Deadline::after(SHORT))
        .expect_err("nobody there");
    assert_eq!(error.kind, OpenErrorKind::NotReady);
    thread::scope(|scope| {
        let (done, wait) = mpsc::channel::<()>();
        let channel = &channel;
        let receiver = scope.spawn(move || {
            let rx = channel.receiver_by(Deadline::NEVER).expect("meets");
            wait.recv().expect("told");
            drop(rx);
        });
        let tx = channel.sender_by(Deadline::NEVER).expect("meets");
        done.send(()).expect("waits");
        receiver.join().expect("ends");
        drop(tx);
    });
}

/// What is sent before a receiver comes waits for it, or its sender does.
fn sender_first<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    if channel.address().is_anonymous() {
        return;
    }
    let mut tx = channel.sender().expect("opens");
    let waits = !channel.capabilities().holds_early;
    if waits {
        let full = tx.send_timeout(b"too early", SHORT);
        assert!(matches!(full, Err(SendError::Full)), "{full:?}");
    } else {
        tx.send(b"early").expect("waits in the channel");
    }
    assert!(!tx.is_disconnected(), "nobody yet is not gone");
    let (mut tx, mut rx) = thread::scope(|scope| {
        let sender = scope.spawn(move || {
            let sent = if waits { tx.send(b"early") } else { Ok(()) };
            sent.map(|()| tx)
        });
        thread::sleep(SHORT);
        let rx = channel.receiver().expect("opens");
        (sender.join().expect("returns").expect("waits"), rx)
    });
    assert_eq!(text(&mut rx), b"early");
    tx.send(b"late").expect("sends");
    assert_eq!(text(&mut rx), b"late");
    drop(rx);
    assert!(matches!(tx.send(b"gone"), Err(SendError::Disconnected)));
    let mut rx = channel.receiver().expect("another receiver");
    tx.send(b"again").expect("sends");
    assert_eq!(text(&mut rx), b"again");
}

/// A receiver that closes has taken what it was given, and nothing more.
fn a_successor_gets_the_rest<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    let (mut tx, mut rx) = channel.pair().expect("opens");
    for number in 0..9_u8 {
        tx.send(&[number; 3]).expect("sends");
    }
    assert_eq!(text(&mut rx), [0; 3]);
    let mut seen = 1;
    while seen < 4 {
        let most = usize::from(4 - seen);
        rx.drain(most, |message| {
            assert_eq!(message, [seen; 3]);
            seen += 1;
        })
        .expect("drains");
    }
    let handoff = rx.handoff().expect("hands over");
    drop(rx);
    let mut rx = channel.adopt_receiver(handoff).expect("adopts");
    for number in 4..9_u8 {
        assert_eq!(text(&mut rx), [number; 3]);
    }
}

fn name_is_free_again<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    if channel.address().is_anonymous() {
        return;
    }
    for _ in 0..3 {
        let (mut tx, rx) = channel.pair().expect("opens");
        tx.send(b"unread").expect("sends");
        drop(rx);
        drop(tx);
        let gone = channel.unlink().expect_err("the last one out removed it");
        assert_eq!(gone.kind(), std::io::ErrorKind::NotFound);
    }
    let (_tx, mut rx) = channel.pair().expect("opens");
    assert!(
        matches!(rx.try_recv(&mut [0; 8]), Err(RecvError::Empty)),
        "a new channel"
    );
}

fn unlink<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    if channel.address().is_anonymous() {
        return;
    }
    let (tx, rx) = channel.pair().expect("opens");
    channel.unlink().expect("removes the name");
    let again = channel.pair().expect("makes another");
    drop((tx, rx));
    let (mut tx, mut rx) = again;
    tx.send(b"new").expect("sends");
    assert_eq!(text(&mut rx), b"new");
}

fn unnamed<C: Channel>(subject: &Subject<C>) {
    let channel = subject.channel();
    if !channel.address().is_anonymous() {
        return;
    }
    let kind = |e: crate::OpenError| e.kind;
    assert_eq!(
        channel.sender().map_err(kind).err(),
        Some(OpenErrorKind::Unnamed)
    );
    assert_eq!(
        channel.receiver().map_err(kind).err(),
        Some(OpenErrorKind::Unnamed)
    );
}
