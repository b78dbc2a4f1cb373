//! A segment: made, found, joined, handed on, left.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    ptr::NonNull,
    sync::Arc,
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, FcntlArg, OFlag, SealFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        stat::fstat,
    },
    unistd::linkat,
};

use crate::{
    End, OpenError, OpenErrorKind,
    crash::{self, Point, Step},
    presence::{self, Gate},
    ring::Data,
    shm::{
        layout::{DATA, Header, Shape, bit},
        name::{DIRECTORY, find, is_at, open_to_write, path, remove},
        object::{
            LEAST, Mapping, agree, build, map, open_by_name, read_seen, read_shape, read_tail,
            total,
        },
        plan::{Discard, Plan},
        proof,
    },
    sync::{AtomicU64, Ordering},
    sys::{membarrier, report::Object, sigbus},
    trace::{self, Recovery},
};

/// One endpoint's hold on a segment. Dropping it leaves; the last one out removes the name.
pub(crate) struct Segment {
    /// Holds the place among the open ends. Gone only while leaving.
    fd: Object,
    pub(super) base: NonNull<u8>,
    pub(super) mapping: Arc<Mapped>,
    /// A copy, so that nobody can change it under us.
    shape: Shape,
    /// The shape's capacity: a power of two, [`LEAST`] at least.
    capacity: usize,
    /// How many words there are behind the data.
    words: usize,
    /// Its device and inode, since the name may come to name another.
    object: (u64, u64),
    /// Whether the side across had come and gone before this end opened.
    met_before: bool,
    /// The producers' cursor as it was before anybody could see that this end is there.
    pub(crate) tail_before: u64,
    name: Option<String>,
    discard: Discard,
    place: trace::Place,
}

// SAFETY: by M1 and M2; the base is that of the mapping, which may be sent.
unsafe impl Send for Segment {}

/// A mapping that stays as long as somebody may ring in it.
pub(super) struct Mapped {
    base: NonNull<u8>,
    /// Before the mapping, so that it ends first.
    guard: Option<sigbus::Guard>,
    _mapping: Mapping,
}

// SAFETY: by M1 and M2; the mapping belongs to the process, not to a thread, and `Shmem` lacks
// `Send` only for its raw pointer.
unsafe impl Send for Mapped {}
// SAFETY: by M2; what a shared borrow reaches are atomics.
unsafe impl Sync for Mapped {}

impl Mapped {
    #[inline]
    pub(super) fn header(&self) -> &Header {
        // SAFETY: by M1, M2 and M3.
        unsafe { self.base.cast().as_ref() }
    }
}

