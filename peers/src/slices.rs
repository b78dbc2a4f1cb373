//! Measuring in slices: on a virtual machine the distance between two cores changes several times a
//! second, so each slice is labelled by a cache-line ping-pong before and after it, and only slices
//! with one label are compared.

use std::{
    hint::spin_loop,
    num::NonZero,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::{
        mman::{MapFlags, ProtFlags, mmap_anonymous},
        prctl::set_pdeathsig,
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, fork, getpid, getppid},
};

/// How far apart the two cores are, by the round trip of a cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Distance {
    /// Less than 60 ns.
    Core,
    /// Less than 220 ns.
    Complex,
    /// More.
    Far,
}

impl Distance {
    /// From near to far.
    pub(crate) const ALL: [Self; 3] = [Self::Core, Self::Complex, Self::Far];

    fn of(nanos: f64) -> Self {
        match nanos {
            n if n < 60.0 => Self::Core,
            n if n < 220.0 => Self::Complex,
            _ => Self::Far,
        }
    }
}

/// A word in a cache line of its own.
#[repr(C, align(128))]
#[derive(Default)]
pub(crate) struct Line(pub(crate) AtomicU64);

/// What both sides see.
#[repr(C)]
pub(crate) struct Control {
    ball: Line,
    leader: Line,
    follower: Line,
    /// How many slices the follower has received to the end.
    pub(crate) done: Line,
    /// What it has read, so that reading cannot be left out.
    pub(crate) sum: Line,
}

/// A slice that counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slice {
    pub(crate) distance: Distance,
    pub(crate) value: f64,
}

/// Whether the other side is a process or a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    Process,
    Thread,
}

const ROUNDS: u64 = 400;

fn until(word: &AtomicU64, wanted: u64) {
    let mut spins = 0_u32;
    while word.load(Ordering::Acquire) != wanted {
        spin_loop();
        spins += 1;
        if spins.is_multiple_of(1 << 14) {
            std::thread::yield_now();
        }
    }
}

impl Control {
    /// In memory that a forked child shares.
    pub(crate) fn shared() -> &'static Self {
        // SAFETY: zeroed it is valid.
        unsafe { shared() }
    }

    /// Nanoseconds of a cache line's round trip, played by both sides.
    fn probe(&self, turn: u64, leads: bool) -> f64 {
        let base = turn * 2 * ROUNDS;
        let start = Instant::now();
        for round in 0..ROUNDS {
            let mine = base + 2 * round;
            if leads {
                self.ball.0.store(mine + 1, Ordering::Release);
                until(&self.ball.0, mine + 2);
            } else {
                until(&self.ball.0, mine + 1);
                self.ball.0.store(mine + 2, Ordering::Release);
            }
        }
        start.elapsed().as_nanos() as f64 / ROUNDS as f64
    }

    fn meet(&self, turn: u64, leads: bool) {
        let (ours, theirs) = if leads {
            (&self.leader, &self.follower)
        } else {
            (&self.follower, &self.leader)
        };
        ours.0.store(turn, Ordering::Release);
        until(&theirs.0, turn);
    }
}

/// Memory that forked children share, zeroed, for ever.
///
/// # Safety
/// All zeroes must be a valid `T`, which is shared between processes.
pub(crate) unsafe fn shared<T: Sync>() -> &'static T {
    let len = NonZero::new(size_of::<T>()).expect("not zero");
    let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping, never unmapped; the caller says that it is valid.
    unsafe {
        let place = mmap_anonymous(None, len, prot, MapFlags::MAP_SHARED).expect("memory");
        place.cast::<T>().as_ref()
    }
}

/// Keeps this thread on a core.
pub(crate) fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core).expect("a core");
    sched_setaffinity(Pid::from_raw(0), &set).expect("pins");
}

/// Has this process killed when its parent ends.
pub(crate) fn die_with(parent: Pid) {
    set_pdeathsig(Signal::SIGKILL).expect("dies with its parent");
    // It may have ended before the call.
    if getppid() != parent {
        // SAFETY: ends the process without the parent's destructors.
        unsafe { libc::_exit(101) }
    }
}

