//! A segment: made, found, joined, handed on, left.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::PathBuf,
    ptr::NonNull,
    sync::Arc,
};

use memmap2::{MmapOptions, MmapRaw};
use nix::{
    errno::Errno,
    fcntl::{AtFlags, FallocateFlags, FcntlArg, OFlag, SealFlag, fallocate, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
    unistd::{Uid, linkat},
};
use shared_memory::{Shmem, ShmemConf};

use crate::{
    Address, End, OpenError, OpenErrorKind, presence,
    presence::Gate,
    ring::Data,
    shm::layout::{DATA, Header, LAYOUT, MAGIC, RECEIVER_SEEN, SENDER_SEEN, Shape},
    sync::{AtomicU64, Ordering},
    sys::membarrier,
};

/// Where the system keeps named segments.
const DIRECTORY: &str = "/dev/shm";
/// The least capacity, also of a segment that carries no data.
pub(crate) const LEAST: usize = 1 << 10;
/// What their file names start with.
pub(crate) const PREFIX: &str = "laneway.";

/// Undoes what a transport made outside of a segment, when that turns out stale, was not needed, or has lost its last end.
pub(crate) type Discard = Arc<dyn Fn(&Shape) + Send + Sync>;

/// What a transport wants of its segment.
pub(crate) struct Plan<'a> {
    /// For errors.
    pub(crate) address: &'a Address,
    /// The shape of a new one; an existing one must agree where `explicit` says so.
    pub(crate) shape: Shape,
    /// Whether the user named the capacity and the longest message, or took what is there.
    pub(crate) explicit: bool,
    /// Which ends take one handle only.
    pub(crate) exclusive: fn(End) -> bool,
    /// Completes a new segment before anybody can see it.
    pub(crate) prepare: &'a dyn Fn(&mut Shape, &Header) -> Result<(), OpenError>,
    /// Undoes what `prepare` made outside the segment.
    pub(crate) discard: Discard,
}

impl Plan<'_> {
    fn error(&self, kind: OpenErrorKind) -> OpenError {
        OpenError::new(self.address.clone(), kind)
    }

    fn os(&self, error: impl Into<io::Error>) -> OpenError {
        OpenError::os(self.address.clone(), error.into())
    }
}

enum Mapping {
    Anonymous(MmapRaw),
    Named(Shmem),
}

/// One endpoint's hold on a segment. Dropping it leaves; the last one out removes the name.
pub(crate) struct Segment {
    /// Holds the place among the open ends. Gone only while leaving.
    fd: Option<OwnedFd>,
    base: NonNull<u8>,
    /// A copy, so that nobody can change it under us.
    shape: Shape,
    /// The shape's capacity: a power of two, [`LEAST`] at least.
    capacity: usize,
    name: Option<String>,
    discard: Discard,
    _mapping: Mapping,
}

// SAFETY: by M1 and M2; the mapping belongs to the process, not to a thread, and `Shmem` lacks
// `Send` only for its raw pointer.
unsafe impl Send for Segment {}

/// The file name of a segment.
pub(crate) fn file_name(kind: &str, name: &OsStr) -> Result<String, &'static str> {
    let name = name.to_str().ok_or("the name must be UTF-8")?;
    if name.contains(['/', '\0']) {
        return Err("the name must not hold a slash or a NUL byte");
    }
    let file = format!("{PREFIX}{kind}{name}");
    if file.len() > 255 {
        return Err("the name is too long; 240 bytes are the most");
    }
    Ok(file)
}

/// How long a segment of this shape is.
fn total(shape: &Shape) -> u64 {
    let data = shape.capacity.saturating_add(shape.trailer);
    data.saturating_add(DATA as u64)
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(DIRECTORY).join(name)
}

