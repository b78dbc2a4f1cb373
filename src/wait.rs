//! The one way to wait for something in shared memory.

use std::{
    hint,
    ops::RangeInclusive,
    sync::OnceLock,
    time::{Duration, Instant},
};

use nix::unistd::{SysconfVar, sysconf};

use crate::{
    Deadline, WaitStrategy, clock,
    crash::{self, Point, Step},
    sync::{AtomicU32, AtomicU64, Ordering, compiler_fence, fence},
    sys::{
        futex, membarrier,
        report::{self, Object},
    },
    tally::Waits,
};

/// How long a sleeper sleeps before it has its channel watched, and until it asks again whether its peers live,
/// where nothing can be watched.
const RECHECK: Duration = Duration::from_millis(20);
/// How long after the start of a watch a sleeper looks for deaths itself: from the report of a death until the
/// locks of the dead are gone there are microseconds, but it may lose its core in between.
const UNREPORTED: Duration = Duration::from_millis(100);
/// How long an answer about the living peers is believed by calls that do not wait.
const BELIEVED: Duration = Duration::from_millis(1);
/// The bit of an event's flag that says that somebody may be asleep.
const RAISED: u32 = 1;
/// The bit that says that somebody awaits a report.
const CALLED: u32 = 2;
/// What is added to the flag each time that it is raised.
const ONCE: u32 = 4;
/// The cost of a wake-up that is believed, in nanoseconds.
const BELIEVABLE: RangeInclusive<u32> = 2_000..=100_000;
/// What a wake-up costs this process, in nanoseconds: a guess at first, then what its own wake-ups took.
static WAKE_UP: AtomicU32 = AtomicU32::new(25_000);

/// How long to ask before sleeping: about what a wake-up costs, and not at all where nobody could answer meanwhile.
fn patience() -> Duration {
    static ALONE: OnceLock<bool> = OnceLock::new();
    // What this process may use is not asked: its peer may be pinned to another core.
    let alone = ALONE.get_or_init(
        || matches!(sysconf(SysconfVar::_NPROCESSORS_ONLN), Ok(Some(cores)) if cores < 2),
    );
    if *alone {
        return Duration::ZERO;
    }
    // ORDERING: Relaxed; a number of its own.
    Duration::from_nanos(WAKE_UP.load(Ordering::Relaxed).into())
}

/// Learns from a wake-up that was rung for at this time.
fn learn(rung: u64) {
    let took = u32::try_from(clock::now().saturating_sub(rung)).unwrap_or(u32::MAX);
    // A clock of another time namespace, a sleeper that was stopped, or nonsense.
    if BELIEVABLE.contains(&took) {
        // ORDERING: Relaxed, twice; threads may overwrite each other's lesson, and the next one comes soon.
        let known = WAKE_UP.load(Ordering::Relaxed);
        WAKE_UP.store(known - known / 8 + took / 8, Ordering::Relaxed);
    }
}

impl WaitStrategy {
    /// Ask for about as long as a wake-up costs, then sleep.
    pub const DEFAULT: Self = Self::Adaptive;

    /// The words that addresses use: `spin`, `yield`, `adaptive`, `park`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "spin" => Some(Self::Spin),
            "yield" => Some(Self::Yield),
            "adaptive" => Some(Self::DEFAULT),
            "park" => Some(Self::Park),
            _ => None,
        }
    }

    /// Its word in an address.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Yield => "yield",
            Self::Adaptive => "adaptive",
            Self::Park => "park",
        }
    }
}

/// Something that happens in shared memory and that others may sleep for.
///
/// A sleeper raises the flag, looks once more, and sleeps on the word. A publisher publishes, then
/// looks at the flag, and only if it is raised changes the word, wakes everybody, and lowers the flag, unless another has
/// raised it meanwhile. So whoever is stopped, or dies, before it has woken them leaves the flag up for the next. A
/// flag that a dead sleeper left raised costs one wake-up of nobody.
///
/// Who cannot sleep on a word, because it waits for other things as well, raises another bit: then whoever wakes the others has
/// the kernel report on the object too, which every process that watches it hears.
#[repr(C)]
pub(crate) struct Event {
    /// Changes at each wake-up.
    word: AtomicU32,
    /// Odd if somebody may be asleep; the second bit if somebody awaits a report. The other bits count how often it was raised.
    flag: AtomicU32,
    /// When the last wake-up was rung for, on the monotonic clock.
    rung: AtomicU64,
}

