//! `shm+mpmc:` a lock-free ring in shared memory: many senders, many receivers, received in place.

use std::{ffi::OsString, io};

use crate::{
    Address, AddressError, Capabilities, Channel, Deadline, Depth, End, Endpoint, Fan, Key, Limits,
    OpenError, OpenErrorKind, Receiver, RecvError, SendError, Sender, Transport,
    crash::{self, Step},
    ring::{
        mpmc::{Pace, Ring, Stuck, Taken},
        state::{self, NOBODY, SLOT},
    },
    shm::segment::Segment,
    transport::family::{
        copied::Copied,
        member::{Member, Seat, endpoint_by_member},
        number,
        ring_options::{self, RingKind, RingOptions, ring_builder, ring_channel},
        scratch::{Scratch, reserve_in_scratch},
    },
    wait::Look,
};

/// How many messages a receiver finishes before it wakes senders, in [`Receiver::drain_by`].
const BATCH: usize = 64;

/// A lock-free ring in shared memory for many senders and many receivers.
///
/// Messages take slots of 64 bytes. Each goes to one receiver, in the order in which senders claimed their
/// places. While data flows there is no system call, no lock and no fence.
///
/// # Crash behaviour
/// What a sender had claimed and not sent when it died is skipped. What a receiver had taken and not finished
/// is received again, by another: at least once, and out of order. Whoever waits sees to both at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShmMpmc {
    options: RingOptions,
}

impl ShmMpmc {
    /// A channel with this name, or without one if it is empty.
    #[must_use]
    pub fn new(name: impl Into<OsString>) -> Self {
        Self {
            options: RingOptions::new(name.into(), state::MOST),
        }
    }

    ring_builder!();

    #[expect(clippy::unused_self, reason = "what ring_channel asks for")]
    fn kind(&self) -> RingKind<'static> {
        RingKind {
            kind: 4,
            lock: 0,
            exclusive: |_| false,
            // One word a slot.
            trailer: |capacity| capacity / SLOT as u64 * 8,
            prepare: &|_| Ok(()),
        }
    }
}

impl TryFrom<&Address> for ShmMpmc {
    type Error = AddressError;

    fn try_from(address: &Address) -> Result<Self, AddressError> {
        address.check(Self::SCHEME, Self::KEYS)?;
        Ok(Self {
            options: RingOptions::read(address, state::MOST)?,
        })
    }
}

impl Transport for ShmMpmc {
    const SCHEME: &'static str = "shm+mpmc";
    const SUMMARY: &'static str = "lock-free ring in shared memory, many senders and receivers";
    const KEYS: &'static [Key] = &[
        ring_options::CAPACITY,
        ring_options::MAX_MESSAGE,
        ring_options::WAIT,
        ring_options::PEER,
    ];
    const VARIANTS: &'static [&'static str] = &["", "wait=park", "peer=untrusted"];

    fn example_name(unique: &str) -> Option<String> {
        Some(unique.to_owned())
    }
}

impl Channel for ShmMpmc {
    ring_channel!(MpmcSender, MpmcReceiver);

    fn address(&self) -> Address {
        self.options.address(Self::SCHEME)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            senders: Fan::Many,
            receivers: Fan::Many,
            anonymous: true,
            named: true,
            zero_copy_recv: self.options.peer.is_trusted(),
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
        freed: &header.producer_lock.seen,
        states: segment.trailer(),
        data: segment.data(),
    }
}

fn limits(segment: &Segment) -> Limits {
    Limits::new(segment.max_message(), segment.data().capacity(), SLOT)
}

fn depth(segment: &Segment) -> Depth {
    let slots = usize::try_from(ring(segment).used()).unwrap_or(0);
    Depth::of_bytes(slots * SLOT)
}

/// Takes a number that no other living end has, and disowns what the last one with this number left.
fn take_number(channel: &ShmMpmc, segment: &Segment) -> Result<u16, OpenError> {
    let number = number::take(segment, NOBODY, &channel.address())?;
    let disowned = match crash::is_left_out(Step::Disown) {
        true => Ok(()),
        false => ring(segment).disown(number),
    };
    match disowned {
        Ok(()) => {
            // Who looked after we took the number and before this took the dead one to live.
            segment.header().items().notify();
            Ok(number)
        }
        Err(_) => Err(OpenError::new(channel.address(), OpenErrorKind::Corrupt)),
    }
}

/// Whether the end with this number is gone. `me` is not.
fn is_dead(seat: &Seat, me: u16, owner: u16) -> bool {
    owner != me && (owner == NOBODY || number::is_dead(seat, owner))
}

