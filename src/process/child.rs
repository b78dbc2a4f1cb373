//! A child of this process.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::{self, ExitStatus},
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
/// It is held by a descriptor, not by its number, so no call reaches another process that got the same number later, and
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
    /// Set once reaped; `None` inside if somebody else has reaped it.
    ended: Option<Option<ExitStatus>>,
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
                ended: None,
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
    pub fn join(&mut self) -> io::Result<ExitStatus> {
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
    pub fn join_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        self.join_by(Deadline::after(timeout))
    }

    /// The same, up to the deadline.
    ///
    /// # Errors
    /// As for [`join`](Self::join).
    pub fn join_by(&mut self, deadline: Deadline) -> io::Result<Option<ExitStatus>> {
        loop {
            if let Some(ended) = self.ended {
                return ended.map(Some).ok_or_else(|| Errno::ECHILD.into());
            }
            if let ended @ Some(_) = self.reap()? {
                return Ok(ended);
            }
            let ready = fd::wait(self.fd.as_fd(), PollFlags::POLLIN, deadline)?;
            if ready.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Whether it still runs. One that has ended is reaped.
    #[must_use]
    pub fn is_alive(&mut self) -> bool {
        matches!(self.join_by(Deadline::NOW), Ok(None))
    }

    /// How it ended; `None` while it runs, or if nobody knows.
    #[must_use]
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.join_by(Deadline::NOW).ok().flatten()
    }

    /// Asks it to end, by SIGTERM. It does at once, unless it has a handler. [`join`](Self::join) it after that.
    ///
    /// One that has ended already is left in peace.
    ///
    /// # Errors
    /// What the system says, as when the child has become another user.
    pub fn terminate(&mut self) -> io::Result<()> {
        self.send(Signal::SIGTERM)
    }

    /// Ends it, by SIGKILL, which it cannot refuse. [`join`](Self::join) it after that.
    ///
    /// # Errors
    /// As for [`terminate`](Self::terminate).
    pub fn kill(&mut self) -> io::Result<()> {
        self.send(Signal::SIGKILL)
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        match sys::send(self.fd.as_fd(), signal) {
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
            sent => sent,
        }
    }

    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let reaped = sys::reap(self.fd.as_fd());
        match &reaped {
            Ok(Some(status)) => self.ended = Some(Some(*status)),
            Err(error) if error.raw_os_error() == Some(Errno::ECHILD as i32) => {
                self.ended = Some(None);
            }
            _ => {}
        }
        reaped
    }

    /// Whether it was reaped, by us or others.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// What polls as readable once it has ended.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsMut<Child> for Child {
    fn as_mut(&mut self) -> &mut Child {
        self
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_some() || self.parent != process::id() {
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