impl Segment {
    /// Makes a segment without a name, and opens both ends.
    pub(crate) fn pair(plan: &Plan<'_>) -> Result<(Self, Self), OpenError> {
        let _opening = trace::opening(plan.address);
        let fd = memfd_create(
            "laneway",
            MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING,
        )
        .map_err(|e| plan.os(e))?;
        let file = File::from(fd);
        let shape = build(&file, plan)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).map_err(|e| plan.os(e))?;
        // Presence belongs to an open file description, so each end has its own. That of `memfd_create` is not reported on.
        let open = || presence::reopen(&file, OFlag::O_RDWR).map_err(|e| plan.os(e));
        let sender = Self::join(open()?, End::Sender, shape, None, plan)?;
        let receiver = Self::join(open()?, End::Receiver, shape, None, plan)?;
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
        let _opening = trace::opening(plan.address);
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
        crash::reach(Point::SegmentJoined);
        let own = format!("/proc/self/fd/{}", file.as_raw_fd());
        let linked = linkat(
            AT_FDCWD,
            own.as_str(),
            AT_FDCWD,
            &path(name),
            AtFlags::AT_SYMLINK_FOLLOW,
        );
        match linked {
            Ok(()) => crash::reach(Point::SegmentLinked),
            Err(error) => {
                (plan.discard)(&shape);
                return match error {
                    Errno::EEXIST => Ok(None),
                    error => Err(plan.os(error)),
                };
            }
        }
        match Self::join(file.into(), end, shape, Some(name), plan) {
            Ok(mut segment) => {
                // We have been there since before it had a name, and whoever saw us may have sent since.
                segment.tail_before = 0;
                Ok(Some(segment))
            }
            Err(error) => {
                // Best effort: what stays is stale, and healed by the next to open.
                let _ = abandon(name, &shape, plan);
                Err(error)
            }
        }
    }

    /// `None` if it went away, or was stale and has been removed.
    fn join_found(
        file: File,
        name: &str,
        end: End,
        plan: &Plan<'_>,
    ) -> Result<Option<Self>, OpenError> {
        let gate = file.try_clone().and_then(Gate::enter);
        let gate = gate.map_err(|e| OpenError::gate(plan.address.clone(), e))?;
        crash::reach(Point::SegmentGate);
        if !is_at(&file, name) {
            return Ok(None);
        }
        let shape = read_shape(&file, plan)?;
        let stale = !presence::has_any(&file).map_err(|e| plan.os(e))?;
        if stale && !crash::is_left_out(Step::HealStale) {
            if shape.kind == plan.shape.kind {
                (plan.discard)(&shape);
                crash::reach(Point::SegmentDiscarded);
            }
            remove(name).map_err(|e| plan.os(e))?;
            crash::reach(Point::SegmentHealed);
            trace::recovered(plan.address, Recovery::Segment);
            return Ok(None);
        }
        agree("kind", plan.shape.kind.into(), shape.kind.into(), plan)?;
        agree("lock", plan.shape.lock.into(), shape.lock.into(), plan)?;
        if !(plan.is_sound)(&shape) {
            return Err(plan.error(OpenErrorKind::Corrupt));
        }
        if let Some(kind) = (plan.refuse)(&shape) {
            return Err(plan.error(kind));
        }
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
        // Nobody opens while the gate is ours: this is who had been there.
        let seen = read_seen(&file).map_err(|e| plan.os(e))?;
        let other = end.across();
        let gone = !presence::has(&file, other).map_err(|e| plan.os(e))?;
        let mut segment = Self::join(file.into(), end, shape, Some(name), plan)?;
        segment.met_before = seen & bit(other) != 0 && gone;
        drop(gate);
        Ok(Some(segment))
    }

    /// Opens the end that another process handed over. Its file name follows from its constants.
    pub(crate) fn adopt(
        fd: OwnedFd,
        name: impl FnOnce(&Shape) -> Option<String>,
        plan: &Plan<'_>,
    ) -> Result<Self, OpenError> {
        let _opening = trace::opening(plan.address);
        let file = File::from(fd);
        let shape = read_shape(&file, plan)?;
        if shape.kind != plan.shape.kind {
            return Err(plan.error(OpenErrorKind::Handoff));
        }
        if !(plan.is_sound)(&shape) {
            return Err(plan.error(OpenErrorKind::Corrupt));
        }
        let name = name(&shape);
        proof::check(&file, &shape, name.as_deref(), plan)?;
        let mapping = map(&file, &shape, plan)?;
        let segment = Self::with(file.into(), mapping, shape, name.as_deref(), plan)?;
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
        let file = File::from(fd);
        let tail_before = read_tail(&file).map_err(|e| plan.os(e))?;
        presence::join(&file, end).map_err(|e| plan.os(e))?;
        let mapping = match name {
            // The gate is ours, or nobody but us knows the name: it is still the same object.
            Some(name) => open_by_name(name, &shape, plan)?,
            None => map(&file, &shape, plan)?,
        };
        let mut segment = Self::with(file.into(), mapping, shape, name, plan)?;
        segment.tail_before = tail_before;
        crash::reach(Point::SegmentMapped);
        let identity = &segment.header().identity;
        if !membarrier::register() {
            // ORDERING: Relaxed; `announce` follows, and its wake-up carries it.
            identity.fences.store(1, Ordering::Relaxed);
        }
        // ORDERING: Relaxed; `announce` follows, and its wake-up carries it.
        identity.seen.fetch_or(bit(end), Ordering::Relaxed);
        segment.announce();
        crash::reach(Point::SegmentAnnounced);
        Ok(segment)
    }

    fn with(
        fd: OwnedFd,
        mapping: Mapping,
        shape: Shape,
        name: Option<&str>,
        plan: &Plan<'_>,
    ) -> Result<Self, OpenError> {
        let base = mapping
            .start()
            .ok_or_else(|| plan.error(OpenErrorKind::Os))?;
        // Where there is no room, the one that it has will do.
        let fd = presence::aside(&fd).unwrap_or(fd);
        let stat = fstat(&fd).map_err(|e| plan.os(e))?;
        let capacity = usize::try_from(shape.capacity).ok();
        let sound = |capacity: &usize| capacity.is_power_of_two() && *capacity >= LEAST;
        let capacity = capacity
            .filter(sound)
            .ok_or_else(|| plan.error(OpenErrorKind::Corrupt))?;
        let words = shape.trailer.saturating_sub(shape.lines());
        let guard = match plan.guarded {
            true => {
                let len = usize::try_from(total(&shape)).unwrap_or(usize::MAX);
                Some(sigbus::guard(base, len).map_err(|e| plan.os(e))?)
            }
            false => None,
        };
        Ok(Self {
            fd: Some(Arc::new(fd)),
            base,
            mapping: Arc::new(Mapped {
                base,
                guard,
                _mapping: mapping,
            }),
            shape,
            capacity,
            words: usize::try_from(words / 8).unwrap_or(0),
            object: (stat.st_dev, stat.st_ino),
            met_before: false,
            tail_before: 0,
            name: name.map(str::to_owned),
            discard: Arc::clone(&plan.discard),
            place: trace::Place::new(plan.address),
        })
    }

    /// Its header.
    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: by M1, M2 and M3.
        unsafe { self.base.cast().as_ref() }
    }

    /// Whether it is survived that a peer makes the object shorter.
    pub(crate) fn is_guarded(&self) -> bool {
        self.mapping.guard.is_some()
    }

    /// Whether a peer has made the object shorter and this end has met that.
    pub(crate) fn is_lost(&self) -> bool {
        let guard = &self.mapping.guard;
        guard.as_ref().is_some_and(sigbus::Guard::is_lost)
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

    /// The words behind the data, without the lines of counters.
    #[inline]
    pub(crate) fn trailer(&self) -> &[AtomicU64] {
        let start = self.capacity + DATA;
        // SAFETY: by M1; `read_shape` and `build` saw that the segment is that long.
        let start = unsafe { self.base.add(start) };
        // SAFETY: by M1 and M3; the capacity keeps the alignment. Atomics by M2.
        unsafe { std::slice::from_raw_parts(start.as_ptr().cast(), self.words) }
    }

    /// The descriptor that holds the place among the open ends.
    pub(crate) fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        let fd = self.fd.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        Ok(fd.as_fd())
    }

    /// What may ring in it, also after this end is gone.
    pub(super) fn mapped(&self) -> &Arc<Mapped> {
        &self.mapping
    }

    /// The same, also for those who watch it.
    pub(crate) fn object(&self) -> &Object {
        &self.fd
    }

    /// Another descriptor that holds a place of its own, for another process.
    pub(crate) fn another(&self, end: End) -> io::Result<OwnedFd> {
        let fd = presence::reopen(self.fd()?, OFlag::O_RDWR)?;
        presence::join(&fd, end)?;
        Ok(fd)
    }

    /// Whether an end of this kind is, or was, there since this end opened.
    pub(crate) fn has_met(&self, other: End) -> io::Result<bool> {
        if !self.met_before && self.has_seen(other) {
            return Ok(true);
        }
        presence::has(self.fd()?, other)
    }

    /// Whether an end of this kind has ever opened.
    pub(crate) fn has_seen(&self, end: End) -> bool {
        // ORDERING: Relaxed; only whether it is set matters, and it is never cleared.
        self.header().identity.seen.load(Ordering::Relaxed) & bit(end) != 0
    }

    /// How many openings and closings there were.
    #[inline]
    pub(crate) fn changes(&self) -> u32 {
        // ORDERING: Acquire; pairs with the Release in `announce`.
        self.header().identity.changes.load(Ordering::Acquire)
    }
}