/// A child that does `work` and ends without its parent's destructors.
pub(crate) fn fork_to(work: impl FnOnce()) -> Pid {
    let parent = getpid();
    // SAFETY: this program has no other thread here.
    match unsafe { fork() }.expect("forks") {
        ForkResult::Child => {
            die_with(parent);
            work();
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => child,
    }
}

/// Waits until a child has ended well.
pub(crate) fn reap(child: Pid) {
    let status = waitpid(child, None).expect("reaps");
    assert_eq!(status, WaitStatus::Exited(child, 0));
}

/// Plays `slices` slices: `lead` here tells each one's value, `follow` is called once a slice on the other side.
pub(crate) fn run(
    other: Other,
    slices: u32,
    mut lead: impl FnMut(&Control, u64) -> f64,
    mut follow: impl FnMut(&Control, u64) + Send,
) -> Vec<Slice> {
    let control = Control::shared();
    let serve = move || {
        pin(1);
        for turn in 0..u64::from(slices) {
            control.meet(2 * turn + 1, false);
            control.probe(2 * turn, false);
            follow(control, turn);
            control.meet(2 * turn + 2, false);
            control.probe(2 * turn + 1, false);
        }
    };
    let mut drive = move || {
        pin(0);
        let mut kept = Vec::new();
        for turn in 0..u64::from(slices) {
            control.meet(2 * turn + 1, true);
            let before = control.probe(2 * turn, true);
            let value = lead(control, turn);
            control.meet(2 * turn + 2, true);
            let after = control.probe(2 * turn + 1, true);
            let distance = Distance::of(before);
            // The first warms up.
            if turn > 0 && distance == Distance::of(after) && value.is_finite() {
                kept.push(Slice { distance, value });
            }
        }
        kept
    };
    match other {
        Other::Thread => std::thread::scope(|scope| {
            let handle = scope.spawn(serve);
            let kept = drive();
            handle.join().expect("no panic");
            kept
        }),
        Other::Process => {
            let child = fork_to(serve);
            let kept = drive();
            reap(child);
            kept
        }
    }
}

/// How long a slice takes.
pub(crate) const SLICE: Duration = Duration::from_millis(15);
/// The number of the message that ends a slice.
pub(crate) const END: u64 = u64::MAX;

/// Million messages a second: `send` sends messages with the numbers from one to another, `receive` receives at
/// least one and tells the numbers by `sum`, until it has seen [`END`].
pub(crate) fn stream(
    other: Other,
    slices: u32,
    burst: u64,
    mut send: impl FnMut(u64, u64),
    mut receive: impl FnMut(&mut Reader) + Send,
) -> Vec<Slice> {
    run(
        other,
        slices,
        |control, turn| {
            let start = Instant::now();
            let mut sent = 0;
            while start.elapsed() < SLICE {
                for _ in 0..(64 / burst).max(1) {
                    send(sent, sent + burst);
                    sent += burst;
                }
            }
            send(END, END);
            until(&control.done.0, turn + 1);
            sent as f64 / start.elapsed().as_secs_f64() / 1e6
        },
        |control, turn| {
            let mut reader = Reader {
                next: 0,
                sum: 0,
                ended: false,
            };
            while !reader.ended {
                receive(&mut reader);
            }
            control.sum.0.store(reader.sum, Ordering::Relaxed);
            control.done.0.store(turn + 1, Ordering::Release);
        },
    )
}

/// Nanoseconds of a round trip, mean over a slice.
pub(crate) fn round_trip(
    other: Other,
    slices: u32,
    mut ping: impl FnMut(u64),
    mut pong: impl FnMut() -> u64 + Send,
) -> Vec<Slice> {
    run(
        other,
        slices,
        |_, _| {
            let start = Instant::now();
            let mut rounds = 0_u64;
            while start.elapsed() < SLICE {
                for _ in 0..32 {
                    ping(rounds);
                    rounds += 1;
                }
            }
            let nanos = start.elapsed().as_nanos() as f64 / rounds as f64;
            ping(END);
            nanos
        },
        |_, _| while pong() != END {},
    )
}

/// Reads every byte of every message, and checks their order.
pub(crate) struct Reader {
    next: u64,
    sum: u64,
    ended: bool,
}

impl Reader {
    #[inline]
    pub(crate) fn read(&mut self, message: &[u8]) {
        let (words, _) = message.as_chunks::<8>();
        let number = u64::from_ne_bytes(words[0]);
        let mut sum = 0_u64;
        for word in words {
            sum = sum.wrapping_add(u64::from_ne_bytes(*word));
        }
        self.sum = self.sum.wrapping_add(sum);
        if number == END {
            self.ended = true;
        } else {
            let next = self.next;
            assert!(
                number == next,
                "lost or out of order: {number} came where {next} was due"
            );
            self.next += 1;
        }
    }

    /// Whether this message ended the slice.
    #[cfg(feature = "rivals")]
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }
}

/// Writes every byte of a message.
#[inline]
pub(crate) fn fill(message: &mut [u8], number: u64) {
    let (words, _) = message.as_chunks_mut::<8>();
    for word in words {
        *word = number.to_ne_bytes();
    }
}
