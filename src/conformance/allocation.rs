//! Cases for a program whose allocator counts: nothing that moves a message allocates, once the channel is open and has carried
//! its longest message and waited once each way.

use std::{thread, time::Duration};

use crate::{
    Channel, Deadline, Endpoint, Receiver, ReceiverExt, RecvError, SendError, Sender, SenderExt,
    conformance::subject::Subject,
};

/// How many allocations the calling thread has made so far.
pub type Count = fn() -> u64;

/// A case.
pub(super) type Case<C> = (&'static str, fn(&Subject<C>, Count));

/// Messages of each case.
const MESSAGES: usize = 10_000;
/// Messages of a batch.
const BATCH: usize = 8;
/// Refusals of each kind.
const REFUSALS: usize = 100;
/// Longer than anybody spins before it sleeps.
const SHORT: Duration = Duration::from_millis(2);
/// Long enough for a message that is there.
const LONG: Duration = Duration::from_secs(60);

pub(super) fn cases<C: Channel>() -> Vec<Case<C>> {
    vec![
        ("send_recv", send_recv),
        ("try_send_try_recv", try_send_try_recv),
        ("send_timeout_recv_timeout", send_timeout_recv_timeout),
        ("reserve_commit_peek_consume", reserve_commit_peek_consume),
        ("slot_loan", slot_loan),
        ("send_batch_drain", send_batch_drain),
        ("refused", refused),
        ("blocked", blocked),
    ]
}

/// Messages to send, all from one piece of memory.
struct Messages {
    /// One byte longer than the longest message.
    bytes: Vec<u8>,
}

impl Messages {
    fn of_len(&self, len: usize) -> &[u8] {
        self.bytes.get(..len).expect("no longer than the longest")
    }

    fn longest(&self) -> &[u8] {
        self.of_len(self.bytes.len() - 1)
    }

    fn too_long(&self) -> &[u8] {
        &self.bytes
    }

    /// Short ones, and long ones now and then.
    fn numbered(&self, number: usize) -> &[u8] {
        let max = self.longest().len();
        let len = match number % 64 {
            0 => 0,
            63 => max,
            31 => max / 3,
            n => n * 8,
        };
        self.of_len(len.min(max))
    }
}

/// Both ends, warm.
struct Warm<C: Channel> {
    tx: C::Sender,
    rx: C::Receiver,
    messages: Messages,
    buf: Vec<u8>,
    /// Whether it can be full.
    fills: bool,
}

impl<C: Channel> Warm<C> {
    fn new(subject: &Subject<C>) -> Self {
        let (mut tx, mut rx) = subject.pair();
        let max = tx.limits().max_message.min(rx.limits().max_message);
        let messages = Messages {
            bytes: vec![0x5a; max + 1],
        };
        let longest = messages.longest();
        let mut buf = vec![0; max];
        for _ in 0..2 {
            tx.reserve(max, Deadline::NOW)
                .expect("room")
                .copy_from_slice(longest);
            tx.commit(max).expect("sends");
            assert_eq!(rx.peek(Deadline::NOW).expect("a message"), longest);
            rx.consume();
            tx.try_send(longest).expect("room");
            assert_eq!(rx.try_recv(&mut buf).expect("a message"), max);
            tx.send_batch_by(&[longest], Deadline::NOW).expect("room");
            let drained = rx.drain_by(BATCH, Deadline::NOW, &mut |message| {
                assert_eq!(message, longest);
            });
            assert_eq!(drained.expect("a message"), 1);
        }
        let empty = rx.recv_timeout(&mut buf, SHORT);
        assert!(matches!(empty, Err(RecvError::Empty)));
        let mut warm = Self {
            tx,
            rx,
            messages,
            buf,
            fills: subject.gives_each_once(),
        };
        if warm.fills {
            warm.fill();
            let full = warm.tx.send_timeout(warm.messages.longest(), SHORT);
            assert!(matches!(full, Err(SendError::Full)));
            warm.empty();
        } else {
            warm.overtake();
        }
        warm
    }

    fn fill(&mut self) {
        while self.tx.try_send(self.messages.longest()).is_ok() {}
    }

    fn empty(&mut self) {
        while self.rx.try_recv(&mut self.buf).is_ok() {}
    }

    /// Sends until the receiver has missed something, of which it is told, and what is kept it gets.
    fn overtake(&mut self) {
        let longest = self.messages.longest();
        let many = self.tx.limits().capacity / longest.len().max(1) + 2;
        for _ in 0..many {
            self.tx.try_send(longest).expect("never full");
        }
        let lagged = self.rx.try_recv(&mut self.buf);
        assert!(
            matches!(lagged, Err(RecvError::Lagged { .. })),
            "{lagged:?}"
        );
        self.empty();
    }

    /// Moves messages of several lengths by `send` and by `recv`, which tells the length, and looks what each allocates.
    fn move_all(
        mut self,
        count: Count,
        mut send: impl FnMut(&mut C::Sender, &[u8]) -> Result<(), SendError>,
        mut recv: impl FnMut(&mut C::Receiver, &mut [u8]) -> Result<usize, RecvError>,
    ) {
        for number in 0..MESSAGES {
            let message = self.messages.numbered(number);
            let before = count();
            send(&mut self.tx, message).expect("sends");
            assert_eq!(count(), before, "the sender allocates: message {number}");
            let received = recv(&mut self.rx, &mut self.buf).expect("receives");
            assert_eq!(count(), before, "the receiver allocates: message {number}");
            assert_eq!(received, message.len(), "message {number}");
        }
    }
}

fn send_recv<C: Channel>(subject: &Subject<C>, count: Count) {
    let warm = Warm::new(subject);
    warm.move_all(
        count,
        |tx, message| tx.send(message),
        |rx, buf| rx.recv(buf),
    );
}

fn try_send_try_recv<C: Channel>(subject: &Subject<C>, count: Count) {
    let warm = Warm::new(subject);
    warm.move_all(
        count,
        |tx, message| tx.try_send(message),
        |rx, buf| rx.try_recv(buf),
    );
}

fn send_timeout_recv_timeout<C: Channel>(subject: &Subject<C>, count: Count) {
    let warm = Warm::new(subject);
    warm.move_all(
        count,
        |tx, message| tx.send_timeout(message, LONG),
        |rx, buf| rx.recv_timeout(buf, LONG),
    );
}

fn reserve_commit_peek_consume<C: Channel>(subject: &Subject<C>, count: Count) {
    let warm = Warm::new(subject);
    warm.move_all(
        count,
        |tx, message| {
            tx.reserve(message.len(), Deadline::NOW)?
                .copy_from_slice(message);
            tx.commit(message.len())
        },
        |rx, _| {
            let len = rx.peek(Deadline::NOW)?.len();
            rx.consume();
            Ok(len)
        },
    );
}

fn slot_loan<C: Channel>(subject: &Subject<C>, count: Count) {
    let warm = Warm::new(subject);
    warm.move_all(
        count,
        |tx, message| {
            tx.send_with(message.len(), |bytes| {
                bytes.copy_from_slice(message);
                message.len()
            })
        },
        |rx, _| Ok(rx.loan()?.len()),
    );
}

fn send_batch_drain<C: Channel>(subject: &Subject<C>, count: Count) {
    let Warm {
        mut tx,
        mut rx,
        messages,
        ..
    } = Warm::new(subject);
    let batch: [&[u8]; BATCH] = std::array::from_fn(|n| messages.of_len(n * 8));
    let total: usize = batch.iter().map(|message| message.len()).sum();
    for round in 0..MESSAGES / BATCH {
        let deadline = match round % 2 {
            0 => Deadline::NEVER,
            _ => Deadline::NOW,
        };
        let before = count();
        let sent = tx.send_batch_by(&batch, deadline).expect("sends");
        assert_eq!(count(), before, "the sender allocates: batch {round}");
        let (mut drained, mut received) = (0, 0);
        while drained < sent {
            let more = rx.drain_by(BATCH, deadline, &mut |message| received += message.len());
            drained += more.expect("messages");
        }
        assert_eq!(count(), before, "the receiver allocates: batch {round}");
        assert_eq!((sent, received), (BATCH, total), "batch {round}");
    }
}

/// Calls that return an error allocate no more than others.
fn refused<C: Channel>(subject: &Subject<C>, count: Count) {
    let mut warm = Warm::new(subject);
    let before = count();
    for _ in 0..REFUSALS {
        empty_is_told(&mut warm.rx, &mut warm.buf);
    }
    assert_eq!(count(), before, "an empty channel");
    for _ in 0..REFUSALS {
        too_large_is_told(&mut warm.tx, warm.messages.too_long());
    }
    assert_eq!(count(), before, "a message too large");
    warm.tx.try_send(warm.messages.numbered(1)).expect("room");
    for _ in 0..REFUSALS {
        let [none, least] = [
            warm.rx.try_recv(&mut []),
            warm.rx.recv_timeout(&mut [0; 7], LONG),
        ];
        assert!(matches!(none, Err(RecvError::TooSmall { needed: 8 })));
        assert!(matches!(least, Err(RecvError::TooSmall { needed: 8 })));
    }
    assert_eq!(count(), before, "a buffer too small");
    if !warm.fills {
        for _ in 0..3 {
            warm.empty();
            warm.overtake();
        }
        assert_eq!(count(), before, "a receiver that was overtaken");
        return;
    }
    warm.fill();
    let longest = warm.messages.longest();
    for _ in 0..REFUSALS {
        full_is_told(&mut warm.tx, longest);
    }
    assert_eq!(count(), before, "a full channel");
    for round in 0..3 {
        let full = warm.tx.send_timeout(longest, SHORT);
        assert!(matches!(full, Err(SendError::Full)));
        assert_eq!(count(), before, "a sender that slept in vain: {round}");
    }
    warm.empty();
    for round in 0..3 {
        let empty = warm.rx.recv_timeout(&mut warm.buf, SHORT);
        assert!(matches!(empty, Err(RecvError::Empty)));
        assert_eq!(count(), before, "a receiver that slept in vain: {round}");
    }
}

fn empty_is_told(rx: &mut impl Receiver, buf: &mut [u8]) {
    assert!(matches!(rx.try_recv(buf), Err(RecvError::Empty)));
    let peeked = rx.peek(Deadline::NOW).map(<[u8]>::len);
    assert!(matches!(peeked, Err(RecvError::Empty)));
    let drained = rx.drain_by(BATCH, Deadline::NOW, &mut |_| unreachable!("empty"));
    assert!(matches!(drained, Err(RecvError::Empty)));
}

fn too_large_is_told(tx: &mut impl Sender, message: &[u8]) {
    assert!(matches!(tx.send(message), Err(SendError::TooLarge { .. })));
    let reserved = tx.reserve(message.len(), Deadline::NEVER).map(|_| ());
    assert!(matches!(reserved, Err(SendError::TooLarge { .. })));
    let batch = tx.send_batch_by(&[message], Deadline::NOW);
    assert!(matches!(batch, Err(SendError::TooLarge { .. })));
}

fn full_is_told(tx: &mut impl Sender, message: &[u8]) {
    assert!(matches!(tx.try_send(message), Err(SendError::Full)));
    let batch = tx.send_batch_by(&[message, message], Deadline::NOW);
    assert!(matches!(batch, Err(SendError::Full)));
    // Who lends a buffer tells at commit.
    let lent = match tx.reserve(message.len(), Deadline::NOW) {
        Ok(_) => tx.commit(message.len()),
        Err(error) => Err(error),
    };
    assert!(matches!(lent, Err(SendError::Full)));
    tx.abort();
}

/// Two threads that wait for each other's every message.
fn blocked<C: Channel>(subject: &Subject<C>, count: Count) {
    const WARM: usize = 100;
    const LEN: usize = 64;

    let there = Warm::new(subject);
    let back = Warm::new(subject);
    let (mut ping, mut pinged) = (there.tx, there.rx);
    let (mut pong, mut ponged) = (back.tx, back.rx);
    let message = [7; LEN];
    // Long enough for each to ask to be told of deaths, which allocates once.
    for rx in [&mut pinged, &mut ponged] {
        let nothing = rx.peek(Deadline::after(Duration::from_millis(300)));
        assert!(matches!(nothing, Err(RecvError::Empty)), "nothing was sent");
    }
    thread::scope(|scope| {
        let echo = scope.spawn(move || {
            let mut buf = [0; LEN];
            let mut before = 0;
            for number in 0..MESSAGES + WARM {
                if number == WARM {
                    before = count();
                }
                let len = pinged.recv(&mut buf).expect("receives");
                pong.send(buf.get(..len).expect("within")).expect("sends");
            }
            count() - before
        });
        let mut buf = [0; LEN];
        let mut before = 0;
        for number in 0..MESSAGES + WARM {
            if number == WARM {
                before = count();
            }
            ping.send(&message).expect("sends");
            assert_eq!(ponged.recv(&mut buf).expect("receives"), LEN);
        }
        assert_eq!(count(), before, "the thread that asks");
        assert_eq!(buf, message);
        assert_eq!(echo.join().expect("ends"), 0, "the thread that answers");
    });
}
