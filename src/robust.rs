//! A lock between processes whose holder may die.
//!
//! The word names its holder by a number that the kernel knows to be taken (see `presence`): the number is itself a
//! lock of an open file description, given back by any death. Whoever waits asks the kernel whether the holder lives, and
//! takes over if not. Each taking counts, so a word that was read before is never taken for a later one with the same holder.
//!
//! ```text
//!   free(n) --CAS--> held(n + 1, me) --CAS--> free(n + 1)
//!                         | holder dead: CAS --> held(n + 2, other), Held::OwnerDied
//! ```
//!
//! After the futex mutex with a bit for sleepers ("Futexes are tricky"). Not glibc's robust mutex: that is tied to a
//! thread's list, takes ten times the instructions, and ends the process if another wrote nonsense into it.

use std::time::Duration;

use crate::{
    Deadline,
    crash::{self, Point, Step},
    lock::LockError,
    sync::{AtomicU32, Ordering},
    sys::futex,
};

/// How long a call that may not wait waits for the lock: its holder copies a message, or died.
const BRIEFLY: Duration = Duration::from_micros(200);
/// How long a sleeper sleeps before it asks whether the holder lives.
const NAP: Duration = Duration::from_millis(1);
/// How many pauses of the processor to let the holder go on: at first, and at last.
const PAUSES: [u32; 2] = [64, 1024];
/// How often to try between two looks at the clock.
const TURNS: u32 = 64;
/// How often to give up the core before sleeping.
const YIELDS: u32 = 4;

/// How it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nobody had it.
    Clean,
    /// Its holder died.
    OwnerDied,
}

/// The lock, in its place. All zeroes is free.
#[repr(transparent)]
pub(crate) struct RobustLock(AtomicU32);

/// What the lock's word says: how often it was taken, whether somebody may sleep, and the holder's number plus one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word(u32);

impl Word {
    const HOLDER: u32 = 0xffff;
    const SLEEPERS: u32 = 1 << 16;
    const ONCE: u32 = 1 << 17;

    #[inline]
    fn holder(self) -> Option<u16> {
        let above = u16::try_from(self.0 & Self::HOLDER).ok()?;
        above.checked_sub(1)
    }

    const fn sleeps(self) -> bool {
        self.0 & Self::SLEEPERS != 0
    }

    /// Taken by `me`, with the sleepers there are.
    const fn taken(self, me: u16) -> Self {
        let rest = self.0.wrapping_add(Self::ONCE) & !Self::HOLDER;
        Self(rest | (me as u32 + 1))
    }

    /// Given back, with nobody asleep.
    const fn free(self) -> Self {
        Self(self.0 & !(Self::HOLDER | Self::SLEEPERS))
    }

    const fn with_sleepers(self) -> Self {
        Self(self.0 | Self::SLEEPERS)
    }
}

impl RobustLock {
    #[inline]
    fn word(&self) -> Word {
        // ORDERING: Relaxed; acting on it is a compare-exchange.
        Word(self.0.load(Ordering::Relaxed))
    }

