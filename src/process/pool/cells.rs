//! A word for each worker, in a small segment: what it has in its hands.
//!
//! A worker alone writes its word while it lives; the keeper does when it is dead.
//!
//! * C1. A worker names a job before it takes it out of the channel, and names the next only after it has answered. So a dead worker's word is
//!   the job it had in its hands, or one that it has answered, and the answer was sent before the word was read.

use std::io;

use crate::{
    Handoff, OpenError,
    process::lines::{Kind, Lines},
    sync::{AtomicU64, Ordering},
};

const KIND: Kind = Kind {
    number: 7,
    word: "pool",
};
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
pub(super) struct Cells(Lines);

/// As many as an index can tell.
fn count(workers: u32) -> usize {
    usize::try_from(workers).unwrap_or(usize::MAX)
}

impl Cells {
    /// For so many workers.
    pub(super) fn new(workers: u32) -> Result<Self, OpenError> {
        Lines::new(KIND, count(workers)).map(Self)
    }

    /// A worker's, of what the parent gave.
    pub(super) fn adopt(handoff: Handoff, workers: u32) -> Result<Self, OpenError> {
        Lines::adopt(KIND, count(workers), handoff).map(Self)
    }

    pub(super) fn handoff(&self) -> io::Result<Handoff> {
        self.0.handoff()
    }

    #[inline]
    fn word(&self, worker: u32) -> Option<&AtomicU64> {
        self.0.word(count(worker), 0)
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