/// An event, and how its publishers and sleepers keep their stores and loads in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bell<'a> {
    /// What happens.
    pub(crate) event: &'a Event,
    /// Not 0 if publishers must fence, because somebody's system has no membarrier.
    pub(crate) fences: &'a AtomicU32,
    /// What those watch who await reports.
    pub(crate) object: &'a Object,
}

/// Has every process pass a barrier: between raising flags and the look that follows, once for many. `false` if it has not.
pub(crate) fn settle() -> bool {
    let passed = membarrier::barrier();
    // ORDERING: SeqCst; pairs with the fence in `notify`.
    fence(Ordering::SeqCst);
    passed
}

impl Bell<'_> {
    /// Wakes those who sleep. Comes after the publication that they wait for.
    #[inline]
    pub(crate) fn notify(self) {
        self.notify_if(|| true);
    }

    /// The same, if it is `worth` it, which is asked only when somebody sleeps. Of several who publish at once one at least sees what
    /// all have published.
    #[inline]
    pub(crate) fn notify_if(self, worth: impl FnOnce() -> bool) {
        // Between the publication and the look at the flag stands the barrier that the sleeper has all
        // processes pass, or a fence of our own. Either this load sees the flag, or the sleeper's last look sees the publication.
        // ORDERING: Relaxed; set before the first message, and never cleared.
        if self.fences.load(Ordering::Relaxed) == 0 {
            // ORDERING: SeqCst; for the compiler only, pairs with the barrier in `sleep`.
            compiler_fence(Ordering::SeqCst);
        } else {
            // ORDERING: SeqCst; pairs with the fence in `sleep`.
            fence(Ordering::SeqCst);
        }
        // ORDERING: Relaxed; ordered by the barrier.
        if self.event.flag.load(Ordering::Relaxed) & (RAISED | CALLED) != 0 {
            // ORDERING: SeqCst; of two who publish, the one whose fence is later sees what the other published.
            fence(Ordering::SeqCst);
            if worth() {
                self.event.wake(self.object);
            }
        }
    }

    /// What changes at each wake-up.
    pub(crate) fn word(self) -> u32 {
        self.event.word()
    }

    /// Has those who watch the object told when this rings, from the next [`settle`] on. The word was read before.
    pub(crate) fn call(self) {
        self.raise(CALLED);
        if !membarrier::register() {
            // ORDERING: Relaxed; ordered by the fence in `settle`.
            self.fences.store(1, Ordering::Relaxed);
        }
        crash::reach(Point::SleepFlagged);
    }

    fn raise(self, bit: u32) {
        let flag = &self.event.flag;
        // First counted, then raised: who lowers what it saw before must not lower this.
        // ORDERING: Release, twice; pairs with the Acquire in `wake`, and what follows is ordered by the barrier.
        flag.fetch_add(ONCE, Ordering::Release);
        flag.fetch_or(bit, Ordering::Release);
    }

    /// Sleeps until woken or until the deadline, unless `look` finds what it wants after the flag is up.
    fn sleep<T>(self, deadline: Deadline, look: impl FnOnce() -> Option<T>) -> Option<T> {
        let Event { word, rung, .. } = self.event;
        let seen = self.word();
        self.raise(RAISED);
        crash::reach(Point::SleepFlagged);
        if !membarrier::barrier() {
            // ORDERING: Relaxed; ordered by the fence.
            self.fences.store(1, Ordering::Relaxed);
        }
        // ORDERING: SeqCst; pairs with the fence in `notify`.
        fence(Ordering::SeqCst);
        let found = look();
        if found.is_none() && futex::wait(word, seen, deadline) {
            // ORDERING: Relaxed; a time, and believed only within bounds.
            learn(rung.load(Ordering::Relaxed));
            crash::reach(Point::SleepWoken);
        }
        found
    }
}

