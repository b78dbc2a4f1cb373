//! Descriptors that tokio polls.

use std::{io, os::fd::OwnedFd};

use ::tokio::io::{Interest, unix::AsyncFd};

/// A descriptor that the runtime knows, until this is dropped.
#[derive(Debug)]
pub(crate) struct Registered(AsyncFd<OwnedFd>);

impl Registered {
    /// Has the runtime that this thread is in poll `fd`.
    ///
    /// # Panics
    /// As tokio does: in a runtime without `enable_io`, and outside of a runtime.
    pub(crate) fn new(fd: OwnedFd, interest: Interest) -> io::Result<Self> {
        // SAFETY: by S11.
        let registered = unsafe { AsyncFd::register_with_interest(fd, interest) };
        Ok(Self(registered.map_err(io::Error::from)?))
    }

    /// For asking whether it is ready.
    pub(crate) fn get(&self) -> &AsyncFd<OwnedFd> {
        &self.0
    }
}
