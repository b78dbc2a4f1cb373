//! What ends a peer whose session is gone, or whose channel does not move.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process, thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use crate::{
    BoxChannel, Channel, clock,
    sync::{AtomicBool, AtomicU64, Ordering},
};

/// The exit code of a peer whose channel did not move.
pub(super) const STALLED: i32 = 3;
/// The exit code of a peer that was left alone and did not get out by itself.
const ORPHANED: i32 = 4;

/// How long nothing may move while something should.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a peer that was left alone has to close its ends in order.
const GRACE: Duration = Duration::from_secs(1);
/// How often the pulse is felt.
const TICK: u16 = 1000;

/// Beats with each message. Even while nothing is to be done, else odd or more.
static PULSE: AtomicU64 = AtomicU64::new(IDLE);
/// What the pulse is while nothing is to be done.
const IDLE: u64 = u64::MAX;
/// Whether the session is gone.
static CUT: AtomicBool = AtomicBool::new(false);

/// How much longer nothing may move at the moment, in nanoseconds.
static MORE_PATIENCE: AtomicU64 = AtomicU64::new(0);

/// Says how long nothing may move although all is well.
pub(super) fn expect(gap: Duration) {
    // ORDERING: Relaxed; a number of its own.
    MORE_PATIENCE.store(clock::nanos(gap), Ordering::Relaxed);
}

/// Says that message `number` went. One store to a line that nobody else writes.
#[inline]
pub(super) fn beat(number: u64) {
    // ORDERING: Relaxed; nothing is published by it.
    PULSE.store(number, Ordering::Relaxed);
}

/// Says that nothing is to be done.
pub(super) fn rest() {
    beat(IDLE);
}

/// Whether the session is gone, so that the peer should stop.
#[inline]
pub(super) fn is_cut() -> bool {
    // ORDERING: Relaxed; nothing is read on the strength of it.
    CUT.load(Ordering::Relaxed)
}

/// Watches `orders` from a thread of its own, and ends the process when it must. `channels` are then unlinked.
pub(super) fn tie(orders: BorrowedFd<'_>, channels: Vec<BoxChannel>) -> io::Result<()> {
    let orders = orders.try_clone_to_owned()?;
    thread::Builder::new()
        .name("lifeline".to_owned())
        .stack_size(64 << 10)
        .spawn(move || process::exit(watch(&orders, &channels)))?;
    Ok(())
}

/// Returns the code to end with.
fn watch(orders: &OwnedFd, channels: &[BoxChannel]) -> i32 {
    let mut last = IDLE;
    let mut since = Instant::now();
    while !is_hung_up(orders) {
        // ORDERING: Relaxed; only whether it changes matters.
        let now = PULSE.load(Ordering::Relaxed);
        if now != last || now == IDLE {
            last = now;
            since = Instant::now();
        } else {
            // ORDERING: Relaxed; a number of its own.
            let more = Duration::from_nanos(MORE_PATIENCE.load(Ordering::Relaxed));
            if since.elapsed() > PATIENCE.saturating_add(more) {
                return STALLED;
            }
        }
    }
    // ORDERING: Relaxed; as in `is_cut`.
    CUT.store(true, Ordering::Relaxed);
    // Normally the process ends during this.
    #[expect(clippy::disallowed_methods, reason = "a grace period is no event")]
    thread::sleep(GRACE);
    for channel in channels {
        // Another peer may have done it.
        let _ = channel.unlink();
    }
    ORPHANED
}

/// Waits for a tick, or until the other end of the pipe is closed.
fn is_hung_up(orders: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(orders.as_fd(), PollFlags::empty())];
    match poll(&mut fds, PollTimeout::from(TICK)) {
        Ok(0) | Err(Errno::EINTR) => false,
        Ok(_) | Err(_) => true,
    }
}
