//! A receiving end of `shm+broadcast:`.

use std::{cell::Cell, io};

use crate::{
    Channel, Counters, Deadline, Depth, End, Endpoint, Handoff, Limits, OpenError, Receiver,
    RecvError,
    ring::broadcast::{Consumer, Stuck},
    shm::segment::Segment,
    transport::family::member::{Member, Seat, endpoint_by_member},
};

use super::{From, ShmBroadcast, limits, ring};

/// A receiving end of a [`ShmBroadcast`].
#[derive(Debug)]
pub struct BroadcastReceiver {
    member: Member,
    consumer: Consumer,
    /// Where messages are copied to that are lent. Grows for a longer message.
    bytes: Vec<u8>,
    /// The length of the message that is peeked, which is in `bytes`.
    peeked: Option<usize>,
    /// Messages that were received and not counted yet: receivers share one line for that, and would pass it around.
    uncounted: Cell<usize>,
}

/// How many messages a receiver counts at a time, unless it waits before.
const COUNTED: usize = 1024;

impl BroadcastReceiver {
    pub(super) fn new(channel: &ShmBroadcast, segment: Segment) -> Result<Self, OpenError> {
        let consumer = channel.start.consumer(&segment);
        let consumer = consumer.map_err(|stuck| channel.unsound(stuck))?;
        let (address, wait) = (channel.address(), channel.options.wait);
        Ok(Self {
            member: Member::new(segment, End::Receiver, address, wait),
            consumer,
            bytes: Vec::new(),
            peeked: None,
            uncounted: Cell::default(),
        })
    }

    /// Steps behind the next message, which has `len` bytes.
    #[inline]
    fn advance(&mut self, len: usize) {
        self.consumer.advance(len);
        let messages = self.uncounted.get() + 1;
        self.uncounted.set(messages);
        if messages == COUNTED {
            self.count();
        }
    }

    /// Counts what was received.
    #[cold]
    fn count(&self) {
        let messages = self.uncounted.take();
        if messages > 0 {
            self.member
                .seat()
                .tally()
                .add_messages_among_others(messages);
        }
    }

    /// Copies the next message into `buf`, waiting for it.
    #[cold]
    fn fetch_slowly(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        self.count();
        let consumer = &mut self.consumer;
        let found = self.member.wait(deadline, |seat, look| {
            match consumer.fetch(ring(seat.segment()), buf) {
                Err(Stuck::NotNow) if seat.is_alone(look) => {
                    // A sender that is gone has sent all that it will: so whether there is a message is asked once more.
                    let last = consumer.fetch(ring(seat.segment()), buf);
                    told(seat, consumer, last).or(Some(Err(RecvError::Disconnected)))
                }
                fetched => told(seat, consumer, fetched),
            }
        });
        found.unwrap_or(Err(RecvError::Empty))
    }

    /// Copies the next message into our own bytes, if it is there.
    #[inline]
    fn fetch_own(&mut self) -> Result<usize, Stuck> {
        let ring = ring(self.member.segment());
        match self.consumer.fetch(ring, &mut self.bytes) {
            Err(Stuck::TooSmall(needed)) => {
                self.bytes.resize(needed, 0);
                self.consumer.fetch(ring, &mut self.bytes)
            }
            fetched => fetched,
        }
    }

    /// Peeks the next message, waiting for it.
    #[inline]
    fn find(&mut self, deadline: Deadline) -> Result<usize, RecvError> {
        if let Some(len) = self.peeked {
            return Ok(len);
        }
        let len = match self.fetch_own() {
            Ok(len) => len,
            Err(_) => self.find_slowly(deadline)?,
        };
        self.peeked = Some(len);
        Ok(len)
    }

    #[cold]
    fn find_slowly(&mut self, deadline: Deadline) -> Result<usize, RecvError> {
        // Out of the way, so that `self` can wait.
        let mut bytes = std::mem::take(&mut self.bytes);
        let found = loop {
            match self.fetch_slowly(&mut bytes, deadline) {
                // No longer than the ring, or the header would not be sound.
                Err(RecvError::TooSmall { needed }) => bytes.resize(needed, 0),
                found => break found,
            }
        };
        self.bytes = bytes;
        found
    }
}

