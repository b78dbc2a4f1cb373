//! `shm+spsc:` (also `shm:`) a lock-free ring in shared memory: one sender, one receiver, lent in place.

use std::{ffi::OsString, io};

use crate::{
    Address, AddressError, Capabilities, Channel, Deadline, Depth, End, Endpoint, Key, Limits,
    OpenError, OpenErrorKind, Receiver, RecvError, SendError, Sender, Transport,
    ring::spsc::{Consumer, Producer, Ring, Stuck},
    shm::segment::Segment,
    sync::Ordering,
    transport::family::{
        member::{Member, Seat, endpoint_by_member},
        ring_options::{self, RingKind, RingOptions, ring_builder, ring_channel},
    },
};

/// How many messages a receiver finishes before it gives their room back, in [`Receiver::drain_by`].
const BATCH: usize = 64;
/// How often a receiver looks again before it settles to wait.
const GLANCES: u32 = 32;
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

    #[expect(clippy::unused_self, reason = "what ring_channel asks for")]
    fn kind(&self) -> RingKind<'static> {
        RingKind {
            kind: 3,
            lock: 0,
            exclusive: |_| true,
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
            options: RingOptions::read(address, ring_options::MOST)?,
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
    ];
    const VARIANTS: &'static [&'static str] = &["", "wait=park"];

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
            zero_copy_send: true,
            zero_copy_recv: true,
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

/// The sending end of a [`ShmSpsc`].
#[derive(Debug)]
pub struct SpscSender {
    member: Member,
    max_message: usize,
    producer: Producer,
}

impl SpscSender {
    fn new(channel: &ShmSpsc, segment: Segment) -> Result<Self, OpenError> {
        let producer = Producer::resume(ring(&segment))
            .map_err(|_| OpenError::new(channel.address(), OpenErrorKind::Corrupt))?;
        Ok(Self {
            max_message: segment.max_message(),
            member: Member::new(
                segment,
                End::Sender,
                channel.address(),
                channel.options.wait,
            ),
            producer,
        })
    }

    /// Does what needs room for a message of `len` bytes, as soon as there is room.
    #[cold]
    fn wait_for_room(
        &mut self,
        len: usize,
        deadline: Deadline,
        act: &mut dyn FnMut(&mut Producer, Ring<'_>) -> Result<(), Stuck>,
    ) -> Result<(), SendError> {
        let max = self.max_message;
        if len > max {
            return Err(SendError::TooLarge { max });
        }
        let producer = &mut self.producer;
        let found = self.member.wait(deadline, |seat, look| {
            if seat.is_alone(look) {
                return Some(Err(SendError::Disconnected));
            }
            match act(producer, ring(seat.segment())) {
                Ok(()) => Some(Ok(())),
                Err(Stuck::NotNow) => None,
                Err(Stuck::Corrupt) => Some(Err(SendError::Poisoned)),
            }
        });
        found.unwrap_or(Err(SendError::Full))
    }

    /// Whether there can be nothing in the way of a message of `len` bytes but room.
    #[inline]
    fn may_send(&self, len: usize) -> bool {
        len <= self.max_message && self.member.seat().is_quiet()
    }

    /// Adds a message to the batch, as soon as there is room.
    #[inline]
    fn append(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        self.producer.abort();
        let ring = ring(self.member.segment());
        if self.may_send(message.len()) && self.producer.append(ring, message).is_ok() {
            return Ok(());
        }
        self.wait_for_room(message.len(), deadline, &mut |producer, ring| {
            producer.append(ring, message)
        })
    }

    #[cold]
    fn send_slowly(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        self.append(message, deadline)?;
        self.publish();
        Ok(())
    }

    /// Publishes the batch.
    #[inline]
    fn publish(&mut self) {
        self.producer.publish(ring(self.member.segment()));
        self.notify();
    }

    /// Wakes the receiver.
    #[inline]
    fn notify(&self) {
        self.member.segment().header().items().notify();
    }
}

impl Endpoint for SpscSender {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        limits(self.member.segment())
    }

    fn depth(&self) -> io::Result<Depth> {
        Ok(depth(self.member.segment()))
    }
}

impl Sender for SpscSender {
    #[inline]
    fn reserve(&mut self, len: usize, deadline: Deadline) -> Result<&mut [u8], SendError> {
        self.producer.abort();
        let room = ring(self.member.segment());
        if !self.may_send(len) || self.producer.reserve(room, len).is_err() {
            self.wait_for_room(len, deadline, &mut |producer, ring| {
                producer.reserve(ring, len)
            })?;
        }
        Ok(self.producer.reserved(ring(self.member.segment())))
    }

    #[inline]
    fn reserved(&mut self) -> &mut [u8] {
        self.producer.reserved(ring(self.member.segment()))
    }

    #[inline]
    fn commit(&mut self, len: usize) -> Result<(), SendError> {
        match self.producer.reserved_len() {
            Some(max) if len <= max => {}
            other => {
                return Err(SendError::TooLarge {
                    max: other.unwrap_or(0),
                });
            }
        }
        self.producer.commit(ring(self.member.segment()), len);
        self.notify();
        Ok(())
    }

