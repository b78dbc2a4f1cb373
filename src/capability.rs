//! What a channel can do, and its numbers.

/// How many handles may use one end of a channel at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fan {
    /// One.
    One,
    /// Any number, in any number of processes.
    Many,
}

/// Who gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// One of the receivers: what one has received no other gets.
    One,
    /// Each of the receivers, from where it has started.
    Each,
}

/// How long sent messages and the name live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lifetime {
    /// As long as some endpoint is open; the last one out removes the name.
    Endpoints,
    /// Unread messages stay until they are received, or the channel is unlinked or the system restarts.
    Kernel,
}

/// What a channel can do. A method of the channel and not of its type, because options change it:
/// a pipe takes many senders only in packet mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Handles that may send at the same time.
    pub senders: Fan,
    /// Handles that may receive at the same time.
    pub receivers: Fan,
    /// Can be opened without a name, by [`pair`](crate::Channel::pair).
    pub anonymous: bool,
    /// Can be opened by name from unrelated processes.
    pub named: bool,
    /// Has a descriptor for poll and epoll.
    pub pollable: bool,
    /// Tells when it is ready, by a descriptor or by a waker: can be waited for together with others by [`wait_any`](crate::wait_any()).
    /// A task of an async runtime can wait for the others too, and looks again and again.
    pub awaitable: bool,
    /// A reserved message is written where the receiver will read it.
    pub zero_copy_send: bool,
    /// A peeked message is read where the sender wrote it.
    pub zero_copy_recv: bool,
    /// Who gets a message. Work is shared only where it is [`One`](Delivery::One).
    pub delivery: Delivery,
    /// Messages that were sent may be given up for others, by the sender's choice ([`Overflow`](crate::Overflow)) or because a receiver was
    /// overtaken ([`Lagged`](crate::RecvError::Lagged)). Elsewhere what was sent stays until it is received.
    pub lossy: bool,
    /// A message that a receiver had taken and not finished when it died is given again, to its successor or to another.
    pub redelivers: bool,
    /// What is sent before a receiver has come waits in the channel. Where it does not, the sender waits: for it a channel to which no
    /// receiver has come yet is [`Full`](crate::SendError::Full).
    pub holds_early: bool,
    /// A message passes through a buffer in the kernel, and each call enters the kernel.
    pub kernel_buffered: bool,
    /// How long messages and the name live.
    pub lifetime: Lifetime,
}

impl Capabilities {
    /// The least that a transport does: one sender, one receiver, what is sent early waits, nothing else. Set the fields that differ.
    pub const LEAST: Self = Self {
        senders: Fan::One,
        receivers: Fan::One,
        anonymous: false,
        named: false,
        pollable: false,
        awaitable: false,
        zero_copy_send: false,
        zero_copy_recv: false,
        delivery: Delivery::One,
        lossy: false,
        redelivers: false,
        holds_early: true,
        kernel_buffered: false,
        lifetime: Lifetime::Endpoints,
    };

    /// Whether every message that was sent is there for one receiver, and stays until it is received: what a queue, a pipeline or a count of
    /// messages relies on.
    #[must_use]
    pub const fn gives_each_once(&self) -> bool {
        matches!(self.delivery, Delivery::One) && !self.lossy
    }
}

/// The numbers of an open channel, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest message.
    pub max_message: usize,
    /// The bytes the channel holds, including its own headers.
    pub capacity: usize,
    /// The alignment of a peeked or reserved message's first byte.
    pub payload_align: usize,
    /// The setting of the system that bounds `max_message` or `capacity`, if one does.
    pub system: Option<SystemLimit>,
    /// All settings of the system that a channel of this kind meets, as they were when it was opened.
    pub settings: [Option<SystemLimit>; 3],
}

impl Limits {
    /// Limits that no setting of the system bounds.
    #[must_use]
    pub const fn new(max_message: usize, capacity: usize, payload_align: usize) -> Self {
        Self {
            max_message,
            capacity,
            payload_align,
            system: None,
            settings: [None; 3],
        }
    }

    /// The same, with the values that these settings of the system have.
    #[must_use]
    pub fn with_settings(mut self, names: [Option<&'static str>; 3]) -> Self {
        self.settings = names.map(|name| name.and_then(SystemLimit::read));
        self
    }

    /// The same, bounded by a setting of the system.
    #[must_use]
    pub const fn bounded_by(mut self, system: SystemLimit) -> Self {
        self.system = Some(system);
        self
    }
}

/// A setting of the system that bounds a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemLimit {
    /// Its name for `sysctl`, as in `kernel.msgmax`.
    pub name: &'static str,
    /// Its value when the channel was opened.
    pub value: u64,
}

impl SystemLimit {
    /// Reads a setting; `None` if this system does not tell.
    #[must_use]
    pub fn read(name: &'static str) -> Option<Self> {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let value = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
        Some(Self { name, value })
    }
}

/// What is waiting in a channel, where the transport can tell.
///
/// The answer was true when it was taken: others may have sent or received since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Depth {
    /// Messages sent and not received.
    pub messages: Option<usize>,
    /// Bytes they take, including the channel's own headers.
    pub bytes: Option<usize>,
    /// Whether the numbers were exact at that moment, not an estimate.
    pub exact: bool,
}

