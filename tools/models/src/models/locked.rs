//! The ring under two locks.

use loom::{sync::Arc, thread};

use crate::{
    Deadline,
    lock::{Lock, LockError},
    models::Model,
    ring::{
        Memory,
        locked::{Cursors, Locked, Sink, Stuck},
    },
    robust::RobustLock,
    sync::{AtomicU64, make_way},
    tally::TALLY,
};

const FILE: &str = "ring/locked.rs";

pub(super) const MODELS: &[Model] = &[
    Model::exhaustive("locked, one to one round the ring", FILE, one_to_one),
    Model::exhaustive("locked, two senders", FILE, two_senders),
    Model::exhaustive("locked, two receivers", FILE, two_receivers),
    Model::bounded("locked, two senders and a receiver", FILE, 1, two_to_one),
    Model::bounded(
        "locked, two senders and a receiver, longer",
        FILE,
        3,
        two_to_one,
    )
    .long(),
];

/// What the processes share.
struct Shared {
    tail: AtomicU64,
    head: AtomicU64,
    seen: [AtomicU64; 2],
    locks: [RobustLock; 2],
    memory: Memory,
}

/// A robust lock, as one of the processes takes it.
struct Held<'a>(&'a RobustLock, u16);

impl Lock for Held<'_> {
    fn lock(&self, deadline: Deadline) -> Result<(), LockError> {
        self.0.take(self.1, deadline, |_| false).map(drop)
    }

    fn unlock(&self) {
        self.0.give(self.1);
    }
}

/// Room for one message.
struct One(Option<Vec<u8>>);

impl Sink for One {
    fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        if self.0.is_some() {
            return None;
        }
        self.0 = Some(vec![0; len]);
        self.0.as_deref_mut()
    }
}

impl Shared {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            tail: AtomicU64::new(0),
            head: AtomicU64::new(0),
            seen: [AtomicU64::new(0), AtomicU64::new(0)],
            locks: [RobustLock::zero(), RobustLock::zero()],
            memory: Memory::new(capacity, false),
        })
    }

    /// As the senders (0) or the receivers (1) see it.
    fn ring(&self, side: usize, me: u16) -> Locked<'_, Held<'_>> {
        let cursors = Cursors {
            tail: &self.tail,
            head: &self.head,
            seen: &self.seen[side],
            tally: &TALLY,
        };
        Locked::new(cursors, self.memory.data(), Held(&self.locks[side], me))
    }

    fn send(&self, me: u16, message: &[u8]) {
        loop {
            match self.ring(0, me).push(&[message], Deadline::NEVER) {
                Ok(_) => return,
                Err(Stuck::NotNow) => make_way(),
                Err(stuck) => panic!("{stuck:?}"),
            }
        }
    }

    fn receive(&self, me: u16) -> Vec<u8> {
        loop {
            let mut sink = One(None);
            match self.ring(1, me).pop(Deadline::NEVER, &mut sink) {
                Ok(_) => return sink.0.expect("one"),
                Err(Stuck::NotNow) => make_way(),
                Err(stuck) => panic!("{stuck:?}"),
            }
        }
    }
}

/// Accepted: each message once, in order, whole.
fn one_to_one() {
    // Room for two: the third goes over the first.
    let shared = Shared::new(32);
    shared.send(1, &[1; 8]);
    let other = Arc::clone(&shared);
    let sender = thread::spawn(move || {
        for n in 2..=3_u8 {
            other.send(1, &[n; 8]);
        }
    });
    for n in 1..=3_u8 {
        assert_eq!(shared.receive(2), [n; 8]);
    }
    sender.join().expect("no panic");
}

/// Accepted: both messages, in either order.
fn two_senders() {
    let shared = Shared::new(32);
    let other = Arc::clone(&shared);
    let sender = thread::spawn(move || other.send(1, &[1; 8]));
    shared.send(2, &[2; 8]);
    sender.join().expect("no panic");
    let all = [(); 2].map(|()| shared.receive(3));
    assert!(
        all == [[1; 8], [2; 8]] || all == [[2; 8], [1; 8]],
        "{all:?}"
    );
}

/// Accepted: each message at one of the two, once.
fn two_receivers() {
    let shared = Shared::new(32);
    shared.send(1, &[1; 8]);
    shared.send(1, &[2; 8]);
    let other = Arc::clone(&shared);
    let receiver = thread::spawn(move || other.receive(2));
    let mine = shared.receive(3);
    let theirs = receiver.join().expect("no panic");
    let both = [mine[0], theirs[0]];
    assert!(both == [1, 2] || both == [2, 1], "{both:?}");
    shared.send(1, &[3; 8]);
    assert_eq!(shared.receive(3), [3; 8]);
}

/// Accepted: both messages, in either order.
fn two_to_one() {
    let shared = Shared::new(16);
    let senders = [1_u8, 2].map(|n| {
        let other = Arc::clone(&shared);
        thread::spawn(move || other.send(n.into(), &[n; 8]))
    });
    let all = [(); 2].map(|()| shared.receive(3));
    assert!(
        all == [[1; 8], [2; 8]] || all == [[2; 8], [1; 8]],
        "{all:?}"
    );
    for sender in senders {
        sender.join().expect("no panic");
    }
}
