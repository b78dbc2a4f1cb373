//! `sysv:` a System V message queue: many senders, many receivers, typed messages.
//!
//! The kernel's queue carries the messages. Beside it lies a small segment of shared memory, made and removed with it, that
//! does what the queue cannot: it tells who has the channel open, and it lets a call sleep until a deadline and
//! wake when the other side goes. Other programs may use the same queue without it; a sleeper sees their messages within 20 ms.

mod receiver;
mod select;

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    process,
    sync::Arc,
};

use nix::{errno::Errno, sys::stat::fstat};

use crate::{
    Address, AddressError, AddressProblem, Capabilities, Channel, Deadline, Depth, End, Endpoint,
    Fan, Handoff, Key, Limits, OpenError, OpenErrorKind, SendError, Sender, SystemLimit, Transport,
    WaitStrategy,
    crash::{self, Point},
    presence::Gate,
    shm::{
        layout::{LAYOUT, MAGIC, QUEUE as KIND, Shape},
        name, object,
        plan::{Discard, Plan},
        segment::Segment,
    },
    sync::{AtomicU32, Ordering},
    sys::{
        fd::Block,
        msg::{Message, Queue},
    },
    transport::family::{
        member::{Member, endpoint_by_member},
        path,
        queue_place::{
            self, ANONYMOUS, ANONYMOUS_NAME, FOREIGN, OURS, QueuePath, WHO, file_name, key_of,
            pack, queue_of,
        },
        ring_options,
        scratch::{Scratch, reserve_in_scratch},
    },
};

