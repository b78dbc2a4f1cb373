//! `shm+lock:` a ring in shared memory under two robust locks: many senders, many receivers.

use std::{ffi::OsString, io, time::Duration};

use crate::{
    Address, AddressError, Capabilities, Channel, Deadline, Depth, End, Endpoint, Fan, Key, Limits,
    OpenError, OpenErrorKind, Receiver, RecvError, SendError, Sender, Transport,
    lock::{Held, Lock, LockError},
    ring::locked::{Cursors, Locked, Moved, Sink, Stuck},
    shm::{
        layout::{Header, LockLine},
        segment::Segment,
    },
    sys::{raw_sync::RawSyncMutex, robust::RobustMutex},
    transport::family::{
        member::{Member, Seat, endpoint_by_member},
        ring_options::{self, RingKind, RingOptions, ring_builder, ring_channel},
        scratch::{Scratch, reserve_in_scratch},
        stash::{Direct, Stash},
    },
};

/// How long a call that may not wait waits for the lock: its holder copies a message, or died.
const BRIEFLY: Duration = Duration::from_micros(200);

/// Which lock guards each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LockChoice {
    /// A robust process-shared mutex: when its holder dies, the next takes over at once.
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
                Self::Robust => line.mutex.init()?,
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
/// others go on. A message that a receiver had taken is lost with it. Who sleeps learns of a death at once.
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

    fn raw_sync(&self, line: &LockLine) -> Result<Option<RawSyncMutex>, OpenError> {
        match self.lock {
            LockChoice::Robust => Ok(None),
            LockChoice::RawSync => RawSyncMutex::existing(&line.mutex)
                .map(Some)
                .map_err(|_| OpenError::new(self.address(), OpenErrorKind::Os)),
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

/// The lock of one side, whichever was chosen.
struct Chosen<'a> {
    robust: &'a RobustMutex,
    raw_sync: Option<&'a RawSyncMutex>,
}

impl Lock for Chosen<'_> {
    #[inline]
    fn lock(&self, deadline: Deadline) -> Result<Held, LockError> {
        match self.raw_sync {
            None => self.robust.lock(deadline),
            Some(lock) => lock.lock(deadline),
        }
    }

    fn recover(&self) {
        self.robust.recover();
    }

    #[inline]
    fn unlock(&self) {
        match self.raw_sync {
            None => self.robust.unlock(),
            Some(lock) => lock.unlock(),
        }
    }
}

/// The ring as the side of `end` sees it.
#[inline]
fn with_ring<T>(
    seat: &Seat,
    end: End,
    raw_sync: Option<&RawSyncMutex>,
    act: impl FnOnce(Locked<'_, Chosen<'_>>) -> T,
) -> T {
    let header = seat.segment().header();
    let LockLine { mutex, seen } = match end {
        End::Sender => &header.producer_lock,
        End::Receiver => &header.consumer_lock,
    };
    let lock = Chosen {
        robust: mutex,
        raw_sync,
    };
    let cursors = Cursors {
        tail: &header.producer.cursor,
        head: &header.consumer.cursor,
        seen,
    };
    act(Locked::new(cursors, seat.segment().data(), &lock))
}

/// How long to wait for the lock in a call that ends at `deadline`.
fn patience(deadline: Deadline) -> Deadline {
    if deadline == Deadline::NOW {
        return Deadline::after(BRIEFLY);
    }
    deadline
}

/// The sending end of a [`ShmLocked`].
#[derive(Debug)]
pub struct LockedSender {
    member: Member,
    raw_sync: Option<RawSyncMutex>,
    max_message: usize,
    scratch: Scratch,
}

impl LockedSender {
    fn new(channel: &ShmLocked, segment: Segment) -> Result<Self, OpenError> {
        let raw_sync = channel.raw_sync(&segment.header().producer_lock)?;
        let max_message = segment.max_message();
        let (address, wait) = (channel.address(), channel.options.wait);
        Ok(Self {
            member: Member::new(segment, End::Sender, address, wait),
            raw_sync,
            max_message,
            scratch: Scratch::new(),
        })
    }
}

impl Endpoint for LockedSender {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        Limits::new(self.max_message, self.member.segment().data().capacity(), 1)
    }

    fn depth(&self) -> io::Result<Depth> {
        let used = with_ring(self.member.seat(), End::Sender, None, |ring| ring.used());
        Ok(Depth::of_bytes(used))
    }
}

