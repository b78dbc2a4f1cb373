//! How an end holds the locks of a ring.

use crate::{
    Address, Deadline, End, OpenError, OpenErrorKind,
    crash::{self, Step},
    lock::{Lock, LockError},
    robust::{self, RobustLock},
    shm::{layout::LockLine, segment::Segment},
    sys::raw_sync::RawSyncMutex,
    trace::Recovery,
    transport::family::{member::Seat, number},
};

/// How an end holds locks.
#[derive(Debug)]
pub(crate) enum Holder {
    /// As this number.
    Number(u16),
    /// By raw_sync, which asks for no name.
    RawSync(RawSyncMutex),
}

impl Holder {
    /// For a new end that takes robust locks. It gives back what the dead one with its number held.
    pub(crate) fn robust(segment: &Segment, address: &Address) -> Result<Self, OpenError> {
        let header = segment.header();
        let me = number::take(segment, u16::MAX, address)?;
        if !crash::is_left_out(Step::GiveLockBack) {
            header.producer_lock.lock.give(me);
            header.consumer_lock.lock.give(me);
        }
        Ok(Self::Number(me))
    }

    /// For a new end that takes raw_sync's mutexes.
    pub(crate) fn raw_sync(
        segment: &Segment,
        end: End,
        address: &Address,
    ) -> Result<Self, OpenError> {
        RawSyncMutex::existing(&line(segment, end).mutex)
            .map(Self::RawSync)
            .map_err(|_| OpenError::new(address.clone(), OpenErrorKind::Os))
    }

    /// The lock of the side of `end`.
    #[inline]
    pub(crate) fn hold<'a>(&'a self, seat: &'a Seat, end: End) -> Held<'a> {
        Held {
            lock: &line(seat.segment(), end).lock,
            holder: self,
            seat,
        }
    }
}

/// The lock of one side, as one end holds it.
pub(crate) struct Held<'a> {
    lock: &'a RobustLock,
    holder: &'a Holder,
    seat: &'a Seat,
}

impl Lock for Held<'_> {
    #[inline(always)]
    fn lock(&self, deadline: Deadline) -> Result<(), LockError> {
        match self.holder {
            Holder::Number(me) => {
                let is_dead = |number| number::is_dead(self.seat, number);
                let held = self.lock.take(*me, deadline, is_dead)?;
                if held == robust::Held::OwnerDied {
                    self.seat.recovered(Recovery::Lock);
                }
                Ok(())
            }
            Holder::RawSync(mutex) => mutex.lock(deadline),
        }
    }

    #[inline(always)]
    fn unlock(&self) {
        match self.holder {
            Holder::Number(me) => self.lock.give(*me),
            Holder::RawSync(mutex) => mutex.unlock(),
        }
    }
}

/// The line of the side of `end`.
#[inline]
pub(crate) fn line(segment: &Segment, end: End) -> &LockLine {
    let header = segment.header();
    match end {
        End::Sender => &header.producer_lock,
        End::Receiver => &header.consumer_lock,
    }
}
