//! `shm+mpmc:` a lock-free ring in shared memory: many senders, many receivers, received in place.

mod receiver;
mod sender;

use std::{ffi::OsString, io};

use crate::{
    Address, AddressError, Capabilities, Channel, Depth, End, Fan, Key, Limits, OpenError,
    OpenErrorKind, Transport,
    crash::{self, Step},
    ring::{
        mpmc::Ring,
        state::{self, NOBODY, SLOT},
    },
    shm::{
        layout::{LINED, LINES, Line},
        meter::Meter,
        segment::Segment,
    },
    transport::family::{
        number,
        ring_options::{self, RingKind, RingOptions, ring_builder, ring_channel},
    },
};

const _: () = assert!(LINES == NOBODY);

pub use receiver::MpmcReceiver;
pub use sender::MpmcSender;

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
            kind: LINED,
            lock: 0,
            exclusive: |_| false,
            // One word a slot, and a line of counters for each end.
            trailer: |capacity| {
                capacity / SLOT as u64 * 8 + LINES as u64 * size_of::<Line>() as u64
            },
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
        tally: &header.producer.tally,
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

/// Where the end with this number counts.
fn line(channel: &ShmMpmc, segment: &Segment, me: u16, end: End) -> Result<Meter, OpenError> {
    segment.line_meter(me, end).map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull => OpenErrorKind::NoSpace {
                needed: size_of::<Line>() as u64,
            },
            _ => OpenErrorKind::Os,
        };
        let mut failed = OpenError::new(channel.address(), kind);
        failed.source = Some(error);
        failed
    })
}
