//! The ring of one producer and one consumer.

use loom::{sync::Arc, thread};

use crate::{
    models::Model,
    ring::{
        Memory,
        spsc::{Consumer, Producer, Ring, Stuck},
    },
    sync::{AtomicU64, make_way},
    tally::TALLY,
};

const FILE: &str = "ring/spsc.rs";

pub(super) const MODELS: &[Model] = &[
    Model::exhaustive("spsc, one by one round the ring", FILE, one_by_one),
    Model::exhaustive("spsc, one by one from the start", FILE, from_the_start).long(),
    Model::exhaustive("spsc, a batch is all or nothing", FILE, batch),
    Model::exhaustive("spsc, filler at the end", FILE, filler),
    Model::exhaustive(
        "spsc, several are looked at before they are finished",
        FILE,
        drain,
    ),
    Model::bounded("spsc, a successor of the producer", FILE, 3, successor),
    Model::exhaustive("spsc, a successor of the consumer", FILE, redelivery),
    Model::exhaustive(
        "spsc, a successor of the producer, every order",
        FILE,
        successor,
    )
    .long(),
];

/// What two processes share.
struct Shared {
    tail: AtomicU64,
    head: AtomicU64,
    memory: Memory,
}

impl Shared {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            tail: AtomicU64::new(0),
            head: AtomicU64::new(0),
            memory: Memory::new(capacity, true),
        })
    }

    fn ring(&self) -> Ring<'_> {
        Ring {
            tail: &self.tail,
            head: &self.head,
            tally: &TALLY,
            data: self.memory.data(),
        }
    }
}

/// Sends it as soon as there is room: the short way, else the one that looks how far the consumer is.
fn send(producer: &mut Producer, shared: &Shared, message: &[u8]) {
    if producer.send(shared.ring(), message) {
        return;
    }
    loop {
        match producer.append(shared.ring(), message) {
            Ok(()) => return producer.publish(shared.ring()),
            Err(Stuck::NotNow) => make_way(),
            Err(Stuck::Corrupt) => panic!("corrupt"),
        }
    }
}

/// Starts a sender of these messages, of which the first `before` are sent before anybody else is there.
fn sender(
    shared: &Arc<Shared>,
    before: usize,
    messages: &'static [&'static [u8]],
) -> thread::JoinHandle<()> {
    let mut producer = Producer::resume(shared.ring()).expect("new");
    let (first, rest) = messages.split_at(before);
    for message in first {
        send(&mut producer, shared, message);
    }
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for message in rest {
            send(&mut producer, &shared, message);
        }
    })
}

fn peek(consumer: &mut Consumer, shared: &Shared) -> Vec<u8> {
    loop {
        match consumer.peek(shared.ring()) {
            Ok(_) => return consumer.peeked(shared.ring()).to_vec(),
            Err(Stuck::NotNow) => make_way(),
            Err(Stuck::Corrupt) => panic!("corrupt"),
        }
    }
}

/// Receives it as soon as it is there: the short way, else the long one.
fn receive(consumer: &mut Consumer, shared: &Shared) -> Vec<u8> {
    let mut buf = [0; 24];
    if let Some(len) = consumer.recv(shared.ring(), &mut buf) {
        return buf[..len].to_vec();
    }
    let message = peek(consumer, shared);
    consumer.step();
    consumer.finish(shared.ring());
    message
}

/// Accepted: each message once, in order, whole.
fn one_by_one() {
    // Room for one record and the next header: each message waits for the one before it, and the third goes over the first.
    let shared = Shared::new(32);
    let sender = sender(&shared, 1, &[&[1; 8], &[2; 8], &[3; 8]]);
    let mut consumer = Consumer::resume(shared.ring());
    for n in 1..=3_u8 {
        assert_eq!(receive(&mut consumer, &shared), [n; 8]);
    }
    sender.join().expect("no panic");
    assert_eq!(consumer.peek(shared.ring()), Err(Stuck::NotNow));
}

