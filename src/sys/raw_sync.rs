//! raw_sync's mutex as a [`Lock`], for comparison: it does not survive its holder.

use std::{io, mem, ptr};

use raw_sync::{
    Timeout,
    locks::{LockImpl, LockInit, Mutex},
};

use crate::{
    Deadline,
    lock::{Lock, LockError},
    sync::UnsafeCell,
};

/// Where such a mutex lies.
#[repr(C, align(64))]
pub(crate) struct MutexPlace(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: by S4; a pthread mutex is made to be used by many threads.
unsafe impl Sync for MutexPlace {}

impl MutexPlace {
    fn as_ptr(&self) -> *mut u8 {
        self.0.get().cast()
    }
}

/// raw_sync's process-shared mutex in its place.
pub(crate) struct RawSyncMutex(Box<dyn LockImpl>);

// SAFETY: by S4; it holds nothing but the address of a process-shared pthread mutex.
unsafe impl Send for RawSyncMutex {}
// SAFETY: as above; only `lock` and `release` are called, which many threads may.
unsafe impl Sync for RawSyncMutex {}

impl RawSyncMutex {
    /// Makes one in `place`. Nobody else may know the place yet (S4).
    pub(crate) fn init(place: &MutexPlace) -> io::Result<()> {
        // SAFETY: by S4; the place is as large and as aligned as a pthread mutex.
        let made = unsafe { Mutex::new(place.as_ptr(), ptr::null_mut()) };
        made.map(drop).map_err(|e| io::Error::other(e.to_string()))
    }

    /// The one that was made in `place`, which must outlive it.
    pub(crate) fn existing(place: &MutexPlace) -> Result<Self, LockError> {
        // SAFETY: by S4.
        let made = unsafe { Mutex::from_existing(place.as_ptr(), ptr::null_mut()) };
        made.map(|(lock, _)| Self(lock))
            .map_err(|_| LockError::Lost)
    }
}

impl Lock for RawSyncMutex {
    /// Asks again and again until the deadline: raw_sync's timed lock is broken (docs/design.md).
    #[cold]
    fn lock(&self, deadline: Deadline) -> Result<(), LockError> {
        if deadline == Deadline::NEVER {
            let guard = self.0.lock().map_err(|_| LockError::Lost)?;
            mem::forget(guard);
            return Ok(());
        }
        loop {
            match self.0.try_lock(Timeout::Val(std::time::Duration::ZERO)) {
                Ok(guard) => {
                    mem::forget(guard);
                    return Ok(());
                }
                Err(_) if deadline.has_passed() => return Err(LockError::Busy),
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    #[cold]
    fn unlock(&self) {
        // It fails only for one who does not have it.
        let _ = self.0.release();
    }
}

impl std::fmt::Debug for RawSyncMutex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawSyncMutex")
    }
}
