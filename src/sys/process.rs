//! Children, told apart by descriptors of processes, which are never used again for another.

use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Command, ExitStatus},
    ptr,
};

use nix::{
    errno::Errno,
    sys::{prctl, signal::Signal},
    unistd::{ForkResult, Pid, getppid},
};

/// Forks. The child gets `None`.
///
/// # Safety
/// No other thread of this process may hold what the child needs: a lock of the memory allocator apart, which glibc sees to.
pub(crate) unsafe fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the caller vouches for other threads.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// A descriptor of the process `pid`, which must not have been reaped. It polls as readable once the process has ended.
pub(crate) fn descriptor(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = RawFd::try_from(Errno::result(fd)?).map_err(io::Error::other)?;
    // SAFETY: by S6.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to the process behind a descriptor.
pub(crate) fn send(process: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
    let none: *const libc::siginfo_t = ptr::null();
    // SAFETY: takes numbers, and a null pointer where that is allowed.
    let status = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            signal as libc::c_int,
            none,
            0,
        )
    };
    Errno::result(status)?;
    Ok(())
}

/// Reaps the child behind a descriptor, if it has ended.
pub(crate) fn reap(process: BorrowedFd<'_>) -> io::Result<Option<ExitStatus>> {
    let id = libc::id_t::try_from(process.as_raw_fd()).map_err(io::Error::other)?;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG;
    // SAFETY: by S1.
    while unsafe { libc::waitid(libc::P_PIDFD, id, info.as_mut_ptr(), options) } != 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: by S2; zeroes are a valid siginfo too.
    let info = unsafe { info.assume_init() };
    // SAFETY: of a child, or zeroes if none has ended: the field is there.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    // As wait(2) tells it.
    Ok((pid != 0).then(|| {
        ExitStatus::from_raw(match info.si_code {
            libc::CLD_EXITED => (status & 0xff) << 8,
            libc::CLD_DUMPED => status | 0x80,
            _ => status,
        })
    }))
}

/// Has the kernel kill this process when the thread that started it ends. `parent` has started it; if that
/// is gone already, this process ends now.
pub(crate) fn end_with(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // It may have died before the line above, and then nobody tells us.
    if getppid() == parent {
        Ok(())
    } else {
        Err(io::ErrorKind::NotConnected.into())
    }
}

/// Has the program that `command` runs end with the thread that starts it.
pub(crate) fn tie(command: &mut Command) {
    let parent = nix::unistd::getpid();
    // SAFETY: by S5; it makes two system calls.
    unsafe { command.pre_exec(move || end_with(parent)) };
}

/// Ends this process without running anything that its parent had registered for its own end.
pub(crate) fn end(code: u8) -> ! {
    // SAFETY: takes a number, and does not return.
    unsafe { libc::_exit(code.into()) }
}

/// Names this process for those who list processes; cut to 15 bytes.
pub(crate) fn set_name(name: &str) {
    // A name with a NUL byte is no name, and it is for people only.
    if let Ok(name) = CString::new(name) {
        let _ = prctl::set_name(&name);
    }
}
