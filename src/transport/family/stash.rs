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
    spans: Vec<(usize, usize)>,
    /// The first message not yet finished.
    next: usize,
    /// How many messages the next batch may take.
    wanted: usize,
}

impl Stash {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(BATCH),
            spans: Vec::with_capacity(SPANS),
            next: 0,
            wanted: 1,
        }
    }

    /// The first message.
    #[inline]
    pub(crate) fn front(&self) -> Option<&[u8]> {
        let &(start, end) = self.spans.get(self.next)?;
        self.bytes.get(start..end)
    }

    /// Finishes the first message.
    #[inline]
    pub(crate) fn finish(&mut self) {
        self.next = self.next.saturating_add(1);
        if self.next >= self.spans.len() {
            self.spans.clear();
            self.bytes.clear();
            self.next = 0;
        }
    }

    /// Whether it holds none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// How many bytes they have.
    pub(crate) fn bytes(&self) -> usize {
        let rest = self.spans.get(self.next..).unwrap_or_default();
        rest.iter().map(|(start, end)| end - start).sum()
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
}

impl Sink for Stash {
    #[inline]
    fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        let start = self.bytes.len();
        let end = start.checked_add(len)?;
        let full = self.spans.len() >= self.wanted || end > BATCH;
        if full && !self.spans.is_empty() {
            return None;
        }
        self.bytes.resize(end, 0);
        self.spans.push((start, end));
        self.bytes.get_mut(start..)
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
