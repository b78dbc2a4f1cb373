//! Sleeping on a word of shared memory.

use std::{io, ptr};

use crate::{Deadline, sync::AtomicU32};

/// Sleeps while `word` is `expected`, until a wake-up or the deadline, and tells whether it slept and was woken.
/// May be woken for no reason.
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Deadline) -> bool {
    let timeout = deadline.remaining().map(|left| libc::timespec {
        tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // Not FUTEX_PRIVATE: the word is shared between processes. The time-out is relative, on the monotonic clock.
    // SAFETY: by S1 and S3.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            timeout,
        )
    };
    result == 0
}

/// Wakes up to `count` sleepers on `word` and tells how many there were.
pub(crate) fn wake(word: &AtomicU32, count: i32) -> io::Result<usize> {
    // SAFETY: by S1 and S3.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
    usize::try_from(woken).map_err(|_| io::Error::last_os_error())
}
