//! A word for each worker, in a small segment: what it has in its hands.
//!
//! A worker alone writes its word while it lives; the keeper does when it is dead.
//!
//! * C1. A worker names a job before it takes it out of the channel, and names the next only after it has answered. So a dead worker's word is
//!   the job it had in its hands, or one that it has answered, and the answer was sent before the word was read.

use std::{io, sync::Arc};

use crate::{
    Address, End, Handoff, OpenError, OpenErrorKind,
    shm::{
        layout::{LAYOUT, MAGIC, Shape},
        plan::Plan,
        segment::Segment,
    },
    sync::{AtomicU64, Ordering},
};

/// The segment's kind.
const KIND: u32 = 7;
/// Words of a line: each worker has one.
const LINE: usize = 16;
/// Words smaller than this are no jobs.
pub(super) const LEAST_ID: u64 = 1 << 32;

/// What a worker's word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hands {
    /// It has not come yet.
    Absent,
    /// It has come, and had no job yet.
    Empty,
    /// It left, since there will be no more jobs.
    Left,
    /// This job, unless it has answered it.
    Job(u64),
}

impl Hands {
    const fn word(self) -> u64 {
        match self {
            Self::Absent => 0,
            Self::Empty => 1,
            Self::Left => 2,
            Self::Job(id) => id,
        }
    }

    const fn of(word: u64) -> Self {
        match word {
            0 => Self::Absent,
            2 => Self::Left,
            LEAST_ID.. => Self::Job(word),
            _ => Self::Empty,
        }
    }
}

/// The words of all workers.
#[derive(Debug)]
pub(super) struct Cells(Segment);

fn address() -> Address {
    Address::of("pool", "".as_ref())
}

fn with_plan<T>(
    workers: u64,
    open: impl FnOnce(&Plan<'_>) -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    let address = address();
    open(&Plan {
        address: &address,
        shape: Shape {
            magic: MAGIC,
            layout: LAYOUT,
            kind: KIND,
            capacity: 1 << 10,
            max_message: 0,
            lock: 0,
            flags: 0,
            extra: 0,
            trailer: workers * LINE as u64 * 8,
        },
        explicit: false,
        exclusive: |_| false,
        refuse: &|_| None,
        prepare: &|_, _| Ok(()),
        discard: Arc::new(|_| {}),
    })
}

impl Cells {
    /// For so many workers.
    pub(super) fn new(workers: u32) -> Result<Self, OpenError> {
        // Its two ends are alike; one is enough.
        let (segment, _) = with_plan(workers.into(), Segment::pair)?;
        Ok(Self(segment))
    }

    /// A worker's, of what the parent gave.
    pub(super) fn adopt(handoff: Handoff, workers: u32) -> Result<Self, OpenError> {
        let wrong = || OpenError::new(address(), OpenErrorKind::Handoff);
        let Ok([fd]) = <[_; 1]>::try_from(handoff.fds) else {
            return Err(wrong());
        };
        let adopt = |plan: &Plan<'_>| Segment::adopt(fd, |_| None, plan);
        Ok(Self(with_plan(workers.into(), adopt)?))
    }

    pub(super) fn handoff(&self) -> io::Result<Handoff> {
        Ok(Handoff {
            address: address(),
            end: End::Sender,
            fds: vec![self.0.another(End::Sender)?],
        })
    }

    #[inline]
    fn word(&self, worker: u32) -> Option<&AtomicU64> {
        let at = usize::try_from(worker).ok()?.checked_mul(LINE)?;
        self.0.trailer().get(at)
    }

    /// Says what a worker has in its hands.
    #[inline]
    pub(super) fn say(&self, worker: u32, hands: Hands) {
        if let Some(word) = self.word(worker) {
            // ORDERING: Release; what was answered before is before this, by C1.
            word.store(hands.word(), Ordering::Release);
        }
    }

    /// What a worker has said.
    pub(super) fn hands(&self, worker: u32) -> Hands {
        // ORDERING: Acquire; pairs with the Release in `say`.
        let word = self.word(worker).map(|word| word.load(Ordering::Acquire));
        word.map_or(Hands::Absent, Hands::of)
    }
}
