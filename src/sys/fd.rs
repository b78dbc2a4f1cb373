//! Descriptors: reading and writing pipes without signals and without flags that other holders would share, and copies with a
//! number that is not too small.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{SigSet, Signal},
};

use crate::{
    Deadline,
    sync::{AtomicBool, Ordering},
};

/// `RWF_NOSIGNAL` of Linux 6.18, which libc does not name yet.
const RWF_NOSIGNAL: libc::c_int = 0x100;

/// Whether this kernel knows `RWF_NOSIGNAL`. Cleared once it said no.
static HAS_NOSIGNAL: AtomicBool = AtomicBool::new(true);

/// Another descriptor of the same description, `least` or above. It is closed when another program is run.
pub(crate) fn copy_from(fd: BorrowedFd<'_>, least: i32) -> io::Result<OwnedFd> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(least))?;
    // SAFETY: by S6.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Whether a call may sleep in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// Until something moves.
    Yes,
    /// `EAGAIN` instead.
    No,
}

/// What becomes of a process that writes where nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sigpipe {
    /// Nothing: it ignores the signal.
    Ignored,
    /// Something must keep the signal from it.
    Raised,
}

impl Sigpipe {
    /// As this process has it now. Rust's own programs ignore it from the start.
    pub(crate) fn now() -> Self {
        let mut found = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: by S1; no action is set, and the old one written.
        let status = unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), found.as_mut_ptr()) };
        // SAFETY: by S2; zeroes are a valid action, SIG_DFL.
        let found = unsafe { found.assume_init() };
        if status == 0 && found.sa_sigaction == libc::SIG_IGN {
            Self::Ignored
        } else {
            Self::Raised
        }
    }
}

/// Reads what is there, at most `buf.len()` bytes. 0 means that no writer is left.
#[inline]
pub(crate) fn read(fd: BorrowedFd<'_>, buf: &mut [u8], block: Block) -> io::Result<usize> {
    if block == Block::Yes {
        // A third faster than any call that takes flags.
        return retry(|| {
            // SAFETY: by S1.
            unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) }
        });
    }
    let iov = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    };
    retry(|| {
        // SAFETY: by S1, with one iovec over `buf`.
        unsafe { libc::preadv2(fd.as_raw_fd(), &raw const iov, 1, -1, libc::RWF_NOWAIT) }
    })
}

/// Writes `parts` in one call and tells how many bytes went. A pipe without a reader is `EPIPE`, never a signal.
#[inline]
pub(crate) fn write(
    fd: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    block: Block,
    sigpipe: Sigpipe,
) -> io::Result<usize> {
    if let ([part], Block::Yes, Sigpipe::Ignored) = (parts, block, sigpipe) {
        // A third faster than any call that takes flags.
        let (fd, from, len) = (fd.as_raw_fd(), part.as_ptr(), part.len());
        return at_once(move || {
            // SAFETY: by S1.
            unsafe { libc::write(fd, from.cast(), len) }
        });
    }
    write_unsignalled(fd, parts, block)
}

fn write_unsignalled(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>], block: Block) -> io::Result<usize> {
    let wait = match block {
        Block::Yes => 0,
        Block::No => libc::RWF_NOWAIT,
    };
    // ORDERING: Relaxed; whoever reads a stale `true` asks the kernel again and learns the same.
    if HAS_NOSIGNAL.load(Ordering::Relaxed) {
        match write_flags(fd, parts, wait | RWF_NOSIGNAL) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                // ORDERING: Relaxed; as above.
                HAS_NOSIGNAL.store(false, Ordering::Relaxed);
            }
            result => return result,
        }
    }
    without_sigpipe(|| write_flags(fd, parts, wait))
}

fn write_flags(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>], flags: libc::c_int) -> io::Result<usize> {
    let count = libc::c_int::try_from(parts.len()).unwrap_or(libc::c_int::MAX);
    // IoSlice has the layout of iovec: std says so.
    let iov: *const libc::iovec = parts.as_ptr().cast();
    retry(|| {
        // SAFETY: by S1, with one iovec for each part.
        unsafe { libc::pwritev2(fd.as_raw_fd(), iov, count, -1, flags) }
    })
}

/// Runs a write with SIGPIPE blocked, and takes back the one it raised.
fn without_sigpipe(call: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    let mut pipe = SigSet::empty();
    pipe.add(Signal::SIGPIPE);
    let before = pipe.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
    let result = call();
    if let Err(error) = &result
        && error.raw_os_error() == Some(libc::EPIPE)
        && !before.contains(Signal::SIGPIPE)
    {
        take_pending(&pipe);
    }
    before.thread_set_mask()?;
    result
}

fn take_pending(set: &SigSet) {
    let zero = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: by S1; a null siginfo is allowed.
    unsafe { libc::sigtimedwait(set.as_ref(), ptr::null_mut(), &raw const zero) };
}

/// Makes EINTR invisible.
#[inline]
pub(super) fn retry(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        match usize::try_from(call()) {
            Ok(moved) => return Ok(moved),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

/// The same, with all that a second call needs out of the way of data that flow.
#[inline]
fn at_once(call: impl Fn() -> isize + Copy) -> io::Result<usize> {
    match usize::try_from(call()) {
        Ok(moved) => Ok(moved),
        #[expect(
            clippy::redundant_closure,
            reason = "a copy: else what `call` holds would be laid in memory before each first call"
        )]
        Err(_) => retry_failed(move || call()),
    }
}

