//! What the locked ring asks of a lock. raw_sync's own traits cannot be implemented outside that
//! crate (see docs/design.md), so this is ours, and raw_sync's mutex is adapted to it.

use crate::Deadline;

/// How a lock was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nobody had it.
    Clean,
    /// Its holder died. [`Lock::recover`] comes before unlocking.
    OwnerDied,
}

/// Why a lock was not had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockError {
    /// Another has it, still at the deadline.
    Busy,
    /// It can never be had again, or is not a lock.
    Lost,
}

/// A mutual exclusion between processes.
pub(crate) trait Lock {
    /// Takes it, waiting for its holder up to the deadline.
    fn lock(&self, deadline: Deadline) -> Result<Held, LockError>;

    /// Declares what it protects to be sound again, after [`Held::OwnerDied`].
    fn recover(&self);

    /// Gives it back; the caller has it.
    fn unlock(&self);
}
