//! The jobs in flight, in as many slots as the pool has for them.
//!
//! * T1. A slot is free, or holds where one job's outcome goes. Its number is in one free list, or it holds a job: never both.
//! * T2. The id of a job is its slot and the slot's turn, which is never the same again. So an answer that comes for a job that has ended, as after a
//!   death in the middle of an answer, fits no slot.
//! * T3. Whoever takes the job out of its slot settles it. So each job ends once.

use std::sync::{Arc, Mutex};

use crate::process::pool::{
    harvest::Harvest,
    promise::{Outcome, Promise, lock},
};

/// Where the outcome of a job goes.
#[derive(Debug)]
pub(super) enum Target<T> {
    /// To who has its handle.
    One(Arc<Promise<T>>),
    /// To who awaits many, where it has this place.
    Many(Arc<Harvest<T>>, usize),
}

/// Somebody to be woken.
#[derive(Debug)]
pub(super) enum Sleeper<T> {
    One(Arc<Promise<T>>),
    Many(Arc<Harvest<T>>),
}

impl<T> Target<T> {
    /// Says how the job has ended; tells who sleeps for it.
    #[inline]
    pub(super) fn settle(self, outcome: Outcome<T>) -> Option<Sleeper<T>> {
        match self {
            Self::One(promise) => promise.settle(outcome).then_some(Sleeper::One(promise)),
            Self::Many(harvest, place) => harvest
                .settle(place, outcome)
                .then_some(Sleeper::Many(harvest)),
        }
    }
}

impl<T> Sleeper<T> {
    pub(super) fn wake(self) {
        match self {
            Self::One(promise) => promise.wake(),
            Self::Many(harvest) => harvest.wake(),
        }
    }
}

/// A job that has left its slot.
#[derive(Debug)]
pub(super) struct Departed<T> {
    pub(super) target: Target<T>,
    /// The number of the job, for people.
    pub(super) number: u64,
    /// The slot, which is free now.
    pub(super) slot: u32,
}

#[derive(Debug)]
struct Slot<T> {
    turn: u32,
    job: Option<(Target<T>, u64)>,
}

/// All slots.
#[derive(Debug)]
pub(super) struct Slots<T>(Vec<Mutex<Slot<T>>>);

impl<T> Slots<T> {
    pub(super) fn new(count: u32) -> Self {
        let slot = |_| Mutex::new(Slot { turn: 0, job: None });
        Self((0..count).map(slot).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn slot(&self, slot: u32) -> Option<&Mutex<Slot<T>>> {
        self.0.get(usize::try_from(slot).ok()?)
    }

    /// Puts a job into a free slot of the caller's; its id.
    #[inline]
    pub(super) fn enter(&self, slot: u32, number: u64, target: Target<T>) -> Option<u64> {
        let mut held = lock(self.slot(slot)?);
        // Never 0, so no id is taken for another word of a cell.
        held.turn = held.turn.wrapping_add(1).max(1);
        held.job = Some((target, number));
        Some(u64::from(held.turn) << 32 | u64::from(slot))
    }

    /// Takes out the job with this id; `None` if it has ended.
    #[inline]
    pub(super) fn leave(&self, id: u64) -> Option<Departed<T>> {
        let slot = u32::try_from(id & u64::from(u32::MAX)).ok()?;
        let mut held = lock(self.slot(slot)?);
        if u64::from(held.turn) != id >> 32 {
            return None;
        }
        let (target, number) = held.job.take()?;
        Some(Departed {
            target,
            number,
            slot,
        })
    }

    /// Takes out every job.
    pub(super) fn clear(&self) -> impl Iterator<Item = Departed<T>> {
        (0_u32..).zip(&self.0).filter_map(|(slot, held)| {
            let (target, number) = lock(held).job.take()?;
            Some(Departed {
                target,
                number,
                slot,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_leaves_once_and_an_old_id_fits_nothing() {
        let slots = Slots::<u8>::new(2);
        let target = || Target::One(Arc::new(Promise::new()));
        let first = slots.enter(1, 10, target()).expect("a slot");
        assert!(first >= super::super::cells::LEAST_ID);
        assert_eq!(
            slots.leave(first).map(|left| (left.number, left.slot)),
            Some((10, 1))
        );
        assert!(slots.leave(first).is_none());
        let second = slots.enter(1, 11, target()).expect("a slot");
        assert_ne!(first, second);
        assert!(slots.leave(first).is_none());
        assert!(slots.enter(2, 12, target()).is_none());
        assert_eq!(
            slots.clear().map(|left| left.number).collect::<Vec<_>>(),
            [11]
        );
        assert!(slots.leave(second).is_none());
    }
}