/// The sending end of a [`ShmMpmc`].
#[derive(Debug)]
pub struct MpmcSender {
    member: Member,
    me: u16,
    max_message: usize,
    scratch: Scratch,
}

impl MpmcSender {
    /// Sends a message, without waking anybody.
    #[inline]
    fn push(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        let seat = self.member.seat();
        let may_send = message.len() <= self.max_message && seat.is_quiet();
        if may_send && ring(seat.segment()).push(self.me, message).is_ok() {
            return Ok(());
        }
        self.push_slowly(message, deadline)
    }

    #[cold]
    fn push_slowly(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        let max = self.max_message;
        if message.len() > max {
            return Err(SendError::TooLarge { max });
        }
        let me = self.me;
        let sent = self.member.wait(deadline, |seat, look| {
            if seat.is_alone(look) {
                return Some(Err(SendError::Disconnected));
            }
            match ring(seat.segment()).push(me, message) {
                Ok(()) => Some(Ok(())),
                Err(Stuck::NotNow) => None,
                Err(Stuck::Corrupt) => Some(Err(SendError::Poisoned)),
            }
        });
        sent.unwrap_or(Err(SendError::Full))
    }

    /// Wakes receivers.
    #[inline]
    fn notify(&self) {
        self.member.segment().header().items().notify();
    }

    fn new(channel: &ShmMpmc, segment: Segment) -> Result<Self, OpenError> {
        Ok(Self {
            me: take_number(channel, &segment)?,
            max_message: segment.max_message(),
            member: Member::new(
                segment,
                End::Sender,
                channel.address(),
                channel.options.wait,
            ),
            scratch: Scratch::new(),
        })
    }
}

impl Endpoint for MpmcSender {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        limits(self.member.segment())
    }

    fn depth(&self) -> io::Result<Depth> {
        Ok(depth(self.member.segment()))
    }
}

impl Sender for MpmcSender {
    // In place, a slow writer would hold up every receiver behind its place.
    reserve_in_scratch!();

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        self.push(message, deadline)?;
        self.notify();
        Ok(())
    }

    /// Wakes receivers once for as many as there is room for.
    fn send_batch_by(
        &mut self,
        messages: &[&[u8]],
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let mut sent = 0;
        while let Some(first) = messages.get(sent) {
            match self.push(first, deadline) {
                Ok(()) => sent += 1,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
            let ring = ring(self.member.segment());
            for message in messages.iter().skip(sent) {
                let fits = message.len() <= self.max_message;
                if !fits || ring.push(self.me, message).is_err() {
                    break;
                }
                sent += 1;
            }
            self.notify();
        }
        Ok(sent)
    }
}

/// The receiving end of a [`ShmMpmc`].
#[derive(Debug)]
pub struct MpmcReceiver {
    member: Member,
    me: u16,
    taken: Option<Taken>,
    pace: Pace,
    /// For what is peeked, if the peers are not trusted.
    copied: Option<Copied>,
}

impl MpmcReceiver {
    fn new(channel: &ShmMpmc, segment: Segment) -> Result<Self, OpenError> {
        Ok(Self {
            me: take_number(channel, &segment)?,
            member: Member::new(
                segment,
                End::Receiver,
                channel.address(),
                channel.options.wait,
            ),
            taken: None,
            pace: Pace::default(),
            copied: Copied::from(channel.options.peer),
        })
    }

    /// Takes the next message, waiting for it.
    #[inline(always)]
    fn find(&mut self, deadline: Deadline) -> Result<Taken, RecvError> {
        if let Some(taken) = self.taken {
            return Ok(taken);
        }
        let taken = match ring(self.member.segment()).take(self.me, &mut self.pace) {
            Ok(taken) => taken,
            Err(_) => self.wait_for_message(deadline)?,
        };
        self.taken = Some(taken);
        Ok(taken)
    }

    #[cold]
    fn wait_for_message(&mut self, deadline: Deadline) -> Result<Taken, RecvError> {
        let (me, pace) = (self.me, &mut self.pace);
        let found = self.member.wait(deadline, |seat, look| {
            match ring(seat.segment()).take(me, pace) {
                Ok(taken) => Some(Ok(taken)),
                Err(Stuck::NotNow) => look_deeper(seat, me, look),
                Err(Stuck::Corrupt) => Some(Err(RecvError::Corrupt)),
            }
        });
        found.unwrap_or(Err(RecvError::Empty))
    }

