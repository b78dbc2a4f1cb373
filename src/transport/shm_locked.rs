//! `shm+lock:` a ring in shared memory under two robust locks: many senders, many receivers.

use std::{ffi::OsString, io};

use crate::{
    Address, AddressError, Capabilities, Channel, Deadline, Depth, End, Endpoint, Fan, Key, Limits,
    OpenError, Receiver, RecvError, SendError, Sender, Transport,
    ring::{
        hold_off,
        locked::{Cursors, Locked, Moved, Sink, Stuck},
    },
    shm::{layout::Header, segment::Segment},
    sys::raw_sync::RawSyncMutex,
    transport::family::{
        holder::{Held, Holder, line},
        member::{Member, Seat, endpoint_by_member},
        ring_options::{self, RingKind, RingOptions, ring_builder, ring_channel},
        scratch::{Scratch, reserve_in_scratch},
        stash::{Direct, Stash},
    },
};

/// Which lock guards each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LockChoice {
    /// A robust lock: when its holder dies, the next takes over at once.
    #[default]
    Robust,
    /// raw_sync's mutex, for comparison. When its holder dies, everybody waits for ever, and calls
    /// with a deadline end in [`Full`](SendError::Full) or [`Empty`](RecvError::Empty).
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

    /// Uses this lock.
    #[must_use]
    pub const fn lock(mut self, lock: LockChoice) -> Self {
        self.lock = lock;
        self
    }

    fn kind(&self) -> RingKind<'static> {
        match self.lock {
            LockChoice::Robust => RingKind {
                kind: 1,
                lock: 0,
                exclusive: |_| false,
                trailer: |_| 0,
                prepare: &|header| LockChoice::Robust.init(header),
            },
            LockChoice::RawSync => RingKind {
                kind: 1,
                lock: 1,
                exclusive: |_| false,
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
        Ok(Self {
            options: RingOptions::read(address, ring_options::MOST)?,
            lock: lock.unwrap_or_default(),
        })
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
            anonymous: true,
            named: true,
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
    scratch: Scratch,
}

impl LockedSender {
    fn new(channel: &ShmLocked, segment: Segment) -> Result<Self, OpenError> {
        let (address, wait) = (channel.address(), channel.options.wait);
        Ok(Self {
            holder: channel.holder(&segment, End::Sender)?,
            max_message: segment.max_message(),
            member: Member::new(segment, End::Sender, address, wait),
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
        self.member.segment().header().items().notify();
        Some(pushed)
    }

    /// Sends as many of these as there is room for, waiting until there is for the first.
    #[cold]
    fn push_slowly(
        &mut self,
        messages: &[&[u8]],
        need: usize,
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let holder = &self.holder;
        let pushed = self.member.wait(deadline, |seat, look| {
            if seat.is_alone(look) {
                return Some(Err(SendError::Disconnected));
            }
            let ring = ring(seat, End::Sender, holder);
            if !ring.may_have_room(need) {
                return None;
            }
            match ring.push(messages, deadline) {
                Ok(count) => Some(Ok(count)),
                Err(Stuck::NotNow | Stuck::TooSmall(_)) => None,
                Err(Stuck::Poisoned | Stuck::Corrupt) => Some(Err(SendError::Poisoned)),
            }
        });
        let pushed = pushed.unwrap_or(Err(SendError::Full))?;
        self.member.segment().header().items().notify();
        Ok(pushed)
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

/// The receiving end of a [`ShmLocked`].
#[derive(Debug)]
pub struct LockedReceiver {
    holder: Holder,
    member: Member,
    max_message: usize,
    stash: Stash,
    /// Whether messages came one after another when it last looked.
    streams: bool,
}

impl LockedReceiver {
    fn new(channel: &ShmLocked, segment: Segment) -> Result<Self, OpenError> {
        let (address, wait) = (channel.address(), channel.options.wait);
        Ok(Self {
            holder: channel.holder(&segment, End::Receiver)?,
            max_message: segment.max_message(),
            member: Member::new(segment, End::Receiver, address, wait),
            stash: Stash::new(),
            streams: false,
        })
    }
}

/// Takes what there is into `sink`, waiting for the first message.
#[inline(always)]
fn take(
    member: &mut Member,
    holder: &Holder,
    streams: &mut bool,
    deadline: Deadline,
    sink: &mut impl Sink,
) -> Result<Moved, RecvError> {
    let ring = ring(member.seat(), End::Receiver, holder);
    if *streams && !ring.knows_message() {
        hold_off();
    }
    if ring.may_have_message()
        && let Ok(moved) = ring.pop(deadline, sink)
    {
        *streams = moved.messages > 1 || moved.left > 0;
        member.segment().header().room().notify();
        return Ok(moved);
    }
    *streams = false;
    take_slowly(member, holder, deadline, sink)
}

#[cold]
fn take_slowly(
    member: &mut Member,
    holder: &Holder,
    deadline: Deadline,
    sink: &mut impl Sink,
) -> Result<Moved, RecvError> {
    let taken = member.wait(deadline, |seat, look| {
        let ring = ring(seat, End::Receiver, holder);
        if !ring.may_have_message() {
            // In this order: a sender that is gone has sent all that it will.
            if !seat.is_alone(look) {
                return None;
            }
            if !ring.may_have_message() {
                return Some(Err(RecvError::Disconnected));
            }
        }
        match ring.pop(deadline, sink) {
            Ok(moved) => Some(Ok(moved)),
            Err(Stuck::NotNow) => None,
            Err(Stuck::TooSmall(needed)) => Some(Err(RecvError::TooSmall { needed })),
            Err(Stuck::Poisoned) => Some(Err(RecvError::Poisoned)),
            Err(Stuck::Corrupt) => Some(Err(RecvError::Corrupt)),
        }
    });
    let moved = taken.unwrap_or(Err(RecvError::Empty))?;
    member.segment().header().room().notify();
    Ok(moved)
}

impl Endpoint for LockedReceiver {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        Limits::new(self.max_message, self.member.segment().data().capacity(), 1)
    }

    fn depth(&self) -> io::Result<Depth> {
        let ring = ring(self.member.seat(), End::Receiver, &self.holder);
        Ok(Depth::of_bytes(ring.used() + self.stash.bytes()))
    }
}

impl Receiver for LockedReceiver {
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        if self.stash.is_empty() {
            let sink = self.stash.want(1);
            let streams = &mut self.streams;
            take(&mut self.member, &self.holder, streams, deadline, sink)?;
        }
        Ok(self.stash.front().unwrap_or_default())
    }

    fn peeked(&self) -> &[u8] {
        self.stash.front().unwrap_or_default()
    }

    fn consume(&mut self) {
        self.stash.finish();
    }

    #[inline]
    fn recv_by(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        if let Some(taken) = self.stash.take(buf) {
            return taken;
        }
        let sink = &mut Direct(Some(buf));
        let streams = &mut self.streams;
        let moved = take(&mut self.member, &self.holder, streams, deadline, sink)?;
        Ok(moved.last)
    }

    /// Takes the lock once for many messages.
    #[inline(always)]
    fn drain_by(
        &mut self,
        max: usize,
        deadline: Deadline,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, RecvError> {
        let mut deadline = deadline;
        let mut drained = 0;
        while drained < max {
            if self.stash.is_empty() {
                let sink = self.stash.want(max - drained);
                let streams = &mut self.streams;
                match take(&mut self.member, &self.holder, streams, deadline, sink) {
                    Ok(_) => {}
                    Err(error) if drained == 0 => return Err(error),
                    Err(_) => break,
                }
            }
            while let Some(message) = self.stash.front() {
                each(message);
                self.stash.finish();
                drained += 1;
            }
            deadline = Deadline::NOW;
        }
        Ok(drained)
    }
}
