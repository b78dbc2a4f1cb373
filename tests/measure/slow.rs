//! A transport whose times are known: a ring whose receiver takes its time with each message, and once stalls.

use std::{
    io,
    time::{Duration, Instant},
};

use laneway::{
    Address, AddressError, Capabilities, Channel, Deadline, Handoff, Key, OpenError, OpenErrorKind,
    Receiver, RecvError, SendError, Sender, Transport,
    transport::{ShmSpsc, SpscReceiver, SpscSender},
};

use crate::wrapped::wrapped;

/// The channel.
#[derive(Debug)]
pub(crate) struct Slow {
    ring: ShmSpsc,
    address: Address,
    service: Duration,
    stall: Duration,
    at: u64,
}

impl TryFrom<&Address> for Slow {
    type Error = AddressError;

    fn try_from(address: &Address) -> Result<Self, AddressError> {
        address.check(Self::SCHEME, Self::KEYS)?;
        let ring = Address::new("shm+spsc", "").expect("a good address");
        let ring = ring.with("wait", "spin").with("capacity", "4MiB");
        let at = address.parse_with("at", "a number", |text| text.parse().ok())?;
        Ok(Self {
            ring: ShmSpsc::try_from(&ring)?,
            address: address.clone(),
            service: address.duration("service")?.unwrap_or_default(),
            stall: address.duration("stall")?.unwrap_or_default(),
            at: at.unwrap_or_default(),
        })
    }
}

impl Transport for Slow {
    const SCHEME: &'static str = "slow";
    const SUMMARY: &'static str = "a ring that takes its time";
    const KEYS: &'static [Key] = &[
        Key {
            name: "service",
            form: "TIME",
            summary: "how long each message takes",
        },
        Key {
            name: "stall",
            form: "TIME",
            summary: "how long one of them takes besides",
        },
        Key {
            name: "at",
            form: "NUMBER",
            summary: "which one, counted from when the receiver was opened",
        },
    ];

    fn example_name(_: &str) -> Option<String> {
        None
    }
}

impl Slow {
    fn slow(&self, inner: SpscReceiver) -> SlowReceiver {
        SlowReceiver {
            inner,
            address: self.address.clone(),
            service: self.service,
            stall: self.stall,
            at: self.at,
            served: 0,
            is_served: false,
        }
    }

    fn sender_of(&self, inner: SpscSender) -> SlowSender {
        let address = self.address.clone();
        SlowSender { inner, address }
    }

    fn unnamed(&self) -> OpenError {
        OpenError::new(self.address(), OpenErrorKind::Unnamed)
    }
}

impl Channel for Slow {
    type Sender = SlowSender;
    type Receiver = SlowReceiver;

    fn address(&self) -> Address {
        self.address.clone()
    }

    fn capabilities(&self) -> Capabilities {
        let mut can = self.ring.capabilities();
        can.named = false;
        can
    }

    fn pair(&self) -> Result<(SlowSender, SlowReceiver), OpenError> {
        let (tx, rx) = self.ring.pair()?;
        Ok((self.sender_of(tx), self.slow(rx)))
    }

    fn sender(&self) -> Result<SlowSender, OpenError> {
        Err(self.unnamed())
    }

    fn receiver(&self) -> Result<SlowReceiver, OpenError> {
        Err(self.unnamed())
    }

    fn adopt_sender(&self, mut handoff: Handoff) -> Result<SlowSender, OpenError> {
        handoff.address = self.ring.address();
        Ok(self.sender_of(self.ring.adopt_sender(handoff)?))
    }

    fn adopt_receiver(&self, mut handoff: Handoff) -> Result<SlowReceiver, OpenError> {
        handoff.address = self.ring.address();
        Ok(self.slow(self.ring.adopt_receiver(handoff)?))
    }

    fn unlink(&self) -> io::Result<()> {
        self.ring.unlink()
    }
}

/// The end that is as quick as any.
#[derive(Debug)]
pub(crate) struct SlowSender {
    inner: SpscSender,
    address: Address,
}

/// The end that takes its time.
#[derive(Debug)]
pub(crate) struct SlowReceiver {
    inner: SpscReceiver,
    address: Address,
    service: Duration,
    stall: Duration,
    at: u64,
    served: u64,
    /// Whether the message that is peeked has had its time.
    is_served: bool,
}

wrapped!(SlowSender, SlowReceiver);

impl Sender for SlowSender {
    fn reserve(&mut self, len: usize, deadline: Deadline) -> Result<&mut [u8], SendError> {
        self.inner.reserve(len, deadline)
    }

    fn reserved(&mut self) -> &mut [u8] {
        self.inner.reserved()
    }

    fn commit(&mut self, len: usize) -> Result<(), SendError> {
        self.inner.commit(len)
    }

    fn abort(&mut self) {
        self.inner.abort();
    }
}

impl Receiver for SlowReceiver {
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        // A mark is no message.
        let is_mark = self.inner.peek(deadline)?.is_empty();
        if !self.is_served && !is_mark {
            let start = Instant::now();
            self.is_served = true;
            self.served += 1;
            let mut time = self.service;
            if self.served == self.at {
                time += self.stall;
            }
            while start.elapsed() < time {
                std::hint::spin_loop();
            }
        }
        Ok(self.inner.peeked())
    }

    fn peeked(&self) -> &[u8] {
        self.inner.peeked()
    }

    fn consume(&mut self) {
        self.is_served = false;
        self.inner.consume();
    }
}
