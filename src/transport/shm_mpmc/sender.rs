//! The sending end of `shm+mpmc:`.

use std::io;

use crate::{
    Channel, Deadline, Depth, End, Endpoint, Limits, OpenError, Overflow, SendError, Sender,
    ring::mpmc::{Ring, Stuck},
    shm::segment::Segment,
    tally::Uncounted,
    transport::family::{
        member::{Member, endpoint_by_member},
        scratch::{Scratch, reserve_in_scratch},
    },
};

use super::{ShmMpmc, depth, limits, line, ring, take_number};

/// The sending end of a [`ShmMpmc`].
#[derive(Debug)]
pub struct MpmcSender {
    member: Member,
    me: u16,
    max_message: usize,
    overflow: Overflow,
    uncounted: Uncounted,
    scratch: Scratch,
}

impl MpmcSender {
    /// Sends a message, without waking anybody; `false` if it was given up and counted instead.
    #[inline]
    fn push(&mut self, message: &[u8], deadline: Deadline) -> Result<bool, SendError> {
        let seat = self.member.seat();
        let may_send = message.len() <= self.max_message && seat.is_quiet();
        if may_send && ring(seat.segment()).push(self.me, message).is_ok() {
            return Ok(true);
        }
        self.push_slowly(message, deadline)
    }

    #[cold]
    fn push_slowly(&mut self, message: &[u8], deadline: Deadline) -> Result<bool, SendError> {
        let max = self.max_message;
        if message.len() > max {
            return Err(SendError::TooLarge { max });
        }
        let (me, overflow) = (self.me, self.overflow);
        let sent = self.member.wait(overflow.patience(deadline), |seat, look| {
            if seat.is_alone(look) {
                return Some(Err(SendError::Disconnected));
            }
            let ring = ring(seat.segment());
            let pushed = match overflow {
                Overflow::DropOldest => {
                    let mut gone = 0;
                    let pushed = push_over(ring, me, message, &mut gone);
                    seat.tally().dropped(gone);
                    pushed
                }
                _ => ring.push(me, message),
            };
            match pushed {
                Ok(()) => Some(Ok(true)),
                Err(Stuck::NotNow) => None,
                Err(Stuck::Corrupt) => Some(Err(SendError::Poisoned)),
            }
        });
        match sent {
            Some(sent) => sent,
            None if overflow == Overflow::DropNewest => {
                self.member.seat().tally().dropped(1);
                Ok(false)
            }
            None => Err(SendError::Full),
        }
    }

    /// Counts a message that was sent.
    #[inline(always)]
    fn count(&self, bytes: usize) {
        self.member.seat().tally().add(1, bytes);
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
        let me = take_number(channel, &segment)?;
        let meter = line(channel, &segment, me, End::Sender)?;
        Ok(Self {
            me,
            max_message: segment.max_message(),
            overflow: channel.options.overflow,
            uncounted: Uncounted::default(),
            member: Member::new(
                segment,
                End::Sender,
                channel.address(),
                channel.options.wait,
            )
            .counting_at(meter),
            scratch: Scratch::new(),
        })
    }
}

/// Sends a message and gives up the oldest for it, as long as these are nobody's. Counts them in `gone`.
fn push_over(ring: Ring<'_>, me: u16, message: &[u8], gone: &mut u64) -> Result<(), Stuck> {
    // Others may send and take the room each time; as many turns as there are messages, then somebody had a chance.
    for _ in 0..=ring.states.len() {
        match ring.push(me, message) {
            Err(Stuck::NotNow) => {}
            sent => return sent,
        }
        match ring.discard()? {
            true => *gone += 1,
            false => break,
        }
    }
    Err(Stuck::NotNow)
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
        if self.push(message, deadline)? {
            self.count(message.len());
            self.notify();
        }
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
                Ok(true) => {}
                Ok(false) => {
                    sent += 1;
                    continue;
                }
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
            self.uncounted.add(first.len());
            let mut pushed = 1;
            let ring = ring(self.member.segment());
            for message in messages.iter().skip(sent + 1) {
                let fits = message.len() <= self.max_message;
                if !fits || ring.push(self.me, message).is_err() {
                    break;
                }
                self.uncounted.add(message.len());
                pushed += 1;
            }
            let tally = self.member.seat().tally();
            tally.add_batch(pushed, &mut self.uncounted);
            self.notify_of_a_batch();
            sent += pushed;
        }
        Ok(sent)
    }
}
