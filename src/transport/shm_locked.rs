//! `shm+lock:` a ring in shared memory under two robust locks: many senders, many receivers.

use std::{ffi::OsString, io, sync::Arc};

use crate::{
    Address, AddressError, AddressProblem, Capabilities, Channel, Deadline, Depth, End, Endpoint,
    Fan, Handoff, Key, Limits, OpenError, OpenErrorKind, Receiver, RecvError, SendError, Sender,
    Transport, WaitStrategy,
    lock::{Held, Lock, LockError},
    ring::{
        locked::{Cursors, Locked, Moved, Sink, Stuck},
        record,
    },
    shm::{
        layout::{Header, LAYOUT, MAGIC, Shape},
        segment::{self, Plan, Segment},
    },
    sys::{raw_sync::RawSyncMutex, robust::RobustMutex},
    transport::family::{
        member::{Member, Seat, endpoint_by_member},
        scratch::{Scratch, reserve_in_scratch},
        stash::{Direct, Stash},
    },
};

/// Which segments are ours.
const KIND: u32 = 1;
/// The capacity if none is named.
const CAPACITY: usize = 2 << 20;
/// The most that can be asked for.
const MOST: usize = 1 << 40;
/// How long a call that may not wait waits for the lock: its holder copies a message, or died.
const BRIEFLY: std::time::Duration = std::time::Duration::from_micros(200);

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

/// A ring in shared memory under a lock for each side.
///
/// Messages are copied in under the senders' lock and published by one store; receivers copy out
/// under theirs. A batch takes the lock once.
///
/// # Crash behaviour
/// Whoever dies at whatever moment, with `lock=robust`: a message was sent or was not, and the others go on. A message
/// that a receiver had taken is lost with it. A sender that sleeps learns of the death within 20 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShmLocked {
    name: OsString,
    capacity: Option<usize>,
    max_message: Option<usize>,
    wait: WaitStrategy,
    lock: LockChoice,
}

impl ShmLocked {
    /// A channel with this name, or without one if it is empty.
    #[must_use]
    pub fn new(name: impl Into<OsString>) -> Self {
        Self {
            name: name.into(),
            capacity: None,
            max_message: None,
            wait: WaitStrategy::DEFAULT,
            lock: LockChoice::Robust,
        }
    }

