//! What the locked ring asks of a lock. raw_sync's own traits cannot be implemented outside that
//! crate (see docs/design.md), so this is ours, and raw_sync's mutex is adapted to it.

use crate::Deadline;

/// Why a lock was not had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockError {
    /// Another has it, still at the deadline.
    Busy,
    /// It can never be had again, or is not a lock.
    Lost,
}

/// A mutual exclusion between processes. What it protects must be sound at any moment, since a holder may die.
pub(crate) trait Lock {
    /// Takes it, waiting for its holder up to the deadline, or takes it over from a dead one.
    fn lock(&self, deadline: Deadline) -> Result<(), LockError>;

    /// Gives it back; the caller has it.
    fn unlock(&self);
}