impl Sender for LockedSender {
    reserve_in_scratch!();

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        self.send_batch_by(&[message], deadline)?;
        Ok(())
    }

    #[inline]
    fn send_batch_by(
        &mut self,
        messages: &[&[u8]],
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let max = self.max_message;
        // Those before a message that is too long are sent.
        let fit = messages.iter().take_while(|m| m.len() <= max).count();
        let (messages, tail) = messages.split_at(fit);
        let Some(first) = messages.first() else {
            return if tail.is_empty() {
                Ok(0)
            } else {
                Err(SendError::TooLarge { max })
            };
        };
        let raw_sync = self.raw_sync.as_ref();
        let mut sent = 0;
        while let Some(rest) = messages.get(sent..).filter(|rest| !rest.is_empty()) {
            let need = rest.first().map_or(first.len(), |m| m.len());
            let pushed = self.member.wait(deadline, |seat, look| {
                if seat.is_alone(look) {
                    return Some(Err(SendError::Disconnected));
                }
                with_ring(seat, End::Sender, raw_sync, |ring| {
                    if !ring.may_have_room(need) {
                        return None;
                    }
                    match ring.push(rest, patience(deadline)) {
                        Ok(count) => Some(Ok(count)),
                        Err(Stuck::NotNow | Stuck::TooSmall(_)) => None,
                        Err(Stuck::Poisoned | Stuck::Corrupt) => Some(Err(SendError::Poisoned)),
                    }
                })
            });
            match pushed.unwrap_or(Err(SendError::Full)) {
                Ok(count) => sent += count,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
            self.member.segment().header().items().notify();
        }
        Ok(sent)
    }
}

/// The receiving end of a [`ShmLocked`].
#[derive(Debug)]
pub struct LockedReceiver {
    member: Member,
    raw_sync: Option<RawSyncMutex>,
    max_message: usize,
    stash: Stash,
}

impl LockedReceiver {
    fn new(channel: &ShmLocked, segment: Segment) -> Result<Self, OpenError> {
        let raw_sync = channel.raw_sync(&segment.header().consumer_lock)?;
        let max_message = segment.max_message();
        let (address, wait) = (channel.address(), channel.options.wait);
        Ok(Self {
            member: Member::new(segment, End::Receiver, address, wait),
            raw_sync,
            max_message,
            stash: Stash::new(),
        })
    }
}

/// Takes what there is into `sink`, waiting for the first message.
#[inline]
fn take(
    member: &mut Member,
    raw_sync: Option<&RawSyncMutex>,
    deadline: Deadline,
    sink: &mut impl Sink,
) -> Result<Moved, RecvError> {
    let taken = member.wait(deadline, |seat, look| {
        with_ring(seat, End::Receiver, raw_sync, |ring| {
            if !ring.may_have_message() {
                // In this order: a sender that is gone has sent all that it will.
                if !seat.is_alone(look) {
                    return None;
                }
                if !ring.may_have_message() {
                    return Some(Err(RecvError::Disconnected));
                }
            }
            match ring.pop(patience(deadline), sink) {
                Ok(moved) => Some(Ok(moved)),
                Err(Stuck::NotNow) => None,
                Err(Stuck::TooSmall(needed)) => Some(Err(RecvError::TooSmall { needed })),
                Err(Stuck::Poisoned) => Some(Err(RecvError::Poisoned)),
                Err(Stuck::Corrupt) => Some(Err(RecvError::Corrupt)),
            }
        })
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
        let used = with_ring(self.member.seat(), End::Receiver, None, |ring| ring.used());
        Ok(Depth::of_bytes(used + self.stash.bytes()))
    }
}

impl Receiver for LockedReceiver {
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        if self.stash.is_empty() {
            let raw_sync = self.raw_sync.as_ref();
            take(&mut self.member, raw_sync, deadline, self.stash.want(1))?;
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
        let raw_sync = self.raw_sync.as_ref();
        let moved = take(&mut self.member, raw_sync, deadline, &mut Direct(Some(buf)))?;
        Ok(moved.last)
    }

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
                let raw_sync = self.raw_sync.as_ref();
                let sink = self.stash.want(max - drained);
                match take(&mut self.member, raw_sync, deadline, sink) {
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