impl Segment {
    /// Makes a segment without a name, and opens both ends.
    pub(crate) fn pair(plan: &Plan<'_>) -> Result<(Self, Self), OpenError> {
        let fd = memfd_create(
            "laneway",
            MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING,
        )
        .map_err(|e| plan.os(e))?;
        let file = File::from(fd);
        let shape = build(&file, plan)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).map_err(|e| plan.os(e))?;
        // Presence belongs to an open file description, so each end has its own.
        let again = presence::reopen(&file, OFlag::O_RDWR).map_err(|e| plan.os(e))?;
        let sender = Self::join(file.into(), End::Sender, shape, None, plan)?;
        let receiver = Self::join(again, End::Receiver, shape, None, plan)?;
        Ok((sender, receiver))
    }

    /// Makes a segment under this file name, and opens both ends; `None` if the name is taken.
    pub(crate) fn pair_as(name: &str, plan: &Plan<'_>) -> Result<Option<(Self, Self)>, OpenError> {
        match Self::create(name, End::Sender, plan)? {
            Some(sender) => Ok(Some((sender, Self::open(name, End::Receiver, plan)?))),
            None => Ok(None),
        }
    }

    /// Opens one end of the segment with this file name: joins the living one, else makes a new one.
    pub(crate) fn open(name: &str, end: End, plan: &Plan<'_>) -> Result<Self, OpenError> {
        loop {
            let found = match find(name, plan)? {
                Some(file) => Self::join_found(file, name, end, plan)?,
                None => Self::create(name, end, plan)?,
            };
            if let Some(segment) = found {
                return Ok(segment);
            }
        }
    }

    /// `None` if another was faster.
    fn create(name: &str, end: End, plan: &Plan<'_>) -> Result<Option<Self>, OpenError> {
        // Without a name until it is complete: whoever dies here leaves nothing.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_TMPFILE.bits())
            .mode(0o600)
            .open(DIRECTORY)
            .map_err(|e| plan.os(e))?;
        let shape = build(&file, plan)?;
        // Joined before it can be found, so nobody takes it for stale.
        presence::join(&file, end).map_err(|e| plan.os(e))?;
        let own = format!("/proc/self/fd/{}", file.as_raw_fd());
        let linked = linkat(
            nix::fcntl::AT_FDCWD,
            own.as_str(),
            nix::fcntl::AT_FDCWD,
            &path(name),
            AtFlags::AT_SYMLINK_FOLLOW,
        );
        match linked {
            Ok(()) => {}
            Err(error) => {
                (plan.discard)(&shape);
                return match error {
                    Errno::EEXIST => Ok(None),
                    error => Err(plan.os(error)),
                };
            }
        }
        Self::join(file.into(), end, shape, Some(name), plan).map(Some)
    }

    /// `None` if it went away, or was stale and has been removed.
    fn join_found(
        file: File,
        name: &str,
        end: End,
        plan: &Plan<'_>,
    ) -> Result<Option<Self>, OpenError> {
        let gate = Gate::enter(&file).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => plan.error(OpenErrorKind::Busy),
            _ => plan.os(error),
        })?;
        if !is_at(&file, name) {
            return Ok(None);
        }
        let shape = read_shape(&file, plan)?;
        if !presence::has_any(&file).map_err(|e| plan.os(e))? {
            (plan.discard)(&shape);
            remove(name).map_err(|e| plan.os(e))?;
            return Ok(None);
        }
        agree("kind", plan.shape.kind.into(), shape.kind.into(), plan)?;
        agree("lock", plan.shape.lock.into(), shape.lock.into(), plan)?;
        if plan.explicit {
            agree("capacity", plan.shape.capacity, shape.capacity, plan)?;
            agree(
                "max_message",
                plan.shape.max_message,
                shape.max_message,
                plan,
            )?;
        }
        if (plan.exclusive)(end) && presence::has(&file, end).map_err(|e| plan.os(e))? {
            return Err(plan.error(OpenErrorKind::Busy));
        }
        let segment = Self::join(file.into(), end, shape, Some(name), plan)?;
        drop(gate);
        Ok(Some(segment))
    }

    /// Opens the end that another process handed over. Its file name follows from its constants.
    pub(crate) fn adopt(
        fd: OwnedFd,
        name: impl FnOnce(&Shape) -> Option<String>,
        plan: &Plan<'_>,
    ) -> Result<Self, OpenError> {
        let file = File::from(fd);
        let shape = read_shape(&file, plan)?;
        if shape.kind != plan.shape.kind {
            return Err(plan.error(OpenErrorKind::Handoff));
        }
        let mapping = map(&file, &shape, plan)?;
        let segment = Self::with(file.into(), mapping, shape, name(&shape).as_deref(), plan)?;
        if !membarrier::register() {
            // ORDERING: Relaxed; nothing was sent through this end yet.
            segment.header().identity.fences.store(1, Ordering::Relaxed);
        }
        Ok(segment)
    }

    fn join(
        fd: OwnedFd,
        end: End,
        shape: Shape,
        name: Option<&str>,
        plan: &Plan<'_>,
    ) -> Result<Self, OpenError> {
        presence::join(&fd, end).map_err(|e| plan.os(e))?;
        let file = File::from(fd);
        let mapping = match name {
            // The gate is ours, or nobody but us knows the name: it is still the same object.
            Some(name) => open_by_name(name, &shape, plan)?,
            None => map(&file, &shape, plan)?,
        };
        let segment = Self::with(file.into(), mapping, shape, name, plan)?;
        let identity = &segment.header().identity;
        let bit = match end {
            End::Sender => SENDER_SEEN,
            End::Receiver => RECEIVER_SEEN,
        };
        if !membarrier::register() {
            // ORDERING: Relaxed; `announce` follows, and its wake-up carries it.
            identity.fences.store(1, Ordering::Relaxed);
        }
        // ORDERING: Relaxed; `announce` follows, and its wake-up carries it.
        identity.seen.fetch_or(bit, Ordering::Relaxed);
        segment.announce();
        Ok(segment)
    }

    fn with(
        fd: OwnedFd,
        mapping: Mapping,
        shape: Shape,
        name: Option<&str>,
        plan: &Plan<'_>,
    ) -> Result<Self, OpenError> {
        let base = match &mapping {
            Mapping::Anonymous(map) => map.as_mut_ptr(),
            Mapping::Named(map) => map.as_ptr(),
        };
        let base = NonNull::new(base).ok_or_else(|| plan.error(OpenErrorKind::Os))?;
        let capacity = usize::try_from(shape.capacity).ok();
        let sound = |capacity: &usize| capacity.is_power_of_two() && *capacity >= LEAST;
        let capacity = capacity
            .filter(sound)
            .ok_or_else(|| plan.error(OpenErrorKind::Corrupt))?;
        Ok(Self {
            fd: Some(fd),
            base,
            shape,
            capacity,
            name: name.map(str::to_owned),
            discard: Arc::clone(&plan.discard),
            _mapping: mapping,
        })
    }

    /// Its header.
    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: by M1, M2 and M3.
        unsafe { self.base.cast().as_ref() }
    }

    /// Its constants, as they were when it was opened.
    #[inline]
    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The longest message.
    pub(crate) fn max_message(&self) -> usize {
        usize::try_from(self.shape.max_message).unwrap_or(0)
    }

    /// The bytes behind the header.
    #[inline]
    pub(crate) fn data(&self) -> Data<'_> {
        // SAFETY: by M1; `read_shape` and `build` saw that the segment is that long.
        let start = unsafe { self.base.add(DATA) };
        // SAFETY: by M1, the borrow of `self` keeps the mapping, and `with` saw that the capacity is sound.
        unsafe { Data::new(start, self.capacity) }
    }

    /// The words behind the data.
    #[inline]
    pub(crate) fn trailer(&self) -> &[AtomicU64] {
        let start = self.capacity + DATA;
        let words = usize::try_from(self.shape.trailer / 8).unwrap_or(0);
        // SAFETY: by M1; `read_shape` and `build` saw that the segment is that long.
        let start = unsafe { self.base.add(start) };
        // SAFETY: by M1 and M3; the capacity keeps the alignment. Atomics by M2.
        unsafe { std::slice::from_raw_parts(start.as_ptr().cast(), words) }
    }

    /// The descriptor that holds the place among the open ends.
    pub(crate) fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        let fd = self.fd.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        Ok(fd.as_fd())
    }

    /// Another descriptor that holds a place of its own, for another process.
    pub(crate) fn another(&self, end: End) -> io::Result<OwnedFd> {
        let fd = presence::reopen(self.fd()?, OFlag::O_RDWR)?;
        presence::join(&fd, end)?;
        Ok(fd)
    }

    /// Whether an end of this kind has ever opened.
    pub(crate) fn has_seen(&self, end: End) -> bool {
        let bit = match end {
            End::Sender => SENDER_SEEN,
            End::Receiver => RECEIVER_SEEN,
        };
        // ORDERING: Relaxed; only whether it is set matters, and it is never cleared.
        self.header().identity.seen.load(Ordering::Relaxed) & bit != 0
    }

    /// Counts an opening or closing, and wakes everybody to look who is there.
    pub(crate) fn announce(&self) {
        let header = self.header();
        // ORDERING: Release; pairs with the Acquire in `changes`.
        header.identity.changes.fetch_add(1, Ordering::Release);
        header.producer.moved.wake();
        header.consumer.moved.wake();
    }

    /// How many openings and closings there were.
    #[inline]
    pub(crate) fn changes(&self) -> u32 {
        // ORDERING: Acquire; pairs with the Release in `announce`.
        self.header().identity.changes.load(Ordering::Acquire)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // First out, then the news: who is woken must not find us.
        if let Some(fd) = self.fd.take() {
            presence::leave(&fd);
        }
        self.announce();
        let Some(name) = &self.name else {
            return;
        };
        // Nothing can be done about an error here, and the next to open heals what is left.
        let last = || -> io::Result<()> {
            let file = OpenOptions::new().read(true).write(true).open(path(name))?;
            let _gate = Gate::enter(&file)?;
            let ours = is_at(&file, name) && file.metadata()?.len() >= DATA as u64;
            if ours && !presence::has_any(&file)? {
                (self.discard)(&self.shape);
                remove(name)?;
            }
            Ok(())
        };
        let _ = last();
    }
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name.as_deref().unwrap_or("anonymous");
        f.debug_tuple("Segment").field(&name).finish()
    }
}

