//! What the rings in shared memory have in common: name, sizes, waiting, and how their segments open.

use std::{ffi::OsString, io, sync::Arc};

use crate::{
    Address, AddressError, AddressProblem, End, Handoff, Key, OpenError, OpenErrorKind, Overflow,
    Peer, WaitStrategy, cache,
    ring::record,
    shm::{
        layout::{Header, LAYOUT, MAGIC, Shape},
        name, object,
        plan::Plan,
        segment::Segment,
    },
};

/// The most that can be asked for, unless the ring says less.
pub(crate) const MOST: usize = 1 << 40;

/// The key that sets the size of a ring.
pub(crate) const CAPACITY: Key = Key {
    name: "capacity",
    form: "SIZE",
    summary: "bytes of records, rounded up to a power of two (twice a core's L2 cache)",
};
/// The key that sets the longest message.
pub(crate) const MAX_MESSAGE: Key = Key {
    name: "max_message",
    form: "SIZE",
    summary: "longest message (a quarter of the capacity)",
};
/// The key that sets how an end waits.
pub(crate) const WAIT: Key = Key {
    name: "wait",
    form: "spin|yield|adaptive|park",
    summary: "how this end waits (adaptive)",
};

/// The key that says how far the others are trusted.
pub(crate) const PEER: Key = Key {
    name: "peer",
    form: "trusted|untrusted",
    summary: "whether the others follow the protocol; if not, messages are copied and not lent (trusted)",
};

/// The key that says what a sender does with a message for which there is no room.
pub(crate) const OVERFLOW: Key = Key {
    name: "overflow",
    form: "block|fail|drop-newest|drop-oldest",
    summary: "what this sender does when the ring is full; drop-oldest on shm+mpmc: and shm+lock: only (block)",
};

/// A ring that has been described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RingOptions {
    /// Empty if it has none.
    pub(crate) name: OsString,
    /// In bytes.
    pub(crate) capacity: Option<usize>,
    /// In bytes.
    pub(crate) max_message: Option<usize>,
    /// Of this end.
    pub(crate) wait: WaitStrategy,
    /// Across from this end.
    pub(crate) peer: Peer,
    /// Of this end, if it sends.
    pub(crate) overflow: Overflow,
    /// The largest capacity that the transport has.
    most: usize,
}

/// What tells the segments of one transport from those of others.
pub(crate) struct RingKind<'a> {
    /// Which transport.
    pub(crate) kind: u32,
    /// Which lock.
    pub(crate) lock: u32,
    /// Which ends take one handle only.
    pub(crate) exclusive: fn(End) -> bool,
    /// Whether a sender can discard what nobody has received.
    pub(crate) discards: bool,
    /// How many bytes are wanted behind so many bytes of data.
    pub(crate) trailer: fn(u64) -> u64,
    /// Completes a new segment.
    pub(crate) prepare: &'a dyn Fn(&Header) -> io::Result<()>,
}

impl RingOptions {
    /// A ring with this name, or without one if it is empty.
    pub(crate) fn new(name: OsString, most: usize) -> Self {
        Self {
            name,
            capacity: None,
            max_message: None,
            wait: WaitStrategy::DEFAULT,
            peer: Peer::Trusted,
            overflow: Overflow::Block,
            most,
        }
    }

    /// Reads name and keys, and checks them.
    pub(crate) fn read(address: &Address, most: usize) -> Result<Self, AddressError> {
        let options = Self {
            name: address.name().to_owned(),
            capacity: address.size("capacity")?,
            max_message: address.size("max_message")?,
            wait: wait(address)?,
            peer: address
                .parse_with("peer", "trusted or untrusted", Peer::from_word)?
                .unwrap_or_default(),
            overflow: address
                .parse_with(
                    "overflow",
                    "block, fail, drop-newest or drop-oldest",
                    Overflow::from_word,
                )?
                .unwrap_or_default(),
            most,
        };
        if let Err((key, form)) = options.sizes() {
            return Err(address.error_at(key, AddressProblem::BadValue(form)));
        }
        if !options.name.is_empty() {
            name::file_name("", &options.name)
                .map_err(|why| address.error_at_name(AddressProblem::BadName(why)))?;
        }
        Ok(options)
    }