/// Removes a new segment that could not be opened after all, unless somebody else has joined it.
fn abandon(name: &str, shape: &Shape, plan: &Plan<'_>) -> io::Result<()> {
    // Whoever has found it is about to join it, or to heal it.
    let gate = Gate::enter(open_to_write(name)?)?;
    if is_at(gate.object(), name) && !presence::has_any(gate.object())? {
        (plan.discard)(shape);
        remove(name)?;
    }
    Ok(())
}

impl Drop for Segment {
    fn drop(&mut self) {
        let _closing = self.place.closing();
        // First out, then the news: who is woken must not find us.
        if let Some(fd) = &self.fd {
            presence::leave(fd);
            crash::reach(Point::SegmentLeft);
        }
        self.announce();
        self.fd = None;
        crash::reach(Point::SegmentGone);
        let Some(name) = &self.name else {
            return;
        };
        // Nothing can be done about an error here, and the next to open heals what is left.
        let last = || -> io::Result<()> {
            let gate = Gate::enter(open_to_write(name)?)?;
            crash::reach(Point::SegmentLastGate);
            let file = gate.object();
            let meta = file.metadata()?;
            let ours = (meta.dev(), meta.ino()) == self.object && is_at(file, name);
            if ours && !presence::has_any(file)? {
                (self.discard)(&self.shape);
                crash::reach(Point::SegmentLastDiscarded);
                remove(name)?;
                crash::reach(Point::SegmentRemoved);
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
