//! The receiving end of `shm+spsc:`.

use std::io;

use crate::{
    Channel, Deadline, Depth, End, Endpoint, Limits, OpenError, Receiver, RecvError,
    ring::{
        copy::copy,
        spsc::{Consumer, Stuck},
    },
    shm::segment::Segment,
    transport::family::{
        copied::Copied,
        member::{Member, Seat, endpoint_by_member},
    },
};

use super::{ShmSpsc, depth, limits, ring};

/// How many messages a receiver finishes before it gives their room back, in [`Receiver::drain_by`].
const BATCH: usize = 64;
/// How often a receiver looks again before it settles to wait.
const GLANCES: u32 = 32;

/// The receiving end of a [`ShmSpsc`].
#[derive(Debug)]
pub struct SpscReceiver {
    member: Member,
    consumer: Consumer,
    /// For what is peeked, if the peer is not trusted.
    copied: Option<Copied>,
}

#[expect(clippy::unnecessary_wraps, reason = "what ring_channel asks for")]
impl SpscReceiver {
    pub(super) fn new(channel: &ShmSpsc, segment: Segment) -> Result<Self, OpenError> {
        Ok(Self {
            consumer: Consumer::resume(ring(&segment)),
            member: Member::new(
                segment,
                End::Receiver,
                channel.address(),
                channel.options.wait,
            )
            .alone(),
            copied: Copied::from(channel.options.peer),
        })
    }
}

impl SpscReceiver {
    /// The message of `len` bytes that was found.
    #[inline]
    fn show(&mut self, len: usize) -> &[u8] {
        let ring = ring(self.member.segment());
        match &mut self.copied {
            None => self.consumer.peeked(ring),
            Some(copied) => copied.fetch(len, |room| self.consumer.copy(ring, room)),
        }
    }

    /// Finds the next message, waiting for it.
    #[inline]
    fn find(&mut self, deadline: Deadline) -> Result<usize, RecvError> {
        match self.consumer.peek(ring(self.member.segment())) {
            Ok(len) => Ok(len),
            Err(_) => self.wait_for_message(deadline),
        }
    }

    #[cold]
    fn wait_for_message(&mut self, deadline: Deadline) -> Result<usize, RecvError> {
        let consumer = &mut self.consumer;
        let found = self.member.wait(deadline, |seat, look| {
            match consumer.peek(ring(seat.segment())) {
                Ok(len) => Some(Ok(len)),
                Err(Stuck::NotNow) => last_look(consumer, seat, seat.is_alone(look)),
                Err(Stuck::Corrupt) => Some(Err(RecvError::Corrupt)),
            }
        });
        found.unwrap_or(Err(RecvError::Empty))
    }

    #[cold]
    fn recv_slowly(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        // An answer that is on its way is met here, without what a longer wait has to ask and to return through.
        let waits = deadline != Deadline::NOW && !self.consumer.has_found();
        if waits && self.member.is_eager() {
            for _ in 0..GLANCES {
                std::hint::spin_loop();
                let segment = self.member.segment();
                if let Some(len) = self.consumer.recv(ring(segment), buf) {
                    segment.header().consumer.tally.add_messages(1);
                    segment.room().notify();
                    return Ok(len);
                }
                if self.consumer.has_found() {
                    break;
                }
            }
        }
        let needed = self.find(deadline)?;
        let Some(room) = buf.get_mut(..needed) else {
            return Err(RecvError::TooSmall { needed });
        };
        copy(room, self.show(needed));
        self.consume();
        Ok(needed)
    }

    /// Gives what is there to `each`, `max` messages at most, of which one was found, and tells how many that was.
    #[cold]
    fn drain_copies(&mut self, max: usize, each: &mut dyn FnMut(&[u8])) -> usize {
        let mut drained = 0;
        while drained < max
            && let Ok(len) = self.consumer.peek(ring(self.member.segment()))
        {
            each(self.show(len));
            self.consume();
            drained += 1;
        }
        drained
    }

    /// Gives back the room of what was stepped over, so many messages, and wakes the sender.
    #[inline]
    fn finish(&self, messages: usize) {
        let segment = self.member.segment();
        self.consumer.finish(ring(segment));
        segment.header().consumer.tally.add_messages(messages);
        segment.room().notify();
    }
}

/// A sender that is gone has sent all that it will: so whether there is a message is asked once more, after that.
#[inline]
fn last_look(
    consumer: &mut Consumer,
    seat: &Seat,
    alone: bool,
) -> Option<Result<usize, RecvError>> {
    if !alone {
        return None;
    }
    Some(match consumer.peek(ring(seat.segment())) {
        Ok(len) => Ok(len),
        Err(Stuck::NotNow) => Err(RecvError::Disconnected),
        Err(Stuck::Corrupt) => Err(RecvError::Corrupt),
    })
}

impl Endpoint for SpscReceiver {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        limits(self.member.segment())
    }

    fn depth(&self) -> io::Result<Depth> {
        Ok(depth(self.member.segment()))
    }
}

impl Receiver for SpscReceiver {
    #[inline]
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        let len = self.find(deadline)?;
        Ok(self.show(len))
    }

    #[inline]
    fn peeked(&self) -> &[u8] {
        if let Some(copied) = &self.copied {
            return copied.bytes();
        }
        self.consumer.peeked(ring(self.member.segment()))
    }

    #[inline]
    fn consume(&mut self) {
        if let Some(copied) = &mut self.copied {
            copied.finish();
        }
        if self.consumer.step() {
            self.finish(1);
        }
    }

    #[inline]
    fn recv_by(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        // All is looked up before it is written to: the compiler cannot know that this does not move it.
        let segment = self.member.segment();
        let (tally, room) = (&segment.header().consumer.tally, segment.room());
        if let Some(len) = self.consumer.recv(ring(segment), buf) {
            tally.add_messages(1);
            room.notify();
            return Ok(len);
        }
        self.recv_slowly(buf, deadline)
    }

    /// Gives room back, and wakes the sender, once for many messages.
    #[inline(always)]
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
        if self.copied.is_some() {
            return Ok(self.drain_copies(max, each));
        }
        let mut drained = 0;
        loop {
            let ring = ring(self.member.segment());
            each(self.consumer.peeked(ring));
            self.consumer.step();
            drained += 1;
            if drained % BATCH == 0 {
                self.finish(BATCH);
            }
            if drained == max || self.consumer.peek(ring).is_err() {
                self.finish(drained % BATCH);
                return Ok(drained);
            }
        }
    }
}
