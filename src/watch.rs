//! The thread that hears of deaths, so that a sleeper need not look for them, and of news for those who await several things at once.
//!
//! The kernel reports every close of a file that inotify watches, also those that a death makes, across
//! namespaces, whoever holds the descriptor. One thread a process waits for these reports and rings the
//! bell of the channel. It starts when an endpoint of the process first sleeps for long, and costs nothing until somebody closes.
//!
//! Reads are reported as well, if somebody wants to hear of them: so whoever rings a bell reaches those who do not sleep on it (see
//! [`Bell::call`](crate::wait::Bell::call)), in any process, with nothing but the object that both have open.
//!
//! A dying process is reported just before its locks are given back, so after a report the thread looks at who is
//! there again and again, at intervals that double, until that is certain to be over.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    process,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    task::Waker,
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
    sys::report,
};

/// The name of the thread.
pub(crate) const THREAD: &str = "laneway-watch";
/// When to look for the first time after a report.
const FIRST: Duration = Duration::from_millis(1);
/// The interval that is not doubled any more.
const LAST: Duration = Duration::from_secs(16);
/// The same for looks without a report: of a death that was reported to nobody, because nobody watched yet.
const UNREPORTED: Duration = Duration::from_millis(64);

/// The process whose thread watches, 0 if none does. A forked child has the memory and not the thread.
static HOME: AtomicU32 = AtomicU32::new(0);
static WATCHER: Mutex<Option<Watcher>> = Mutex::new(None);

/// Wakes those who sleep, so that they look who is there.
pub(crate) type Alarm = Box<dyn Fn() + Send>;
/// Tells whom to wake after a report: it may be for others.
pub(crate) type Called = Box<dyn Fn() -> Option<Waker> + Send>;

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
    /// Those at which to look again.
    restless: HashSet<WatchDescriptor>,
}

/// One endpoint's wish to hear of an object.
struct Watched {
    id: u64,
    alarm: Alarm,
    called: Option<Called>,
    fd: Arc<OwnedFd>,
    /// Who was there at the last look.
    there: Vec<i64>,
    next: Option<Look>,
}

/// When to look who is there.
#[derive(Clone, Copy)]
struct Look {
    at: Instant,
    /// Since the one before.
    interval: Duration,
    /// The interval that is not doubled any more.
    last: Duration,
}

impl Look {
    fn first(now: Instant, last: Duration) -> Self {
        Self {
            at: now + FIRST,
            interval: FIRST,
            last,
        }
    }
}

impl Watch {
    /// Watches the object that `fd` was opened for.
    ///
    /// # Errors
    /// No inotify instance left (`fs.inotify.max_user_instances`), no thread, or this process was forked from one that watches.
    pub(crate) fn new(fd: Arc<OwnedFd>, alarm: Alarm) -> io::Result<Self> {
        let home = process::id();
        // A forked child may find the mutex held by a thread that it does not have.
        // ORDERING: Relaxed, twice; what it guards is under the mutex.
        let known = HOME.load(Ordering::Relaxed);
        if known != 0 && known != home {
            return Err(io::ErrorKind::Unsupported.into());
        }
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
        // Whoever watches it already may want more.
        let object = watcher.add(&fd, AddWatchFlags::from_bits_retain(libc::IN_MASK_ADD))?;
        let id = watcher.next;
        watcher.next += 1;
        let there = presence::places(&fd)?;
        watcher.objects.entry(object).or_default().push(Watched {
            id,
            alarm,
            called: None,
            fd,
            there,
            next: None,
        });
        Ok(Self { object, id, home })
    }

