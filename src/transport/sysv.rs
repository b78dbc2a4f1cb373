//! `sysv:` a System V message queue: many senders, many receivers, typed messages.
//!
//! The kernel's queue carries the messages. Beside it lies a small segment of shared memory, made and removed with it, that
//! does what the queue cannot: it tells who has the channel open, and it lets a call sleep until a deadline and
//! wake when the other side goes. Other programs may use the same queue without it; a sleeper sees their messages within 20 ms.

mod opening;
mod receiver;
mod select;
mod sender;

use std::{ffi::OsString, fs, io, path::Path, process};

use crate::{
    Address, AddressError, AddressProblem, Capabilities, Channel, End, Fan, Handoff, Key,
    OpenError, Transport, WaitStrategy,
    presence::Gate,
    shm::{
        layout::{QUEUE as KIND, Shape},
        name,
        segment::Segment,
    },
    sync::{AtomicU32, Ordering},
    transport::family::{
        path,
        queue_place::{self, ANONYMOUS, ANONYMOUS_NAME, WHO, file_name, key_of},
        ring_options,
    },
};

pub use receiver::SysvReceiver;
pub use select::Select;
pub use sender::SysvSender;

/// A System V message queue.
///
/// With a path its key is what `ftok` makes of path and id, so that programs in other languages find it; a path that does not exist
/// is made, and removed with the queue.
///
/// # Crash behaviour
/// A message is in the queue or not. One that a receiver had taken is lost with it. A queue that a crash left is
/// removed by the next to open it, with the messages in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysv {
    path: OsString,
    id: u8,
    capacity: Option<usize>,
    mtype: i64,
    select: Select,
    wait: WaitStrategy,
}

impl Sysv {
    /// The queue of `path` and id 1, or one without a path if it is empty.
    #[must_use]
    pub fn new(path: impl Into<OsString>) -> Self {
        Self {
            path: path.into(),
            id: 1,
            capacity: None,
            mtype: 1,
            select: Select::Any,
            wait: WaitStrategy::DEFAULT,
        }
    }

    /// Another queue of the same path; not 0.
    #[must_use]
    pub const fn id(mut self, id: u8) -> Self {
        self.id = id;
        self
    }

    /// Holds this many bytes of messages, `kernel.msgmnb` at most.
    #[must_use]
    pub const fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = Some(bytes);
        self
    }

    /// Sends messages of this type; 1 or more.
    #[must_use]
    pub const fn mtype(mut self, mtype: i64) -> Self {
        self.mtype = mtype;
        self
    }

    /// Receives these messages.
    #[must_use]
    pub const fn select(mut self, select: Select) -> Self {
        self.select = select;
        self
    }

    /// Waits like this.
    #[must_use]
    pub const fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.wait = strategy;
        self
    }
}

impl TryFrom<&Address> for Sysv {
    type Error = AddressError;

    fn try_from(address: &Address) -> Result<Self, AddressError> {
        address.check(Self::SCHEME, Self::KEYS)?;
        path::check_address(address)?;
        let id = address.parse_with("id", "a number from 1 to 255", |text| {
            text.parse().ok().filter(|&id: &u8| id > 0)
        })?;
        let mtype = address.parse_with("mtype", "a number from 1 up", |text| {
            text.parse().ok().filter(|&mtype: &i64| mtype > 0)
        })?;
        let select = address.parse_with("select", "0, a type, or a negated bound", |text| {
            text.parse().ok().map(Select::from_number)
        })?;
        let capacity = address.size("capacity")?;
        if capacity.is_some_and(|bytes| bytes > 1 << 31) {
            let problem = AddressProblem::BadValue("a size up to kernel.msgmnb, such as 16KiB");
            return Err(address.error_at("capacity", problem));
        }
        if id.is_some() && address.is_anonymous() {
            let why = "an id needs a path; write sysv:PATH?id=N";
            return Err(address.error_at_name(AddressProblem::BadName(why)));
        }
        Ok(Self {
            path: address.name().to_owned(),
            id: id.unwrap_or(1),
            capacity,
            mtype: mtype.unwrap_or(1),
            select: select.unwrap_or_default(),
            wait: ring_options::wait(address)?,
        })
    }
}

