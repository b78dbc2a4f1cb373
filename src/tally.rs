//! Counters in memory that others read: of one side of a ring, or of one end.
//!
//! They decide nothing, so all orderings are relaxed, and whoever dies between two of them leaves at most what it was doing miscounted.
//! Where one writer is sure, an addition is a load and a store, which the processor does by one instruction without a lock.

use std::time::Duration;

use crate::sync::{AtomicU64, Ordering};

/// The counters, in their place: one cache line, all zero at first.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Tally {
    /// Messages that went through.
    pub(crate) messages: AtomicU64,
    /// Their bytes.
    pub(crate) bytes: AtomicU64,
    /// Waits that have begun.
    pub(crate) waits: AtomicU64,
    /// Nanoseconds of those that are over.
    pub(crate) waited: AtomicU64,
    /// When the wait that lasts began, in nanoseconds of the monotonic clock; 0 if none is known to.
    pub(crate) since: AtomicU64,
    /// Sleeps that a wake-up ended.
    pub(crate) wake_ups: AtomicU64,
    /// Messages that were given up.
    pub(crate) drops: AtomicU64,
    /// The most bytes that were seen in the channel.
    pub(crate) highest: AtomicU64,
}

/// Whether nothing is counted: for tools/counting, which compares.
const OFF: bool = cfg!(feature = "uncounted");

/// The bytes of messages that went through and are not counted yet: at hand for whoever sends a batch, which the counters are not.
#[derive(Debug, Default)]
pub(crate) struct Uncounted(usize);

impl Uncounted {
    /// One more message went through, of so many bytes.
    #[inline(always)]
    pub(crate) fn add(&mut self, bytes: usize) {
        if !OFF {
            self.0 = self.0.wrapping_add(bytes);
        }
    }
}

/// Adds where nobody else does.
#[inline(always)]
fn add(count: &AtomicU64, more: u64) {
    // ORDERING: Relaxed, twice; a number for people, and nobody else stores it.
    let sum = count.load(Ordering::Relaxed).wrapping_add(more);
    count.store(sum, Ordering::Relaxed);
}

impl Tally {
    /// Counts what went through, by the only one who writes this.
    #[inline(always)]
    pub(crate) fn add(&self, messages: usize, bytes: usize) {
        if !OFF {
            add(&self.messages, messages as u64);
            add(&self.bytes, bytes as u64);
        }
    }

    /// The same of messages alone.
    #[inline(always)]
    pub(crate) fn add_messages(&self, messages: usize) {
        if !OFF {
            add(&self.messages, messages as u64);
        }
    }

    /// The same of a batch, whose bytes have been added up.
    #[inline(always)]
    pub(crate) fn add_batch(&self, messages: usize, bytes: &mut Uncounted) {
        if !OFF {
            self.add(messages, std::mem::take(&mut bytes.0));
        }
    }

    /// The same, where others write too.
    #[inline]
    pub(crate) fn add_among_others(&self, messages: usize, bytes: usize) {
        if !OFF {
            // ORDERING: Relaxed, twice; numbers for people.
            self.messages.fetch_add(messages as u64, Ordering::Relaxed);
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// The same of messages alone.
    #[inline]
    pub(crate) fn add_messages_among_others(&self, messages: usize) {
        if !OFF {
            // ORDERING: Relaxed; a number for people.
            self.messages.fetch_add(messages as u64, Ordering::Relaxed);
        }
    }

    /// Counts messages that were given up, also where others write.
    #[cold]
    pub(crate) fn dropped(&self, messages: u64) {
        if !OFF {
            // ORDERING: Relaxed; a number for people.
            self.drops.fetch_add(messages, Ordering::Relaxed);
        }
    }

    /// A wait lasts since this moment of the monotonic clock; none does if it is 0.
    pub(crate) fn lasts(&self, since: u64) {
        // ORDERING: Relaxed; a number for people.
        self.since.store(since, Ordering::Relaxed);
    }

    /// Somebody saw so many bytes in the channel.
    #[cold]
    pub(crate) fn saw(&self, bytes: u64) {
        if !OFF {
            // ORDERING: Relaxed; a number for people.
            self.highest.fetch_max(bytes, Ordering::Relaxed);
        }
    }
}

/// The counters of waits, for the end that waits. Everything here is off the way of data that flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits<'a> {
    /// Where they are.
    pub(crate) tally: &'a Tally,
    /// Whether nobody else counts there.
    pub(crate) alone: bool,
}

impl Waits<'_> {
    #[inline]
    fn add(self, count: &AtomicU64, more: u64) {
        if OFF {
        } else if self.alone {
            add(count, more);
        } else {
            // ORDERING: Relaxed; a number for people.
            count.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// A wait begins. Told before the looks that it is made of, so that nobody who is served waits for this.
    #[inline]
    pub(crate) fn begin(self) {
        self.add(&self.tally.waits, 1);
    }

    /// So much time of a wait has gone by.
    #[inline]
    pub(crate) fn took(self, time: Duration) {
        self.add(&self.tally.waited, nanoseconds(time));
    }

    /// The wait lasts, since this moment of the monotonic clock.
    pub(crate) fn lasts(self, since: u64) {
        if !OFF {
            self.tally.lasts(since);
        }
    }

    /// What lasted since this moment, which may have been told, is over.
    #[inline]
    pub(crate) fn is_over(self, since: u64, now: u64) {
        if OFF {
            return;
        }
        // Of several who wait the last one is known. Nobody takes the wait to be longer than it was: first it lasts no more, then it counts.
        // ORDERING: Relaxed, twice; numbers for people.
        if self.tally.since.load(Ordering::Relaxed) == since {
            self.tally.since.store(0, Ordering::Relaxed);
        }
        self.add(&self.tally.waited, now.saturating_sub(since));
    }

    /// A sleep was ended by a wake-up.
    pub(crate) fn woke(self) {
        self.add(&self.tally.wake_ups, 1);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