/// What is said of what was fetched; nothing if there is nothing yet.
fn told(
    seat: &Seat,
    consumer: &mut Consumer,
    fetched: Result<usize, Stuck>,
) -> Option<Result<usize, RecvError>> {
    Some(match fetched {
        Ok(len) => Ok(len),
        Err(Stuck::NotNow) => return None,
        Err(Stuck::TooSmall(needed)) => Err(RecvError::TooSmall { needed }),
        Err(Stuck::Corrupt) => Err(RecvError::Corrupt),
        Err(Stuck::Lagged) => match consumer.catch_up(ring(seat.segment())) {
            Ok(missed) => {
                seat.tally().dropped(missed);
                Err(RecvError::Lagged { missed })
            }
            // Overtaken again while it looked: it looks again.
            Err(Stuck::NotNow) => return None,
            Err(_) => Err(RecvError::Corrupt),
        },
    })
}

impl Drop for BroadcastReceiver {
    fn drop(&mut self) {
        self.count();
    }
}

impl Endpoint for BroadcastReceiver {
    endpoint_by_member!(met);
    endpoint_by_member!(awaited);

    fn limits(&self) -> Limits {
        limits(self.member.segment())
    }

    /// What is left for this receiver.
    fn depth(&self) -> io::Result<Depth> {
        let left = ring(self.member.segment()).left(self.consumer.place().at);
        Ok(Depth::of_bytes(usize::try_from(left).unwrap_or(0)))
    }

    fn counters(&self) -> Option<Counters> {
        self.count();
        self.member.seat().counters()
    }

    /// Whoever takes it over goes on at the message that is peeked or comes next.
    fn handoff(&self) -> io::Result<Handoff> {
        let mut handoff = self.member.handoff()?;
        let place = From::Place(self.consumer.place());
        handoff.address = handoff.address.with("from", place);
        Ok(handoff)
    }
}

impl Receiver for BroadcastReceiver {
    #[inline]
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        self.find(deadline)?;
        Ok((*self).peeked())
    }

    #[inline]
    fn peeked(&self) -> &[u8] {
        let len = self.peeked.unwrap_or(0);
        self.bytes.get(..len).unwrap_or_default()
    }

    #[inline]
    fn consume(&mut self) {
        if let Some(len) = self.peeked.take() {
            self.advance(len);
        }
    }

    /// [`Lagged`](RecvError::Lagged) tells once that messages were missed; the next call goes on at the oldest that is kept. A message that was too
    /// long for `buf` stays as long as the sender keeps it. After an error `buf` holds anything.
    #[inline]
    fn recv_by(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        if self.peeked.is_none() {
            let ring = ring(self.member.segment());
            let len = match self.consumer.fetch(ring, buf) {
                Ok(len) => len,
                Err(_) => self.fetch_slowly(buf, deadline)?,
            };
            self.advance(len);
            return Ok(len);
        }
        let message = (*self).peeked();
        let needed = message.len();
        let Some(room) = buf.get_mut(..needed) else {
            return Err(RecvError::TooSmall { needed });
        };
        room.copy_from_slice(message);
        self.consume();
        Ok(needed)
    }

    /// Stops where messages were missed, and the next call tells.
    fn drain_by(
        &mut self,
        max: usize,
        deadline: Deadline,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, RecvError> {
        if max == 0 {
            return Ok(0);
        }
        self.find(deadline)?;
        let mut drained = 0;
        loop {
            each((*self).peeked());
            self.consume();
            drained += 1;
            if drained == max {
                return Ok(drained);
            }
            match self.fetch_own() {
                Ok(len) => self.peeked = Some(len),
                Err(_) => return Ok(drained),
            }
        }
    }
}