impl Transport for Sysv {
    const SCHEME: &'static str = "sysv";
    const SUMMARY: &'static str = "System V message queue, with message types";
    const KEYS: &'static [Key] = &[
        Key {
            name: "id",
            form: "1..255",
            summary: "which queue of the path (1)",
        },
        Key {
            name: "capacity",
            form: "SIZE",
            summary: "bytes of messages, up to kernel.msgmnb (kernel.msgmnb)",
        },
        Key {
            name: "mtype",
            form: "TYPE",
            summary: "type of sent messages (1)",
        },
        Key {
            name: "select",
            form: "0|TYPE|-TYPE",
            summary: "receive the oldest, one type, or the lowest type up to a bound (0)",
        },
        ring_options::WAIT,
    ];

    fn example_name(unique: &str) -> Option<String> {
        let path = std::env::temp_dir().join(unique);
        Some(path.to_string_lossy().into_owned())
    }
}

impl Channel for Sysv {
    type Sender = SysvSender;
    type Receiver = SysvReceiver;

    fn address(&self) -> Address {
        let mut address = Address::of(Self::SCHEME, &self.path);
        if self.id != 1 {
            address = address.with("id", self.id);
        }
        if let Some(bytes) = self.capacity {
            address = address.with("capacity", bytes);
        }
        if self.mtype != 1 {
            address = address.with("mtype", self.mtype);
        }
        if self.select != Select::Any {
            address = address.with("select", self.select.number());
        }
        if self.wait != WaitStrategy::DEFAULT {
            address = address.with("wait", self.wait.word());
        }
        address
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            senders: Fan::Many,
            receivers: Fan::Many,
            anonymous: true,
            named: true,
            kernel_buffered: true,
            ..Capabilities::LEAST
        }
    }

    fn pair(&self) -> Result<(SysvSender, SysvReceiver), OpenError> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);

        if !self.path.is_empty() {
            return Ok((self.sender()?, self.receiver()?));
        }
        let prefix = format!("{}{ANONYMOUS_NAME}", name::PREFIX);
        let discard = Self::discard();
        let sweep = |name: &str, shape: &Shape| {
            let sound = shape.kind == KIND && name == file_name(shape.flags, key_of(shape));
            if sound {
                discard(shape);
            }
            sound
        };
        name::sweep(&prefix, sweep).map_err(|e| self.os(e))?;
        // ORDERING: Relaxed; only different numbers are wanted.
        let number = || COUNTER.fetch_add(1, Ordering::Relaxed) & WHO;
        loop {
            let flags = ANONYMOUS | number();
            let name = file_name(flags, process::id());
            let key = queue_place::anonymous_key(process::id(), flags).cast_signed();
            let pair = self.with_plan(key, flags, |plan| Segment::pair_as(&name, plan));
            let pair = match pair {
                // Another queue has this key.
                Err(error) if error.source.as_ref().is_some_and(opening::is_taken) => continue,
                pair => pair?,
            };
            // Another process, in another namespace, may have our number.
            if let Some((sender, receiver)) = pair {
                return Ok((
                    SysvSender::new(self, self.core(sender, End::Sender, None)?),
                    SysvReceiver::new(self, self.core(receiver, End::Receiver, None)?),
                ));
            }
        }
    }

    fn sender(&self) -> Result<SysvSender, OpenError> {
        Ok(SysvSender::new(self, self.named(End::Sender)?))
    }

    fn receiver(&self) -> Result<SysvReceiver, OpenError> {
        Ok(SysvReceiver::new(self, self.named(End::Receiver)?))
    }

    fn adopt_sender(&self, handoff: Handoff) -> Result<SysvSender, OpenError> {
        Ok(SysvSender::new(self, self.adopted(handoff, End::Sender)?))
    }

    fn adopt_receiver(&self, handoff: Handoff) -> Result<SysvReceiver, OpenError> {
        Ok(SysvReceiver::new(
            self,
            self.adopted(handoff, End::Receiver)?,
        ))
    }

    fn unlink(&self) -> io::Result<()> {
        let path = Path::new(&self.path);
        let (key, who) = queue_place::key(&fs::metadata(path)?, self.id);
        // So that nobody makes it again meanwhile. Somebody who keeps the gate for ever is no reason to leave it.
        let gate = queue_place::look(path).ok().map(Gate::enter);
        let name = file_name(0, key);
        let removed = match name::shape_of(&name) {
            Ok(shape) if shape.kind == KIND && shape.flags & WHO == who => {
                Self::discard()(&shape);
                name::remove(&name)
            }
            // Another path has the same key.
            Ok(_) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error),
        };
        if let Some(Ok(gate)) = &gate {
            // Whoever may not remove it has removed the channel all the same.
            let _ = queue_place::remove_this(gate, path, |meta| {
                queue_place::key(meta, self.id) == (key, who)
            });
        }
        removed
    }
}
