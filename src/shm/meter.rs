//! Where an end counts.

use std::{any::Any, fmt, io, mem::offset_of, ptr::NonNull, sync::Arc};

use nix::fcntl::{FallocateFlags, fallocate};

use crate::{
    End, clock,
    shm::{
        layout::{LINES, Line},
        segment::Segment,
    },
    sync::Ordering,
    tally::{Tally, Waits},
};

/// The counters that an end writes, wherever they are.
pub(crate) struct Meter {
    tally: NonNull<Tally>,
    /// What keeps them mapped.
    _home: Arc<dyn Any + Send + Sync>,
}

// SAFETY: by M5; what the pointer reaches are atomics, in memory of the process.
unsafe impl Send for Meter {}

impl Meter {
    /// Those at `tally`.
    ///
    /// # Safety
    /// M5 must hold.
    pub(super) unsafe fn new(tally: NonNull<Tally>, home: Arc<dyn Any + Send + Sync>) -> Self {
        Self { tally, _home: home }
    }

    /// In memory that nobody else sees.
    pub(crate) fn private() -> Self {
        let home = Arc::new(Tally::default());
        let tally = NonNull::from(&*home);
        // SAFETY: by M5; what an `Arc` holds does not move.
        unsafe { Self::new(tally, home) }
    }

    /// The counters.
    #[inline(always)]
    pub(crate) fn tally(&self) -> &Tally {
        // SAFETY: by M5.
        unsafe { self.tally.as_ref() }
    }
}

impl Meter {
    /// The same, for the end that alone counts there, of its waits.
    pub(crate) fn waits(&self) -> Waits<'_> {
        Waits {
            tally: self.tally(),
            alone: true,
        }
    }
}

/// A wait of an end that has the kernel tell it when to look again; none until it begins.
#[derive(Debug, Default)]
pub(crate) struct Wait {
    since: u64,
}

impl Wait {
    /// It begins, unless it has. Whether it does.
    pub(crate) fn begin(&mut self, waits: Waits<'_>) -> bool {
        if self.since != 0 {
            return false;
        }
        self.since = clock::now();
        waits.begin();
        waits.lasts(self.since);
        true
    }

    /// It is over, if it has begun.
    pub(crate) fn end(self, waits: Waits<'_>) {
        if self.since != 0 {
            waits.is_over(self.since, clock::now());
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tally().fmt(f)
    }
}

impl Segment {
    /// The counters of a whole side.
    pub(crate) fn side_meter(&self, end: End) -> Meter {
        let tally = NonNull::from(self.header().tally(end));
        // SAFETY: by M1; the mapping is that of the header.
        unsafe { Meter::new(tally, Arc::<super::segment::Mapped>::clone(&self.mapping)) }
    }

    /// The counters of the end with this number, which nobody else has. What those before it have counted stays.
    ///
    /// # Errors
    /// There is no room for them.
    pub(crate) fn line_meter(&self, number: u16, end: End) -> io::Result<Meter> {
        let number = number.min(LINES - 1);
        let length = size_of::<Line>() as u64;
        let at = self.shape().before_lines() + u64::from(number) * length;
        let offset = |at: u64| i64::try_from(at).map_err(io::Error::other);
        // A line is not there until it is asked for: now, or it would be a SIGBUS later.
        fallocate(
            self.fd()?,
            FallocateFlags::empty(),
            offset(at)?,
            offset(length)?,
        )?;
        // ORDERING: Relaxed; how far readers look.
        let lines = &self.header().consumer_lock.seen;
        lines.fetch_max(u64::from(number) + 1, Ordering::Relaxed);
        let tally = match end {
            End::Sender => offset_of!(Line, sent),
            End::Receiver => offset_of!(Line, received),
        };
        let at = usize::try_from(at).map_err(io::Error::other)? + tally;
        // SAFETY: by M1; `read_shape` and `build` saw that the segment is that long, and is of a kind with lines.
        let place = unsafe { self.base.add(at) };
        // SAFETY: by M1 and M3; lines start at a multiple of eight.
        let meter = unsafe {
            Meter::new(
                place.cast(),
                Arc::<super::segment::Mapped>::clone(&self.mapping),
            )
        };
        // What a dead one left of a wait is over.
        meter.tally().lasts(0);
        Ok(meter)
    }
}