    /// Makes it ours, if it still is as it was.
    #[inline]
    fn seize(&self, word: Word, taken: Word) -> bool {
        // ORDERING: Acquire; pairs with the Release in `give`.
        self.0
            .compare_exchange(word.0, taken.0, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Makes it free, if it still is as it was.
    #[inline]
    fn put_back(&self, word: Word) -> bool {
        let free = word.free();
        // ORDERING: Release; pairs with the Acquire in `seize`.
        self.0
            .compare_exchange(word.0, free.0, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Leaves the holder word that somebody sleeps.
    fn mark(&self, word: Word) -> bool {
        let asleep = word.with_sleepers();
        // ORDERING: Relaxed; the holder sees it when giving the lock back.
        self.0
            .compare_exchange(word.0, asleep.0, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Takes it as number `me`, waiting for its holder up to the deadline. `is_dead` tells of a number.
    #[inline(always)]
    pub(crate) fn take(
        &self,
        me: u16,
        deadline: Deadline,
        is_dead: impl Fn(u16) -> bool,
    ) -> Result<Held, LockError> {
        let word = self.word();
        if word.holder().is_none() && self.seize(word, word.taken(me)) {
            crash::reach(Point::LockTaken);
            return Ok(Held::Clean);
        }
        self.take_slowly(me, deadline, &is_dead)
    }

    #[cold]
    fn take_slowly(
        &self,
        me: u16,
        deadline: Deadline,
        is_dead: &dyn Fn(u16) -> bool,
    ) -> Result<Held, LockError> {
        let deadline = match deadline {
            Deadline::NOW => Deadline::after(BRIEFLY),
            deadline => deadline,
        };
        let [mut pauses, most] = PAUSES;
        let mut yields = 0;
        // Who has slept does not know whether others still do.
        let mut slept = false;
        let mut turns = 0_u32;
        loop {
            // Others who are faster again and again must not keep us beyond the deadline.
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(TURNS) && deadline.has_passed() {
                return Err(LockError::Busy);
            }
            let word = self.word();
            let taken = match slept {
                true => word.taken(me).with_sleepers(),
                false => word.taken(me),
            };
            let Some(holder) = word.holder() else {
                if self.seize(word, taken) {
                    return Ok(Held::Clean);
                }
                continue;
            };
            if pauses <= most {
                for _ in 0..pauses {
                    std::hint::spin_loop();
                }
                pauses *= 4;
                continue;
            }
            // Nobody else has our number, so what holds the lock in its name is dead.
            let dead = holder == me || is_dead(holder);
            if dead && !crash::is_left_out(Step::TakeLockOver) {
                if self.seize(word, taken) {
                    crash::reach(Point::LockTakenOver);
                    return Ok(Held::OwnerDied);
                }
                continue;
            }
            if deadline.has_passed() {
                return Err(LockError::Busy);
            }
            if yields < YIELDS {
                yields += 1;
                std::thread::yield_now();
                continue;
            }
            if word.sleeps() || self.mark(word) {
                crash::reach(Point::LockMarked);
                let nap = deadline.remaining().map_or(NAP, |left| left.min(NAP));
                futex::wait(&self.0, word.with_sleepers().0, Deadline::after(nap));
                slept = true;
            }
        }
    }

    /// Gives it back, if `me` has it: not if others took us for dead, wrongly.
    #[inline(always)]
    pub(crate) fn give(&self, me: u16) {
        let word = self.word();
        let sound = word.holder() == Some(me) && !word.sleeps();
        if !(sound && self.put_back(word)) {
            self.give_slowly(me);
            return;
        }
        crash::reach(Point::LockGiven);
    }

    #[cold]
    fn give_slowly(&self, me: u16) {
        loop {
            let word = self.word();
            if word.holder() != Some(me) {
                return;
            }
            if self.put_back(word) {
                crash::reach(Point::LockGiven);
                if word.sleeps() {
                    // Fails only for memory that is not there, and ours is. One is enough: it passes the mark on.
                    let _ = futex::wake(&self.0, 1);
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::AtomicU64;

    const NEVER: Deadline = Deadline::NEVER;

    #[test]
    fn it_is_held_by_one_and_taken_over_from_the_dead_only() {
        let lock = RobustLock(AtomicU32::new(0));
        assert_eq!(lock.take(0, NEVER, |_| false), Ok(Held::Clean));
        assert_eq!(lock.take(1, Deadline::NOW, |_| false), Err(LockError::Busy));
        lock.give(1);
        assert_eq!(
            lock.take(1, Deadline::NOW, |_| false),
            Err(LockError::Busy),
            "who has it not cannot give it back"
        );
        assert_eq!(lock.take(1, NEVER, |dead| dead == 0), Ok(Held::OwnerDied));
        lock.give(0);
        assert_eq!(lock.word().holder(), Some(1));
        lock.give(1);
        assert_eq!(lock.word().holder(), None);
        // A newcomer with the number of a dead holder.
        assert_eq!(lock.take(2, NEVER, |_| false), Ok(Held::Clean));
        assert_eq!(lock.take(2, NEVER, |_| false), Ok(Held::OwnerDied));
    }

    #[test]
    fn a_lock_that_was_seen_dead_is_not_seized_from_a_later_holder_with_its_number() {
        let lock = RobustLock(AtomicU32::new(0));
        lock.take(3, NEVER, |_| false).expect("free");
        let seen = lock.word();
        lock.give(3);
        lock.take(3, NEVER, |_| false).expect("free");
        assert!(!lock.seize(seen, seen.taken(4)));
    }

    #[test]
    fn nonsense_is_waited_for_and_ends_with_the_deadline_or_is_taken_over() {
        for word in [u32::MAX, 1, Word::SLEEPERS | 7, (Word::ONCE * 5) | 0xffff] {
            let lock = RobustLock(AtomicU32::new(word));
            assert_eq!(lock.take(9, Deadline::NOW, |_| false), Err(LockError::Busy));
            assert_eq!(lock.take(9, NEVER, |_| true), Ok(Held::OwnerDied));
            lock.give(9);
            assert_eq!(lock.take(9, NEVER, |_| false), Ok(Held::Clean));
        }
    }

    #[test]
    fn threads_exclude_each_other() {
        let lock = RobustLock(AtomicU32::new(0));
        let count = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for me in 0..8 {
                let (lock, count) = (&lock, &count);
                scope.spawn(move || {
                    for _ in 0..20_000 {
                        assert_eq!(lock.take(me, NEVER, |_| false), Ok(Held::Clean));
                        let seen = count.load(Ordering::Relaxed);
                        count.store(seen + 1, Ordering::Relaxed);
                        lock.give(me);
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 8 * 20_000);
        assert!(!lock.word().sleeps());
    }
}
