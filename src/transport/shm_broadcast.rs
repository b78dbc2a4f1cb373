//! `shm+broadcast:` a ring in shared memory whose one sender waits for nobody, and whose receivers each get every message.

mod receiver;
mod sender;

use std::{ffi::OsString, fmt, io};

use crate::{
    Address, AddressError, Capabilities, Channel, Delivery, End, Fan, Handoff, Key, Limits,
    OpenError, OpenErrorKind, Transport,
    ring::broadcast::{Consumer, Place, Ring, Stuck},
    shm::{layout, segment::Segment},
    transport::family::ring_options::{self, RingKind, RingOptions, ring_builder},
};

pub use receiver::BroadcastReceiver;
pub use sender::BroadcastSender;

/// The alignment of messages, which are lent from buffers.
const ALIGN: usize = 1;

/// Where a receiver starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Start {
    /// At what is sent after it has opened.
    #[default]
    Now,
    /// At the oldest message that is kept.
    Oldest,
}

/// A ring in shared memory for one sender and any number of receivers, each of which gets every message.
///
/// The sender writes over the oldest messages and waits for nobody, whether receivers are slow, stopped, killed, or none: a send is never
/// [`Full`](crate::SendError::Full) and never [`Disconnected`](crate::SendError::Disconnected). A receiver that was overtaken is told so by
/// [`Lagged`](crate::RecvError::Lagged), once and with the number of messages that it has missed, and goes on at the oldest that is kept: some
/// seven eighths of the capacity, and the last message in any case. Receivers need not register; late ones start [`now`](Start::Now) or at the
/// [`oldest`](Start::Oldest). Messages are copied out and looked at afterwards, so a torn one is never seen. While data flows there is no
/// system call, and no line of the receivers that the sender touches.
///
/// # Crash behaviour
/// A sender that dies has sent a message or has not. Receivers get what it had sent, then [`Disconnected`](crate::RecvError::Disconnected); another sender
/// may take its place and goes on behind the last message. A receiver that dies costs nobody anything. Who sleeps learns of a death at once. An
/// end that is handed over goes on where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShmBroadcast {
    options: RingOptions,
    start: From,
}

/// Where a receiver starts, or where the one was that it takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Start(Start),
    Place(Place),
}

impl From {
    fn read(address: &Address) -> Result<Self, AddressError> {
        let form = "now, oldest, or the place of a receiver that was handed over";
        let from = address.parse_with("from", form, |word| match word {
            "now" => Some(Self::Start(Start::Now)),
            "oldest" => Some(Self::Start(Start::Oldest)),
            place => {
                let (number, at) = place.split_once('@')?;
                let (number, at) = (number.parse().ok()?, at.parse().ok()?);
                Some(Self::Place(Place { at, number }))
            }
        })?;
        Ok(from.unwrap_or(Self::Start(Start::Now)))
    }

    /// A consumer that starts so.
    fn consumer(self, segment: &Segment) -> Result<Consumer, Stuck> {
        let ring = ring(segment);
        match self {
            Self::Start(Start::Now) => Consumer::now(ring, segment.tail_before),
            Self::Start(Start::Oldest) => Consumer::oldest(ring),
            Self::Place(place) => Ok(Consumer::at(place)),
        }
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(Start::Now) => f.write_str("now"),
            Self::Start(Start::Oldest) => f.write_str("oldest"),
            Self::Place(Place { at, number }) => write!(f, "{number}@{at}"),
        }
    }
}

impl ShmBroadcast {
    /// A channel with this name, or without one if it is empty.
    #[must_use]
    pub fn new(name: impl Into<OsString>) -> Self {
        Self {
            options: RingOptions::new(name.into(), ring_options::MOST),
            start: From::Start(Start::Now),
        }
    }

    ring_builder!();

    /// A receiver that is opened starts here.
    #[must_use]
    pub const fn from(mut self, start: Start) -> Self {
        self.start = From::Start(start);
        self
    }