impl Event {
    /// Wakes those who sleep, whatever the flag says, and has those told who await a report on the object.
    #[cold]
    pub(crate) fn wake(&self, object: &Object) {
        let Self { word, flag, rung } = self;
        // ORDERING: Acquire; pairs with the Release in `raise`: whoever has raised it by now has read the word before it changes.
        let raised = flag.load(Ordering::Acquire);
        crash::reach(Point::WakeSeen);
        // ORDERING: Relaxed; a time, and believed only within bounds.
        rung.store(clock::now(), Ordering::Relaxed);
        // ORDERING: AcqRel; stays between the look at the flag and the wake-up, and pairs with the Acquire in `word`.
        word.fetch_add(1, Ordering::AcqRel);
        crash::reach(Point::WakeChanged);
        // Fails only for memory that is not there, and ours is.
        let _ = futex::wake(word, i32::MAX);
        if raised & CALLED != 0 && !crash::is_left_out(Step::ReportNews) {
            // Fails where the object was made shorter, or is closed, and that is reported.
            let _ = report::report(object);
        }
        // ORDERING: Relaxed, twice; if it was raised since, it stays up.
        let (lowered, relaxed) = (raised & !(RAISED | CALLED), Ordering::Relaxed);
        let _ = flag.compare_exchange(raised, lowered, relaxed, relaxed);
        crash::reach(Point::WakeDone);
    }

    /// How often it was rung, counted round.
    fn rings(&self) -> u32 {
        // ORDERING: Relaxed; a number for people.
        self.word.load(Ordering::Relaxed)
    }

    /// What changes at each wake-up.
    pub(crate) fn word(&self) -> u32 {
        // ORDERING: Acquire; pairs with the AcqRel in `wake`.
        self.word.load(Ordering::Acquire)
    }
}

/// How thoroughly to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// In memory only.
    Memory,
    /// And ask the kernel whether the peers live.
    Kernel,
}

/// One endpoint's way of waiting.
#[derive(Debug)]
pub(crate) struct Waiter {
    strategy: WaitStrategy,
    /// How long it spins before the next sleep: less after spinning was in vain, more after it helped or would have.
    spin: Duration,
    asked: Option<u64>,
    /// When it first was watched.
    watched: Option<Instant>,
}

impl Waiter {
    /// One that waits as `strategy` says.
    pub(crate) fn new(strategy: WaitStrategy) -> Self {
        Self {
            strategy,
            spin: patience(),
            asked: None,
            watched: None,
        }
    }

    /// Whether a first look that failed is worth some more at once.
    pub(crate) fn is_eager(&self) -> bool {
        matches!(self.strategy, WaitStrategy::Spin | WaitStrategy::Adaptive) && !self.spin.is_zero()
    }

    /// Looks until `look` finds something or the deadline passes. The caller has looked once.
    ///
    /// `watched` sees to it that the bell is rung when somebody dies, and tells whether it is. `waits` counts it, unless the deadline is now.
    #[cold]
    pub(crate) fn wait<T>(
        &mut self,
        bell: Bell<'_>,
        deadline: Deadline,
        waits: Waits<'_>,
        watched: &dyn Fn() -> bool,
        look: &mut dyn FnMut(Look) -> Option<T>,
    ) -> Option<T> {
        if deadline == Deadline::NOW {
            return if self.must_ask(clock::now()) {
                look(Look::Kernel)
            } else {
                None
            };
        }
        waits.begin();
        match self.strategy {
            WaitStrategy::Spin => self.poll(deadline, waits, look, hint::spin_loop),
            WaitStrategy::Yield => self.poll(deadline, waits, look, std::thread::yield_now),
            WaitStrategy::Adaptive => {
                let most = patience();
                let start = Instant::now();
                let mut spun = Duration::ZERO;
                if let Some(found) = Self::spin(start, self.spin.min(most), &mut spun, look) {
                    self.spin = (self.spin * 2).min(most);
                    waits.took(spun);
                    return Some(found);
                }
                waits.took(spun);
                let found = self.park(bell, deadline, waits, watched, look);
                // A wake-up costs about one spin: who came back this soon would have been better off spinning.
                self.spin = if start.elapsed() < most * 3 {
                    most
                } else {
                    (self.spin / 2).max(most / 8)
                };
                found
            }
            WaitStrategy::Park => self.park(bell, deadline, waits, watched, look),
        }
    }