    /// Has `called` asked whom to wake, at every report of news or of a close, and soon for the first time: then it is certain that
    /// reports arrive.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn call(&self, called: Called) -> io::Result<()> {
        if !self.works() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut slot = watcher();
        let watcher = slot.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let all = watcher.objects.get_mut(&self.object);
        let ours = all.and_then(|all| all.iter_mut().find(|watched| watched.id == self.id));
        let ours = ours.ok_or(io::ErrorKind::NotFound)?;
        ours.called = Some(called);
        ours.next = Some(Look::first(Instant::now(), UNREPORTED));
        let fd = Arc::clone(&ours.fd);
        watcher.restless.insert(self.object);
        watcher.add(&fd, AddWatchFlags::IN_ACCESS)?;
        report::report(&Some(fd))
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
                watcher.restless.remove(&self.object);
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
    let (unnamed, named) = mpsc::channel::<()>();
    let started = thread::Builder::new()
        .name(THREAD.into())
        .stack_size(128 << 10)
        .spawn(move || {
            drop(unnamed);
            listen();
        });
    before.thread_set_mask()?;
    if started.is_ok() {
        // Until it has its name it is taken for one of the program's, with which nobody may fork. It fails when the other end is dropped.
        let _ = named.recv();
    }
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
        let mut wakers = Vec::new();
        pause = match &mut *watcher() {
            Some(watcher) => watcher.turn(Instant::now(), &mut wakers),
            None => return,
        };
        // They may do anything, also drop an end, which takes the mutex.
        wakers.drain(..).for_each(Waker::wake);
    }
}

impl Watcher {
    fn new() -> io::Result<Self> {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        Ok(Self {
            inotify: Inotify::init(flags)?,
            next: 0,
            objects: HashMap::new(),
            restless: HashSet::new(),
        })
    }

    /// Has closes of the object reported, and what `flags` say.
    fn add(&self, fd: &OwnedFd, flags: AddWatchFlags) -> io::Result<WatchDescriptor> {
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let flags = flags | AddWatchFlags::IN_CLOSE;
        Ok(self.inotify.add_watch(path.as_str(), flags)?)
    }

    /// Reads the reports, makes the looks that are due, and tells whom to wake and how long until the next.
    fn turn(&mut self, now: Instant, wakers: &mut Vec<Waker>) -> Option<Duration> {
        for event in self.inotify.read_events().unwrap_or_default() {
            if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                self.restless.extend(self.objects.keys());
                for watched in self.objects.values_mut().flatten() {
                    watched.hear(true, now, wakers);
                }
            } else if let Some(all) = self.objects.get_mut(&event.wd) {
                let closed = event.mask.intersects(AddWatchFlags::IN_CLOSE);
                if closed {
                    self.restless.insert(event.wd);
                }
                for watched in all {
                    watched.hear(closed, now, wakers);
                }
            }
        }
        let mut next: Option<Instant> = None;
        let objects = &mut self.objects;
        self.restless.retain(|object| {
            let all = objects.get_mut(object).into_iter().flatten();
            let at = all.filter_map(|watched| watched.look(now, wakers)).min();
            next = [next, at].into_iter().flatten().min();
            at.is_some()
        });
        next.map(|at| at.saturating_duration_since(now))
    }
}

impl Watched {
    /// Passes a report on.
    fn hear(&mut self, closed: bool, now: Instant, wakers: &mut Vec<Waker>) {
        if closed {
            (self.alarm)();
            self.next = Some(Look::first(now, LAST));
        }
        wakers.extend(self.called.as_ref().and_then(|called| called()));
    }

    /// Looks who is there, if that is due, and tells when it is due again.
    fn look(&mut self, now: Instant, wakers: &mut Vec<Waker>) -> Option<Instant> {
        let look = self.next?;
        if look.at <= now {
            if let Ok(there) = presence::places(&self.fd)
                && there != self.there
            {
                self.there = there;
                (self.alarm)();
                wakers.extend(self.called.as_ref().and_then(|called| called()));
            }
            let interval = look.interval * 2;
            self.next = (interval <= look.last).then_some(Look {
                at: now + interval,
                interval,
                ..look
            });
        }
        self.next.map(|look| look.at)
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

    #[test]
    fn a_close_is_reported_and_nothing_else() {
        let fd = memfd_create("watched", MFdFlags::MFD_CLOEXEC).expect("makes");
        let other = presence::reopen(&fd, OFlag::O_RDWR).expect("opens");
        presence::join(&other, End::Sender).expect("joins");
        let (tx, rx) = mpsc::channel();
        let alarm = Box::new(move || tx.send(()).expect("sends"));
        let fd = Arc::new(fd);
        let watch = Watch::new(Arc::clone(&fd), alarm).expect("watches");
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
