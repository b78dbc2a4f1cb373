//! The sending end of `shm+spsc:`.

use std::io;

use crate::{
    Channel, Deadline, Depth, End, Endpoint, Limits, OpenError, OpenErrorKind, Overflow, SendError,
    Sender,
    ring::spsc::{Producer, Ring, Stuck},
    shm::segment::Segment,
    tally::Uncounted,
    transport::family::{
        member::{Member, endpoint_by_member},
        scratch::Scratch,
    },
};

use super::{ShmSpsc, depth, limits, ring};

/// The sending end of a [`ShmSpsc`].
#[derive(Debug)]
pub struct SpscSender {
    member: Member,
    max_message: usize,
    producer: Producer,
    overflow: Overflow,
    uncounted: Uncounted,
    /// For what is reserved, if the peer is not trusted, or there may be no room for it.
    scratch: Option<Scratch>,
}

impl SpscSender {
    pub(super) fn new(channel: &ShmSpsc, segment: Segment) -> Result<Self, OpenError> {
        let producer = Producer::resume(ring(&segment))
            .map_err(|_| OpenError::new(channel.address(), OpenErrorKind::Corrupt))?;
        Ok(Self {
            max_message: segment.max_message(),
            member: Member::new(
                segment,
                End::Sender,
                channel.address(),
                channel.options.wait,
            )
            .alone(),
            producer,
            overflow: channel.options.overflow,
            uncounted: Uncounted::default(),
            scratch: (!channel.capabilities().zero_copy_send).then(Scratch::new),
        })
    }

    /// Does what needs room for a message of `len` bytes, as soon as there is room; `false` if the message was given up and
    /// counted instead.
    #[cold]
    fn wait_for_room(
        &mut self,
        len: usize,
        deadline: Deadline,
        act: &mut dyn FnMut(&mut Producer, Ring<'_>) -> Result<(), Stuck>,
    ) -> Result<bool, SendError> {
        let max = self.max_message;
        if len > max {
            return Err(SendError::TooLarge { max });
        }
        let producer = &mut self.producer;
        let found = self
            .member
            .wait(self.overflow.patience(deadline), |seat, look| {
                if seat.is_alone(look) {
                    return Some(Err(SendError::Disconnected));
                }
                match act(producer, ring(seat.segment())) {
                    Ok(()) => Some(Ok(true)),
                    Err(Stuck::NotNow) => None,
                    Err(Stuck::Corrupt) => Some(Err(SendError::Poisoned)),
                }
            });
        match found {
            Some(found) => found,
            None if self.overflow == Overflow::DropNewest => {
                self.member.seat().tally().dropped(1);
                Ok(false)
            }
            None => Err(SendError::Full),
        }
    }

    /// Whether there can be nothing in the way of a message of `len` bytes but room.
    #[inline]
    fn may_send(&self, len: usize) -> bool {
        len <= self.max_message && self.member.seat().is_quiet()
    }

    /// Adds a message to the batch, as soon as there is room; `false` if it was given up instead.
    #[inline]
    fn append(&mut self, message: &[u8], deadline: Deadline) -> Result<bool, SendError> {
        self.producer.abort();
        let ring = ring(self.member.segment());
        if self.may_send(message.len()) && self.producer.append(ring, message).is_ok() {
            return Ok(true);
        }
        self.wait_for_room(message.len(), deadline, &mut |producer, ring| {
            producer.append(ring, message)
        })
    }

    #[cold]
    fn send_slowly(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        if self.append(message, deadline)? {
            self.uncounted.add(message.len());
            self.publish(1);
        }
        Ok(())
    }

    /// Publishes the batch of so many messages, whose bytes were added up.
    #[inline]
    fn publish(&mut self, messages: usize) {
        let ring = ring(self.member.segment());
        self.producer.publish(ring);
        ring.tally.add_batch(messages, &mut self.uncounted);
        self.notify();
    }

    #[inline]
    fn reserve_in_place(&mut self, len: usize, deadline: Deadline) -> Result<&mut [u8], SendError> {
        self.producer.abort();
        let room = ring(self.member.segment());
        if !self.may_send(len) || self.producer.reserve(room, len).is_err() {
            self.wait_for_room(len, deadline, &mut |producer, ring| {
                producer.reserve(ring, len)
            })?;
        }
        Ok(self.producer.reserved(ring(self.member.segment())))
    }

    /// Sends what was written into the scratch.
    fn commit_scratch(&mut self, len: usize) -> Result<(), SendError> {
        let Some(mut scratch) = self.scratch.take() else {
            return Err(SendError::TooLarge { max: 0 });
        };
        let sent = scratch.commit(len, |message, deadline| self.send_by(message, deadline));
        self.scratch = Some(scratch);
        sent
    }

    /// Wakes the receiver.
    #[inline]
    fn notify(&self) {
        self.member.segment().items().notify();
    }
}

impl Endpoint for SpscSender {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        limits(self.member.segment())
    }

    fn depth(&self) -> io::Result<Depth> {
        Ok(depth(self.member.segment()))
    }
}

impl Sender for SpscSender {
    #[inline]
    fn reserve(&mut self, len: usize, deadline: Deadline) -> Result<&mut [u8], SendError> {
        let Some(scratch) = &mut self.scratch else {
            return self.reserve_in_place(len, deadline);
        };
        scratch.reserve(len, self.max_message, deadline)?;
        Ok(self.reserved())
    }

    #[inline]
    fn reserved(&mut self) -> &mut [u8] {
        if let Some(scratch) = &mut self.scratch {
            return scratch.reserved();
        }
        self.producer.reserved(ring(self.member.segment()))
    }

    #[inline]
    fn commit(&mut self, len: usize) -> Result<(), SendError> {
        if self.scratch.is_some() {
            return self.commit_scratch(len);
        }
        match self.producer.reserved_len() {
            Some(max) if len <= max => {}
            other => {
                return Err(SendError::TooLarge {
                    max: other.unwrap_or(0),
                });
            }
        }
        let ring = ring(self.member.segment());
        self.producer.commit(ring, len);
        ring.tally.add(1, len);
        self.notify();
        Ok(())
    }

    #[inline]
    fn abort(&mut self) {
        if let Some(scratch) = &mut self.scratch {
            scratch.abort();
        }
        self.producer.abort();
    }

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        // Looked up first, as in `recv_by`.
        let segment = self.member.segment();
        let (ring, items) = (ring(segment), segment.items());
        if self.may_send(message.len()) && self.producer.send(ring, message) {
            self.producer.abort();
            ring.tally.add(1, message.len());
            items.notify();
            return Ok(());
        }
        self.send_slowly(message, deadline)
    }

    /// Publishes once for as many as there is room for.
    fn send_batch_by(
        &mut self,
        messages: &[&[u8]],
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let mut sent = 0;
        while let Some(first) = messages.get(sent) {
            match self.append(first, deadline) {
                Ok(true) => {}
                Ok(false) => {
                    sent += 1;
                    continue;
                }
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent),
            }
            let ring = ring(self.member.segment());
            self.uncounted.add(first.len());
            let mut added = 1;
            for message in messages.iter().skip(sent + 1) {
                let fits = message.len() <= self.max_message;
                if !fits || self.producer.append(ring, message).is_err() {
                    break;
                }
                self.uncounted.add(message.len());
                added += 1;
            }
            self.publish(added);
            sent += added;
        }
        Ok(sent)
    }
}