impl Depth {
    /// An exact number of messages and the bytes they take.
    #[must_use]
    pub const fn exact(messages: usize, bytes: usize) -> Self {
        Self {
            messages: Some(messages),
            bytes: Some(bytes),
            exact: true,
        }
    }

    /// Only the bytes are known.
    #[must_use]
    pub const fn of_bytes(bytes: usize) -> Self {
        Self {
            messages: None,
            bytes: Some(bytes),
            exact: true,
        }
    }
}

/// The hash that is called FNV-1a, so that programs by different compilers agree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fnv(u32);

impl Fnv {
    /// That of the name of `T`, without the modules it is in.
    pub(crate) fn of_name<T>() -> Self {
        let mut hash = Self(0x811c_9dc5);
        let name = std::any::type_name::<T>();
        for word in name.split_inclusive(|c: char| !c.is_alphanumeric() && !"_:".contains(c)) {
            let plain = word.rsplit("::").next().unwrap_or(word);
            hash.add(plain.as_bytes());
        }
        hash
    }

    /// Goes on with these bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
}

/// The size and alignment of a type, or a hash of its name and of what serde knows of it, as one word that the two ends of a channel
/// compare.
///
/// It tells types of different shape, or of different name, apart, and not those of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u32);

impl Fingerprint {
    const SIZE_BITS: u32 = 27;
    /// In place of an alignment that no type has.
    const NAMED: u32 = 31;

    /// Messages are bytes of any length.
    pub const UNTYPED: Self = Self(0);

    /// The fingerprint of `T`; `None` if `T` is larger than 128 MiB.
    #[must_use]
    pub fn of<T>() -> Option<Self> {
        let size = u32::try_from(size_of::<T>()).ok()?;
        if size >> Self::SIZE_BITS != 0 {
            return None;
        }
        let align = align_of::<T>().trailing_zeros() + 1;
        Some(Self(align << Self::SIZE_BITS | size))
    }

    /// The fingerprint of the name of `T`, without the modules it is in: for values whose bytes do not lie as in memory.
    #[must_use]
    pub fn of_name<T>() -> Self {
        Self::of_hash(Fnv::of_name::<T>())
    }

    /// The fingerprint of what was hashed, which is no size.
    pub(crate) fn of_hash(hash: Fnv) -> Self {
        let Fnv(hash) = hash;
        Self(Self::NAMED << Self::SIZE_BITS | hash >> (u32::BITS - Self::SIZE_BITS))
    }

    /// Whether it is a hash that a name is in, and tells neither size nor alignment.
    #[must_use]
    pub const fn is_name(self) -> bool {
        self.0 >> Self::SIZE_BITS == Self::NAMED
    }

    /// As a word; never 0 for a type.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From [`bits`](Self::bits). Any word is accepted.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The type's size in bytes.
    #[must_use]
    pub const fn size(self) -> u32 {
        self.0 & ((1 << Self::SIZE_BITS) - 1)
    }

    /// The type's alignment in bytes, 0 if untyped.
    #[must_use]
    pub const fn align(self) -> u32 {
        match self.0 >> Self::SIZE_BITS {
            0 => 0,
            log => 1 << (log - 1),
        }
    }
}

/// How an endpoint waits when there is nothing to receive or no room to send.
///
/// The two ends need not wait alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitStrategy {
    /// Ask again at once, for ever: the lowest latency, one core burnt.
    Spin,
    /// Give the core to whoever wants it, then ask again.
    Yield,
    /// Ask again for about as long as a wake-up costs here, which every wake-up measures, then sleep in the
    /// kernel until woken. With one core, sleep at once.
    Adaptive,
    /// Sleep in the kernel until woken: no core burnt.
    Park,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_size_and_alignment_apart() {
        let word = Fingerprint::of::<u32>().expect("small");
        assert_eq!((word.size(), word.align()), (4, 4));
        assert_ne!(Some(word), Fingerprint::of::<[u8; 4]>());
        assert_eq!(Fingerprint::of::<()>().map(Fingerprint::size), Some(0));
        assert_ne!(Fingerprint::of::<()>(), Some(Fingerprint::UNTYPED));
        assert_eq!(Fingerprint::of::<[u8; 1 << 27]>(), None);
    }

    mod here {
        pub(super) struct Job;
    }

    mod there {
        pub(super) struct Job;
    }

    #[test]
    fn fingerprints_tell_names_apart_and_not_modules() {
        let (here, there) = (
            Fingerprint::of_name::<Vec<(here::Job, u8)>>(),
            Fingerprint::of_name::<Vec<(there::Job, u8)>>(),
        );
        assert_eq!(here, there);
        assert!(here.is_name());
        let others = [
            Fingerprint::of_name::<Vec<(here::Job, u16)>>(),
            Fingerprint::of_name::<here::Job>(),
            Fingerprint::of_name::<i32>(),
            Fingerprint::of_name::<u64>(),
        ];
        assert!(others.iter().all(|other| *other != here && other.is_name()));
        assert_ne!(others[2], others[3]);
        assert!(!Fingerprint::UNTYPED.is_name());
        assert!(Fingerprint::of::<u64>().is_some_and(|word| !word.is_name()));
    }
}
