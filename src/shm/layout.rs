//! What the bytes of a segment mean. `tests/layout.rs` holds this against the table in docs/layout.md.

use std::mem::offset_of;

use crate::{
    End,
    robust::RobustLock,
    sync::{AtomicU32, AtomicU64},
    sys::raw_sync::MutexPlace,
    tally::Tally,
    wait::Event,
};

/// The first eight bytes; the last is not text, so that a text file is never taken for a segment.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"LANEWAY\x1a");
/// Changes whenever a field does.
pub(crate) const LAYOUT: u32 = 4;
/// Where the data start, from the start of the segment.
pub(crate) const DATA: usize = 1024;

/// The kind of a ring under locks.
pub(crate) const LOCKED: u32 = 1;
/// The kind of the segment beside a System V queue.
pub(crate) const QUEUE: u32 = 2;
/// The kind of a ring for one sender and one receiver.
pub(crate) const SPSC: u32 = 3;
/// The kind of a ring for many, which has a line of counters for each end behind its state words.
pub(crate) const LINED: u32 = 4;
/// The kind of a queue's ledger.
pub(crate) const LEDGER: u32 = 5;
/// The kind of a shared value.
pub(crate) const SHARED: u32 = 6;
/// The kind of a ring whose receivers all see everything.
pub(crate) const BROADCAST: u32 = 9;
/// How many lines it has: as many as there can be ends.
pub(crate) const LINES: u16 = 1023;

/// `seen` has this bit once a sender has opened.
const SENDER_SEEN: u32 = 1;
/// `seen` has this bit once a receiver has opened.
const RECEIVER_SEEN: u32 = 2;

/// The bit of `seen` for an end.
pub(crate) const fn bit(end: End) -> u32 {
    match end {
        End::Sender => SENDER_SEEN,
        End::Receiver => RECEIVER_SEEN,
    }
}

/// The constants of a segment, set before anybody else can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Shape {
    /// [`MAGIC`].
    pub(crate) magic: u64,
    /// [`LAYOUT`].
    pub(crate) layout: u32,
    /// Which transport's.
    pub(crate) kind: u32,
    /// Bytes of data behind the header; a power of two.
    pub(crate) capacity: u64,
    /// The longest message in bytes.
    pub(crate) max_message: u64,
    /// Which lock is in the lock lines.
    pub(crate) lock: u32,
    /// Reserved.
    pub(crate) flags: u32,
    /// A number of the transport's own: the identifier of a System V queue.
    pub(crate) extra: i64,
    /// Bytes behind the data: state words, and lines of counters.
    pub(crate) trailer: u64,
}

impl Shape {
    /// Bytes of counters at the very end, which are reserved one by one by the ends that come.
    pub(crate) const fn lines(&self) -> u64 {
        if self.kind == LINED {
            LINES as u64 * size_of::<Line>() as u64
        } else {
            0
        }
    }

    /// Whether receivers count bytes, as those of a queue do, which has only its counters here: the rings' count messages, each of which
    /// they take by few instructions.
    pub(crate) const fn counts_received_bytes(&self) -> bool {
        self.kind == QUEUE
    }

    /// Where these start.
    pub(crate) const fn before_lines(&self) -> u64 {
        let before = self.capacity.saturating_add(self.trailer);
        before
            .saturating_sub(self.lines())
            .saturating_add(DATA as u64)
    }
}

/// The first line: constants, and what changes when somebody comes or goes.
#[repr(C, align(128))]
pub(crate) struct Identity {
    /// Never changes.
    pub(crate) shape: Shape,
    /// Which ends have ever opened. Written by openers.
    pub(crate) seen: AtomicU32,
    /// Counts openings and closings, so that the others look who is there. Written by both.
    pub(crate) changes: AtomicU32,
    /// Not 0 once somebody opened whose system has no membarrier. Written by openers.
    pub(crate) fences: AtomicU32,
}

/// One side's line: how far it has come, and what the other side sleeps for.
#[repr(C, align(128))]
pub(crate) struct Side {
    /// Bytes ever written (producers) or finished (consumers). Never wraps in practice: 2^64 bytes.
    pub(crate) cursor: AtomicU64,
    /// The cursor has moved, or somebody has come or gone.
    pub(crate) moved: Event,
    /// What this side has done, beside the cursor that it moves, so that counting touches no further line.
    pub(crate) tally: Tally,
}

/// What one end has done, of a ring whose sides have nothing that they alone write.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Line {
    /// As a sender.
    pub(crate) sent: Tally,
    /// As a receiver. An end is one of both, and who had its number before it may have been the other.
    pub(crate) received: Tally,
}