/// Accepted: each message once, in order, whole.
fn from_the_start() {
    let shared = Shared::new(32);
    let sender = sender(&shared, 0, &[&[1; 8], &[2; 8], &[3; 8]]);
    let mut consumer = Consumer::resume(shared.ring());
    for n in 1..=3_u8 {
        assert_eq!(receive(&mut consumer, &shared), [n; 8]);
    }
    sender.join().expect("no panic");
}

/// Accepted: nothing of a batch, or all of it.
fn batch() {
    let shared = Shared::new(64);
    let other = Arc::clone(&shared);
    let sender = thread::spawn(move || {
        let mut producer = Producer::resume(other.ring()).expect("new");
        for n in 1..=2_u8 {
            producer.append(other.ring(), &[n; 8]).expect("room");
        }
        producer.publish(other.ring());
    });
    let mut consumer = Consumer::resume(shared.ring());
    assert_eq!(receive(&mut consumer, &shared), [1; 8]);
    // Now the second is there.
    assert_eq!(consumer.peek(shared.ring()), Ok(8));
    assert_eq!(consumer.peeked(shared.ring()), [2; 8]);
    consumer.step();
    assert_eq!(consumer.peek(shared.ring()), Err(Stuck::NotNow));
    sender.join().expect("no panic");
}

/// Accepted: each message once, in order, though the third does not fit before the end.
fn filler() {
    let shared = Shared::new(64);
    // 48 bytes are behind two of them, and 24 are wanted.
    let sender = sender(&shared, 2, &[&[1; 16], &[2; 16], &[3; 16]]);
    let mut consumer = Consumer::resume(shared.ring());
    for n in 1..=3_u8 {
        assert_eq!(receive(&mut consumer, &shared), [n; 16]);
    }
    sender.join().expect("no panic");
}

/// Accepted: each message once, in order, and whole as long as it is lent.
fn drain() {
    let shared = Shared::new(64);
    let sender = sender(&shared, 2, &[&[1; 8], &[2; 8], &[3; 8], &[4; 8]]);
    let mut consumer = Consumer::resume(shared.ring());
    let mut next = 1;
    while next <= 4_u8 {
        assert_eq!(peek(&mut consumer, &shared), [next; 8]);
        consumer.step();
        next += 1;
        if next <= 4 && consumer.peek(shared.ring()).is_ok() {
            assert_eq!(consumer.peeked(shared.ring()), [next; 8]);
            consumer.step();
            next += 1;
        }
        consumer.finish(shared.ring());
    }
    sender.join().expect("no panic");
}

/// Accepted: what the first sent, once, then what its successor sends. The kernel tells of a death after everything that
/// the dead one did, so that is done before.
fn successor() {
    let shared = Shared::new(64);
    let mut producer = Producer::resume(shared.ring()).expect("new");
    for n in 1..=3_u8 {
        send(&mut producer, &shared, &[n; 8]);
    }
    // Dies with room for a message reserved.
    let _ = producer.reserve(shared.ring(), 0);
    let other = Arc::clone(&shared);
    let sender = thread::spawn(move || {
        let mut producer = Producer::resume(other.ring()).expect("sound");
        // The second goes over the first that was sent, once that is finished.
        send(&mut producer, &other, &[4; 8]);
        send(&mut producer, &other, &[5; 8]);
    });
    let mut consumer = Consumer::resume(shared.ring());
    for n in 1..=5_u8 {
        assert_eq!(receive(&mut consumer, &shared), [n; 8]);
    }
    sender.join().expect("no panic");
}

/// Accepted: the first message once or twice, then the others: a consumer dies when it has looked at one.
fn redelivery() {
    let shared = Shared::new(32);
    let sender = sender(&shared, 1, &[&[1; 8], &[2; 8], &[3; 8]]);
    let mut consumer = Consumer::resume(shared.ring());
    assert_eq!(peek(&mut consumer, &shared), [1; 8]);
    // Dies.
    let mut consumer = Consumer::resume(shared.ring());
    assert_eq!(receive(&mut consumer, &shared), [1; 8]);
    // Dies.
    let mut consumer = Consumer::resume(shared.ring());
    for n in 2..=3_u8 {
        assert_eq!(receive(&mut consumer, &shared), [n; 8]);
    }
    sender.join().expect("no panic");
}
