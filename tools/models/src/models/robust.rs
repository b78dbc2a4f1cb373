//! The lock whose holder may die.

use std::sync::atomic::{AtomicBool, Ordering};

use loom::{cell::UnsafeCell, sync::Arc, thread};

use crate::{
    Deadline,
    models::Model,
    robust::{Held, RobustLock},
    sys::futex,
};

const FILE: &str = "robust.rs";

pub(super) const MODELS: &[Model] = &[
    Model::exhaustive("robust, two exclude each other", FILE, two),
    Model::bounded(
        "robust, two exclude each other again and again",
        FILE,
        2,
        two_twice,
    ),
    Model::exhaustive("robust, taken over from the dead", FILE, taken_over),
    Model::bounded(
        "robust, three exclude each other and wake each other",
        FILE,
        2,
        three,
    ),
    Model::bounded(
        "robust, two take over from the dead",
        FILE,
        1,
        two_take_over,
    ),
    Model::exhaustive("robust, two, every order, longer", FILE, two_twice).long(),
    Model::bounded("robust, three, longer", FILE, 3, three).long(),
    Model::bounded("robust, two take over, longer", FILE, 2, two_take_over).long(),
];

/// A lock, and a number that it guards.
struct Guarded {
    lock: RobustLock,
    count: UnsafeCell<u32>,
    /// Whether number 0 is dead. The kernel tells of a death after everything that the dead one did.
    death: loom::sync::atomic::AtomicBool,
    /// How often the lock was taken over.
    taken_over: AtomicBool,
}

// Each thread counts only while it holds the lock; loom's cell tells otherwise.
#[expect(unsafe_code, reason = "the lock is what is tried")]
// SAFETY: loom runs one thread at a time, and its cell panics where threads would meet.
unsafe impl Sync for Guarded {}

impl Guarded {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lock: RobustLock::zero(),
            count: UnsafeCell::new(0),
            death: loom::sync::atomic::AtomicBool::new(false),
            taken_over: AtomicBool::new(false),
        })
    }

    #[expect(unsafe_code, reason = "the lock is what is tried")]
    fn count(&self) {
        self.count.with_mut(|count| {
            // SAFETY: loom's cell saw that nobody else is there.
            unsafe { *count += 1 };
        });
    }

    fn take(&self, me: u16) -> Held {
        let is_dead = |number| number == 0 && self.death.load(Ordering::Acquire);
        let taken = self.lock.take(me, Deadline::NEVER, is_dead);
        taken.expect("waits for ever")
    }

    /// Takes it, counts, gives it back.
    fn turn(&self, me: u16) {
        let held = self.take(me);
        if held == Held::OwnerDied {
            let before = self.taken_over.swap(true, Ordering::Relaxed);
            assert!(!before, "from one who died once");
        }
        self.count();
        self.lock.give(me);
    }

    #[expect(unsafe_code, reason = "the lock is what is tried")]
    fn total(&self) -> u32 {
        // SAFETY: loom's cell sees that nobody writes.
        self.count.with(|count| unsafe { *count })
    }
}

/// Accepted: every turn counts, and nobody sleeps for ever.
fn turns(threads: u16, each: u16) {
    futex::naps_end(false);
    let guarded = Guarded::new();
    let others: Vec<_> = (2..=threads)
        .map(|me| {
            let guarded = Arc::clone(&guarded);
            thread::spawn(move || (0..each).for_each(|_| guarded.turn(me)))
        })
        .collect();
    (0..each).for_each(|_| guarded.turn(1));
    for other in others {
        other.join().expect("no panic");
    }
    assert_eq!(guarded.total(), u32::from(threads * each));
}

fn two() {
    turns(2, 1);
}

fn two_twice() {
    turns(2, 2);
}

fn three() {
    turns(3, 1);
}

/// Accepted: every turn counts, the dead one's too; the lock is taken over once at most.
fn death(survivors: u16) {
    // Whoever sleeps while the holder dies looks again by itself.
    futex::naps_end(true);
    let guarded = Guarded::new();
    let dying = {
        let guarded = Arc::clone(&guarded);
        thread::spawn(move || {
            guarded.take(0);
            guarded.count();
            guarded.death.store(true, Ordering::Release);
        })
    };
    let others: Vec<_> = (2..=survivors)
        .map(|me| {
            let guarded = Arc::clone(&guarded);
            thread::spawn(move || guarded.turn(me))
        })
        .collect();
    guarded.turn(1);
    for other in others {
        other.join().expect("no panic");
    }
    dying.join().expect("no panic");
}

fn taken_over() {
    death(1);
}

fn two_take_over() {
    death(2);
}