/// One side's lock, and what it protects.
#[repr(C, align(128))]
pub(crate) struct LockLine {
    /// Held by whoever moves this side's cursor.
    pub(crate) lock: RobustLock,
    /// The other side's cursor as last seen under this lock. The producers' is how far the ring is free in `shm+mpmc`, and
    /// where the last record starts in `shm+broadcast`.
    pub(crate) seen: AtomicU64,
    /// The same as `lock`, if raw_sync's was chosen.
    pub(crate) mutex: MutexPlace,
}

/// The start of every segment.
#[repr(C)]
pub(crate) struct Header {
    /// Constants.
    pub(crate) identity: Identity,
    /// Its cursor is the tail.
    pub(crate) producer: Side,
    /// Its cursor is the head.
    pub(crate) consumer: Side,
    /// The producers' lock.
    pub(crate) producer_lock: LockLine,
    /// The consumers' lock.
    pub(crate) consumer_lock: LockLine,
}

impl Header {
    /// The counters of one side.
    #[inline]
    pub(crate) fn tally(&self, end: End) -> &Tally {
        match end {
            End::Sender => &self.producer.tally,
            End::Receiver => &self.consumer.tally,
        }
    }
}

/// Every field with its place, for docs, tests, and who looks.
pub(crate) const FIELDS: &[(&str, usize)] = &[
    ("magic", offset_of!(Header, identity.shape.magic)),
    ("layout", offset_of!(Header, identity.shape.layout)),
    ("kind", offset_of!(Header, identity.shape.kind)),
    ("capacity", offset_of!(Header, identity.shape.capacity)),
    (
        "max_message",
        offset_of!(Header, identity.shape.max_message),
    ),
    ("lock", offset_of!(Header, identity.shape.lock)),
    ("flags", offset_of!(Header, identity.shape.flags)),
    ("extra", offset_of!(Header, identity.shape.extra)),
    ("trailer", offset_of!(Header, identity.shape.trailer)),
    ("seen", offset_of!(Header, identity.seen)),
    ("changes", offset_of!(Header, identity.changes)),
    ("fences", offset_of!(Header, identity.fences)),
    ("producer.cursor", offset_of!(Header, producer.cursor)),
    ("producer.moved", offset_of!(Header, producer.moved)),
    (
        "producer.messages",
        offset_of!(Header, producer.tally.messages),
    ),
    ("producer.bytes", offset_of!(Header, producer.tally.bytes)),
    ("producer.waits", offset_of!(Header, producer.tally.waits)),
    ("producer.waited", offset_of!(Header, producer.tally.waited)),
    ("producer.since", offset_of!(Header, producer.tally.since)),
    (
        "producer.wake_ups",
        offset_of!(Header, producer.tally.wake_ups),
    ),
    ("producer.drops", offset_of!(Header, producer.tally.drops)),
    (
        "producer.highest",
        offset_of!(Header, producer.tally.highest),
    ),
    ("consumer.cursor", offset_of!(Header, consumer.cursor)),
    ("consumer.moved", offset_of!(Header, consumer.moved)),
    (
        "consumer.messages",
        offset_of!(Header, consumer.tally.messages),
    ),
    ("consumer.bytes", offset_of!(Header, consumer.tally.bytes)),
    ("consumer.waits", offset_of!(Header, consumer.tally.waits)),
    ("consumer.waited", offset_of!(Header, consumer.tally.waited)),
    ("consumer.since", offset_of!(Header, consumer.tally.since)),
    (
        "consumer.wake_ups",
        offset_of!(Header, consumer.tally.wake_ups),
    ),
    ("consumer.drops", offset_of!(Header, consumer.tally.drops)),
    (
        "consumer.highest",
        offset_of!(Header, consumer.tally.highest),
    ),
    ("producer_lock.lock", offset_of!(Header, producer_lock.lock)),
    ("producer_lock.seen", offset_of!(Header, producer_lock.seen)),
    (
        "producer_lock.mutex",
        offset_of!(Header, producer_lock.mutex),
    ),
    ("consumer_lock.lock", offset_of!(Header, consumer_lock.lock)),
    ("consumer_lock.seen", offset_of!(Header, consumer_lock.seen)),
    (
        "consumer_lock.mutex",
        offset_of!(Header, consumer_lock.mutex),
    ),
];

const _: () = assert!(offset_of!(Header, producer) == 128);
const _: () = assert!(offset_of!(Header, consumer) == 256);
const _: () = assert!(offset_of!(Header, producer_lock) == 384);
const _: () = assert!(offset_of!(Header, consumer_lock) == 512);
const _: () = assert!(size_of::<Header>() <= DATA);
const _: () = assert!(size_of::<Line>() == 128);
