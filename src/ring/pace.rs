//! How a consumer of the ring for many keeps out of the producers' way.

use crate::sync::{AtomicU64, Ordering};

/// A consumer's knowledge of how far producers have come, so that it does not touch what they are writing before it must: the
/// same as in the ring for one producer and one consumer.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Claimed up to here.
    tail: u64,
    /// Whether the last look found a message.
    hit: bool,
    /// Whether it found several.
    pub(super) streams: bool,
}

impl Pace {
    /// Whether what is at `place` was claimed a while ago.
    #[inline]
    pub(super) fn knows(&self, place: u64, count: u64) -> bool {
        (1..=count).contains(&self.tail.wrapping_sub(place))
    }

    #[inline]
    pub(super) fn missed(&mut self) {
        (self.hit, self.streams) = (false, false);
    }

    #[inline]
    pub(super) fn found(&mut self, tail: &AtomicU64, behind: u64) {
        // A lone message is not worth a look at the tail's line, which a producer has.
        if self.hit {
            // ORDERING: Relaxed; a hint.
            self.tail = tail.load(Ordering::Relaxed);
            self.streams = self.tail.wrapping_sub(behind).cast_signed() > 4;
        }
        self.hit = true;
    }
}