    /// Takes `bytes` of records, rounded up to a power of two.
    #[must_use]
    pub const fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = Some(bytes);
        self
    }

    /// Takes messages up to `bytes`. Without a capacity, room for four of them is made.
    #[must_use]
    pub const fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = Some(bytes);
        self
    }

    /// Waits like this.
    #[must_use]
    pub const fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.wait = strategy;
        self
    }

    /// Uses this lock.
    #[must_use]
    pub const fn lock(mut self, lock: LockChoice) -> Self {
        self.lock = lock;
        self
    }

    /// Capacity and longest message, or the key that is wrong and what it takes.
    fn sizes(&self) -> Result<(usize, usize), (&'static str, &'static str)> {
        const CAPACITY_FORM: &str = "a size from 1KiB to 1024GiB, such as 64KiB or 1MiB";
        const MESSAGE_FORM: &str = "a size up to half of the capacity";

        let wanted = match (self.capacity, self.max_message) {
            (Some(capacity), _) => capacity,
            (None, Some(max)) => max
                .saturating_add(record::HEADER)
                .saturating_mul(4)
                .max(CAPACITY),
            (None, None) => CAPACITY,
        };
        if !(1 << 10..=MOST).contains(&wanted) {
            let key = if self.capacity.is_some() {
                "capacity"
            } else {
                "max_message"
            };
            return Err((key, CAPACITY_FORM));
        }
        let capacity = wanted.next_power_of_two();
        // A record may need as much again to reach the start of the ring.
        let most = (capacity / 2 - record::HEADER).min(1 << 31);
        let max = self
            .max_message
            .unwrap_or((capacity / 4 - record::HEADER).min(most));
        if max > most {
            return Err(("max_message", MESSAGE_FORM));
        }
        Ok((capacity, max))
    }

    fn plan<'a>(
        &self,
        address: &'a Address,
        prepare: &'a dyn Fn(&mut Shape, &Header) -> Result<(), OpenError>,
    ) -> Result<Plan<'a>, OpenError> {
        let bad = |(_, form)| OpenError::new(address.clone(), OpenErrorKind::Refused(form));
        let (capacity, max_message) = self.sizes().map_err(bad)?;
        Ok(Plan {
            address,
            shape: Shape {
                magic: MAGIC,
                layout: LAYOUT,
                kind: KIND,
                capacity: capacity as u64,
                max_message: max_message as u64,
                lock: match self.lock {
                    LockChoice::Robust => 0,
                    LockChoice::RawSync => 1,
                },
                flags: 0,
                extra: 0,
            },
            explicit: self.capacity.is_some() || self.max_message.is_some(),
            exclusive: |_| false,
            prepare,
            discard: Arc::new(|_| {}),
        })
    }

    /// Opens with what `open` makes of the plan.
    fn open<T>(
        &self,
        open: impl FnOnce(&Plan<'_>) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        let address = self.address();
        let lock = self.lock;
        let prepare = |_: &mut Shape, header: &Header| {
            for line in [&header.producer_lock, &header.consumer_lock] {
                match lock {
                    LockChoice::Robust => line.mutex.init(),
                    LockChoice::RawSync => {
                        RawSyncMutex::init(&line.mutex).map_err(|_| io::ErrorKind::Other.into())
                    }
                }
                .map_err(|e| OpenError::os(address.clone(), e))?;
            }
            Ok(())
        };
        open(&self.plan(&address, &prepare)?)
    }

    fn file_name(&self) -> Result<String, OpenErrorKind> {
        if self.name.is_empty() {
            return Err(OpenErrorKind::Unnamed);
        }
        segment::file_name("", &self.name).map_err(OpenErrorKind::Refused)
    }

    fn named(&self, end: End) -> Result<Ring, OpenError> {
        let name = self
            .file_name()
            .map_err(|kind| OpenError::new(self.address(), kind))?;
        let segment = self.open(|plan| Segment::open(&name, end, plan))?;
        self.ring(segment, end)
    }

    fn adopted(&self, handoff: Handoff, end: End) -> Result<Ring, OpenError> {
        let wrong = || OpenError::new(self.address(), OpenErrorKind::Handoff);
        let Ok([fd]) = <[_; 1]>::try_from(handoff.fds) else {
            return Err(wrong());
        };
        if handoff.end != end {
            return Err(wrong());
        }
        let segment = self.open(|plan| Segment::adopt(fd, |_| self.file_name().ok(), plan))?;
        self.ring(segment, end)
    }

    fn ring(&self, segment: Segment, end: End) -> Result<Ring, OpenError> {
        let header = segment.header();
        let line = match end {
            End::Sender => &header.producer_lock,
            End::Receiver => &header.consumer_lock,
        };
        let raw_sync = match self.lock {
            LockChoice::Robust => None,
            LockChoice::RawSync => Some(
                RawSyncMutex::existing(&line.mutex)
                    .map_err(|_| OpenError::new(self.address(), OpenErrorKind::Os))?,
            ),
        };
        let max_message = usize::try_from(segment.shape().max_message).unwrap_or(0);
        let member = Member::new(segment, end, self.address(), self.wait);
        Ok((member, raw_sync, max_message))
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
        let wait = address.parse_with(
            "wait",
            "spin, yield, adaptive or park",
            WaitStrategy::from_word,
        )?;
        let channel = Self {
            name: address.name().to_owned(),
            capacity: address.size("capacity")?,
            max_message: address.size("max_message")?,
            wait: wait.unwrap_or(WaitStrategy::DEFAULT),
            lock: lock.unwrap_or_default(),
        };
        if let Err((key, form)) = channel.sizes() {
            return Err(address.error_at(key, AddressProblem::BadValue(form)));
        }
        if !channel.name.is_empty() {
            segment::file_name("", &channel.name)
                .map_err(|why| address.error_at_name(AddressProblem::BadName(why)))?;
        }
        Ok(channel)
    }
}

impl Transport for ShmLocked {
    const SCHEME: &'static str = "shm+lock";
    const SUMMARY: &'static str = "ring in shared memory under a robust lock for each side";
    const KEYS: &'static [Key] = &[
        Key {
            name: "capacity",
            form: "SIZE",
            summary: "bytes of records, rounded up to a power of two (2MiB)",
        },
        Key {
            name: "max_message",
            form: "SIZE",
            summary: "longest message (a quarter of the capacity)",
        },
        Key {
            name: "wait",
            form: "spin|yield|adaptive|park",
            summary: "how this end waits (adaptive)",
        },
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
    type Sender = LockedSender;
    type Receiver = LockedReceiver;

