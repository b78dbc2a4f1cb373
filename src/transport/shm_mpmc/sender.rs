//! The sending end of `shm+mpmc:`.

use std::io;

use crate::{
    Channel, Deadline, Depth, End, Endpoint, Limits, OpenError, SendError, Sender,
    ring::mpmc::Stuck,
    shm::segment::Segment,
    transport::family::{
        member::{Member, endpoint_by_member},
        scratch::{Scratch, reserve_in_scratch},
    },
};

use super::{ShmMpmc, depth, limits, ring, take_number};

/// The sending end of a [`ShmMpmc`].
#[derive(Debug)]
pub struct MpmcSender {
    member: Member,
    me: u16,
    max_message: usize,
    scratch: Scratch,
}

impl MpmcSender {
    /// Sends a message, without waking anybody.
    #[inline]
    fn push(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        let seat = self.member.seat();
        let may_send = message.len() <= self.max_message && seat.is_quiet();
        if may_send && ring(seat.segment()).push(self.me, message).is_ok() {
            return Ok(());
        }
        self.push_slowly(message, deadline)
    }

    #[cold]
    fn push_slowly(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        let max = self.max_message;
        if message.len() > max {
            return Err(SendError::TooLarge { max });
        }
        let me = self.me;
        let sent = self.member.wait(deadline, |seat, look| {
            if seat.is_alone(look) {
                return Some(Err(SendError::Disconnected));
            }
            match ring(seat.segment()).push(me, message) {
                Ok(()) => Some(Ok(())),
                Err(Stuck::NotNow) => None,
                Err(Stuck::Corrupt) => Some(Err(SendError::Poisoned)),
            }
        });
        sent.unwrap_or(Err(SendError::Full))
    }

    /// Wakes receivers.
    #[inline]
    fn notify(&self) {
        self.member.segment().items().notify();
    }

    /// The same behind a loop, which needs its registers.
    #[cold]
    fn notify_of_a_batch(&self) {
        self.notify();
    }

    pub(super) fn new(channel: &ShmMpmc, segment: Segment) -> Result<Self, OpenError> {
        Ok(Self {
            me: take_number(channel, &segment)?,
            max_message: segment.max_message(),
            member: Member::new(
                segment,
                End::Sender,
                channel.address(),
                channel.options.wait,
            ),
            scratch: Scratch::new(),
        })
    }
}

impl Endpoint for MpmcSender {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        limits(self.member.segment())
    }

    fn depth(&self) -> io::Result<Depth> {
        Ok(depth(self.member.segment()))
    }
}

impl Sender for MpmcSender {
    // In place, a slow writer would hold up every receiver behind its place.
    reserve_in_scratch!();

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        self.push(message, deadline)?;
        self.notify();
        Ok(())
    }

    /// Wakes receivers once for as many as there is room for.
    fn send_batch_by(
        &mut self,
        messages: &[&[u8]],
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let mut sent = 0;
        while let Some(first) = messages.get(sent) {
            match self.push(first, deadline) {
                Ok(()) => sent += 1,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
            let ring = ring(self.member.segment());
            for message in messages.iter().skip(sent) {
                let fits = message.len() <= self.max_message;
                if !fits || ring.push(self.me, message).is_err() {
                    break;
                }
                sent += 1;
            }
            self.notify_of_a_batch();
        }
        Ok(sent)
    }
}
