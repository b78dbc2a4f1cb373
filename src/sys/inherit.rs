//! Handing descriptors to a child, taking them there, and leaving those that were not handed over.

use std::{
    fmt, io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    process::Command,
    str::FromStr,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::stat::fstat,
};

/// Which object a descriptor names, so that a number can be checked later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    /// Its number in the process.
    pub(crate) fd: RawFd,
    /// Its device.
    pub(crate) dev: u64,
    /// Its inode.
    pub(crate) ino: u64,
}

impl Object {
    /// What `fd` names.
    pub(crate) fn of(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let stat = fstat(fd)?;
        Ok(Self {
            fd: fd.as_raw_fd(),
            dev: stat.st_dev,
            ino: stat.st_ino,
        })
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.fd, self.dev, self.ino)
    }
}

impl FromStr for Object {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let mut numbers = text.split(':');
        let mut next = || numbers.next().ok_or(io::ErrorKind::InvalidInput);
        let wrong = |_| io::ErrorKind::InvalidInput;
        Ok(Self {
            fd: next()?.parse().map_err(wrong)?,
            dev: next()?.parse().map_err(wrong)?,
            ino: next()?.parse().map_err(wrong)?,
        })
    }
}

/// Keeps `fds` open in the program that `command` runs, and open here until `command` is dropped.
pub(crate) fn keep_open(command: &mut Command, fds: Vec<OwnedFd>) {
    let clear = move || {
        for fd in &fds {
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        Ok(())
    };
    // SAFETY: by S5; it calls fcntl only.
    unsafe { command.pre_exec(clear) };
}

/// Takes the descriptor that a parent kept open, if it still names the same object. Once per descriptor.
pub(crate) fn take(object: Object) -> io::Result<OwnedFd> {
    if object.fd <= libc::STDERR_FILENO {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: borrowed for this block; fstat and fcntl fail on a number that is not open.
    let fd = unsafe { BorrowedFd::borrow_raw(object.fd) };
    if Object::of(fd)? != object {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: the parent left it open for us; the caller takes each number once.
    Ok(unsafe { OwnedFd::from_raw_fd(object.fd) })
}

/// Asks something of the descriptor with this number, if it is open.
pub(crate) fn at<T>(fd: RawFd, ask: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: borrowed for this call; whatever asks fails on a number that is not open.
    ask(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Has the number `fd`, if it is open, name what `other` names. Whoever owns the number goes on owning it.
pub(crate) fn replace(fd: RawFd, other: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes numbers only; the number stays open, so that its owner may close it.
    let made = unsafe { libc::dup3(other.as_raw_fd(), fd, libc::O_CLOEXEC) };
    Errno::result(made)?;
    Ok(())
}
