//! `shm+lock:` a ring in shared memory under two robust locks: many senders, many receivers.

mod receiver;

use std::{ffi::OsString, io};

use crate::{
    Address, AddressError, Capabilities, Channel, Deadline, Depth, End, Endpoint, Fan, Key, Limits,
    OpenError, Overflow, SendError, Sender, Transport,
    ring::locked::{Cursors, Locked, Stuck},
    shm::{
        layout::{self, Header},
        segment::Segment,
    },
    sys::raw_sync::RawSyncMutex,
    transport::family::{
        holder::{Held, Holder, line},
        member::{Member, Seat, endpoint_by_member},
        ring_options::{self, RingKind, RingOptions, overflow_builder, ring_builder, ring_channel},
        scratch::{Scratch, reserve_in_scratch},
    },
};

pub use receiver::LockedReceiver;

/// Which lock guards each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LockChoice {
    /// A robust lock: when its holder dies, the next takes over at once.
    #[default]
    Robust,
    /// raw_sync's mutex, for comparison. When its holder dies, everybody waits for ever, and calls
    /// with a deadline end in [`Full`](SendError::Full) or [`Empty`](crate::RecvError::Empty).
    RawSync,
}

impl LockChoice {
    /// Makes both locks of a new segment.
    fn init(self, header: &Header) -> io::Result<()> {
        for line in [&header.producer_lock, &header.consumer_lock] {
            match self {
                // All zeroes is free.
                Self::Robust => {}
                Self::RawSync => RawSyncMutex::init(&line.mutex)?,
            }
        }
        Ok(())
    }
}

/// A ring in shared memory under a lock for each side.
///
/// Messages are copied in under the senders' lock and published by one store; receivers copy out
/// under theirs. A batch takes the lock once.
///
/// # Crash behaviour
/// Whoever dies at whatever moment, with [`LockChoice::Robust`]: a message was sent or was not, and the
/// others go on. What a receiver had taken is lost with it: one message, or up to
/// 256 in a [`drain_by`](crate::Receiver::drain_by). Who sleeps learns of a death at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShmLocked {
    options: RingOptions,
    lock: LockChoice,
}

impl ShmLocked {
    /// A channel with this name, or without one if it is empty.
    #[must_use]
    pub fn new(name: impl Into<OsString>) -> Self {
        Self {
            options: RingOptions::new(name.into(), ring_options::MOST),
            lock: LockChoice::Robust,
        }
    }

    ring_builder!();

    overflow_builder!();

    /// Uses this lock.
    #[must_use]
    pub const fn lock(mut self, lock: LockChoice) -> Self {
        self.lock = lock;
        self
    }

    fn kind(&self) -> RingKind<'static> {
        match self.lock {
            LockChoice::Robust => RingKind {
                kind: layout::LOCKED,
                lock: 0,
                exclusive: |_| false,
                discards: true,
                trailer: |_| 0,
                prepare: &|header| LockChoice::Robust.init(header),
            },
            LockChoice::RawSync => RingKind {
                kind: layout::LOCKED,
                lock: 1,
                exclusive: |_| false,
                // A sender has no handle on the receivers' mutex.
                discards: false,
                trailer: |_| 0,
                prepare: &|header| LockChoice::RawSync.init(header),
            },
        }
    }
}

impl ShmLocked {
    fn holder(&self, segment: &Segment, end: End) -> Result<Holder, OpenError> {
        match self.lock {
            LockChoice::Robust => Holder::robust(segment, &self.address()),
            LockChoice::RawSync => Holder::raw_sync(segment, end, &self.address()),
        }
    }
}

impl TryFrom<&Address> for ShmLocked {
    type Error = AddressError;

    fn try_from(address: &Address) -> Result<Self, AddressError> {
        address.check(Self::SCHEME, Self::KEYS)?;
        let lock = address.parse_with("lock", "robust or raw_sync", |word| match word {
            "robust" => Some(LockChoice::Robust),
            "raw_sync" => Some(LockChoice::RawSync),
            _ => None,
        })?;
        let (lock, options) = (
            lock.unwrap_or_default(),
            RingOptions::read(address, ring_options::MOST)?,
        );
        let options = match lock {
            LockChoice::Robust => options,
            LockChoice::RawSync => options.without_discarding(address)?,
        };
        Ok(Self { options, lock })
    }
}

impl Transport for ShmLocked {
    const SCHEME: &'static str = "shm+lock";
    const SUMMARY: &'static str = "ring in shared memory under a robust lock for each side";
    const KEYS: &'static [Key] = &[
        ring_options::CAPACITY,
        ring_options::MAX_MESSAGE,
        ring_options::WAIT,
        ring_options::PEER,
        ring_options::OVERFLOW,
        Key {
            name: "lock",
            form: "robust|raw_sync",
            summary: "which lock; raw_sync's does not survive its holder (robust)",
        },
    ];
    const VARIANTS: &'static [&'static str] = &["", "wait=park", "lock=raw_sync"];

    fn example_name(unique: &str) -> Option<String> {
        Some(unique.to_owned())
    }
}

impl Channel for ShmLocked {
    ring_channel!(LockedSender, LockedReceiver);

    fn address(&self) -> Address {
        let address = self.options.address(Self::SCHEME);
        match self.lock {
            LockChoice::Robust => address,
            LockChoice::RawSync => address.with("lock", "raw_sync"),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            senders: Fan::Many,
            receivers: Fan::Many,
            lossy: self.options.overflow.is_lossy(),
            anonymous: true,
            named: true,
            awaitable: true,
            ..Capabilities::LEAST
        }
    }
}