    #[inline]
    fn abort(&mut self) {
        self.producer.abort();
    }

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        let ring = ring(self.member.segment());
        if self.may_send(message.len()) && self.producer.send(ring, message) {
            self.producer.abort();
            self.notify();
            return Ok(());
        }
        self.send_slowly(message, deadline)
    }

    /// Publishes once for as many as there is room for.
    fn send_batch_by(
        &mut self,
        messages: &[&[u8]],
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let mut sent = 0;
        while let Some(first) = messages.get(sent) {
            match self.append(first, deadline) {
                Ok(()) => {}
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent),
            }
            let ring = ring(self.member.segment());
            let mut added = 1;
            for message in messages.iter().skip(sent + 1) {
                let fits = message.len() <= self.max_message;
                if !fits || self.producer.append(ring, message).is_err() {
                    break;
                }
                added += 1;
            }
            self.publish();
            sent += added;
        }
        Ok(sent)
    }
}

/// The receiving end of a [`ShmSpsc`].
#[derive(Debug)]
pub struct SpscReceiver {
    member: Member,
    consumer: Consumer,
}

#[expect(clippy::unnecessary_wraps, reason = "what ring_channel asks for")]
impl SpscReceiver {
    fn new(channel: &ShmSpsc, segment: Segment) -> Result<Self, OpenError> {
        Ok(Self {
            consumer: Consumer::resume(ring(&segment)),
            member: Member::new(
                segment,
                End::Receiver,
                channel.address(),
                channel.options.wait,
            ),
        })
    }
}

impl SpscReceiver {
    /// Finds the next message, waiting for it.
    #[inline]
    fn find(&mut self, deadline: Deadline) -> Result<usize, RecvError> {
        match self.consumer.peek(ring(self.member.segment())) {
            Ok(len) => Ok(len),
            Err(_) => self.wait_for_message(deadline),
        }
    }

    #[cold]
    fn wait_for_message(&mut self, deadline: Deadline) -> Result<usize, RecvError> {
        let consumer = &mut self.consumer;
        let found = self.member.wait(deadline, |seat, look| {
            match consumer.peek(ring(seat.segment())) {
                Ok(len) => Some(Ok(len)),
                Err(Stuck::NotNow) => last_look(consumer, seat, seat.is_alone(look)),
                Err(Stuck::Corrupt) => Some(Err(RecvError::Corrupt)),
            }
        });
        found.unwrap_or(Err(RecvError::Empty))
    }

    #[cold]
    fn recv_slowly(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        // An answer that is on its way is met here, without what a longer wait has to ask and to return through.
        if deadline != Deadline::NOW && self.member.is_eager() {
            for _ in 0..GLANCES {
                std::hint::spin_loop();
                let segment = self.member.segment();
                if let Some(len) = self.consumer.recv(ring(segment), buf) {
                    segment.header().room().notify();
                    return Ok(len);
                }
            }
        }
        let needed = self.find(deadline)?;
        let Some(room) = buf.get_mut(..needed) else {
            return Err(RecvError::TooSmall { needed });
        };
        room.copy_from_slice(self.consumer.peeked(ring(self.member.segment())));
        self.consumer.step();
        self.finish();
        Ok(needed)
    }

    /// Gives back the room of what was stepped over, and wakes the sender.
    #[inline]
    fn finish(&self) {
        let segment = self.member.segment();
        self.consumer.finish(ring(segment));
        segment.header().room().notify();
    }
}

/// A sender that is gone has sent all that it will: so whether there is a message is asked once more, after that.
#[inline]
fn last_look(
    consumer: &mut Consumer,
    seat: &Seat,
    alone: bool,
) -> Option<Result<usize, RecvError>> {
    if !alone {
        return None;
    }
    Some(match consumer.peek(ring(seat.segment())) {
        Ok(len) => Ok(len),
        Err(Stuck::NotNow) => Err(RecvError::Disconnected),
        Err(Stuck::Corrupt) => Err(RecvError::Corrupt),
    })
}

impl Endpoint for SpscReceiver {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        limits(self.member.segment())
    }

    fn depth(&self) -> io::Result<Depth> {
        Ok(depth(self.member.segment()))
    }
}

impl Receiver for SpscReceiver {
    #[inline]
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        self.find(deadline)?;
        Ok(self.consumer.peeked(ring(self.member.segment())))
    }

    #[inline]
    fn peeked(&self) -> &[u8] {
        self.consumer.peeked(ring(self.member.segment()))
    }

    #[inline]
    fn consume(&mut self) {
        self.consumer.step();
        self.finish();
    }

    #[inline]
    fn recv_by(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        let segment = self.member.segment();
        if let Some(len) = self.consumer.recv(ring(segment), buf) {
            segment.header().room().notify();
            return Ok(len);
        }
        self.recv_slowly(buf, deadline)
    }

    /// Gives room back, and wakes the sender, once for many messages.
    #[inline(always)]
    fn drain_by(
        &mut self,
        max: usize,
        deadline: Deadline,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, RecvError> {
        if max == 0 {
            return Ok(0);
        }
        self.find(deadline)?;
        let mut drained = 0;
        loop {
            let ring = ring(self.member.segment());
            each(self.consumer.peeked(ring));
            self.consumer.step();
            drained += 1;
            if drained % BATCH == 0 {
                self.finish();
            }
            if drained == max || self.consumer.peek(ring).is_err() {
                self.finish();
                return Ok(drained);
            }
        }
    }
}
