//! How an end can be waited for together with others.

use crate::wait;

/// How an end tells that it may be ready: a receiver that it may have a message, a sender that it may have room, either that the
/// other side is gone.
///
/// ```
/// use laneway::{Channel, Endpoint, Readiness};
///
/// let (_tx, rx) = laneway::channel("pipe:")?.pair()?;
/// assert_eq!(rx.readiness(), Readiness::Descriptor);
/// let (_tx, rx) = laneway::channel("shm:")?.pair()?;
/// assert_eq!(rx.readiness(), Readiness::Waker);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Readiness {
    /// [`as_fd`](crate::Endpoint::as_fd) gives a descriptor that polls as readable when a receiver may be ready, as writable when a
    /// sender may be.
    Descriptor,
    /// [`arm`](crate::Endpoint::arm) has a waker woken.
    Waker,
    /// Not of everything: a call that blocks can wait for it, or one who looks again and again. [`arm`](crate::Endpoint::arm) may
    /// wake for some of it, and [`recheck`](crate::Endpoint::recheck) says how soon to look for the rest; where it says nothing, a task looks
    /// every millisecond.
    Blocking,
}

impl Readiness {
    /// Stands between [`arm`](crate::Endpoint::arm) and the look that must follow, once for any number of ends: has every process
    /// that takes part in a channel pass a memory barrier. Does not block; costs a microsecond or a few.
    ///
    /// `false` if the system refused: then news may be missed, and whoever waits must look again within milliseconds.
    pub fn settle() -> bool {
        wait::settle()
    }
}
