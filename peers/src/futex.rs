//! Sleeping on a word that processes share.

use std::sync::atomic::{AtomicU32, Ordering};

/// Sleeps until woken, unless the word has another value; tells whether it slept.
pub(crate) fn wait(word: &AtomicU32, value: u32) -> bool {
    // SAFETY: a futex on a live word, without a time-out.
    let code = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            value,
            std::ptr::null::<libc::timespec>(),
        )
    };
    code == 0
}

/// Wakes so many sleepers at most, and tells how many slept.
pub(crate) fn wake(word: &AtomicU32, most: i32) -> i64 {
    // SAFETY: a futex on a live word.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, most) }
}

/// Counts what has happened; whoever waits for it sleeps.
#[repr(C, align(128))]
pub(crate) struct Tide(AtomicU32);

impl Tide {
    /// Counts one more, and wakes everybody.
    pub(crate) fn rise(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
        wake(&self.0, i32::MAX);
    }

    /// Sleeps until so many are counted.
    pub(crate) fn reach(&self, mark: u32) {
        loop {
            let now = self.0.load(Ordering::Acquire);
            if now >= mark {
                return;
            }
            wait(&self.0, now);
        }
    }
}
