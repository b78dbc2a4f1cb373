//! Messages that were taken from the channel and not yet given to the caller.

use crate::{RecvError, ring::locked::Sink};

/// How many bytes a batch takes at a time, unless a single message is longer.
const BATCH: usize = 64 << 10;
/// How many messages a batch takes at a time.
const SPANS: usize = 256;

/// A queue of messages in one buffer, which is made once and grows only for a longer message.
#[derive(Debug)]
pub(crate) struct Stash {
    bytes: Vec<u8>,
    /// Start and end of each message.
    spans: Box<[(usize, usize); SPANS]>,
    /// How many messages there are.
    count: usize,
    /// The first message not yet finished.
    next: usize,
    /// How many messages the next batch may take.
    wanted: usize,
}

impl Stash {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; BATCH],
            spans: Box::new([(0, 0); SPANS]),
            count: 0,
            next: 0,
            wanted: 1,
        }
    }

    #[inline]
    fn unfinished(&self) -> &[(usize, usize)] {
        self.spans.get(self.next..self.count).unwrap_or_default()
    }

    /// The first message.
    #[inline]
    pub(crate) fn front(&self) -> Option<&[u8]> {
        let &(start, end) = self.unfinished().first()?;
        self.bytes.get(start..end)
    }

    /// Finishes the first message.
    #[inline]
    pub(crate) fn finish(&mut self) {
        self.next += 1;
        if self.next >= self.count {
            (self.next, self.count) = (0, 0);
        }
    }

    /// Whether it holds none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes they have.
    pub(crate) fn bytes(&self) -> usize {
        let lengths = self.unfinished().iter().map(|(start, end)| end - start);
        lengths.sum()
    }

    /// Moves the first message into `buf`, if there is one.
    #[inline]
    pub(crate) fn take(&mut self, buf: &mut [u8]) -> Option<Result<usize, RecvError>> {
        let message = self.front()?;
        let needed = message.len();
        let Some(room) = buf.get_mut(..needed) else {
            return Some(Err(RecvError::TooSmall { needed }));
        };
        room.copy_from_slice(message);
        self.finish();
        Some(Ok(needed))
    }

    /// Prepares it, empty, to take up to `max` messages.
    #[inline]
    pub(crate) fn want(&mut self, max: usize) -> &mut Self {
        self.wanted = max.min(SPANS);
        self
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.bytes.resize(len, 0);
    }
}

impl Sink for Stash {
    #[inline]
    fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        let start = match self.count {
            0 => 0,
            count => self.spans.get(count - 1)?.1,
        };
        let end = start.checked_add(len)?;
        if self.count > 0 && (self.count >= self.wanted || end > BATCH) {
            return None;
        }
        if end > self.bytes.len() {
            self.grow(end);
        }
        *self.spans.get_mut(self.count)? = (start, end);
        self.count += 1;
        self.bytes.get_mut(start..end)
    }
}

/// The caller's own buffer, for one message.
pub(crate) struct Direct<'a>(pub(crate) Option<&'a mut [u8]>);

impl Sink for Direct<'_> {
    #[inline]
    fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        if self.0.as_ref()?.len() < len {
            return None;
        }
        self.0.take()?.get_mut(..len)
    }
}
