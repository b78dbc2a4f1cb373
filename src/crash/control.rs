//! How a test says where to die, and what to leave out. Not a stable interface.

use nix::sys::signal::{Signal, raise};

use crate::{
    crash::{Point, Step},
    sync::{AtomicU32, Ordering},
};

/// Where to die, counted from one; 0 is nowhere.
static POINT: AtomicU32 = AtomicU32::new(0);
/// Not 0 to stop there, and not to die.
static STOP: AtomicU32 = AtomicU32::new(0);
/// How often to pass there before.
static LEFT: AtomicU32 = AtomicU32::new(0);
/// What to leave out, counted from one.
static STEP: AtomicU32 = AtomicU32::new(0);

/// The names of all points.
#[must_use]
pub const fn points() -> &'static [&'static str] {
    Point::NAMES
}

/// The names of all steps.
#[must_use]
pub const fn steps() -> &'static [&'static str] {
    Step::NAMES
}

fn number(names: &[&str], name: &str) -> Option<u32> {
    let place = names.iter().position(|known| *known == name)?;
    u32::try_from(place + 1).ok()
}

/// Has this process kill itself when it comes to this point for the `nth` time from now on, the first if that is 0; `false` if there is no such point.
pub fn die_at(point: &str, nth: u32) -> bool {
    let Some(number) = number(Point::NAMES, point) else {
        return false;
    };
    // ORDERING: Relaxed, twice; for this thread, or before others start.
    LEFT.store(nth.saturating_sub(1), Ordering::Relaxed);
    POINT.store(number, Ordering::Relaxed);
    true
}

/// Has this process stop, until it is continued, when it comes to this point for the `nth` time from now on; `false` if there is no such point.
pub fn stop_at(point: &str, nth: u32) -> bool {
    // ORDERING: Relaxed; as in `die_at`.
    STOP.store(1, Ordering::Relaxed);
    die_at(point, nth)
}

/// Leaves this step out in this process and its forks, and no other; `false` if there is no such step.
pub fn leave_out(step: &str) -> bool {
    let number = number(Step::NAMES, step);
    // ORDERING: Relaxed; before anything else.
    STEP.store(number.unwrap_or(0), Ordering::Relaxed);
    number.is_some()
}

#[inline]
pub(super) fn reach(point: u32) {
    // ORDERING: Relaxed; set by this thread, or before others start.
    if POINT.load(Ordering::Relaxed) == point + 1 {
        arrive();
    }
}

#[cold]
fn arrive() {
    // ORDERING: Relaxed; whichever thread it is that dies, all do.
    if LEFT.load(Ordering::Relaxed) == 0 {
        // ORDERING: Relaxed, twice; as above.
        let stops = STOP.load(Ordering::Relaxed) != 0;
        POINT.store(0, Ordering::Relaxed);
        // The one does not return, and neither can fail.
        let _ = raise(if stops {
            Signal::SIGSTOP
        } else {
            Signal::SIGKILL
        });
        return;
    }
    // ORDERING: Relaxed; as above.
    LEFT.fetch_sub(1, Ordering::Relaxed);
}

#[inline]
pub(super) fn is_left_out(step: u32) -> bool {
    // ORDERING: Relaxed; set before others start.
    STEP.load(Ordering::Relaxed) == step + 1
}