/// Whether there is an object with this name.
pub(crate) fn exists(name: &str) -> bool {
    std::fs::symlink_metadata(path(name)).is_ok()
}

/// Removes a name, whoever uses it.
pub(crate) fn remove(name: &str) -> io::Result<()> {
    std::fs::remove_file(path(name))
}

/// Reads the constants of the segment with this name, if there is one of ours.
pub(crate) fn shape_of(name: &str) -> io::Result<Shape> {
    let file = File::open(path(name))?;
    let shape = raw_shape(&file)?;
    if shape.magic != MAGIC {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(shape)
}

/// Removes the segments whose file names start with `prefix` and that nobody has open.
pub(crate) fn sweep(prefix: &str, discard: &Discard) -> io::Result<()> {
    for entry in std::fs::read_dir(DIRECTORY)? {
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        if !name.starts_with(prefix) {
            continue;
        }
        // What cannot be opened is somebody else's, or gone.
        let Ok(file) = OpenOptions::new().read(true).write(true).open(path(&name)) else {
            continue;
        };
        let _gate = Gate::enter(&file)?;
        if is_at(&file, &name) && !presence::has_any(&file)? {
            if let Ok(shape) = raw_shape(&file)
                && shape.magic == MAGIC
            {
                discard(&shape);
            }
            remove(&name)?;
        }
    }
    Ok(())
}

fn find(name: &str, plan: &Plan<'_>) -> Result<Option<File>, OpenError> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path(name));
    let refused = |why| plan.error(OpenErrorKind::Refused(why));
    let file = match opened {
        Ok(file) => file,
        Err(error) => {
            return match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOENT) => Ok(None),
                Some(Errno::ELOOP) => Err(refused("the name is a symbolic link")),
                Some(Errno::EISDIR) => Err(refused("the name is a directory")),
                Some(Errno::ENXIO) => Err(refused("the name is not a segment")),
                _ => Err(plan.os(error)),
            };
        }
    };
    let meta = file.metadata().map_err(|e| plan.os(e))?;
    if !meta.is_file() {
        return Err(refused("the name is not a segment"));
    }
    if meta.uid() != Uid::effective().as_raw() {
        return Err(refused("the name belongs to another user"));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(refused("other users may write the object"));
    }
    Ok(Some(file))
}

