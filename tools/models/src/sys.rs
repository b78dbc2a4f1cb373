//! Stands for src/sys: the kernel.

/// A futex that sleeps until it is woken: in a model nothing times out, so that a wake-up that is lost is a deadlock, which loom
/// tells. Except where a model says that naps end.
pub(crate) mod futex {
    use std::{io, sync::atomic::AtomicBool};

    use loom::{
        lazy_static,
        sync::{Condvar, Mutex},
    };

    use crate::{
        Deadline,
        sync::{AtomicU32, Ordering, make_way},
    };

    lazy_static! {
        /// The kernel's queue: whether to sleep is decided under its lock, and so is whom to wake.
        static ref QUEUE: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());
    }

    static NAPS_END: AtomicBool = AtomicBool::new(false);

    /// Says whether a sleep with a deadline ends by itself.
    pub(crate) fn naps_end(end: bool) {
        NAPS_END.store(end, Ordering::Relaxed);
    }

    pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Deadline) -> bool {
        if deadline != Deadline::NEVER && NAPS_END.load(Ordering::Relaxed) {
            make_way();
            return false;
        }
        let (lock, bell) = &*QUEUE;
        let queue = lock.lock().expect("no panic");
        if word.load(Ordering::Relaxed) != expected {
            return false;
        }
        drop(bell.wait(queue).expect("no panic"));
        true
    }

    pub(crate) fn wake(_: &AtomicU32, count: i32) -> io::Result<usize> {
        let (lock, bell) = &*QUEUE;
        let queue = lock.lock().expect("no panic");
        if count == 1 {
            bell.notify_one();
        } else {
            bell.notify_all();
        }
        drop(queue);
        Ok(0)
    }
}

/// What inotify reports on an object, to whoever watches it.
pub(crate) mod report {
    use std::io;

    use loom::{
        lazy_static,
        sync::{Condvar, Mutex},
    };

    /// There is one.
    pub(crate) type Object = ();

    lazy_static! {
        /// How many reports there were.
        static ref REPORTS: (Mutex<u32>, Condvar) = (Mutex::new(0), Condvar::new());
    }

    pub(crate) fn report(_: &Object) -> io::Result<()> {
        let (count, heard) = &*REPORTS;
        *count.lock().expect("no panic") += 1;
        heard.notify_all();
        Ok(())
    }

    /// How many there were.
    pub(crate) fn count() -> u32 {
        *REPORTS.0.lock().expect("no panic")
    }

    /// Waits for another, after so many.
    pub(crate) fn wait(seen: u32) {
        let (count, heard) = &*REPORTS;
        let mut count = count.lock().expect("no panic");
        while *count == seen {
            count = heard.wait(count).expect("no panic");
        }
    }
}

/// A barrier in every process: see `sync::compiler_fence`.
pub(crate) mod membarrier {
    use std::sync::atomic::AtomicBool;

    use crate::sync::{Ordering, fence};

    static WORKS: AtomicBool = AtomicBool::new(true);

    /// Says whether this system has one.
    pub(crate) fn works(works: bool) {
        WORKS.store(works, Ordering::Relaxed);
    }

    pub(crate) fn register() -> bool {
        WORKS.load(Ordering::Relaxed)
    }

    pub(crate) fn barrier() -> bool {
        let works = WORKS.load(Ordering::Relaxed);
        if works {
            fence(Ordering::SeqCst);
        }
        works
    }
}
