//! An endpoint's membership in a segment: who else is there, and how to wait for them.

use std::{
    cell::{Cell, OnceCell},
    io,
    os::fd::BorrowedFd,
};

use crate::{
    Address, Counters, Deadline, End, Fingerprint, Handoff, OpenError, OpenErrorKind, RecvError,
    SendError, WaitStrategy,
    crash::{self, Step},
    presence::{self, Topic},
    shm::{meter::Meter, segment::Segment},
    tally::{Tally, Waits},
    trace::{self, Recovery},
    wait::{Bell, Look, Waiter},
    watch::Watch,
};

/// What every endpoint over a segment has.
#[derive(Debug)]
pub(crate) struct Member {
    seat: Seat,
    waiter: Waiter,
}

/// A place among the open ends of a segment.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Rings for this end when somebody dies; `None` if nothing can or should.
    watch: OnceCell<Option<Watch>>,
    /// Where this end counts. Above the segment, which it may point into.
    meter: Meter,
    /// Whether it alone counts there.
    alone: bool,
    segment: Segment,
    address: Address,
    end: End,
    /// The count of openings and closings for which `gone` is true or false; no count at first.
    changes: Cell<u64>,
    gone: Cell<bool>,
}

/// What an end says whose segment a peer has made shorter.
pub(crate) trait Lost {
    /// The error.
    fn lost() -> Self;
}

impl Lost for SendError {
    fn lost() -> Self {
        Self::Poisoned
    }
}

impl Lost for RecvError {
    fn lost() -> Self {
        Self::Corrupt
    }
}

impl Lost for io::Error {
    fn lost() -> Self {
        io::ErrorKind::InvalidData.into()
    }
}

/// Declares the type of the messages that pass through `fd`'s object.
pub(crate) fn agree(
    fd: BorrowedFd<'_>,
    ours: Fingerprint,
    address: &Address,
) -> Result<(), OpenError> {
    match presence::declare(fd, Topic::Type, ours.bits()) {
        Ok(None) => Ok(()),
        Ok(Some(found)) => {
            let kind = OpenErrorKind::Incompatible {
                expected: ours,
                found: Fingerprint::from_bits(found),
            };
            Err(OpenError::new(address.clone(), kind))
        }
        Err(error) => Err(OpenError::os(address.clone(), error)),
    }
}

impl Member {
    /// A member that has `segment` open as `end`.
    pub(crate) fn new(
        segment: Segment,
        end: End,
        address: Address,
        strategy: WaitStrategy,
    ) -> Self {
        trace::opened(&address, end);
        let guarded = segment.is_guarded();
        let member = Self {
            seat: Seat {
                watch: OnceCell::new(),
                meter: segment.side_meter(end),
                alone: false,
                segment,
                address,
                end,
                changes: Cell::new(u64::MAX),
                gone: Cell::new(false),
            },
            waiter: Waiter::new(strategy),
        };
        // The bells of a segment that is lost are not those that the others ring, nor those that the dead would.
        if guarded { member.restless() } else { member }
    }

    /// One that sleeps for short times only, for a peer that does not ring.
    pub(crate) fn restless(self) -> Self {
        // It is new, so nothing is set yet.
        let _ = self.seat.watch.set(None);
        self
    }

    /// One that is the only one of its side.
    pub(crate) fn alone(mut self) -> Self {
        // What a dead one left of a wait is over.
        self.seat.meter.tally().lasts(0);
        self.seat.alone = true;
        self
    }

    /// One that counts where nobody else does.
    pub(crate) fn counting_at(mut self, meter: Meter) -> Self {
        self.seat.meter = meter;
        self.alone()
    }

    /// Its place.
    #[inline]
    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// The segment.
    #[inline]
    pub(crate) fn segment(&self) -> &Segment {
        &self.seat.segment
    }

    /// Whether this end asks again before it sleeps.
    #[inline]
    pub(crate) fn is_eager(&self) -> bool {
        self.waiter.is_eager()
    }

    /// Looks until `look` finds something or the deadline passes, or a guarded segment is lost.
    #[inline]
    pub(crate) fn wait<T, E: Lost>(
        &mut self,
        deadline: Deadline,
        mut look: impl FnMut(&Seat, Look) -> Option<Result<T, E>>,
    ) -> Option<Result<T, E>> {
        let seat = &self.seat;
        let mut look = |how| {
            let found = look(seat, how);
            // After the look, which may be what meets it, and whatever that made of memory that is not the segment's.
            if seat.segment.is_lost() {
                return Some(Err(E::lost()));
            }
            found
        };
        if let Some(found) = look(Look::Memory) {
            return Some(found);
        }
        let watched = || seat.is_watched();
        self.waiter
            .wait(seat.bell(), deadline, seat.waits(), &watched, &mut look)
    }