/// Whether `name` still names `file`.
fn is_at(file: &File, name: &str) -> bool {
    let same = |file: &File| {
        let there = std::fs::symlink_metadata(path(name)).ok()?;
        let here = file.metadata().ok()?;
        Some((there.dev(), there.ino()) == (here.dev(), here.ino()))
    };
    same(file).unwrap_or(false)
}

fn agree(what: &'static str, expected: u64, found: u64, plan: &Plan<'_>) -> Result<(), OpenError> {
    if expected == found {
        return Ok(());
    }
    Err(plan.error(OpenErrorKind::Shape {
        what,
        expected,
        found,
    }))
}

fn raw_shape(file: &File) -> io::Result<Shape> {
    use std::os::unix::fs::FileExt;

    let mut words = [0_u64; size_of::<Shape>() / 8];
    file.read_exact_at(bytemuck::cast_slice_mut(&mut words), 0)?;
    let [
        magic,
        kind_layout,
        capacity,
        max_message,
        flags_lock,
        extra,
        trailer,
    ] = words;
    let low = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or_default();
    Ok(Shape {
        magic,
        layout: low(kind_layout),
        kind: low(kind_layout >> 32),
        capacity,
        max_message,
        lock: low(flags_lock),
        flags: low(flags_lock >> 32),
        extra: extra.cast_signed(),
        trailer,
    })
}

