//! What a transport wants of its segment.

use std::{io, sync::Arc};

use crate::{
    Address, End, OpenError, OpenErrorKind,
    shm::layout::{Header, Shape},
};

/// Undoes what a transport made outside of a segment, when that turns out stale, was not needed, or has lost its last end.
pub(crate) type Discard = Arc<dyn Fn(&Shape) + Send + Sync>;

/// What a transport wants of its segment.
pub(crate) struct Plan<'a> {
    /// For errors.
    pub(crate) address: &'a Address,
    /// The shape of a new one; an existing one must agree where `explicit` says so.
    pub(crate) shape: Shape,
    /// Whether the user named the capacity and the longest message, or took what is there.
    pub(crate) explicit: bool,
    /// Which ends take one handle only.
    pub(crate) exclusive: fn(End) -> bool,
    /// Whether the constants of an existing one go together as those of its kind do.
    pub(crate) is_sound: &'a dyn Fn(&Shape) -> bool,
    /// Whether an existing one with this shape, found by its name, is meant for something else.
    pub(crate) refuse: &'a dyn Fn(&Shape) -> Option<OpenErrorKind>,
    /// Whether to survive that a peer makes the object shorter.
    pub(crate) guarded: bool,
    /// Completes a new segment before anybody can see it.
    pub(crate) prepare: &'a dyn Fn(&mut Shape, &Header) -> Result<(), OpenError>,
    /// Undoes what `prepare` made outside the segment.
    pub(crate) discard: Discard,
}

impl Plan<'_> {
    /// An error of the channel.
    pub(crate) fn error(&self, kind: OpenErrorKind) -> OpenError {
        OpenError::new(self.address.clone(), kind)
    }

    /// An error of mapping `needed` bytes.
    pub(crate) fn mapping(&self, needed: u64, error: io::Error) -> OpenError {
        if error.raw_os_error() != Some(libc::ENOMEM) {
            return self.os(error);
        }
        let mut failed = self.error(OpenErrorKind::NoSpace { needed });
        failed.source = Some(error);
        failed
    }

    /// An error of the system.
    pub(crate) fn os(&self, error: impl Into<io::Error>) -> OpenError {
        OpenError::os(self.address.clone(), error.into())
    }
}