    /// The address that reads back as these options.
    pub(crate) fn address(&self, scheme: &'static str) -> Address {
        let mut address = Address::of(scheme, &self.name);
        if let Some(bytes) = self.capacity {
            address = address.with("capacity", bytes);
        }
        if let Some(bytes) = self.max_message {
            address = address.with("max_message", bytes);
        }
        if self.wait != WaitStrategy::DEFAULT {
            address = address.with("wait", self.wait.word());
        }
        if !self.peer.is_trusted() {
            address = address.with("peer", self.peer.word());
        }
        if self.overflow != Overflow::Block {
            address = address.with("overflow", self.overflow.word());
        }
        address
    }

    /// Refuses what a transport whose receiver alone moves the head cannot do.
    pub(crate) fn without_discarding(self, address: &Address) -> Result<Self, AddressError> {
        const FORM: &str = "block, fail or drop-newest here; drop-oldest is for shm+mpmc:, and for shm+lock: with its own lock";

        if self.overflow == Overflow::DropOldest {
            return Err(address.error_at("overflow", AddressProblem::BadValue(FORM)));
        }
        Ok(self)
    }

    /// Capacity and longest message, or the key that is wrong and what it takes.
    fn sizes(&self) -> Result<(usize, usize), (&'static str, &'static str)> {
        const CAPACITY_FORM: &str = "a size from 1KiB, such as 64KiB or 1MiB, up to what the transport has (shm+mpmc: 64MiB, others: 1024GiB)";
        const MESSAGE_FORM: &str = "a size up to half of the capacity, and 2GiB";

        let wanted = match (self.capacity, self.max_message) {
            (Some(capacity), _) => capacity,
            (None, Some(max)) => max
                .saturating_add(2 * record::HEADER)
                .saturating_mul(4)
                .max(cache::default_capacity()),
            (None, None) => cache::default_capacity(),
        };
        if !(object::LEAST..=self.most).contains(&wanted) {
            let key = if self.capacity.is_some() {
                "capacity"
            } else {
                "max_message"
            };
            return Err((key, CAPACITY_FORM));
        }
        let capacity = wanted.next_power_of_two();
        // A record may need as much again to reach the start of the ring, and a header behind it.
        let most = (capacity / 2 - 2 * record::HEADER).min(1 << 31);
        let max = self
            .max_message
            .unwrap_or((capacity / 4 - 2 * record::HEADER).min(most));
        if max > most {
            return Err(("max_message", MESSAGE_FORM));
        }
        Ok((capacity, max))
    }

    fn file_name(&self) -> Result<String, OpenErrorKind> {
        if self.name.is_empty() {
            return Err(OpenErrorKind::Unnamed);
        }
        name::file_name("", &self.name).map_err(OpenErrorKind::Refused)
    }

