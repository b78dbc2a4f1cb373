//! The ring under two locks: one for producers, one for consumers, so that the sides never meet on a lock.
//!
//! Publish last: a producer writes its record behind the tail, then moves the tail; that store is the
//! message's birth. A consumer reads, then moves the head; that store is its end. Whoever dies inside either section has
//! made the store or has not, so there is nothing to repair, and the next holder of the lock goes on
//! from the cursor. A batch is one lock and one store.
//!
//! ```text
//!   unlocked --lock--> writing --tail.store(Release)--> published --unlock--> unlocked
//!      ^                  | dies: nothing was sent          | dies: it was sent
//!      +--- taken over <--+---------------------------------+
//! ```

use crate::{
    Deadline,
    crash::{self, Point},
    lock::{Lock, LockError},
    ring::{
        Data,
        record::{self, Kind},
    },
    sync::{AtomicU64, Ordering},
    tally::{Tally, Uncounted},
};

/// Why nothing moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// No room, no message, or the lock was not to be had by the deadline.
    NotNow,
    /// The buffer is shorter than the message, which stays.
    TooSmall(usize),
    /// The lock is lost.
    Poisoned,
    /// The bytes are not what a producer writes.
    Corrupt,
}

/// What one call moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Messages.
    pub(crate) messages: usize,
    /// The length of the last one.
    pub(crate) last: usize,
    /// Bytes that are known to be behind it.
    pub(crate) left: u64,
}

/// Where a ring's positions are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursors<'a> {
    /// Bytes ever published. Producers move it.
    pub(crate) tail: &'a AtomicU64,
    /// Bytes ever finished. Consumers move it.
    pub(crate) head: &'a AtomicU64,
    /// The other side's cursor, as this side last saw it under its lock.
    pub(crate) seen: &'a AtomicU64,
    /// This side's counters. Written under its lock.
    pub(crate) tally: &'a Tally,
}

/// Where taken messages go.
pub(crate) trait Sink {
    /// A buffer of `len` bytes for the next message; `None` leaves it in the ring. A message that
    /// was given a buffer has been taken.
    fn room(&mut self, len: usize) -> Option<&mut [u8]>;
}

/// The ring as one side sees it, for one call.
pub(crate) struct Locked<'a, L> {
    cursors: Cursors<'a>,
    data: Data<'a>,
    lock: L,
}

/// Gives the lock back however the section is left.
struct Section<'a, L: Lock>(&'a L);

