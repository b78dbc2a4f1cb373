//! The object behind a segment: its constants, its birth, its mapping.

use std::{fs::File, io, mem::offset_of, os::unix::fs::FileExt, ptr::NonNull};

use memmap2::{MmapOptions, MmapRaw};
use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, fallocate},
    sys::resource::{Resource, getrlimit},
};
use shared_memory::{Shmem, ShmemConf, ShmemError};

use crate::{
    OpenError, OpenErrorKind,
    crash::{self, Point},
    shm::{
        layout::{DATA, Header, LAYOUT, MAGIC, Shape},
        plan::Plan,
    },
};

/// The least capacity, also of a segment that carries no data.
pub(crate) const LEAST: usize = 1 << 10;
/// A mapping, by whichever crate made it.
pub(crate) enum Mapping {
    Anonymous(MmapRaw),
    Named(Shmem),
}

impl Mapping {
    /// Where it starts.
    pub(crate) fn start(&self) -> Option<NonNull<u8>> {
        NonNull::new(match self {
            Self::Anonymous(map) => map.as_mut_ptr(),
            Self::Named(map) => map.as_ptr(),
        })
    }
}

/// How long a segment of this shape is.
pub(crate) fn total(shape: &Shape) -> u64 {
    let data = shape.capacity.saturating_add(shape.trailer);
    data.saturating_add(DATA as u64)
}

/// Refuses a live segment that differs from what is asked for.
pub(crate) fn agree(
    what: &'static str,
    expected: u64,
    found: u64,
    plan: &Plan<'_>,
) -> Result<(), OpenError> {
    if expected == found {
        return Ok(());
    }
    Err(plan.error(OpenErrorKind::Shape {
        what,
        expected,
        found,
    }))
}

/// Reads the constants as they are.
pub(crate) fn raw_shape(file: &File) -> io::Result<Shape> {
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
pub(crate) fn read_shape(file: &File, plan: &Plan<'_>) -> Result<Shape, OpenError> {
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
    if !is_sound(&shape, len) {
        return Err(foreign());
    }
    Ok(shape)
}

/// Whether a segment of this shape and length holds what its constants say.
pub(crate) fn is_sound(shape: &Shape, len: u64) -> bool {
    let sound = shape.capacity.is_power_of_two() && shape.capacity >= LEAST as u64;
    let fits = shape.capacity <= len && total(shape) == len && shape.trailer.is_multiple_of(8);
    sound && fits && shape.max_message <= shape.capacity
}

/// Reserves the space and writes the header of a segment that nobody else can reach.
pub(crate) fn build(file: &File, plan: &Plan<'_>) -> Result<Shape, OpenError> {
    let len = total(&plan.shape);
    let no_space = || OpenErrorKind::NoSpace { needed: len };
    let reserve = i64::try_from(plan.shape.before_lines()).map_err(|_| plan.error(no_space()))?;
    // The kernel ends a process that asks for a longer file than it may have.
    let (longest, _) = getrlimit(Resource::RLIMIT_FSIZE).map_err(|e| plan.os(e))?;
    if len > longest {
        let mut failed = plan.error(no_space());
        failed.source = Some(Errno::EFBIG.into());
        return Err(failed);
    }
    // Reserved now, so that a full /dev/shm is an error here and not a SIGBUS later. Each line of counters is reserved by its end.
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
    if plan.shape.lines() > 0 {
        file.set_len(len).map_err(|e| plan.os(e))?;
    }
    crash::reach(Point::SegmentReserved);
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
    crash::reach(Point::SegmentBuilt);
    Ok(shape)
}

/// Maps what a descriptor names.
pub(crate) fn map(file: &File, shape: &Shape, plan: &Plan<'_>) -> Result<Mapping, OpenError> {
    let len = total(shape);
    let map = MmapOptions::new()
        .len(usize::try_from(len).unwrap_or(usize::MAX))
        .map_raw(file)
        .map_err(|e| plan.mapping(len, e))?;
    Ok(Mapping::Anonymous(map))
}

/// Maps what has this name.
pub(crate) fn open_by_name(
    name: &str,
    shape: &Shape,
    plan: &Plan<'_>,
) -> Result<Mapping, OpenError> {
    let len = total(shape);
    let opened = ShmemConf::new().os_id(format!("/{name}")).open();
    let map = opened.map_err(|error| {
        plan.mapping(
            len,
            match error {
                // The system's own number, as shared_memory keeps it.
                ShmemError::MapOpenFailed(code) | ShmemError::UnknownOsError(code) => {
                    io::Error::from_raw_os_error(code.cast_signed())
                }
                error => io::Error::other(error),
            },
        )
    })?;
    // shared_memory ignores a size that one asks for: look at what it found.
    if map.len() as u64 != len {
        return Err(plan.error(OpenErrorKind::Refused("the object changed its size")));
    }
    Ok(Mapping::Named(map))
}

/// Reads which ends have ever opened a segment that is not mapped yet.
pub(crate) fn read_seen(file: &File) -> io::Result<u32> {
    let mut seen = [0; 4];
    file.read_exact_at(&mut seen, offset_of!(Header, identity.seen) as u64)?;
    Ok(u32::from_ne_bytes(seen))
}