    /// Opens with what `open` makes of the plan.
    fn with_plan<T>(
        &self,
        address: &Address,
        kind: &RingKind<'_>,
        open: impl FnOnce(&Plan<'_>) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        let bad = |(_, form)| OpenError::new(address.clone(), OpenErrorKind::Refused(form));
        let (capacity, max_message) = self.sizes().map_err(bad)?;
        if self.overflow == Overflow::DropOldest && !kind.discards {
            let kind = OpenErrorKind::Overflow(self.overflow);
            return Err(OpenError::new(address.clone(), kind));
        }
        let prepare = |_: &mut Shape, header: &Header| {
            (kind.prepare)(header).map_err(|e| OpenError::os(address.clone(), e))
        };
        open(&Plan {
            address,
            shape: Shape {
                magic: MAGIC,
                layout: LAYOUT,
                kind: kind.kind,
                capacity: capacity as u64,
                max_message: max_message as u64,
                lock: kind.lock,
                flags: 0,
                extra: 0,
                trailer: (kind.trailer)(capacity as u64),
            },
            explicit: self.capacity.is_some() || self.max_message.is_some(),
            exclusive: kind.exclusive,
            // So there is a state word for each slot.
            is_sound: &|found| found.trailer == (kind.trailer)(found.capacity),
            refuse: &|_| None,
            guarded: !self.peer.is_trusted(),
            prepare: &prepare,
            discard: Arc::new(|_| {}),
        })
    }

    /// Opens both ends.
    pub(crate) fn pair(
        &self,
        address: &Address,
        kind: &RingKind<'_>,
    ) -> Result<(Segment, Segment), OpenError> {
        if self.name.is_empty() {
            return self.with_plan(address, kind, Segment::pair);
        }
        let sender = self.open(End::Sender, address, kind)?;
        Ok((sender, self.open(End::Receiver, address, kind)?))
    }

    /// Opens one end by name.
    pub(crate) fn open(
        &self,
        end: End,
        address: &Address,
        kind: &RingKind<'_>,
    ) -> Result<Segment, OpenError> {
        let name = self
            .file_name()
            .map_err(|kind| OpenError::new(address.clone(), kind))?;
        self.with_plan(address, kind, |plan| Segment::open(&name, end, plan))
    }

    /// Opens the end that another process handed over.
    pub(crate) fn adopt(
        &self,
        handoff: Handoff,
        end: End,
        address: &Address,
        kind: &RingKind<'_>,
    ) -> Result<Segment, OpenError> {
        let wrong = || OpenError::new(address.clone(), OpenErrorKind::Handoff);
        let Ok([fd]) = <[_; 1]>::try_from(handoff.fds) else {
            return Err(wrong());
        };
        if handoff.end != end {
            return Err(wrong());
        }
        let name = |_: &Shape| self.file_name().ok();
        self.with_plan(address, kind, |plan| Segment::adopt(fd, name, plan))
    }

    /// Removes the name.
    pub(crate) fn unlink(&self) -> io::Result<()> {
        match self.file_name() {
            Ok(name) => name::remove(&name),
            Err(_) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Reads how an end waits.
pub(crate) fn wait(address: &Address) -> Result<WaitStrategy, AddressError> {
    let form = "spin, yield, adaptive or park";
    let wait = address.parse_with("wait", form, WaitStrategy::from_word)?;
    Ok(wait.unwrap_or(WaitStrategy::DEFAULT))
}

/// The builder methods of a channel that has `options`.
macro_rules! ring_builder {
    () => {
        /// Takes `bytes` of records, rounded up to a power of two.
        #[must_use]
        pub const fn capacity(mut self, bytes: usize) -> Self {
            self.options.capacity = Some(bytes);
            self
        }

        /// Takes messages up to `bytes`. Without a capacity, room for four of them is made.
        #[must_use]
        pub const fn max_message(mut self, bytes: usize) -> Self {
            self.options.max_message = Some(bytes);
            self
        }

        /// Waits like this.
        #[must_use]
        pub const fn wait(mut self, strategy: $crate::WaitStrategy) -> Self {
            self.options.wait = strategy;
            self
        }

        /// Trusts the others so far.
        #[must_use]
        pub const fn peer(mut self, peer: $crate::Peer) -> Self {
            self.options.peer = peer;
            self
        }
    };
}

/// The builder method of a channel that has `options`, and whose senders may find it full.
macro_rules! overflow_builder {
    () => {
        /// A sender that is opened does this when there is no room.
        #[must_use]
        pub const fn overflow(mut self, overflow: $crate::Overflow) -> Self {
            self.options.overflow = overflow;
            self
        }
    };
}

/// The opening methods of [`Channel`](crate::Channel) for a channel that has `options`, a `kind` and an `end`
/// that is made from a segment.
macro_rules! ring_channel {
    ($sender:ident, $receiver:ident) => {
        type Sender = $sender;
        type Receiver = $receiver;

        fn pair(&self) -> Result<($sender, $receiver), $crate::OpenError> {
            let (sender, receiver) = self.options.pair(&self.address(), &self.kind())?;
            Ok(($sender::new(self, sender)?, $receiver::new(self, receiver)?))
        }

        fn sender(&self) -> Result<$sender, $crate::OpenError> {
            let end = $crate::End::Sender;
            $sender::new(self, self.options.open(end, &self.address(), &self.kind())?)
        }

        fn receiver(&self) -> Result<$receiver, $crate::OpenError> {
            let end = $crate::End::Receiver;
            $receiver::new(self, self.options.open(end, &self.address(), &self.kind())?)
        }

        fn adopt_sender(&self, handoff: $crate::Handoff) -> Result<$sender, $crate::OpenError> {
            let end = $crate::End::Sender;
            let segment = self
                .options
                .adopt(handoff, end, &self.address(), &self.kind())?;
            $sender::new(self, segment)
        }

        fn adopt_receiver(&self, handoff: $crate::Handoff) -> Result<$receiver, $crate::OpenError> {
            let end = $crate::End::Receiver;
            let segment = self
                .options
                .adopt(handoff, end, &self.address(), &self.kind())?;
            $receiver::new(self, segment)
        }

        fn unlink(&self) -> std::io::Result<()> {
            self.options.unlink()
        }
    };
}

pub(crate) use {overflow_builder, ring_builder, ring_channel};
