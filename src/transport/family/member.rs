//! An endpoint's membership in a segment: who else is there, and how to wait for them.

use std::{
    cell::{Cell, OnceCell},
    io,
    os::fd::BorrowedFd,
    sync::Arc,
    task::Waker,
    time::Duration,
};

use crate::{
    Address, Counters, Deadline, End, Fingerprint, Handoff, OpenError, OpenErrorKind, RecvError,
    SendError, WaitStrategy,
    crash::{self, Step},
    presence::{self, Topic},
    shm::{meter::Meter, segment::Segment},
    tally::{Tally, Waits},
    trace::{self, Recovery},
    transport::family::listener::Listener,
    wait::{Bell, Look, Waiter},
    watch::Watch,
};

/// How soon to look again for what is not reported: that a lock is free, or anything where there are no reports.
const SOON: Duration = Duration::from_millis(1);
/// The same where only a segment that was made shorter is not, or what a peer did that does not ring.
const LATER: Duration = Duration::from_millis(20);

/// What every endpoint over a segment has.
#[derive(Debug)]
pub(crate) struct Member {
    /// Wakes who awaits this end; `None` inside if nothing can. Above the seat, so that it lets go of the segment before that closes.
    listener: Option<Option<Listener>>,
    /// How many openings and closings there were when this end was last armed; no count at first.
    armed: u64,
    /// Whether what it wanted was there when it last looked, and a lock that it did not get.
    pub(crate) contended: bool,
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
            listener: None,
            armed: u64::MAX,
            contended: false,
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

    /// Has `waker` woken when this end may be ready, if a barrier and a look follow.
    pub(crate) fn arm(&mut self, waker: &Waker) {
        let Self { seat, waiter, .. } = self;
        let changes = seat.segment.changes().into();
        if self.armed != changes {
            // Somebody has come, gone or died: the kernel is asked, whenever it was asked before.
            waiter.doubt();
            self.armed = changes;
        }
        let listen = || Listener::new(&seat.segment, seat.end).ok();
        if let Some(listener) = self.listener.get_or_insert_with(listen) {
            listener.arm(seat.bell(), waker);
        }
    }

    /// How soon to look again for what wakes nobody.
    pub(crate) fn recheck(&self) -> Option<Duration> {
        let listener = self.listener.as_ref().and_then(Option::as_ref);
        if self.contended || !listener.is_some_and(Listener::works) {
            return Some(SOON);
        }
        let is_restless = matches!(self.seat.watch.get(), Some(None));
        is_restless.then_some(LATER)
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
        match self.end {
            End::Sender => self.segment.room(),
            End::Receiver => self.segment.items(),
        }
    }

    /// Whether a death rings the bell, from now on at the latest.
    fn is_watched(&self) -> bool {
        let watch = self.watch.get_or_init(|| {
            let fd = self.segment.object().as_ref().map(Arc::clone)?;
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
        $crate::transport::family::member::endpoint_by_member!(blocking);
        $crate::transport::family::member::endpoint_by_member!(awaited);
    };
    // Of one that nobody can await.
    (blocking) => {
        $crate::transport::family::member::endpoint_by_member!(met);

        fn counters(&self) -> Option<$crate::Counters> {
            self.member.seat().counters()
        }

        fn handoff(&self) -> std::io::Result<$crate::Handoff> {
            self.member.handoff()
        }
    };
    // How it is awaited.
    (awaited) => {
        fn readiness(&self) -> $crate::Readiness {
            $crate::Readiness::Waker
        }

        $crate::transport::family::member::endpoint_by_member!(told);
    };
    // What wakes who awaits it, everything or not.
    (told) => {
        fn arm(&mut self, waker: &std::task::Waker) {
            self.member.arm(waker);
        }

        fn recheck(&self) -> Option<std::time::Duration> {
            self.member.recheck()
        }
    };
    // Who is across.
    (met) => {
        fn is_disconnected(&self) -> bool {
            self.member.seat().is_disconnected()
        }

        fn wait_peer(&mut self, deadline: $crate::Deadline) -> std::io::Result<bool> {
            self.member.wait_peer(deadline)
        }

        fn agree(&mut self, fingerprint: $crate::Fingerprint) -> Result<(), $crate::OpenError> {
            self.member.agree(fingerprint)
        }
    };
}

pub(crate) use endpoint_by_member;