    /// The message that was taken.
    #[inline]
    fn show(&mut self, taken: &Taken) -> &[u8] {
        let ring = ring(self.member.segment());
        match &mut self.copied {
            None => ring.message(taken),
            Some(copied) => copied.fetch(taken.len(), |room| ring.copy(taken, room)),
        }
    }

    /// Receives what was taken.
    #[cold]
    fn recv_copy(&mut self, taken: &Taken, buf: &mut [u8]) -> Result<usize, RecvError> {
        let needed = taken.len();
        let Some(room) = buf.get_mut(..needed) else {
            return Err(RecvError::TooSmall { needed });
        };
        // If it was peeked, it is what was seen then.
        room.copy_from_slice(self.show(taken));
        self.finish();
        Ok(needed)
    }

    /// Gives what is there to `each`, `max` messages at most and the one that was found first, and tells how many that was.
    #[cold]
    fn drain_copies(&mut self, max: usize, first: Taken, each: &mut dyn FnMut(&[u8])) -> usize {
        let mut next = Ok(first);
        for drained in 0..max {
            let Ok(taken) = next else {
                return drained;
            };
            // Ours, should `each` unwind.
            self.taken = Some(taken);
            each(self.show(&taken));
            self.finish();
            if drained + 1 < max {
                next = ring(self.member.segment()).take(self.me, &mut self.pace);
            }
        }
        max
    }

    #[inline]
    fn finish(&mut self) {
        if let Some(copied) = &mut self.copied {
            copied.finish();
        }
        if let Some(taken) = self.taken.take() {
            ring(self.member.segment()).finish(taken);
            self.notify();
        }
    }

    /// Wakes senders.
    #[inline]
    fn notify(&self) {
        self.member.segment().header().room().notify();
    }
}

/// Nothing is ready: perhaps because of the dead, perhaps because everybody is gone.
#[inline]
fn look_deeper(seat: &Seat, me: u16, look: Look) -> Option<Result<Taken, RecvError>> {
    let alone = seat.is_alone(look);
    if look == Look::Memory && !alone {
        return None;
    }
    let ring = ring(seat.segment());
    // Room that is given back is news to senders, also if it is the dead who had it.
    let recovered = ring.recover(me, |owner| is_dead(seat, me, owner));
    seat.segment().header().room().notify();
    let found = match recovered {
        Ok(Some(taken)) => Ok(taken),
        Ok(None) => ring.take(me, &mut Pace::default()),
        Err(stuck) => Err(stuck),
    };
    match found {
        Ok(taken) => Some(Ok(taken)),
        Err(Stuck::NotNow) if alone => Some(Err(RecvError::Disconnected)),
        Err(Stuck::NotNow) => None,
        Err(Stuck::Corrupt) => Some(Err(RecvError::Corrupt)),
    }
}

impl Endpoint for MpmcReceiver {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        limits(self.member.segment())
    }

    fn depth(&self) -> io::Result<Depth> {
        Ok(depth(self.member.segment()))
    }
}

impl Receiver for MpmcReceiver {
    #[inline]
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        let taken = self.find(deadline)?;
        Ok(self.show(&taken))
    }

    #[inline]
    fn peeked(&self) -> &[u8] {
        if let Some(copied) = &self.copied {
            return copied.bytes();
        }
        match &self.taken {
            Some(taken) => ring(self.member.segment()).message(taken),
            None => &[],
        }
    }

    #[inline]
    fn consume(&mut self) {
        self.finish();
    }

    #[inline]
    fn recv_by(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        let taken = self.find(deadline)?;
        if self.copied.is_some() {
            return self.recv_copy(&taken, buf);
        }
        let ring = ring(self.member.segment());
        let message = ring.message(&taken);
        let needed = message.len();
        let Some(room) = buf.get_mut(..needed) else {
            return Err(RecvError::TooSmall { needed });
        };
        room.copy_from_slice(message);
        self.taken = None;
        ring.finish(taken);
        self.notify();
        Ok(needed)
    }

    /// Wakes senders once for many messages.
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
        let mut taken = self.find(deadline)?;
        if self.copied.is_some() {
            return Ok(self.drain_copies(max, taken, each));
        }
        let mut drained = 0;
        loop {
            let ring = ring(self.member.segment());
            each(ring.message(&taken));
            self.taken = None;
            ring.finish(taken);
            drained += 1;
            if drained % BATCH == 0 {
                self.notify();
            }
            if drained == max {
                break;
            }
            match ring.take(self.me, &mut self.pace) {
                Ok(next) => taken = next,
                Err(_) => break,
            }
            // Ours, should `each` unwind.
            self.taken = Some(taken);
        }
        self.notify();
        Ok(drained)
    }
}
