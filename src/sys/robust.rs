//! A mutex between processes whose holder may die.

use std::{io, mem::MaybeUninit};

use crate::{
    Deadline,
    lock::{Held, Lock, LockError},
    sync::UnsafeCell,
};

/// A process-shared robust pthread mutex, in place.
///
/// When a thread dies holding it, by whatever cause, the kernel walks its robust list and the next
/// to lock gets it with [`Held::OwnerDied`].
#[repr(C, align(64))]
pub(crate) struct RobustMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: by S4; a pthread mutex is made to be used by many threads.
unsafe impl Sync for RobustMutex {}

unsafe extern "C" {
    /// glibc 2.30; libc does not declare it.
    fn pthread_mutex_clocklock(
        mutex: *mut libc::pthread_mutex_t,
        clock: libc::clockid_t,
        deadline: *const libc::timespec,
    ) -> libc::c_int;
}

fn check(code: libc::c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

impl RobustMutex {
    /// Its place.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.0.get().cast()
    }

    /// Makes it, unlocked. Nobody else may know the place yet (S4).
    pub(crate) fn init(&self) -> io::Result<()> {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: by S1.
        check(unsafe { libc::pthread_mutexattr_init(attributes) })?;
        // SAFETY: by S1, initialised above.
        check(unsafe {
            libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED)
        })?;
        // SAFETY: by S1, initialised above.
        check(unsafe {
            libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST)
        })?;
        // SAFETY: by S4.
        let made = check(unsafe { libc::pthread_mutex_init(self.0.get(), attributes) });
        // SAFETY: by S1, initialised above and not used again.
        check(unsafe { libc::pthread_mutexattr_destroy(attributes) })?;
        made
    }

    #[cold]
    fn lock_slowly(&self, deadline: Deadline) -> Result<Held, LockError> {
        let code = match deadline.remaining() {
            // SAFETY: by S4.
            None => unsafe { libc::pthread_mutex_lock(self.0.get()) },
            Some(left) => {
                let mut at = libc::timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                };
                // SAFETY: by S1.
                unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut at) };
                let nanos = at.tv_nsec + libc::c_long::from(left.subsec_nanos());
                at.tv_nsec = nanos % 1_000_000_000;
                let seconds = libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX);
                let seconds = seconds.saturating_add(nanos / 1_000_000_000);
                at.tv_sec = at.tv_sec.saturating_add(seconds);
                // SAFETY: by S1 and S4.
                unsafe {
                    pthread_mutex_clocklock(self.0.get(), libc::CLOCK_MONOTONIC, &raw const at)
                }
            }
        };
        outcome(code)
    }
}

impl Lock for RobustMutex {
    #[inline]
    fn lock(&self, deadline: Deadline) -> Result<Held, LockError> {
        // SAFETY: by S4.
        let code = unsafe { libc::pthread_mutex_trylock(self.0.get()) };
        match code {
            0 => Ok(Held::Clean),
            libc::EBUSY => self.lock_slowly(deadline),
            code => outcome(code),
        }
    }

    fn recover(&self) {
        // SAFETY: by S4; the caller has the lock, else the call fails without harm.
        unsafe { libc::pthread_mutex_consistent(self.0.get()) };
    }

    #[inline]
    fn unlock(&self) {
        // SAFETY: by S4; a robust mutex refuses the unlock of one who does not have it.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }
}

fn outcome(code: libc::c_int) -> Result<Held, LockError> {
    match code {
        0 => Ok(Held::Clean),
        libc::EOWNERDEAD => Ok(Held::OwnerDied),
        libc::ETIMEDOUT | libc::EBUSY => Err(LockError::Busy),
        _ => Err(LockError::Lost),
    }
}