    /// Waits until the side across is there.
    pub(crate) fn wait_peer(&mut self, deadline: Deadline) -> io::Result<bool> {
        // Also who came and went again was there.
        let found = self.wait(deadline, |seat, _| {
            match seat.segment.has_met(seat.end.across()) {
                Ok(false) => None,
                found => Some(found),
            }
        });
        found.unwrap_or(Ok(false))
    }

    /// Declares the type of the messages.
    pub(crate) fn agree(&self, ours: Fingerprint) -> Result<(), OpenError> {
        let Seat {
            segment, address, ..
        } = &self.seat;
        let fd = segment
            .fd()
            .map_err(|e| OpenError::os(address.clone(), e))?;
        agree(fd, ours, address)
    }

    /// What another process needs to open this end.
    pub(crate) fn handoff(&self) -> io::Result<Handoff> {
        Ok(Handoff {
            address: self.seat.address.clone(),
            end: self.seat.end,
            fds: vec![self.seat.segment.another(self.seat.end)?],
        })
    }
}

impl Seat {
    /// The segment.
    #[inline]
    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Where this end counts.
    #[inline(always)]
    pub(crate) fn tally(&self) -> &Tally {
        self.meter.tally()
    }

    fn waits(&self) -> Waits<'_> {
        Waits {
            tally: self.tally(),
            alone: self.alone,
        }
    }

    /// Something was done because somebody died.
    pub(crate) fn recovered(&self, what: Recovery) {
        trace::recovered(&self.address, what);
    }

    /// What the ends of the segment have done. `None` if it cannot be read any more.
    pub(crate) fn counters(&self) -> Option<Counters> {
        self.segment.counters().ok()
    }

    /// What this end sleeps for: the other side's progress.
    fn bell(&self) -> Bell<'_> {
        let header = self.segment.header();
        match self.end {
            End::Sender => header.room(),
            End::Receiver => header.items(),
        }
    }

    /// Whether a death rings the bell, from now on at the latest.
    fn is_watched(&self) -> bool {
        let watch = self.watch.get_or_init(|| {
            let fd = self.segment.fd().ok()?;
            let alarm = self.segment.alarm();
            let alarm = move || {
                if !crash::is_left_out(Step::WatchDeaths) {
                    alarm();
                }
            };
            Watch::new(fd, Box::new(alarm)).ok()
        });
        watch.as_ref().is_some_and(Watch::works)
    }

    fn has(&self, end: End) -> io::Result<bool> {
        presence::has(self.segment.fd()?, end)
    }

    /// Whether nobody came or went since the side across was last known not to be gone. One load.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.changes.get() == u64::from(self.segment.changes()) && !self.gone.get()
    }

    /// Whether the side across was there and is gone. In memory this is one load, unless somebody came or went.
    #[inline]
    pub(crate) fn is_alone(&self, look: Look) -> bool {
        let changes = self.segment.changes();
        if look == Look::Memory && self.changes.get() == u64::from(changes) {
            return self.gone.get();
        }
        self.ask(changes)
    }

    #[cold]
    fn ask(&self, changes: u32) -> bool {
        let gone = self.has_lost();
        let died = gone && !self.gone.get() && self.changes.get() == u64::from(changes);
        self.gone.set(gone);
        self.changes.set(changes.into());
        if died {
            self.recovered(Recovery::Side);
            // It went without announcing it, so we do, for those who look in memory only.
            self.segment.announce();
            self.changes.set(changes.wrapping_add(1).into());
        }
        gone
    }

    /// The same, asked of the kernel, and remembered.
    pub(crate) fn is_disconnected(&self) -> bool {
        self.ask(self.segment.changes())
    }

    fn has_lost(&self) -> bool {
        let other = self.end.across();
        // If the kernel cannot tell, they are taken to be there: nothing is lost by waiting.
        let gone = self.segment.has_seen(other) && self.has(other).is_ok_and(|there| !there);
        gone && !crash::is_left_out(Step::AskKernel)
    }
}

/// The methods of [`Endpoint`](crate::Endpoint) that a `member` answers.
macro_rules! endpoint_by_member {
    () => {
        fn is_disconnected(&self) -> bool {
            self.member.seat().is_disconnected()
        }

        fn wait_peer(&mut self, deadline: $crate::Deadline) -> std::io::Result<bool> {
            self.member.wait_peer(deadline)
        }

        fn counters(&self) -> Option<$crate::Counters> {
            self.member.seat().counters()
        }

        fn agree(&mut self, fingerprint: $crate::Fingerprint) -> Result<(), $crate::OpenError> {
            self.member.agree(fingerprint)
        }

        fn handoff(&self) -> std::io::Result<$crate::Handoff> {
            self.member.handoff()
        }
    };
}

pub(crate) use endpoint_by_member;