/// `retry` after a call that failed.
#[cold]
fn retry_failed(call: impl FnMut() -> isize) -> io::Result<usize> {
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::Interrupted => retry(call),
        _ => Err(error),
    }
}

/// The bytes that wait in a pipe, asked at either end, or to be read from a socket.
pub(crate) fn unread(fd: BorrowedFd<'_>) -> io::Result<usize> {
    ask(fd, libc::FIONREAD)
}

/// The bytes that a socket's own sending takes of its room, with what the kernel adds to them.
pub(crate) fn unsent(fd: BorrowedFd<'_>) -> io::Result<usize> {
    ask(fd, libc::TIOCOUTQ)
}

/// Asks a question whose answer is a number of bytes.
fn ask(fd: BorrowedFd<'_>, question: libc::c_ulong) -> io::Result<usize> {
    let mut bytes = MaybeUninit::<libc::c_int>::zeroed();
    // SAFETY: by S1; both questions have one int written.
    let status = unsafe { libc::ioctl(fd.as_raw_fd(), question, bytes.as_mut_ptr()) };
    Errno::result(status)?;
    // SAFETY: by S2; an int was there from the start.
    let bytes = unsafe { bytes.assume_init() };
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Sleeps until `fd` has one of `events`, hangs up, or the deadline passes; tells what it has.
pub(crate) fn wait(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    deadline: Deadline,
) -> io::Result<PollFlags> {
    let mut fds = [PollFd::new(fd, events)];
    wait_for_any(&mut fds, deadline)?;
    Ok(fds[0].revents().unwrap_or(PollFlags::empty()))
}

/// Sleeps until one of `fds` has what it is asked for, hangs up, or the deadline passes; each tells what it has.
pub(crate) fn wait_for_any(fds: &mut [PollFd<'_>], deadline: Deadline) -> io::Result<()> {
    loop {
        let timeout = match deadline.remaining() {
            None => PollTimeout::NONE,
            // Rounded up: poll counts milliseconds, and nobody may wake early.
            Some(left) => PollTimeout::try_from(left.as_nanos().div_ceil(1_000_000))
                .unwrap_or(PollTimeout::MAX),
        };
        match poll(fds, timeout) {
            Ok(0) if !deadline.has_passed() => {}
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The length of what `SO_PRIORITY` sets.
const PRIORITY: libc::socklen_t = 4;

/// Gives a socket this priority.
pub(crate) fn set_priority(socket: BorrowedFd<'_>, priority: i32) -> io::Result<()> {
    let (fd, place) = (socket.as_raw_fd(), &raw const priority);
    let (level, name) = (libc::SOL_SOCKET, libc::SO_PRIORITY);
    // SAFETY: by S1; the kernel reads the four bytes at `place`.
    let set = unsafe { libc::setsockopt(fd, level, name, place.cast(), PRIORITY) };
    Errno::result(set)?;
    Ok(())
}

/// The priority of a socket; `None` of what is none.
pub(crate) fn priority(socket: BorrowedFd<'_>) -> Option<i32> {
    let (mut priority, mut len) = (0_i32, PRIORITY);
    let (fd, place, room) = (socket.as_raw_fd(), &raw mut priority, &raw mut len);
    let (level, name) = (libc::SOL_SOCKET, libc::SO_PRIORITY);
    // SAFETY: by S1; the kernel writes four bytes at `place` at most.
    let got = unsafe { libc::getsockopt(fd, level, name, place.cast(), room) };
    Errno::result(got).ok().map(|_| priority)
}

#[cfg(test)]
mod tests {
    use nix::{
        sys::wait::{WaitStatus, waitpid},
        unistd::{ForkResult, fork, pipe},
    };
    use std::os::fd::AsFd;

    use super::*;

    /// Whether a write without a reader is `EPIPE`.
    fn is_told(fd: BorrowedFd<'_>, block: Block) -> bool {
        let written = write(fd, &[IoSlice::new(b"x")], block, Sigpipe::now());
        written.is_err_and(|error| error.raw_os_error() == Some(libc::EPIPE))
    }

    /// Guards: a program that has SIGPIPE as the system gives it lives on, on kernels old and new.
    #[test]
    fn a_write_without_a_reader_never_kills() {
        let (reader, writer) = pipe().expect("opens");
        drop(reader);
        let fd = writer.as_fd();
        for ignored in [false, true] {
            // SAFETY: by S5; the child makes system calls and leaves.
            match unsafe { fork() }.expect("forks") {
                ForkResult::Child => {
                    let action = if ignored {
                        libc::SIG_IGN
                    } else {
                        libc::SIG_DFL
                    };
                    // SAFETY: takes no pointer that is followed.
                    unsafe { libc::signal(libc::SIGPIPE, action) };
                    let mut fine = (Sigpipe::now() == Sigpipe::Ignored) == ignored;
                    fine &= is_told(fd, Block::Yes) && is_told(fd, Block::No);
                    // ORDERING: Relaxed; one thread.
                    HAS_NOSIGNAL.store(false, Ordering::Relaxed);
                    fine &= is_told(fd, Block::Yes) && is_told(fd, Block::No);
                    // SAFETY: ends the child without the parent's destructors.
                    unsafe { libc::_exit(i32::from(!fine)) }
                }
                ForkResult::Parent { child } => {
                    let status = waitpid(child, None).expect("reaps");
                    assert_eq!(status, WaitStatus::Exited(child, 0));
                }
            }
        }
    }
}