impl<L: Lock> Drop for Section<'_, L> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl<'a, L: Lock> Locked<'a, L> {
    /// `lock` and `cursors.seen` are those of the side that will be used.
    #[inline]
    pub(crate) fn new(cursors: Cursors<'a>, data: Data<'a>, lock: L) -> Self {
        Self {
            cursors,
            data,
            lock,
        }
    }

    #[inline(always)]
    fn enter(&self, deadline: Deadline) -> Result<Section<'_, L>, Stuck> {
        match self.lock.lock(deadline) {
            // Taken over from a dead holder or not. Publish last: whatever it did, the cursors are sound.
            Ok(()) => Ok(Section(&self.lock)),
            Err(LockError::Busy) => Err(Stuck::NotNow),
            Err(LockError::Lost) => Err(Stuck::Poisoned),
        }
    }

    /// Whether a producer that comes now may find room for `len` bytes. Asked without the lock, so only a hint.
    #[inline]
    pub(crate) fn may_have_room(&self, len: usize) -> bool {
        let wanted = record::size(len) as u64;
        let capacity = self.data.capacity() as u64;
        let fits =
            |head: u64, tail: u64| tail.wrapping_sub(head).saturating_add(wanted) <= capacity;
        // The head's line is the other side's, so it is asked last.
        // ORDERING: Relaxed, three times; the answer is a hint, and the section looks again.
        let (tail, seen) = (
            self.cursors.tail.load(Ordering::Relaxed),
            self.cursors.seen.load(Ordering::Relaxed),
        );
        if fits(seen, tail) {
            return true;
        }
        // ORDERING: Relaxed; as above.
        let head = self.cursors.head.load(Ordering::Relaxed);
        // More than there can be: either moved meanwhile, or is nonsense, which is not to be waited for.
        fits(head, tail) || tail.wrapping_sub(head) > capacity
    }

    /// There seemed to be no room: counts how much there is in the ring.
    #[cold]
    pub(crate) fn note_full(&self) {
        self.cursors.tally.saw(self.used() as u64);
    }

    /// Whether a consumer that comes now may find a message. A hint.
    #[inline]
    pub(crate) fn may_have_message(&self) -> bool {
        // The tail's line is the other side's, so it is asked last.
        // ORDERING: Relaxed, three times; the answer is a hint, and the section looks again.
        let (head, seen) = (
            self.cursors.head.load(Ordering::Relaxed),
            self.cursors.seen.load(Ordering::Relaxed),
        );
        // ORDERING: Relaxed; as above.
        head != seen || head != self.cursors.tail.load(Ordering::Relaxed)
    }

    /// The bytes between head and tail.
    pub(crate) fn used(&self) -> usize {
        // ORDERING: Relaxed, twice; a snapshot for people.
        let head = self.cursors.head.load(Ordering::Relaxed);
        let tail = self.cursors.tail.load(Ordering::Relaxed);
        // The two were not read at the same moment, and may be nonsense.
        let used = tail.wrapping_sub(head).min(self.data.capacity() as u64);
        usize::try_from(used).unwrap_or(0)
    }

    /// Sends as many of `messages` as there is room for, in one section and with one publication.
    /// None of them is longer than the ring's longest message.
    #[inline]
    pub(crate) fn push(&self, messages: &[&[u8]], deadline: Deadline) -> Result<usize, Stuck> {
        let section = self.enter(deadline)?;
        // ORDERING: Relaxed; only producers move it, under this lock.
        let start = self.cursors.tail.load(Ordering::Relaxed);
        if !start.is_multiple_of(record::HEADER as u64) {
            // No record starts there.
            return Err(Stuck::Corrupt);
        }
        let mut free = Free {
            cursors: self.cursors,
            capacity: self.data.capacity() as u64,
        };
        let mut tail = start;
        let mut pushed = 0;
        let mut uncounted = Uncounted::default();
        for message in messages {
            let size = record::size(message.len());
            let (_, left) = self.data.place(tail);
            let pad = if size > left { left } else { 0 };
            if !free.has(tail, (pad + size) as u64)? {
                break;
            }
            if pad > 0 {
                record::write_header(self.data, tail, Kind::Padding, pad - record::HEADER)
                    .map_err(|_| Stuck::Corrupt)?;
                tail = tail.wrapping_add(pad as u64);
            }
            uncounted.add(message.len());
            record::write_header(self.data, tail, Kind::Message, message.len())
                .map_err(|_| Stuck::Corrupt)?;
            let text = tail.wrapping_add(record::HEADER as u64);
            self.data.write(text, message).map_err(|_| Stuck::Corrupt)?;
            tail = tail.wrapping_add(size as u64);
            pushed += 1;
        }
        if pushed > 0 {
            crash::reach(Point::LockedWritten);
            // ORDERING: Release; pairs with the Acquire in `pop`: who sees the tail sees the records.
            self.cursors.tail.store(tail, Ordering::Release);
            crash::reach(Point::LockedPublished);
            self.cursors.tally.add_batch(pushed, &mut uncounted);
        }
        drop(section);
        if pushed == 0 && !messages.is_empty() {
            return Err(Stuck::NotNow);
        }
        Ok(pushed)
    }

    /// Takes messages in one section and with one publication, as long as `sink` has room for the next.
    #[inline]
    pub(crate) fn pop(&self, deadline: Deadline, sink: &mut impl Sink) -> Result<Moved, Stuck> {
        let section = self.enter(deadline)?;
        // ORDERING: Relaxed; only consumers move it, under this lock.
        let mut head = self.cursors.head.load(Ordering::Relaxed);
        let seen = self.cursors.seen;
        // ORDERING: Relaxed; a value that an earlier holder of this lock acquired, and the lock carries that.
        let mut tail = seen.load(Ordering::Relaxed);
        if tail == head || tail.wrapping_sub(head) > self.data.capacity() as u64 {
            // ORDERING: Acquire; pairs with the Release in `push`.
            tail = self.cursors.tail.load(Ordering::Acquire);
            // ORDERING: Relaxed; as above.
            seen.store(tail, Ordering::Relaxed);
        }
        if tail.wrapping_sub(head) > self.data.capacity() as u64 {
            return Err(Stuck::Corrupt);
        }
        let mut moved = Moved::default();
        let mut short = None;
        while head != tail {
            let header = record::read_header(self.data, head).ok();
            let sound =
                |&(_, len): &(Kind, usize)| record::size(len) as u64 <= tail.wrapping_sub(head);
            let Some((kind, len)) = header.filter(sound) else {
                if moved.messages > 0 {
                    // Those before it have been taken; the next call meets it again.
                    break;
                }
                return Err(Stuck::Corrupt);
            };
            let size = record::size(len) as u64;
            if kind == Kind::Message {
                let Some(buf) = sink.room(len) else {
                    short = Some(len);
                    break;
                };
                let text = head.wrapping_add(record::HEADER as u64);
                self.data.read(text, buf).map_err(|_| Stuck::Corrupt)?;
                moved.messages += 1;
                moved.last = len;
            }
            head = head.wrapping_add(size);
        }
        moved.left = tail.wrapping_sub(head);
        crash::reach(Point::LockedCopied);
        // ORDERING: Release; pairs with the Acquire in `Free::has`: who sees the head may overwrite
        // what is before it.
        self.cursors.head.store(head, Ordering::Release);
        crash::reach(Point::LockedFinished);
        self.cursors.tally.add_messages(moved.messages);
        drop(section);
        match (moved.messages, short) {
            (0, Some(needed)) => Err(Stuck::TooSmall(needed)),
            (0, None) => Err(Stuck::NotNow),
            _ => Ok(moved),
        }
    }

    /// What a record for `len` bytes takes behind `tail`, with the filler before it.
    fn wanted(&self, tail: u64, len: usize) -> u64 {
        let size = record::size(len);
        let (_, left) = self.data.place(tail);
        (size + if size > left { left } else { 0 }) as u64
    }

    /// Whether there was no room for `len` bytes a moment ago.
    #[cold]
    pub(crate) fn lacks_room(&self, len: usize) -> bool {
        // ORDERING: Relaxed, twice; a moment ago is all that is asked.
        let head = self.cursors.head.load(Ordering::Relaxed);
        let tail = self.cursors.tail.load(Ordering::Relaxed);
        let used = tail.wrapping_sub(head);
        used.saturating_add(self.wanted(tail, len)) > self.data.capacity() as u64
    }

    /// Discards the oldest messages, as many as it takes for one of `len` bytes, and tells how many those were. A producer does this as a
    /// consumer: `lock` and `cursors.seen` are theirs.
    #[cold]
    pub(crate) fn discard(&self, len: usize, deadline: Deadline) -> Result<u64, Stuck> {
        let section = self.enter(deadline)?;
        let capacity = self.data.capacity() as u64;
        // ORDERING: Relaxed; only consumers move it, under this lock.
        let start = self.cursors.head.load(Ordering::Relaxed);
        // ORDERING: Acquire; pairs with the Release in `push`.
        let tail = self.cursors.tail.load(Ordering::Acquire);
        if tail.wrapping_sub(start) > capacity {
            return Err(Stuck::Corrupt);
        }
        let end = tail.wrapping_add(self.wanted(tail, len));
        let (mut head, mut gone) = (start, 0);
        while head != tail && end.wrapping_sub(head) > capacity {
            let (kind, len) = record::read_header(self.data, head).map_err(|_| Stuck::Corrupt)?;
            let size = record::size(len) as u64;
            if size > tail.wrapping_sub(head) {
                return Err(Stuck::Corrupt);
            }
            gone += u64::from(kind == Kind::Message);
            head = head.wrapping_add(size);
        }
        // ORDERING: Relaxed; what holders of this lock have seen, and the lock carries it.
        self.cursors.seen.store(tail, Ordering::Relaxed);
        // ORDERING: Release; as in `pop`.
        self.cursors.head.store(head, Ordering::Release);
        crash::reach(Point::LockedDiscarded);
        drop(section);
        Ok(gone)
    }

    /// Whether there is a message that this side has seen before.
    #[inline]
    pub(crate) fn knows_message(&self) -> bool {
        // ORDERING: Relaxed, twice; a hint.
        self.cursors.head.load(Ordering::Relaxed) != self.cursors.seen.load(Ordering::Relaxed)
    }
}

