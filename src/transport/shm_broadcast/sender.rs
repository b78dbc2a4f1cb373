//! The sending end of `shm+broadcast:`.

use std::io;

use crate::{
    Channel, Deadline, Depth, End, Endpoint, Limits, OpenError, SendError, Sender,
    ring::broadcast::Producer,
    shm::segment::Segment,
    transport::family::{
        member::{Member, endpoint_by_member},
        scratch::{Scratch, reserve_in_scratch},
    },
};

use super::{ShmBroadcast, limits, ring};

/// The sending end of a [`ShmBroadcast`].
#[derive(Debug)]
pub struct BroadcastSender {
    member: Member,
    max_message: usize,
    /// Whether a peer may make the segment shorter.
    guarded: bool,
    producer: Producer,
    scratch: Scratch,
}

impl BroadcastSender {
    pub(super) fn new(channel: &ShmBroadcast, segment: Segment) -> Result<Self, OpenError> {
        let producer = Producer::resume(ring(&segment)).map_err(|stuck| channel.unsound(stuck))?;
        let (address, wait) = (channel.address(), channel.options.wait);
        Ok(Self {
            max_message: segment.max_message(),
            guarded: segment.is_guarded(),
            member: Member::new(segment, End::Sender, address, wait).alone(),
            producer,
            scratch: Scratch::new(),
        })
    }

    /// Writes a message, which nobody sees yet.
    #[inline]
    fn append(&mut self, message: &[u8]) -> Result<(), SendError> {
        let max = self.max_message;
        if message.len() > max {
            return Err(SendError::TooLarge { max });
        }
        let segment = self.member.segment();
        let appended = self.producer.append(ring(segment), message);
        if appended.is_err() || self.guarded && segment.is_lost() {
            return Err(SendError::Poisoned);
        }
        Ok(())
    }

    /// Publishes what was written, so many messages with so many bytes, and wakes receivers.
    #[inline]
    fn publish(&mut self, messages: usize, bytes: usize) {
        let segment = self.member.segment();
        self.producer.publish(ring(segment));
        segment.header().producer.tally.add(messages, bytes);
        segment.items().notify();
    }
}

impl Endpoint for BroadcastSender {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        limits(self.member.segment())
    }

    /// Nothing waits for anybody in particular, so there is nothing to tell.
    fn depth(&self) -> io::Result<Depth> {
        Ok(Depth::default())
    }
}

impl Sender for BroadcastSender {
    // In place, receivers would look at what is being written.
    reserve_in_scratch!();

    /// Never waits, and is never [`Full`](SendError::Full) or [`Disconnected`](SendError::Disconnected).
    #[inline]
    fn send_by(&mut self, message: &[u8], _: Deadline) -> Result<(), SendError> {
        self.append(message)?;
        self.publish(1, message.len());
        Ok(())
    }

    /// Publishes all of them at once, or the ring's fill at a time.
    fn send_batch_by(&mut self, messages: &[&[u8]], _: Deadline) -> Result<usize, SendError> {
        let (mut sent, mut bytes) = (0, 0);
        for message in messages {
            match self.append(message) {
                Ok(()) => {}
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
            sent += 1;
            bytes += message.len();
        }
        if sent > 0 {
            self.publish(sent, bytes);
        }
        Ok(sent)
    }
}
