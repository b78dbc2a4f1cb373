//! Round trips in which both sides sleep and are woken: of all that do not spin.
//!
//! Two that sleep for each other back to back do not always: who was just woken answers while the other is still on its
//! way out of its wake-up, and finds it awake. How often that happens changes the mean from 5 to 40 us from one slice to the
//! next, for reasons that lie in the machine. So here a round starts when the kernel says that the other side is asleep, and it counts
//! if this side, too, has slept in it. Only the time from there to back is taken.

use std::{
    fs::File,
    hint::spin_loop,
    os::unix::fs::FileExt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use nix::sys::resource::{UsageWho, getrusage};

use crate::slices::{self, Control, END, Other, SLICE, Slice};

/// The process on the other side.
struct Peer(File);

impl Peer {
    /// Waits until it has said who it is.
    fn meet(pid: &AtomicU64) -> Self {
        loop {
            match pid.load(Ordering::Acquire) {
                0 => spin_loop(),
                pid => return Self(File::open(format!("/proc/{pid}/stat")).expect("lives")),
            }
        }
    }

    /// Waits until it sleeps.
    fn sleeps(&self) {
        let mut line = [0; 256];
        loop {
            let len = self.0.read_at(&mut line, 0).expect("lives");
            // Behind the name, which stands in parentheses.
            let name = line[..len].iter().rposition(|&byte| byte == b')');
            if name.and_then(|end| line.get(end + 2)) == Some(&b'S') {
                return;
            }
        }
    }
}

/// How often this process has given up its core to wait.
fn sleeps() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD)
        .expect("counts")
        .voluntary_context_switches()
}

/// Nanoseconds of a round trip between two processes, mean over those rounds of a slice in which both slept.
pub(crate) fn round_trip(
    slices: u32,
    mut ping: impl FnMut(u64),
    mut pong: impl FnMut() -> u64 + Send,
) -> Vec<Slice> {
    let pid: &'static AtomicU64 = &Control::shared().sum.0;
    let mut peer = None;
    slices::run(
        Other::Process,
        slices,
        |_, _| {
            let peer = peer.get_or_insert_with(|| Peer::meet(pid));
            let start = Instant::now();
            let mut slept = Duration::ZERO;
            let mut rounds = 0;
            let mut number = 0;
            while start.elapsed() < SLICE {
                peer.sleeps();
                let before = sleeps();
                let sent = Instant::now();
                ping(number);
                let time = sent.elapsed();
                number += 1;
                if sleeps() > before {
                    slept += time;
                    rounds += 1;
                }
            }
            ping(END);
            // Not a number if there was none, and dropped then.
            slept.as_nanos() as f64 / f64::from(rounds)
        },
        |_, _| {
            pid.store(u64::from(std::process::id()), Ordering::Release);
            while pong() != END {}
        },
    )
}