pub use receiver::SysvReceiver;
pub use select::Select;

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

    fn error(&self, kind: OpenErrorKind) -> OpenError {
        OpenError::new(self.address(), kind)
    }

    fn os(&self, error: io::Error) -> OpenError {
        OpenError::os(self.address(), error)
    }

    /// The file at the path, made if there is none.
    fn file(&self) -> Result<File, OpenError> {
        let path = Path::new(&self.path);
        loop {
            // Not blocking, for a path may be a FIFO.
            let found = OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(path);
            match found {
                Ok(file) => return Ok(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                    let why = "the path is a socket, not a file";
                    return Err(self.error(OpenErrorKind::Refused(why)));
                }
                Err(error) => return Err(self.os(error)),
            }
            let made = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(OURS)
                .open(path);
            match made {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) {
                        let why = "the path is a symbolic link to nothing";
                        return Err(self.error(OpenErrorKind::Refused(why)));
                    }
                }
                Err(error) => return Err(self.os(error)),
                Ok(_) => {}
            }
        }
    }

    /// Removes the queue of a segment. Its path stays as long as the segment does, for else nobody would find what a death leaves.
    fn discard() -> Discard {
        Arc::new(queue_place::remove_queue)
    }

    /// Opens with what `open` makes of the plan.
    fn with_plan<T>(
        &self,
        key: libc::key_t,
        flags: u32,
        open: impl FnOnce(&Plan<'_>) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        let address = self.address();
        let prepare = |shape: &mut Shape| {
            let (name, queue) = if flags & ANONYMOUS == 0 {
                (key.cast_unsigned(), self.make(key, shape)?)
            } else {
                (process::id(), self.create(key)?)
            };
            shape.extra = pack(name, queue);
            Ok(())
        };
        open(&Plan {
            address: &address,
            shape: Shape {
                magic: MAGIC,
                layout: LAYOUT,
                kind: KIND,
                capacity: object::LEAST as u64,
                max_message: 0,
                lock: 0,
                flags,
                extra: 0,
                trailer: 0,
            },
            explicit: false,
            exclusive: |_| false,
            is_sound: &|_| true,
            refuse: &|found| self.refuse(found, flags),
            guarded: false,
            prepare: &|shape, _| prepare(shape),
            discard: Self::discard(),
        })
    }

    /// Why a living queue is not the one that is asked for.
    fn refuse(&self, found: &Shape, flags: u32) -> Option<OpenErrorKind> {
        if found.flags & WHO != flags & WHO {
            let why = "another path has the same System V key; choose another id";
            return Some(OpenErrorKind::Refused(why));
        }
        let expected = self.capacity?;
        let capacity = queue_of(found).stat().ok()?.capacity;
        (capacity != expected).then_some(OpenErrorKind::Shape {
            what: "capacity",
            expected: expected as u64,
            found: capacity as u64,
        })
    }

    /// Makes the queue, or takes the one that another program made.
    fn make(&self, key: libc::key_t, shape: &mut Shape) -> Result<Queue, OpenError> {
        let queue = match Queue::create(key) {
            Ok(queue) => {
                crash::reach(Point::SysvMade);
                queue
            }
            Err(error) if is_taken(&error) => {
                let queue = Queue::find(key).map_err(|e| self.os(e))?;
                // Whoever made it died before there was a segment beside it. If we may not look, it is another's.
                if !queue.is_ours_and_new().unwrap_or(false) {
                    shape.flags |= FOREIGN;
                    return Ok(queue);
                }
                queue
            }
            Err(error) => return Err(self.unmade(error)),
        };
        self.sized(queue)
    }

    /// Makes the queue, which must be new.
    fn create(&self, key: libc::key_t) -> Result<Queue, OpenError> {
        let queue = Queue::create(key).map_err(|e| self.unmade(e))?;
        crash::reach(Point::SysvMade);
        self.sized(queue)
    }

    fn unmade(&self, error: io::Error) -> OpenError {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOSPC) => self.limited("kernel.msgmni", error),
            _ => self.os(error),
        }
    }

    /// A queue that nobody knows yet, with the capacity that is asked for.
    fn sized(&self, queue: Queue) -> Result<Queue, OpenError> {
        let Some(bytes) = self.capacity else {
            return Ok(queue);
        };
        if bytes == 0 {
            let _ = queue.remove();
            return Err(self.error(OpenErrorKind::Refused("a queue of 0 bytes holds nothing")));
        }
        if let Err(error) = queue.set_capacity(bytes) {
            // Nobody knows it yet.
            let _ = queue.remove();
            return Err(self.limited("kernel.msgmnb", error));
        }
        Ok(queue)
    }

    fn limited(&self, setting: &'static str, source: io::Error) -> OpenError {
        let mut error = match SystemLimit::read(setting) {
            Some(limit) => self.error(OpenErrorKind::Limit(limit)),
            None => self.error(OpenErrorKind::Os),
        };
        error.source = Some(source);
        error
    }

    fn named(&self, end: End) -> Result<Core, OpenError> {
        if self.path.is_empty() {
            return Err(self.error(OpenErrorKind::Unnamed));
        }
        path::check(&self.path).map_err(|why| self.error(OpenErrorKind::Refused(why)))?;
        loop {
            let opened = self.open_once(end);
            if opened.is_err() {
                // Nothing can be done about an error here, and the next to open uses the path as it is.
                let _ = queue_place::remove_unused(Path::new(&self.path), self.id);
            }
            if let Some(core) = opened? {
                return Ok(core);
            }
        }
    }

    /// `None` if the path was removed in between.
    fn open_once(&self, end: End) -> Result<Option<Core>, OpenError> {
        let file = self.file()?;
        crash::reach(Point::SysvFile);
        let meta = file.metadata().map_err(|e| self.os(e))?;
        let is_there = || {
            let found = fs::metadata(&self.path);
            found.is_ok_and(|m| (m.dev(), m.ino()) == (meta.dev(), meta.ino()))
        };
        let (key, who) = queue_place::key(&meta, self.id);
        let segment = {
            // Queue and segment are two objects: made by one opener at a time.
            let gate = file.try_clone().and_then(Gate::enter);
            let _gate = gate.map_err(|e| self.os(e))?;
            if !is_there() {
                return Ok(None);
            }
            self.with_plan(key.cast_signed(), who, |plan| {
                Segment::open(&file_name(0, key), end, plan)
            })?
        };
        // The last one out may have removed the path, and the next one's key is another.
        if !is_there() {
            return Ok(None);
        }
        self.core(segment, end, Some(file)).map(Some)
    }

    fn adopted(&self, handoff: Handoff, end: End) -> Result<Core, OpenError> {
        let wrong = || self.error(OpenErrorKind::Handoff);
        let Ok([fd]) = <[_; 1]>::try_from(handoff.fds) else {
            return Err(wrong());
        };
        if handoff.end != end {
            return Err(wrong());
        }
        let name = |shape: &Shape| Some(file_name(shape.flags, key_of(shape)));
        let segment = self.with_plan(0, 0, |plan| Segment::adopt(fd, name, plan))?;
        self.prove(&segment)?;
        let path = Path::new(&self.path);
        let file = queue_place::look_for(path, self.id, segment.shape());
        self.core(segment, end, file)
    }

    /// Refuses a segment that came from another process and does not prove whose it is.
    fn prove(&self, segment: &Segment) -> Result<(), OpenError> {
        let owner = segment.fd().and_then(|fd| Ok(fstat(fd)?.st_uid));
        let owner = owner.map_err(|e| self.os(e))?;
        let path = Path::new(&self.path);
        match queue_place::unproven(segment.shape(), owner, path, self.id) {
            Ok(None) => Ok(()),
            Ok(Some(what)) => Err(self.error(OpenErrorKind::Unproven(what))),
            Err(error) => Err(self.lost(error)),
        }
    }

    /// The error of a queue that may be gone.
    fn lost(&self, error: io::Error) -> OpenError {
        match disconnected(&error) {
            true => self.error(OpenErrorKind::Stale),
            false => self.os(error),
        }
    }

    fn core(&self, segment: Segment, end: End, file: Option<File>) -> Result<Core, OpenError> {
        let queue = queue_of(segment.shape());
        let shape = segment.shape();
        let key = (key_of(shape), shape.flags & WHO);
        let path = QueuePath::new(self.path.clone().into(), self.id, key, file);
        let capacity = queue.stat().map_err(|e| self.lost(e))?.capacity;
        let settings = Limits::new(0, capacity, 1).with_settings([
            Some("kernel.msgmax"),
            Some("kernel.msgmnb"),
            Some("kernel.msgmni"),
        ]);
        let [msgmax, msgmnb, _] = settings.settings;
        let longest = msgmax.map_or(8192, |limit| {
            usize::try_from(limit.value).unwrap_or(usize::MAX)
        });
        let limits = Limits {
            max_message: longest.min(capacity),
            system: if capacity < longest { msgmnb } else { msgmax },
            ..settings
        };
        // A program that uses the queue without laneway does not ring.
        let member = Member::new(segment, end, self.address(), self.wait).restless();
        Ok((member, queue, limits, path))
    }
}

