//! How a System V queue comes to be: found, made, proved, and removed again if that fails.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    process,
    sync::Arc,
};

use nix::{errno::Errno, sys::stat::fstat};

use crate::{
    Channel, End, Handoff, Limits, OpenError, OpenErrorKind, SystemLimit,
    crash::{self, Point},
    presence::Gate,
    shm::{
        layout::{LAYOUT, MAGIC, QUEUE as KIND, Shape},
        object,
        plan::{Discard, Plan},
        segment::Segment,
    },
    sys::msg::Queue,
    transport::family::{
        member::Member,
        path,
        queue_place::{
            self, ANONYMOUS, FOREIGN, OURS, QueuePath, WHO, file_name, key_of, pack, path_key,
            queue_of,
        },
    },
};

use super::Sysv;

impl Sysv {
    pub(super) fn error(&self, kind: OpenErrorKind) -> OpenError {
        OpenError::new(self.address(), kind)
    }

    pub(super) fn os(&self, error: io::Error) -> OpenError {
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
    pub(super) fn discard() -> Discard {
        Arc::new(queue_place::remove_queue)
    }

    /// Opens with what `open` makes of the plan.
    pub(super) fn with_plan<T>(
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

    pub(super) fn named(&self, end: End) -> Result<Core, OpenError> {
        if self.path.is_empty() {
            return Err(self.error(OpenErrorKind::Unnamed));
        }
        path::check(&self.path).map_err(|why| self.error(OpenErrorKind::Refused(why)))?;
        loop {
            let opened = self.open_once(end);
            if opened.is_err() {
                // Nothing can be done about an error here, and the next to open uses the path as it is.
                let _ = queue_place::remove_unused(Path::new(&self.path));
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
            let _gate = gate.map_err(|e| OpenError::gate(self.address(), e))?;
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

    pub(super) fn adopted(&self, handoff: Handoff, end: End) -> Result<Core, OpenError> {
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

    pub(super) fn core(
        &self,
        segment: Segment,
        end: End,
        file: Option<File>,
    ) -> Result<Core, OpenError> {
        let queue = queue_of(segment.shape());
        let key = path_key(segment.shape());
        let path = QueuePath::new(self.path.clone().into(), self.id, key, file);
        // Below the path, so that it goes first if there is an error.
        let segment = segment;
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
pub(super) type Core = (Member, Queue, Limits, QueuePath);

/// Whether the error says that there is a queue with this key.
pub(super) fn is_taken(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EEXIST)
}

/// Whether the error says that the queue was removed.
pub(super) fn disconnected(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EIDRM | Errno::EINVAL))
}
