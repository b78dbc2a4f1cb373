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
//!
//! What it calls is the program's own in part, as wakers are, and may panic: that is caught, and the thread goes on. If it should end
//! nevertheless, all watches of its time say that they do not work, everybody is woken to see that, and the next to watch starts another.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
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
/// Which of the threads that this process has started runs, counted from 1; 0 if none does.
static RUNNING: AtomicU32 = AtomicU32::new(0);
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
    /// Which thread hears of it.
    thread: u32,
}

struct Watcher {
    inotify: Inotify,
    thread: u32,
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
                start(watcher.thread)?;
                // ORDERING: as above, twice.
                HOME.store(home, Ordering::Relaxed);
                RUNNING.store(watcher.thread, Ordering::Relaxed);
                none.insert(watcher)
            }
        };
        // Whoever watches it already may want more.
        let object = watcher.add(&fd, AddWatchFlags::from_bits_retain(libc::IN_MASK_ADD))?;
        let (id, thread) = (watcher.next, watcher.thread);
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
        Ok(Self {
            object,
            id,
            home,
            thread,
        })
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
        let watcher = slot
            .as_mut()
            .filter(|watcher| watcher.thread == self.thread);
        let watcher = watcher.ok_or(io::ErrorKind::NotFound)?;
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

    /// Whether it works in this process: not in a forked child, nor after the end of the thread.
    pub(crate) fn works(&self) -> bool {
        // ORDERING: Relaxed; whoever is woken when the thread ends is woken after this was written.
        self.home == process::id() && RUNNING.load(Ordering::Relaxed) == self.thread
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.works() {
            return;
        }
        if let Some(watcher) = &mut *watcher()
            && watcher.thread == self.thread
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

/// Calls what may be the program's own. A panic of it, which the program's hook has told of, is its own too.
fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // What it carries may panic as well when it goes, so it stays.
            std::mem::forget(payload);
            None
        }
    }
}

fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        caught(|| waker.wake());
    }
}

/// What is done when the thread ends, however that comes about.
struct Ending(u32);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut slot = watcher();
        let ended = slot.take_if(|watcher| watcher.thread == self.0);
        if ended.is_some() {
            // ORDERING: Relaxed; what it guards is under the mutex.
            RUNNING.store(0, Ordering::Relaxed);
        }
        // What follows may take it.
        drop(slot);
        let objects = ended.into_iter().flat_map(|watcher| watcher.objects);
        for watched in objects.flat_map(|(_, all)| all) {
            let mut wakers = Vec::new();
            watched.ring();
            watched.ask(&mut wakers);
            wake(wakers);
            caught(|| drop(watched));
        }
    }
}

/// Starts the thread, which takes no signal from the program's threads.
fn start(thread: u32) -> io::Result<()> {
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
            let _ending = Ending(thread);
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
        wake(wakers);
    }
}

impl Watcher {
    fn new() -> io::Result<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);

        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        Ok(Self {
            inotify: Inotify::init(flags)?,
            // ORDERING: Relaxed; only different numbers are wanted.
            thread: STARTED.fetch_add(1, Ordering::Relaxed).wrapping_add(1),
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
            self.ring();
            self.next = Some(Look::first(now, LAST));
        }
        self.ask(wakers);
    }

    /// Calls the alarm.
    fn ring(&self) {
        caught(|| (self.alarm)());
    }

    /// Asks whom to wake.
    fn ask(&self, wakers: &mut Vec<Waker>) {
        let called = self.called.as_ref();
        wakers.extend(called.and_then(|called| caught(called).flatten()));
    }

    /// Looks who is there, if that is due, and tells when it is due again.
    fn look(&mut self, now: Instant, wakers: &mut Vec<Waker>) -> Option<Instant> {
        let look = self.next?;
        if look.at <= now {
            if let Ok(there) = presence::places(&self.fd)
                && there != self.there
            {
                self.there = there;
                self.ring();
                self.ask(wakers);
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

    /// Held by each test, since one of them ends what all watch by.
    static ALONE: Mutex<()> = Mutex::new(());

    fn alone() -> MutexGuard<'static, ()> {
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn a_close_is_reported_and_nothing_else() {
        let _alone = alone();
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

    /// An end of an object, which is reported when it is dropped.
    fn watched(alarm: impl Fn() + Send + 'static) -> (Watch, OwnedFd) {
        let fd = memfd_create("watched", MFdFlags::MFD_CLOEXEC).expect("makes");
        // A byte of it is read to make the first report.
        nix::unistd::ftruncate(&fd, 1).expect("grows");
        let other = presence::reopen(&fd, OFlag::O_RDWR).expect("opens");
        let watch = Watch::new(Arc::new(fd), Box::new(alarm)).expect("watches");
        (watch, other)
    }

    /// Whose waker it is that panics.
    struct Careless;

    impl std::task::Wake for Careless {
        fn wake(self: Arc<Self>) {
            panic!("a waker of the program's own (this is meant)");
        }
    }

    #[test]
    fn a_panic_of_a_waker_or_an_alarm_ends_nothing() {
        let _alone = alone();
        let (careless, first) = watched(|| panic!("an alarm (this is meant)"));
        let waker = Waker::from(Arc::new(Careless));
        let called = Box::new(move || Some(waker.clone()));
        careless.call(called).expect("works");
        let (tx, rx) = mpsc::channel();
        let (watch, second) = watched(move || tx.send(()).expect("sends"));
        drop(first);
        drop(second);
        rx.recv().expect("is told");
        assert!(careless.works() && watch.works());
        // Also after all looks have been made, and again.
        let (tx, rx) = mpsc::channel();
        let (_watch, third) = watched(move || tx.send(()).expect("sends"));
        drop(third);
        rx.recv().expect("is told");
    }

    #[test]
    fn whoever_watched_is_told_that_the_thread_has_ended() {
        let _alone = alone();
        let (tx, rx) = mpsc::channel();
        let (watch, _end) = watched(move || tx.send(()).expect("sends"));
        // As the thread does when it ends, which nothing but a fault of ours makes it do.
        drop(Ending(watch.thread));
        rx.recv().expect("is woken");
        assert!(!watch.works());
        // The next starts another.
        let (tx, rx) = mpsc::channel();
        let (next, end) = watched(move || tx.send(()).expect("sends"));
        assert!(next.works() && !watch.works());
        drop(end);
        rx.recv().expect("is told");
        drop(watch);
        assert!(next.works());
    }
}