/// What both ends have.
type Core = (Member, Queue, Limits, QueuePath);

/// Whether the error says that there is a queue with this key.
fn is_taken(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EEXIST)
}

/// Whether the error says that the queue was removed.
fn disconnected(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EIDRM | Errno::EINVAL))
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
                Err(error) if error.source.as_ref().is_some_and(is_taken) => continue,
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
        // Nobody makes it again meanwhile.
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&self.path)?;
        let gate = Gate::enter(file)?;
        let (key, who) = queue_place::key(&gate.object().metadata()?, self.id);
        let name = file_name(0, key);
        let shape = name::shape_of(&name)?;
        if shape.kind != KIND || shape.flags & WHO != who {
            // Another path has the same key.
            return Err(io::ErrorKind::NotFound.into());
        }
        Self::discard()(&shape);
        name::remove(&name)?;
        let path = Path::new(&self.path);
        queue_place::remove_this(&gate, path, self.id, |found| found == (key, who))
    }
}

/// The sending end of a [`Sysv`].
#[derive(Debug)]
pub struct SysvSender {
    member: Member,
    queue: Queue,
    limits: Limits,
    max_message: usize,
    mtype: i64,
    message: Message,
    scratch: Scratch,
    /// Below the member, so that it goes after the segment.
    _path: QueuePath,
}

impl SysvSender {
    fn new(channel: &Sysv, (member, queue, limits, path): Core) -> Self {
        Self {
            member,
            queue,
            limits,
            max_message: limits.max_message,
            // msgsnd takes no other.
            mtype: channel.mtype.max(1),
            message: Message::with_room(limits.max_message),
            scratch: Scratch::new(),
            _path: path,
        }
    }

    /// Sends messages of this type from now on; less than 1 counts as 1.
    #[doc(alias = "msgsnd")]
    pub fn set_mtype(&mut self, mtype: i64) {
        self.mtype = mtype.max(1);
    }
}

impl Endpoint for SysvSender {
    endpoint_by_member!(blocking);
    // The readiness stays `Blocking`: programs without laneway wake nobody.
    endpoint_by_member!(told);

    fn limits(&self) -> Limits {
        self.limits
    }

    fn depth(&self) -> io::Result<Depth> {
        let stat = self.queue.stat()?;
        Ok(Depth::exact(stat.messages, stat.bytes))
    }
}

impl Sender for SysvSender {
    reserve_in_scratch!();

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        let max = self.max_message;
        if message.len() > max {
            return Err(SendError::TooLarge { max });
        }
        self.message.set_len(message.len());
        self.message.text_mut().copy_from_slice(message);
        let (queue, mtype) = (self.queue, self.mtype);
        let text = &mut self.message;
        let sent = self.member.wait(deadline, |seat, look| {
            if seat.is_alone(look) {
                return Some(Err(SendError::Disconnected));
            }
            match queue.send(text, mtype, Block::No) {
                Ok(()) => Some(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(error) if disconnected(&error) => Some(Err(SendError::Disconnected)),
                Err(error) => Some(Err(SendError::Io(error))),
            }
        });
        sent.unwrap_or(Err(SendError::Full))?;
        crash::reach(Point::SysvSent);
        let segment = self.member.segment();
        let (tally, items) = (segment.header().tally(End::Sender), segment.items());
        tally.add_among_others(1, message.len());
        items.notify();
        Ok(())
    }
}