/// Reads and checks the constants. They are read from the file, not from memory that another may write.
fn read_shape(file: &File, plan: &Plan<'_>) -> Result<Shape, OpenError> {
    let foreign = || plan.error(OpenErrorKind::Refused("another program made the object"));
    let len = file.metadata().map_err(|e| plan.os(e))?.len();
    if len < DATA as u64 {
        return Err(foreign());
    }
    let shape = raw_shape(file).map_err(|e| plan.os(e))?;
    if shape.magic != MAGIC {
        return Err(foreign());
    }
    agree("layout", LAYOUT.into(), shape.layout.into(), plan)?;
    let sound = shape.capacity.is_power_of_two() && shape.capacity >= LEAST as u64;
    let fits = shape.capacity <= len && total(&shape) == len && shape.trailer % 8 == 0;
    let reachable = shape.max_message <= shape.capacity;
    if !(sound && fits && reachable) {
        return Err(foreign());
    }
    Ok(shape)
}

/// Reserves the space and writes the header of a segment that nobody else can reach.
fn build(file: &File, plan: &Plan<'_>) -> Result<Shape, OpenError> {
    let len = total(&plan.shape);
    let no_space = || OpenErrorKind::NoSpace { needed: len };
    let reserve = i64::try_from(len).map_err(|_| plan.error(no_space()))?;
    // Reserved now, so that a full /dev/shm is an error here and not a SIGBUS later.
    loop {
        match fallocate(file, FallocateFlags::empty(), 0, reserve) {
            Ok(()) => break,
            Err(Errno::EINTR) => {}
            Err(error @ (Errno::ENOSPC | Errno::ENOMEM | Errno::EFBIG)) => {
                let mut failed = plan.error(no_space());
                failed.source = Some(error.into());
                return Err(failed);
            }
            Err(error) => return Err(plan.os(error)),
        }
    }
    let map = MmapOptions::new()
        .len(DATA)
        .map_raw(file)
        .map_err(|e| plan.os(e))?;
    let start: *mut Header = map.as_mut_ptr().cast();
    // SAFETY: by M3 and M4; all zeroes are a valid header.
    let header = unsafe { &*start };
    let mut shape = plan.shape;
    (plan.prepare)(&mut shape, header)?;
    // SAFETY: by M3.
    let place = unsafe { &raw mut (*start).identity.shape };
    // SAFETY: by M4, and `header` is not used again.
    unsafe { place.write(shape) };
    Ok(shape)
}

fn map(file: &File, shape: &Shape, plan: &Plan<'_>) -> Result<Mapping, OpenError> {
    let map = MmapOptions::new()
        .len(usize::try_from(total(shape)).unwrap_or(usize::MAX))
        .map_raw(file)
        .map_err(|e| plan.os(e))?;
    Ok(Mapping::Anonymous(map))
}

fn open_by_name(name: &str, shape: &Shape, plan: &Plan<'_>) -> Result<Mapping, OpenError> {
    let map = ShmemConf::new()
        .os_id(format!("/{name}"))
        .open()
        .map_err(|e| plan.os(io::Error::other(e)))?;
    // shared_memory ignores a size that one asks for: look at what it found.
    if map.len() as u64 != total(shape) {
        return Err(plan.error(OpenErrorKind::Refused("the object changed its size")));
    }
    Ok(Mapping::Named(map))
}
