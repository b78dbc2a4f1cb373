//! What keeps a FIFO readable until a receiver has come.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use nix::sys::{
    stat::{fstat, futimens},
    time::TimeSpec,
};

use crate::{End, presence};

/// A reading end that a sender holds, so that what it sends waits for a receiver.
#[derive(Debug)]
pub(crate) struct Keeper {
    fd: OwnedFd,
    /// As it was when this sender opened.
    visits: TimeSpec,
}

impl Keeper {
    /// Holds a reading end.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        let visits = visits(fd.as_fd())?;
        Ok(Self { fd, visits })
    }

    /// Whether a receiver is there, or has been there since.
    pub(crate) fn is_over(&self) -> io::Result<bool> {
        Ok(presence::has(&self.fd, End::Receiver)? || self.was_visited())
    }

    /// Whether a receiver has come since, and perhaps gone again.
    pub(crate) fn was_visited(&self) -> bool {
        visits(self.fd.as_fd()).is_ok_and(|visits| visits != self.visits)
    }

    /// Another descriptor of it.
    pub(crate) fn try_clone(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }
}

/// The time of the last access is nobody's business on a FIFO, so it counts the receivers that have come.
fn visits(fd: BorrowedFd<'_>) -> io::Result<TimeSpec> {
    let stat = fstat(fd)?;
    Ok(TimeSpec::new(stat.st_atime, stat.st_atime_nsec))
}

/// Leaves the trace of a receiver that has come. Nobody else may open meanwhile.
pub(crate) fn visit(fd: impl AsFd) -> io::Result<()> {
    let last = visits(fd.as_fd())?;
    let next = match last.tv_nsec() {
        999_999_999 => TimeSpec::new(last.tv_sec().wrapping_add(1), 0),
        nanos => TimeSpec::new(last.tv_sec(), nanos + 1),
    };
    futimens(fd, &next, &TimeSpec::UTIME_OMIT)?;
    Ok(())
}