    /// `spun` is how long by the last look at the clock.
    fn spin<T>(
        start: Instant,
        time: Duration,
        spun: &mut Duration,
        look: &mut dyn FnMut(Look) -> Option<T>,
    ) -> Option<T> {
        loop {
            // A clock read costs more than a look.
            for _ in 0..16 {
                if let Some(found) = look(Look::Memory) {
                    return Some(found);
                }
                hint::spin_loop();
            }
            *spun = start.elapsed();
            if *spun >= time {
                return None;
            }
        }
    }

    fn poll<T>(
        &mut self,
        deadline: Deadline,
        waits: Waits<'_>,
        look: &mut dyn FnMut(Look) -> Option<T>,
        relax: fn(),
    ) -> Option<T> {
        // The first look at the clock, which is worth none of its own, and the last.
        let (mut since, mut now) = (0, 0);
        let found = loop {
            let found = (0..64).find_map(|_| {
                let found = look(Look::Memory);
                if found.is_none() {
                    relax();
                }
                found
            });
            if found.is_some() {
                break found;
            }
            now = clock::now();
            match since {
                0 => since = now,
                _ => waits.lasts(since),
            }
            if self.must_ask(now)
                && let Some(found) = look(Look::Kernel)
            {
                break Some(found);
            }
            if deadline.has_passed() {
                break None;
            }
        };
        if since != 0 {
            // A wait this long may have lost its core since the last look, and is worth another.
            if now.saturating_sub(since) > 10_000 {
                now = clock::now();
            }
            waits.is_over(since, now);
        }
        found
    }

    fn park<T>(
        &mut self,
        bell: Bell<'_>,
        deadline: Deadline,
        waits: Waits<'_>,
        watched: &dyn Fn() -> bool,
        look: &mut dyn FnMut(Look) -> Option<T>,
    ) -> Option<T> {
        let asleep = Instant::now();
        let since = clock::now();
        waits.lasts(since);
        let found = loop {
            let how = if self.must_ask(clock::now()) {
                Look::Kernel
            } else {
                Look::Memory
            };
            let found = look(how);
            if found.is_some() {
                break found;
            }
            let nap = match deadline.remaining() {
                Some(Duration::ZERO) => break None,
                Some(left) => left.min(RECHECK),
                None => RECHECK,
            };
            // To be watched costs some calls, which pay only if nothing comes for a while.
            let is_watched = asleep.elapsed() >= RECHECK && watched();
            let rings = bell.event.rings();
            let found = match is_watched.then(|| self.watched_for()) {
                // Who died before it was watched is found by this look, who dies later rings.
                Some(age) if age >= UNREPORTED => bell.sleep(deadline, || look(Look::Kernel)),
                // But the death of one who was just dying has been reported to nobody, and its locks may still be there.
                Some(age) => bell.sleep(Deadline::after(nap.min(age.max(BELIEVED))), || {
                    look(Look::Kernel)
                }),
                None => bell.sleep(Deadline::after(nap), || look(Look::Memory)),
            };
            if bell.event.rings() != rings {
                waits.woke();
            }
            if found.is_some() {
                break found;
            }
        };
        waits.is_over(since, clock::now());
        found
    }

    /// Has the next look ask the kernel.
    pub(crate) fn doubt(&mut self) {
        self.asked = None;
    }

    /// How long this end has been watched, which it is.
    fn watched_for(&mut self) -> Duration {
        self.watched.get_or_insert_with(Instant::now).elapsed()
    }

    /// Whether the last answer of the kernel is too old.
    fn must_ask(&mut self, now: u64) -> bool {
        let believed = |asked| Duration::from_nanos(now.saturating_sub(asked)) < BELIEVED;
        let old = !self.asked.is_some_and(believed);
        if old {
            self.asked = Some(now);
        }
        old
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Event")
    }
}