/// The ring as the side of `end` sees it.
#[inline(always)]
fn ring<'a>(seat: &'a Seat, end: End, holder: &'a Holder) -> Locked<'a, Held<'a>> {
    let header = seat.segment().header();
    let cursors = Cursors {
        tail: &header.producer.cursor,
        head: &header.consumer.cursor,
        seen: &line(seat.segment(), end).seen,
        tally: header.tally(end),
    };
    Locked::new(cursors, seat.segment().data(), holder.hold(seat, end))
}

/// The sending end of a [`ShmLocked`].
#[derive(Debug)]
pub struct LockedSender {
    holder: Holder,
    member: Member,
    max_message: usize,
    overflow: Overflow,
    scratch: Scratch,
}

impl LockedSender {
    fn new(channel: &ShmLocked, segment: Segment) -> Result<Self, OpenError> {
        let (address, wait) = (channel.address(), channel.options.wait);
        Ok(Self {
            holder: channel.holder(&segment, End::Sender)?,
            max_message: segment.max_message(),
            member: Member::new(segment, End::Sender, address, wait),
            overflow: channel.options.overflow,
            scratch: Scratch::new(),
        })
    }

    /// Sends as many of these as there is room for, none of which is too long, if that can be done at once.
    #[inline(always)]
    fn push(&self, messages: &[&[u8]], need: usize, deadline: Deadline) -> Option<usize> {
        let seat = self.member.seat();
        let ring = ring(seat, End::Sender, &self.holder);
        if !seat.is_quiet() || !ring.may_have_room(need) {
            return None;
        }
        let pushed = ring.push(messages, deadline).ok()?;
        self.member.segment().items().notify();
        Some(pushed)
    }

    /// Sends as many of these as there is room for, waiting until there is for the first, or making it, or giving the first up.
    #[cold]
    fn push_slowly(
        &mut self,
        messages: &[&[u8]],
        need: usize,
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let (holder, overflow) = (&self.holder, self.overflow);
        let mut contended = false;
        // The wait is for room. The lock is waited for as long as the call may.
        let pushed = self.member.wait(overflow.patience(deadline), |seat, look| {
            contended = false;
            if seat.is_alone(look) {
                return Some(Err(SendError::Disconnected));
            }
            let ring = ring(seat, End::Sender, holder);
            let makes_room = overflow == Overflow::DropOldest;
            if !makes_room && !ring.may_have_room(need) {
                ring.note_full();
                return None;
            }
            let pushed = match ring.push(messages, deadline) {
                Err(Stuck::NotNow) if makes_room && make_room(seat, holder, need) => {
                    ring.push(messages, deadline)
                }
                pushed => pushed,
            };
            match pushed {
                Ok(count) => Some(Ok(count)),
                Err(Stuck::NotNow | Stuck::TooSmall(_)) => {
                    contended = true;
                    None
                }
                Err(Stuck::Poisoned | Stuck::Corrupt) => Some(Err(SendError::Poisoned)),
            }
        });
        self.member.contended = contended;
        let segment = self.member.segment();
        let Some(pushed) = pushed else {
            let ring = ring(self.member.seat(), End::Sender, &self.holder);
            if overflow != Overflow::DropNewest || !ring.lacks_room(need) {
                // If there is room, it was the lock that was not to be had.
                return Err(SendError::Full);
            }
            segment.header().producer.tally.dropped(1);
            return Ok(1);
        };
        let pushed = pushed?;
        segment.items().notify();
        Ok(pushed)
    }
}

/// Discards the oldest messages, until there may be room for one of `len` bytes; `false` if their lock was not to be had at once. What is wrong
/// with the ring is told by the push that follows.
fn make_room(seat: &Seat, holder: &Holder, len: usize) -> bool {
    match ring(seat, End::Receiver, holder).discard(len, Deadline::NOW) {
        Ok(gone) => {
            seat.tally().dropped(gone);
            true
        }
        Err(stuck) => stuck != Stuck::NotNow,
    }
}

impl Endpoint for LockedSender {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        Limits::new(self.max_message, self.member.segment().data().capacity(), 1)
    }

    fn depth(&self) -> io::Result<Depth> {
        let ring = ring(self.member.seat(), End::Sender, &self.holder);
        Ok(Depth::of_bytes(ring.used()))
    }
}

impl Sender for LockedSender {
    reserve_in_scratch!();

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        let max = self.max_message;
        if message.len() > max {
            return Err(SendError::TooLarge { max });
        }
        if self.push(&[message], message.len(), deadline).is_none() {
            self.push_slowly(&[message], message.len(), deadline)?;
        }
        Ok(())
    }

    /// Takes the lock once for as many as there is room for.
    #[inline]
    fn send_batch_by(
        &mut self,
        messages: &[&[u8]],
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let max = self.max_message;
        // Those before a message that is too long are sent.
        let fit = messages.iter().take_while(|m| m.len() <= max).count();
        let (fitting, rest) = messages.split_at(fit);
        if fitting.is_empty() && !rest.is_empty() {
            return Err(SendError::TooLarge { max });
        }
        let mut sent = 0;
        while let Some((rest, first)) = fitting.get(sent..).and_then(|r| Some((r, r.first()?))) {
            let pushed = match self.push(rest, first.len(), deadline) {
                Some(pushed) => Ok(pushed),
                None => self.push_slowly(rest, first.len(), deadline),
            };
            match pushed {
                Ok(count) => sent += count,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }
}
