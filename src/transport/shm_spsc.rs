//! `shm+spsc:` (also `shm:`) a lock-free ring in shared memory: one sender, one receiver, lent in place.

mod receiver;
mod sender;

use std::ffi::OsString;

use crate::{
    Address, AddressError, Capabilities, Channel, Depth, Key, Limits, Transport,
    ring::spsc::Ring,
    shm::{layout, segment::Segment},
    sync::Ordering,
    transport::family::ring_options::{
        self, RingKind, RingOptions, overflow_builder, ring_builder, ring_channel,
    },
};

pub use receiver::SpscReceiver;
pub use sender::SpscSender;

/// The alignment of messages.
const ALIGN: usize = 8;

/// A lock-free ring in shared memory for one sender and one receiver.
///
/// Messages of any length are written and read where they lie. A short message and the news of it share a
/// cache line. While data flows there is no system call and no fence.
///
/// # Crash behaviour
/// A sender that dies has sent a message or has not. Another may take its place and goes on behind the
/// last message; a receiver's successor gets again what was not finished. Who sleeps learns of a death at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShmSpsc {
    options: RingOptions,
}

impl ShmSpsc {
    /// A channel with this name, or without one if it is empty.
    #[must_use]
    pub fn new(name: impl Into<OsString>) -> Self {
        Self {
            options: RingOptions::new(name.into(), ring_options::MOST),
        }
    }

    ring_builder!();

    overflow_builder!();

    #[expect(clippy::unused_self, reason = "what ring_channel asks for")]
    fn kind(&self) -> RingKind<'static> {
        RingKind {
            kind: layout::SPSC,
            lock: 0,
            exclusive: |_| true,
            discards: false,
            trailer: |_| 0,
            prepare: &|_| Ok(()),
        }
    }
}

impl TryFrom<&Address> for ShmSpsc {
    type Error = AddressError;

    fn try_from(address: &Address) -> Result<Self, AddressError> {
        address.check(Self::SCHEME, Self::KEYS)?;
        Ok(Self {
            options: RingOptions::read(address, ring_options::MOST)?.without_discarding(address)?,
        })
    }
}

impl Transport for ShmSpsc {
    const SCHEME: &'static str = "shm+spsc";
    const ALIASES: &'static [&'static str] = &["shm"];
    const SUMMARY: &'static str = "lock-free ring in shared memory, one sender and one receiver";
    const KEYS: &'static [Key] = &[
        ring_options::CAPACITY,
        ring_options::MAX_MESSAGE,
        ring_options::WAIT,
        ring_options::PEER,
        ring_options::OVERFLOW,
    ];
    const VARIANTS: &'static [&'static str] = &["", "wait=park", "peer=untrusted"];

    fn example_name(unique: &str) -> Option<String> {
        Some(unique.to_owned())
    }
}

impl Channel for ShmSpsc {
    ring_channel!(SpscSender, SpscReceiver);

    fn address(&self) -> Address {
        self.options.address(Self::SCHEME)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            anonymous: true,
            named: true,
            awaitable: true,
            zero_copy_send: self.options.peer.is_trusted() && !self.options.overflow.is_lossy(),
            zero_copy_recv: self.options.peer.is_trusted(),
            lossy: self.options.overflow.is_lossy(),
            redelivers: true,
            ..Capabilities::LEAST
        }
    }
}

#[inline]
fn ring(segment: &Segment) -> Ring<'_> {
    let header = segment.header();
    Ring {
        tail: &header.producer.cursor,
        head: &header.consumer.cursor,
        tally: &header.producer.tally,
        data: segment.data(),
    }
}

fn limits(segment: &Segment) -> Limits {
    Limits::new(segment.max_message(), segment.data().capacity(), ALIGN)
}

fn depth(segment: &Segment) -> Depth {
    let ring = ring(segment);
    // ORDERING: Relaxed, twice; a snapshot for people.
    let head = ring.head.load(Ordering::Relaxed);
    let tail = ring.tail.load(Ordering::Relaxed);
    // The two were not read at the same moment.
    let used = tail.wrapping_sub(head).min(ring.data.capacity() as u64);
    Depth::of_bytes(usize::try_from(used).unwrap_or(0))
}