    #[expect(clippy::unused_self, reason = "as the other rings have it")]
    fn kind(&self) -> RingKind<'static> {
        RingKind {
            kind: layout::BROADCAST,
            lock: 0,
            exclusive: |end| end == End::Sender,
            discards: false,
            trailer: |_| 0,
            prepare: &|_| Ok(()),
        }
    }

    fn open(&self, end: End) -> Result<Segment, OpenError> {
        self.options.open(end, &self.address(), &self.kind())
    }

    fn adopt(&self, handoff: Handoff, end: End) -> Result<Segment, OpenError> {
        self.options
            .adopt(handoff, end, &self.address(), &self.kind())
    }

    /// What a state that no sender leaves is called when opening.
    fn unsound(&self, stuck: Stuck) -> OpenError {
        let kind = match stuck {
            // Overtaken again and again while it looked for its place.
            Stuck::NotNow => OpenErrorKind::Busy,
            _ => OpenErrorKind::Corrupt,
        };
        OpenError::new(self.address(), kind)
    }
}

impl TryFrom<&Address> for ShmBroadcast {
    type Error = AddressError;

    fn try_from(address: &Address) -> Result<Self, AddressError> {
        address.check(Self::SCHEME, Self::KEYS)?;
        Ok(Self {
            options: RingOptions::read(address, ring_options::MOST)?,
            start: From::read(address)?,
        })
    }
}

impl Transport for ShmBroadcast {
    const SCHEME: &'static str = "shm+broadcast";
    const SUMMARY: &'static str =
        "ring in shared memory, one sender; each receiver gets every message";
    const KEYS: &'static [Key] = &[
        ring_options::CAPACITY,
        ring_options::MAX_MESSAGE,
        ring_options::WAIT,
        ring_options::PEER,
        Key {
            name: "from",
            form: "now|oldest",
            summary: "where this receiver starts (now)",
        },
    ];
    const VARIANTS: &'static [&'static str] = &["", "wait=park", "peer=untrusted", "from=oldest"];

    fn example_name(unique: &str) -> Option<String> {
        Some(unique.to_owned())
    }
}

impl Channel for ShmBroadcast {
    type Sender = BroadcastSender;
    type Receiver = BroadcastReceiver;

    fn address(&self) -> Address {
        let address = self.options.address(Self::SCHEME);
        match self.start {
            From::Start(Start::Now) => address,
            from => address.with("from", from),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            receivers: Fan::Many,
            anonymous: true,
            named: true,
            awaitable: true,
            delivery: Delivery::Each,
            lossy: true,
            ..Capabilities::LEAST
        }
    }

    fn pair(&self) -> Result<(BroadcastSender, BroadcastReceiver), OpenError> {
        let (sender, receiver) = self.options.pair(&self.address(), &self.kind())?;
        Ok((
            BroadcastSender::new(self, sender)?,
            BroadcastReceiver::new(self, receiver)?,
        ))
    }

    fn sender(&self) -> Result<BroadcastSender, OpenError> {
        BroadcastSender::new(self, self.open(End::Sender)?)
    }

    fn receiver(&self) -> Result<BroadcastReceiver, OpenError> {
        BroadcastReceiver::new(self, self.open(End::Receiver)?)
    }

    fn adopt_sender(&self, handoff: Handoff) -> Result<BroadcastSender, OpenError> {
        BroadcastSender::new(self, self.adopt(handoff, End::Sender)?)
    }

    fn adopt_receiver(&self, handoff: Handoff) -> Result<BroadcastReceiver, OpenError> {
        // Where the one was that is handed over is in its address.
        let start = From::read(&handoff.address);
        let start = start.map_err(|_| OpenError::new(self.address(), OpenErrorKind::Handoff))?;
        let segment = self.adopt(handoff, End::Receiver)?;
        let options = self.options.clone();
        BroadcastReceiver::new(&Self { options, start }, segment)
    }

    fn unlink(&self) -> io::Result<()> {
        self.options.unlink()
    }
}

#[inline]
fn ring(segment: &Segment) -> Ring<'_> {
    let header = segment.header();
    Ring {
        tail: &header.producer.cursor,
        oldest: &header.consumer.cursor,
        last: &header.producer_lock.seen,
        data: segment.data(),
    }
}

fn limits(segment: &Segment) -> Limits {
    Limits::new(segment.max_message(), segment.data().capacity(), ALIGN)
}