    fn address(&self) -> Address {
        let mut address = Address::of(Self::SCHEME, &self.name);
        if let Some(bytes) = self.capacity {
            address = address.with("capacity", bytes);
        }
        if let Some(bytes) = self.max_message {
            address = address.with("max_message", bytes);
        }
        if self.wait != WaitStrategy::DEFAULT {
            address = address.with("wait", self.wait.word());
        }
        if self.lock == LockChoice::RawSync {
            address = address.with("lock", "raw_sync");
        }
        address
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

    fn pair(&self) -> Result<(LockedSender, LockedReceiver), OpenError> {
        if !self.name.is_empty() {
            return Ok((self.sender()?, self.receiver()?));
        }
        let (sender, receiver) = self.open(Segment::pair)?;
        Ok((
            LockedSender::new(self.ring(sender, End::Sender)?),
            LockedReceiver::new(self.ring(receiver, End::Receiver)?),
        ))
    }

    fn sender(&self) -> Result<LockedSender, OpenError> {
        self.named(End::Sender).map(LockedSender::new)
    }

    fn receiver(&self) -> Result<LockedReceiver, OpenError> {
        self.named(End::Receiver).map(LockedReceiver::new)
    }

    fn adopt_sender(&self, handoff: Handoff) -> Result<LockedSender, OpenError> {
        self.adopted(handoff, End::Sender).map(LockedSender::new)
    }

    fn adopt_receiver(&self, handoff: Handoff) -> Result<LockedReceiver, OpenError> {
        self.adopted(handoff, End::Receiver)
            .map(LockedReceiver::new)
    }

    fn unlink(&self) -> io::Result<()> {
        match self.file_name() {
            Ok(name) => segment::remove(&name),
            Err(_) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// What both ends have: the membership, the lock if it is not the robust one, the longest message.
type Ring = (Member, Option<RawSyncMutex>, usize);

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

/// The ring as the producers see it.
#[inline]
fn as_producer<T>(
    seat: &Seat,
    raw_sync: Option<&RawSyncMutex>,
    act: impl FnOnce(Locked<'_, Chosen<'_>>) -> T,
) -> T {
    let header = seat.segment().header();
    let lock = Chosen {
        robust: &header.producer_lock.mutex,
        raw_sync,
    };
    let cursors = Cursors {
        tail: &header.producer.cursor,
        head: &header.consumer.cursor,
        seen: &header.producer_lock.seen,
    };
    act(Locked::new(cursors, seat.segment().data(), &lock))
}

/// The ring as the consumers see it.
#[inline]
fn as_consumer<T>(
    seat: &Seat,
    raw_sync: Option<&RawSyncMutex>,
    act: impl FnOnce(Locked<'_, Chosen<'_>>) -> T,
) -> T {
    let header = seat.segment().header();
    let lock = Chosen {
        robust: &header.consumer_lock.mutex,
        raw_sync,
    };
    let cursors = Cursors {
        tail: &header.producer.cursor,
        head: &header.consumer.cursor,
        seen: &header.consumer_lock.seen,
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
    fn new(ring: Ring) -> Self {
        let (member, raw_sync, max_message) = ring;
        Self {
            member,
            raw_sync,
            max_message,
            scratch: Scratch::new(),
        }
    }
}

impl Endpoint for LockedSender {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        Limits::new(self.max_message, self.member.segment().data().capacity(), 1)
    }

    fn depth(&self) -> io::Result<Depth> {
        let used = as_producer(self.member.seat(), None, |ring| ring.used());
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
                as_producer(seat, raw_sync, |ring| {
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
            self.member.segment().header().producer.moved.notify();
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
    fn new(ring: Ring) -> Self {
        let (member, raw_sync, max_message) = ring;
        Self {
            member,
            raw_sync,
            max_message,
            stash: Stash::new(),
        }
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
        as_consumer(seat, raw_sync, |ring| {
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
    member.segment().header().consumer.moved.notify();
    Ok(moved)
}

impl Endpoint for LockedReceiver {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        Limits::new(self.max_message, self.member.segment().data().capacity(), 1)
    }

    fn depth(&self) -> io::Result<Depth> {
        let used = as_consumer(self.member.seat(), None, |ring| ring.used());
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