/// How a producer knows that there is room: from what was last seen of the head, and only if that does not suffice, from the head.
struct Free<'a> {
    cursors: Cursors<'a>,
    capacity: u64,
}

impl Free<'_> {
    #[inline]
    fn has(&mut self, tail: u64, wanted: u64) -> Result<bool, Stuck> {
        // ORDERING: Relaxed; a value that an earlier holder of this lock acquired, and the lock carries that.
        let seen = self.cursors.seen.load(Ordering::Relaxed);
        if tail.wrapping_sub(seen).saturating_add(wanted) <= self.capacity {
            return Ok(true);
        }
        let cursors = self.cursors;
        let used = look(
            cursors.head,
            cursors.seen,
            tail,
            self.capacity,
            cursors.tally,
        );
        if used > self.capacity {
            // Our own records of this batch are not published yet, but the room for them was checked.
            return Err(Stuck::Corrupt);
        }
        Ok(used.saturating_add(wanted) <= self.capacity)
    }
}

/// Looks how far consumers have come, and tells the bytes between there and `tail`. A call, so that the loop around it keeps its registers.
#[cold]
#[inline(never)]
fn look(head: &AtomicU64, seen: &AtomicU64, tail: u64, capacity: u64, tally: &Tally) -> u64 {
    // ORDERING: Acquire; pairs with the Release in `pop`.
    let head = head.load(Ordering::Acquire);
    // ORDERING: Relaxed; a value for later holders of this lock.
    seen.store(head, Ordering::Relaxed);
    let used = tail.wrapping_sub(head);
    if used <= capacity {
        tally.saw(used);
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::NonNull;

    struct Unlocked;

    impl Lock for Unlocked {
        fn lock(&self, _: Deadline) -> Result<(), LockError> {
            Ok(())
        }

        fn unlock(&self) {}
    }

    #[test]
    fn a_tail_that_is_nonsense_is_told_and_not_waited_for() {
        for (tail, head) in [(250, 200), (1, 0), (1 << 20, 0), (u64::MAX, 0), (0, 8)] {
            let mut words = [0_u64; 32];
            let [tail, head, seen] = &[tail, head, head].map(AtomicU64::new);
            // SAFETY: R1 holds as long as `words` lives.
            let data = unsafe { Data::new(NonNull::from(&mut words).cast(), 256) };
            let cursors = Cursors {
                tail,
                head,
                seen,
                tally: &Tally::default(),
            };
            let ring = Locked::new(cursors, data, Unlocked);
            assert!(ring.may_have_room(7), "{tail:?}");
            assert!(ring.used() <= 256, "{tail:?}");
            let pushed = ring.push(&[b"message"], Deadline::NOW);
            assert_eq!(pushed, Err(Stuck::Corrupt), "{tail:?}");
        }
    }
}
