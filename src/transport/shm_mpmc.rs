//! `shm+mpmc:` a lock-free ring in shared memory: many senders, many receivers, received in place.

use std::{ffi::OsString, io};

use crate::{
    Address, AddressError, Capabilities, Channel, Deadline, Depth, End, Endpoint, Fan, Key, Limits,
    OpenError, OpenErrorKind, Receiver, RecvError, SendError, Sender, Transport, presence,
    ring::mpmc::{self, NOBODY, Ring, SLOT, Stuck, Taken},
    shm::segment::Segment,
    transport::family::{
        member::{Member, Seat, endpoint_by_member},
        ring_options::{self, RingKind, RingOptions, ring_builder, ring_channel},
        scratch::{Scratch, reserve_in_scratch},
    },
    wait::Look,
};

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
            options: RingOptions::new(name.into(), mpmc::MOST),
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
            options: RingOptions::read(address, mpmc::MOST)?,
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
    ];
    const VARIANTS: &'static [&'static str] = &["", "wait=park"];

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
            zero_copy_recv: true,
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
fn number(channel: &ShmMpmc, segment: &Segment) -> Result<u16, OpenError> {
    let os = |error| OpenError::os(channel.address(), error);
    let number = presence::take_number(segment.fd().map_err(os)?, NOBODY).map_err(os)?;
    match ring(segment).disown(number) {
        Ok(()) => Ok(number),
        Err(_) => Err(OpenError::new(channel.address(), OpenErrorKind::Corrupt)),
    }
}

/// Whether the end with this number is gone. `me` is not.
fn is_dead(seat: &Seat, me: u16, owner: u16) -> bool {
    if owner == me {
        return false;
    }
    // If the kernel cannot tell, it is taken to live.
    let lives = |fd| presence::has_number(fd, owner);
    owner == NOBODY
        || seat
            .segment()
            .fd()
            .and_then(lives)
            .is_ok_and(|lives| !lives)
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
    fn new(channel: &ShmMpmc, segment: Segment) -> Result<Self, OpenError> {
        Ok(Self {
            me: number(channel, &segment)?,
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
        sent.unwrap_or(Err(SendError::Full))?;
        self.member.segment().header().items().notify();
        Ok(())
    }
}

/// The receiving end of a [`ShmMpmc`].
#[derive(Debug)]
pub struct MpmcReceiver {
    member: Member,
    me: u16,
    taken: Option<Taken>,
}

impl MpmcReceiver {
    fn new(channel: &ShmMpmc, segment: Segment) -> Result<Self, OpenError> {
        Ok(Self {
            me: number(channel, &segment)?,
            member: Member::new(
                segment,
                End::Receiver,
                channel.address(),
                channel.options.wait,
            ),
            taken: None,
        })
    }

    /// Takes the next message, waiting for it.
    #[inline]
    fn find(&mut self, deadline: Deadline) -> Result<Taken, RecvError> {
        if let Some(taken) = self.taken {
            return Ok(taken);
        }
        let me = self.me;
        let found = self
            .member
            .wait(deadline, |seat, look| match ring(seat.segment()).take(me) {
                Ok(taken) => Some(Ok(taken)),
                Err(Stuck::NotNow) => look_deeper(seat, me, look),
                Err(Stuck::Corrupt) => Some(Err(RecvError::Corrupt)),
            });
        let taken = found.unwrap_or(Err(RecvError::Empty))?;
        self.taken = Some(taken);
        Ok(taken)
    }

    #[inline]
    fn finish(&mut self) {
        if let Some(taken) = self.taken.take() {
            let segment = self.member.segment();
            ring(segment).finish(taken);
            segment.header().room().notify();
        }
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
        Ok(None) => ring.take(me),
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
        Ok(ring(self.member.segment()).message(&taken))
    }

    #[inline]
    fn peeked(&self) -> &[u8] {
        match &self.taken {
            Some(taken) => ring(self.member.segment()).message(taken),
            None => &[],
        }
    }

    #[inline]
    fn consume(&mut self) {
        self.finish();
    }
}
