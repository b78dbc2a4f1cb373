//! The thread that hears of deaths, so that a sleeper need not look for them.
//!
//! The kernel reports every close of a file that inotify watches, also those that a death makes, across
//! namespaces, whoever holds the descriptor. One thread a process waits for these reports and rings the
//! bell of the channel. It starts when an endpoint of the process first sleeps for long, and costs nothing until somebody closes.
//!
//! A dying process is reported just before its locks are given back, so after a report the thread looks at who is
//! there again and again, at intervals that double, until that is certain to be over.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    process,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor},
        signal::{SigSet, SigmaskHow},
    },
};

use crate::{
    presence,
    sync::{AtomicU32, Ordering},
};

/// The name of the thread.
pub(crate) const THREAD: &str = "laneway-watch";
/// When to look for the first time after a report.
const FIRST: Duration = Duration::from_millis(1);
/// The interval that is not doubled any more.
const LAST: Duration = Duration::from_secs(16);

/// The process whose thread watches, 0 if none does. A forked child has the memory and not the thread.
static HOME: AtomicU32 = AtomicU32::new(0);
static WATCHER: Mutex<Option<Watcher>> = Mutex::new(None);

/// Wakes those who sleep, so that they look who is there.
pub(crate) type Alarm = Box<dyn Fn() + Send>;

/// Has an alarm called whenever somebody closes an object, as long as it lives.
#[derive(Debug)]
pub(crate) struct Watch {
    object: WatchDescriptor,
    id: u64,
    home: u32,
}

struct Watcher {
    inotify: Inotify,
    next: u64,
    objects: HashMap<WatchDescriptor, Vec<Watched>>,
}

/// One endpoint's wish to hear of an object.
struct Watched {
    id: u64,
    alarm: Alarm,
    fd: OwnedFd,
    /// Who was there at the last look.
    there: Vec<i64>,
    /// The next look, and the interval before it.
    next: Option<(Instant, Duration)>,
}

impl Watch {
    /// Watches `fd`'s object.
    ///
    /// # Errors
    /// No inotify instance left (`fs.inotify.max_user_instances`), no thread, or this process was forked from one that watches.
    pub(crate) fn new(fd: BorrowedFd<'_>, alarm: Alarm) -> io::Result<Self> {
        let home = process::id();
        // A forked child may find the mutex held by a thread that it does not have.
        // ORDERING: Relaxed, twice; what it guards is under the mutex.
        let known = HOME.load(Ordering::Relaxed);
        if known != 0 && known != home {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let fd = presence::aside(fd).or_else(|_| fd.try_clone_to_owned())?;
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let mut slot = watcher();
        let watcher = match &mut *slot {
            Some(watcher) => watcher,
            none => {
                let watcher = Watcher::new()?;
                // The thread waits for the mutex. Without it there must be no watcher, or the next to come would rely on nobody.
                start()?;
                // ORDERING: as above.
                HOME.store(home, Ordering::Relaxed);
                none.insert(watcher)
            }
        };
        let object = watcher
            .inotify
            .add_watch(path.as_str(), AddWatchFlags::IN_CLOSE)?;
        let id = watcher.next;
        watcher.next += 1;
        let there = presence::places(&fd)?;
        watcher.objects.entry(object).or_default().push(Watched {
            id,
            alarm,
            fd,
            there,
            next: None,
        });
        Ok(Self { object, id, home })
    }

    /// Whether it works in this process: not in a forked child.
    pub(crate) fn works(&self) -> bool {
        self.home == process::id()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.works() {
            return;
        }
        if let Some(watcher) = &mut *watcher()
            && let Entry::Occupied(mut entry) = watcher.objects.entry(self.object)
        {
            entry.get_mut().retain(|watched| watched.id != self.id);
            if entry.get().is_empty() {
                entry.remove();
                // It fails only if the object is gone.
                let _ = watcher.inotify.rm_watch(self.object);
            }
        }
    }
}

fn watcher() -> MutexGuard<'static, Option<Watcher>> {
    // Nothing in here is left half done by a panic.
    WATCHER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread, which takes no signal from the program's threads.
fn start() -> io::Result<()> {
    let mut before = SigSet::empty();
    nix::sys::signal::pthread_sigmask(
        SigmaskHow::SIG_SETMASK,
        Some(&SigSet::all()),
        Some(&mut before),
    )?;
    let started = thread::Builder::new()
        .name(THREAD.into())
        .stack_size(128 << 10)
        .spawn(listen);
    before.thread_set_mask()?;
    started.map(drop)
}

/// What the thread does.
fn listen() {
    let Some(inotify) = watcher()
        .as_ref()
        .and_then(|w| w.inotify.as_fd().try_clone_to_owned().ok())
    else {
        return;
    };
    let mut pause = None;
    loop {
        let timeout = pause.map_or(PollTimeout::NONE, |pause: Duration| {
            // A millisecond more, since what is left of one is cut off.
            PollTimeout::try_from(pause + FIRST).unwrap_or(PollTimeout::MAX)
        });
        match poll(
            &mut [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)],
            timeout,
        ) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
        pause = match &mut *watcher() {
            Some(watcher) => watcher.turn(Instant::now()),
            None => return,
        };
    }
}

impl Watcher {
    fn new() -> io::Result<Self> {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        Ok(Self {
            inotify: Inotify::init(flags)?,
            next: 0,
            objects: HashMap::new(),
        })
    }

    /// Reads the reports, makes the looks that are due, and tells how long until the next.
    fn turn(&mut self, now: Instant) -> Option<Duration> {
        for event in self.inotify.read_events().unwrap_or_default() {
            let lost = event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
            for (object, all) in &mut self.objects {
                if lost || *object == event.wd {
                    for watched in all {
                        (watched.alarm)();
                        watched.next = Some((now + FIRST, FIRST));
                    }
                }
            }
        }
        let all = self.objects.values_mut().flatten();
        let next = all.filter_map(|watched| watched.look(now)).min();
        next.map(|at| at.saturating_duration_since(now))
    }
}

impl Watched {
    /// Looks who is there, if that is due, and tells when it is due again.
    fn look(&mut self, now: Instant) -> Option<Instant> {
        let (at, interval) = self.next?;
        if at <= now {
            if let Ok(there) = presence::places(&self.fd)
                && there != self.there
            {
                self.there = there;
                (self.alarm)();
            }
            let doubled = interval * 2;
            self.next = (doubled <= LAST).then_some((now + doubled, doubled));
        }
        self.next.map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::End;
    use nix::{
        fcntl::OFlag,
        sys::memfd::{MFdFlags, memfd_create},
    };
    use std::sync::mpsc;

    #[test]
    fn a_close_is_reported_and_nothing_else() {
        let fd = memfd_create("watched", MFdFlags::MFD_CLOEXEC).expect("makes");
        let other = presence::reopen(&fd, OFlag::O_RDWR).expect("opens");
        presence::join(&other, End::Sender).expect("joins");
        let (tx, rx) = mpsc::channel();
        let alarm = Box::new(move || tx.send(()).expect("sends"));
        let watch = Watch::new(fd.as_fd(), alarm).expect("watches");
        assert!(watch.works());
        assert_eq!(presence::places(&fd).expect("tells").len(), 1);
        assert!(rx.try_recv().is_err(), "nobody closed");
        drop(other);
        rx.recv().expect("is told");
        assert_eq!(presence::places(&fd).expect("tells").len(), 0);
        drop(watch);
        // With the watch its alarm goes, and with that the sending end.
        while rx.recv().is_ok() {}
    }
}
