//! A child of this process.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::{self, ExitStatus},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::PollFlags,
    sys::{signal::Signal, wait::waitpid},
    unistd::Pid,
};

use crate::{
    Deadline,
    sys::{fd, process as sys},
};

/// How long a child whose handle is dropped may take to end by itself, before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// A child process: one that [`fork`](crate::process::fork) made, or a [`Process`](crate::process::Process) that was started.
///
/// Every call takes it by shared reference, so that one thread can end what another waits for. It is held by a descriptor, not by its number, so no call reaches another process that got the same number later, and
/// nothing here needs or disturbs a handler of SIGCHLD.
///
/// # Dropping
/// A handle that is dropped ends its child as [`terminate`](Self::terminate) does, kills it if it has not ended a second later,
/// and reaps it: no child, and no zombie, outlives its handle. [`join`](Self::join) a child that shall finish its work. In a
/// process that inherited the handle through a fork, dropping it does nothing.
///
/// # Crash behaviour
/// If this process is killed, its children go on, unless they were told to
/// [end with it](crate::process::Process::end_with_parent).
#[derive(Debug)]
pub struct Child {
    name: String,
    pid: Pid,
    fd: OwnedFd,
    /// The process whose child it is.
    parent: u32,
    ended: Mutex<Option<Ended>>,
}

/// How a child has ended, once it was reaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// We have reaped it.
    So(ExitStatus),
    /// Somebody else has, and knows how.
    ForOthers,
}

impl Child {
    /// The child that was just made and not reaped. If it cannot be held it is killed.
    pub(super) fn adopt(pid: Pid, name: String) -> io::Result<Self> {
        match sys::descriptor(pid) {
            Ok(fd) => Ok(Self {
                name,
                pid,
                fd,
                parent: process::id(),
                ended: Mutex::new(None),
            }),
            Err(error) => {
                // Not reaped yet, so the number is still its own.
                let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
                while waitpid(pid, None) == Err(Errno::EINTR) {}
                Err(error)
            }
        }
    }

    /// Its name: that of its entry, unless it was given another.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id. Once it has been joined the system may give the number to another process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Waits for its end, as long as it takes, and tells how it ended: by itself with a code, or by a signal, which
    /// [`ExitStatusExt`](std::os::unix::process::ExitStatusExt) tells. Again, it tells the same.
    ///
    /// It does not matter whether anybody has received what the child sent: that is in the channel. A child that still waits
    /// for room in a full channel goes on waiting, so receive first, then join.
    ///
    /// # Errors
    /// `ECHILD` if another part of this program has reaped it, or lets the system reap children by ignoring SIGCHLD:
    /// it has ended, and nobody knows how.
    #[doc(alias = "wait")]
    #[doc(alias = "waitpid")]
    pub fn join(&self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.join_by(Deadline::NEVER)? {
                return Ok(status);
            }
        }
    }

    /// The same, for at most `timeout`: `None` if it still runs then.
    ///
    /// # Errors
    /// As for [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        self.join_by(Deadline::after(timeout))
    }

    /// The same, up to the deadline.
    ///
    /// # Errors
    /// As for [`join`](Self::join).
    pub fn join_by(&self, deadline: Deadline) -> io::Result<Option<ExitStatus>> {
        loop {
            match self.reap()? {
                Some(Ended::So(status)) => return Ok(Some(status)),
                Some(Ended::ForOthers) => return Err(Errno::ECHILD.into()),
                None => {}
            }
            let ready = fd::wait(self.fd.as_fd(), PollFlags::POLLIN, deadline)?;
            if ready.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Whether it still runs. One that has ended is reaped.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(self.join_by(Deadline::NOW), Ok(None))
    }

    /// How it ended; `None` while it runs, or if nobody knows.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.join_by(Deadline::NOW).ok().flatten()
    }

    /// Asks it to end, by SIGTERM. It does at once, unless it has a handler. [`join`](Self::join) it after that.
    ///
    /// One that has ended already is left in peace.
    ///
    /// # Errors
    /// What the system says, as when the child has become another user.
    pub fn terminate(&self) -> io::Result<()> {
        self.send(Signal::SIGTERM)
    }

    /// Ends it, by SIGKILL, which it cannot refuse. [`join`](Self::join) it after that.
    ///
    /// # Errors
    /// As for [`terminate`](Self::terminate).
    pub fn kill(&self) -> io::Result<()> {
        self.send(Signal::SIGKILL)
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        match sys::send(self.fd.as_fd(), signal) {
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
            sent => sent,
        }
    }

    /// Reaps it if it has ended and was not reaped; one thread at a time, so that all learn the same.
    fn reap(&self) -> io::Result<Option<Ended>> {
        let mut ended = self.ended();
        if ended.is_none() {
            *ended = match sys::reap(self.fd.as_fd()) {
                Ok(status) => status.map(Ended::So),
                Err(error) if error.raw_os_error() == Some(Errno::ECHILD as i32) => {
                    Some(Ended::ForOthers)
                }
                Err(error) => return Err(error),
            };
        }
        Ok(*ended)
    }

    fn ended(&self) -> MutexGuard<'_, Option<Ended>> {
        // Nothing in there is left half done by a panic.
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was reaped, by us or others.
    pub(super) fn has_ended(&self) -> bool {
        self.ended().is_some()
    }

    /// What polls as readable once it has ended.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRef<Self> for Child {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.parent != process::id() || self.has_ended() {
            return;
        }
        // What fails here fails because it has ended, or is no longer ours to end.
        let _ = self.terminate();
        if let Ok(None) = self.join_timeout(GRACE) {
            let _ = self.kill();
            let _ = self.join();
        }
    }
}
